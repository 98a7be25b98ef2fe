"""One random affine step as an operator on second moments: its matrix, its orbits, its spectral radius (derived).

The step is b' = (I - eta U) b, U = A + rho A A', with the batch matrix A of `batches`, and A' that of the ascent batch:
A itself, or independent of it. A second moment S = E[b bᵀ] goes to

    S' = S - eta (G S + S Gᵀ) + eta² N(S),    G = E[U],    N(S) = E[U S Uᵀ] = N_0(S) + rho N_1(S) + rho² N_2(S),

where G and N do not depend on eta, and each N_k neither on rho.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial

import numpy as np

from .batches import Batches

#: Up to this many entries of a second moment, its recursion is written out as a matrix.
_DENSE_UP_TO = 1024

Operator = Callable[[np.ndarray], np.ndarray]


class MomentStep:
    """Expectations of one step, for any eta and rho.

    Args:
        P: Rows p_i of A = (1/s) Σ p_i q_iᵀ, shape (n, dim).
        Q: Rows q_i, shape (n, dim).
        size: s, samples in a batch.
        replacement: Whether a sample may occur several times in a batch.
        independent: Whether the ascent batch is another one, drawn independently.
    """

    def __init__(self, P: np.ndarray, Q: np.ndarray, size: int, replacement: bool, independent: bool) -> None:
        self.batches = Batches(P, Q, size, replacement)
        self.independent = independent
        self.mean = self.batches.power(1)
        self._noise_matrices: dict[int, np.ndarray] = {}

    @property
    def dim(self) -> int:
        """Coordinates of b."""
        return self.batches.dim

    @property
    def is_small(self) -> bool:
        """Whether the operator is handled as a matrix."""
        return self.dim**2 <= _DENSE_UP_TO

    @cached_property
    def _mean_ascent(self) -> np.ndarray:
        """E[A A'], shape (dim, dim)."""
        return self.mean @ self.mean if self.independent else self.batches.power(2)

    def drift(self, rho: float) -> np.ndarray:
        """Return G = E[A + rho A A'], shape (dim, dim)."""
        return self.mean + rho * self._mean_ascent if rho else self.mean

    def noise(self, S: np.ndarray, rho: float) -> np.ndarray:
        """Return N(S) = E[U S Uᵀ] of symmetric S, shape (..., dim, dim)."""
        return np.sum([rho**k * self._noise_part(S, k) for k in _powers_of(rho)], axis=0)

    def advance(self, S: np.ndarray, eta: float, rho: float) -> np.ndarray:
        """Return E[T S Tᵀ] of symmetric S, shape (..., dim, dim)."""
        return S - eta * _with_transpose(self.drift(rho) @ S) + eta**2 * self.noise(S, rho)

    def matrix(self, eta: float, rho: float) -> np.ndarray:
        """Return `advance` as a matrix on the upper triangles of symmetric S, shape (dim(dim+1)/2,) * 2."""
        drift = self._drift_matrix(rho)
        return np.eye(len(drift)) - eta * drift + eta**2 * self._noise_matrix(rho)

    def orbit(self, S: np.ndarray, eta: float, rho: float, points: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the second moment at each of the increasing step numbers `points`, from S at step 0."""
        if self.is_small:
            yield from map(self._full, orbit(self.matrix(eta, rho), S[self._triangle], points))
            return
        done = 0
        for point in points:
            for _ in range(done, point):
                S = self.advance(S, eta, rho)
            done = point
            yield S

    def radius(self, eta: float, rho: float) -> float:
        """Return the spectral radius of `advance`."""
        if self.is_small:
            return _dense_radius(self.matrix(eta, rho))
        return self._iterated_radius(lambda S: self.advance(S, eta, rho))

    def critical_step(self, rho: float) -> float:
        """Return the eta below which `advance` has a spectral radius below 1; G must be symmetric, positive definite.

        It is 1/ϱ of S -> L⁻¹ N(S), L(S) = G S + S G. Both L⁻¹ and N keep matrices positive semidefinite, as does
        `advance`, whose radius is below 1 iff L*(Y) - eta N*(Y) > 0 for some Y > 0 (Lyapunov), that is iff
        eta ϱ(L⁻¹ N) < 1.
        """
        if self.is_small:
            return 1 / _dense_radius(np.linalg.solve(self._drift_matrix(rho), self._noise_matrix(rho)))
        g, basis = np.linalg.eigh(self.drift(rho))
        sums = g[:, None] + g

        def operator(S: np.ndarray) -> np.ndarray:
            return basis @ ((basis.T @ self.noise(S, rho) @ basis) / sums) @ basis.T

        return 1 / self._iterated_radius(operator)

    def _noise_part(self, S: np.ndarray, k: int) -> np.ndarray:
        """Return N_k(S), the part of E[U S Uᵀ] with rho^k."""
        sandwich = self.batches.sandwich
        if k == 0:
            return sandwich(S, 1, 1)
        if k == 1:
            return _with_transpose(sandwich(self.mean @ S, 1, 1) if self.independent else sandwich(S, 2, 1))
        return sandwich(sandwich(S, 1, 1), 1, 1) if self.independent else sandwich(S, 2, 2)

    @cached_property
    def _triangle(self) -> tuple[np.ndarray, np.ndarray]:
        return np.triu_indices(self.dim)

    def _full(self, half: np.ndarray) -> np.ndarray:
        """Return symmetric matrices, shape (..., dim, dim), from upper triangles."""
        rows, columns = self._triangle
        full = np.empty((*half.shape[:-1], self.dim, self.dim))
        full[..., rows, columns] = full[..., columns, rows] = half
        return full

    def _written_out(self, operator: Operator) -> np.ndarray:
        """Return the matrix of an operator on upper triangles."""
        units = self._full(np.eye(len(self._triangle[0])))
        return operator(units)[:, *self._triangle].T

    def _drift_matrix(self, rho: float) -> np.ndarray:
        drift = self.drift(rho)
        return self._written_out(lambda S: _with_transpose(drift @ S))

    def _noise_matrix(self, rho: float) -> np.ndarray:
        for k in _powers_of(rho):
            if k not in self._noise_matrices:
                self._noise_matrices[k] = self._written_out(partial(self._noise_part, k=k))
        return np.sum([rho**k * self._noise_matrices[k] for k in _powers_of(rho)], axis=0)

    def _iterated_radius(self, operator: Operator) -> float:
        """Return the spectral radius of an operator on symmetric matrices that keeps them positive semidefinite."""
        from scipy.sparse.linalg import LinearOperator, eigs

        def product(vector: np.ndarray) -> np.ndarray:
            S = vector.reshape(self.dim, self.dim)
            return operator((S + S.T) / 2).ravel()

        size = self.dim**2
        linear = LinearOperator((size, size), matvec=product, dtype=np.float64)
        return float(abs(eigs(linear, k=1, v0=np.eye(self.dim).ravel(), return_eigenvectors=False)[0]))


def orbit(matrix: np.ndarray, vector: np.ndarray, points: np.ndarray) -> Iterator[np.ndarray]:
    """Yield matrix^k vector for each of the increasing powers `points`, by repeated squaring."""
    squares = [matrix]
    done = 0
    for point in points:
        leap, bit = int(point) - done, 0
        while leap >> bit:
            if bit == len(squares):
                squares.append(squares[-1] @ squares[-1])
            if leap >> bit & 1:
                vector = squares[bit] @ vector
            bit += 1
        done = int(point)
        yield vector


def _powers_of(rho: float) -> tuple[int, ...]:
    return (0, 1, 2) if rho else (0,)


def _with_transpose(stack: np.ndarray) -> np.ndarray:
    return stack + np.swapaxes(stack, -1, -2)


def _dense_radius(matrix: np.ndarray) -> float:
    return float(np.abs(np.linalg.eigvals(matrix)).max())
