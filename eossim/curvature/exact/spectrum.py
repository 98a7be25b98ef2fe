"""Eigenvalues of a matrix with the rounding errors that they carry, and the largest one of an operator."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache, cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from threadpoolctl import ThreadpoolController

#: Coordinates up to which all eigenvalues cost less than a Lanczos iteration.
DENSE = 500
_RESTARTS = 1000


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
    """Return the largest algebraic eigenvalue of a matrix and a unit eigenvector."""
    if len(H) > DENSE:
        return lanczos(lambda v: H @ v, len(H))
    values, vectors = eigh(H, subset_by_index=[len(H) - 1, len(H) - 1])
    return Leading(float(values[0]), vectors[:, 0])


def lanczos(apply: Callable[[np.ndarray], np.ndarray], dim: int) -> Leading:
    """Return the largest algebraic eigenvalue of v -> Hv; NaN if a product is not finite."""
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
    try:
        _, vectors = eigsh(operator, k=1, which="LA", v0=start, ncv=min(dim, 32), tol=1e-13, maxiter=_RESTARTS)
        v = vectors[:, 0]
    except ArpackNoConvergence as stopped:  # the residual tells
        v = stopped.eigenvectors[:, 0] if stopped.eigenvectors.shape[1] else start
    v = v / np.linalg.norm(v)
    Hv = apply(v)
    value = float(v @ Hv)
    return Leading(value, v, float(np.linalg.norm(Hv - value * v)))
