"""The maximum of q over the sphere of a norm where q is negative on all of it."""

from __future__ import annotations

import numpy as np

from ..norms.base import Norm

_STEPS = 100
#: Rows that go on from the starts.
_KEPT = 8


def below_zero(H: np.ndarray, norm: Norm, point: np.ndarray) -> np.ndarray:
    """Return a direction d of norm 1 with q(d) near its maximum, for H <= 0.

    With A = -H positive definite the maximum is -1 / max {uᵀ A⁻¹ u : ‖u‖* <= 1}, at d along A⁻¹ u. The unit steps of
    that maximum are d <- A⁻¹ u with u the gradient of the norm at d. They start at the best of the axes, the
    eigenvectors and the columns of A⁻¹. Where H is singular q = 0 is the maximum, at an eigenvector.

    Args:
        H: Symmetric matrix, shape (dim, dim).
        norm: The norm.
        point: The best direction known, shape (dim,).
    """
    lam, V = np.linalg.eigh(-H)
    starts = [point[None], np.eye(len(H)), V.T]
    definite = lam[0] > 1e-14 * lam[-1]
    inverse = (V / lam) @ V.T if definite else np.zeros_like(H)
    points, values = _on_sphere(H, norm, np.concatenate([*starts, inverse] if definite else starts))
    kept = np.argsort(-values, kind="stable")[:_KEPT]
    points, values = points[kept], values[kept]
    for _ in range(_STEPS * definite):
        moved, reached = _on_sphere(H, norm, _gradients(norm, points) @ inverse)
        up = reached > values + 1e-12 * np.abs(values)
        points[up], values[up] = moved[up], reached[up]
        if not up.any():
            break
    return points[np.argmax(values)]


def _on_sphere(H: np.ndarray, norm: Norm, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows = rows / norm.norm(rows)[:, None]
    return rows, (rows @ H * rows).sum(axis=1)


def _gradients(norm: Norm, points: np.ndarray) -> np.ndarray:
    """Return gradients of the norm at rows by central differences; at a kink the mean of both sides."""
    h = 1e-6
    steps = h * np.eye(points.shape[1])
    return np.stack([norm.norm(d + steps) - norm.norm(d - steps) for d in points]) / (2 * h)
