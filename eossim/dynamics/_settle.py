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
#: A real multiplier this little above 1 may be 1: at a bifurcation it is as uncertain as the square root of rounding.
_NEUTRAL = 1e-6
#: A multiplier on the unit circle that is this sensitive is a multiple one with too few eigenvectors: a shear.
_SHEAR = 1e3
#: Parts of the window in each of which a coordinate that fades is smaller than before.
_PARTS = 8


@dataclass(frozen=True)
class Options:
    """How long and how closely to look.

    Attributes:
        transient: Steps before the window.
        max_period: Largest period; the window is twice as long.
        tolerance: Largest displacement of a coordinate, relative to its magnitude in the window.
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
        scale: Magnitudes of the coordinates, against which distances are small, shape (runs, dim).
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
    point, scale = np.full(starts.shape, np.nan), np.ones(starts.shape)
    alive = np.flatnonzero(~diverged(before, bound))
    if not alive.size:
        return Settled(period, slow, point, scale)
    own = {n: v[alive] for n, v in values.items()}
    window = orbit(system, before[alive], 2 * max_period, at=np.arange(2 * max_period + 1), **own)
    kept = (~diverged(window, bound)).all(axis=0)
    alive, window, own = alive[kept], window[:, kept], {n: v[kept] for n, v in own.items()}
    size = scale[alive] = _magnitudes(system, window, starts[alive], own, tolerance)

    moved = np.empty((max_period, alive.size))
    displacements(np.ascontiguousarray((window / size).transpose(0, 2, 1)), moved)
    repeats = moved <= tolerance
    settled = repeats.any(axis=0)
    first = repeats.argmax(axis=0)
    period[alive] = np.where(settled, first + 1, APERIODIC)
    point[alive[settled]] = window[-1, settled]
    if not hasattr(system, "jacobian_at"):
        return Settled(period, slow, point, scale)

    columns = np.arange(alive.size)
    nearest = np.where(settled, first, moved.argmin(axis=0))
    extent = ((window.max(axis=0) - window.min(axis=0)) / size).max(axis=1)
    doubtful = moved[nearest, columns] > _ROUNDING
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


def _magnitudes(
    system: System, window: np.ndarray, starts: np.ndarray, values: Mapping[str, np.ndarray], tolerance: float
) -> np.ndarray:
    """Return against what displacements of each coordinate are small, shape (runs, dim).

    That is its largest magnitude in the window, or that of the terms it is the sum of, whose rounding remains where
    they cancel. A coordinate that falls towards zero never repeats: small against its start and still falling through
    the window, it is measured by the start.
    """
    magnitudes, begin = np.abs(window), np.abs(starts)
    largest = magnitudes.max(axis=0)
    parts = np.stack([part.max(axis=0) for part in np.array_split(magnitudes, min(_PARTS, len(window)))])
    fades = ((parts[1:] < parts[:-1]) | (parts[1:] == 0)).all(axis=0) & (10 * parts[-1] <= 9 * parts[0])
    if hasattr(system, "jacobian_at"):
        with np.errstate(all="ignore"):
            jacobian = np.abs(system.jacobian_at(window[-1], **values))
            terms, first = (np.einsum("rij,rj->ri", jacobian, x) for x in (largest, begin))
        terms, first = (np.where(np.isfinite(t), t, 0.0) for t in (terms, first))
    else:
        first = begin.max(axis=1, keepdims=True)
        terms = _ROUNDING / tolerance * largest.max(axis=1, keepdims=True)
    begin = np.maximum(begin, first)
    size = np.maximum(np.where(fades & (largest <= np.sqrt(tolerance) * begin), begin, largest), terms)
    return np.where(size > 0, size, 1.0)


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
        spread = UNCERTAIN * cycles.noise / size
        periods, image = np.full(len(here), p), limits
        for q in range(1, p):
            image = system.step(image, **values)
            if p % q == 0:
                same = (np.abs(image - limits) / size <= np.maximum(spread, _ROUNDING)).all(axis=1)
                periods = np.where((periods == p) & same, q, periods)
        # Deviations every p steps, counted back from the last state.
        deviations = (window[::-1][:: int(p)] - limits) / size
        distance = np.linalg.norm(deviations, axis=2)
        _, jacobian = through(system, limits, p, values)
        jacobian = jacobian * size[:, None, :] / size[:, :, None]
        predicted = np.einsum("rij,rj->ri", jacobian, deviations[1])
        spread = np.linalg.norm(spread, axis=1)
        linear = np.linalg.norm(deviations[0] - predicted, axis=1) <= _LINEAR * distance[1] + spread
        falls = _fall(distance) > 0
    found = cycles.found & falls & linear
    found[found] = _attracts(jacobian[found], deviations[:, found], spread[found], p)
    return found, limits, periods


def _fall(distance: np.ndarray) -> np.ndarray:
    """Return by how much the largest of the latest half is below that of the others, the latest first."""
    half = max(len(distance) // 2, 1)
    return distance[half:].max(axis=0) - distance[:half].max(axis=0)


def _attracts(jacobian: np.ndarray, deviations: np.ndarray, spread: np.ndarray, p: int) -> np.ndarray:
    """Return whether cycles attract, by their multipliers and by what the deviations do along each eigenvector.

    A pair of complex multipliers must be inside the unit circle beyond rounding, and the deviation along it fall: about
    a circle that has just been born, or in a map that preserves area, only the distance from the cycle tells. A real
    multiplier may be 1 up to the uncertainty at a bifurcation, if the deviation along it falls or, on a line of cycles,
    stays.

    Args:
        jacobian: Derivative of the p-step map in units of the magnitudes, shape (runs, dim, dim).
        deviations: In the same units, the latest first, shape (times, runs, dim).
        spread: Uncertainty of the limits, shape (runs,).
        p: Steps between deviations.
    """
    multipliers, vectors = np.linalg.eig(jacobian)
    basis = np.linalg.cond(vectors) < 1 / _ROUNDING
    inverse = np.linalg.inv(np.where(basis[:, None, None], vectors, np.eye(jacobian.shape[1])))
    sensitivity = np.where(basis[:, None], np.linalg.norm(inverse, axis=2), np.inf)
    rounding = np.finfo(np.float64).eps * sensitivity
    noise = 16 * p * rounding * np.linalg.norm(jacobian, axis=(1, 2))[:, None]
    modulus = np.abs(multipliers)

    along = np.abs(np.einsum("rij,trj->tri", inverse, deviations))
    fall = _fall(along)
    falls = fall > 64 * rounding
    falls |= along[0] <= 64 * rounding + (sensitivity * spread[:, None])  # nothing is left that could
    total = _fall(np.linalg.norm(deviations, axis=2))[:, None]
    stays = (np.abs(multipliers - 1) <= _NEUTRAL) & (np.abs(fall) <= _LINEAR * total)
    inside = (modulus < 1 - noise) & falls
    critical = (np.abs(multipliers.imag) <= noise) & (modulus <= 1 + _NEUTRAL) & (sensitivity < _SHEAR)
    without_basis = modulus < 1 - np.sqrt(_NEUTRAL)  # as uncertain as a root of rounding
    return np.where(basis[:, None], inside | (critical & (falls | stays)), without_basis).all(axis=1)
