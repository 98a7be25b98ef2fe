"""Solvable models of the edge of stability, as losses of parameters."""

from .four_parameter import FourParameter
from .second_order import SecondOrderRegression
from .self_stabilization import SelfStabilization
from .uv import UVModel

__all__ = ["FourParameter", "SecondOrderRegression", "SelfStabilization", "UVModel"]
