"""The uv model with a target: where gradient flow ends, and starts whose output is zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...formulas import toy
from .._elementwise import inside


def gradient_flow_end(f: ArrayLike, ntk: ArrayLike, kappa: ArrayLike, y: ArrayLike = 0.0) -> np.ndarray:
    """Return λ = √(λ₀² + 4κ(y² - f₀²)) where gradient flow ends, f = y; there it is the sharpness as well (derived).

    Flow conserves λ² - 4κf². From f₀ < 0 < y it first reduces λ, then raises it. For y = 0 a start on the balanced
    manifold, λ₀ = 2√κ|f₀|, ends at λ = 0.

    Args:
        f: Output at the start.
        ntk: λ₀ = ‖∇f‖² > 0; below 2√κ|f₀| it counts as rounding.
        kappa: κ = ‖x‖²/m > 0.
        y: Target.

    Returns:
        Shape of the broadcast arguments; NaN outside the domain.
    """
    return inside(
        toy.uv_gradient_flow_end, lambda f, lam, kappa, y: (lam > 0) & (kappa > 0), f=f, lam=ntk, kappa=kappa, y=y
    )


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
    return inside(toy.uv_zero_output_c_loss, lambda lam, kappa, y: (lam > 0) & (kappa > 0), lam=ntk, kappa=kappa, y=y)


def eta_critical(kappa: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return η_c = 1/(√κ|y|), above which no minimum is stable, so that Y = η/η_c; inf for y = 0 (arXiv:2311.02076).

    It is 2 over the smallest sharpness 2√κ|y| among the minima. NaN unless κ > 0.
    """
    return inside(toy.uv_eta_critical, lambda kappa, y: kappa > 0, kappa=kappa, y=y)
