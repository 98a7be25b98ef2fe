"""Dynamics of maps and methods: orbits, bifurcations, periods, Lyapunov exponents, basins, fixed points, edges."""

from ..engine.iterate import extremes, orbit
from .basins import basin_fractions
from .bifurcation import bifurcation_diagram
from .cycle import Cycle
from .cycles import CycleList, fixed_points, two_cycles
from .edge import edge_bisection
from .function_map import FunctionMap
from .lyapunov import lyapunov_exponent, lyapunov_spectrum
from .method_map import MethodMap, method_map
from .period import period
from .starts import grid_starts, random_starts

__all__ = [
    "Cycle",
    "CycleList",
    "FunctionMap",
    "MethodMap",
    "basin_fractions",
    "bifurcation_diagram",
    "edge_bisection",
    "extremes",
    "fixed_points",
    "grid_starts",
    "lyapunov_exponent",
    "lyapunov_spectrum",
    "method_map",
    "orbit",
    "period",
    "random_starts",
    "two_cycles",
]
