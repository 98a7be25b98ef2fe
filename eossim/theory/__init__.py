"""Exact predictions: edges; bias, variance and risk along a run; moments of mini-batch methods; solvable models.

Names and modules load when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "critical_grad_norm": "queries",
    "critical_step_size": "queries",
    "edge": "queries",
    "edges": "queries",
    "preconditioned_sharpness": "queries",
    "spectral_radius": "queries",
    "two_cycle_amplitude": "queries",
    "crossings": "risk",
    "estimate_truth": "risk",
    "held_out_risk": "risk",
    "monte_carlo_risk": "risk",
    "noise_floor": "risk",
    "optimal_stopping": "risk",
    "ordering": "risk",
    "rho_slope": "risk",
    "risk_curve": "risk",
    "sure": "risk",
    "expected_gradient": "minibatch",
    "mean_square_critical_step": "minibatch",
    "mean_square_radius": "minibatch",
    "minibatch_fixed_point": "minibatch",
    "minibatch_moments": "minibatch",
    "MeanSquare": "mean_square",
    "Reshuffled": "mean_square",
    "delocalised_step": "mean_square",
}

#: Solvable models, each a module.
_MODULES = ("minimalist", "second_order", "self_stabilization", "two_step", "uv")

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'eossim.theory' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
