"""Solutions of Newton's method from many starts: which are one, and how far their multipliers can be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..engine.iterate import System
from ._newton import UNCERTAIN, Cycles, newton, residual, through
from .cycle import Cycle

#: Points closer than this fraction of their magnitude are one.
_SAME = 1e-7
#: Times that Newton's method is continued from the middle of a cluster, against the magnitudes there.
_POLISHED = 3
#: Points of a cluster whose multipliers are compared.
_COMPARED = 32


def clusters(
    system: System, period: int, found: Cycles, scale: np.ndarray, values: Mapping[str, float], most: int
) -> list[Cycle]:
    """Return at most `most` distinct cycles of exactly this period, ordered by the first point.

    Where roots merge, rounding hides the residual over a wide range, and Newton's method stops all over it: points
    within their uncertainty of each other are one. One that its image is within is a fixed point.

    Args:
        system: With ``jacobian_at``.
        period: 1 or 2.
        found: Where Newton's method ended.
        scale: Magnitudes against which residuals were small, shape (points, dim).
        values: Parameters.
        most: Beyond as many, the rest is dropped.
    """
    points, noise = found.points, found.noise
    cycles: list[Cycle] = []
    reached: list[tuple[np.ndarray, np.ndarray]] = []  # orbits and how far from them points are the same cycle
    left = np.lexsort(points.T[::-1])
    while left.size and len(cycles) < most:
        members = _linked(system, period, points[left], noise[left], scale[left], values)
        group, left = left[members], left[~members]
        orbit, spread = _middle(system, period, points[group], noise[group], values)
        if any((np.abs(o - orbit[0]) <= s + spread).all(axis=1).any() for o, s in reached):
            continue
        reached.append((orbit, spread))
        if period == 2 and (np.abs(orbit[1] - orbit[0]) <= 2 * spread).all():
            continue
        cycles.append(_judged(system, period, orbit, points[group], noise[group], values))
    return cycles


def _linked(
    system: System,
    period: int,
    points: np.ndarray,
    noise: np.ndarray,
    scale: np.ndarray,
    values: Mapping[str, float],
) -> np.ndarray:
    """Return which points are connected to the first, shape (points,).

    Two are linked that are within the uncertainty of one of them, if rounding hides the residual between them too.
    """
    reach = _radius(points, noise)
    members = np.zeros(len(points), bool)
    members[0] = True
    border = [0]
    while border:
        here = border.pop()
        apart = np.abs(points - points[here])
        close = np.flatnonzero((apart <= np.maximum(reach, reach[here])).all(axis=1) & ~members)
        far = (apart[close] > _SAME * np.abs(points[here])).any(axis=1)
        if far.any():
            many = {n: np.full(int(far.sum()), v) for n, v in values.items()}
            between = points[close[far]] / 2 + points[here] / 2
            left, level, *_ = residual(system, between, period, many, scale[close[far]])
            far[far] = (np.abs(left) > level).any(axis=1)
            close = close[~far]
        members[close] = True
        border += close.tolist()
    return members


def _radius(points: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return np.maximum(UNCERTAIN * noise, _SAME * np.abs(points))


def _middle(
    system: System, period: int, points: np.ndarray, noise: np.ndarray, values: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the orbit through the middle of a cluster, shape (period, dim), and the extent of the cluster, (dim,)."""
    low, high = points.min(axis=0), points.max(axis=0)
    spread = np.maximum(high - low, _radius(points, noise).min(axis=0))
    one = {n: np.full(1, v) for n, v in values.items()}
    middle = points.mean(axis=0)[None]
    for _ in range(_POLISHED):
        scale = np.where(middle == 0, 1.0, np.abs(middle))
        better = newton(system, middle, period, one, scale)
        near = np.isfinite(better.points).all() and (np.abs(better.points - points.mean(axis=0)) <= 2 * spread).all()
        if not (near and better.found.all()):
            break
        middle = better.points
    orbit = [middle[0]]
    with np.errstate(all="ignore"):
        for _ in range(period - 1):
            orbit.append(system.step(orbit[-1], **values))
    return np.stack(orbit), spread


def _judged(
    system: System,
    period: int,
    orbit: np.ndarray,
    points: np.ndarray,
    noise: np.ndarray,
    values: Mapping[str, float],
) -> Cycle:
    """Return the cycle with its multipliers, and how far they differ elsewhere in the cluster."""
    reach = np.diag(UNCERTAIN * np.median(noise, axis=0))
    around = np.concatenate([orbit[:1], orbit[0] + reach, orbit[0] - reach, points[:_COMPARED]])
    _, jacobian = through(system, around, period, {n: np.full(len(around), v) for n, v in values.items()})
    finite = np.isfinite(jacobian).all(axis=(1, 2))
    finite[0] = True
    multipliers = np.linalg.eigvals(jacobian[finite]).astype(complex)
    moduli = -np.sort(-np.abs(multipliers), axis=1)
    order = np.argsort(-np.abs(multipliers[0]), kind="stable")
    return Cycle(orbit, multipliers[0][order], float(np.abs(moduli - moduli[0]).max()))
