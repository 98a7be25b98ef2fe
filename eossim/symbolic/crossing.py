"""The first loss of stability: which root of the characteristic polynomial reaches the unit circle first, and where.

Jury's critical conditions: a real polynomial p of degree n has a root at z = 1 iff p(1) = 0, at z = -1 iff p(-1) = 0,
and a complex pair on the circle only if det(X - Y) = 0, with X triangular Toeplitz and Y Hankel in its coefficients
(Jury 1964). Their factors give candidate edges in closed form. Which candidate comes first, and whether it is a
crossing and not a contact, is settled against the spectral radius at random points of the domain.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..domain import STANDARD, Interval
from .edge import Edge
from .spectrum import Spectrum
from .stable import bernstein, other_root, positive_form, smallest_root
from .vocabulary import grad_norm, h, z

if TYPE_CHECKING:
    from .._rule import Rule

_SAMPLES = 16
KINDS = ("-1", "+1", "complex")


@dataclass(frozen=True)
class Candidate:
    """A closed form that may be the edge, with the kind of crossing and the sign condition under which it is real."""

    kind: str
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
        self.spectrum = Spectrum(linear.matrix, self.variable)
        curvature = {"h": STANDARD["grad_norm"]}
        frozen = {str(s): STANDARD["grad_norm"] for s in linear.frozen}
        self.domain: dict[str, Interval] = {
            name: interval for name, interval in (rule.domain | frozen | curvature).items() if name != variable
        }
        self.symbols = symbols

    def condition(self, kind: str) -> sp.Expr:
        """Return the polynomial in the variable that vanishes where a root of this kind is on the unit circle."""
        p = self.rule.linearization.charpoly
        value = _jury_determinant(sp.Poly(p, z).all_coeffs()) if kind == "complex" else p.subs(z, sp.Integer(kind))
        numerator = sp.numer(sp.together(value))
        factors = [f for f, _ in sp.factor_list(numerator)[1] if f.has(self.variable) and f != self.variable]
        return sp.Mul(*factors)

    @cached_property
    def conditions(self) -> dict[str, sp.Expr]:
        """The condition of each kind; the complex one only where a pair can exist."""
        kinds = KINDS if self.rule.linearization.matrix.rows > 1 else KINDS[:2]
        return {kind: self.condition(kind) for kind in kinds}

    @cached_property
    def samples(self) -> list[dict[sp.Symbol, sp.Rational]]:
        """Random rational points of the domain (the same at every call)."""
        rng = np.random.default_rng(20240211)
        return [
            {
                self.symbols[n]: sp.Rational(interval.sample(rng)).limit_denominator(999)
                for n, interval in self.domain.items()
                if n in self.symbols
            }
            for _ in range(_SAMPLES)
        ]

    def candidates(self, kind: str, sample: dict[sp.Symbol, Any]) -> list[Candidate]:
        """Return closed forms of the roots of one condition, factor by factor."""
        found = []
        for factor, _ in sp.factor_list(self.conditions[kind])[1]:
            found += [Candidate(kind, *root) for root in self._roots(factor, sample)]
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
        primitive = sp.Poly(sp.numer(sp.together(polynomial.as_expr().subs(self.variable, k / scale))), k).primitive()[
            1
        ]
        if primitive.free_symbols_in_domain:
            return []
        return [(root / scale, None) for root in sp.real_roots(primitive) if root > 0]


def first_crossing(rule: Rule, variable: str) -> Edge:
    """Return where `rule` first loses stability as `variable` (``"h"`` or ``"eta"``) grows from zero.

    A closed form is returned when one candidate, or the first of several, agrees with the spectral radius at every
    sample; otherwise the edge is the numerical root of the exact conditions, and says so.
    """
    crossing = Crossing(rule, variable)
    sample = crossing.samples[0]
    measured = [crossing.spectrum.first_instability(s, crossing.conditions) for s in crossing.samples]
    stable_points = [(s, kind, value) for s, (kind, value) in zip(crossing.samples, measured, strict=True) if value > 0]
    kinds = tuple(k for k in KINDS if any(kind == k for _, kind, _ in stable_points))
    if not kinds:
        expression: sp.Expr | None = sp.oo
    else:
        usable = [c for kind in kinds for c in crossing.candidates(kind, sample)]
        expression = _select(usable, stable_points)
    stable = None if expression is None else bernstein(expression, crossing.domain)
    return Edge(
        rule=rule.name,
        variable=variable,
        expression=expression,
        stable=stable,
        crossing=kinds,
        domain=crossing.domain,
        conditions=_sign_conditions(expression, crossing) if expression is not None else (),
        frozen=tuple(map(str, rule.linearization.frozen)),
        polynomials=crossing.conditions,
        spectrum=crossing.spectrum,
        reference=rule.reference,
    )


def _select(candidates: list[Candidate], points: list[tuple[dict[sp.Symbol, Any], str, float]]) -> sp.Expr | None:
    """Return the closed form that equals the measured edge at every point: one candidate, or the first of several."""
    if not candidates:
        return None
    values = np.array([[_evaluate(c.expression, s) for s, _, _ in points] for c in candidates])
    truth = np.array([value for _, _, value in points])
    with np.errstate(invalid="ignore"):
        hits = np.abs(values - truth) <= 1e-9 * truth
    for candidate, hit in zip(candidates, hits, strict=True):
        if hit.all():
            return candidate.expression
    used = [i for i in range(len(candidates)) if hits[i].any()]
    if not used or not hits.any(axis=0).all():
        return None
    always = [i for i in used if np.isfinite(values[i]).all()]
    if always == used and (np.min(values[used], axis=0) - truth <= 1e-9 * truth).all() and (values[used] > 0).all():
        return sp.Min(*(candidates[i].expression for i in used))
    sometimes = [i for i in used if i not in always]
    if len(sometimes) == 1 and len(always) == 1:
        first, rest = candidates[sometimes[0]], candidates[always[0]]
        return sp.Piecewise((first.expression, sp.Ge(first.real_if, 0)), (rest.expression, True))
    return None


def _evaluate(expression: sp.Expr, point: dict[sp.Symbol, Any]) -> float:
    value = complex(expression.evalf(20, subs=point))
    return value.real if value.imag == 0 else np.nan


def _sign_conditions(expression: sp.Expr, crossing: Crossing) -> tuple[sp.Expr, ...]:
    """Return the factors that must be positive for the edge to be, where hyper-parameters alone do not ensure it."""
    if expression.is_Piecewise or not expression.free_symbols:
        return ()
    rng = np.random.default_rng(7)
    conditions = []
    for part in expression.args if isinstance(expression, sp.Min) else (expression,):
        numerator, denominator = sp.fraction(sp.together(part))
        for factor in {*sp.Mul.make_args(numerator), *sp.Mul.make_args(denominator)}:
            symbols = sorted(factor.free_symbols, key=str)
            if not factor.is_Add or not factor.is_polynomial(*symbols):
                continue
            draws = [{s: crossing.domain[str(s)].sample(rng) for s in symbols} for _ in range(64)]
            if any(factor.subs(d) < 0 for d in draws):
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
    sample = {**crossing.samples[0], h: sp.Rational(1, 1000)}
    solutions = _norm_solutions(crossing.conditions["-1"])
    if len(solutions) != 1:
        raise ValueError(f"the edge of {rule.name} does not determine one gradient norm")
    expression = positive_form(solutions[0], sample)
    domain = {n: i for n, i in crossing.domain.items() if n != "grad_norm"} | {"h": STANDARD["grad_norm"]}
    crossing.domain = domain
    return Edge(
        rule=rule.name,
        variable="grad_norm",
        expression=expression,
        stable=expression,
        crossing=("-1",),
        domain=domain,
        conditions=_sign_conditions(expression, crossing),
        frozen=(),
        polynomials=crossing.conditions,
        spectrum=Spectrum(linear.matrix, grad_norm),
        reference=rule.reference,
    )


def _norm_solutions(condition: sp.Expr) -> list[sp.Expr]:
    """Solve the period-2 condition for the gradient norm; a clipped step counts where it is clipped."""
    clipped = {node: next(a for a in node.args if a.has(grad_norm)) for node in condition.atoms(sp.Min)}
    return sp.solve(condition.subs(clipped), grad_norm)
