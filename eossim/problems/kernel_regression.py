"""Kernel regression as a quadratic problem: least squares over a space of functions."""

import inspect
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from eossim._check import finite_array, positive_int, real_array, symmetric, unknown
from eossim.problems.regression import Regression, RegressionModes

#: Kernels of scikit-learn that are positive semidefinite for suitable parameters, with these parameters.
_KERNELS: dict[str, tuple[str, ...]] = {
    "chi2": ("gamma",),
    "cosine": (),
    "laplacian": ("gamma",),
    "linear": (),
    "poly": ("degree", "gamma", "coef0"),
    "polynomial": ("degree", "gamma", "coef0"),
    "rbf": ("gamma",),
    "sigmoid": ("gamma", "coef0"),
}
_EPS = np.finfo(np.float64).eps
#: Negative eigenvalues up to this size, relative to the largest one, are taken for rounding errors of K.
_ROUNDING = 1e-10


class KernelRegression(Regression):
    """The loss f(g) = 1/(2n) Σ (yᵢ - g(xᵢ))² over functions g of the space with reproducing kernel k.

    Gradients are those of the function space, ∇f(g) = (1/n) Σ (g(xᵢ) - yᵢ) k(xᵢ, ·), not the Euclidean ones in the
    coefficients αᵢ of g = Σ αᵢ k(xᵢ, ·), which would put K² where K belongs. With K = U diag(n μ) Uᵀ over the modes
    of positive μ, parameters w are the coordinates of g along the orthonormal functions
    eᵢ = (n μᵢ)^(-1/2) Σⱼ Uⱼᵢ k(xⱼ, ·). So the Euclidean norm of w is the norm of the function, and every rule that
    commutes with rotations (gd, sam, usam, momentum) acts as in function space; one that works coordinate by
    coordinate sees the eigenbasis. In these coordinates:

    - values at the samples: Φ w with the features Φ = U diag(√(n μ));
    - Hessian: diag(μ), the spectrum of K/n, largest first;
    - minimizer: wᵢ* = uᵢᵀ y / √(n μᵢ). What of y lies outside the range of K stays as the offset of the loss.

    The zero function is w = 0. Functions that vanish at all samples have zero gradient and are left out. A linear
    kernel K = X Xᵀ gives the fitted values of ``LeastSquares(X, y)`` under gd and usam with the same eta and rho,
    both started at 0.

    Source: arXiv:2302.11836 for SAM on kernel regression; coordinates and bounds derived.

    Args:
        K: Kernel matrix k(xᵢ, xⱼ), shape (n, n), symmetric and positive semidefinite. Its decomposition is kept, not
            K itself.
        y: Targets, shape (n,).
        eigenpairs: None for the full decomposition. A number restricts the functions to the span of that many
            leading modes; `omitted_curvature` and `omitted_trace` then bound what is left out.

    Attributes:
        kernel: Name of the kernel, None when made from a matrix.
        kernel_parameters: Its parameters as given.
        y: The targets, read-only.
        n_samples: n.
        loss_factor: 1/(2n).
        omitted_curvature: Upper bound of each left-out eigenvalue of K/n; 0 when nothing was left out.
        omitted_trace: Sum of the left-out eigenvalues of K/n, up to rounding.

    Eigenvalues of K are accurate to about n times the machine precision times the largest one. Those below that
    count as zero, and so do those no larger than the most negative one, which shows how exact K itself is. A
    negative one beyond 1e-10 of the largest is an error.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong shape or is not finite, K is zero, beyond 1e150, not symmetric or not
            positive semidefinite, or `eigenpairs` is not between 1 and n.
    """

    kernel: str | None
    kernel_parameters: dict[str, Any]
    _cross: partial | None

    def __init__(self, K: ArrayLike, y: ArrayLike, *, eigenpairs: int | None = None) -> None:
        given = np.asarray(K)
        gram = finite_array("K", given, ndim=2, dtype=np.float64)
        self._set_up(gram, y, eigenpairs, overwrite=not np.may_share_memory(gram, given))
        self.kernel, self.kernel_parameters, self._cross = None, {}, None

    @classmethod
    def from_data(
        cls,
        X: ArrayLike,
        y: ArrayLike,
        kernel: str = "rbf",
        *,
        eigenpairs: int | None = None,
        **kernel_parameters: Any,
    ) -> "KernelRegression":
        """Return the problem with a kernel of `sklearn.metrics.pairwise` between the rows of X.

        Args:
            X: Inputs, shape (n, p).
            y: Targets, shape (n,).
            kernel: "rbf" or "laplacian" (gamma), "poly" or "polynomial" (degree, gamma, coef0), "linear", "cosine",
                "chi2" (gamma; X must not be negative) or "sigmoid" (gamma, coef0; rarely positive semidefinite).
            eigenpairs: As for the class.
            kernel_parameters: Parameters named above; what is not given has scikit-learn's default.

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If the kernel or one of its parameters is unknown or out of its domain, the kernel matrix is
                not positive semidefinite, or as for the class.
        """
        if not isinstance(kernel, str):
            raise TypeError(f"kernel must be a string, got {kernel!r}")
        if kernel not in _KERNELS:
            raise unknown("kernel", kernel, _KERNELS)
        for name in kernel_parameters:
            if name not in _KERNELS[kernel]:
                raise unknown(f"parameter of the {kernel} kernel", name, _KERNELS[kernel])
        inputs = finite_array("X", X, ndim=2, dtype=np.float64).copy()
        targets = finite_array("y", y, shape=(len(inputs),), dtype=np.float64)
        from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS  # slow to import

        evaluate = partial(PAIRWISE_KERNEL_FUNCTIONS[kernel], **kernel_parameters)
        problem = cls.__new__(cls)
        problem._set_up(evaluate(inputs), targets, eigenpairs, overwrite=True)
        problem.kernel, problem.kernel_parameters = kernel, kernel_parameters
        problem._cross = partial(evaluate, Y=inputs)
        return problem

    def _set_up(self, K: np.ndarray, y: ArrayLike, eigenpairs: int | None, *, overwrite: bool) -> None:
        gram = symmetric("K", K)
        n = len(gram)
        targets = finite_array("y", y, shape=(n,), dtype=np.float64)
        if eigenpairs is not None and positive_int("eigenpairs", eigenpairs) > n:
            raise ValueError(f"eigenpairs must be at most the number of samples {n}, got {eigenpairs}")
        largest = float(np.abs(gram).max())
        if largest / n == 0:
            raise ValueError("K must not be zero")
        if largest > 1e150:
            raise ValueError(f"K is too large: its squares overflow, max |K| = {largest:g}")
        trace = float(np.trace(gram))
        if eigenpairs is None or eigenpairs == n:
            lam, U = _all_pairs(gram if overwrite or gram is not K else gram.copy())
        else:
            lam, U, level = _largest_pairs(gram, eigenpairs)
            if len(lam) == eigenpairs:  # else everything left out counts as zero
                self.omitted_curvature = level / n
                self.omitted_trace = max(trace - float(lam.sum()), 0.0) / n
        singular = np.sqrt(lam)
        super().__init__(
            targets,
            U,
            singular,
            loss_factor=0.5 / n,
            normalize=True,
            hessian=lam / n,
            minimizer=(targets @ U) / singular,
        )

    @property
    def features(self) -> np.ndarray:
        """Φ = U diag(√(n μ)), shape (n, dim), computed at each call: as large as K when all modes are kept."""
        return self._samples * self._singular

    @property
    def modes(self) -> RegressionModes:
        """Decomposition of the features; their directions are the axes, so V is the identity."""
        line = np.zeros(2 * self.dim - 1)
        line[self.dim - 1] = 1.0
        identity = np.lib.stride_tricks.sliding_window_view(line, self.dim)[::-1]  # a view on the line
        return RegressionModes(self.curvature, self._singular, self._samples, identity)

    def coefficients(self, w: ArrayLike) -> np.ndarray:
        """Coefficients α = U diag(n μ)^(-1/2) w of the function Σ αᵢ k(xᵢ, ·); those in the range of K.

        Args:
            w: Parameters, shape (..., dim).

        Returns:
            α, shape (..., n), with K α = `fitted(w)`.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return (self._points("w", w) / self._singular) @ self._samples.T

    def coordinates(self, values: ArrayLike) -> np.ndarray:
        """Parameters of the function that takes the given values at the samples.

        Args:
            values: Shape (..., n). What lies outside the span of the kept modes is projected away.

        Returns:
            w = diag(n μ)^(-1/2) Uᵀ values, shape (..., dim).
        """
        array = real_array("values", values, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self.n_samples:
            raise ValueError(f"values must have shape (..., {self.n_samples}), got {array.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            return (array @ self._samples) / self._singular

    def predict(self, w: ArrayLike, K_new: ArrayLike) -> np.ndarray:
        """Values K_new α of the function at m new points.

        Args:
            w: Parameters, shape (..., dim).
            K_new: Kernel between the new points and the samples, shape (m, n); `cross_kernel(X_new)` for a problem
                from data.

        Returns:
            Predictions, shape (..., m).
        """
        cross = finite_array("K_new", K_new, shape=(None, self.n_samples), dtype=np.float64)
        alpha = self.coefficients(w)
        with np.errstate(over="ignore", invalid="ignore"):
            return alpha @ cross.T

    def cross_kernel(self, X_new: ArrayLike) -> np.ndarray:
        """Kernel between new inputs of shape (m, p) and the samples, shape (m, n).

        Raises:
            ValueError: If the problem was made from a matrix rather than by `from_data`, or X_new does not fit.
        """
        if self._cross is None:
            raise ValueError("this problem was made from a kernel matrix: from_data keeps the inputs and the kernel")
        width = self._cross.keywords["Y"].shape[1]
        array = finite_array("X_new", X_new, shape=(None, width), dtype=np.float64)
        return self._cross(np.require(array, requirements="W"))  # chi2 does not accept a read-only array

    def _predictions(self, w: np.ndarray) -> np.ndarray:
        return (w * self._singular) @ self._samples.T

    def _transposed(self, residual: np.ndarray) -> np.ndarray:
        return (residual @ self._samples) * self._singular

    def __repr__(self) -> str:
        words = [f"n_samples={self.n_samples}, dim={self.dim}"]
        if self.kernel is not None:
            words += [f"kernel={self.kernel!r}", *(f"{k}={v!r}" for k, v in self.kernel_parameters.items())]
        return f"KernelRegression({', '.join(words)})"


def _all_pairs(K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positive eigenvalues, largest first, and their eigenvectors as columns; K is overwritten."""
    from scipy.linalg import eigh

    lam, U = eigh(K.T, overwrite_a=True, check_finite=False, driver="evd")  # K.T: LAPACK works in place on columns
    if lam[0] < -_ROUNDING * np.abs(lam).max():
        raise _indefinite(lam[0])
    return _positive(lam[::-1], U[:, ::-1], cut=-lam[0])


def _largest_pairs(K: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the `count` largest pairs of K, less those that count as zero, and a bound of the other eigenvalues.

    Lanczos iterations can miss an eigenvalue without a sign of it, so the bound is verified: that
    level - (K - U diag(λ) Uᵀ) has a Cholesky factor proves that every eigenvalue but `count` is below level, however
    inexact the pairs are (Weyl's inequality). If it has none, a direct method takes over.
    """
    from scipy.linalg import eigh
    from scipy.sparse.linalg import ArpackError, eigsh

    n = len(K)
    # A start without randomness; newer versions of SciPy also draw restarts.
    fixed: dict[str, Any] = {"v0": np.random.default_rng(0).standard_normal(n)}
    if "rng" in inspect.signature(eigsh).parameters:
        fixed["rng"] = 0
    try:
        lam, U = eigsh(K, count, which="LA", **fixed)
    except ArpackError:
        level = None
    else:
        level = _level(K, lam, U)
    if level is None:
        lam, U = eigh(K, subset_by_index=(n - count, n - 1), check_finite=False)
        level = lam[0] + _margin(K, lam, U)
    size = np.abs(lam).max()
    if lam[-1] <= 0 or not _has_cholesky_factor(K.copy(), _ROUNDING * size):
        raise _indefinite(np.linalg.eigvalsh(K)[0])
    order = np.argsort(lam)[::-1]
    return *_positive(lam[order], U[:, order], cut=0.0), level


def _level(K: np.ndarray, lam: np.ndarray, U: np.ndarray) -> float | None:
    """Return a verified bound of all eigenvalues of K but len(lam), or None.

    It is the smallest pair or the remaining trace, which negative eigenvalues of a rounded K can falsify.
    """
    level = min(lam.min(), max(np.trace(K) - lam.sum(), 0.0)) + _margin(K, lam, U)
    rest = (U * lam) @ U.T
    rest -= K
    return level if _has_cholesky_factor(rest, level) else None


def _margin(K: np.ndarray, lam: np.ndarray, U: np.ndarray) -> float:
    """Error of computed eigenvalues: residual of the pairs plus rounding."""
    return np.linalg.norm(K @ U - U * lam, axis=0).max() + 10 * len(K) * _EPS * np.abs(lam).max()


def _has_cholesky_factor(A: np.ndarray, shift: float) -> bool:
    """Whether the symmetric matrix A + shift is positive definite; A is overwritten."""
    from scipy.linalg import LinAlgError, cholesky

    A.flat[:: len(A) + 1] += shift
    try:
        cholesky(A.T, lower=True, overwrite_a=True, check_finite=False)
    except LinAlgError:
        return False
    return True


def _positive(lam: np.ndarray, U: np.ndarray, *, cut: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what is above the rounding errors, in columns of their own, with the larger half of each upwards."""
    n = len(U)
    rank = int(((lam > max(cut, n * _EPS * lam[0])) & (lam / n > 0)).sum())
    U = U[:, :rank].copy(order="F")
    U *= np.where(U.max(axis=0) < -U.min(axis=0), -1.0, 1.0)
    return lam[:rank].copy(), U


def _indefinite(smallest: float) -> ValueError:
    return ValueError(f"K must be positive semidefinite, smallest eigenvalue {smallest:g}")
