"""The NumPy steps of steepest descent, sums in order: equal to the compiled ones bit for bit.

Functions take centred iterates x, [coordinate, run], and return the next ones; `gradient` maps x to H x.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .steepest_step import REFRESH

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
    count = block.max() + 1
    squares = np.stack([_in_order(g[block == b] * g[block == b]) for b in range(count)])
    long = np.sqrt(squares)
    if best:
        chosen = np.zeros(x.shape[1], int)
        for b in range(1, count):
            chosen = np.where(squares[b] > squares[chosen, np.arange(x.shape[1])], b, chosen)
        own = eta / long if normalized else np.broadcast_to(eta, long.shape)
        own = np.where((squares != 0) | (not normalized), own, x.dtype.type(0))
        factors = np.where(chosen == np.arange(count)[:, None], own, x.dtype.type(0))
    elif count == 1 and not normalized:
        factors = eta[None]
    else:
        length = eta if normalized else eta * _in_order(long)
        factors = np.where(squares != 0, length / long, x.dtype.type(0))
    return x - factors[block] * g


def greedy(
    x: np.ndarray,
    g: np.ndarray,
    time: int,
    gradient: Gradient,
    curvature: np.ndarray,
    eta: np.ndarray,
    *,
    normalized: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The coordinate with the largest gradient moves; `g`, [coordinate, run], is kept up to date by columns of H.

    A run stops where it stops being finite.
    """
    dim, runs = x.shape
    finite = np.isfinite(x).all(axis=0)
    diagonal = curvature.ndim == 1
    if time % (REFRESH * dim) == 0:
        g = gradient(x)
    i, run = np.abs(g).argmax(axis=0), np.arange(runs)
    slope = g[i, run]
    step = np.where(slope > 0, eta, np.where(slope < 0, -eta, slope)) if normalized else eta * slope
    x, g = x.copy(), g.copy()
    x[i, run] -= np.where(finite, step, x.dtype.type(0))
    if diagonal:
        g[i, run] = curvature[i] * x[i, run]
    else:
        g -= step * curvature[i].T
    return x, g


def _in_order(terms: np.ndarray) -> np.ndarray:
    """Return the sum over the first axis, from the first to the last."""
    total = np.zeros(terms.shape[1:], terms.dtype)
    for term in terms:
        total += term
    return total
