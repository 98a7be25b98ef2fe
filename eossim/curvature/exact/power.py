"""ℓp with p > 2: Hessians without negative couplings."""

from __future__ import annotations

import numpy as np

from .cube import unfrustrated
from .found import Found, Unsolved

_STEPS = 100_000


def positive_fixed_point(H: np.ndarray, p: float) -> Found:
    """Return the largest dᵀHd over ‖d‖_p = 1, p > 2, for H >= 0 entrywise up to signs σ of coordinates, all coupled.

    |d| is at least as good as d, so a maximiser is non-negative; stationarity, (Hd)_i = S d_i^{p-1}, makes it positive
    everywhere, as a zero would spread to all coordinates. The map d -> (Hd)^{1/(p-1)}, scaled to norm 1, contracts the
    Hilbert metric by 1/(p - 1) < 1: its fixed point is the only positive stationary point.

    Raises:
        Unsolved: for other p and H.
    """
    sigma = unfrustrated(H) if p > 2 and np.diag(H).min() >= 0 else None
    if sigma is None:
        raise Unsolved(
            f"exact sharpness in lp with p = {p:g} needs a diagonal Hessian, one of rank one, or p > 2 and entries "
            "that are not negative, up to the signs of coordinates"
        )
    A = np.abs(H)
    d = np.full(len(H), len(H) ** (-1 / p))
    for _ in range(_STEPS):
        Ad = A @ d
        after = (Ad / Ad.max()) ** (1 / (p - 1))
        after /= np.sum(after**p) ** (1 / p)
        change = np.abs(after / d - 1).max()
        d = after
        if change <= 4 * np.finfo(float).eps:
            break
    else:
        if change > 1e-10:
            raise Unsolved(f"the fixed point in lp with p = {p:g} was not reached in {_STEPS} iterations")
    return Found.at(H, sigma * d, "positive fixed point of H >= 0")
