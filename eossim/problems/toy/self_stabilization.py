"""A loss on which gradient descent is the predicted dynamics of self-stabilisation."""

from __future__ import annotations

import numpy as np

from ..._check import finite_array, in_interval
from ._flat import FlatProblem


class SelfStabilization(FlatProblem):
    """The loss L(x, y) = ½(2/η + y)x² - αy: sharpness 2/η + y along x, pushed up at the rate α.

    Gradient descent with the step size η that the loss is made for is the map x' = -(1 + ηy)x,
    y' = y + η(α - ½x²): self-stabilisation with β = 1 (derived; the dynamics are those of arXiv:2209.15594, see
    `maps.self_stabilization`). The loss is not bounded below.

    Args:
        eta: η > 0, of the loss; the step size to run gradient descent with.
        alpha: α > 0, the progressive sharpening.

    Attributes:
        eta: As given.
        alpha: As given.
        dim: 2.

    Raises:
        TypeError: If an argument is not a real number.
        ValueError: If eta or alpha is not positive and finite.
    """

    dim = 2

    def __init__(self, eta: float, alpha: float) -> None:
        for name, value in (("eta", eta), ("alpha", alpha)):
            finite_array(name, value, ndim=0)
            in_interval(name, value, 0, np.inf, open_low=True, open_high=True)
        self.eta, self.alpha = float(eta), float(alpha)

    def _loss(self, w: np.ndarray) -> np.ndarray:
        x, y = w[..., 0], w[..., 1]
        return 0.5 * (2 / self.eta + y) * x**2 - self.alpha * y

    def _grad(self, w: np.ndarray) -> np.ndarray:
        x, y = w[..., 0], w[..., 1]
        return np.stack([(2 / self.eta + y) * x, 0.5 * x**2 - self.alpha], -1)

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        x, y = w[..., 0], w[..., 1]
        return np.stack([(2 / self.eta + y) * v[..., 0] + x * v[..., 1], x * v[..., 0]], -1)

    def __repr__(self) -> str:
        return f"SelfStabilization(eta={self.eta:g}, alpha={self.alpha:g})"
