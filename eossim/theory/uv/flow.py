"""The uv model with a target: where gradient flow ends, and starts whose output is zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...formulas import toy
from .._elementwise import inside
from ._scaled import scaled

#: What rounding may add to λ on the balanced manifold, relative.
_ROUNDING = 8 * np.finfo(np.float64).eps


def gradient_flow_end(f: ArrayLike, ntk: ArrayLike, kappa: ArrayLike, y: ArrayLike = 0.0) -> np.ndarray:
    """Return λ = √(λ₀² + 4κ(y² - f₀²)) where gradient flow ends, f = y; there it is the sharpness as well (derived).

    Flow conserves λ² - 4κf². From f₀ < 0 < y it first reduces λ, then raises it. On the balanced manifold,
    λ₀ = 2√κ|f₀|, it ends at the saddle f = λ = 0 instead if f₀ y <= 0, and so does gradient descent with small steps.

    Args:
        f: Output at the start.
        ntk: λ₀ = ‖∇f‖² > 0; below 2√κ|f₀| and a few units in the last place above it counts as equal.
        kappa: κ = ‖x‖²/m > 0.
        y: Target.

    Returns:
        Shape of the broadcast arguments; NaN outside the domain.
    """
    return inside(
        scaled(_flow_end, 1, by_target=True),
        lambda f, lam, kappa, y: (lam > 0) & (kappa > 0),
        f=f,
        lam=ntk,
        kappa=kappa,
        y=y,
    )


def _flow_end(f: np.ndarray, lam: np.ndarray, kappa: np.ndarray, y: np.ndarray) -> np.ndarray:
    to_saddle = (np.sign(f) * np.sign(y) <= 0) & (lam - 2 * np.sqrt(kappa) * np.abs(f) < _ROUNDING * lam)
    return np.where(to_saddle, 0.0, toy.uv_gradient_flow_end(f=f, lam=lam, kappa=kappa, y=y))


def zero_output_c_loss(ntk: ArrayLike, kappa: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return the c = ηλ^H above which one step raises the loss, from a start with f = 0: 1 + √(1 + 4κy²/λ²) (derived).

    The loss rises iff ηλ > 2, at every width. The trace rises in the first step at every η, unless y = 0.

    Args:
        ntk: λ = ‖∇f‖² > 0 at the start.
        kappa: κ = ‖x‖²/m > 0.
        y: Target.

    Returns:
        Shape of the broadcast arguments; NaN outside the domain.
    """

    def threshold(lam: np.ndarray, kappa: np.ndarray, y: np.ndarray) -> np.ndarray:
        inner = scaled(lambda f, **rest: toy.uv_zero_output_c_loss(**rest), 0)
        return inner(np.zeros_like(lam), lam, kappa, y)

    return inside(threshold, lambda lam, kappa, y: (lam > 0) & (kappa > 0), lam=ntk, kappa=kappa, y=y)


def eta_critical(kappa: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return η_c = 1/(√κ|y|), above which no minimum is stable, so that Y = η/η_c; inf for y = 0 (arXiv:2311.02076).

    It is 2 over the smallest sharpness 2√κ|y| among the minima. NaN unless κ > 0.
    """
    return inside(toy.uv_eta_critical, lambda kappa, y: kappa > 0, kappa=kappa, y=y)
