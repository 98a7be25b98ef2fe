"""Units in which formulas of the uv model neither overflow nor underflow, reached without rounding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def scaled(formula: Callable[..., Any], power: int, *, by_target: bool = False) -> Callable[..., Any]:
    """Return the formula of f, λ, κ and y evaluated with κ and λ of the order of 1, and taken back.

    Scalings of output and weights change λ, κ and f but not κf²/λ². All are powers of 2, so that results are those of
    the formula itself where that neither overflows nor underflows.

    Args:
        formula: Function of keywords f, lam, kappa, y that is multiplied by a^power if lam is by a, f and y by a/√b and
            kappa by b.
        power: See there.
        by_target: Whether √κ|y| sets the scale where it is larger than λ.
    """

    def evaluated(f: Any, lam: Any, kappa: Any, y: Any) -> Any:
        half = np.frexp(kappa)[1] // 2
        largest = np.maximum(lam, np.sqrt(kappa) * np.abs(y)) if by_target else lam
        unit = np.frexp(largest)[1]
        inner = formula(
            f=np.ldexp(f, half - unit),
            lam=np.ldexp(lam, -unit),
            kappa=np.ldexp(kappa, -2 * half),
            y=np.ldexp(y, half - unit),
        )
        return np.ldexp(inner, power * unit)

    return evaluated
