"""Where loss, trace and sharpness of the uv model first rise: critical step sizes as functions of the start.

Functions of s are those of a start with target y = 0, where 0 <= s <= ¼ (a rounding beyond ¼ passes); outside they are
NaN. Constants k are in units of 1/λ, constants c in units of 1/λ^H: c = kC/2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ...formulas import toy
from .._elementwise import inside
from ._scaled import scaled

#: From this s on loss and sharpness first rise at later steps than the first, or never.
ONE_STEP = 0.125
#: Largest s without a target, and what rounding may add to it.
_LARGEST = 0.25 * (1 + 1e-12)


def s_parameter(f: ArrayLike, ntk: ArrayLike, kappa: ArrayLike, y: ArrayLike = 0.0) -> np.ndarray:
    """Return s = κfΔ/λ² of a start, shape of the broadcast arguments; NaN unless λ > 0 and κ > 0.

    Args:
        f: Output.
        ntk: λ = ‖∇f‖².
        kappa: κ = ‖x‖²/m.
        y: Target.
    """
    return inside(scaled(toy.uv_s, 0), _kernel_positive, f=f, lam=ntk, kappa=kappa, y=y)


def sharpness(f: ArrayLike, ntk: ArrayLike, kappa: ArrayLike, y: ArrayLike = 0.0) -> np.ndarray:
    """Return the largest eigenvalue λ^H = ½[λ + √(λ² - 4κf² + 4κ(2f - y)²)] of the Hessian, for any target (derived).

    λ >= 2√κ|f| in every uv model; a smaller λ counts as rounding. Next to 2f = y, λ = 2√κ|f| half of the digits are
    lost: there use `problems.UVModel.sharpness` or `maps.uv`.

    Args:
        f: Output.
        ntk: λ = ‖∇f‖².
        kappa: κ = ‖x‖²/m.
        y: Target.
    """
    return inside(scaled(toy.uv_sharpness, 1, by_target=True), _kernel_positive, f=f, lam=ntk, kappa=kappa, y=y)


def conversion(s: ArrayLike) -> np.ndarray:
    """Return C = 2λ^H/λ = 1 + √(1 + 12s), so that c = kC/2; between 2 and 3. NaN outside 0 <= s <= ¼ (derived)."""
    return inside(toy.uv_conversion, _no_target, s=s)


def k_loss(s: ArrayLike) -> np.ndarray:
    """Return the smallest k = ηλ above which one step raises the loss; any real s, signed, and any target (derived).

    4/(1 + √(1 - 8s)) for s < ⅛. From there on the loss only rises beyond 1/s, however large s is. A run of many steps
    can raise it earlier for s >= ⅛, which only simulation tells.
    """

    def smallest(s: np.ndarray) -> np.ndarray:
        early = s < ONE_STEP
        return np.where(early, toy.uv_k_loss(s=np.where(early, s, 0.0)), 1 / s)

    return inside(smallest, lambda s: np.isfinite(s), s=s)


def k_sharp(s: ArrayLike) -> np.ndarray:
    """Return the smallest k = ηλ above which one step raises the sharpness; NaN outside 0 <= s <= ¼ (derived).

    The root in (2, 4.5) of a cubic, to the last bits: 2.5 at s = 0, where it is a limit, and 4 at s = ⅛. For s > ⅛ runs
    of many steps can raise the sharpness earlier.
    """
    return inside(_k_sharp, _no_target, s=s)


def k_trace(s: ArrayLike) -> np.ndarray:
    """Return the k = ηλ above which one step raises the trace of the Hessian: 4, for 0 <= s <= ¼ (a limit at s = 0)."""
    return k_max(s)


def k_trace_of_target(f: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Return the k = ηλ above which one step raises the trace: 4f/Δ, or 0 (always) where fΔ <= 0 (derived).

    NaN at Δ = 0.

    Args:
        f: Output.
        y: Target.
    """
    return inside(
        lambda f, y: np.where((f > 0) == (f > y), 4 * f / (f - y), 0.0) + 0.0,
        lambda f, y: f != y,
        f=f,
        y=y,
    )


def k_max(s: ArrayLike) -> np.ndarray:
    """Return the k = ηλ above which a run diverges: exactly 4, for 0 <= s <= ¼ (a limit at s = 0; arXiv:2003.02218).

    Below, λ never grows and the loss is summable. Above, λ only grows, but for starts of measure zero that hit f = 0.
    """
    return inside(lambda s: np.full(s.shape, float(toy.uv_k_max())), _no_target, s=s)


def c_loss(s: ArrayLike) -> np.ndarray:
    """Return the smallest c = ηλ^H above which one step raises the loss, as `k_loss`; NaN outside 0 <= s <= ¼.

    2 + 10s for small s. With a target use `k_loss` and the ratio of sharpness to kernel.
    """
    return k_loss(s) * conversion(s) / 2


def c_sharp(s: ArrayLike) -> np.ndarray:
    """Return the smallest c = ηλ^H above which one step raises the sharpness, as `k_sharp`; NaN outside 0 <= s <= ¼.

    2.5 + 14.25s for small s.
    """
    return k_sharp(s) * conversion(s) / 2


def c_max(s: ArrayLike) -> np.ndarray:
    """Return the c = ηλ^H above which a run diverges, 2(1 + √(1 + 12s)); NaN outside 0 <= s <= ¼ (derived)."""
    return inside(toy.uv_c_max, _no_target, s=s)


def _k_sharp(s: np.ndarray) -> np.ndarray:
    """Bisect the cubic, which is negative below its root, until the ends of the bracket are neighbouring floats."""
    low, high = np.full(s.shape, 2.0), np.full(s.shape, 4.5)
    while True:
        middle = low + (high - low) / 2
        if np.all((middle == low) | (middle == high)):
            break
        below = toy.uv_k_sharp_cubic(k=middle, s=s) <= 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    ends = [np.abs(toy.uv_k_sharp_cubic(k=end, s=s)) for end in (low, high)]
    return np.where(ends[0] <= ends[1], low, high)


def _no_target(s: np.ndarray) -> np.ndarray:
    return (s >= 0) & (s <= _LARGEST)


def _kernel_positive(f: np.ndarray, lam: np.ndarray, kappa: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (lam > 0) & (kappa > 0)
