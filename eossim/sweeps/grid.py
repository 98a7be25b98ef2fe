"""Named grids: products of axes, an axis being one parameter or several that go together."""

from __future__ import annotations

import inspect
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .._check import _short, positive_int, unknown

#: Variables that every sweep returns.
RESERVED = ("failed", "error")
_ALLOWED = "numbers, strings, booleans, None, or tuples of them"


@dataclass(frozen=True)
class Axis:
    """One dimension of a grid.

    Attributes:
        names: Parameters that change along it.
        rows: Their values, one tuple for each position.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    @property
    def dim(self) -> str:
        """Name of the dimension: of the parameter, or of all of them with underscores between."""
        return "_".join(self.names)

    def coordinates(self) -> dict[str, np.ndarray]:
        """Return the values of every parameter along the axis."""
        return {name: _labels([row[k] for row in self.rows]) for k, name in enumerate(self.names)}


@dataclass(frozen=True)
class Grid:
    """All combinations of positions on the axes; the last axis changes fastest."""

    axes: tuple[Axis, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Positions on each axis."""
        return tuple(len(axis.rows) for axis in self.axes)

    @property
    def dims(self) -> tuple[str, ...]:
        """Dimensions in order."""
        return tuple(axis.dim for axis in self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters in order."""
        return tuple(name for axis in self.axes for name in axis.names)

    def __len__(self) -> int:
        return math.prod(self.shape)

    def cell(self, index: int) -> dict[str, Any]:
        """Return the keywords of a cell by its number."""
        rows = []
        for axis in reversed(self.axes):
            index, position = divmod(index, len(axis.rows))
            rows.append(axis.rows[position])
        return dict(zip(self.names, (value for row in reversed(rows) for value in row), strict=True))


def make_grid(grid: Mapping[Any, Iterable[Any]], seeds: int | Iterable[int] | None = None) -> Grid:
    """Check and return the grid.

    Args:
        grid: Values by name. A tuple of names goes with tuples of values, one for each name: these change together.
        seeds: A number of seeds, counted from 0, or the seeds: the last axis, ``seed``.

    Raises:
        TypeError: If grid is no mapping, a name is no string, or values are no sequence of plain values.
        ValueError: If there is no axis, an axis is empty, or a name or a value comes twice.
    """
    if not isinstance(grid, Mapping):
        raise TypeError(f"grid must map names to values, such as {{'eta': [0.1, 0.2]}}; got {_short(grid)}")
    axes = [_axis(key, values) for key, values in grid.items()]
    if seeds is not None:
        axes.append(_seeds(seeds))
    if not axes:
        raise ValueError("grid is empty: name at least one parameter with its values, or give seeds")
    names = [name for axis in axes for name in axis.names]
    for name, count in Counter(names).items():
        if count > 1:
            extra = " (seeds make an axis of that name)" if name == "seed" and seeds is not None else ""
            raise ValueError(f"grid has the name {name!r} twice{extra}")
        if name in RESERVED:
            raise ValueError(f"grid must not have the name {name!r}: the results have a variable of that name")
    for axis in axes:
        if len(axis.names) > 1 and axis.dim in (*RESERVED, *names):
            raise ValueError(f"grid has the name {axis.dim!r} twice: {axis.names} make a dimension of that name")
    return Grid(tuple(axes))


def _axis(key: Any, values: Any) -> Axis:
    zipped = isinstance(key, tuple)
    names = key if zipped else (key,)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names of grid must be strings or tuples of strings, got {_short(key)}")
        if not name.isidentifier():
            raise ValueError(f"names of grid must be names of parameters, got {name!r}")
    if zipped and len(names) < 2:
        raise ValueError(f"a tuple of names in grid takes two or more of them, got {key}")
    label = f"grid[{key!r}]"
    if hasattr(values, "__array__"):
        values = np.asarray(values).tolist()
    if isinstance(values, str | bytes | Mapping | set | frozenset) or not isinstance(values, Iterable):
        hint = (
            "a constant is bound with functools.partial" if not isinstance(values, set | frozenset) else "in an order"
        )
        raise TypeError(f"{label} must be a sequence of values ({hint}), got {_short(values)}")
    rows = []
    for k, value in enumerate(values):
        if not zipped:
            rows.append((_plain(f"{label}[{k}]", value),))
            continue
        if hasattr(value, "__array__"):
            value = np.asarray(value).tolist()
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != len(names):
            raise ValueError(f"{label}[{k}] must be {len(names)} values, one for each name, got {_short(value)}")
        rows.append(tuple(_plain(f"{label}[{k}]", part) for part in value))
    if not rows:
        raise ValueError(f"{label} is empty: give at least one value")
    seen: dict[tuple[Any, ...], int] = {}
    for k, row in enumerate(rows):
        if row in seen:
            shown = row if zipped else row[0]
            raise ValueError(f"{label} has the value {_short(shown)} twice, at {seen[row]} and {k}")
        seen[row] = k
    axis = Axis(names, tuple(rows))
    alike: dict[tuple[Any, ...], int] = {}
    for k, shown in enumerate(zip(*(labels.tolist() for labels in axis.coordinates().values()), strict=True)):
        if shown in alike:
            first, second = (_short(rows[j] if zipped else rows[j][0]) for j in (alike[shown], k))
            raise ValueError(
                f"{label} has two values that are one as text, {first} and {second}: write them in two ways"
            )
        alike[shown] = k
    return axis


def _plain(where: str, value: Any) -> Any:
    """Return a value as plain Python: it must label a cell, and be the same in the next process."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple):
        return tuple(_plain(where, part) for part in value)
    if type(value) not in (bool, int, float, str, type(None)):
        hint = "; write a list as a tuple" if isinstance(value, list) else ""
        raise TypeError(f"{where} must be one of {_ALLOWED}{hint}; got {_short(value)}")
    if value != value:
        raise ValueError(f"{where} is NaN, which cannot label a cell")
    return value


def _seeds(seeds: int | Iterable[int]) -> Axis:
    if isinstance(seeds, Iterable) and not isinstance(seeds, str | Mapping):
        values = [positive_int(f"seeds[{k}]", seed, minimum=0) for k, seed in enumerate(seeds)]
    else:
        values = list(range(positive_int("seeds", seeds)))
    if len(set(values)) != len(values):
        raise ValueError(f"seeds must differ from each other, got {_short(values)}")
    if not values:
        raise ValueError("seeds is empty: give a number of seeds or a list of them")
    return Axis(("seed",), tuple((value,) for value in values))


def _labels(values: list[Any]) -> np.ndarray:
    """Return a coordinate: numbers or booleans as such, everything else as text."""
    if all(type(value) is bool for value in values):
        return np.array(values)
    if all(type(value) is int and -(2**63) <= value < 2**63 for value in values):
        return np.array(values, dtype=np.int64)
    if all(type(value) is float or (type(value) is int and abs(value) <= 2**53) for value in values):
        return np.array(values, dtype=np.float64)
    return np.array([str(value) for value in values])


def cell_key(cell: Mapping[str, Any]) -> str:
    """Return the text by which a store knows a cell: 1 and 1.0 are two values, the order of names does not count."""
    return json.dumps(dict(sorted(cell.items())), separators=(",", ":"))


def cell_text(cell: Mapping[str, Any]) -> str:
    """Return a cell as it stands in messages: ``eta=0.1, seed=3``."""
    return ", ".join(f"{name}={value!r}" for name, value in cell.items())


def check_names(function: Callable[..., Any], names: Iterable[str]) -> None:
    """Raise unless a function can be called with these keywords.

    Raises:
        TypeError: If a parameter of the function stays without a value.
        ValueError: If it does not take one of the names, or has it bound already.
    """
    names = list(names)
    bound = function.keywords if isinstance(function, partial) else {}
    for name in names:
        if name in bound:
            raise ValueError(f"{name!r} is in the grid and bound to {_short(bound[name])} as well: leave out one")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):  # some compiled functions do not say
        return
    by_keyword = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    if not any(p.kind is p.VAR_KEYWORD for p in parameters):
        for name in names:
            if name not in by_keyword:
                if name == "seed":
                    raise ValueError(f"the function takes no parameter 'seed'; it takes {', '.join(by_keyword)}")
                raise unknown("parameter of the function", name, [n for n in by_keyword if n not in bound])
    for p in parameters:
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            if p.kind is p.POSITIONAL_ONLY:
                raise TypeError(f"the function takes {p.name!r} by position only; cells call it with keywords")
            if p.name not in names:
                raise TypeError(f"the function needs {p.name!r}: put it in the grid or bind it with functools.partial")
