"""A Hessian as what it does to vectors, with a count of the products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._check import finite_array, positive_int, symmetric


class Operator:
    """A symmetric matrix H given by its products, and by its entries where they are at hand.

    Attributes:
        dim: Number of coordinates.
        matrix: H, shape (dim, dim), or None: then it is never built.
        diagonal: The diagonal of a diagonal H, shape (dim,), else None.
        products: Hessian-vector products made so far.
    """

    def __init__(
        self,
        dim: int,
        apply: Callable[[np.ndarray], np.ndarray],
        *,
        matrix: np.ndarray | None = None,
        diagonal: np.ndarray | None = None,
        semidefinite: bool | None = None,
    ) -> None:
        self.dim, self.matrix, self.diagonal = dim, matrix, diagonal
        self.products = 0
        self._semidefinite = semidefinite
        self._apply = apply

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Return H v for one vector, shape (dim,), or for rows of vectors, shape (count, dim)."""
        self.products += 1 if v.ndim == 1 else len(v)
        return self._apply(v)

    @property
    def semidefinite(self) -> bool | None:
        """Whether H is known to be positive semidefinite: from its entries up to rounding, or as the caller says.

        None if nobody knows.
        """
        if self._semidefinite is None and self.matrix is not None:
            self._semidefinite = is_semidefinite(self.matrix)
        return self._semidefinite

    def quadratic_form(self, d: np.ndarray) -> float:
        """Return dᵀ H d."""
        return float(d @ self(d))

    @classmethod
    def of_matrix(cls, hessian: Any) -> Operator:
        """Return the operator of a symmetric matrix, shape (dim, dim), or of a diagonal, shape (dim,).

        Raises:
            TypeError: If it does not hold real numbers.
            ValueError: If it is not finite, not square or not symmetric.
        """
        H = finite_array("hessian", hessian, ndim=(1, 2), dtype=np.float64)
        if H.ndim == 1:
            positive = bool(H.min() >= 0)
            return cls(len(H), lambda v: v * H, matrix=np.diag(H), diagonal=H, semidefinite=positive)
        H = symmetric("hessian", H)
        off = H - np.diag(np.diag(H))
        diagonal = None if off.any() else np.diag(H).copy()
        return cls(len(H), lambda v: v @ H, matrix=H, diagonal=diagonal)

    @classmethod
    def of(cls, source: Any, w: Any = None, *, dim: int | None = None, semidefinite: bool | None = None) -> Operator:
        """Return the Hessian that `source` stands for, at the point `w`.

        Args:
            source: A symmetric matrix or a diagonal; a quadratic problem (``hessian()``); any problem with ``dim`` and
                ``hvp(w, v)``, whose Hessian is never built; a scipy ``LinearOperator``; or a function v -> H v of one
                vector, with `dim`.
            w: Point, shape (dim,); needed by problems that are not quadratic.
            dim: Number of coordinates, for a function.
            semidefinite: Whether a Hessian without entries is known to be positive semidefinite.

        Raises:
            TypeError: for a source of another kind.
            ValueError: for a point that is missing, not finite or of a wrong shape.
        """
        if hasattr(source, "hvp") and hasattr(source, "dim"):
            if hasattr(source, "minimizer") and hasattr(source, "is_diagonal"):  # quadratic: the same at every point
                return cls.of_matrix(source.curvature if source.is_diagonal else source.hessian())
            if w is None:
                raise ValueError(f"w is needed: the Hessian of {source!r} depends on the point")
            point = finite_array("w", w, shape=(source.dim,), dtype=np.float64)
            return cls(
                source.dim,
                lambda v: np.asarray(source.hvp(np.broadcast_to(point, v.shape), v), dtype=float),
                semidefinite=semidefinite,
            )
        if hasattr(source, "matvec") and hasattr(source, "shape"):
            rows, columns = source.shape
            if rows != columns:
                raise ValueError(f"hessian must be square, got shape {source.shape}")
            return cls(rows, _row_by_row(source.matvec), semidefinite=semidefinite)
        if callable(source):
            if dim is None:
                raise ValueError("dim is needed with a function v -> H v")
            return cls(positive_int("dim", dim), _row_by_row(source), semidefinite=semidefinite)
        if isinstance(source, str):
            raise TypeError(f"hessian must be a matrix, a problem or a function v -> H v, got {source!r}")
        return cls.of_matrix(source)


def is_semidefinite(H: np.ndarray) -> bool:
    """Return whether a symmetric matrix is positive semidefinite up to rounding: whether H + δI has a Cholesky factor.

    δ is ten times the rounding error that the factorisation itself can make, dim · eps · max |H_ij|.
    """
    scale = float(np.abs(H).max())
    rounding = 10 * len(H) * np.finfo(float).eps
    if np.diag(H).min() < -rounding * scale:  # cheap, and the usual case of an indefinite Hessian
        return False
    try:
        np.linalg.cholesky(H / (scale or 1.0) + rounding * np.eye(len(H)))
    except np.linalg.LinAlgError:
        return False
    return True


def _row_by_row(apply: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
    def product(v: np.ndarray) -> np.ndarray:
        if v.ndim == 1:
            return np.asarray(apply(v), dtype=float).ravel()
        return np.stack([np.asarray(apply(row), dtype=float).ravel() for row in v])

    return product
