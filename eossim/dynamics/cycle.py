"""A fixed point or cycle, and how nearby states move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Multipliers within this of the unit circle count as on it.
_ON_CIRCLE = 1e-9


@dataclass(frozen=True, eq=False)
class Cycle:
    """A fixed point or cycle.

    Attributes:
        points: In the order of the steps, shape (period, dim).
        multipliers: Eigenvalues of the derivative of the period-fold map, largest modulus first, shape (dim,), complex.
        blur: How far rounding may have moved the modulus of a multiplier: much where cycles merge.
    """

    points: np.ndarray
    multipliers: np.ndarray
    blur: float = 0.0

    @property
    def stability(self) -> str:
        """How nearby states move.

        ``"stable"`` (all multipliers inside the unit circle), ``"unstable"`` (all outside), ``"saddle"`` (some
        outside), or ``"neutral"`` (none outside, some within 1e-9 or `blur` of the circle: higher orders decide, or the
        cycle belongs to a line of them, or is one of several that rounding does not resolve).
        """
        moduli, width = np.abs(self.multipliers), max(_ON_CIRCLE, self.blur)
        outside, inside = moduli > 1 + width, moduli < 1 - width
        if inside.all():
            return "stable"
        if not outside.any():
            return "neutral"
        return "unstable" if outside.all() else "saddle"

    @property
    def stable(self) -> bool:
        """Whether all multipliers are inside the unit circle."""
        return self.stability == "stable"
