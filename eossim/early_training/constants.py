"""The critical constants of early training: where along growing c loss and sharpness begin to rise, and where runs end.

c = eta λ_max(0), the step size in units of the sharpness at the start, which a rescaling of the loss does not change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, real_array
from .classify import first_steps, what_rises


@dataclass(frozen=True, eq=False)
class CriticalConstants:
    """Critical constants of one sweep, or of an array of sweeps; NaN where one is not reached before divergence.

    Attributes:
        c_loss: Smallest c whose loss rises above that at the start.
        c_sharp: Smallest c whose sharpness rises above that at the start.
        c_barrier: Smallest c with a loss above that at the start on the segment between start and end; `c_max` if
            there is none, NaN if the segment was not looked at.
        c_max: Largest c before the first that diverges.
        no_barrier: Whether the segment was looked at and no c up to `c_max` has a barrier.
        reached_end: Whether the grid ended before any c diverged, so that `c_max` is unknown.
    """

    c_loss: np.ndarray
    c_sharp: np.ndarray
    c_barrier: np.ndarray
    c_max: np.ndarray
    no_barrier: np.ndarray
    reached_end: np.ndarray


def critical_constants(
    c: ArrayLike,
    loss: ArrayLike,
    sharpness: ArrayLike,
    *,
    barrier_loss: ArrayLike | None = None,
    steps: int = 10,
    bound: float = 1e5,
    sharpness_rise: float = 0.0,
    loss_rise: float = 0.0,
) -> CriticalConstants:
    """Return the critical constants read off trajectories at growing c.

    The sweep goes upward and ends at the first c that diverges (a loss above `bound` or not finite, at any step up to
    `steps`); trajectories beyond it are not looked at, and larger c may well look finite again. Constants are values of
    the grid: `c_loss` and `c_sharp` are too high by up to one step of it, `c_max` too low; `refine` corrects that.
    Source: arXiv:2302.12250.

    Args:
        c: Grid, shape (c,), positive and strictly increasing.
        loss: Of the whole training set at steps 0, 1, 2, ..., shape (..., c, t), t >= 2.
        sharpness: Largest eigenvalue of the Hessian, same shape, finite before the first divergence.
        barrier_loss: Losses on the segment from the parameters at the start to those after the last step, at points of
            one's choice, shape (..., c, points).
        steps: Steps of the early transient.
        bound: Largest loss of a run that has not diverged.
        sharpness_rise: Relative rise of the sharpness that counts.
        loss_rise: Relative rise of the loss that counts, on the segment as well.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If c is not positive and strictly increasing, shapes do not agree, or a sharpness before the first
            divergence is not finite.
    """
    grid = growing(c)
    L, S = first_steps(loss, sharpness, steps)
    if L.ndim < 2 or L.shape[-2] != grid.size:
        raise ValueError(f"loss must have one row per c, shape (..., {grid.size}, steps), got {L.shape}")
    with np.errstate(invalid="ignore"):
        lost = ~np.all(np.isfinite(L) & (bound >= L), axis=-1)
    beyond = np.logical_or.accumulate(lost, axis=-1)
    L, S = (np.where(beyond[..., None], np.inf, series) for series in (L, S))
    diverged, up_L, up_S = what_rises(L, S, bound=bound, loss_rise=loss_rise, sharpness_rise=sharpness_rise)
    barrier = None
    if barrier_loss is not None:
        on_segment = real_array("barrier_loss", barrier_loss)
        if on_segment.shape[:-1] != L.shape[:-1]:
            raise ValueError(f"barrier_loss must have shape {L.shape[:-1]} + (points,), got {on_segment.shape}")
        barrier = np.any(on_segment > L[..., :1] * (1 + loss_rise), axis=-1)
    return first_crossings(grid, up_L, up_S, diverged, barrier)


def first_crossings(
    c: np.ndarray,
    loss_rises: np.ndarray,
    sharpness_rises: np.ndarray,
    diverged: np.ndarray,
    barrier: np.ndarray | None = None,
) -> CriticalConstants:
    """Return the critical constants of what happens at each c of an increasing grid, flags of shape (..., c)."""
    before = ~np.logical_or.accumulate(diverged, axis=-1)
    last = before.sum(axis=-1) - 1
    reached_end = before[..., -1]
    c_max = np.where(reached_end | (last < 0), np.nan, c[last])
    c_barrier, no_barrier = np.full(c_max.shape, np.nan), np.zeros(c_max.shape, bool)
    if barrier is not None:
        c_barrier = _first(c, barrier & before)
        no_barrier = np.isnan(c_barrier)
        c_barrier = np.where(no_barrier, c_max, c_barrier)
    return CriticalConstants(
        c_loss=_first(c, loss_rises & before),
        c_sharp=_first(c, sharpness_rises & before),
        c_barrier=c_barrier,
        c_max=c_max,
        no_barrier=no_barrier,
        reached_end=reached_end,
    )


def _first(c: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Return the smallest c with a flag, shape (...); NaN without one."""
    return np.where(flags.any(axis=-1), c[flags.argmax(axis=-1)], np.nan)


def growing(c: ArrayLike) -> np.ndarray:
    """Return a grid of c as float64 if it is one: positive, finite and strictly increasing."""
    grid = in_interval("c", c, 0.0, np.inf, open_low=True, open_high=True).astype(np.float64)
    if grid.ndim != 1:
        raise ValueError(f"c must be a grid of shape (c,), got shape {grid.shape}")
    wrong = np.flatnonzero(np.diff(grid) <= 0)
    if wrong.size:
        i = int(wrong[0])
        raise ValueError(f"c must increase strictly, got c[{i}] = {grid[i]:g} and c[{i + 1}] = {grid[i + 1]:g}")
    return grid
