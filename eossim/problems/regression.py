"""Regression by squared errors: what linear and kernel least squares share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from eossim.problems.finite_sum import single_point, vector_per_sample
from eossim.problems.quadratic import Quadratic, _frozen


@dataclass(frozen=True, eq=False)
class RegressionModes:
    """The singular value decomposition Φ = U diag(s) Vᵀ in use: r modes, largest curvature first.

    Singular values that count as zero are left out, so r is the rank, possibly 0. Arrays are read-only.

    Args:
        curvature: Positive eigenvalues 2 c s² of the Hessian, shape (r,).
        singular: Singular values s > 0, shape (r,).
        samples: U, shape (n, r): the modes as values at the samples.
        coordinates: V, shape (dim, r): the modes as directions in the space of parameters.
    """

    curvature: np.ndarray
    singular: np.ndarray
    samples: np.ndarray
    coordinates: np.ndarray


class Regression(Quadratic, ABC):
    """The loss L(w) = c ‖Φ w - y‖² with features Φ: base of `LeastSquares` and `KernelRegression`.

    Loss and gradient are evaluated from the residuals, so that their smallness is not lost next to ‖y‖².

    Args:
        y: Targets, shape (n,), finite.
        samples: U of the modes, shape (n, r).
        singular: s of the modes, shape (r,), descending.
        loss_factor: c.
        normalize: Whether c contains 1/n.
        hessian: As for `Quadratic`.
        minimizer: As for `Quadratic`.

    Attributes:
        y: The targets, read-only.
        n_samples: n.
        loss_factor: c.
        normalize: Whether the loss is a mean over the samples rather than a sum.
        omitted_curvature: Upper bound of every eigenvalue of the Hessian that a truncation left out, else 0.
        omitted_trace: Sum of the eigenvalues of the Hessian that a truncation left out, else 0.
    """

    omitted_curvature: float = 0.0
    omitted_trace: float = 0.0

    def __init__(
        self,
        y: np.ndarray,
        samples: np.ndarray,
        singular: np.ndarray,
        *,
        loss_factor: float,
        normalize: bool,
        hessian: np.ndarray,
        minimizer: np.ndarray,
    ) -> None:
        super().__init__(hessian, minimizer)
        self.y = _frozen(y)
        self.n_samples = len(y)
        self.loss_factor = loss_factor
        self.normalize = normalize
        self._samples, self._singular = samples, _frozen(singular)
        self._samples.flags.writeable = False  # as large as the data: not copied
        self._offset = float(self.loss(self._minimizer))

    @property
    @abstractmethod
    def features(self) -> np.ndarray:
        """Φ, shape (n, dim): the predictions at the samples are Φ w."""

    @property
    def rank(self) -> int:
        """Number r of modes with positive curvature."""
        return len(self._singular)

    @property
    def modes(self) -> RegressionModes:
        """Singular value decomposition of the features without its zeros."""
        top = slice(None, -self.rank - 1, -1)  # the last `rank`, backwards
        return RegressionModes(self.eigenvalues[top], self._singular, self._samples, self.eigenvectors[:, top])

    def fitted(self, w: ArrayLike) -> np.ndarray:
        """Predictions Φ w at the samples, shape (..., n), of parameters w of shape (..., dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return self._predictions(self._points("w", w))

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss c ‖Φ w - y‖², shape (...), of parameters w of shape (..., dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            residual = self.fitted(w) - self.y
            return self.loss_factor * (residual * residual).sum(axis=-1)

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient 2 c Φᵀ(Φ w - y), shape (..., dim), at parameters w of shape (..., dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return 2 * self.loss_factor * self._transposed(self.fitted(w) - self.y)

    def sample_gradients(self, w: ArrayLike) -> np.ndarray:
        """Gradients 2 c n (φᵢᵀ w - yᵢ) φᵢ of the losses of single samples, shape (n, dim), at w of shape (dim,).

        The loss of a sample is ℓᵢ(w) = c n (φᵢᵀ w - yᵢ)², so that L = (1/n) Σ ℓᵢ whether c contains 1/n or not. The
        mean of the gradients is `grad(w)`.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            residual = self.fitted(single_point(w, self.dim)) - self.y
            return (2 * self.loss_factor * self.n_samples * residual)[:, None] * self.features

    def sample_hvp(self, w: ArrayLike, vectors: ArrayLike) -> np.ndarray:
        """Products Hᵢ vᵢ with the Hessians Hᵢ = 2 c n φᵢ φᵢᵀ of single samples, shape (n, dim).

        Hᵢ does not depend on w.

        Args:
            w: Parameters, shape (dim,).
            vectors: One vector per sample, shape (n, dim), or (dim,) for the same in every sample.
        """
        single_point(w, self.dim)
        features, each = self.features, vector_per_sample(vectors, self.n_samples, self.dim)
        with np.errstate(over="ignore", invalid="ignore"):
            along = np.einsum("ij,ij->i", features, each)
            return (2 * self.loss_factor * self.n_samples * along)[:, None] * features

    def _predictions(self, w: np.ndarray) -> np.ndarray:
        """Φ w along the last axis."""
        return w @ self.features.T

    def _transposed(self, residual: np.ndarray) -> np.ndarray:
        """Φᵀ times a residual along the last axis."""
        return residual @ self.features
