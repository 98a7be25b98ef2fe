"""What an experiment returns: a table of predictions and measurements, the runs behind it, and how to repeat it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._tables import html_table, text_table


@dataclass(frozen=True, eq=False)
class Result:
    """The outcome of an experiment.

    ``print(result)`` shows the rows as a table, with the columns of the first row; ``result.column("ratio")`` is one
    of them; ``result.row(run="SAM 0.2, 0.02")`` is the first row that has these values.

    Attributes:
        name: Of the experiment.
        rows: One for each run or claim, all with the same keys: text, numbers, booleans, None where there is none, or
            a pair of numbers (a range). Columns keep the order of the keys.
        runs: Trajectories (datasets) by the name of each run.
        settings: What makes the result repeatable: data, network, steps, seeds.
    """

    name: str
    rows: Sequence[Mapping[str, Any]]
    runs: Mapping[str, Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in self.rows:
            if [*row] != self.columns:
                raise ValueError(f"rows must have the same keys, got {[*row]} beside {self.columns}")

    @property
    def columns(self) -> list[str]:
        """Keys of a row."""
        return [*self.rows[0]] if self.rows else []

    def column(self, key: str) -> list[Any]:
        """Return the value of every row."""
        if key not in self.columns:
            raise KeyError(f"no column {key!r}; there are {', '.join(self.columns)}")
        return [row[key] for row in self.rows]

    def row(self, **values: Any) -> Mapping[str, Any]:
        """Return the first row that has these values."""
        for row in self.rows:
            if all(row.get(key) == value for key, value in values.items()):
                return row
        raise KeyError(f"no row with {values}")

    def _cells(self) -> list[list[str]]:
        return [[_cell(value) for value in row.values()] for row in self.rows]

    def __repr__(self) -> str:
        settings = ", ".join(f"{key} = {_cell(value)}" for key, value in self.settings.items())
        head = f"{self.name}: {settings}" if settings else self.name
        return f"{head}\n\n{text_table(self.columns, self._cells())}" if self.rows else head

    def _repr_html_(self) -> str:
        return html_table(self.columns, self._cells())


def _cell(value: Any) -> str:
    """Return a value as text; pairs of numbers as a range."""
    if value is None:
        return "-"
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    if isinstance(value, tuple) and len(value) == 2:
        return f"[{_cell(value[0])}, {_cell(value[1])}]"
    return str(value)
