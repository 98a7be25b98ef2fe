"""Bifurcation diagrams: where a system spends its time, against a parameter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, positive_int, unknown
from ..engine.iterate import System, orbit
from ._batch import BOUND, START, Batch, batch, diverged, state_names
from ._passes import count, note_lost, span

if TYPE_CHECKING:
    import xarray as xr


def bifurcation_diagram(
    system: System,
    parameter: str,
    values: ArrayLike,
    *,
    starts: ArrayLike,
    steps: int = 2000,
    keep: int = 100,
    bins: int | None = 400,
    bounds: tuple[float, float] | None = None,
    quantity: str | Callable[..., Any] | None = None,
    bound: float = BOUND,
    **fixed: float,
) -> xr.Dataset:
    """Return the last states of many runs for each value of a parameter, all starts pooled.

    Runs are stepped together and in blocks: memory is that of the result and of one state per run, whatever `keep` is.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`.
        parameter: Name of the parameter that varies.
        values: Its values, increasing, shape (values,).
        starts: Shape (dim,) or (starts, dim); for a method also iterates.
        steps: Steps of each run, those that are kept included.
        keep: Last steps that count.
        bins: Number of bins of the density; None keeps the points themselves.
        bounds: Ends of the bins; by default the smallest and largest point kept.
        quantity: What is shown: the name of a state variable (by default the first) or of an observable of a `Map`, or
            a function ``quantity(x, **parameters)`` of states x, shape (..., dim), to an array of shape (...).
        bound: A run with a state beyond it in its last steps counts as diverged, and none of its points is shown.
        **fixed: The other parameters.

    Returns:
        Dataset over `parameter` with ``density`` (…, bin), the share of a value's points in each bin, whose centres are
        the coordinate ``bin``; or ``points`` (…, start, step), NaN where diverged. ``outside`` is the share of points
        beyond `bounds`, ``diverged`` the share of starts that diverged.

    Raises:
        ValueError: for a parameter that the system does not have, values that are not increasing, ``keep > steps``,
            starts of a wrong shape, or a quantity that does not exist.
    """
    steps, keep = positive_int("steps", steps), positive_int("keep", keep)
    if keep > steps:
        raise ValueError(f"keep must be at most steps = {steps}, got {keep}")
    varied = finite_array("values", values, ndim=1, dtype=np.float64)
    if np.any(np.diff(varied) <= 0):
        at = int(np.argmax(np.diff(varied) <= 0))
        raise ValueError(f"values must increase, got {varied[at]} before {varied[at + 1]}")
    if parameter not in system.parameters:
        raise unknown(f"parameter of {getattr(system, 'name', system)!s}", parameter, system.parameters)
    runs = batch(system, starts, {parameter: varied, **fixed})
    if [*runs.axes] != [parameter]:
        raise ValueError(f"{', '.join(n for n in runs.axes if n != parameter)} must be one number beside {parameter}")
    read, label = _reader(system, quantity)
    tails = _Tails(runs, steps - keep, keep, bound, read)
    attributes = runs.attributes() | {"parameter": parameter, "quantity": label, "steps": steps, "keep": keep}
    number = len(runs.starts)

    if bins is None:
        shown = np.full((runs.runs, keep), np.nan)
        for members, points in tails:
            shown[members] = points.T
        data: dict[str, tuple[Any, ...]] = {
            "points": ((parameter, START, "step"), shown.reshape(varied.size, number, keep), {"long_name": label}),
        }
        extra: dict[str, Any] = {"step": np.arange(steps - keep + 1, steps + 1)}
    else:
        data, extra = _density(tails, varied.size, number, positive_int("bins", bins), bounds, label)
        data = {name: ((parameter, *dims), array, {"long_name": text}) for name, (dims, array, text) in data.items()}
    lost = tails.lost.reshape(varied.size, number).mean(axis=1)
    data["diverged"] = (parameter, lost, {"long_name": "share of starts that diverged"})

    import xarray as xr

    return xr.Dataset(data, runs.coordinates() | extra, attributes)


class _Tails:
    """The last states of all runs, block by block, as often as they are asked for.

    The states before them are kept: going through the tails again costs their steps only, and gives the same bits.
    """

    def __init__(self, runs: Batch, transient: int, keep: int, bound: float, read: Callable[..., np.ndarray]) -> None:
        self.runs, self.keep, self.bound, self.read = runs, keep, bound, read
        self.before = np.empty((runs.runs, runs.system.dim))
        for block in runs.blocks(1):
            start, values = runs.states(block), runs.values(block)
            self.before[block] = orbit(runs.system, start, transient, at=[transient], **values)[0]
        self.lost = diverged(self.before, bound)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (runs, quantity [step, run]) of the runs that do not diverge."""
        at = np.arange(1, self.keep + 1)
        for block in self.runs.blocks(self.keep):
            alive = np.flatnonzero(~self.lost[block])
            if not alive.size:
                continue
            values = {n: v[alive] for n, v in self.runs.values(block).items()}
            tail = orbit(self.runs.system, self.before[block][alive], self.keep, at=at, **values)
            with np.errstate(all="ignore"):
                points = self.read(tail, values)
            gone = np.zeros(alive.size, dtype=bool)
            note_lost(tail.transpose(0, 2, 1), self.bound, gone)
            note_lost(points[:, None], np.finfo(float).max, gone)
            members = block.start + alive
            if gone.any():
                self.lost[members[gone]] = True
                members, points = members[~gone], points[:, ~gone]
            yield members, points


def _density(
    tails: _Tails, rows: int, number: int, bins: int, bounds: tuple[float, float] | None, label: str
) -> tuple[dict[str, tuple[Any, ...]], dict[str, Any]]:
    if bounds is None:
        low, high = np.inf, -np.inf
        for _, points in tails:
            low, high = span(points, (low, high))
        if not low <= high:  # all runs diverged
            low, high = 0.0, 1.0
        if low == high:
            low, high = low - 0.5, high + 0.5
    else:
        low, high = (float(v) for v in finite_array("bounds", bounds, shape=(2,), dtype=np.float64))
        if not low < high:
            raise ValueError(f"bounds must increase, got {bounds!r}")
    counts, outside = np.zeros((rows, bins), dtype=np.int64), np.zeros(rows, dtype=np.int64)
    for members, points in tails:
        count(points, members // number, low, bins / (high - low), counts, outside)
    total = np.maximum(counts.sum(axis=1) + outside, 1)
    edges = np.linspace(low, high, bins + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    data = {
        "density": (("bin",), counts / total[:, None], f"share of the points of {label} in each bin"),
        "outside": ((), outside / total, f"share of the points of {label} in no bin"),
    }
    return data, {"bin": ("bin", centres, {"long_name": label})}


def _reader(system: Any, quantity: Any) -> tuple[Callable[..., np.ndarray], str]:
    """Return how a quantity is read off states [step, run, dim], and its name."""
    names, observables = state_names(system), tuple(getattr(system, "observables", ()))
    if quantity is None:
        quantity = names[0]
    if callable(quantity):

        def of_function(x: np.ndarray, values: dict[str, np.ndarray]) -> np.ndarray:
            found = np.asarray(quantity(x, **values), dtype=float)
            if found.shape != x.shape[:-1]:
                raise ValueError(f"quantity(x) must return shape {x.shape[:-1]}, got {found.shape}")
            return found

        return of_function, getattr(quantity, "__name__", "quantity")
    if quantity in names:
        column = names.index(quantity)
        return (lambda x, values: np.ascontiguousarray(x[..., column])), quantity
    if quantity in observables:
        return (lambda x, values: system.observe(x, **values)[quantity]), quantity
    raise unknown("quantity", quantity, (*names, *observables))
