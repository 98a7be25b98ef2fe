"""Formulas against 50 digits, over wide ranges."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from eossim import rules
from eossim._rule import Rule
from eossim.domain import UNIT_OPEN
from eossim.symbolic.stable import bernstein, complement

CLOSED = [r for r in rules.CATALOGUE.values() if isinstance(r, Rule) and r.edge.expression not in (None, sp.oo)]


@st.composite
def wide_points(draw, edge):
    point = {}
    for name, interval in edge.domain.items():
        if np.isfinite(interval.high):
            point[name] = draw(st.one_of(st.floats(0.001, 0.999), st.floats(1e-6, 0.1).map(lambda x: 1 - x)))
        else:
            low, high = (-12, 12) if name == "grad_norm" else (-6, 3)
            point[name] = 10 ** draw(st.floats(low, high))
    return point


@pytest.mark.parametrize("rule", CLOSED, ids=lambda r: r.name)
def test_float64_formula_has_twelve_digits(rule):
    @given(wide_points(rule.edge))
    def check(point):
        for condition in rule.edge.conditions:
            values = {s: point[str(s)] for s in condition.free_symbols}
            terms = [float(t.subs(values)) for t in condition.args]
            if sum(terms) < 1e-2 * max(map(abs, terms)):
                return  # the edge itself is the small difference of large numbers there
        needed = {n: point[n] for n in rule.edge.needs}
        with mpmath.workdps(150):
            exact = rule.edge.mpmath(120)(**needed)
            assert abs(rule.edge(**needed) - exact) <= 1e-12 * abs(exact)

    check()


@given(st.floats(0, 1), st.floats(0, 1))
def test_bernstein_form_is_the_same_polynomial(x, y):
    a, b = sp.symbols("a b", nonnegative=True)
    polynomial = 1 + a - 2 * a * b
    form = bernstein(polynomial, {"a": UNIT_OPEN, "b": UNIT_OPEN})
    assert form.has(complement)
    assert sp.expand(form.doit() - polynomial) == 0
    assert float(form.doit().subs({a: x, b: y})) == pytest.approx(1 + x - 2 * x * y, abs=1e-15)


def test_textbook_form_cancels_and_ours_does_not():
    eta, rho, G = 0.1, 0.05, 1e12
    textbook = G / (2 * rho) * (np.sqrt(1 + 8 * rho / (eta * G)) - 1)
    ours = rules.sam.edge(eta=eta, rho=rho, grad_norm=G)
    assert abs(textbook / 19.99999999998 - 1) > 1e-8
    assert abs(ours / 19.99999999998 - 1) < 1e-14
