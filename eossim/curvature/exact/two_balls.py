"""Two Euclidean blocks under the larger of their norms, where the semidefinite bound is exact."""

from __future__ import annotations

import numpy as np

from .found import DECIDED, Found, Unsolved

_HALVINGS = 100
_LOG_ODDS = 60.0
_AGREEMENT = 1e-11


def two_balls(H: np.ndarray, first: int) -> Found:
    """Return the largest dᵀHd over max(‖d₁‖₂, ‖d₂‖₂) = 1 for a symmetric H that is not negative semidefinite.

    For every 0 < θ < 1, dᵀHd <= λ(θ)(θ‖d₁‖² + (1 - θ)‖d₂‖²) <= λ(θ) with λ(θ) the largest eigenvalue of the pencil
    (H, diag(θ, 1 - θ)). The smallest λ(θ) is attained: a semidefinite program with two constraints has a solution of
    rank one (Barvinok-Pataki). There ‖d₁‖ = ‖d₂‖ in the top eigenspace; ‖d₁‖ > ‖d₂‖ says that θ must grow, so it is
    found by bisection. If the form is concave in a free second block and its best d₂ = -H₂₂⁻¹H₂₁d₁ stays in its
    ball, that is the maximum, with weight θ = 1; and the other way round.

    Args:
        H: Shape (dim, dim).
        first: Number of coordinates of the first block.

    Raises:
        Unsolved: if rounding keeps the point that is found from meeting the bound, or hides it.
    """
    rounding = len(H) * np.finfo(float).eps * np.abs(H).max()
    for inner in (slice(first, None), slice(None, first)):
        point = _free_block(H, inner, first)
        if point is not None and rounding <= DECIDED * (point @ H @ point):
            return Found.at(H, point, "two blocks, one of them inside its ball")
    low, high = -_LOG_ODDS, _LOG_ODDS
    heavy, light = None, None  # top eigenvectors with ‖d₁‖ > ‖d₂‖ and with ‖d₁‖ < ‖d₂‖
    bound = np.inf
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        value, d = _pencil(H, middle, first)
        bound = min(bound, value)
        if d[:first] @ d[:first] >= d[first:] @ d[first:]:
            low, heavy = middle, d
        else:
            high, light = middle, d
        if high - low <= 1e-15 * max(1, abs(low)):
            break
    best = max((_scaled(d, first) for d in _balanced(heavy, light, first)), key=lambda d: d @ H @ d)
    value = float(best @ H @ best)
    if not (bound - value <= _AGREEMENT * bound and rounding <= DECIDED * value):
        raise Unsolved(f"rounding: two blocks, {value} was attained and the bound is {bound}")
    return Found.at(H, best, "two blocks: the semidefinite bound is attained")


def _free_block(H: np.ndarray, inner: slice, first: int) -> np.ndarray | None:
    """Return the maximiser with the block `inner` free and the other one of norm 1, if it lies in the ball."""
    outer = slice(None, first) if inner.start else slice(first, None)
    values, vectors = np.linalg.eigh(-H[inner, inner])
    coupling = vectors.T @ H[inner, outer]
    tiny, slight = 1e-13 * np.abs(values).max(), 1e-13 * np.abs(coupling).max()
    flat = values <= tiny
    if values[0] < -tiny or (flat.any() and np.abs(coupling[flat]).max() > slight):
        return None  # a free block has no maximum
    response = vectors[:, ~flat] @ (coupling[~flat] / values[~flat, None])
    schur = H[outer, outer] + H[outer, inner] @ response
    d = np.empty(len(H))
    d[outer] = np.linalg.eigh(0.5 * (schur + schur.T))[1][:, -1]
    d[inner] = response @ d[outer]
    return d if np.linalg.norm(d[inner]) <= 1 else None


def _pencil(H: np.ndarray, log_odds: float, first: int) -> tuple[float, np.ndarray]:
    """Return the largest eigenvalue of (H, diag(θ, 1 - θ)) and an eigenvector with θ‖d₁‖² + (1 - θ)‖d₂‖² = 1."""
    scale = np.empty(len(H))
    scale[:first] = np.sqrt(1 + np.exp(-log_odds))
    scale[first:] = np.sqrt(1 + np.exp(log_odds))
    values, vectors = np.linalg.eigh(scale[:, None] * H * scale)
    return float(values[-1]), scale * vectors[:, -1]


def _balanced(heavy: np.ndarray | None, light: np.ndarray | None, first: int) -> list[np.ndarray]:
    """Return the combinations of two top eigenvectors with ‖d₁‖ = ‖d₂‖."""
    if heavy is None or light is None:
        return [d for d in (heavy, light) if d is not None]
    sign = np.concatenate([np.ones(first), -np.ones(len(heavy) - first)])
    a, b, c = (heavy * sign) @ heavy, (heavy * sign) @ light, (light * sign) @ light  # a >= 0 > c
    root = np.sqrt(b * b - a * c)
    return [(-b + s * root) * heavy + a * light if a > 0 else heavy for s in (1, -1)]


def _scaled(d: np.ndarray, first: int) -> np.ndarray:
    """Return d with both blocks of norm 1, if they are not zero."""
    return np.concatenate([part / (np.linalg.norm(part) or 1.0) for part in (d[:first], d[first:])])
