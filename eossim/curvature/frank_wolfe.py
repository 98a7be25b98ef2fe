"""The Frank–Wolfe estimate of generalised sharpness, as published."""

from __future__ import annotations

import numpy as np

from ..norms.base import Norm
from .operator import Operator


def frank_wolfe(operator: Operator, norm: Norm, start: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (q(d), d): where Frank–Wolfe with the steps 2/(2 + k) on the unit ball arrives, put back on the sphere.

    It is the estimator of arXiv:2603.05002, whose number is the largest of five Gaussian starts after 50 iterations.
    The steps leave a mixture of order 1/iterations of early vertices, so the number is low, also in the ℓ2 norm.

    Args:
        operator: H.
        norm: The norm.
        start: One start, shape (dim,), or rows of them, shape (count, dim); of any length but zero.
        iterations: Number of steps, one product with H each; q at the end takes one more.

    Returns:
        Values of q, shape () or (count,), and directions of norm 1, of the shape of `start`. NaN where the mixture is
        zero.
    """
    d = ball_point(operator, norm, start, iterations)
    with np.errstate(invalid="ignore", divide="ignore"):
        d = d / norm.norm(d)[..., None]
        return (d * operator(d)).sum(axis=-1), d


def ball_point(operator: Operator, norm: Norm, start: np.ndarray, iterations: int) -> np.ndarray:
    """Return the mixture of vertices that Frank–Wolfe holds after its last step, inside the unit ball."""
    d = start / norm.norm(start)[..., None]
    for k in range(iterations):
        c = 2 / (2 + k)
        d = (1 - c) * d + c * vertices(norm, operator(d), d)
    return d


def vertices(norm: Norm, images: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return LMO(Hd) for rows Hd; d itself where Hd = 0, as every direction is a maximiser there."""
    return np.where((images != 0).any(axis=-1, keepdims=True), norm.lmo(images), points)
