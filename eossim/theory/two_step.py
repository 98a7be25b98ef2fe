"""Two steps of gradient descent at the edge of a minimum in one dimension: when a stable 2-cycle is born."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..formulas import toy
from ._elementwise import inside

if TYPE_CHECKING:
    import sympy as sp

#: Below the exponent of any number.
_LOWEST = -3000


def coefficient(f2: ArrayLike, f3: ArrayLike, f4: ArrayLike) -> np.ndarray:
    """Return the coefficient of x³ in two steps g(g(x)) = x + ... x³ + O(x⁴) with η = 2/f'' (derived).

    ⅔(f''f'''' - 3f'''²)/f''², from the second, third and fourth derivative at the minimum; negative attracts. Shape of
    the broadcast arguments, NaN unless f'' > 0.
    """
    return inside(lambda **f: np.ldexp(*_in_units(**f)), lambda f2, f3, f4: f2 > 0, f2=f2, f3=f3, f4=f4)


def two_cycle_is_born(f2: ArrayLike, f3: ArrayLike, f4: ArrayLike) -> np.ndarray:
    """Return whether a stable 2-cycle is born as η passes 2/f'': 3f'''² > f''f'''' (derived; cf. arXiv:2206.04172).

    Shape of the broadcast arguments; False where f'' is not positive. Equality is False: higher derivatives decide.
    """
    return inside(lambda **f: _in_units(**f)[0], lambda f2, f3, f4: f2 > 0, f2=f2, f3=f3, f4=f4) < 0


def two_cycle_of_map_is_born(g2: ArrayLike, g3: ArrayLike) -> np.ndarray:
    """Return whether a stable 2-cycle is born where a fixed point of a map g has g' = -1: ½g''² + ⅓g''' > 0 (derived).

    Args:
        g2: Second derivative g'' at the fixed point.
        g3: Third derivative g'''.
    """

    def criterion(g2: np.ndarray, g3: np.ndarray) -> np.ndarray:
        unit = _unit(g2, g3)
        return np.ldexp(g2, -unit) ** 2 / 2 + np.ldexp(g3, -2 * unit) / 3

    return inside(criterion, lambda g2, g3: True, g2=g2, g3=g3) > 0


def _in_units(f2: np.ndarray, f3: np.ndarray, f4: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficient in units of loss and x, powers of 2, that keep it from underflow; its power of 2."""
    loss = np.frexp(f2)[1]
    f2, f3, f4 = (np.ldexp(f, -loss) for f in (f2, f3, f4))
    unit = _unit(f3, f4)
    return toy.two_step_coefficient(f2=f2, f3=np.ldexp(f3, -unit), f4=np.ldexp(f4, -2 * unit)), 2 * unit


def _unit(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return n such that the larger of `first` / 2ⁿ and `second` / 4ⁿ is of the order of 1."""
    halves = (np.frexp(first)[1], (np.frexp(second)[1] + 1) // 2)
    known = [np.where(value == 0, _LOWEST, n) for value, n in zip((first, second), halves, strict=True)]
    return np.maximum(*known)


@dataclass(frozen=True)
class Minimum:
    """A minimum of a loss of one variable, as gradient descent at its edge sees it.

    Attributes:
        f2: Second derivative, the curvature.
        f3: Third derivative.
        f4: Fourth derivative.
        eta: 2/f'', the step size at which the minimum loses stability.
        coefficient: See `coefficient`.
        two_cycle_is_born: See `two_cycle_is_born`.
    """

    f2: float
    f3: float
    f4: float
    eta: float
    coefficient: float
    two_cycle_is_born: bool


def at_minimum(loss: sp.Expr | Callable[[sp.Symbol], sp.Expr], minimum: Any) -> Minimum:
    """Return derivatives and two-step criterion of a loss at its minimum; derivatives are exact (sympy).

    Args:
        loss: Expression in one symbol, or a function that builds it from a symbol.
        minimum: Where the minimum is: a number, or an exact sympy number.

    Raises:
        TypeError: If `loss` gives no expression of exactly one symbol.
        ValueError: If `minimum` is no critical point, or its curvature is not positive.

    Example:
        >>> at_minimum(lambda x: (x**2 - 1)**2 / 4, 1).two_cycle_is_born
        True
    """
    import sympy as sp

    x = sp.Symbol("x", real=True)
    expression = sp.sympify(loss(x) if callable(loss) and not isinstance(loss, sp.Basic) else loss)
    symbols = expression.free_symbols if isinstance(expression, sp.Expr) else set()
    if len(symbols) != 1:
        raise TypeError(f"loss must be an expression of exactly one symbol, got {expression}")
    (variable,) = symbols
    derivatives = [sp.diff(expression, variable, order).subs(variable, minimum) for order in range(1, 5)]
    try:
        slope, f2, f3, f4 = (float(d) for d in derivatives)
    except TypeError:
        raise ValueError(f"the derivatives of the loss at {minimum} are not real numbers") from None
    if not f2 > 0:
        raise ValueError(f"minimum must have a positive curvature, got {f2:g} at {minimum}")
    if not abs(slope) <= 1e-8 * f2 * max(1.0, abs(float(minimum))):
        raise ValueError(f"minimum must be a critical point of the loss, got the slope {slope:g} at {minimum}")
    born = bool(two_cycle_is_born(f2, f3, f4))
    return Minimum(f2, f3, f4, 2 / f2, float(np.asarray(coefficient(f2, f3, f4))), born)
