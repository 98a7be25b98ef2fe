"""The four-parameter example L = ½(1 - abcd)² with a = b = x, c = d = y: its minima (arXiv:2210.03294)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..formulas import toy
from ._elementwise import inside


def sharpness(x: ArrayLike) -> np.ndarray:
    """Return the sharpness 2(x² + x⁻²) at the minimum (x, 1/x), shape of `x`; NaN unless x > 0 (derived).

    It is least, 4, at x = 1: no minimum is stable for η > ½.
    """
    return inside(toy.minimalist_sharpness, lambda x: x > 0, x=x)


def edge_minimum(eta: ArrayLike) -> np.ndarray:
    """Return x >= 1 of the minimum (x, 1/x) whose sharpness is exactly 2/η; NaN unless 0 < η <= ½ (derived).

    In the coordinates (√(x² - y²), xy) it is ((η⁻² - 4)^¼, 1), where gradient descent with small η ends nearby.
    """
    return inside(
        lambda eta: np.sqrt((1 + np.sqrt((1 - 2 * eta) * (1 + 2 * eta))) / (2 * eta)),
        lambda eta: (eta > 0) & (eta <= 0.5),
        eta=eta,
    )


def limit(eta: ArrayLike) -> np.ndarray:
    """Return the sharpness S = 2/η - η/2 + O(η³) at which runs end that start well above the edge 2/η (derived).

    Leading order for small η, from near minima whose S - 2/η is well over η and small against 2/η.
    Shape of `eta`; NaN unless 0 < η <= ½.
    """
    return inside(toy.minimalist_limit, lambda eta: (eta > 0) & (eta <= 0.5), eta=eta)
