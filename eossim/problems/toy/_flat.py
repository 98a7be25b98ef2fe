"""What the toy problems share: points of a fixed dimension in batches, and the Hessian from its products."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from ..._check import real_array


class FlatProblem(ABC):
    """A loss on parameters of shape (..., dim); leading axes are a batch, and NaN and infinity pass."""

    dim: int

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss L(w), shape (...), of parameters w of shape (..., dim)."""
        point = self.points("w", w)
        with np.errstate(all="ignore"):
            return self._loss(point)

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient ∇L(w), shape (..., dim), at parameters w of shape (..., dim)."""
        point = self.points("w", w)
        with np.errstate(all="ignore"):
            return self._grad(point)

    def hvp(self, w: ArrayLike, v: ArrayLike) -> np.ndarray:
        """Hessian-vector product ∇²L(w) v, both of shape (..., dim), leading axes broadcast.

        Raises:
            ValueError: If the shapes do not fit.
        """
        point, vector = self.points("w", w), self.points("v", v)
        try:
            point, vector = np.broadcast_arrays(point, vector)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {point.shape}, got {vector.shape}") from None
        with np.errstate(all="ignore"):
            return self._hvp(point, vector)

    def hessian(self, w: ArrayLike) -> np.ndarray:
        """Dense Hessian ∇²L(w), shape (..., dim, dim), at parameters w of shape (..., dim)."""
        return self.hvp(self.points("w", w)[..., None, :], np.eye(self.dim))

    def points(self, name: str, value: ArrayLike) -> np.ndarray:
        """Return `value` as float64 of shape (..., dim).

        Raises:
            TypeError: If it does not hold real numbers.
            ValueError: If the last axis is not of length dim.
        """
        array = real_array(name, value, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.dim:
            raise ValueError(f"{name} must have shape (..., {self.dim}), got {array.shape}")
        return array

    @abstractmethod
    def _loss(self, w: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _grad(self, w: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray: ...
