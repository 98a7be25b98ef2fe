"""Quadratic losses: the exact local model of every smooth loss at the edge of stability."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from eossim._check import finite_array, positive_int, real_array, symmetric


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only copy, so that cached results cannot be changed from outside."""
    copy = array.copy()
    copy.flags.writeable = False
    return copy


class Quadratic:
    """The quadratic loss L(w) = ½ (w - w*)ᵀ H (w - w*).

    Parameters have shape (..., dim): leading axes are a batch of runs. A diverged run is a result, so
    parameters may hold NaN and infinity; they give NaN or infinity back without a warning.

    Args:
        hessian: H. Shape (dim,): the diagonal of a diagonal matrix. Shape (dim, dim): a symmetric matrix.
            Any signature is allowed.
        minimizer: w*, shape (dim,); the origin by default. For an indefinite H it is a saddle.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If an argument has a wrong shape, is not finite, or H is not symmetric.
    """

    def __init__(self, hessian: ArrayLike, minimizer: ArrayLike | None = None) -> None:
        H = finite_array("hessian", hessian, ndim=(1, 2), dtype=np.float64)
        self._hessian = _frozen(symmetric("hessian", H) if H.ndim == 2 else H)
        dim = len(H)
        w_star = np.zeros(dim) if minimizer is None else minimizer
        self._minimizer = _frozen(finite_array("minimizer", w_star, shape=(dim,), dtype=np.float64))
        self._offset = 0.0

    @classmethod
    def from_spectrum(cls, eigenvalues: ArrayLike, *, seed: int = 0, minimizer: ArrayLike | None = None) -> "Quadratic":
        """Return a dense problem with the given eigenvalues in a random basis.

        H = Q diag(λ) Qᵀ with Q Haar-distributed on the orthogonal group: the Q factor of a Gaussian matrix,
        with the signs fixed by diag(R) > 0.

        Args:
            eigenvalues: λ, shape (dim,), in any order.
            seed: Seed of `numpy.random.default_rng`, at least 0.
            minimizer: w*, shape (dim,).

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If an argument has a wrong shape or value.
        """
        lam = np.sort(finite_array("eigenvalues", eigenvalues, ndim=1, dtype=np.float64))
        rng = np.random.default_rng(positive_int("seed", seed, minimum=0))
        Q, R = np.linalg.qr(rng.standard_normal((lam.size, lam.size)))
        Q *= np.where(np.diag(R) < 0, -1.0, 1.0)
        problem = Quadratic((Q * lam) @ Q.T, minimizer)
        # The decomposition is known exactly; eigh would only blur it.
        problem.__dict__["_eigen"] = (_frozen(lam), _frozen(Q))
        return problem

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return len(self._hessian)

    @property
    def minimizer(self) -> np.ndarray:
        """The stationary point w*, shape (dim,), read-only."""
        return self._minimizer

    @property
    def offset(self) -> float:
        """The loss at w*: L(w) = offset + ½ (w - w*)ᵀ H (w - w*)."""
        return self._offset

    @property
    def is_diagonal(self) -> bool:
        """Whether H was given as a diagonal."""
        return self._hessian.ndim == 1

    @property
    def curvature(self) -> np.ndarray:
        """The diagonal of H, coordinate by coordinate, shape (dim,), read-only.

        Raises:
            AttributeError: If the problem is not diagonal (so that `hasattr` tells).
        """
        if not self.is_diagonal:
            raise AttributeError("curvature exists for a diagonal problem only; see eigenvalues")
        return self._hessian

    @property
    def eigenvalues(self) -> np.ndarray:
        """Eigenvalues of H in ascending order, shape (dim,), read-only; computed once."""
        return self._eigen[0]

    @property
    def eigenvectors(self) -> np.ndarray:
        """Orthonormal eigenvectors of H as columns, shape (dim, dim), in the order of `eigenvalues`.

        For a diagonal problem a permutation matrix. Read-only; computed once.
        """
        return self._eigen[1]

    @cached_property
    def _eigen(self) -> tuple[np.ndarray, np.ndarray]:
        if self.is_diagonal:
            order = np.argsort(self._hessian, kind="stable")
            return _frozen(self._hessian[order]), _frozen(np.eye(self.dim)[:, order])
        lam, Q = np.linalg.eigh(self._hessian)
        return _frozen(lam), _frozen(Q)

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss L(w), shape (...), of parameters w of shape (..., dim)."""
        d = self._points("w", w) - self._minimizer
        with np.errstate(over="ignore", invalid="ignore"):
            return self._offset + 0.5 * (d * self._multiply(d)).sum(axis=-1)

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient H (w - w*), shape (..., dim), at parameters w of shape (..., dim)."""
        return self._multiply(self._points("w", w) - self._minimizer)

    def hvp(self, w: ArrayLike, v: ArrayLike) -> np.ndarray:
        """Hessian-vector product H v at w; both of shape (..., dim), leading axes broadcast.

        H does not depend on w, so the values of w do not matter.
        """
        w, v = self._points("w", w), self._points("v", v)
        try:
            shape = np.broadcast_shapes(w.shape, v.shape)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {w.shape}, got {v.shape}") from None
        return np.broadcast_to(self._multiply(v), shape).copy()

    def hessian(self, w: ArrayLike | None = None) -> np.ndarray:
        """Dense Hessian H, shape (dim, dim), the same at every w; a new array at each call."""
        if w is not None:
            self._points("w", w)
        return np.diag(self._hessian) if self.is_diagonal else self._hessian.copy()

    def _multiply(self, d: np.ndarray) -> np.ndarray:
        """Return H d along the last axis; H is symmetric, so d @ H serves for a batch."""
        with np.errstate(over="ignore", invalid="ignore"):
            return d * self._hessian if self.is_diagonal else d @ self._hessian

    def _points(self, name: str, value: ArrayLike) -> np.ndarray:
        """Validate an array of parameter vectors, shape (..., dim); NaN and infinity pass."""
        array = real_array(name, value, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.dim:
            raise ValueError(f"{name} must have shape (..., {self.dim}), got {array.shape}")
        return array

    def __repr__(self) -> str:
        return f"{type(self).__name__}(dim={self.dim}, {'diagonal' if self.is_diagonal else 'dense'})"
