"""Linear regression as a quadratic problem whose numbers come from the data, not from XᵀX."""

import numpy as np
from numpy.typing import ArrayLike

from eossim._check import finite_array, in_interval
from eossim.problems.quadratic import _frozen
from eossim.problems.regression import Regression


class LeastSquares(Regression):
    """The loss L(w) = c ‖X w - y‖², with c = loss_scale/n (or loss_scale when not normalised).

    Its Hessian is 2 c XᵀX. Eigenvalues and minimizer come from one singular value decomposition of X:
    small eigenvalues keep their accuracy, and those of the null space are exactly zero. Singular values up to
    max(n, dim) times the machine precision times the largest count as zero. Loss and gradient are evaluated
    from the residuals.

    Args:
        X: Inputs, shape (n, dim); n < dim is allowed.
        y: Targets, shape (n,).
        normalize: Whether the loss is a mean over the samples rather than a sum.
        loss_scale: Positive factor; 0.5 makes the Hessian XᵀX/n.

    Attributes:
        X: The inputs, read-only.
        y: The targets, read-only.
        loss_scale: As given.
        n_samples: n.
        loss_factor: c.
        normalize: As given.

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
        self.X = _frozen(inputs)
        self.loss_scale = float(scale)
        factor = self.loss_scale / n if normalize else self.loss_scale  # c

        # With n < dim the full Vᵀ holds a basis of the null space; with n >= dim the thin one is complete.
        U, s, Vt = np.linalg.svd(inputs, full_matrices=n < dim)
        lam = np.zeros(dim)
        with np.errstate(over="ignore", invalid="ignore"):
            gram = inputs.T @ inputs * (2 * factor)
            lam[: s.size] = 2 * factor * s**2
        # A curvature that underflows is one of zero.
        rank = int(((s > np.finfo(np.float64).eps * max(n, dim) * s[0]) & (lam[: s.size] > 0)).sum())
        lam[rank:] = 0
        if not (np.isfinite(gram).all() and np.isfinite(lam).all()):
            raise ValueError(f"X is too large: XᵀX overflows, max |X| = {np.abs(inputs).max():g}")
        w_star = Vt[:rank].T @ ((U[:, :rank].T @ targets) / s[:rank])
        self.__dict__["_eigen"] = (_frozen(lam[::-1]), _frozen(Vt[::-1].T))
        super().__init__(
            targets,
            U[:, :rank].copy(),
            s[:rank],
            loss_factor=factor,
            normalize=bool(normalize),
            hessian=gram,
            minimizer=w_star,
        )

    @property
    def features(self) -> np.ndarray:
        """The inputs X, shape (n, dim), read-only."""
        return self.X

    def __repr__(self) -> str:
        return (
            f"LeastSquares(n_samples={self.n_samples}, dim={self.dim}, "
            f"normalize={self.normalize}, loss_scale={self.loss_scale:g})"
        )
