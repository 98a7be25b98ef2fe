"""Averages of the uv model over Gaussian starts of width w: target 0, one input, m = n = w.

λ ± 2√κ f are independent there, χ² with w degrees of freedom up to scale, so that 4s is Beta(½, w/2) (derived).
Averages of critical constants are those of one step, which differ from those of runs of many steps only by starts with
s >= ⅛: common for w up to about 8, rare beyond.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from ..._check import choice, in_interval
from ...formulas import toy
from . import thresholds

_NODES = leggauss(20)
#: Panels of the quadrature in t = 2√s, each 1/√w long: beyond them the density is below exp(-128).
_PANELS = 16


def mean(function: Callable[[np.ndarray], Any], width: ArrayLike) -> np.ndarray:
    """Return the average of function(s) over Gaussian starts, by quadrature.

    Exact to about 1e-12 for functions that are smooth in s but at s = ⅛, where they may jump or, below, behave like a
    square root.

    Args:
        function: Function of an array of s in [0, ¼].
        width: w >= 1; real numbers are allowed.

    Returns:
        Shape of `width`.
    """

    def one(w: float) -> float:
        s, weights = _quadrature(w)
        return float(weights @ np.asarray(function(s)))

    return np.vectorize(one, otypes=[float])(_widths(width))[()]


def mean_s(width: ArrayLike) -> np.ndarray:
    """Return ⟨s⟩ = 1/(4(w + 1)), shape of `width`; w >= 1 (derived)."""
    return toy.uv_mean_s(w=_widths(width))[()]


def mean_s2(width: ArrayLike) -> np.ndarray:
    """Return ⟨s²⟩ = 3/(16(w + 1)(w + 3)), shape of `width`; w >= 1 (derived)."""
    return toy.uv_mean_s2(w=_widths(width))[()]


def mean_k_loss(width: ArrayLike) -> np.ndarray:
    """Return the average of `k_loss` (one step, 1/s for s >= ⅛), shape of `width`; w >= 1."""
    return mean(thresholds.k_loss, width)


def mean_c_loss(width: ArrayLike, *, method: str = "quadrature") -> np.ndarray:
    """Return the average of `c_loss` (one step) over Gaussian starts.

    Args:
        width: w >= 1.
        method: "quadrature", or "series" for 2 + 10⟨s⟩, first order in 1/w.

    Returns:
        Shape of `width`.
    """
    return _mean(thresholds.c_loss, toy.uv_mean_c_loss, width, method)


def mean_c_sharp(width: ArrayLike, *, method: str = "quadrature") -> np.ndarray:
    """Return the average of `c_sharp` (one step); the series is 2.5 + 14.25⟨s⟩ (arguments as in `mean_c_loss`)."""
    return _mean(thresholds.c_sharp, toy.uv_mean_c_sharp, width, method)


def mean_c_max(width: ArrayLike, *, method: str = "quadrature") -> np.ndarray:
    """Return the average of `c_max`; the series is 4 + 12⟨s⟩ (arguments as in `mean_c_loss`)."""
    return _mean(thresholds.c_max, toy.uv_mean_c_max, width, method)


def k_mean_loss(width: ArrayLike) -> np.ndarray:
    """Return the k above which one step raises the mean loss, ⟨L₁/L₀⟩ > 1, at the same k for all starts (derived).

    Another average than `mean_k_loss`. Shape of `width`; w >= 1.
    """

    def one(w: float) -> float:
        center = toy.uv_mean_s(w=w)
        spread = np.sqrt(toy.uv_mean_s2(w=w) - center**2)

        def excess(k: float) -> float:  # the ratio is quadratic in s: two values give its mean
            return sum(toy.uv_loss_ratio(k=k, s=center + sign * spread) for sign in (1, -1)) / 2 - 1

        return brentq(excess, 1.0, 4.5, xtol=1e-15, rtol=1e-15)

    return np.vectorize(one, otypes=[float])(_widths(width))[()]


def _mean(exact: Callable[[Any], Any], series: Callable[..., Any], width: ArrayLike, method: str) -> np.ndarray:
    if choice("method", method, ("quadrature", "series")) == "series":
        return series(w=_widths(width))[()]
    return mean(exact, width)


def _widths(width: ArrayLike) -> np.ndarray:
    return in_interval("width", width, 1, np.inf, open_high=True).astype(np.float64)


def _quadrature(w: float) -> tuple[np.ndarray, np.ndarray]:
    """Return s and weights. The density of t = 2√s in [0, 1] is proportional to (1 - t²)^(w/2 - 1).

    Up to s = ⅛ with t = sin(a)/√2, beyond with t = cos(¼π z⁶): so √(1 - 8s) is smooth in a, and the density smooth
    enough in z for any w >= 1.
    """
    half = np.sqrt(0.5)
    cuts = np.arange(1, _PANELS + 1) / np.sqrt(w)
    inner, outer = np.arcsin(cuts[cuts < half] / half), np.arccos(cuts[(cuts > half) & (cuts < 1)])
    a, da = _panels(np.concatenate([[0.0], inner, [np.pi / 2]]))
    z, dz = _panels(np.unique([*np.linspace(0, 1, 9), *(outer / (np.pi / 4)) ** (1 / 6)]))
    b = np.pi / 4 * z**6
    first = da * half * np.cos(a) * np.exp((w / 2 - 1) * np.log1p(-0.5 * np.sin(a) ** 2))
    second = dz * z**5 * (1.5 * np.pi) * np.exp((w - 1) * np.log(np.sin(b)))
    weights = np.concatenate([first, second])
    return np.concatenate([np.sin(a) ** 2 / 8, np.cos(b) ** 2 / 4]), weights / weights.sum()


def _panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights of Gauss-Legendre quadrature on each interval between edges."""
    x, weights = _NODES
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + x)).ravel(), (half * weights).ravel()
