"""The first steps of gradient descent: what loss and sharpness do, at which step sizes, and how a run goes on.

Names load when first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "CriticalConstants": "constants",
    "CriticalStep": "critical_step",
    "Early": "classify",
    "Regimes": "regimes",
    "SaturationKnee": "saturation",
    "UVStarts": "uv",
    "classify_early": "classify",
    "critical_constants": "constants",
    "detect_regimes": "regimes",
    "estimate_critical_step": "critical_step",
    "network_saturation": "saturated_network",
    "phase_diagram": "diagram",
    "refine": "bisection",
    "saturation_grid": "saturation",
    "saturation_knee": "saturation",
    "table": "diagram",
    "uv_saturation": "uv_cell",
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module 'eossim.early_training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
