"""Figures in one style; every function returns a matplotlib Figure."""

from .bifurcation import bifurcation
from .edges import edge_against_grad_norm, radius_panels, trajectories
from .estimators import estimator_quality
from .four_regimes import four_regimes
from .gni import gni_fresh_and_reshuffled
from .network_gd_family import network_gd_family
from .network_norms import network_models, network_norms
from .network_regimes import network_regimes
from .network_sam import network_sam
from .network_stochastic import network_catapult, network_noise, network_stochastic
from .norm_balls import descent_in_norms
from .phase_diagram import phase_diagram
from .progressive_sharpening import progressive_sharpening
from .report import agreement, error_overview
from .risk_alignment import bias_variance_by_alignment
from .risk_curves import bias_variance
from .risk_kernel import kernel_filters
from .risk_map import who_wins
from .saturation import saturation
from .second_moment_portrait import second_moment_portrait
from .sharpness_by_norm import sharpness_by_norm
from .sharpness_counterexample import sharpness_counterexample
from .stochastic_edges import edges_against_batch_size
from .style import COLORS, new_figure, save
from .training import training
from .uv_diagram import uv_phase_diagram

__all__ = [
    "COLORS",
    "agreement",
    "bias_variance",
    "bias_variance_by_alignment",
    "bifurcation",
    "descent_in_norms",
    "edge_against_grad_norm",
    "edges_against_batch_size",
    "error_overview",
    "estimator_quality",
    "four_regimes",
    "gni_fresh_and_reshuffled",
    "kernel_filters",
    "network_catapult",
    "network_gd_family",
    "network_models",
    "network_noise",
    "network_norms",
    "network_regimes",
    "network_sam",
    "network_stochastic",
    "new_figure",
    "phase_diagram",
    "progressive_sharpening",
    "radius_panels",
    "saturation",
    "save",
    "second_moment_portrait",
    "sharpness_by_norm",
    "sharpness_counterexample",
    "training",
    "trajectories",
    "uv_phase_diagram",
    "who_wins",
]
