"""Three ways to the curvature of batches: from features, from dense Hessians, from products alone."""

from __future__ import annotations

import numpy as np

from .._jit import summing
from ..problems import FiniteSum, Regression
from .point import Point

#: Numbers in a temporary array.
_CHUNK = 1 << 21
#: Order up to which all eigenvalues of many matrices at a time are cheaper than the largest one of each.
_SMALL = 128


class RegressionPoint(Point):
    """Squared errors: gᵢ = c rᵢ φᵢ and Hᵢ = c φᵢ φᵢᵀ, so sᵀ H_B s = (c/b) Σ (φᵢᵀ s)²."""

    def __init__(self, problem: Regression, w: np.ndarray, gradients: np.ndarray) -> None:
        features = np.ascontiguousarray(problem.features)
        self._curvature = 2 * problem.loss_factor * problem.n_samples  # c
        residuals = problem.fitted(w) - problem.y
        reach = np.abs(features) @ np.abs(w) + np.abs(problem.y)  # the terms of a residual without cancellation
        super().__init__(gradients, self._curvature * np.linalg.norm(features, axis=1) * reach)
        self._problem, self._w, self._features = problem, w, features
        self._residuals = residuals * (self._curvature / self.unit)

    def cost(self, batch_size: int) -> float:
        return 2.0 * batch_size * self.dim + 20

    def _forms(self, batches: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        out = np.empty((3, len(batches)))
        _regression_forms(self._features, self._residuals, self._curvature, shift, batches, out)
        return out[0], out[1], out[2]

    def lambda_max(self, batches: np.ndarray) -> np.ndarray:
        size = batches.shape[1]
        lam = np.empty(len(batches))
        step = max(1, _CHUNK // (size * self.dim))
        for first in range(0, len(batches), step):
            rows = self._features[batches[first : first + step]]
            flipped = rows.transpose(0, 2, 1)
            lam[first : first + step] = largest(rows @ flipped if size <= self.dim else flipped @ rows)
        return np.maximum(lam, 0.0) * (self._curvature / size)

    def sharpness(self) -> float:
        return float(self._problem.eigenvalues[-1])

    def sample_products(self, vectors: np.ndarray) -> np.ndarray:
        return self._problem.sample_hvp(self._w, vectors)

    def full_products(self, vectors: np.ndarray) -> np.ndarray:
        return self._problem.hvp(self._w, vectors)


@summing
def _regression_forms(
    features: np.ndarray,
    residuals: np.ndarray,
    curvature: float,
    shift: np.ndarray,
    batches: np.ndarray,
    out: np.ndarray,
) -> None:
    """Fill the rows of `out` with sᵀ H_B s, sᵀ g_B and ‖s‖; residuals contain the curvature."""
    count, size = batches.shape
    dim = features.shape[1]
    g, s = np.empty(dim), np.empty(dim)
    for k in range(count):
        g[:] = 0.0
        for j in range(size):
            i = batches[k, j]
            r = residuals[i] / size
            for a in range(dim):
                g[a] += r * features[i, a]
        along, norm = 0.0, 0.0
        for a in range(dim):
            s[a] = shift[a] + g[a]
            along += s[a] * g[a]
            norm += s[a] * s[a]
        squares = 0.0
        for j in range(size):
            i = batches[k, j]
            u = 0.0
            for a in range(dim):
                u += features[i, a] * s[a]
            squares += u * u
        out[0, k] = squares * (curvature / size)
        out[1, k] = along
        out[2, k] = np.sqrt(norm)


class DensePoint(Point):
    """The Hessian of every sample as a matrix: those of batches are a sparse matrix of counts times all of them."""

    def __init__(self, hessians: np.ndarray, gradients: np.ndarray, sizes: np.ndarray) -> None:
        super().__init__(gradients, sizes)
        self._hessians = hessians

    def cost(self, batch_size: int) -> float:
        return 2.0 * (batch_size + 1) * self.dim**2 + 100

    def _means(self, batches: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return the means of rows, shape (n, any), over batches."""
        from scipy.sparse import csr_array

        count, size = batches.shape
        start = np.arange(0, batches.size + 1, size)
        weights = csr_array((np.full(batches.size, 1.0), batches.ravel(), start), shape=(count, self.n_samples))
        return (weights @ rows) / size

    def _matrices(self, batches: np.ndarray) -> np.ndarray:
        means = self._means(batches, self._hessians.reshape(self.n_samples, -1))
        return means.reshape(len(batches), self.dim, self.dim)

    def _pieces(self, batches: np.ndarray) -> list[slice]:
        step = max(1, _CHUNK // self.dim**2)
        return [slice(first, first + step) for first in range(0, len(batches), step)]

    def _forms(self, batches: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        g = self._means(batches, self.gradients)
        s = g + shift
        numerator = np.empty(len(batches))
        for piece in self._pieces(batches):
            product = np.matmul(self._matrices(batches[piece]), s[piece, :, None])[..., 0]
            numerator[piece] = (s[piece] * product).sum(axis=1)
        return numerator, (s * g).sum(axis=1), np.linalg.norm(s, axis=1)

    def lambda_max(self, batches: np.ndarray) -> np.ndarray:
        return np.concatenate([largest(self._matrices(batches[piece])) for piece in self._pieces(batches)])

    def sharpness(self) -> float:
        return float(largest(self._hessians.mean(axis=0)[None])[0])

    def sample_products(self, vectors: np.ndarray) -> np.ndarray:
        each = np.broadcast_to(vectors, (self.n_samples, self.dim))
        return np.matmul(self._hessians, each[..., None])[..., 0]

    def full_products(self, vectors: np.ndarray) -> np.ndarray:
        return vectors @ self._hessians.mean(axis=0)


class MatrixFreePoint(Point):
    """Products with the Hessians of samples alone: for problems with many parameters.

    One call of `sample_hvp` takes a vector per sample, so batches without a common sample share a call.
    """

    patience = 1000

    def __init__(self, problem: FiniteSum, w: np.ndarray, gradients: np.ndarray, sizes: np.ndarray) -> None:
        super().__init__(gradients, sizes)
        self._problem, self._w = problem, w

    def cost(self, batch_size: int) -> float:
        return 10.0 * batch_size * self.dim + 1e6

    def _forms(self, batches: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        numerator, denominator, norms = np.empty((3, len(batches)))
        for group in _disjoint(batches, self.n_samples):
            vectors = np.zeros((self.n_samples, self.dim))
            for k in group:
                g = self.gradients[batches[k]].mean(axis=0)
                s = vectors[batches[k]] = shift + g
                denominator[k], norms[k] = s @ g, np.linalg.norm(s)
            along = (vectors * self.sample_products(vectors)).sum(axis=1)
            for k in group:
                numerator[k] = along[batches[k]].mean()
        return numerator, denominator, norms

    def lambda_max(self, batches: np.ndarray) -> np.ndarray:
        return np.array([self._largest(batch) for batch in batches])

    def sharpness(self) -> float:
        return self._largest(np.arange(self.n_samples))

    def _largest(self, batch: np.ndarray) -> float:
        from scipy.sparse.linalg import LinearOperator, eigsh

        def product(v: np.ndarray) -> np.ndarray:
            return self.sample_products(v.ravel())[batch].mean(axis=0)

        start = np.random.default_rng(0).standard_normal((self.dim,))
        if self.dim == 1:
            return float(product(start)[0] / start[0])
        if not product(start).any():
            return 0.0
        operator = LinearOperator((self.dim, self.dim), matvec=product, dtype=np.float64)
        return float(eigsh(operator, 1, which="LA", v0=start, return_eigenvectors=False)[0])

    def sample_products(self, vectors: np.ndarray) -> np.ndarray:
        each = np.broadcast_to(vectors, (self.n_samples, self.dim))
        return np.asarray(self._problem.sample_hvp(self._w, each), dtype=np.float64)

    def full_products(self, vectors: np.ndarray) -> np.ndarray:
        if hasattr(self._problem, "hvp"):  # one product for all samples, where the mean of n would be taken
            return np.stack([np.asarray(self._problem.hvp(self._w, v), dtype=np.float64) for v in vectors])
        return np.stack([self.sample_products(v).mean(axis=0) for v in vectors])


def _disjoint(batches: np.ndarray, n_samples: int) -> list[list[int]]:
    """Return groups of batch numbers such that no sample stands in two batches of a group."""
    used = np.zeros(n_samples, dtype=np.int64)  # groups that a sample stands in already, at least
    groups: list[list[int]] = []
    for k, batch in enumerate(batches):
        level = int(used[batch].max())
        used[batch] = level + 1
        if level == len(groups):
            groups.append([])
        groups[level].append(k)
    return groups


def largest(matrices: np.ndarray) -> np.ndarray:
    """Return the largest (algebraic) eigenvalue of every symmetric matrix, shape (count, dim, dim)."""
    order = matrices.shape[-1]
    if order <= _SMALL:
        return np.linalg.eigvalsh(matrices)[:, -1]
    from scipy.linalg import eigh

    top = (order - 1, order - 1)
    return np.array([eigh(A, eigvals_only=True, subset_by_index=top, check_finite=False)[0] for A in matrices])
