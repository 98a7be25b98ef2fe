"""Critical constants beyond the grid: bisection between its neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval
from .classify import first_steps, what_rises
from .constants import CriticalConstants, growing

#: Width in log2 c at which bisection ends: 0.07 %.
TOLERANCE = 2.0**-10


def refine(
    run: Callable[[np.ndarray], tuple[ArrayLike, ArrayLike]],
    c: ArrayLike,
    constants: CriticalConstants,
    *,
    steps: int = 10,
    bound: float = 1e5,
    sharpness_rise: float = 0.0,
    loss_rise: float = 0.0,
    tolerance: float = TOLERANCE,
) -> CriticalConstants:
    """Return the constants of one sweep with c_loss, c_sharp and c_max bisected in log2 c between neighbours of a grid.

    c_loss and c_sharp become the smallest c that is known to rise (or to diverge), c_max the largest that is known not
    to diverge, each within `tolerance` of one that does not, or does. A constant that the grid did not reach may lie
    between its last c that does not diverge and the next: it is looked for there, and stays NaN if it cannot be told
    from c_max. The barrier is not bisected, the set of c with a barrier having gaps; where there is none, c_barrier
    follows c_max. A constant at the first c of the grid is left as it is.

    Args:
        run: Called as ``run(c)`` with c of shape (k,), k <= 3, one for each constant that is not settled yet; returns
            losses and sharpness at steps 0, 1, 2, ..., each of shape (k, t).
        c: Grid of the sweep, shape (c,).
        constants: Those of `critical_constants` on this grid, of one sweep.
        steps: As there.
        bound: As there.
        sharpness_rise: As there.
        loss_rise: As there.
        tolerance: Width of the last bracket in log2 c.

    Raises:
        ValueError: If an argument is out of range.
    """
    low, high = brackets(growing(c), constants)
    wanted = np.arange(3)

    def crosses(which: np.ndarray, trial: np.ndarray) -> np.ndarray:
        each, same = np.unique(trial, return_inverse=True)
        L, S = (series[same] for series in first_steps(*run(each), steps))
        diverged, up_L, up_S = what_rises(L, S, bound=bound, loss_rise=loss_rise, sharpness_rise=sharpness_rise)
        flags = np.stack([up_L | diverged, up_S | diverged, diverged])
        return flags[wanted[which], np.arange(trial.size)]

    low, high = bisect(crosses, low, high, tolerance)
    return refined(constants, low, high)


def brackets(c: np.ndarray, constants: CriticalConstants) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbours in the grid between which c_loss, c_sharp and c_max lie, each of shape (3, ...).

    The two are equal or NaN where there is nothing to bisect.
    """
    last = np.searchsorted(c, constants.c_max)  # NaN comes last
    none = last == c.size
    end = np.stack([c[np.minimum(last, c.size - 1)], c[np.minimum(last + 1, c.size - 1)]])
    end = np.where(none, np.nan, end)
    found = np.stack([constants.c_loss, constants.c_sharp])
    at = np.minimum(np.searchsorted(c, found), c.size - 1)
    low = np.where(np.isnan(found), end[0], c[np.maximum(at - 1, 0)])
    high = np.where(np.isnan(found), end[1], c[at])
    return np.concatenate([low, end[:1]]), np.concatenate([high, end[1:]])


def bisect(
    crosses: Callable[[np.ndarray, np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return brackets of one shape narrowed to `tolerance` in log2; those that are NaN stay so.

    Args:
        crosses: Called as ``crosses(which, c)`` with positions in the flattened brackets and a c in each; returns
            whether that is at or beyond the constant sought. All open brackets are asked for at once.
        low: Lower ends, where nothing crosses.
        high: Upper ends.
        tolerance: Width in log2.
    """
    in_interval("tolerance", tolerance, 0.0, open_low=True)
    below, above = np.log2(low).ravel(), np.log2(high).ravel()
    with np.errstate(invalid="ignore"):
        while (open_ := np.flatnonzero(above - below > tolerance)).size:
            middle = 0.5 * (below[open_] + above[open_])
            over = crosses(open_, 2.0**middle)
            above[open_[over]] = middle[over]
            below[open_[~over]] = middle[~over]
    return (2.0**below).reshape(low.shape), (2.0**above).reshape(high.shape)


def refined(constants: CriticalConstants, low: np.ndarray, high: np.ndarray) -> CriticalConstants:
    """Return the constants with c_loss and c_sharp at the upper ends of their brackets and c_max at its lower one."""
    grid = np.stack([constants.c_loss, constants.c_sharp])
    # Bisected along with c_max from the same bracket to the same end: nothing rose that did not diverge.
    c_loss, c_sharp = np.where(np.isnan(grid) & (high[:2] == high[2]), np.nan, high[:2])
    c_barrier = np.where(constants.no_barrier, low[2], constants.c_barrier)
    return replace(constants, c_loss=c_loss, c_sharp=c_sharp, c_barrier=c_barrier, c_max=low[2])
