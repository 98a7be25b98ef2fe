"""The approximation of the mean-square edge that needs nothing but a spectrum: delocalised eigenvectors (derived)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._check import finite_array, in_interval


def delocalised_kernel_norm(eigenvalues: Any, eta: float, p: float) -> float:
    """Return p Σ eta λ_k/(2 - eta λ_k): the stationary gain of noise if all directions carry equal amounts of it.

    Below 1, SGD is stable in the approximation of delocalised eigenvectors; exact for none but special data. Derived.

    Args:
        eigenvalues: λ of the Hessian, at least 0, shape (dim,).
        eta: Step size, positive and below 2/λ_max.
        p: Noise factor of the batch size, see `eossim.measure.factors`.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If a value is not allowed.
    """
    lam = _spectrum(eigenvalues)
    factor = float(in_interval("p", p, 0, 1))
    top = lam.max()
    step = float(in_interval("eta", eta, 0, 2 / top if top else np.inf, open_low=True, open_high=True))
    return float(factor * np.sum(step * lam / (2 - step * lam)))


def delocalised_step(eigenvalues: Any, p: float) -> float:
    """Return the step at which `delocalised_kernel_norm` is 1: an approximation of the critical step, not a bound.

    Args:
        eigenvalues: λ of the Hessian, at least 0, shape (dim,).
        p: Noise factor of the batch size.

    Raises:
        TypeError: If an argument does not hold real numbers.
        ValueError: If a value is not allowed.
    """
    lam = _spectrum(eigenvalues)
    factor, top = float(in_interval("p", p, 0, 1)), lam.max()
    if not top:
        return np.inf
    if not factor:
        return 2 / top
    from scipy.optimize import brentq

    ratios = lam / top

    def excess(x: float) -> float:  # in x = 2 - eta λ_max, which keeps its digits towards the edge of the mean
        return factor * float(np.sum((2 - x) * ratios / (2 - (2 - x) * ratios))) - 1

    return (2 - brentq(excess, factor / 2, 2, xtol=1e-15, rtol=1e-14)) / top


def _spectrum(eigenvalues: Any) -> np.ndarray:
    return in_interval("eigenvalues", finite_array("eigenvalues", eigenvalues, ndim=1, dtype=np.float64), 0)
