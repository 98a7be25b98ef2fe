"""Rewriting an edge so that it neither cancels nor looks odd.

Quadratic roots are written with the discriminant in the denominator, 2 h0 / (1 + sqrt(1 + u)): the textbook form
subtracts nearly equal numbers when the gradient norm is large. Polynomials in hyper-parameters of the unit interval are
written in the Bernstein basis, whose coefficients are their values at the corners: ``1 + beta - 2 beta nu`` becomes
``(1 - beta) + 2 beta (1 - nu)``, a sum of terms of one sign.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp
from sympy.printing.str import StrPrinter

from ..domain import Interval

Point = Mapping[sp.Symbol, sp.Expr]


class complement(sp.Function):  # noqa: N801 - reads as the operation it is
    """1 - x, kept together so that no other term is added to it first."""

    nargs = 1
    is_real = True

    def doit(self, **hints: bool) -> sp.Expr:
        """Return the plain difference."""
        return 1 - self.args[0]

    def _sympystr(self, printer: StrPrinter) -> str:
        return f"(1 - {printer._print(self.args[0])})"

    _numpycode = _sympystr


def positive_form(expression: sp.Expr, sample: Point) -> sp.Expr:
    """Factor a rational expression so that each factor is positive at `sample` (readable signs)."""
    numerator, denominator = sp.fraction(sp.factor(sp.together(expression)))
    top, above = _positive_factors(numerator, sample)
    bottom, below = _positive_factors(denominator, sample)
    return sp.Mul(top / bottom, *above) / sp.Mul(*below)


def _positive_factors(expression: sp.Expr, sample: Point) -> tuple[sp.Expr, list[sp.Expr]]:
    content, factors = sp.factor_list(expression)
    signed = []
    for factor, power in factors:
        if factor.subs(sample) < 0:
            factor, content = -factor, content * (-1) ** power
        signed.append(factor**power)
    return content, signed


def smallest_root(a: sp.Expr, b: sp.Expr, c: sp.Expr, sample: Point) -> sp.Expr:
    """Return the root of a x^2 + b x + c nearest zero, (-2c/b) / (1 + sqrt(1 - 4ac/b^2))."""
    return positive_form(-2 * c / b, sample) / (1 + sp.sqrt(_discriminant(a, b, c, sample)))


def other_root(a: sp.Expr, b: sp.Expr, c: sp.Expr, sample: Point) -> sp.Expr:
    """Return the root of a x^2 + b x + c farthest from zero, (-b/2a) (1 + sqrt(1 - 4ac/b^2))."""
    return positive_form(-b / (2 * a), sample) * (1 + sp.sqrt(_discriminant(a, b, c, sample)))


def _discriminant(a: sp.Expr, b: sp.Expr, c: sp.Expr, sample: Point) -> sp.Expr:
    """Return 1 - 4ac/b^2 with a readable sign."""
    ratio = -4 * a * c / b**2
    if ratio.subs(sample) < 0:
        return 1 - positive_form(-ratio, sample)
    return 1 + positive_form(ratio, sample)


def bernstein(expression: sp.Expr, domain: Mapping[str, Interval]) -> sp.Expr:
    """Rewrite every mixed-sign polynomial inside `expression` that is affine in unit-interval parameters."""
    unit = [s for s in sorted(expression.free_symbols, key=str) if domain.get(str(s), Interval()).is_unit]
    if not unit:
        return expression

    def rewrite(node: sp.Expr) -> sp.Expr:
        if not node.args:
            return node
        node = node.func(*map(rewrite, node.args))
        involved = [s for s in unit if node.has(s)]
        if not node.is_Add or not involved or not _cancels(node):
            return node
        polynomial = sp.Poly(node, *involved) if node.is_polynomial(*involved) else None
        if polynomial is None or max(polynomial.degree(s) for s in involved) > 1:
            return node
        corners = _corners(node, involved)
        return node if corners is None else corners

    return rewrite(expression)


def _cancels(total: sp.Add) -> bool:
    """Whether a sum has terms of mixed sign beyond 1 - beta, which is exact enough."""
    signs = {bool(term.could_extract_minus_sign()) for term in total.args}
    return len(signs) == 2 and (len(total.args) > 2 or len(total.free_symbols) > 1)


def _corners(node: sp.Expr, symbols: list[sp.Symbol]) -> sp.Expr | None:
    """Return the Bernstein form, or None when a corner value has mixed signs itself."""
    if not symbols:
        return None if node.is_Add and _cancels(node) else sp.factor_terms(node)
    first, rest = symbols[0], symbols[1:]
    low, high = sp.expand(node.subs(first, 0)), sp.expand(node.subs(first, 1))
    if low == high:
        return _corners(low, rest)
    below, above = _corners(low, rest), _corners(high, rest)
    return None if below is None or above is None else complement(first) * below + first * above
