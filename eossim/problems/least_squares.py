"""Linear regression as a quadratic problem whose numbers come from the data, not from XᵀX."""

import numpy as np
from numpy.typing import ArrayLike

from eossim._check import finite_array, in_interval
from eossim.problems.quadratic import Quadratic, _frozen


class LeastSquares(Quadratic):
    """The loss L(w) = c ‖X w - y‖², with c = loss_scale/n (or loss_scale when not normalised).

    Its Hessian is 2 c XᵀX. Eigenvalues and minimizer come from one singular value decomposition of X:
    small eigenvalues keep their accuracy, and those of the null space are exactly zero. Loss and gradient
    are evaluated from the residuals.

    Args:
        X: Inputs, shape (n, dim); n < dim is allowed.
        y: Targets, shape (n,).
        normalize: Whether the loss is a mean over the samples rather than a sum.
        loss_scale: Positive factor; 0.5 makes the Hessian XᵀX/n.

    Attributes:
        X: The inputs, read-only.
        y: The targets, read-only.
        n_samples: n.
        normalize: As given.
        loss_scale: As given.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong shape, is not finite, or `loss_scale <= 0`.
    """

    def __init__(self, X: ArrayLike, y: ArrayLike, *, normalize: bool = True, loss_scale: float = 0.5) -> None:
        inputs = finite_array("X", X, ndim=2, dtype=np.float64)
        n, dim = inputs.shape
        targets = finite_array("y", y, shape=(n,), dtype=np.float64)
        if not isinstance(normalize, bool | np.bool_):
            raise TypeError(f"normalize must be True or False, got {normalize!r}")
        scale = in_interval("loss_scale", loss_scale, 0, np.inf, open_low=True, open_high=True)
        if scale.ndim:
            raise ValueError(f"loss_scale must be a single number, got shape {scale.shape}")
        self.X, self.y = _frozen(inputs), _frozen(targets)
        self.n_samples = n
        self.normalize = bool(normalize)
        self.loss_scale = float(scale)
        self._factor = self.loss_scale / n if normalize else self.loss_scale  # c

        # With n < dim the full Vᵀ holds a basis of the null space; with n >= dim the thin one is complete.
        U, s, Vt = np.linalg.svd(inputs, full_matrices=n < dim)
        rank = int((s > np.finfo(np.float64).eps * max(n, dim) * s[0]).sum())
        w_star = Vt[:rank].T @ ((U[:, :rank].T @ targets) / s[:rank])
        lam = np.zeros(dim)
        with np.errstate(over="ignore", invalid="ignore"):
            gram = inputs.T @ inputs * (2 * self._factor)
            lam[:rank] = 2 * self._factor * s[:rank] ** 2
        if not (np.isfinite(gram).all() and np.isfinite(lam).all()):
            raise ValueError(f"X is too large: XᵀX overflows, max |X| = {np.abs(inputs).max():g}")
        super().__init__(gram, w_star)
        self.__dict__["_eigen"] = (_frozen(lam[::-1]), _frozen(Vt[::-1].T))
        self._offset = float(self.loss(w_star))

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss c ‖X w - y‖², shape (...), of parameters w of shape (..., dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            residual = self._residual(w)
            return self._factor * (residual * residual).sum(axis=-1)

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient 2 c Xᵀ(X w - y), shape (..., dim), at parameters w of shape (..., dim)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return 2 * self._factor * (self._residual(w) @ self.X)

    def _residual(self, w: ArrayLike) -> np.ndarray:
        """Residuals X w - y, shape (..., n)."""
        return self._points("w", w) @ self.X.T - self.y

    def __repr__(self) -> str:
        return (
            f"LeastSquares(n_samples={self.n_samples}, dim={self.dim}, "
            f"normalize={self.normalize}, loss_scale={self.loss_scale:g})"
        )
