"""Refuse hyper-parameters with which a method is unstable on some mode, and say what would be stable."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...engine.method import Method
from ..queries import spectral_radius
from .filters import Filters


def check_stable(method: Method, filters: Filters, curvature: np.ndarray) -> None:
    """Raise ValueError unless the spectral radius is below 1 on every mode, for every run.

    The message names the worst mode, and the largest stable value of each of eta and rho, the others held.
    """
    radius = filters.radius
    bad = ~(radius < 1) & ~_settled(filters)
    if not bad.any():
        return
    run = int(np.argmax(bad.any(axis=1)))
    mode = int(np.argmax(np.where(bad[run], radius[run], -np.inf)))
    values = {n: float(np.broadcast_to(v, (method.runs,))[run]) for n, v in method.values.items()}
    shown = ", ".join(f"{n}={v:g}" for n, v in values.items())
    remedies = [
        f"largest stable {name} is {most:.6g}"
        for name in ("eta", "rho")
        if name in values and (most := _largest_stable(method, values, name, curvature)) is not None
    ]
    advice = f"; {' (or '.join(remedies)}{')' if len(remedies) > 1 else ''}" if remedies else ""
    raise ValueError(
        f"{method.rule.name} with {shown} is unstable on mode {mode}, curvature {curvature[mode]:.6g} "
        f"(multiplier {radius[run, mode]:.6g} in size){advice}"
    )


def _settled(filters: Filters) -> np.ndarray:
    """Modes so flat that rounding puts the radius at 1: stable if the slow root of det(z I - A) is below 1.

    That is det(I - A) > 0, which the increments give to full accuracy.
    """
    down = filters.steps_down
    if down is not None:
        return (down >= 0) & (down < 1)
    return (filters.radius < 1 + 1e-9) & (np.linalg.det(-filters.increments) > 0)


def _largest_stable(method: Method, values: dict[str, Any], name: str, curvature: np.ndarray) -> float | None:
    """Return by bisection the largest value of one hyper-parameter below the given one that is stable on all modes."""

    def stable(value: float) -> bool:
        return bool(np.all(spectral_radius(method.rule, curvature, **(values | {name: value})) <= 1))

    low, high = 0.0, values[name]
    if stable(high):  # exactly at the edge
        return high
    if not stable(1e-12 * high):
        return None
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if stable(middle) else (low, middle)
    return low
