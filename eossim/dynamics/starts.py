"""Starts for maps of the plane and beyond: at random, or on a grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, positive_int


def random_starts(low: ArrayLike, high: ArrayLike, number: int, *, seed: int = 0) -> np.ndarray:
    """Return points uniform in a box, shape (number, dim).

    Args:
        low: Lower corner, shape (dim,).
        high: Upper corner, same shape.
        number: Points.
        seed: Seed of `numpy.random.default_rng`.

    Raises:
        ValueError: for corners of different shapes, or ``low > high``.
    """
    lower = np.atleast_1d(finite_array("low", low, ndim=(0, 1), dtype=np.float64))
    upper = np.atleast_1d(finite_array("high", high, ndim=(0, 1), dtype=np.float64))
    if lower.shape != upper.shape or np.any(lower > upper):
        raise ValueError(f"low and high must be corners of a box, low <= high, got {low!r} and {high!r}")
    rng = np.random.default_rng(positive_int("seed", seed, minimum=0))
    return rng.uniform(lower, upper, (positive_int("number", number), lower.size))


def grid_starts(*axes: ArrayLike) -> np.ndarray:
    """Return all combinations of coordinates, shape (points, dim), the last axis fastest.

    Args:
        *axes: Values of each coordinate, 1-D.
    """
    if not axes:
        raise ValueError("a grid needs the values of at least one coordinate")
    values = [finite_array(f"axes[{i}]", axis, ndim=1, dtype=np.float64) for i, axis in enumerate(axes)]
    return np.stack([g.ravel() for g in np.meshgrid(*values, indexing="ij")], axis=-1)
