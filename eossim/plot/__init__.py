"""Figures in one style; every function returns a matplotlib Figure."""

from .edges import edge_against_grad_norm, radius_panels, trajectories
from .report import agreement, error_overview
from .style import COLORS, new_figure, save

__all__ = [
    "COLORS",
    "agreement",
    "edge_against_grad_norm",
    "error_overview",
    "new_figure",
    "radius_panels",
    "save",
    "trajectories",
]
