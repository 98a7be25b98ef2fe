"""Small networks, exact and fast: loss, gradient, Hessian and Gauss-Newton products, sample by sample if asked for."""

from ._targets import one_hot
from .linearization import Linearization
from .mlp import MLP

__all__ = ["MLP", "Linearization", "one_hot"]
