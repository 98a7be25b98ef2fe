"""Where a behaviour changes: bisection over a parameter, for many runs at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, finite_array, in_interval, positive_int, unknown
from ..engine.iterate import System, lyapunov_exponents, orbit
from ._batch import BOUND, Batch, batch, diverged, require_jacobian

if TYPE_CHECKING:
    import xarray as xr

#: Points inside a bracket in each round after the first.
_SECTIONS = 7
#: Runs that are stepped at a time.
_AT_ONCE = 1 << 20


def edge_bisection(
    system: System | Callable[..., Any],
    parameter: str,
    low: float,
    high: float,
    *,
    starts: ArrayLike | None = None,
    behaviour: str = "diverges",
    steps: int = 2000,
    rate: float | None = None,
    scan: int = 31,
    tolerance: float = 1e-9,
    bound: float = BOUND,
    **fixed: ArrayLike,
) -> xr.Dataset:
    """Return the smallest parameter value at which the behaviour is no longer that at `low`.

    The bracket is scanned first, so that of several changes the first is found unless two of them lie between
    neighbouring points of the scan; then it is cut into eight parts at a time. All runs and points are one batch.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`; or a predicate ``behaves(**parameters)`` that takes arrays of
            shape (n,) and returns booleans of shape (n,).
        parameter: Name of the parameter.
        low: Lower end of the bracket.
        high: Upper end.
        starts: Shape (dim,) or (starts, dim), of a system; each has its own edge.
        behaviour: Of a system. ``"diverges"``: beyond `bound` or not finite after `steps`; just above the edge of a
            linear loss of stability growth is slow, and the edge comes out high by about ln(bound)/steps in the growth
            rate. ``"expands"``: largest Lyapunov exponent above `rate`, or a run that is lost.
        steps: Steps of each run; for the exponent after a tenth as many.
        rate: Nats per step above which a run expands; by default ln(1/ε)/steps = 36/steps with ε of float64. An
            exponent of zero, which lines of minima and other neutral directions, circles and period doublings have, is
            computed as anything of order 1/steps, and as more where the run has not settled: a rate below the default
            may find noise there. The edge comes out where the exponent passes the rate, so late by rate over its slope;
            ``rate=0`` gives the edge itself of a linear loss of stability, where no other exponent is zero.
        scan: Points inside the bracket in the first round.
        tolerance: Width of the bracket at the end, relative to its larger end.
        bound: Beyond it a run has diverged.
        **fixed: The other parameters, numbers or 1-D arrays; an array becomes an axis of the result.

    Returns:
        Dataset over the array parameters and ``start`` with ``edge`` (middle of the last bracket) and the bracket
        ``below``, ``above``; NaN where nothing changes. Whether exponents within `rate` of zero are positive is not
        told: they count as not expanding.

    Raises:
        TypeError: for a system without starts, or without derivative when the exponent is asked for.
        ValueError: for unknown parameters, ``low >= high``, a negative rate or one for divergence, or a bracket in
            which no run changes its behaviour.
    """
    ends = [float(finite_array(n, v, ndim=0, dtype=np.float64)) for n, v in (("low", low), ("high", high))]
    if not ends[0] < ends[1]:
        raise ValueError(f"low < high required, got low = {low!r} and high = {high!r}")
    scan, steps = positive_int("scan", scan), positive_int("steps", steps)
    tolerance = float(in_interval("tolerance", tolerance, 1e-15, 1, open_high=True))
    runs, behaves, label = _prepared(system, parameter, ends[0], starts, behaviour, steps, rate, bound, fixed)

    below, above = np.full(runs.runs, ends[0]), np.full(runs.runs, ends[1])
    everyone = np.arange(runs.runs)
    base = behaves(everyone, below)
    changed = behaves(everyone, above) != base
    inside, first = scan, True
    while True:
        grid = below[:, None] + (above - below)[:, None] * np.arange(1, inside + 1) / (inside + 1)
        members = np.repeat(everyone, inside)
        points = grid.ravel()
        parts = [slice(i, i + _AT_ONCE) for i in range(0, points.size, _AT_ONCE)]
        differs = np.concatenate([behaves(members[p], points[p]) for p in parts]).reshape(grid.shape) != base[:, None]
        if first:
            changed |= differs.any(axis=1)
            first, inside = False, _SECTIONS
            if not changed.any():
                raise ValueError(
                    f"{label} does not change between {parameter} = {ends[0]:g} and {ends[1]:g}: "
                    f"it is {'true' if base[0] else 'false'} throughout"
                )
        padded = np.concatenate([below[:, None], grid, above[:, None]], axis=1)
        at = np.where(differs.any(axis=1), differs.argmax(axis=1) + 1, grid.shape[1] + 1)
        narrower = padded[everyone, at] - padded[everyone, at - 1] < above - below
        below, above = padded[everyone, at - 1], padded[everyone, at]
        wide = above - below > tolerance * np.maximum(np.abs(below), np.abs(above))
        if not np.any(wide & narrower & changed):
            break
    below, above = np.where(changed, below, np.nan), np.where(changed, above, np.nan)
    return runs.dataset(
        {
            "edge": (below / 2 + above / 2, f"first change of {parameter}: {label}"),
            "below": (below, f"{parameter} before the change"),
            "above": (above, f"{parameter} after the change"),
        },
        **{"parameter": parameter, "low": ends[0], "high": ends[1], "behaviour": label, "steps": steps, "scan": scan},
    ).drop_vars(parameter)


#: Booleans of runs (by number) at values of the parameter, both of shape (n,).
_Behaves = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _prepared(
    system: Any,
    parameter: str,
    low: float,
    starts: ArrayLike | None,
    behaviour: str,
    steps: int,
    rate: float | None,
    bound: float,
    fixed: dict[str, ArrayLike],
) -> tuple[Batch, _Behaves, str]:
    """Return the runs, how they behave, and that in words."""
    if rate is not None and (behaviour != "expands" or not hasattr(system, "step")):
        raise ValueError(f'rate belongs to a system and behaviour="expands", got rate={rate!r}')
    if not hasattr(system, "step"):
        if not callable(system):
            raise TypeError(f"system must be a Map, a FunctionMap, a method_map or a predicate, got {system!r}")
        return _of_predicate(system, parameter, low, fixed)
    if parameter not in system.parameters:
        raise unknown(f"parameter of {getattr(system, 'name', system)!s}", parameter, system.parameters)
    if starts is None:
        raise TypeError("the runs of a system need starts")
    choice("behaviour", behaviour, ("diverges", "expands"))
    if behaviour == "expands":
        require_jacobian(system)
    least = (
        -np.log(np.finfo(np.float64).eps) / steps
        if rate is None
        else float(in_interval("rate", rate, 0, np.inf, open_high=True))
    )
    runs = batch(system, starts, {parameter: low, **fixed})
    whole = slice(0, runs.runs)
    every_start, every_value = runs.states(whole), runs.values(whole)

    def behaves(members: np.ndarray, at: np.ndarray) -> np.ndarray:
        values = {n: v[members] for n, v in every_value.items()} | {parameter: at}
        if behaviour == "diverges":
            return diverged(orbit(system, every_start[members], steps, **values)[0], bound)
        exponents = lyapunov_exponents(system, every_start[members], steps, burn_in=steps // 10, **values)[:, 0]
        return ~(exponents <= least)  # a lost run has no exponent, and certainly left

    return runs, behaves, "diverges" if behaviour == "diverges" else f"largest Lyapunov exponent is above {least:.3g}"


class _Named:
    """Parameters of a predicate, in the form of a system without states."""

    dim = 1

    def __init__(self, name: str, parameters: tuple[str, ...]) -> None:
        self.name, self.parameters = name, parameters

    def step(self, x: np.ndarray, **parameters: Any) -> np.ndarray:
        """Return x."""
        return x

    def __repr__(self) -> str:
        return f"predicate {self.name}"


def _of_predicate(
    predicate: Callable[..., Any], parameter: str, low: float, fixed: dict[str, ArrayLike]
) -> tuple[Batch, _Behaves, str]:
    name = getattr(predicate, "__name__", "predicate")
    runs = batch(_Named(name, (parameter, *fixed)), [0.0], {parameter: low, **fixed})
    every_value = runs.values(slice(0, runs.runs))

    def behaves(members: np.ndarray, at: np.ndarray) -> np.ndarray:
        found = np.asarray(predicate(**({n: v[members] for n, v in every_value.items()} | {parameter: at})))
        if found.shape != at.shape or found.dtype != bool:
            raise ValueError(f"{name} must return booleans of shape {at.shape}, got {found.dtype} of {found.shape}")
        return found

    return runs, behaves, name
