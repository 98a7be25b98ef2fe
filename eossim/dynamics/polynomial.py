"""Real solutions of one polynomial equation, or of two in two unknowns: all of them, by exact elimination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import mpmath
import numpy as np
import sympy as sp

#: Largest product of degrees of two factors, and largest degree of one equation, that elimination takes on.
_LARGEST = 40
#: Digits of the roots, and how well a pair of coordinates must solve the other equation: a third of the digits is left
#: of a triple root.
_DIGITS, _RESIDUAL = 60, mpmath.mpf(10) ** -18
#: A coefficient that is this small at an exact root is zero there.
_ZERO = mpmath.mpf(10) ** -40


@dataclass
class Solutions:
    """All real solutions.

    Attributes:
        points: Isolated ones, shape (points, unknowns).
        curves: Polynomials on whose zeros every point is a solution.
    """

    points: np.ndarray
    curves: list[sp.Expr] = field(default_factory=list)


def real_solutions(equations: Sequence[sp.Expr], unknowns: Sequence[sp.Symbol]) -> Solutions | None:
    """Solve polynomial equations with rational coefficients, as many as unknowns.

    Returns:
        All real solutions; None for more than two unknowns, equations that are not polynomial, or degrees for which
        elimination would take long.
    """
    if len(unknowns) > 2 or not all(e.is_polynomial(*unknowns) for e in equations):
        return None
    polynomials = [sp.Poly(e, *unknowns, domain="QQ") for e in equations]
    if max(p.total_degree() for p in polynomials) > _LARGEST:
        return None
    if len(unknowns) == 1:
        return _univariate(polynomials[0])
    try:
        with mpmath.workdps(_DIGITS):
            return _bivariate(*polynomials)
    except mpmath.NoConvergence:
        return None


def _univariate(polynomial: sp.Poly) -> Solutions:
    if polynomial.is_zero:
        return Solutions(np.empty((0, 1)), [sp.Integer(0)])
    return Solutions(np.array([[float(root)] for root in _real_roots(polynomial)]).reshape(-1, 1))


def _bivariate(first: sp.Poly, second: sp.Poly) -> Solutions | None:
    """Solve factor by factor: a factor of both is a curve of solutions, any other pair has finitely many."""
    common = first.gcd(second)
    if common.is_zero:
        return Solutions(np.empty((0, 2)), [sp.Integer(0)])
    curves = [f for f, _ in common.factor_list()[1]]
    rest = [[f for f, _ in p.factor_list()[1]] for p in (first, second)]
    found: list[tuple[mpmath.mpf, mpmath.mpf]] = []
    for a, b in product(*rest):
        if a in curves and b in curves and a == b:
            continue
        if a.total_degree() * b.total_degree() > _LARGEST:
            return None
        found += _intersections(a, b)
    points: list[tuple[mpmath.mpf, mpmath.mpf]] = []
    for point in found:
        on_curve = any(abs(_value(c, point)) <= _RESIDUAL * _size(c, point) for c in curves)
        if not on_curve and all(max(abs(point[0] - p[0]), abs(point[1] - p[1])) > _RESIDUAL for p in points):
            points.append(point)
    return Solutions(np.array([[float(x), float(y)] for x, y in points]).reshape(-1, 2), [c.as_expr() for c in curves])


def _intersections(a: sp.Poly, b: sp.Poly) -> list[tuple[mpmath.mpf, mpmath.mpf]]:
    """Return the real common zeros of two coprime polynomials in two unknowns."""
    x, y = a.gens
    if a.degree(y) == 0 and b.degree(y) == 0:
        return []
    eliminated = sp.Poly(sp.resultant(a.as_expr(), b.as_expr(), y), x, domain="QQ")
    found = []
    for root in _real_roots(eliminated):
        of_y, other = sorted((a, b), key=lambda p: (p.degree(y) == 0, p.degree(y)))  # the simpler one that has y
        coefficients = _at(of_y, root)
        if len(coefficients) < 2:  # a vertical line: the other equation gives y
            of_y, other = other, of_y
            coefficients = _at(of_y, root)
        if len(coefficients) < 2:
            continue
        for height in mpmath.polyroots(coefficients, maxsteps=500, extraprec=200):
            point = (root, mpmath.re(height))
            real = abs(mpmath.im(height)) <= _RESIDUAL * (1 + abs(height))
            if real and abs(_value(other, point)) <= _RESIDUAL * _size(other, point):
                found.append(point)
    return found


def _real_roots(polynomial: sp.Poly) -> list[mpmath.mpf]:
    """Return the distinct real roots, isolated exactly."""
    if polynomial.degree() < 1:
        return []
    with mpmath.workdps(_DIGITS):
        exact = polynomial.sqf_part().intervals(eps=sp.Rational(1, 10**_DIGITS))
        return [mpmath.mpf(low.p) / low.q / 2 + mpmath.mpf(high.p) / high.q / 2 for (low, high), _ in exact]


def _at(polynomial: sp.Poly, root: mpmath.mpf) -> list[mpmath.mpf]:
    """Return the coefficients of the second unknown at a value of the first, the first of them not zero."""
    x, y = polynomial.gens
    by_power = [sp.Poly(c, x, domain="QQ") for c in sp.Poly(polynomial.as_expr(), y).all_coeffs()]
    values = [_value(c, (root,)) for c in by_power]
    while values and abs(values[0]) <= _ZERO * _size(by_power[len(by_power) - len(values)], (root,)):
        values.pop(0)
    return values


def _value(polynomial: sp.Poly, point: tuple[mpmath.mpf, ...]) -> mpmath.mpf:
    return mpmath.fsum(_terms(polynomial, point))


def _size(polynomial: sp.Poly, point: tuple[mpmath.mpf, ...]) -> mpmath.mpf:
    """Return the sum of the magnitudes of the terms, coordinates below 1 counting as 1: zero is small against it."""
    return mpmath.fsum(abs(t) for t in _terms(polynomial, tuple(max(abs(x), mpmath.mpf(1)) for x in point)))


def _terms(polynomial: sp.Poly, point: tuple[mpmath.mpf, ...]) -> list[mpmath.mpf]:
    terms = []
    for powers, coefficient in polynomial.terms():
        number = mpmath.mpf(int(coefficient.p)) / int(coefficient.q)
        terms.append(mpmath.fprod([number, *(x**n for x, n in zip(point, powers, strict=True))]))
    return terms
