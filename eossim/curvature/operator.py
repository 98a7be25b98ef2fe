"""A Hessian as what it does to vectors, with a count of the products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._check import finite_array, positive_int, real_array, symmetric

#: Coordinates up to which the entries of a function are computed: at most as many products as a search and a bound.
_ENTRIES = 256
#: Products that tell whether a function is linear and symmetric.
_TRIED = 3
#: Curvature that may be rounding, relative to the largest one met: of products in float32 as well.
_NEGATIVE = 1e-4


class Operator:
    """A symmetric matrix H given by its products, and by its entries where they are at hand.

    Attributes:
        dim: Number of coordinates.
        matrix: H, shape (dim, dim), or None.
        diagonal: The diagonal of a diagonal H, shape (dim,), else None.
        products: Hessian-vector products made so far.
        affordable: Whether `with_entries` computes the entries; never those of a problem, such as a network.
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
        self.affordable = False
        self._semidefinite = semidefinite
        self._apply = apply
        self._largest, self._least = 0.0, 0.0

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Return H v for one vector, shape (dim,), or for rows of vectors, shape (count, dim)."""
        self.products += 1 if v.ndim == 1 else len(v)
        image = self._apply(v)
        if self._semidefinite and self.matrix is None:
            with np.errstate(all="ignore"):
                size = np.square(v).sum(axis=-1)
                curvature, stretch = (v * image).sum(axis=-1) / size, np.sqrt(np.square(image).sum(axis=-1) / size)
            self._least = min(self._least, float(np.fmin.reduce(curvature, axis=None)))
            self._largest = max(self._largest, float(np.fmax.reduce(stretch, axis=None)))
        return image

    @property
    def semidefinite(self) -> bool | None:
        """Whether H is known to be positive semidefinite: from its entries up to rounding, or as the caller says.

        None if nobody knows.
        """
        if self._semidefinite is None and self.matrix is not None:
            self._semidefinite = is_semidefinite(self.matrix)
        return self._semidefinite

    def check_semidefinite(self) -> None:
        """Raise ValueError if H was said to be positive semidefinite and a product so far says that it is not."""
        if self._least < -_NEGATIVE * self._largest:
            raise ValueError(f"semidefinite=True, but the Hessian has a negative curvature: {self._least:.6g} was met")

    def with_entries(self) -> Operator:
        """Return the operator with its matrix where that is affordable, at one product per coordinate.

        It is the same one otherwise, and where the entries are not finite.

        Raises:
            ValueError: If H was said to be positive semidefinite and is not.
        """
        if not self.affordable:
            return self
        rows = self(np.eye(self.dim))
        if not np.isfinite(rows).all():
            return self
        found = Operator.of_matrix((rows + rows.T) / 2)
        _refuse_indefinite(found, self._semidefinite)
        return found

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

        Functions and linear operators are tried with three products: they must be linear and symmetric up to rounding.

        Args:
            source: A symmetric matrix or a diagonal; a quadratic problem (``hessian()``); any problem with ``dim`` and
                ``hvp(w, v)``, batched over leading axes, whose Hessian is never built; a scipy ``LinearOperator``; or a
                function v -> H v of one vector, with `dim`.
            w: Point, shape (dim,); needed by problems that are not quadratic.
            dim: Number of coordinates, for a function.
            semidefinite: Whether a Hessian without entries is known to be positive semidefinite.

        Raises:
            TypeError: for a source of another kind, or products that hold no real numbers.
            ValueError: for a point that is missing, not finite or of a wrong shape; for products that have a wrong
                shape, are not linear or not symmetric; for an indefinite Hessian that is said to be semidefinite.
        """
        if semidefinite is not None and not isinstance(semidefinite, bool | np.bool_):
            raise TypeError(f"semidefinite must be True, False or None, got {semidefinite!r}")
        if hasattr(source, "hvp") and hasattr(source, "dim"):
            if not (hasattr(source, "minimizer") and hasattr(source, "is_diagonal")):
                return cls._of_problem(source, w, semidefinite)
            found = cls.of_matrix(source.curvature if source.is_diagonal else source.hessian())
        elif hasattr(source, "matvec") and hasattr(source, "shape"):
            rows, columns = source.shape
            if rows != columns:
                raise ValueError(f"hessian must be square, got shape {source.shape}")
            found = cls._of_function(source.matvec, rows, semidefinite)
        elif callable(source):
            if dim is None:
                raise ValueError("dim is needed with a function v -> H v")
            found = cls._of_function(source, positive_int("dim", dim), semidefinite)
        else:
            _refuse(source)
            found = cls.of_matrix(source)
        if w is not None and real_array("w", w).shape != (found.dim,):
            raise ValueError(f"w must have shape ({found.dim},), got {np.shape(w)}")
        if found.matrix is not None:
            _refuse_indefinite(found, semidefinite)
        return found

    @classmethod
    def _of_problem(cls, problem: Any, w: Any, semidefinite: bool | None) -> Operator:
        if w is None:
            raise ValueError(f"w is needed: the Hessian of {problem!r} depends on the point")
        point = finite_array("w", w, shape=(problem.dim,), dtype=np.float64)

        def product(v: np.ndarray) -> np.ndarray:
            image = _checked("hvp(w, v)", problem.hvp(np.broadcast_to(point, v.shape), v), v.shape)
            return image.astype(np.float64, copy=False)

        return cls(problem.dim, product, semidefinite=semidefinite)

    @classmethod
    def _of_function(cls, apply: Callable[[np.ndarray], Any], dim: int, semidefinite: bool | None) -> Operator:
        def row(v: np.ndarray) -> np.ndarray:
            return _checked("v -> H v", apply(v), v.shape)

        def product(v: np.ndarray) -> np.ndarray:
            return (row(v) if v.ndim == 1 else np.stack([row(one) for one in v])).astype(np.float64, copy=False)

        _refuse_asymmetric(row, dim)
        found = cls(dim, product, semidefinite=semidefinite)
        found.products, found.affordable = _TRIED, dim <= _ENTRIES
        return found


def _refuse_asymmetric(apply: Callable[[np.ndarray], np.ndarray], dim: int) -> None:
    """Raise ValueError unless v -> H v is linear and symmetric up to eps^(1/3): finite differences are."""
    u, v = np.random.default_rng(0).standard_normal((2, dim))
    with np.errstate(all="ignore"):
        Hu, Hv, both = apply(u), apply(v), apply(2 * u + v)
        size = np.linalg.norm(Hu) + np.linalg.norm(Hv)
        rounding = np.finfo(Hu.dtype).eps ** (1 / 3) * size
        bent, skew = np.linalg.norm(both - 2 * Hu - Hv), abs(u @ Hv - v @ Hu)
    if bent > rounding:
        raise ValueError(f"v -> H v must be linear: H(2u + v) is {bent / size:.2g} off 2Hu + Hv, relative to them")
    if skew > rounding:
        raise ValueError(
            f"v -> H v must be symmetric: <u, Hv> = {u @ Hv:.6g} and <v, Hu> = {v @ Hu:.6g} for random u, v; "
            "the curvature of H is that of (H + Hᵀ)/2"
        )


def _checked(name: str, image: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = real_array(f"what {name} returns", image)
    if array.shape != shape:
        batch = ": leading axes are a batch" if len(shape) > 1 else ""
        raise ValueError(f"{name} must return shape {shape} for v of that shape, got {array.shape}{batch}")
    return array


def _refuse(source: Any) -> None:
    """Raise TypeError for what is no Hessian, with what to do instead."""
    if isinstance(source, str):
        raise TypeError(f"hessian must be a matrix, a problem or a function v -> H v, got {source!r}")
    if hasattr(source, "toarray"):
        raise TypeError(
            "hessian must not be a sparse matrix: give scipy.sparse.linalg.aslinearoperator(H), or H.toarray()"
        )
    if hasattr(source, "least_squares"):
        raise TypeError(f"hessian must be one of a problem, got data {source.name!r}: give its .least_squares()")


def _refuse_indefinite(operator: Operator, semidefinite: bool | None) -> None:
    if semidefinite and not operator.semidefinite:
        assert operator.matrix is not None
        least = np.linalg.eigvalsh(operator.matrix)[0]
        raise ValueError(f"semidefinite=True, but the Hessian has the eigenvalue {least:.6g}")


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
