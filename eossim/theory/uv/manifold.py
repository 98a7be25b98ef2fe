"""The uv model with a target: fixed points, and the 2-cycle and bifurcations on the balanced manifold.

In units of `maps.uv`, for Y = η√κ y > 0 (for y < 0 mirror f and y). The manifold Q = 0, where
λ = 2√κ f, is invariant. Sources: arXiv:2311.02076, formulas derived.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..._check import in_interval, real_array
from ...formulas import toy
from ...maps import uv_balanced, uv_residual
from .._elementwise import inside

if TYPE_CHECKING:
    import sympy as sp


@dataclass(frozen=True)
class FixedPoint:
    """A fixed point of `maps.uv`.

    Attributes:
        name: "I" to "IV".
        P: η(λ + 2√κ f).
        Q: η(λ - 2√κ f).
        multipliers: Eigenvalues of the Jacobian there.
        character: "attracting", "neutral" or "repelling" for the line of minima, across it; "saddle", "neutral" or
            "repeller" for a point. Neutral means that a multiplier has magnitude 1 and no other decides.
        meaning: What it is for the parameters.
    """

    name: str
    P: float
    Q: float
    multipliers: tuple[float, float]
    character: str
    meaning: str


def fixed_points(Y: float) -> tuple[FixedPoint, ...]:
    """Return the fixed points of `maps.uv` with P >= 0 and Q >= 0.

    * I: the line Δ = 0, P = Q + 4Y; multipliers 1 and 1 - ηλ, so that ηλ < 2 attracts. Given at its end Q = 0, where
      the sharpness is smallest, ηλ = 2Y: the line has an attracting part iff Y < 1.
    * II: θ = 0; multipliers (1 + Y)² and (1 - Y)².
    * III and IV: Δ = ±2/(η√κ); repellers. The parameters change their sign at every step: in parameters 2-cycles. IV
      exists for Y < 2.

    Args:
        Y: η√κ y, positive and finite.

    Raises:
        TypeError: If Y is not a real number.
        ValueError: If Y is not one positive finite number.
    """
    target = real_array("Y", Y)
    if target.ndim:
        raise ValueError(f"Y must be a number, got shape {target.shape}")
    value = float(in_interval("Y", target, 0, np.inf, open_low=True, open_high=True))
    line = "attracting" if value < 1 else "neutral" if value == 1 else "repelling"
    origin = "saddle" if value < 2 else "neutral" if value == 2 else "repeller"
    found = [
        FixedPoint("I", 4 * value, 0.0, (1.0, 1 - 2 * value), line, "minima, at the one of least sharpness"),
        FixedPoint("II", 0.0, 0.0, ((1 + value) ** 2, (1 - value) ** 2), origin, "parameters zero"),
        FixedPoint("III", 4 * (value + 2), 0.0, (9.0, 5 + 2 * value), "repeller", "parameters change sign"),
    ]
    if value < 2:
        found.append(FixedPoint("IV", 0.0, 4 * (2 - value), (9.0, 5 - 2 * value), "repeller", "parameters change sign"))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class TwoCycle:
    """The 2-cycle on the balanced manifold; arrays of the shape of Y, NaN where there is none (Y < 1).

    Attributes:
        high: f/y at the upper point.
        low: f/y at the lower one.
        sharpness_high: ηλ^H at the upper point.
        sharpness_low: ηλ^H at the lower one.
        mean_trace: Mean of ηλ over the cycle.
        mean_sharpness: Mean of ηλ^H over the cycle.
        multiplier: Of two steps along the manifold.
        transverse: Of two steps across it.
        stable: Whether both are below 1 in magnitude: 1 < Y < √5 - 1.
    """

    high: np.ndarray
    low: np.ndarray
    sharpness_high: np.ndarray
    sharpness_low: np.ndarray
    mean_trace: np.ndarray
    mean_sharpness: np.ndarray
    multiplier: np.ndarray
    transverse: np.ndarray
    stable: np.ndarray


def two_cycle(Y: ArrayLike) -> TwoCycle:
    """Return the 2-cycle that is born at Y = 1, where it is the fixed point; Y = η√κ y is an array or a number."""
    Y = real_array("Y", Y, dtype=np.float64)[()]
    high, low, multiplier, transverse = (
        inside(formula, lambda Y: Y >= 1, Y=Y)
        for formula in (
            toy.uv_two_cycle_high,
            toy.uv_two_cycle_low,
            toy.uv_two_cycle_multiplier,
            toy.uv_two_cycle_transverse,
        )
    )
    sharpness = [toy.uv_sharpness(f=F, lam=2 * F, kappa=1.0, y=Y) for F in (Y * high, Y * low)]
    return TwoCycle(
        high=high,
        low=low,
        sharpness_high=sharpness[0],
        sharpness_low=sharpness[1],
        mean_trace=Y * (high + low),
        mean_sharpness=(sharpness[0] + sharpness[1]) / 2,
        multiplier=multiplier,
        transverse=transverse,
        stable=(np.abs(multiplier) < 1) & (np.abs(transverse) < 1),
    )


def bifurcations() -> dict[str, sp.Expr]:
    """Return the values of Y at which the dynamics on the balanced manifold change, as exact numbers, ascending.

    * "monotone_until": up to here the loss falls at every step from every bounded start.
    * "two_cycle": minima lose stability and the stable 2-cycle is born.
    * "superstable": its multiplier is 0.
    * "doubling": its multiplier is -1 and a 4-cycle is born.
    * "zero_reached": from here on f reaches 0.
    * "divergence": above, runs diverge; here they are chaotic with Lyapunov exponent ln 3.

    They are solved for from the maps and the multiplier (takes a moment at first call).
    """
    import sympy as sp

    Y = uv_balanced.symbols["Y"]
    e, X, square = uv_residual.states[0], uv_balanced.states[0], sp.Symbol("square", positive=True)
    ratio = sp.cancel(uv_residual.update[0] / e)
    (turn,) = sp.solve(sp.diff(ratio, e), e)
    factor = sp.cancel(uv_balanced.update[0] / X)  # 1 + Y - X²
    (zero,), (flip,) = (sp.solve(factor.subs(X, sp.sqrt(square)) - z, square) for z in (0, -1))
    (top,) = sp.solve(sp.diff(uv_balanced.update[0], X).subs(X, sp.sqrt(square)), square)
    largest = top * factor.subs(X, sp.sqrt(top)) ** 2  # of X² after a step from within
    multiplier = toy.uv_two_cycle_multiplier(Y=Y)
    conditions = {
        "monotone_until": ratio.subs(e, turn) + 1,
        "two_cycle": ratio.subs(e, 0) + 1,
        "superstable": multiplier,
        "doubling": multiplier + 1,
        "zero_reached": largest - zero,
        "divergence": largest - flip,
    }
    return {name: _positive_root(condition, Y) for name, condition in conditions.items()}


def _positive_root(condition: sp.Expr, Y: sp.Symbol) -> sp.Expr:
    import sympy as sp

    (root,) = (r for r in sp.solve(condition, Y) if r.is_positive)
    return sp.expand(root)
