"""The norm of a preconditioner."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, symmetric
from .base import Traits
from .coordinate import L2
from .scaled import ScaledNorm

_L2 = L2()


class Mahalanobis(ScaledNorm):
    """√(dᵀPd) with the dual √(gᵀP⁻¹g); the LMO is P⁻¹g/‖g‖* and steepest descent is preconditioned by P.

    Attributes:
        P: A diagonal, shape (dim,), or a symmetric positive definite matrix, shape (dim, dim).

    Raises:
        TypeError: If P does not hold real numbers.
        ValueError: If P is not symmetric, or not positive definite beyond rounding.
    """

    def __init__(self, P: ArrayLike) -> None:
        P = finite_array("P", P, ndim=(1, 2), dtype=np.float64)
        P = symmetric("P", P) if P.ndim == 2 else P
        diagonal = P if P.ndim == 1 else np.diag(P)
        if diagonal.min() <= 0:
            i = int(diagonal.argmin())
            raise ValueError(f"P must be positive definite, got the diagonal entry {diagonal[i]} at coordinate {i}")
        root = np.sqrt(diagonal)
        self.dim = len(P)
        self.P = P.copy()
        self.P.flags.writeable = False
        # P = L Lᵀ with L = diag(root) C: the scaled matrix has a unit diagonal, whatever the units of the coordinates.
        self._root = root
        self._C = None if P.ndim == 1 else _cholesky(P / root / root[:, None])

    @property
    def traits(self) -> Traits:
        return Traits(rotation_equivariant=self._multiple, exact_sharpness="any H")

    def squared_length(self, dim: int) -> float | None:
        return float(1 / self._root[0] ** 2) if self._multiple else None

    @property
    def _multiple(self) -> bool:
        """Whether P is a multiple of the identity."""
        return bool((self._root == self._root[0]).all()) and (self._C is None or not np.tril(self._C, -1).any())

    def _norm(self, d: np.ndarray) -> np.ndarray:
        y = d * self._root
        return _L2.norm(y if self._C is None else y @ self._C).astype(d.dtype)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, y = _L2.steepest(self._solve(g / self._root))
        u = self._solve(y, transposed=True) / self._root
        return value.astype(g.dtype), u.astype(g.dtype)

    def _solve(self, x: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """Return C⁻¹x, or C⁻ᵀx, for vectors of shape (..., dim)."""
        if self._C is None:
            return x
        from scipy.linalg import solve_triangular

        rows = x.reshape(-1, len(self._C))
        return solve_triangular(self._C, rows.T, trans=transposed, lower=True, check_finite=False).T.reshape(x.shape)


def _cholesky(scaled: np.ndarray) -> np.ndarray:
    smallest = float(np.linalg.eigvalsh(scaled)[0])
    if smallest <= len(scaled) * np.finfo(float).eps:
        raise ValueError(
            "P must be positive definite beyond rounding, got the smallest eigenvalue "
            f"{smallest:.2g} of P scaled to a unit diagonal; add a multiple of the identity to it"
        )
    return np.linalg.cholesky(scaled)
