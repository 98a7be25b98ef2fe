"""The largest eigenvalue of a Hessian from its products alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..curvature.operator import Operator

#: Order up to which all products with unit vectors are taken.
_SMALL = 16
#: Relative tolerance of Lanczos, and how many vectors it keeps.
_TOLERANCE, _KEPT = 1e-4, 8
#: Part of a random direction that is mixed into a start: without it, a start on one eigenvector stays on that branch
#: when another eigenvalue has overtaken it.
_FRESH = 0.3


@dataclass(frozen=True)
class TopEigenvalue:
    """The largest (algebraic) eigenvalue λ of H with what it is worth.

    Attributes:
        value: λ.
        vector: Its unit eigenvector u, shape (dim,).
        residual: ‖H u - λ u‖: an eigenvalue of H lies within it of λ.
        products: Hessian-vector products that it took.
    """

    value: float
    vector: np.ndarray
    residual: float
    products: int


def top_eigenvalue(operator: Operator, *, start: np.ndarray | None = None, seed: int = 0) -> TopEigenvalue:
    """Return the largest eigenvalue of a symmetric operator by restarted Lanczos.

    Products that are not finite give NaN.

    Args:
        operator: H.
        start: An eigenvector of a matrix nearby, shape (dim,), to start from; a random direction is mixed in.
        seed: Seed of that direction.
    """
    before = operator.products
    try:
        value, vector = _dense(operator) if operator.dim <= _SMALL else _lanczos(operator, start, seed)
        residual = float(np.linalg.norm(operator(vector) - value * vector))
    except _NotFiniteError:
        value, vector, residual = np.nan, np.full(operator.dim, np.nan), np.nan
    return TopEigenvalue(value, vector, residual, operator.products - before)


class _NotFiniteError(Exception):
    """A product is not finite: there is no eigenvalue."""


def _dense(operator: Operator) -> tuple[float, np.ndarray]:
    H = operator(np.eye(operator.dim))
    if not np.isfinite(H).all():
        raise _NotFiniteError
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    return float(values[-1]), vectors[:, -1]


def _lanczos(operator: Operator, start: np.ndarray | None, seed: int) -> tuple[float, np.ndarray]:
    from scipy.sparse.linalg import ArpackError, ArpackNoConvergence, LinearOperator, eigsh

    v0 = np.random.default_rng(seed).standard_normal(operator.dim)
    v0 /= np.linalg.norm(v0)
    if start is not None and np.isfinite(start).all():
        v0 = start + _FRESH * v0

    def product(v: np.ndarray) -> np.ndarray:
        result = operator(v.ravel())
        if not np.isfinite(result).all():
            raise _NotFiniteError
        return result

    def search(tolerance: float) -> tuple[float, np.ndarray]:
        linear = LinearOperator((operator.dim, operator.dim), matvec=product, dtype=np.float64)
        values, vectors = eigsh(linear, 1, which="LA", v0=v0, ncv=_KEPT, tol=tolerance)
        return float(values[0]), vectors[:, 0]

    try:
        return search(_TOLERANCE)
    except ArpackNoConvergence:  # rounding of float32 products: the residual tells how far it got
        return search(1e-2)
    except ArpackError:
        if product(v0).any():
            raise
        return 0.0, v0 / np.linalg.norm(v0)  # H v0 = 0: a flat loss
