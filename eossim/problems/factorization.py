"""Matrix factorisation: the smallest network with layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, positive_int, real_array
from .quadratic import _frozen


class MatrixFactorization:
    """The loss L(U, V) = ½‖UV - A‖²_F of a product of two matrices: a linear network of two layers.

    Parameters are the entries of U, row after row, then those of V; leading axes are a batch. NaN and infinity pass.
    With A = [[1]] and inner = 1 it is ½(ab - 1)².

    At a minimiser with UV = A the Hessian has the largest eigenvalue σ₁(U)² + σ₁(V)². It is smallest, 2σ₁(A), where U
    and V are balanced, UᵀU = VVᵀ (and wherever σ₁(U)² = σ₁(V)² = σ₁(A)); rescaling to cU and V/c makes it as large as
    one likes. So gradient descent with eta > 1/σ₁(A) has no stable minimiser. Source: derived.

    Args:
        target: A, shape (m, n), finite.
        inner: Columns of U and rows of V; at least the rank of A if the loss is to reach 0.

    Attributes:
        target: A, read-only.
        inner: As given.
        layers: Shapes of U and V, ((m, inner), (inner, n)).
        dim: Number of parameters.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If A is not a finite matrix or inner < 1.
    """

    target: np.ndarray
    inner: int

    def __init__(self, target: ArrayLike, inner: int) -> None:
        self.target = _frozen(finite_array("target", target, ndim=2, dtype=np.float64))
        self.inner = positive_int("inner", inner)
        m, n = self.target.shape
        self.layers = ((m, self.inner), (self.inner, n))
        self.dim = (m + n) * self.inner

    def split(self, w: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return U, shape (..., m, inner), and V, shape (..., inner, n), of parameters w of shape (..., dim)."""
        return self._factors("w", w)

    def join(self, U: ArrayLike, V: ArrayLike) -> np.ndarray:
        """Return the parameters, shape (..., dim), of U, shape (..., m, inner), and V, shape (..., inner, n)."""
        parts = []
        for name, value, shape in zip("UV", (U, V), self.layers, strict=True):
            array = real_array(name, value, dtype=np.float64)
            if array.shape[-2:] != shape:
                raise ValueError(f"{name} must have shape (..., {shape[0]}, {shape[1]}), got {array.shape}")
            parts.append(array.reshape(*array.shape[:-2], -1))
        return np.concatenate(parts, axis=-1)

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss ½‖UV - A‖²_F, shape (...), of parameters w of shape (..., dim)."""
        U, V = self._factors("w", w)
        with np.errstate(over="ignore", invalid="ignore"):
            return 0.5 * ((U @ V - self.target) ** 2).sum(axis=(-2, -1))

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient, shape (..., dim): R Vᵀ and Uᵀ R with the residual R = UV - A."""
        U, V = self._factors("w", w)
        with np.errstate(over="ignore", invalid="ignore"):
            R = U @ V - self.target
            return self.join(R @ _transposed(V), _transposed(U) @ R)

    def hvp(self, w: ArrayLike, v: ArrayLike) -> np.ndarray:
        """Hessian-vector product at w, both of shape (..., dim), leading axes broadcast.

        With v = (X, Y) and the change S = XV + UY of the product it is S Vᵀ + R Yᵀ and Xᵀ R + Uᵀ S.
        """
        (U, V), (X, Y) = self._factors("w", w), self._factors("v", v)
        try:
            np.broadcast_shapes(U.shape, X.shape)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {np.shape(w)}, got {np.shape(v)}") from None
        with np.errstate(over="ignore", invalid="ignore"):
            R, S = U @ V - self.target, X @ V + U @ Y
            return self.join(S @ _transposed(V) + R @ _transposed(Y), _transposed(X) @ R + _transposed(U) @ S)

    def _factors(self, name: str, value: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        array = real_array(name, value, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.dim:
            raise ValueError(f"{name} must have shape (..., {self.dim}), got {array.shape}")
        first, second = self.layers
        cut, lead = first[0] * first[1], array.shape[:-1]
        return array[..., :cut].reshape(*lead, *first), array[..., cut:].reshape(*lead, *second)

    def __repr__(self) -> str:
        m, n = self.target.shape
        return f"MatrixFactorization({m}x{n}, inner={self.inner})"


def _transposed(matrix: np.ndarray) -> np.ndarray:
    return np.swapaxes(matrix, -1, -2)
