"""Derived edges against brute force: the literal step, iterated."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import rules
from eossim._rule import Family
from eossim.symbolic import beta, eta, grad, m, rho, w
from eossim.symbolic.crossing import _jury_determinant, first_crossing

MEMBERS = {name: found.member(2) if isinstance(found, Family) else found for name, found in rules.CATALOGUE.items()}
CROSSING = {
    "extragradient": ("+1",),
    "runge_kutta_2": ("+1",),
    "runge_kutta_4": ("+1",),
    "lookahead": ("+1",),
    "implicit_gd": (),
    "alternating_steps": ("-1", "+1"),
    "cyclic_steps": ("-1", "+1"),
    "cascaded_ema": ("-1", "complex"),
    "delayed_gd": ("complex",),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_kind_of_crossing(name):
    assert set(MEMBERS[name].edge.crossing) == set(CROSSING.get(name, ("-1",)))


@pytest.mark.parametrize("name", MEMBERS)
def test_edge_is_the_first_loss_of_stability(name):
    rule = MEMBERS[name]
    edge, rng = rule.edge, np.random.default_rng(3)
    drawn = 0
    while drawn < 20:
        point = {n: i.sample(rng) for n, i in edge.domain.items()}
        try:
            at = edge(**point)
        except ValueError:
            continue
        drawn += 1
        wanted = {n: point[n] for n in point if any(str(s) == n for s in edge.spectrum.matrix.free_symbols)}
        fractions = np.linspace(0.002, 0.999, 200)
        if np.isinf(at):
            h = np.geomspace(1e-3, 1e6, 200)
            assert np.all(edge.spectrum.radius(wanted | {"h": h}) <= 1 + 1e-12)
            continue
        below = edge.spectrum.radius(wanted | {"h": fractions * at})
        above = edge.spectrum.radius(wanted | {"h": np.array([1.001 * at])})
        assert np.all(below <= 1 + 1e-12), (name, point)
        assert above[0] > 1, (name, point)


@given(st.lists(st.floats(-0.95, 0.95), min_size=0, max_size=2), st.floats(0.1, 3.0))
def test_jury_determinant_vanishes_for_a_pair_on_the_circle(reals, angle):
    z = sp.Symbol("z")
    polynomial = sp.Poly((z**2 - 2 * np.cos(angle) * z + 1) * sp.prod([z - r for r in reals]), z)
    assert abs(float(_jury_determinant(polynomial.all_coeffs()))) < 1e-9


def test_tangential_contact_is_not_an_edge():
    # (1 - k)^2 touches 0 but the round of two equal steps crosses +1 at k = 2 only
    edge = rules.alternating_steps.edge
    assert edge(eta_1=0.1, eta_2=0.1) == pytest.approx(20)


def test_user_rules_with_one_and_two_states():
    lion_like = eossim.Rule(
        "damped", (eta, beta), {w: w - eta * ((1 - beta) * grad(w) + beta * grad(w - eta * grad(w)))}
    )
    assert lion_like.edge(eta=0.1, beta=0.5) > 0
    delayed = eossim.Rule("delayed", (eta,), {w: w - eta * m, m: grad(w)})
    assert delayed.edge.crossing == ("complex",)
    assert delayed.edge(eta=0.1) == pytest.approx(10)
    ascent = eossim.Rule("ascent", (eta, rho, beta), {w: w - eta * m, m: beta * m + grad(w + rho * grad(w))})
    assert ascent.edge.crossing == ("complex",)  # the step uses the old buffer: |D| = 1 first
    values = {"eta": 0.1, "rho": 0.05, "beta": 0.5}
    at = ascent.edge(**values)
    radii = eossim.spectral_radius(ascent, np.array([0.999, 1.001]) * at, **values)
    assert radii[0] < 1 < radii[1]


def test_numerical_edges_say_so():
    edge = rules.cyclic_steps.member(3).edge
    assert edge.expression is None
    assert "numerical" in edge.text
    assert edge(eta_1=0.1, eta_2=0.2, eta_3=0.3) == pytest.approx(12.4524384973, rel=1e-11)
    digits = edge.mpmath(40)(eta_1=0.1, eta_2=0.2, eta_3=0.3)
    assert float(digits) == pytest.approx(edge(eta_1=0.1, eta_2=0.2, eta_3=0.3), rel=1e-13)


def test_a_closed_form_is_not_claimed_where_nothing_is_stable():
    # the buffer's sign makes p(1) < 0 for beta > 1/2: unstable at once, whatever p(-1) = 0 says
    odd = eossim.Rule("odd", (eta, beta), {w: w - eta * (grad(w) - m), m: beta * m + (1 - beta) * 2 * beta * grad(w)})
    for b in (0.1, 0.3, 0.45, 0.55, 0.7, 0.9):
        at = odd.edge(eta=0.1, beta=b) if b < 0.5 or odd.edge.expression is None else 0.0
        h = np.geomspace(1e-4, 1e4, 4000)
        radii = eossim.spectral_radius(odd, h, eta=0.1, beta=b)
        unstable = h[radii > 1 + 1e-9]
        assert at == pytest.approx(unstable[0] if unstable[0] > 2e-4 else 0.0, rel=1e-2)


def test_variable_that_does_not_matter_is_refused():
    with pytest.raises(ValueError, match="does not depend"):
        first_crossing(rules.per_parameter_lr, "eta")
