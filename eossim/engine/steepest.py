"""Steepest descent in a norm, as data: what `simulate` runs, and the edge that belongs to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import catalogue
from .._check import finite_array, in_interval
from ..norms.base import Norm, require_norm


@dataclass(frozen=True, eq=False)
class SteepestDescent:
    """Steepest descent in a norm (made by `steepest_descent` and `normalized_steepest_descent`).

    Attributes:
        norm: The norm.
        eta: Step size, shape () or (runs,).
        normalized: Whether steps have the length eta, else eta times the dual norm of the gradient.

    Raises:
        TypeError: If the norm is not a `Norm` or eta does not hold real numbers.
        ValueError: If eta is not positive and finite, or has more than one axis.
    """

    norm: Norm
    eta: np.ndarray
    normalized: bool = False

    def __post_init__(self) -> None:
        require_norm("norm", self.norm)
        eta = in_interval("eta", self.eta, 0, np.inf, open_low=True, open_high=True).astype(np.float64)
        object.__setattr__(self, "eta", finite_array("eta", eta, ndim=(0, 1)))

    @property
    def name(self) -> str:
        """What the method is called: the name of its constructor."""
        return "normalized_steepest_descent" if self.normalized else "steepest_descent"

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Hyper-parameters by name, each of shape () or (runs,)."""
        return {"eta": self.eta}

    @property
    def runs(self) -> int:
        """Number of runs that the step sizes describe."""
        return self.eta.size

    @property
    def edge(self) -> catalogue.Entry:
        """The generalised sharpness S in this norm at which the method loses stability: 2/eta, normalised 2 G/eta.

        It is the catalogue's edge of ``gd``, or of ``normalised`` with the dual norm G for `grad_norm`: ``.formula``,
        ``.latex``, and called with ``eta=`` (and ``grad_norm=``) its value.
        """
        return catalogue.entries()["normalised" if self.normalized else "gd"]

    def lengths(self, eta: np.ndarray, dual: np.ndarray) -> np.ndarray:
        """Return the lengths of the steps in the norm, given step sizes and dual norms of gradients."""
        return np.broadcast_to(eta, dual.shape) if self.normalized else eta * dual

    def __repr__(self) -> str:
        eta = f"{self.eta.item():g}" if self.eta.size == 1 else f"{self.eta.min():g}..{self.eta.max():g}"
        return f"{self.name}[{self.norm.name}, eta={eta}]"


def steepest_descent(norm: Norm, eta: Any) -> SteepestDescent:
    """Return steepest descent in a norm, w⁺ = w - eta ‖g‖* LMO(g), for `simulate`.

    It minimises <g, y - w> + ‖y - w‖²/(2 eta) over y. In ``L2()`` it is gradient descent, in ``L1()`` greedy coordinate
    descent, in ``BlockSum(blocks)`` greedy block coordinate descent, in ``Spectral(shapes)`` spectral descent. On a
    quadratic with a positive semidefinite Hessian H the loss converges to its minimum below eta = 2/S, with the
    generalised sharpness S = max {dᵀHd : ‖d‖ = 1}; with negative curvature it can fall without end. On any problem a
    step lowers the loss if its directional smoothness D is below 2/eta, raises it above, and leaves it at equality.

    Args:
        norm: A norm of `eossim.norms`, or a `Norm` of one's own.
        eta: Step size, positive; a number, or an array with one entry per run.

    Raises:
        TypeError: If the norm is not a `Norm` or eta does not hold real numbers.
        ValueError: If eta is not positive and finite, or has more than one axis.

    Source: arXiv:2603.05002.

    Example:
        >>> steepest_descent(norms.Linf(), eta=0.1)
        steepest_descent[linf, eta=0.1]
    """
    return SteepestDescent(norm, eta)


def normalized_steepest_descent(norm: Norm, eta: Any) -> SteepestDescent:
    """Return normalised steepest descent in a norm, w⁺ = w - eta LMO(g), for `simulate`.

    In ``Linf()`` it is sign descent, in ``Spectral(shapes)`` Muon without momentum. Its edge is S = 2 ‖g‖*/eta.

    Args:
        norm: A norm of `eossim.norms`, or a `Norm` of one's own.
        eta: Length of the steps in the norm, positive; a number, or an array with one entry per run.

    Raises:
        TypeError: If the norm is not a `Norm` or eta does not hold real numbers.
        ValueError: If eta is not positive and finite, or has more than one axis.

    Source: arXiv:2603.05002.
    """
    return SteepestDescent(norm, eta, normalized=True)
