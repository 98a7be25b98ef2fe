"""Derivations: one readable script per result, every step asserted.

`python -m derivations` regenerates `eossim/formulas/` from them.
"""

from __future__ import annotations

from importlib import import_module

from eossim.symbolic.derivation import Derivation

#: In the order of reading.
SCRIPTS = (
    "gd",
    "steps",
    "schedules",
    "normalised",
    "delay",
    "momentum",
    "averages",
    "weight_decay",
    "adaptive",
    "sam_edge",
    "sam_bounds",
    "sam_momentum",
    "sam_cycle",
    "sam_momentum_cycle",
    "sam_transverse",
    "sam_valley",
    "bias_variance",
    "bias_variance_ordering",
    "bias_variance_stopping",
    "bias_variance_kernel",
    "bias_variance_stochastic",
    "bias_variance_floor",
    "stochastic_batches",
    "stochastic_mean_square",
    "stochastic_sharpness",
    "stochastic_stationary",
    "directional_identity",
    "directional_notions",
    "directional_steps",
    "norms_edge",
    "norms_sharpness",
    "norms_matrices",
    "norms_divergence",
    "norms_cycles",
    "norms_ab_toy",
    "toy_uv_model",
    "toy_uv_hessian",
    "toy_uv_thresholds",
    "toy_uv_many_steps",
    "toy_uv_flow",
    "toy_uv_averages",
    "toy_uv_fixed_points",
    "toy_uv_balanced",
    "toy_second_order",
    "toy_minimalist",
    "toy_self_stabilization",
    "toy_two_step",
    "toy_early_training",
)


def derive_all() -> list[Derivation]:
    """Run every script and return its derivations."""
    return [d for name in SCRIPTS for d in import_module(f".{name}", __name__).derive()]
