"""A finite sum at one point: what its batches have as gradient and curvature, whatever kind of problem it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array
from ..problems import FiniteSum, QuadraticSum, Regression

#: A gradient counts as zero if it is at most this part of what its terms would give without cancellation.
FLOOR = 1e-12
#: Numbers in the dense Hessians of all samples up to which they are formed from products.
_DENSE = 1 << 22


@dataclass(frozen=True)
class Forms:
    """Quadratic forms of batches along s = shift + g_B, all of shape (batches,).

    Attributes:
        numerator: sᵀ H_B s.
        denominator: sᵀ g_B.
        zero: Whether the denominator is zero up to rounding.
    """

    numerator: np.ndarray
    denominator: np.ndarray
    zero: np.ndarray


class Point(ABC):
    """A finite sum at a point w.

    Gradients are kept in a unit that is a power of two near the largest of them: the measures do not depend on it,
    and squares of small gradients do not underflow.

    Args:
        gradients: ∇ℓᵢ(w), shape (n, dim).
        sizes: Norms that they would have without cancellation inside a sample, shape (n,).

    Attributes:
        n_samples: n.
        dim: Number of parameters.
        unit: The unit of gradients.
        gradients: Gradients in that unit.
        sizes: Their sizes in that unit.
        patience: Most batches that Monte Carlo looks at unless told otherwise.
    """

    patience = 100_000

    def __init__(self, gradients: np.ndarray, sizes: np.ndarray) -> None:
        self.n_samples, self.dim = gradients.shape
        self.unit = float(2.0 ** np.clip(np.frexp(np.abs(gradients).max())[1], -1021, 1023))
        self.gradients = gradients / self.unit
        self.sizes = sizes / self.unit

    def forms(self, batches: np.ndarray, shift: np.ndarray | None = None) -> Forms:
        """Return the forms of batches of shape (some, b) along s = shift + g_B, with the shift zero by default."""
        move = np.zeros(self.dim) if shift is None else shift / self.unit
        numerator, denominator, norms = self._forms(batches, move)
        sizes = self.sizes[batches].mean(axis=1)
        return Forms(numerator, denominator, np.abs(denominator) <= FLOOR * norms * sizes)

    @abstractmethod
    def cost(self, batch_size: int) -> float:
        """Return about how many multiplications the forms of one batch take."""

    @abstractmethod
    def _forms(self, batches: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return sᵀ H_B s, sᵀ g_B and ‖s‖ in the unit of gradients."""

    @abstractmethod
    def lambda_max(self, batches: np.ndarray) -> np.ndarray:
        """Return the largest eigenvalues of the Hessians of batches of shape (some, b)."""

    @abstractmethod
    def sharpness(self) -> float:
        """Return the largest eigenvalue of the full Hessian."""

    @abstractmethod
    def sample_products(self, vectors: np.ndarray) -> np.ndarray:
        """Return Hᵢ vᵢ of vectors of shape (n, dim) or (dim,)."""

    @abstractmethod
    def full_products(self, vectors: np.ndarray) -> np.ndarray:
        """Return H v of every row, shape (rows, dim)."""


def at(problem: FiniteSum, w: ArrayLike) -> Point:
    """Return the problem at w, ready for its batches.

    Raises:
        TypeError: If the problem does not show its samples, or w does not hold real numbers.
        ValueError: If w has a wrong shape or is not finite, or the problem's gradients have a wrong shape or are not.
    """
    from ._points import DensePoint, MatrixFreePoint, RegressionPoint

    if isinstance(problem, type) or not isinstance(problem, FiniteSum):
        raise TypeError(
            "problem must be a finite sum with dim, n_samples, sample_gradients and sample_hvp, such as LeastSquares "
            f"or QuadraticSum; got {problem!r}"
        )
    point = finite_array("w", w, shape=(problem.dim,), dtype=np.float64)
    n = problem.n_samples
    gradients = finite_array("sample_gradients(w)", problem.sample_gradients(point), shape=(n, problem.dim))
    if isinstance(problem, Regression):
        return RegressionPoint(problem, point, gradients)
    if isinstance(problem, QuadraticSum):
        terms = np.matmul(np.abs(problem.hessians), (np.abs(point) + np.abs(problem.centers))[..., None])[..., 0]
        return DensePoint(problem.hessians, gradients, np.linalg.norm(terms, axis=1))
    sizes = np.linalg.norm(gradients, axis=1)
    if n * problem.dim**2 <= _DENSE:
        columns = [problem.sample_hvp(point, np.broadcast_to(e, (n, problem.dim))) for e in np.eye(problem.dim)]
        hessians = finite_array("sample_hvp", np.stack(columns, axis=-1), shape=(n, problem.dim, problem.dim))
        return DensePoint(0.5 * (hessians + hessians.transpose(0, 2, 1)), gradients, sizes)
    return MatrixFreePoint(problem, point, gradients, sizes)
