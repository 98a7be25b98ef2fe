"""Values with their derivatives: expressions of a rule's program, differentiated forward.

A value is a pair (value, tangent). Values have shape (dim, runs) or (runs,), tangents one more axis: a direction each.
None stands for the tangent of what does not depend on the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np
import sympy as sp

Dual = tuple[np.ndarray, np.ndarray | None]


def evaluate(expression: sp.Expr, known: Mapping[sp.Symbol, Dual], norms: frozenset[sp.Symbol]) -> Dual:
    """Return the value and tangent of an expression of `known` symbols, by the conventions of the compiled steps.

    Args:
        expression: Sums, products, powers, Min, Max, Abs and sign.
        known: Values and tangents of its symbols.
        norms: Symbols of norms: one over what vanishes with a norm is zero.
    """
    if expression.is_Symbol:
        return known[expression]
    if expression.is_Number or expression.is_NumberSymbol:
        return np.asarray(float(expression)), None
    if expression.is_Pow:
        base = evaluate(expression.base, known, norms)
        return _power(base, float(expression.exp), guarded=bool(expression.base.free_symbols & norms))
    parts = [evaluate(a, known, norms) for a in expression.args]
    if expression.is_Add:
        return reduce(_add, parts)
    if expression.is_Mul:
        return reduce(_multiply, parts)
    if isinstance(expression, sp.Min | sp.Max):
        return reduce(_smaller if isinstance(expression, sp.Min) else _larger, parts)
    (value, tangent) = parts[0]
    if isinstance(expression, sp.Abs):
        return np.abs(value), scaled(np.sign(value), tangent)
    return np.sign(value), None


def scaled(factor: np.ndarray, tangent: np.ndarray | None) -> np.ndarray | None:
    """Return a tangent times a factor of the shape of the value."""
    return None if tangent is None else np.asarray(factor)[..., None] * tangent


def length(vector: Dual) -> Dual:
    """Return the Euclidean norm over coordinates, shape (runs,); its derivative where it vanishes counts as zero."""
    value, tangent = vector
    norm = np.sqrt((value * value).sum(axis=0))
    if tangent is None:
        return norm, None
    inner = (value[..., None] * tangent).sum(axis=0)
    return norm, np.where(norm[..., None] != 0, inner / norm[..., None], 0.0)


def _add(a: Dual, b: Dual) -> Dual:
    return a[0] + b[0], _sum(a[1], b[1])


def _multiply(a: Dual, b: Dual) -> Dual:
    return a[0] * b[0], _sum(scaled(b[0], a[1]), scaled(a[0], b[1]))


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    if a is None or b is None:
        return b if a is None else a
    return a + b


def _power(base: Dual, exponent: float, *, guarded: bool) -> Dual:
    value, tangent = base
    power, slope = value**exponent, exponent * value ** (exponent - 1)
    if guarded and exponent < 0:
        power, slope = np.where(value != 0, power, 0.0), np.where(value != 0, slope, 0.0)
    return power, scaled(slope, tangent)


def _smaller(a: Dual, b: Dual) -> Dual:
    return _choose(a[0] < b[0], a, b)


def _larger(a: Dual, b: Dual) -> Dual:
    return _choose(a[0] > b[0], a, b)


def _choose(first: np.ndarray, a: Dual, b: Dual) -> Dual:
    first = first | (a[0] != a[0])  # a nan stays
    value = np.where(first, a[0], b[0])
    if a[1] is None and b[1] is None:
        return value, None
    of_a, of_b = (np.zeros(()) if t is None else t for t in (a[1], b[1]))
    return value, np.where(first[..., None], of_a, of_b)
