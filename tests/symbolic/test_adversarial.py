"""Rules made to mislead the search for the first crossing; each once gave a wrong edge."""

import numpy as np
import pytest
import sympy as sp

import eossim
from eossim import Rule
from eossim.domain import Interval
from eossim.symbolic import beta, eta, grad, m, norm, nu, rho, state, upcoming, w

v = state("v")
kappa = sp.Symbol("kappa", positive=True)
g = grad(w)


def brute_force(rule, **values):
    """The first curvature with spectral radius above 1, by scan and bisection."""
    grid = np.geomspace(1e-4, 1e6, 20_001)
    unstable = eossim.spectral_radius(rule, grid, **values) > 1 + 1e-11
    if not unstable.any():
        return np.inf
    first = int(np.argmax(unstable))
    if first == 0:
        return 0.0
    low, high = grid[first - 1], grid[first]
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if eossim.spectral_radius(rule, middle, **values) > 1 + 1e-13 else (middle, high)
    return high


half = w - eta * g
twice = half - eta * grad(half)
ema = beta * m + (1 - beta) * g
second = v / 1000 + sp.Rational(999, 1000) * ema
slow = w - eta * grad(w + rho * g)
branch = w - eta * nu * grad(w - beta * eta * g) + eta * rho * g
s1, s2, s3 = (state(f"s{i}") for i in (1, 2, 3))
first = beta * s1 + nu * g
second_buffer = nu * s2 + first
third = beta * s3 + (1 - beta) * second_buffer
CASES = {
    "four states, a complex pair without a condition": (
        Rule("four", (eta, beta, nu), {w: w - eta * (second_buffer + third), s1: first, s2: second_buffer, s3: third}),
        [{"eta": 0.1, "beta": 0.5, "nu": 0.5}, {"eta": 1.0, "beta": 0.9, "nu": 0.1}],
    ),
    "a sign that a parameter decides": (
        Rule("sign", (eta, kappa), {w: w - eta * (2 - kappa) * g}),
        [{"eta": 0.1, "kappa": 1.0}],
    ),
    "the theta method": (
        Rule("theta", (eta, nu), {w: w - eta * ((1 - nu) * g + nu * grad(upcoming(w)))}),
        [{"eta": 0.1, "nu": 0.25}, {"eta": 0.1, "nu": 0.75}],
    ),
    "a gradient after a gradient": (
        Rule("cubic", (eta, kappa), {w: w - eta * grad(w - kappa * g)}),
        [{"eta": e, "kappa": k} for e in (0.1, 10.0) for k in (0.001, 0.5)],
    ),
    "gradient ascent": (Rule("up", (eta,), {w: w + eta * g}), [{"eta": 0.1}]),
    "a weak crossing": (Rule("weak", (eta,), {w: w + (twice - w) / 100_000}), [{"eta": 0.1}]),
    "a complex pair close to beta = 1": (
        Rule("pair", (eta, beta), {w: w - eta * second, m: ema, v: second}),
        [{"eta": 0.1, "beta": b} for b in (0.5, 0.99, 0.999, 0.9999)],
    ),
    "a second iterate": (
        Rule("two", (eta, beta), {w: w - eta * g, v: v - eta * grad(v) / (100 * (1 - beta))}),
        [{"eta": 0.1, "beta": b} for b in (0.5, 0.999)],
    ),
    "branches, hyper-parameters in one order": (
        Rule("one", (beta, eta, nu, rho), {w: branch}),
        [{"beta": 0.03, "eta": 0.1, "nu": 0.9, "rho": 0.02}],
    ),
    "and in another": (
        Rule("other", (eta, nu, beta, rho), {w: branch}),
        [{"beta": 0.03, "eta": 0.1, "nu": 0.9, "rho": 0.02}, {"beta": 0.3, "eta": 0.1, "nu": 0.2, "rho": 0.9}],
    ),
    "negative momentum": (
        Rule("back", (eta, beta, rho), {w: slow - beta * (slow - v), v: slow}),
        [{"eta": 1.0, "beta": b, "rho": 0.02} for b in (0.1, 0.68, 0.95)],
    ),
    "momentum above one": (
        Rule("over", (eta, kappa), {w: w - eta * (kappa * m + g), m: kappa * m + g}),
        [{"eta": 0.1, "kappa": k} for k in (0.5, 2.0)],
    ),
    "a curve of the curvature": (
        Rule(
            "curved",
            (eta, beta),
            {w: w - beta * grad(w - beta * eta * g) - eta * g - (1 - beta) * grad(w + beta * eta * g)},
        ),
        [{"eta": 0.34, "beta": 0.993}, {"eta": 0.1, "beta": 0.2}],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_edge_equals_brute_force(name):
    rule, points = CASES[name]
    for values in points:
        assert rule.edge(**values) == pytest.approx(brute_force(rule, **values), rel=1e-6), values


def test_a_condition_is_not_inverted():
    rule = Rule("neg", (eta, kappa), {w: w - eta * (1 - kappa) * g})
    assert rule.edge(eta=1, kappa=0.5) == pytest.approx(4)
    with pytest.raises(ValueError, match="kappa < 1"):
        rule.edge(eta=1, kappa=2)


def test_what_is_unstable_from_the_start_says_so():
    rule = CASES["gradient ascent"][0]
    assert rule.edge.expression == 0
    assert "nothing is stable" in eossim.derive(rule).text()
    with pytest.raises(ValueError, match="unstable at every curvature"):
        eossim.verify(rule)


def test_a_closed_form_is_tested_where_it_is_used():
    # right at all samples, wrong beyond 1e5: the numerical root takes over there
    far = Interval(0.0)
    rule = Rule("far", ("eta", "kappa"), {w: w - eta * g - eta * kappa * grad(g) / 10**12}, domain={"kappa": far})
    for k in (1.0, 1e6, 1e12):
        assert rule.edge(eta=0.1, kappa=k) == pytest.approx(brute_force(rule, eta=0.1, kappa=k), rel=1e-6)


def test_reserved_names_are_refused():
    for name in ("h", "z", "grad_norm"):
        with pytest.raises(ValueError, match="use other names"):
            Rule("mine", (name,), {w: w - sp.Symbol(name) * g})


def test_series_of_several_branches_is_refused():
    with pytest.raises(ValueError, match="closed form"):
        eossim.rules.alternating_steps.series("eta_1")


def test_the_contact_at_the_critical_ratio_is_not_taken():
    ratio = 3 + 2 * np.sqrt(2)
    for eps in (-1e-3, 1e-3):
        values = {"eta_1": 0.1, "eta_2": 0.1 * ratio * (1 + eps)}
        expected = brute_force(eossim.rules.alternating_steps, **values)
        assert eossim.edge("alternating_steps", **values) == pytest.approx(expected, rel=1e-6)


def test_large_families_stay_fast_and_exact():
    betas, weights = [0.0, 0.5, 0.9, 0.95, 0.99], [0.2] * 5
    expected = 2 / (0.1 * sum(a * (1 - b) / (1 + b) for a, b in zip(weights, betas, strict=True)))
    assert eossim.edge("parallel_ema", eta=0.1, betas=betas, weights=weights) == pytest.approx(expected, rel=1e-12)


def test_norms_inside_norms_are_frozen_in_the_order_of_the_step():
    ascended = grad(w + rho * g / norm(g))
    rule = Rule("twonorm", (eta, rho), {w: w - eta * ascended / norm(ascended)})
    assert eossim.verify(rule, data="diabetes").passed


def test_step_sizes_need_not_be_called_eta():
    lr = sp.Symbol("lr", positive=True)
    assert eossim.verify(Rule("mine", (lr,), {w: w - lr * g}), data="diabetes").passed
