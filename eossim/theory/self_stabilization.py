"""Self-stabilisation: size, period and continuous-time invariant of the predicted dynamics (arXiv:2209.15594).

x is the displacement along the top eigenvector, y = S - 2/η the excess of the sharpness S, α = -∇L·∇S > 0 the
progressive sharpening and β = ‖∇S‖² > 0 orthogonal to that eigenvector: see `maps.self_stabilization`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..formulas import toy
from ._elementwise import inside


def delta(alpha: ArrayLike, beta: ArrayLike) -> np.ndarray:
    """Return δ = √(2α/β), the displacement that holds the sharpness, and the root mean square of x in continuous time.

    NaN unless α > 0 and β > 0; shape of the broadcast arguments.
    """
    return inside(toy.self_stabilization_delta, lambda alpha, beta: (alpha > 0) & (beta > 0), alpha=alpha, beta=beta)


def period(eta: ArrayLike, alpha: ArrayLike) -> np.ndarray:
    """Return the period 2π/(η√(2α)) of small oscillations, in steps (derived); NaN unless η > 0 and α > 0."""
    return inside(toy.self_stabilization_period, lambda eta, alpha: (eta > 0) & (alpha > 0), eta=eta, alpha=alpha)


def invariant(x: ArrayLike, y: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> np.ndarray:
    """Return ½y² + ¼βx² - α ln|x|, which continuous time conserves (derived); inf at x = 0.

    Gradient descent conserves it to first order in η only: runs drift outward in it. NaN unless α > 0 and β > 0.
    """
    return inside(
        lambda x, y, alpha, beta: y**2 / 2 + beta * x**2 / 4 - alpha * np.log(np.abs(x)),
        lambda x, y, alpha, beta: (alpha > 0) & (beta > 0),
        x=x,
        y=y,
        alpha=alpha,
        beta=beta,
    )
