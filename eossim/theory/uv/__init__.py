"""Exact predictions for the uv model f = v·Ux/√m, L = ½(f - y)²: thresholds, averages, fixed points and cycles.

Notation: κ = ‖x‖²/m, λ = ‖∇f‖² (the tangent kernel, and the trace of the Hessian), Δ = f - y, λ^H the sharpness, η the
step size. Of the start: s = κfΔ/λ², k = ηλ, c = ηλ^H. The maps are `maps.uv` and its kin, the problem is
`problems.UVModel`.
"""

from .averages import (
    k_mean_loss,
    mean,
    mean_c_loss,
    mean_c_max,
    mean_c_sharp,
    mean_k_loss,
    mean_s,
    mean_s2,
)
from .flow import eta_critical, gradient_flow_end, zero_output_c_loss
from .manifold import FixedPoint, TwoCycle, bifurcations, fixed_points, two_cycle
from .path import peak_bound, raises_barrier, segment_loss, segment_peak, segment_products, waiting_time
from .thresholds import (
    ONE_STEP,
    c_loss,
    c_max,
    c_sharp,
    conversion,
    k_loss,
    k_max,
    k_sharp,
    k_trace,
    k_trace_of_target,
    s_parameter,
    sharpness,
)

__all__ = [
    "ONE_STEP",
    "FixedPoint",
    "TwoCycle",
    "bifurcations",
    "c_loss",
    "c_max",
    "c_sharp",
    "conversion",
    "eta_critical",
    "fixed_points",
    "gradient_flow_end",
    "k_loss",
    "k_max",
    "k_mean_loss",
    "k_sharp",
    "k_trace",
    "k_trace_of_target",
    "mean",
    "mean_c_loss",
    "mean_c_max",
    "mean_c_sharp",
    "mean_k_loss",
    "mean_s",
    "mean_s2",
    "peak_bound",
    "raises_barrier",
    "s_parameter",
    "segment_loss",
    "segment_peak",
    "segment_products",
    "sharpness",
    "two_cycle",
    "waiting_time",
    "zero_output_c_loss",
]
