"""Bias, variance and risk of linear methods on least squares and kernels: exact, at any step."""

from .crossings import Crossings, crossings
from .curve import risk_curve, sure
from .estimate import EstimatedTruth, estimate_truth
from .floor import noise_floor
from .held_out import held_out_risk
from .monte_carlo import monte_carlo_risk
from .ordering import Condition, Ordering, ordering
from .slope import rho_slope
from .stopping import optimal_stopping

__all__ = [
    "Condition",
    "Crossings",
    "EstimatedTruth",
    "Ordering",
    "crossings",
    "estimate_truth",
    "held_out_risk",
    "monte_carlo_risk",
    "noise_floor",
    "optimal_stopping",
    "ordering",
    "rho_slope",
    "risk_curve",
    "sure",
]
