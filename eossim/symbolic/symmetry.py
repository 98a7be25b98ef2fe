"""Which changes of coordinates a step commutes with: rotations, and translations of the minimum.

A rule that commutes with both runs in the eigenbasis with its origin at the minimiser, where a step is cheapest and
rounds best. The test reads the expressions: a rule that is not seen to commute is stepped in the problem's own
coordinates, which is always right.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from .vocabulary import grad, norm, precond, upcoming


def commutes_with_rotations(update: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Return whether every next state is a combination of vectors with coefficients that rotations leave alone."""
    states = frozenset(update)
    return all(_is_combination(e, states) for e in update.values())


def commutes_with_translations(update: Mapping[sp.Symbol, sp.Expr], iterates: Mapping[sp.Symbol, bool]) -> bool:
    """Return whether moving the minimum and all iterates by one vector moves the next iterates by it, and no buffer."""
    weights = {s: sp.Integer(int(is_iterate)) for s, is_iterate in iterates.items()}
    for state, expression in update.items():
        weight = _weight(expression, weights)
        if weight is None or sp.simplify(weight - weights[state]) != 0:
            return False
    return True


def _is_number(expression: sp.Expr, states: frozenset[sp.Symbol]) -> bool:
    """Whether a value is one number per run: coordinates enter through norms only."""
    if isinstance(expression, norm):
        return True
    if expression in states or isinstance(expression, grad | precond | upcoming):
        return False
    return all(_is_number(a, states) for a in expression.args)


def _is_combination(expression: sp.Expr, states: frozenset[sp.Symbol]) -> bool:
    """Whether a value is linear and homogeneous in vectors."""
    if expression in states or expression == 0:
        return True
    if isinstance(expression, grad | precond | upcoming):
        return _is_combination(expression.args[0], states)
    if expression.is_Add:
        return all(_is_combination(a, states) for a in expression.args)
    if expression.is_Mul:
        numbers = [a for a in expression.args if _is_number(a, states)]
        vectors = [a for a in expression.args if a not in numbers]
        inside = [n.args[0] for a in numbers for n in a.atoms(norm)]
        return len(vectors) == 1 and all(_is_combination(v, states) for v in [*vectors, *inside])
    return False


def _weight(expression: sp.Expr, weights: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr | None:
    """Return the multiple of a translation by which a value moves, None where it moves in any other way."""
    if expression in weights:
        return weights[expression]
    if isinstance(expression, upcoming):
        return _weight(expression.args[0], weights)
    if isinstance(expression, precond):  # decay inside it moves the minimum, which the coordinates take in
        return sp.Integer(0)
    inside = [_weight(a, weights) for a in expression.args]
    if isinstance(expression, grad):
        return sp.Integer(0) if inside[0] is not None and sp.simplify(inside[0] - 1) == 0 else None
    if any(k is None for k in inside):
        return None
    if expression.is_Add:
        return sp.expand(sp.Add(*inside))
    moving = [a for a, k in zip(expression.args, inside, strict=True) if sp.simplify(k) != 0]
    if not moving:
        return sp.Integer(0)
    if expression.is_Mul and len(moving) == 1:
        rest = sp.Mul(*(a for a in expression.args if a not in moving))
        if _is_number(rest, frozenset(weights)):
            return rest * inside[expression.args.index(moving[0])]
    return None
