"""The samples of a quadratic sum in the eigenbasis of its Hessian: averages that the moments of SGD are made of.

A sample has the gradient H_i d + g_i at a deviation d from the minimizer, and Σ g_i = 0. <.> is the mean over samples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np

from ...problems import Regression
from ...problems.finite_sum import QuadraticSum

#: Eigenvalues of the Hessian of a `QuadraticSum` up to this, relative to the mean norm of H_i, count as zero.
_ZERO = 1e-12
#: Gradients at the minimizer up to this, relative to the terms they are differences of, count as zero.
_ROUNDING = 1e-12


class Samples(ABC):
    """Sample Hessians H_i and gradients g_i at the minimizer, in coordinates along r eigenvectors of H.

    Args:
        lam: Eigenvalues of H, largest first, shape (r,).
        basis: Eigenvectors as columns, shape (dim, r).
        gradients: g_i, shape (n, r).
    """

    def __init__(self, lam: np.ndarray, basis: np.ndarray, gradients: np.ndarray) -> None:
        self.lam, self.basis, self.gradients = lam, basis, gradients
        self.n = len(gradients)

    @property
    def rank(self) -> int:
        """Number of coordinates r."""
        return len(self.lam)

    @cached_property
    def noise(self) -> np.ndarray:
        """<g_i g_iᵀ>, shape (r, r)."""
        return self.gradients.T @ self.gradients / self.n

    @property
    def interpolating(self) -> bool:
        """Whether all samples agree on the minimizer."""
        return not self.gradients.any()

    @cached_property
    def square(self) -> np.ndarray:
        """<H_i²>, shape (r, r)."""
        return self.sandwich(np.eye(self.rank))

    @abstractmethod
    def sandwich(self, S: np.ndarray) -> np.ndarray:
        """Return <H_i S H_i> of symmetric S, shape (r, r)."""

    @abstractmethod
    def products(self, v: np.ndarray) -> np.ndarray:
        """Return H_i v, shape (n, r)."""

    def outliers(self, count: int) -> np.ndarray:
        """Return directions in which single samples are curved far more than the mean, shape (up to count, r)."""
        return np.empty((0, self.rank))

    @abstractmethod
    def cube(self) -> np.ndarray:
        """Return <H_i³>, shape (r, r)."""

    @abstractmethod
    def skewness(self) -> float:
        """Return <g_iᵀ H_i g_i>."""

    @abstractmethod
    def batch_hessians(self, batches: np.ndarray) -> np.ndarray:
        """Return the Hessians of batches of samples, shape (batches, r, r), from their numbers (batches, b)."""

    def cross(self, m: np.ndarray) -> np.ndarray:
        """Return <H_i m g_iᵀ + g_i mᵀ H_i>, shape (r, r)."""
        half = self.products(m).T @ self.gradients / self.n
        return half + half.T

    def excess(self, S: np.ndarray) -> np.ndarray:
        """Return <ΔH_i S ΔH_i> = <H_i S H_i> - H S H, where ΔH_i = H_i - H."""
        return self.sandwich(S) - self.lam[:, None] * S * self.lam


class RankOneSamples(Samples):
    """H_i = z_i z_iᵀ and g_i = a_i z_i: regression by squared errors.

    Args:
        lam: Eigenvalues of H, shape (r,).
        basis: Eigenvectors as columns, shape (dim, r).
        rows: z_i, shape (n, r).
        residuals: a_i, shape (n,).
    """

    def __init__(self, lam: np.ndarray, basis: np.ndarray, rows: np.ndarray, residuals: np.ndarray) -> None:
        super().__init__(lam, basis, residuals[:, None] * rows)
        self.rows, self.residuals = rows, residuals
        self.lengths = np.sum(rows * rows, axis=1)  # ‖z_i‖²

    def sandwich(self, S: np.ndarray) -> np.ndarray:
        """Return <H_i S H_i> = (1/n) Zᵀ diag(z_iᵀ S z_i) Z: two products of n r²."""
        return self._weighted(np.einsum("ij,ij->i", self.rows @ S, self.rows))

    def products(self, v: np.ndarray) -> np.ndarray:
        """Return H_i v, shape (n, r)."""
        return (self.rows @ v)[:, None] * self.rows

    def outliers(self, count: int) -> np.ndarray:
        """Return H⁻¹ z_i, which maximises (z_iᵀ v)²/vᵀ H v, of the samples of most leverage z_iᵀ H⁻¹ z_i."""
        towards = self.rows / self.lam
        leverage = np.einsum("ij,ij->i", towards, self.rows)
        return towards[np.argsort(-leverage, kind="stable")[:count]]

    def cube(self) -> np.ndarray:
        """Return <H_i³>, shape (r, r)."""
        return self._weighted(self.lengths**2)

    def skewness(self) -> float:
        """Return <g_iᵀ H_i g_i>."""
        return float(np.mean((self.residuals * self.lengths) ** 2))

    def batch_hessians(self, batches: np.ndarray) -> np.ndarray:
        """Return the Hessians of batches, shape (batches, r, r)."""
        some = self.rows[batches]
        return np.einsum("kbi,kbj->kij", some, some) / batches.shape[1]

    def _weighted(self, weights: np.ndarray) -> np.ndarray:
        return (self.rows * weights[:, None]).T @ self.rows / self.n


class DenseSamples(Samples):
    """General symmetric H_i.

    Args:
        lam: Eigenvalues of H, shape (r,).
        basis: Eigenvectors as columns, shape (dim, r).
        hessians: H_i, shape (n, r, r).
        gradients: g_i, shape (n, r).
    """

    def __init__(self, lam: np.ndarray, basis: np.ndarray, hessians: np.ndarray, gradients: np.ndarray) -> None:
        super().__init__(lam, basis, gradients)
        self.hessians = hessians

    def sandwich(self, S: np.ndarray) -> np.ndarray:
        """Return <H_i S H_i>: two products of n r³."""
        return np.tensordot(self.hessians @ S, self.hessians, axes=([0, 2], [0, 1])) / self.n

    def products(self, v: np.ndarray) -> np.ndarray:
        """Return H_i v, shape (n, r)."""
        return self.hessians @ v

    def cube(self) -> np.ndarray:
        """Return <H_i³>, shape (r, r)."""
        return np.tensordot(self.hessians @ self.hessians, self.hessians, axes=([0, 2], [0, 1])) / self.n

    def skewness(self) -> float:
        """Return <g_iᵀ H_i g_i>."""
        return float(np.einsum("ni,nij,nj->", self.gradients, self.hessians, self.gradients, optimize=True)) / self.n

    def batch_hessians(self, batches: np.ndarray) -> np.ndarray:
        """Return the Hessians of batches, shape (batches, r, r)."""
        return self.hessians[batches].mean(axis=1)


def moving_samples(problem: Any) -> Samples:
    """Return the samples in coordinates in which anything can move: the row space of a regression, else all.

    Raises:
        TypeError: If the problem has no samples to draw.
    """
    if isinstance(problem, Regression):
        return _rank_one(problem)
    if isinstance(problem, QuadraticSum):
        return _dense(problem, problem.dim)
    raise TypeError(
        "problem must be a mean of quadratic samples (LeastSquares, KernelRegression, QuadraticSum), got "
        f"{type(problem).__name__}"
    )


def curved_samples(problem: Any) -> Samples:
    """Return the samples in coordinates of the range of H.

    A sample that curves or pulls along the null space by less than some 1e-6 of the largest counts as one that does
    not.

    Raises:
        TypeError: If the problem has no samples to draw.
        ValueError: If H has a negative eigenvalue, or a sample curves or pulls along its null space.
    """
    whole = moving_samples(problem)
    if isinstance(whole, RankOneSamples):
        return whole
    cut = _ZERO * float(np.linalg.norm(problem.hessians, axis=(1, 2)).mean())
    if whole.lam[-1] < -cut:
        raise ValueError(
            "mean-square stability needs a Hessian without negative eigenvalues, got "
            f"{whole.lam[-1]:g}: along its eigenvector the mean itself grows at every step size"
        )
    rank = int((whole.lam > cut).sum())
    small = np.sqrt(_ZERO * whole.n)  # ‖H_i v‖ for a v with vᵀ H v at the cut, relative to ‖H_i‖
    null = problem.eigenvectors[:, : problem.dim - rank]
    curving = np.abs(problem.hessians @ null).max(initial=0.0)
    if curving > small * np.abs(problem.hessians).max():
        raise ValueError(
            "null-space drift: a sample curves along a direction in which the mean Hessian is zero (its part there is "
            f"{curving:g}), so that the second moment never settles, at any step size; second_moment gives its growth"
        )
    pulls = _gradients_at_minimum(problem)
    pulling = np.abs(pulls @ null).max(initial=0.0)
    if pulling > small * np.abs(pulls).max():
        raise ValueError(
            "null-space drift: gradients at the minimizer have a part of size "
            f"{pulling:g} where the mean Hessian is zero, a random walk that no step size stops; "
            "second_moment gives its growth"
        )
    return _dense(problem, rank)


def _rank_one(problem: Regression) -> RankOneSamples:
    modes = problem.modes
    scale = 2 * problem.loss_factor * problem.n_samples
    fitted = problem.fitted(problem.minimizer)
    residuals = fitted - problem.y
    rows = np.ascontiguousarray(np.sqrt(scale) * modes.samples * modes.singular)
    reach = np.abs(problem.features) @ np.abs(problem.minimizer) + np.abs(problem.y)  # what each residual is left of
    size = np.abs(rows).max(axis=1, initial=0.0)  # a row of zeros may keep its residual
    if np.all(size * np.abs(residuals) <= _ROUNDING * size.max() * reach):
        residuals = np.zeros_like(residuals)
    return RankOneSamples(modes.curvature, modes.coordinates, rows, np.sqrt(scale) * residuals)


def _dense(problem: QuadraticSum, rank: int) -> DenseSamples:
    lam = problem.eigenvalues[::-1][:rank]
    basis = problem.eigenvectors[:, ::-1][:, :rank]
    gradients = _gradients_at_minimum(problem)
    return DenseSamples(lam, basis, basis.T @ problem.hessians @ basis, gradients @ basis)


def _gradients_at_minimum(problem: QuadraticSum) -> np.ndarray:
    """Return g_i at the minimizer, shape (n, dim); all zero where they are rounding errors."""
    gradients = problem.sample_gradients(problem.minimizer)
    reach = np.abs(problem.hessians) @ np.abs(problem.minimizer)
    reach += np.einsum("nij,nj->ni", np.abs(problem.hessians), np.abs(problem.centers))
    return gradients if np.any(np.abs(gradients) > _ROUNDING * reach) else np.zeros_like(gradients)
