"""Exact predictions: edges and the queries beside them."""

from .queries import (
    critical_grad_norm,
    critical_step_size,
    edge,
    edges,
    preconditioned_sharpness,
    spectral_radius,
    two_cycle_amplitude,
)

__all__ = [
    "critical_grad_norm",
    "critical_step_size",
    "edge",
    "edges",
    "preconditioned_sharpness",
    "spectral_radius",
    "two_cycle_amplitude",
]
