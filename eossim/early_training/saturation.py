"""Where the saturated sharpness begins to fall: the knee of sharpness at equal physical time against c.

Below c = 2 a wide network keeps the sharpness of its start; above, the catapult lowers it. Where there is no plateau to
begin with, as in narrow and deep networks, there is no knee either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, real_array
from .constants import growing

#: First c of the grid and its step; points and order of the local polynomial, in its steps.
FIRST, STEP = 0.25, 0.05
_WINDOW, _ORDER = 7, 3
#: Physical time c τ at which the sharpness is read.
TIME = 200.0
#: Where the knee is looked for, and what the grid has to cover.
_SEARCH = (0.6, 3.4)
_COVER = (0.5, 2.5)
#: Widest gap between two c there: coarser ones would interpolate a knee.
_GAP = 0.25
#: Least depth of a knee: a bend of slopes that differ by 0.05, half of what a plateau may have.
_DEPTH = 0.3
#: A plateau: greatest change of the ratio between c = 0.5 and 1, and its least value at 1.
_CHANGE, _LEVEL = 0.05, 0.7


@dataclass(frozen=True)
class SaturationKnee:
    """The knee of the saturated sharpness against c.

    Attributes:
        c_crit: Where the ratio bends down most; None if there is no knee.
        depth: |R''| there, per unit of c squared.
        reason: Why there is no knee: "crossover" if the ratio has no plateau at small c, "no bend" if it bends too
            little, "at the end" if it bends most at an end of the search; else empty.
    """

    c_crit: float | None
    depth: float | None
    reason: str


def saturation_grid(c_max: float = 4.0) -> np.ndarray:
    """Return the uniform grid of c, step 0.05 from 0.25 to `c_max`."""
    top = float(in_interval("c_max", c_max, _COVER[1]))
    return FIRST + STEP * np.arange(int((top - FIRST) / STEP + 1e-9) + 1)


def ends_at(c: np.ndarray, time: float) -> np.ndarray:
    """Return the steps τ = round(time/c), at least 1, after which runs have come to one physical time, shape (c,)."""
    return np.rint(float(in_interval("time", time, c[-1])) / c).astype(int)


def saturation_knee(c: ArrayLike, ratio: ArrayLike) -> SaturationKnee:
    """Return the c at which the saturated sharpness bends down most, if it has a plateau before.

    The second derivative R'' is that of a local cubic over seven points of a uniform grid (Savitzky-Golay); a grid of
    another kind, such as powers of 2, is interpolated onto one first. c_crit is the minimiser of R'' over
    0.6 < c < 3.4. It is refused where R changes by more than 0.05 between c = 0.5 and 1 or is below 0.7 at 1, where
    R'' > -0.3 throughout (a corner has R'' = 5.7 times the change of slope), and at the ends of the search.
    Source: definition derived; measured at c τ = const. after arXiv:2302.12250.

    Args:
        c: Grid, shape (c,), increasing, from at most 0.5 to at least 2.5.
        ratio: R(c) = mean over seeds of sharpness after about K/c steps over that at the start, shape (c,). From the
            first value on that is not finite (a run diverged) the grid counts as ended.

    Raises:
        ValueError: If the grid does not increase, its finite part does not cover 0.5 to 2.5 or has gaps above 0.25
            there, or shapes differ.
    """
    from scipy.interpolate import PchipInterpolator
    from scipy.signal import savgol_filter

    grid, R = growing(c), real_array("ratio", ratio, dtype=np.float64)
    if R.shape != grid.shape:
        raise ValueError(f"ratio must have one value per c, shape {grid.shape}, got {R.shape}")
    end = int(np.argmin(np.append(np.isfinite(R), False)))
    grid, R = grid[:end], R[:end]
    low, high = _COVER
    if not end or grid[0] > low + 1e-9 or grid[-1] < high - 1e-9:
        covered = f"{grid[0]:g} to {grid[-1]:g}" if end else "none"
        raise ValueError(f"c with a finite ratio must cover {low:g} to {high:g}, got {covered}")
    at_half, at_one = np.interp([0.5, 1.0], grid, R)
    if abs(at_half - at_one) > _CHANGE or at_one < _LEVEL:
        return SaturationKnee(None, None, "crossover")
    gap = np.diff(grid)[(grid[1:] > low) & (grid[:-1] < high)].max()
    if gap > _GAP:
        raise ValueError(f"c between {low:g} and {high:g} must have gaps of at most {_GAP}, got {gap:g}")
    if not np.allclose(np.diff(grid), STEP, rtol=1e-6, atol=0):
        uniform = STEP * np.arange(np.ceil(grid[0] / STEP - 1e-9), np.floor(grid[-1] / STEP + 1e-9) + 1)
        uniform = np.clip(uniform, grid[0], grid[-1])
        grid, R = uniform, PchipInterpolator(grid, R)(uniform)
    bend = savgol_filter(R, _WINDOW, _ORDER, deriv=2, delta=STEP)
    inside = np.flatnonzero((grid > _SEARCH[0] + 1e-9) & (grid < _SEARCH[1] - 1e-9))
    knee = int(inside[bend[inside].argmin()])
    if bend[knee] > -_DEPTH:
        return SaturationKnee(None, None, "no bend")
    if knee in (inside[0], inside[-1]):
        return SaturationKnee(None, None, "at the end")
    return SaturationKnee(float(grid[knee]), float(abs(bend[knee])), "")
