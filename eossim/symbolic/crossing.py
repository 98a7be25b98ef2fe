"""The first loss of stability: which root of the characteristic polynomial reaches the unit circle first, and where.

Jury's critical conditions: a real polynomial p of degree n has a root at z = 1 iff p(1) = 0, at z = -1 iff p(-1) = 0,
and a complex pair on the circle only if det(X - Y) = 0, with X triangular Toeplitz and Y Hankel in its coefficients
(Jury 1964). Their factors give candidate edges in closed form. Which candidate comes first, and whether it is a
crossing and not a contact, is settled against the spectral radius at random points of the domain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..domain import STANDARD, Interval
from .edge import Edge
from .emit_formula import compile_numpy
from .spectrum import Spectrum
from .stable import bernstein, other_root, positive_form, smallest_root
from .vocabulary import grad_norm, h, z

if TYPE_CHECKING:
    from .._rule import Rule

_SAMPLES = 48
KINDS = ("-1", "+1", "complex")


@dataclass(frozen=True)
class Candidate:
    """A closed form that may be the edge, with the sign condition under which it is real."""

    expression: sp.Expr
    real_if: sp.Expr | None = None


class Crossing:
    """Critical conditions of one rule as polynomials in one variable (curvature, or the step size)."""

    def __init__(self, rule: Rule, variable: str) -> None:
        linear = rule.linearization
        symbols = {str(s): s for s in linear.matrix.free_symbols}
        if variable not in symbols:
            raise ValueError(f"the stability of {rule.name} does not depend on {variable}")
        self.rule, self.variable = rule, symbols[variable]
        curvature = {"h": STANDARD["grad_norm"]}
        frozen = {str(s): STANDARD["grad_norm"] for s in linear.frozen}
        self.domain: dict[str, Interval] = {
            name: interval for name, interval in (rule.domain | frozen | curvature).items() if name != variable
        }
        self.symbols = symbols
        self.spectrum = Spectrum(linear.matrix, self.variable, self.conditions)

    def condition(self, kind: str) -> sp.Expr:
        """Return the polynomial in the variable that vanishes where a root of this kind is on the unit circle."""
        p = self.rule.linearization.charpoly
        if kind == "complex":  # left unfactored: it is seldom the first, and large
            return sp.numer(sp.together(_jury_determinant(sp.Poly(p, z).all_coeffs())))
        numerator = sp.numer(sp.together(p.subs(z, sp.Integer(kind))))
        factors = [f for f, _ in sp.factor_list(numerator)[1] if f.has(self.variable) and f != self.variable]
        return sp.Mul(*factors)

    @cached_property
    def conditions(self) -> dict[str, sp.Expr]:
        """The condition of each kind; the complex one where a pair can exist and the determinant stays small.

        Without it a complex crossing is found by bisection on the spectral radius.
        """
        matrix = self.rule.linearization.matrix
        small = matrix.rows in (2, 3) or (matrix.rows > 3 and len(matrix.free_symbols) <= 2)
        return {kind: self.condition(kind) for kind in (KINDS if small else KINDS[:2])}

    @cached_property
    def samples(self) -> list[dict[str, float]]:
        """Random points of the domain, the same at every call: typical ones, then ones near its ends."""
        rng = np.random.default_rng(20240211)
        names = [n for n in self.domain if n in self.symbols]
        return [{n: self.domain[n].sample(rng, wide=i >= _SAMPLES) for n in names} for i in range(2 * _SAMPLES)]

    @cached_property
    def measured(self) -> list[tuple[dict[str, float], str, float]]:
        """Every sample with kind and value of its first crossing, in floating point."""
        return [(sample, *self.spectrum.first_instability(sample)) for sample in self.samples]

    @cached_property
    def example(self) -> dict[sp.Symbol, sp.Rational]:
        """The first sample with an edge as rational numbers, for signs."""
        sample = next((s for s, _, value in self.measured if 0 < value < np.inf), self.samples[0])
        return {self.symbols[n]: sp.Rational(x).limit_denominator(999) for n, x in sample.items()}

    def candidates(self, kind: str) -> list[Candidate]:
        """Return closed forms of the roots of one condition, factor by factor."""
        found = []
        for factor, _ in sp.factor_list(self.conditions.get(kind, sp.Integer(1)))[1]:
            found += [Candidate(*root) for root in self._roots(factor, self.example)]
        return found

    def _roots(self, factor: sp.Expr, sample: dict[sp.Symbol, Any]) -> list[tuple[sp.Expr, sp.Expr | None]]:
        polynomial = sp.Poly(factor, self.variable)
        coefficients = polynomial.all_coeffs()
        if polynomial.degree() == 1:
            return [(positive_form(-coefficients[1] / coefficients[0], sample), None)]
        if polynomial.degree() == 2:
            a, b, c = coefficients
            if b == 0:
                return [(sp.sqrt(positive_form(-c / a, sample)), None)]
            real_if = sp.factor(b**2 - 4 * a * c)
            return [(root(a, b, c, sample), real_if) for root in (smallest_root, other_root)]
        return self._scaled_roots(polynomial)

    def _scaled_roots(self, polynomial: sp.Poly) -> list[tuple[sp.Expr, sp.Expr | None]]:
        """Roots of a polynomial that is one in k = eta * h with rational coefficients, up to a factor."""
        scale = self.symbols.get("eta" if str(self.variable) == "h" else "h")
        if scale is None:
            return []
        k = sp.Dummy("k")
        scaled = sp.numer(sp.together(polynomial.as_expr().subs(self.variable, k / scale)))
        primitive = sp.Poly(scaled, k).primitive()[1]
        if primitive.free_symbols_in_domain:
            return []
        return [(root / scale, None) for root in sp.real_roots(primitive) if root > 0]


def first_crossing(rule: Rule, variable: str) -> Edge:
    """Return where `rule` first loses stability as `variable` (``"h"`` or ``"eta"``) grows from zero.

    A closed form is returned when it equals, at every one of some hundred points of the domain, the first crossing as
    found from the exact conditions and the spectral radius: one root, the least of several, or one of two where it is
    real. Otherwise the edge is the numerical root of the exact conditions, and says so.
    """
    crossing = Crossing(rule, variable)
    kinds = tuple(k for k in KINDS if any(kind == k for _, kind, _ in crossing.measured))
    expression: sp.Expr | None
    conditions: tuple[sp.Expr, ...]
    if all(np.isinf(value) for _, _, value in crossing.measured):
        expression, conditions = sp.oo, ()
    elif all(value == 0 for _, _, value in crossing.measured):
        expression, conditions = sp.Integer(0), ()
    else:
        usable = [c for kind in kinds for c in crossing.candidates(kind)]
        expression, conditions = _select(usable, crossing)
    stable = None if expression is None else bernstein(expression, crossing.domain)
    return Edge(
        rule=rule.name,
        variable=variable,
        expression=expression,
        stable=stable,
        crossing=kinds,
        domain=crossing.domain,
        conditions=conditions,
        frozen=tuple(map(str, rule.linearization.frozen)),
        spectrum=crossing.spectrum,
        reference=rule.reference,
    )


def _select(candidates: list[Candidate], crossing: Crossing) -> tuple[sp.Expr | None, tuple[sp.Expr, ...]]:
    """Return the closed form that equals the measured edge at every sample, with its sign conditions.

    Where nothing is stable, a closed form must say so: be negative, or not real, or violate a condition.
    """
    truth = np.array([value for _, _, value in crossing.measured])
    points = {n: np.array([sample[n] for sample in crossing.samples]) for n in crossing.samples[0]}
    for expression in _combinations(candidates, points, truth):
        conditions = _sign_conditions(expression, crossing.domain)
        claimed = _evaluate(expression, points)
        for condition in conditions:
            claimed = np.where(_evaluate(condition, points) > 0, claimed, np.nan)
        if np.all(_agree(np.where(claimed > 0, claimed, 0.0), truth)):
            return expression, conditions
    return None, ()


def _combinations(candidates: list[Candidate], points: dict[str, np.ndarray], truth: np.ndarray) -> Iterator[sp.Expr]:
    """Yield what may be the edge, simplest first: a candidate, the least of several, one of two where it is real."""
    stable = truth > 0
    values = [_evaluate(c.expression, points) for c in candidates]
    hits = [_agree(v, truth) & stable for v in values]
    for candidate, hit in zip(candidates, hits, strict=True):
        if hit.sum() == stable.sum():
            yield candidate.expression
    used = [i for i, hit in enumerate(hits) if hit.any()]
    if len(used) > 1:
        yield sp.Min(*(candidates[i].expression for i in used))
    for i in used:
        rest = [j for j in used if j != i]
        if candidates[i].real_if is not None and len(rest) == 1:
            first, other = candidates[i], candidates[rest[0]].expression
            yield sp.Piecewise((first.expression, sp.Gt(first.real_if, 0)), (other, True))


def _agree(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return (values == truth) | (np.isfinite(truth) & (np.abs(values - truth) <= 1e-8 * truth))


def _evaluate(expression: sp.Expr, points: dict[str, np.ndarray]) -> np.ndarray:
    """Return an expression at every point; nan where it is not real."""
    names = sorted(str(s) for s in expression.free_symbols)
    with np.errstate(all="ignore"):
        value = compile_numpy("candidate", expression, names)(**{n: points[n] for n in names})
    shape = np.shape(next(iter(points.values()))) if points else (1,)
    return np.broadcast_to(np.where(np.imag(value) == 0, np.real(value), np.nan), shape)


def _sign_conditions(expression: sp.Expr, domain: dict[str, Interval]) -> tuple[sp.Expr, ...]:
    """Return the factors that must be positive for the edge to be, where hyper-parameters alone do not ensure it."""
    if expression.is_Piecewise or not expression.free_symbols:
        return ()
    rng = np.random.default_rng(7)
    names = [n for n in domain if n in {str(s) for s in expression.free_symbols}]
    draws = {n: np.array([domain[n].sample(rng) for _ in range(256)]) for n in names}
    conditions = []
    for part in expression.args if isinstance(expression, sp.Min) else (expression,):
        numerator, denominator = sp.fraction(sp.together(part))
        for factor in (*sp.Mul.make_args(numerator), *sp.Mul.make_args(denominator)):
            polynomial = factor.is_Add and factor.is_polynomial(*factor.free_symbols)
            if polynomial and factor not in conditions and np.any(_evaluate(factor, draws) < 0):
                conditions.append(factor)
    return tuple(conditions)


def _jury_determinant(coefficients: list[sp.Expr]) -> sp.Expr:
    """Return det(X - Y) of the Jury inner of order n - 1 of a_n z^n + ... + a_0."""
    n = len(coefficients) - 1
    if n < 2:
        return sp.Integer(1)
    size = n - 1
    x = sp.Matrix(size, size, lambda i, j: coefficients[j - i] if j >= i else 0)
    y = sp.Matrix(size, size, lambda i, j: coefficients[n - (i + j - size + 1)] if i + j >= size - 1 else 0)
    return sp.expand((x - y).det(method="berkowitz"))


def critical_norm(rule: Rule) -> Edge:
    """Return the gradient norm at which the period-2 condition p(-1) = 0 holds, as a function of curvature.

    Raises:
        ValueError: if the condition does not determine one gradient norm.
    """
    linear = rule.linearization
    if grad_norm not in linear.frozen or not linear.charpoly.has(grad_norm):
        raise ValueError(f"the edge of {rule.name} does not depend on the gradient norm")
    crossing = Crossing(rule, "h")
    sample = {**crossing.example, h: sp.Rational(1, 1000)}
    solutions = _norm_solutions(crossing.conditions["-1"])
    if len(solutions) != 1:
        raise ValueError(f"the edge of {rule.name} does not determine one gradient norm")
    expression = positive_form(solutions[0], sample)
    domain = {n: i for n, i in crossing.domain.items() if n != "grad_norm"} | {"h": STANDARD["grad_norm"]}
    return Edge(
        rule=rule.name,
        variable="grad_norm",
        expression=expression,
        stable=expression,
        crossing=("-1",),
        domain=domain,
        conditions=_sign_conditions(expression, domain),
        frozen=(),
        spectrum=Spectrum(linear.matrix, grad_norm),
        reference=rule.reference,
    )


def _norm_solutions(condition: sp.Expr) -> list[sp.Expr]:
    """Solve the period-2 condition for the gradient norm; a clipped step counts where it is clipped."""
    clipped = {node: next(a for a in node.args if a.has(grad_norm)) for node in condition.atoms(sp.Min)}
    return sp.solve(condition.subs(clipped), grad_norm)
