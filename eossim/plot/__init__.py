"""Figures in one style; every function returns a matplotlib Figure."""

from .edges import edge_against_grad_norm, radius_panels, trajectories
from .report import agreement, error_overview
from .risk_alignment import bias_variance_by_alignment
from .risk_curves import bias_variance
from .risk_kernel import kernel_filters
from .risk_map import who_wins
from .style import COLORS, new_figure, save

__all__ = [
    "COLORS",
    "agreement",
    "bias_variance",
    "bias_variance_by_alignment",
    "edge_against_grad_norm",
    "error_overview",
    "kernel_filters",
    "new_figure",
    "radius_panels",
    "save",
    "trajectories",
    "who_wins",
]
