"""The largest and the smallest mean curvature over the beginnings of a step."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre

from .segment import Check, Segment, gauss

#: Numbers of panels tried in turn until two agree.
_PANELS = (2, 4, 8, 16, 32, 64, 128)
#: Gauss-Legendre nodes on a panel, and the grid on it, from -1 to 1.
_NODES, _GRID = 8, np.linspace(-1, 1, 17)
_GOLDEN, _SHRINKS = (5**0.5 - 1) / 2, 40


def largest_average(segment: Segment, rtol: float, sign: int = 1) -> np.ndarray:
    """Return sup over 0 < t <= 1 of A_t = (1/t) ∫₀ᵗ κ, shape (rows,), to `rtol` relative to the size of κ.

    [0, 1] is cut into panels, on each of which κ is the polynomial through its values at Gauss nodes; A_t is then
    known everywhere without cancellation, and its maximum is found on a grid and refined by golden section. The limit
    t → 0 is κ(0). The number of panels doubles, up to 128, until two results agree, A_1 is the secant and the mean with
    weights 2(1 - s) is that of the losses; it is NaN where that does not come about.

    Args:
        segment: The segments.
        rtol: When two results agree.
        sign: 1, or -1 for the infimum.
    """
    out = np.full(len(segment.start), np.nan)
    left, before = np.arange(len(out)), np.full(len(out), np.nan)
    at_start, first = sign * segment.curvature(0.0)[0], segment.gradient(0.0)
    secant, losses = Check.secant(segment, first), Check.losses(segment, first)
    for panels in _PANELS:
        part = segment.rows(left)
        samples = sign * _samples(part, panels)
        supremum, mean = _supremum(samples)
        value, size = np.maximum(supremum, at_start[left]), np.abs(samples).max(axis=(0, 1))
        agreed = np.abs(value - before) <= (rtol + 100 * np.finfo(float).eps) * size
        agreed &= secant.explained(left, sign * mean, size)
        if losses is not None:
            agreed &= losses.explained(left, sign * _weighted(samples), size)
        going = np.isfinite(value) & ~agreed
        out[left] = np.where(going, np.nan, sign * value)
        left, before = left[going], value[going]
        if not left.size:
            break
    return out


def _samples(segment: Segment, panels: int) -> np.ndarray:
    """κ at the nodes of every panel, shape (nodes, panels, rows)."""
    return np.stack([[segment.curvature(float((p + s) / panels))[0] for p in range(panels)] for s in gauss(_NODES)[0]])


def _weighted(samples: np.ndarray) -> np.ndarray:
    """2∫(1 - s) κ(s) ds, shape (rows,)."""
    s, weights = gauss(_NODES)
    at = (np.arange(samples.shape[1]) + s[:, None]) / samples.shape[1]
    return np.tensordot(2 * (1 - at) * weights[:, None] / samples.shape[1], samples, 2)


def _supremum(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest A_t over 0 < t <= 1 of the piecewise polynomial κ, and A_1, both of shape (rows,)."""
    panels = samples.shape[1]
    s, weights = gauss(_NODES)
    to_series = (2 * np.arange(_NODES) + 1)[:, None] * legendre.legvander(2 * s - 1, _NODES - 1).T * weights
    integral = legendre.legint(np.tensordot(to_series, samples, 1), lbnd=-1) / (2 * panels)
    whole = legendre.legval(1.0, integral)
    before = np.cumsum(whole, axis=0) - whole
    # On the first panel A_t is a polynomial itself: dividing by small t is left to its values at the nodes.
    inside = legendre.legval(2 * s - 1, integral[:, 0], tensor=True).T / (s / panels)[:, None]
    first = np.tensordot(to_series, inside, 1)
    corner = np.arange(panels)[:, None]

    def average(z: np.ndarray) -> np.ndarray:
        """A_t at z in [-1, 1] of each panel, z and result of shape (..., panels, rows)."""
        t = (corner + (1 + z) / 2) / panels
        value = np.empty(z.shape)
        value[..., 1:, :] = (before + legendre.legval(z, integral, tensor=False))[..., 1:, :] / t[..., 1:, :]
        value[..., 0, :] = legendre.legval(z[..., 0, :], first, tensor=False)
        return value

    grid = average(np.broadcast_to(_GRID[:, None, None], (len(_GRID), *whole.shape)))
    best = grid.argmax(axis=0)
    low, high = _GRID[np.maximum(best - 1, 0)], _GRID[np.minimum(best + 1, len(_GRID) - 1)]
    for _ in range(_SHRINKS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        rising = average(left) < average(right)
        low, high = np.where(rising, left, low), np.where(rising, high, right)
    return np.maximum(grid.max(axis=0), average((low + high) / 2)).max(axis=0), whole.sum(axis=0)
