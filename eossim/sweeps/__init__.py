"""Functions over grids of parameters: all cores or a cluster, labelled results, a store that survives a crash."""

from __future__ import annotations

from .sweep import sweep

__all__ = ["sweep"]
