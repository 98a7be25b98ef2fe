"""The catalogue of edges, read from the generated formulas: a shipped rule's edge needs no computer algebra."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from ._check import unknown
from .domain import Interval, checked_values

if TYPE_CHECKING:
    from ._rule import Family, Rule


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue of edges.

    Attributes:
        name: Rule name.
        summary: What the method is.
        formula: The edge in plain text.
        latex: The edge in LaTeX.
        needs: Names that the edge is a function of.
        intervals: Interval of each.
        domain: The domain as a reader writes it.
        crossing: Where the multiplier leaves the unit circle.
        tight: Whether the edge is a divergence boundary.
        reference: Source.
    """

    name: str
    summary: str
    formula: str
    latex: str
    needs: tuple[str, ...]
    intervals: dict[str, Interval]
    domain: str
    crossing: tuple[str, ...]
    tight: bool
    reference: str

    @cached_property
    def numpy(self) -> Callable[..., Any]:
        """The generated formula, a function of keyword arrays."""
        from .formulas import edges

        return getattr(edges, self.name)

    def __call__(self, **values: Any) -> Any:
        """Return the edge at checked values: a float, or the broadcast array."""
        from .formulas import edges

        conditions: Any = edges.CONDITIONS.get(self.name, ())
        checked = checked_values(f"the edge of {self.name}", self.intervals, self.needs, conditions, values)
        with np.errstate(divide="ignore", invalid="ignore"):  # a branch not taken may be infinite or not real
            result = self.numpy(**{n: checked[n] for n in self.needs})
        shape = np.broadcast_shapes(*(np.shape(v) for v in checked.values()))
        return np.broadcast_to(result, shape).copy() if shape else float(result)


@cache
def entries() -> dict[str, Entry]:
    """Return the entries of all shipped rules, by name; families without a general closed form have none."""
    rows = json.loads(resources.files("eossim.formulas").joinpath("catalogue.json").read_text(encoding="utf-8"))
    return {row["name"]: _entry(row) for row in rows}


def edge_of(rule: Rule | Family) -> Any:
    """Return the edge of a rule: its catalogue entry when it is shipped, else the derived `Edge`."""
    from ._rule import Family

    if isinstance(rule, Family):
        raise ValueError(f"{rule.name} is a family: its edge needs {rule.structure}")
    return entries()[rule.name] if rule.kernel_module is not None else rule.edge


def _entry(row: Mapping[str, Any]) -> Entry:
    intervals = {name: Interval.from_json(ends) for name, ends in row["intervals"].items()}
    return Entry(
        **{k: v for k, v in row.items() if k not in ("intervals", "needs", "crossing")},
        intervals=intervals,
        needs=tuple(row["needs"]),
        crossing=tuple(row["crossing"]),
    )


def lookup(name: str) -> Rule | Family:
    """Return a shipped rule by name, or raise ValueError with the nearest one."""
    from . import rules

    if name not in rules.CATALOGUE:
        raise unknown("rule", name, tuple(rules.CATALOGUE))
    return rules.CATALOGUE[name]
