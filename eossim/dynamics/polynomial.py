"""Real solutions of one polynomial equation, or of two in two unknowns: all of them, by exact elimination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import mpmath
import sympy as sp

#: Largest product of degrees of two factors, and largest degree of one equation, that elimination takes on.
_LARGEST = 40
#: Digits of the roots: a third of them is left of a triple root.
_DIGITS = 300
#: Numbers that differ by this fraction of the terms they are sums of are equal.
_EQUAL = mpmath.mpf(10) ** -80
#: A coefficient that is this small at an exact root, or a root this far below the bound of all, is zero.
_ZERO = mpmath.mpf(10) ** -90

#: Coordinates to `_DIGITS` digits, zeros exact.
Point = tuple[mpmath.mpf, ...]


@dataclass
class Solutions:
    """All real solutions.

    Attributes:
        points: Isolated ones, distinct.
        curves: Polynomials on whose zeros every point is a solution.
    """

    points: list[Point]
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
    try:
        with mpmath.workdps(_DIGITS):
            return _univariate(polynomials[0]) if len(unknowns) == 1 else _bivariate(*polynomials)
    except mpmath.NoConvergence:
        return None


def orbits(
    points: Sequence[Point], update: Sequence[sp.Expr], states: Sequence[sp.Symbol], period: int
) -> list[list[Point]]:
    """Return the distinct cycles of exactly period 1 or 2 through solutions, ordered by their first point.

    Args:
        points: Solutions of the equations of that period.
        update: The map, polynomials of the states.
        states: The unknowns.
        period: 1 or 2.
    """
    if period == 1:
        return [[p] for p in sorted(points)]
    polynomials = [sp.Poly(e, *states, domain="QQ") for e in update]
    found: list[list[Point]] = []
    with mpmath.workdps(_DIGITS):
        images: list[tuple[Point, Point]] = []  # and the magnitude of the terms they are sums of
        for point in sorted(points):
            image = tuple(_value(p, point) for p in polynomials)
            size = tuple(_size(p, point) for p in polynomials)
            if _equal(point, image, size) or any(_equal(point, *known) for known in images):
                continue
            images.append((image, size))
            found.append([point, image])
    return found


def _univariate(polynomial: sp.Poly) -> Solutions:
    if polynomial.is_zero:
        return Solutions([], [sp.Integer(0)])
    return Solutions([(root,) for root in _real_roots(polynomial)])


def _bivariate(first: sp.Poly, second: sp.Poly) -> Solutions | None:
    """Solve factor by factor: a factor of both is a curve of solutions, any other pair has finitely many."""
    common = first.gcd(second)
    if common.is_zero:
        return Solutions([], [sp.Integer(0)])
    curves = [f for f, _ in common.factor_list()[1]]
    rest = [[f for f, _ in p.factor_list()[1]] for p in (first, second)]
    found: list[Point] = []
    for a, b in product(*rest):
        if a in curves and b in curves and a == b:
            continue
        if a.total_degree() * b.total_degree() > _LARGEST:
            return None
        found += _intersections(a, b)
    points: list[Point] = []
    for point in found:
        if not any(_vanishes(c, point) for c in curves) and not any(_same(point, p) for p in points):
            points.append(point)
    return Solutions(points, [c.as_expr() for c in curves])


def _intersections(a: sp.Poly, b: sp.Poly) -> list[Point]:
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
        points = [(root, height) for height in _numeric_roots(coefficients)]
        found += [point for point in points if _vanishes(other, point)]
    return found


def _real_roots(polynomial: sp.Poly) -> list[mpmath.mpf]:
    """Return the distinct real roots, isolated exactly."""
    simple = polynomial.sqf_part()
    roots = [mpmath.mpf(0)] if simple.degree() > 0 and simple.eval(0) == 0 else []
    if roots:
        simple = simple.exquo(sp.Poly(simple.gen, simple.gen, domain="QQ"))
    if simple.degree() < 1:
        return roots
    # The reciprocals of the roots have a bound, so that each is found to as many digits as any other.
    smallest = 1 / _bound([_number(c) for c in reversed(simple.all_coeffs())])
    width = sp.Rational(2) ** (mpmath.frexp(smallest)[1] - 100)
    for (low, high), _ in simple.intervals(eps=width):
        ends = _number(low), _number(high)
        root = (ends[0] + ends[1]) / 2
        for _ in range(5):  # a simple root: from 30 digits
            value, slope = mpmath.polyval([_number(c) for c in simple.all_coeffs()], root, derivative=True)
            root -= value / slope
        if not ends[0] <= root <= ends[1]:
            ends = tuple(map(_number, simple.refine_root(low, high, eps=width / 10**_DIGITS)))
            root = (ends[0] + ends[1]) / 2
        roots.append(root)
    return roots


def _numeric_roots(coefficients: list[mpmath.mpf]) -> list[mpmath.mpf]:
    """Return the real roots of a polynomial, multiple ones repeatedly."""
    largest = _bound(coefficients)
    if largest == 0:
        return [mpmath.mpf(0)]
    degree = len(coefficients) - 1
    scaled = [c * largest ** (degree - k) for k, c in enumerate(coefficients)]  # in units of the bound
    found = mpmath.polyroots([c / scaled[0] for c in scaled], maxsteps=3000, extraprec=400)
    real = [mpmath.re(u) for u in found if abs(mpmath.im(u)) <= _ZERO]
    return [largest * u if abs(u) > _ZERO else mpmath.mpf(0) for u in real]


def _bound(coefficients: list[mpmath.mpf]) -> mpmath.mpf:
    """Return Fujiwara's bound of the moduli of the roots."""
    return 2 * max(abs(c / coefficients[0]) ** (mpmath.mpf(1) / k) for k, c in enumerate(coefficients) if k)


def _at(polynomial: sp.Poly, root: mpmath.mpf) -> list[mpmath.mpf]:
    """Return the coefficients of the second unknown at a value of the first, the first of them not zero."""
    x, y = polynomial.gens
    by_power = [sp.Poly(c, x, domain="QQ") for c in sp.Poly(polynomial.as_expr(), y).all_coeffs()]
    sums = [(_value(c, (root,)), _size(c, (root,))) for c in by_power]
    values = [value if abs(value) > _ZERO * size else mpmath.mpf(0) for value, size in sums]
    while values and values[0] == 0:
        values.pop(0)
    return values


def _vanishes(polynomial: sp.Poly, point: Point) -> bool:
    return bool(abs(_value(polynomial, point)) <= _EQUAL * _size(polynomial, point))


def _equal(point: Point, image: Point, size: Point) -> bool:
    return all(abs(a - b) <= _EQUAL * (abs(a) + s) for a, b, s in zip(point, image, size, strict=True))


def _same(point: Point, other: Point) -> bool:
    return all(abs(a - b) <= _EQUAL * max(abs(a), abs(b)) for a, b in zip(point, other, strict=True))


def _value(polynomial: sp.Poly, point: Point) -> mpmath.mpf:
    return mpmath.fsum(_terms(polynomial, point))


def _size(polynomial: sp.Poly, point: Point) -> mpmath.mpf:
    """Return the sum of the magnitudes of the terms: zero is small against it."""
    return mpmath.fsum(_terms(polynomial, point), absolute=True)


def _terms(polynomial: sp.Poly, point: Point) -> list[mpmath.mpf]:
    terms = []
    for powers, coefficient in polynomial.terms():
        factors = (x**n for x, n in zip(point, powers, strict=True))
        terms.append(mpmath.fprod([_number(coefficient), *factors]))
    return terms


def _number(rational: sp.Rational) -> mpmath.mpf:
    return mpmath.mpf(int(rational.p)) / int(rational.q)
