"""Second-order regression: a model that is quadratic in its parameters, fitted by least squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._check import finite_array, real_array, symmetric
from ..quadratic import _frozen
from ._flat import FlatProblem


class SecondOrderRegression(FlatProblem):
    """The loss L(θ) = ½‖z‖² of the residuals z = y + Gθ + ½Q(θ, θ): the simplest model with an edge of stability.

    Source: arXiv:2210.04860. With one datum and Q of the eigenvalues 1 and -ε only, gradient descent closes in the pair
    of `unit_free`, and `invariant` is conserved: see `maps.second_order`.

    Args:
        y: Residuals at θ = 0, shape (n,).
        G: Jacobian at θ = 0, shape (n, dim).
        Q: Hessians of the n residuals, shape (n, dim, dim), each symmetric.

    Attributes:
        y: As given, read-only.
        G: As given, read-only.
        Q: As given, read-only.
        n_residuals: n.
        dim: Number of parameters.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If shapes do not fit, an argument is not finite or a Q is not symmetric.
    """

    def __init__(self, y: ArrayLike, G: ArrayLike, Q: ArrayLike) -> None:
        self.y = _frozen(finite_array("y", y, ndim=1, dtype=np.float64))
        self.n_residuals = len(self.y)
        self.G = _frozen(finite_array("G", G, shape=(self.n_residuals, None), dtype=np.float64))
        self.dim = self.G.shape[1]
        stack = finite_array("Q", Q, shape=(self.n_residuals, self.dim, self.dim), dtype=np.float64)
        self.Q = _frozen(np.stack([symmetric(f"Q[{i}]", matrix) for i, matrix in enumerate(stack)]))

    def residual(self, w: ArrayLike) -> np.ndarray:
        """Residuals z, shape (..., n), of parameters w of shape (..., dim)."""
        with np.errstate(all="ignore"):
            return self._residual(self.points("w", w))

    def jacobian(self, w: ArrayLike) -> np.ndarray:
        """Jacobian J = G + Qθ of the residuals, shape (..., n, dim)."""
        with np.errstate(all="ignore"):
            return self._jacobian(self.points("w", w))

    def ntk(self, w: ArrayLike) -> np.ndarray:
        """Tangent kernel J Jᵀ, shape (..., n, n)."""
        with np.errstate(all="ignore"):
            J = self._jacobian(self.points("w", w))
            return J @ np.swapaxes(J, -1, -2)

    def unit_free(self, w: ArrayLike, eta: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return (ηz, ηJJᵀ), the state of `maps.second_order`, for one datum; each of the broadcast shape (...).

        Args:
            w: Parameters, shape (..., dim).
            eta: Step size η, broadcast against the leading axes of w.

        Raises:
            ValueError: If there is more than one datum.
        """
        self._one_datum("unit_free")
        step = real_array("eta", eta, dtype=np.float64)
        with np.errstate(all="ignore"):
            return step * self.residual(w)[..., 0], step * self.ntk(w)[..., 0, 0]

    def invariant(self, w: ArrayLike, eta: ArrayLike) -> np.ndarray:
        """Return E = η(z - ½ J Q⁻¹ Jᵀ), shape (...): conserved by gradient descent for one datum and an invertible Q.

        E = η(y - ½ G Q⁻¹ Gᵀ), whatever w: it is a constant of the model, here read off at w (derived).

        Raises:
            ValueError: If there is more than one datum.
            numpy.linalg.LinAlgError: If Q is singular.
        """
        self._one_datum("invariant")
        J = self.jacobian(w)[..., 0, :]
        with np.errstate(all="ignore"):
            form = (J * np.linalg.solve(self.Q[0], J[..., None])[..., 0]).sum(-1)
            return real_array("eta", eta, dtype=np.float64) * (self.residual(w)[..., 0] - 0.5 * form)

    def _one_datum(self, what: str) -> None:
        if self.n_residuals > 1:
            raise ValueError(f"{what} is defined for one datum, this problem has {self.n_residuals}")

    def _residual(self, w: np.ndarray) -> np.ndarray:
        return self.y + (0.5 * (self._curved(w) + 2 * self.G) @ w[..., None])[..., 0]

    def _jacobian(self, w: np.ndarray) -> np.ndarray:
        return self.G + self._curved(w)

    def _curved(self, w: np.ndarray) -> np.ndarray:
        """Return Qθ, shape (..., n, dim)."""
        return np.matmul(self.Q, w[..., None, :, None])[..., 0]

    def _loss(self, w: np.ndarray) -> np.ndarray:
        return 0.5 * (self._residual(w) ** 2).sum(-1)

    def _grad(self, w: np.ndarray) -> np.ndarray:
        return (self._residual(w)[..., None] * self._jacobian(w)).sum(-2)

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        J = self._jacobian(w)
        change = J @ v[..., None]
        return (change * J + self._residual(w)[..., None] * self._curved(v)).sum(-2)

    def __repr__(self) -> str:
        return f"SecondOrderRegression(n_residuals={self.n_residuals}, dim={self.dim})"
