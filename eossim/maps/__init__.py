"""The shipped maps: exact one-step dynamics of solvable models, each a few lines of mathematics."""

from __future__ import annotations

from typing import Any

from .._map import Map
from ._solvable import minimalist, second_order, self_stabilization
from ._uv import uv, uv_amplitudes, uv_balanced, uv_function, uv_residual

#: Every shipped map by name.
SHIPPED: dict[str, Map] = {
    m.name: m
    for m in (uv, uv_amplitudes, uv_function, uv_balanced, uv_residual, second_order, minimalist, self_stabilization)
}
__all__ = [
    "SHIPPED",
    "minimalist",
    "second_order",
    "self_stabilization",
    "uv",
    "uv_amplitudes",
    "uv_balanced",
    "uv_function",
    "uv_residual",
]


def __getattr__(name: str) -> Any:
    from .._check import unknown

    raise AttributeError(str(unknown("map", name, SHIPPED)))
