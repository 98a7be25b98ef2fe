"""The four-parameter example: a product of four numbers."""

from __future__ import annotations

import numpy as np

from ._flat import FlatProblem


class FourParameter(FlatProblem):
    """The loss L(a, b, c, d) = ½(1 - abcd)²: the smallest example of the edge of stability.

    Gradient descent from a = b = x, c = d = y keeps that symmetry (see `maps.minimalist`). At the minima with xy = 1
    the Hessian has rank one and the sharpness 2(x² + x⁻²). Source: arXiv:2210.03294.

    Attributes:
        dim: 4.
        layers: Four numbers, ((1,), (1,), (1,), (1,)).

    Example:
        >>> FourParameter().loss([1.0, 1.0, 2.0, 1.0])
        np.float64(0.5)
    """

    dim = 4
    layers = ((1,),) * 4

    def _loss(self, w: np.ndarray) -> np.ndarray:
        return 0.5 * (1 - w.prod(-1)) ** 2

    def _grad(self, w: np.ndarray) -> np.ndarray:
        return (w.prod(-1) - 1)[..., None] * _without_one(w)

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        slope = _without_one(w)
        change = (slope * v).sum(-1)[..., None]
        return change * slope + (w.prod(-1) - 1)[..., None] * _change(w, v)

    def __repr__(self) -> str:
        return "FourParameter()"


def _without_one(w: np.ndarray) -> np.ndarray:
    """Return the products of all coordinates but one, shape (..., 4), without dividing: coordinates may be zero."""
    a, b, c, d = np.moveaxis(w, -1, 0)
    return np.stack([b * c * d, a * c * d, a * b * d, a * b * c], -1)


def _change(w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the derivative of `_without_one` at w along v, shape (..., 4)."""
    others = np.array([[j for j in range(4) if j != i] for i in range(4)])
    x, y = w[..., others], v[..., others]
    return (y * x[..., [1, 2, 0]] * x[..., [2, 0, 1]]).sum(-1)
