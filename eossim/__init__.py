"""eossim: a laboratory for the edge of stability.

A method is written once, as mathematics; its edge, its simulator and its test follow from it. Names load when first
used: ``import eossim`` brings in no computer algebra, plotting or labelled arrays.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Family": "_rule",
    "Map": "_map",
    "Rule": "_rule",
    "rule": "_rule",
    "MLP": "networks",
    "Function": "problems",
    "KernelRegression": "problems",
    "LeastSquares": "problems",
    "MatrixFactorization": "problems",
    "Quadratic": "problems",
    "QuadraticSum": "problems",
    "FourParameter": "problems",
    "SecondOrderRegression": "problems",
    "SelfStabilization": "problems",
    "UVModel": "problems",
    "Record": "engine.record",
    "adaptive_descent": "engine.adaptive",
    "minibatch": "engine.sampling",
    "noisy_gd": "engine.sampling",
    "normalized_steepest_descent": "engine.steepest",
    "sgd": "engine.sampling",
    "simulate": "engine.simulate",
    "steepest_descent": "engine.steepest",
    "critical_grad_norm": "theory",
    "critical_step_size": "theory",
    "derive": "symbolic.automatic",
    "edge": "theory",
    "edges": "theory",
    "phase_diagram": "early_training.diagram",
    "preconditioned_sharpness": "theory",
    "spectral_radius": "theory",
    "sweep": "sweeps",
    "train": "training.train",
    "two_cycle_amplitude": "theory",
    "verify": "verification",
}
_MODULES = (
    "adapters",
    "data",
    "dynamics",
    "early_training",
    "experiments",
    "maps",
    "measure",
    "norms",
    "plot",
    "problems",
    "rules",
    "symbolic",
    "theory",
    "training",
)

__all__ = ["__version__", *_MODULES, *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'eossim' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
