"""The NumPy steps of steepest descent, sums in order: equal to the compiled ones bit for bit.

Functions take centred iterates x, [coordinate, run], and return the next ones; `gradient` maps x to H x.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .steepest_step import FADED, REFRESH, limits

Gradient = Callable[[np.ndarray], np.ndarray]


def signs(x: np.ndarray, gradient: Gradient, eta: np.ndarray, *, normalized: bool) -> np.ndarray:
    """Every coordinate moves by the same length, against its gradient."""
    g = gradient(x)
    length = eta if normalized else eta * _in_order(np.abs(g))
    return x - np.where(g > 0, length, np.where(g < 0, -length, x.dtype.type(0)))


def blocks(
    x: np.ndarray, gradient: Gradient, eta: np.ndarray, *, block: np.ndarray, best: bool, normalized: bool
) -> np.ndarray:
    """The longest block of the gradient moves, or each by a length of its own."""
    g = gradient(x)
    count, zero, one = block.max() + 1, x.dtype.type(0), x.dtype.type(1)
    if count == 1 and not normalized:
        return x - eta * g
    low, up = limits(x.dtype)
    squares = _squares(g, block, count)
    scale = np.where(squares < low, up, np.where(np.isposinf(squares), one / up, one))
    squares = _squares(scale[block] * g, block, count)
    long = np.sqrt(squares)
    if best:
        run, chosen = np.arange(x.shape[1]), np.zeros(x.shape[1], int)
        for b in range(1, count):
            own, other = scale[b], scale[chosen, run]
            longer = (own < other) | ((own == other) & (squares[b] > squares[chosen, run]))
            chosen = np.where(longer, b, chosen)
        factors = np.where(squares != 0, eta / long, zero) if normalized else np.broadcast_to(eta, long.shape)
        factors = np.where(chosen == np.arange(count)[:, None], factors, zero)
        scale = scale if normalized else np.ones_like(scale)
    else:
        length = eta if normalized else eta * _in_order(long / scale)
        factors = np.where(squares != 0, length / long, zero)
    return x - factors[block] * (scale[block] * g)


def greedy(
    x: np.ndarray,
    g: np.ndarray,
    floor: np.ndarray,
    time: int,
    gradient: Gradient,
    curvature: np.ndarray,
    eta: np.ndarray,
    *,
    normalized: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The coordinate with the largest gradient moves; `g`, [coordinate, run], is kept up to date by columns of H.

    It is made afresh now and then, and where it fell below `floor`, a part of the largest one since then. A run stops
    where it stops being finite.
    """
    dim, runs = x.shape
    finite = np.isfinite(x).all(axis=0)
    diagonal = curvature.ndim == 1
    if time % (REFRESH * dim) == 0:
        g, floor = gradient(x), np.zeros_like(floor)
    if not diagonal:
        stale = np.abs(g).max(axis=0) < floor
        if stale.any():
            g = np.where(stale, _in_order(x[:, None] * curvature[:, :, None]), g)
        floor = np.maximum(np.where(stale, x.dtype.type(0), floor), x.dtype.type(FADED) * np.abs(g).max(axis=0))
    i, run = np.abs(g).argmax(axis=0), np.arange(runs)
    slope = g[i, run]
    step = np.where(slope > 0, eta, np.where(slope < 0, -eta, slope)) if normalized else eta * slope
    x, g = x.copy(), g.copy()
    x[i, run] -= np.where(finite, step, x.dtype.type(0))
    if diagonal:
        g[i, run] = curvature[i] * x[i, run]
    else:
        g -= step * curvature[i].T
    return x, g, floor


def _squares(g: np.ndarray, block: np.ndarray, count: int) -> np.ndarray:
    """Return the squared lengths of blocks of a gradient, [block, run]."""
    return np.stack([_in_order(g[block == b] * g[block == b]) for b in range(count)])


def _in_order(terms: np.ndarray) -> np.ndarray:
    """Return the sum over the first axis, from the first to the last."""
    total = np.zeros(terms.shape[1:], terms.dtype)
    for term in terms:
        total += term
    return total
