"""Ways of testing a claim about an edge, an equality or an inequality."""

from __future__ import annotations

import numpy as np
import sympy as sp

from ..symbolic.derivation import Derivation, is_zero
from .report import Check
from .subject import Subject, point_text

#: Relative error allowed between the float64 formula and 50 digits.
PRECISION = 1e-12
#: Relative error allowed between a formula and a bisection on eigenvalues of a float64 matrix.
BISECTION = 1e-7


def proof(subject: Subject, derivation: Derivation | None) -> Check:
    """Prove again every step of the derivation, and that the claimed edge meets the exact crossing condition."""
    failed = [step.text for step in derivation.steps if not step.holds()] if derivation else []
    cases = sum(step.left is not None for step in derivation.steps) if derivation else 0
    claim = subject.claim
    if claim.kind == "equality":
        cases += 1
        if not is_zero(sp.sympify(claim.left) - sp.sympify(claim.right)):
            failed.append("the two sides do not simplify to each other")
    if claim.kind == "edge" and claim.left not in (None, sp.oo):
        cases += 1
        if not _meets_condition(subject):
            failed.append("the claimed edge meets no crossing condition p(-1) = 0, p(+1) = 0 or det(X - Y) = 0")
    return Check("proof", not failed, cases, detail="; ".join(failed))


def _meets_condition(subject: Subject) -> bool:
    """Whether some exact condition vanishes at the claimed edge, branch by branch."""
    assert subject.rule is not None
    conditions = subject.rule.edge.spectrum.conditions.values()
    variable = subject.rule.edge.spectrum.variable
    symbols = {str(s): s for c in conditions for s in c.free_symbols}
    own = {s: symbols[n] for n, s in subject.claim.symbols.items() if n in symbols}
    left = sp.sympify(subject.claim.left).subs(own)
    branches = [e for e, _ in left.args] if left.is_Piecewise else left.args if isinstance(left, sp.Min) else [left]
    return all(any(is_zero(c.subs(variable, b)) for c in conditions if c.has(variable)) for b in branches)


def fifty_digits(subject: Subject, rng: np.random.Generator, cases: int) -> Check:
    """Compare the formula that users call with the textbook form in 50 digits, over many orders of magnitude."""
    values = subject.draw(rng, cases, wide=True, margin=1e-2)
    computed = subject.formula(values) if subject.claim.kind == "edge" else None
    worst, detail = 0.0, ""
    for i in range(cases):
        point = {n: v[i] for n, v in values.items()}
        left, right = subject.exact(point)
        value = np.broadcast_to(computed, (cases,))[i] if computed is not None else right
        error = _relative(value, left)
        if subject.claim.kind == "inequality":
            error = max(0.0, float((left - right) / abs(right)))
        if not error <= worst:
            worst, detail = error, f"at {point_text(point)}: {float(value):.17g} against {float(left):.17g}"
    allowed = PRECISION if subject.claim.kind == "edge" else 1e-30  # two exact sides, or a float64 formula
    return Check("50 digits", worst <= allowed, cases, worst, detail)


def bisection(subject: Subject, rng: np.random.Generator, cases: int) -> Check:
    """Find the edge by bisection on the spectral radius of the literal step, and compare.

    Half of the cases lie near the ends of the domain.
    """
    wide = subject.claim.left is not None  # a numerical root has the accuracy of float64 eigenvalues
    typical, ends = subject.draw(rng, cases - cases // 2), subject.draw(rng, cases // 2, wide=wide)
    values = {n: np.concatenate([v, ends[n]]) for n, v in typical.items()}
    predicted = np.broadcast_to(claimed(subject, values), (cases,)).astype(float)
    measured = empirical_edge(subject, values, np.where(np.isfinite(predicted), predicted, 1e3))
    both_infinite = np.isinf(predicted) & np.isinf(measured)
    with np.errstate(invalid="ignore"):
        errors = np.where(both_infinite, 0.0, np.abs(measured / predicted - 1))
    errors = np.where(np.isnan(errors), np.inf, errors)
    worst = int(np.argmax(errors))
    point = {n: v[worst] for n, v in values.items()}
    return Check(
        "bisection",
        bool(errors[worst] <= BISECTION),
        cases,
        float(errors[worst]),
        f"at {point_text(point)}: predicted {predicted[worst]:.12g}, measured {measured[worst]:.12g}",
        float(predicted[0]),
        float(measured[0]),
    )


def claimed(subject: Subject, values: dict[str, np.ndarray]) -> np.ndarray:
    """Return the claimed edge at every point: the textbook form, or the numerical root."""
    if subject.claim.left is None:
        return subject.formula(values)
    count = len(next(iter(values.values()))) if values else 1
    return np.array([float(subject.exact({n: v[i] for n, v in values.items()}, 20)[0]) for i in range(count)])


def empirical_edge(subject: Subject, values: dict[str, np.ndarray], scale: np.ndarray) -> np.ndarray:
    """Return the first curvature at which the literal step has spectral radius above 1; inf if none up to 4 `scale`.

    A scan brackets the first crossing, bisection narrows it. Only the scale of the scan comes from the prediction.
    """
    count, grid = len(scale), np.linspace(0.0, 4.0, 801)[1:]
    scan = {n: np.repeat(v, grid.size) for n, v in values.items()}
    scan["h"] = (scale[:, None] * grid).ravel()
    unstable = subject.radius(scan).reshape(count, grid.size) > 1 + 1e-10
    first = np.argmax(unstable, axis=1)
    high = scale * grid[first]
    low = high - scale * grid[0]
    for _ in range(60):
        middle = (low + high) / 2
        above = subject.radius({**values, "h": middle}) > 1 + 1e-15
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(unstable.any(axis=1), high, np.inf)


def _relative(value: object, exact: object) -> float:
    if np.isinf(float(value)) and np.isinf(float(exact)):  # type: ignore[arg-type]
        return 0.0
    return float(abs(value - exact) / abs(exact)) if exact != 0 else float(abs(value))  # type: ignore[operator,arg-type]
