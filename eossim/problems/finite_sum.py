"""Losses that are means over samples: what mini-batches are drawn from."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from eossim._check import finite_array, real_array, symmetric
from eossim.problems.quadratic import Quadratic, _frozen

#: Part of mean(Hᵢ cᵢ) outside the range of H, relative to the mean of |Hᵢ| |cᵢ|, that counts as rounding; eigenvalues
#: of H below that, relative to the mean of the norms of Hᵢ, count as zero.
_ROUNDING = 1e-12


@runtime_checkable
class FiniteSum(Protocol):
    """A loss L = (1/n) Σ ℓᵢ that shows its samples: all that measures of mini-batches need.

    A batch B of size b has the loss, gradient and Hessian that are the means over its samples.

    Attributes:
        dim: Number of parameters.
        n_samples: n.
    """

    @property
    def dim(self) -> int:
        """Number of parameters."""

    @property
    def n_samples(self) -> int:
        """Number n of samples."""

    def sample_gradients(self, w: ArrayLike) -> np.ndarray:
        """Gradients ∇ℓᵢ(w), shape (n, dim), at w of shape (dim,); their mean is ∇L(w)."""

    def sample_hvp(self, w: ArrayLike, vectors: ArrayLike) -> np.ndarray:
        """Products ∇²ℓᵢ(w) vᵢ, shape (n, dim), at w of shape (dim,), one vector per sample: shape (n, dim)."""


def single_point(w: ArrayLike, dim: int) -> np.ndarray:
    """Return one parameter vector, shape (dim,); NaN and infinity pass.

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it has another shape.
    """
    array = real_array("w", w, dtype=np.float64)
    if array.shape != (dim,):
        raise ValueError(f"w must be one point of shape ({dim},), got {array.shape}")
    return array


def vector_per_sample(vectors: ArrayLike, n_samples: int, dim: int) -> np.ndarray:
    """Return vectors of shape (n_samples, dim), repeating one of shape (dim,); NaN and infinity pass.

    Raises:
        TypeError: If they do not hold real numbers.
        ValueError: If they have another shape.
    """
    array = real_array("vectors", vectors, dtype=np.float64)
    if array.shape not in ((n_samples, dim), (dim,)):
        raise ValueError(f"vectors must have shape ({n_samples}, {dim}) or ({dim},), got {array.shape}")
    return np.broadcast_to(array, (n_samples, dim))


class QuadraticSum(Quadratic):
    """The mean of quadratics L(w) = (1/n) Σ ½ (w - cᵢ)ᵀ Hᵢ (w - cᵢ): the general local model of SGD.

    Its Hessian is H = mean Hᵢ and its stationary point of least norm w* = H⁺ mean(Hᵢ cᵢ), so that L(w) = offset +
    ½ (w - w*)ᵀ H (w - w*) with the offset mean ½ (w* - cᵢ)ᵀ Hᵢ (w* - cᵢ). Samples agree at w* ("interpolate") if all
    gradients Hᵢ (w* - cᵢ) vanish. Hᵢ may be singular or indefinite.

    Args:
        hessians: Hᵢ, shape (n, dim, dim), symmetric.
        centers: cᵢ, shape (n, dim); the origin by default.

    Attributes:
        hessians: Hᵢ, read-only.
        centers: cᵢ, read-only.
        n_samples: n.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If an argument has a wrong shape, is not finite or overflows, an Hᵢ is not symmetric, or
            mean(Hᵢ cᵢ) is not in the range of H: the loss is then unbounded and has no stationary point.
    """

    hessians: np.ndarray
    centers: np.ndarray
    n_samples: int

    def __init__(self, hessians: ArrayLike, centers: ArrayLike | None = None) -> None:
        stack = finite_array("hessians", hessians, ndim=3, dtype=np.float64)
        n, dim = stack.shape[:2]
        stack = np.stack([symmetric(f"hessians[{i}]", H) for i, H in enumerate(stack)])
        points = finite_array("centers", np.zeros((n, dim)) if centers is None else centers, shape=(n, dim))
        points = points.astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = (stack / n).sum(axis=0)
            pull = (np.einsum("nij,nj->ni", stack, points) / n).sum(axis=0)
            size = np.linalg.norm(stack, axis=(1, 2))
            scale = (size / n * np.linalg.norm(points, axis=1)).sum()
        if not (np.isfinite(scale) and np.isfinite(pull).all() and np.isfinite(mean).all()):
            raise ValueError(f"hessians and centers are too large: their products overflow, max |H| = {size.max():g}")
        lam, Q = np.linalg.eigh(mean)
        kept = np.abs(lam) > _ROUNDING * (size / n).sum()
        target = Q.T @ pull
        outside = np.linalg.norm(target[~kept])
        if outside > 100 * _ROUNDING * scale:
            raise ValueError(
                "mean(Hᵢ cᵢ) must lie in the range of mean(Hᵢ), else the loss has no stationary point; "
                f"its part outside has norm {outside:g}"
            )
        super().__init__(mean, Q[:, kept] @ (target[kept] / lam[kept]))
        self.hessians, self.centers, self.n_samples = _frozen(stack), _frozen(points), n
        d = self.minimizer - self.centers
        self._offset = float(0.5 * (d * self._products(d)).sum() / n)

    def sample_gradients(self, w: ArrayLike) -> np.ndarray:
        """Gradients Hᵢ (w - cᵢ) of the single samples, shape (n, dim), at w of shape (dim,); their mean is grad(w)."""
        return self._products(single_point(w, self.dim) - self.centers)

    def sample_hvp(self, w: ArrayLike, vectors: ArrayLike) -> np.ndarray:
        """Products Hᵢ vᵢ, shape (n, dim), of vectors of shape (n, dim), or (dim,) for the same in every sample."""
        single_point(w, self.dim)
        return self._products(vector_per_sample(vectors, self.n_samples, self.dim))

    def _products(self, vectors: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.matmul(self.hessians, vectors[..., None])[..., 0]

    def __repr__(self) -> str:
        return f"QuadraticSum(n_samples={self.n_samples}, dim={self.dim})"
