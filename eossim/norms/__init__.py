"""Norms, their duals and their directions of steepest ascent."""

from .axioms import NormCheck, check
from .base import Norm, Traits
from .blocks import BlockMax, BlockSum
from .coordinate import L1, L2, Frobenius, Linf, Lp
from .mahalanobis import Mahalanobis
from .matrix import Nuclear, Spectral
from .names import as_norm, from_name
from .polar import polar_error, polar_factor
from .products import L2Product, MaxProduct, SumProduct

__all__ = [
    "L1",
    "L2",
    "BlockMax",
    "BlockSum",
    "Frobenius",
    "L2Product",
    "Linf",
    "Lp",
    "Mahalanobis",
    "MaxProduct",
    "Norm",
    "NormCheck",
    "Nuclear",
    "Spectral",
    "SumProduct",
    "Traits",
    "as_norm",
    "check",
    "from_name",
    "polar_error",
    "polar_factor",
]
