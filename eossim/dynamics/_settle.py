"""What runs settle to: a cycle, nothing periodic, or divergence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np

from .._check import in_interval, positive_int
from ..engine.iterate import System, orbit
from ._batch import diverged
from ._newton import UNCERTAIN, newton, through
from ._passes import displacements

DIVERGED, APERIODIC = -1, 0

#: A window that repeats to this many units of rounding is a cycle beyond doubt.
_ROUNDING = 64 * np.finfo(np.float64).eps
#: The limit is sought where p steps lead back to within this fraction of the extent of the window. A rotation by any
#: angle comes that close within 64 steps.
_NEARLY = 0.05
#: A run is near its limit where the linear map misses its next deviation by at most this fraction.
_LINEAR = 0.1
#: A multiplier this little above 1 may be 1: at a bifurcation its rounding errors are large.
_NEUTRAL = 1e-4


@dataclass(frozen=True)
class Options:
    """How long and how closely to look.

    Attributes:
        transient: Steps before the window.
        max_period: Largest period; the window is twice as long.
        tolerance: Largest displacement, relative to the largest magnitude of start and window.
        bound: Beyond it a run counts as diverged.
    """

    transient: int
    max_period: int
    tolerance: float
    bound: float

    @classmethod
    def checked(cls, transient: int, max_period: int, tolerance: float, bound: float) -> Options:
        """Return the options, or raise ValueError for one out of range."""
        return cls(
            positive_int("transient", transient, minimum=0),
            positive_int("max_period", max_period),
            float(in_interval("tolerance", tolerance, 0, 1, open_low=True, open_high=True)),
            float(in_interval("bound", bound, 0, np.inf, open_low=True)),
        )


@dataclass(frozen=True)
class Settled:
    """What runs settle to.

    Attributes:
        period: Smallest period, 0 if none is recognised, -1 where diverged, shape (runs,).
        slow: Whether the cycle is the limit of a run that is still on its way.
        point: A point of the cycle, NaN without one, shape (runs, dim).
        scale: Magnitude of the run, against which distances are small.
    """

    period: np.ndarray
    slow: np.ndarray
    point: np.ndarray
    scale: np.ndarray


def settle(
    system: System,
    starts: np.ndarray,
    values: Mapping[str, np.ndarray],
    options: Options,
) -> Settled:
    """Return what a block of runs settles to (see `period`).

    Args:
        system: What is iterated; without ``jacobian_at`` no slow convergence is recognised.
        starts: Shape (runs, dim).
        values: Parameters, each of shape (runs,).
        options: How long and how closely to look.
    """
    transient, max_period, tolerance, bound = astuple(options)
    runs = len(starts)
    before = orbit(system, starts, transient, at=[transient], **values)[0]
    period, slow = np.full(runs, DIVERGED), np.zeros(runs, bool)
    point, scale = np.full(starts.shape, np.nan), np.abs(starts).max(axis=1)
    alive = np.flatnonzero(~diverged(before, bound))
    if not alive.size:
        return Settled(period, slow, point, scale)
    own = {n: v[alive] for n, v in values.items()}
    window = orbit(system, before[alive], 2 * max_period, at=np.arange(2 * max_period + 1), **own)
    kept = (~diverged(window, bound)).all(axis=0)
    alive, window, own = alive[kept], window[:, kept], {n: v[kept] for n, v in own.items()}
    scale[alive] = np.maximum(scale[alive], np.abs(window).max(axis=(0, 2)))
    scale = np.where(scale > 0, scale, 1.0)

    size = scale[alive]
    moved = np.empty((max_period, alive.size))
    displacements(np.ascontiguousarray(window.transpose(0, 2, 1)), moved)
    repeats = moved <= tolerance * size
    settled = repeats.any(axis=0)
    first = repeats.argmax(axis=0)
    period[alive] = np.where(settled, first + 1, APERIODIC)
    point[alive[settled]] = window[-1, settled]
    if not hasattr(system, "jacobian_at"):
        return Settled(period, slow, point, scale)

    columns = np.arange(alive.size)
    nearest = np.where(settled, first, moved.argmin(axis=0))
    extent = (window.max(axis=0) - window.min(axis=0)).max(axis=1)
    doubtful = moved[nearest, columns] > _ROUNDING * size
    doubtful &= settled | (moved[nearest, columns] <= _NEARLY * extent)
    for p in np.unique(nearest[doubtful]) + 1:
        members = np.flatnonzero(doubtful & (nearest == p - 1))
        chosen = {n: v[members] for n, v in own.items()}
        found, limits, periods = _limits(system, window[:, members], int(p), chosen, size[members])
        hits = members[found]
        slow[alive[hits]] = ~settled[hits]
        period[alive[hits]] = periods[found]
        point[alive[hits]] = limits[found]
    return Settled(period, slow, point, scale)


def _limits(
    system: System, window: np.ndarray, p: int, values: Mapping[str, np.ndarray], size: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return whether runs approach a cycle of which p is a multiple, a point of it, and its smallest period.

    The cycle is Newton's from the last state. A run approaches it when the cycle attracts, the run follows the linear
    map about it, and its distance falls over the window.
    """
    here = window[-1]
    cycles = newton(system, here, p, values, size, near=True)
    limits = cycles.points
    with np.errstate(all="ignore"):
        spread = UNCERTAIN * cycles.noise
        periods, image = np.full(len(here), p), limits
        for q in range(1, p):
            image = system.step(image, **values)
            if p % q == 0:
                level = np.maximum(spread, _ROUNDING * size)
                periods = np.where((periods == p) & (np.abs(image - limits).max(axis=1) <= level), q, periods)
        # Deviations every p steps, counted back from the last state.
        deviations = window[::-1][:: int(p)] - limits
        distance = np.linalg.norm(deviations, axis=2)
        half = max(len(distance) // 2, 1)
        falls = distance[:half].max(axis=0) <= distance[half:].max(axis=0)
        _, jacobian = through(system, limits, p, values)
        predicted = np.einsum("rij,rj->ri", jacobian, deviations[1])
        linear = np.linalg.norm(deviations[0] - predicted, axis=1) <= _LINEAR * distance[1] + spread
        attracts = np.abs(cycles.multipliers).max(axis=1) <= 1 + _NEUTRAL
    return cycles.found & falls & linear & attracts, limits, periods
