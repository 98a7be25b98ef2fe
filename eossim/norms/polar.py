"""Polar factors and singular values of batches of matrices: exactly by SVD, or by the iteration that training uses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, positive_int, real_array
from .coordinate import euclidean, nonzero

#: How a polar factor is computed.
METHODS = ("svd", "newton_schulz")

#: p(σ) = aσ + bσ³ + cσ⁵ of each step: best odd quintics on where the singular values from [1e-3, 1] have got to
#: ("Polar Express", arXiv:2505.16932), with the published margin of 1 % for rounding; the last one from then on.
_MARGIN = 1.01
_QUINTICS = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
]
_LAST = (15 / 8, -10 / 8, 3 / 8)


def polar_factor(G: ArrayLike, method: str = "svd", steps: int = 5) -> np.ndarray:
    """Return U Vᵀ of the singular value decomposition G = U Σ Vᵀ: the maximiser of <G, D> over σ_max(D) <= 1.

    Args:
        G: Matrices, shape (..., m, n), of any magnitude; those with NaN or infinity give NaN.
        method: ``"svd"``, where singular values up to max(m, n) eps σ_max count as zero; or ``"newton_schulz"``, an
            iteration of matrix products alone (the quintic "Polar Express", arXiv:2505.16932). It keeps the singular
            vectors and takes singular values of 1e-3 ‖G‖_F and more into [0.840, 1.124] in 5 steps, [0.993, 1.002] in
            6, to 1 within 1.1e-5 in 7 and up to rounding in 8; smaller ones stay smaller (those below 1e-5 ‖G‖_F
            below 0.011 in 5 steps). A single row or column is divided by its length instead.
        steps: Steps of that iteration.

    Returns:
        Array of the shape of G; see `polar_error` for how far from a partial isometry it is.
    """
    from .matrix import MatrixSpectral

    choice("method", method, METHODS)
    matrices = _matrices("G", G)
    norm = MatrixSpectral(matrices.shape[-2:], method, positive_int("steps", steps))
    return norm.lmo(matrices.reshape(*matrices.shape[:-2], -1)).reshape(matrices.shape)


def polar_error(U: ArrayLike) -> np.ndarray:
    """Return ‖U Uᵀ U - U‖₂ = max σ|σ² - 1| over the singular values σ of U, shape (...), for U of shape (..., m, n).

    It is zero for partial isometries alone: exact polar factors, of full rank or not.
    """
    matrices = _matrices("U", U)
    finite = np.isfinite(matrices).all(axis=(-2, -1))
    with np.errstate(over="ignore"):
        sigma = singular_values(np.where(finite[..., None, None], matrices, 0))
        return np.where(finite, (sigma * np.abs(sigma**2 - 1)).max(axis=-1), np.nan)


def _matrices(name: str, value: ArrayLike) -> np.ndarray:
    array = real_array(name, value)
    if array.ndim < 2 or not array.shape[-1] * array.shape[-2]:
        raise ValueError(f"{name} must have shape (..., m, n), got {array.shape}")
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def singular_values(X: np.ndarray) -> np.ndarray:
    """Singular values, falling, of finite matrices of shape (..., m, n)."""
    if X.shape[-2:] == (2, 2):
        q, r, _, _ = _conformal(X)
        return np.stack([q + r, np.abs(q - r)], axis=-1)
    return np.linalg.svd(X, compute_uv=False)


def polar_and_sum(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of the singular values and polar factor, of finite matrices."""
    if X.shape[-2:] == (2, 2):
        q, r, rotation, reflection = _conformal(X)
        sign = np.where(np.abs(q - r) > _rank_threshold(X) * (q + r), np.sign(q - r), 0)[..., None, None]
        factor = ((1 + sign) * rotation + (1 - sign) * reflection) / 2
        return 2 * np.maximum(q, r), np.where(((q + r) > 0)[..., None, None], factor, 0)
    U, sigma, Vt = np.linalg.svd(X, full_matrices=False)
    kept = sigma > _rank_threshold(X) * sigma[..., :1]
    return sigma.sum(axis=-1), (U * kept[..., None, :]) @ Vt


def leading(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest singular value and u₁v₁ᵀ, of finite matrices."""
    if X.shape[-2:] == (2, 2):
        q, r, rotation, reflection = _conformal(X)
        return q + r, np.where(((q + r) > 0)[..., None, None], (rotation + reflection) / 2, 0)
    U, sigma, Vt = np.linalg.svd(X, full_matrices=False)
    return sigma[..., 0], (U[..., :1] * np.sign(sigma[..., None, :1])) @ Vt[..., :1, :]


def newton_schulz(X: np.ndarray, steps: int) -> np.ndarray:
    """The iteration of `polar_factor`, of finite matrices."""
    wide = X if X.shape[-2] <= X.shape[-1] else X.swapaxes(-2, -1)
    size = _MARGIN * euclidean(X.reshape(*X.shape[:-2], -1))
    Y = wide / nonzero(size)[..., None, None]
    for step in range(steps):
        a, b, c = _LAST
        if step < len(_QUINTICS):
            a, b, c = (x / _MARGIN**k for x, k in zip(_QUINTICS[step], (1, 3, 5), strict=True))
        gram = Y @ Y.swapaxes(-2, -1)
        Y = a * Y + (b * gram + c * (gram @ gram)) @ Y
    return Y if wide is X else Y.swapaxes(-2, -1)


def _rank_threshold(X: np.ndarray) -> float:
    """Singular values up to this times the largest one count as zero."""
    return max(X.shape[-2:]) * float(np.finfo(X.dtype).eps)


def _conformal(X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Write 2 x 2 matrices as q R + r F with a rotation R, a reflection F and q, r >= 0; the parts do not cancel.

    Then σ = q + r and |q - r|, the polar factor is R if q > r and F if q < r, and u₁v₁ᵀ = (R + F)/2.
    """
    a, b, c, d = X[..., 0, 0], X[..., 0, 1], X[..., 1, 0], X[..., 1, 1]
    q, cos, sin = _direction((a + d) / 2, (c - b) / 2)
    r, cos2, sin2 = _direction((a - d) / 2, (c + b) / 2)
    rotation = np.stack([cos, -sin, sin, cos], axis=-1).reshape(X.shape)
    reflection = np.stack([cos2, sin2, sin2, -cos2], axis=-1).reshape(X.shape)
    return q, r, rotation, reflection


def _direction(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Length of (x, y) and its direction; that of zero is (1, 0)."""
    length = np.hypot(x, y)
    return length, np.where(length == 0, 1, x / nonzero(length)), y / nonzero(length)
