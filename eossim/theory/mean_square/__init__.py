"""Exact mean-square stability and stationary law of mini-batch SGD and heavy ball on quadratic sums.

`MeanSquare` is for batches drawn afresh at every step, `Reshuffled` for batches that cut a permutation of the samples.
"""

from .bounds import Bound, Bounds
from .delocalised import delocalised_kernel_norm, delocalised_step
from .mean_square import MeanSquare
from .reshuffled import Reshuffled, ReshuffledLaw
from .stationary import StationaryLaw

__all__ = [
    "Bound",
    "Bounds",
    "MeanSquare",
    "Reshuffled",
    "ReshuffledLaw",
    "StationaryLaw",
    "delocalised_kernel_norm",
    "delocalised_step",
]
