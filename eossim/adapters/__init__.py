"""Models of other libraries as problems: a torch module, a jax loss, and diagnostics for a torch training loop.

Names load when first used; each needs its library (``pip install "eossim[torch]"``, ``"eossim[jax]"``).
"""

from __future__ import annotations

import importlib
from typing import Any

from ._require import require

#: Where a name stands, and the library that it needs.
_HOME = {
    "JaxProblem": ("jax_problem", "jax"),
    "TorchMonitor": ("torch_monitor", "torch"),
    "TorchProblem": ("torch_problem", "torch"),
    "from_jax": ("jax_problem", "jax"),
    "from_torch": ("torch_problem", "torch"),
}

__all__ = [*_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'eossim.adapters' has no attribute {name!r}")
    home, library = _HOME[name]
    require(library)
    return getattr(importlib.import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
