"""Eigenvalues of a matrix with the rounding errors that they carry, and the largest one of an operator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh
from threadpoolctl import ThreadpoolController

from .found import Unsolved

#: Coordinates up to which all eigenvalues cost less than Lanczos iterations, and up to which they are affordable.
DENSE, _AFFORDABLE = 500, 2000
#: Vectors in the Krylov space, and restarts: each of them takes half as many products, 300 in all.
_KRYLOV, _RESTARTS = 32, 17
#: Residual relative to the eigenvalue at which the iterations stop; ten times that is taken for rounding.
_RESIDUAL = 1e-10


def one_thread() -> AbstractContextManager:
    """Return a context with linear algebra on one thread.

    At these sizes threads wait for each other: on a busy machine a hundred times longer than the work takes.
    """
    return _pools().limit(limits=1, user_api="blas")


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()  # finding the pools takes a millisecond


class Spectrum:
    """All eigenvalues and eigenvectors of a symmetric matrix H, computed when first asked for."""

    def __init__(self, H: np.ndarray) -> None:
        self.H = H

    @cached_property
    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues in rising order and eigenvectors in columns."""
        values, vectors = np.linalg.eigh(self.H)
        return values, vectors

    @property
    def values(self) -> np.ndarray:
        """Eigenvalues in rising order."""
        return self.pairs[0]

    @property
    def top(self) -> float:
        """λ1, the largest eigenvalue."""
        return float(self.values[-1])

    @property
    def leading(self) -> np.ndarray:
        """A unit eigenvector of λ1."""
        return self.pairs[1][:, -1]

    @property
    def rounding(self) -> float:
        """Size below which an eigenvalue may be a rounding error."""
        return 10 * len(self.H) * np.finfo(float).eps * float(np.abs(self.values).max())

    @property
    def semidefinite(self) -> bool:
        """Whether H is positive semidefinite up to rounding."""
        return bool(self.values[0] >= -self.rounding)


class Leading(NamedTuple):
    """The largest algebraic eigenvalue.

    Attributes:
        value: λ1.
        vector: A unit eigenvector.
        residual: ‖Hv - λ1v‖ where it comes from Lanczos iterations, else None. The error of the value is of the order
            of the residual squared over the gap to the next eigenvalue.
    """

    value: float
    vector: np.ndarray
    residual: float | None = None

    @property
    def how(self) -> str:
        """The method in words."""
        lanczos = "" if self.residual is None else f" by Lanczos, residual {self.residual:.1e}"
        return f"largest eigenvalue{lanczos}"


def leading(H: np.ndarray) -> Leading:
    """Return the largest algebraic eigenvalue of a matrix and a unit eigenvector.

    Raises:
        Unsolved: if the matrix is large and the Lanczos iterations did not converge.
    """
    if len(H) > DENSE:
        try:
            return lanczos(lambda v: H @ v, len(H))
        except Unsolved:
            if len(H) > _AFFORDABLE:
                raise
    values, vectors = np.linalg.eigh(H)
    return Leading(float(values[-1]), vectors[:, -1])


def lanczos(apply: Callable[[np.ndarray], np.ndarray], dim: int) -> Leading:
    """Return the largest algebraic eigenvalue of v -> Hv, with about 300 products at most; NaN if one is not finite.

    Raises:
        Unsolved: if the iterations did not converge, as where many eigenvalues lie close to the largest one.
    """
    if dim <= 2:  # too small for a Krylov space
        H = np.stack([apply(row) for row in np.eye(dim)])
        return leading(0.5 * (H + H.T)) if np.isfinite(H).all() else Leading(np.nan, np.full(dim, np.nan))
    start = np.random.default_rng(0).standard_normal(dim)
    first = apply(start)
    if not np.isfinite(first).all():
        return Leading(np.nan, np.full(dim, np.nan))
    if not first.any():  # a random vector lies in the kernel only if everything does
        return Leading(0.0, np.eye(1, dim)[0], 0.0)
    operator = LinearOperator((dim, dim), matvec=lambda v: apply(v.ravel()), dtype=np.float64)
    krylov = min(dim, _KRYLOV)
    try:
        v = eigsh(operator, k=1, which="LA", v0=start, ncv=krylov, tol=_RESIDUAL, maxiter=_RESTARTS)[1][:, 0]
    except ArpackError:
        raise Unsolved("the largest eigenvalue is not separated: Lanczos iterations did not converge") from None
    Hv = apply(v)
    value = float(v @ Hv)
    residual = float(np.linalg.norm(Hv - value * v))
    if not residual <= 10 * _RESIDUAL * abs(value):
        raise Unsolved(f"Lanczos iterations left a residual of {residual:.1e} of the eigenvalue {value:.6g}")
    return Leading(value, v, residual)
