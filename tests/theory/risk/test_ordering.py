"""The ordering theorem: where it is claimed it holds, where it fails it is not claimed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim import rules
from eossim.problems import LeastSquares
from eossim.theory import ordering, risk_curve
from tests.strategies import seeds

STEPS = [1, 2, 3, 4, 5, 8, 13, 50, 51, 1000, 10**5, 10**9, 10**13, 10**15, 10**16]


def diagonal(curvature):
    s = np.sqrt(np.asarray(curvature, dtype=float))
    return LeastSquares(np.diag(s), np.zeros(s.size), normalize=False)


def curves(problem, a, b, metric, w_star, noise, steps=STEPS):
    return [
        risk_curve(problem, m, w_star=w_star, noise_variance=noise, steps=steps, metric=metric) for m in (a, b)
    ]  # fmt: skip


def assert_claims_hold(found, problem, a, b, metric, w_star, noise=0.5):
    one, two = curves(problem, a, b, metric, w_star, noise)
    if found.bias:
        assert (two.bias2 <= one.bias2 * (1 + 1e-10) + 1e-300).all()
    if found.variance:
        assert (two.variance >= one.variance * (1 - 1e-10)).all()
    if found.train_loss:
        assert (two.train_loss <= one.train_loss * (1 + 1e-10)).all()


def names(found):
    return [c.name for c in found.failing]


# --- it applies ---


def test_usam_against_gd_without_overshoot():
    found = ordering(diagonal([1.0, 0.1]), rules.gd(eta=0.5), rules.usam(eta=0.5, rho=1.0))
    assert found
    assert found.applies
    assert found.bias
    assert found.variance
    assert found.train_loss
    assert found.failing == ()
    assert "the theorem applies" in repr(found)
    assert found._repr_html_().count("<tr>") == len(found.conditions) + 1


@pytest.mark.parametrize("metric", ["prediction", "parameter", "covariance"])
def test_claims_hold_on_random_problems(metric):
    rng = np.random.default_rng([5, len(metric)])
    applied = 0
    for _ in range(70):  # of 210 in all
        n, dim = rng.integers(1, 7, 2)
        problem = LeastSquares(rng.standard_normal((n, dim)) * 10 ** rng.uniform(-2, 1, dim), np.zeros(n))
        top = problem.modes.curvature[0]
        rho, eta = 10 ** rng.uniform(-2, 1) / top, rng.uniform(0.05, 1.0) / top
        a = rules.gd(eta=eta * rng.choice([1.0, 1.0, 0.9, 1.1]))
        if rng.random() < 0.7:
            eta = min(eta, rng.uniform(0.5, 1.9) / (top * (1 + rho * top)))
            a = rules.gd(eta=eta)
        b = rules.usam(eta=min(eta, 1.9 / (top * (1 + rho * top))), rho=rho)
        C = rng.standard_normal((dim, dim))
        form = C @ C.T if metric == "covariance" else metric
        found = ordering(problem, a, b, metric=form)
        applied += found.applies
        assert_claims_hold(found, problem, a, b, form, rng.standard_normal(dim), float(rng.choice([0.0, 1.0])))
    assert applied >= (20 if metric != "covariance" else 1)


@given(seeds, st.floats(0.01, 1.9), st.floats(0.01, 1.9))
def test_claims_hold_between_any_two_steps(seed, first, second):
    rng = np.random.default_rng(seed)
    problem = diagonal(10 ** rng.uniform(-6, 0, 4))
    top = problem.modes.curvature[0]
    a, b = rules.gd(eta=first / top), rules.gd(eta=second / top)
    found = ordering(problem, a, b)
    assert_claims_hold(found, problem, a, b, "prediction", rng.standard_normal(4))
    assert found.applies == (first <= second <= 1)


@pytest.mark.parametrize("flat", [1e-8, 1e-13, 1e-15, 1e-16, 1e-18])
def test_claims_hold_on_flat_modes(flat):
    """B is steeper on the top mode, gd faster on the flat one: less bias is not proved, however flat it is."""
    problem, a, b = diagonal([1.0, flat]), rules.gd(eta=0.5), rules.usam(eta=0.4, rho=1.0)
    found = ordering(problem, a, b, metric="parameter")
    assert not found.applies
    assert_claims_hold(found, problem, a, b, "parameter", np.ones(2), noise=0.0)
    assert not found.bias
    assert not found.train_loss


def test_the_edge_of_the_condition():
    problem = diagonal([1.0, 0.5])
    assert ordering(problem, rules.gd(eta=0.5), rules.usam(eta=0.5, rho=1.0)).applies  # 1 - q = 1 exactly
    assert not ordering(problem, rules.gd(eta=0.5), rules.usam(eta=0.5, rho=1.0 + 1e-9)).applies
    assert ordering(diagonal([3.0, 0.7]), rules.gd(eta=0.1), rules.usam(eta=0.1, rho=(10 / 3 - 1) / 3)).applies


def test_a_method_is_ordered_with_itself():
    problem = diagonal([1.0, 0.5, 1e-9])
    assert ordering(problem, rules.gd(eta=0.5), rules.gd(eta=0.5))
    assert ordering(problem, rules.gd(eta=0.5), rules.usam(eta=0.5, rho=0.0))
    assert ordering(problem, rules.usam(eta=0.5, rho=0.0), rules.gd(eta=0.5))


# --- it does not apply: one condition at a time, with the counterexamples of the note ---


def test_overshoot_breaks_the_order_of_variances():
    problem, a, b = diagonal([1.0]), rules.gd(eta=0.9), rules.usam(eta=0.9, rho=1.0)
    found = ordering(problem, a, b)
    assert not found
    assert not any((found.bias, found.variance, found.train_loss))
    assert names(found) == ["eta h (1 + rho h) <= 1: no mode overshoots"]
    assert "worst mode 0" in found.failing[0].detail
    assert "1 - q of b = 1.8" in found.failing[0].detail
    one, two = curves(problem, a, b, "prediction", [1.0], 1.0, steps=[1, 2, 3, 4])
    np.testing.assert_array_equal((two.variance >= one.variance).values[0], [True, False, True, False])
    assert (two.bias2 > one.bias2).all()


def test_bias_survives_a_small_overshoot():
    """For the bias eta h (2 + rho h) <= 2 suffices."""
    problem, a, b = diagonal([1.0]), rules.gd(eta=0.7), rules.usam(eta=0.7, rho=0.8)
    found = ordering(problem, a, b)
    assert found.bias
    assert found.train_loss
    assert not found.applies
    assert_claims_hold(found, problem, a, b, "prediction", [1.0])
    further = ordering(problem, a, rules.usam(eta=0.7, rho=0.9))  # eta h (2 + rho h) = 2.03
    assert not further.bias


def test_random_design_breaks_the_order_of_biases():
    problem, a, b = diagonal([1.0, 0.5]), rules.gd(eta=0.4), rules.usam(eta=0.4, rho=1.0)
    sigma = np.array([[1.0, -1.0], [-1.0, 1.0]])
    found = ordering(problem, a, b, metric=sigma)
    assert not found
    assert not found.bias
    assert found.variance
    assert found.train_loss
    assert names(found) == ["the metric is diagonal in the modes"]
    one, two = curves(problem, a, b, sigma, [-1.0, -1.0], 1.0)
    np.testing.assert_allclose([one.bias2[0, 0], two.bias2[0, 0]], [0.04, 0.25], rtol=1e-12)
    assert_claims_hold(found, problem, a, b, sigma, np.array([-1.0, -1.0]))


def test_a_covariance_that_commutes_is_diagonal():
    problem, a, b = diagonal([1.0, 0.5]), rules.gd(eta=0.4), rules.usam(eta=0.4, rho=1.0)
    assert ordering(problem, a, b, metric=np.diag([0.3, 2.0]))


def test_a_covariance_that_mixes_with_the_null_space_is_not_diagonal():
    """The learned part is diagonal, but the error that stays in the null space pulls: the order of biases fails."""
    problem = LeastSquares([[1.0, 0.0]], [0.0], normalize=False)
    a, b = rules.gd(eta=0.4), rules.usam(eta=0.4, rho=1.0)
    sigma = np.array([[1.0, 1.0], [1.0, 1.0]])
    w_star = np.array([1.0, -0.5])  # the error (-z, 1/2) squares to (z - 1/2)^2, least at z = 1/2
    found = ordering(problem, a, b, metric=sigma)
    one, two = curves(problem, a, b, sigma, w_star, 0.0)
    assert two.bias2[0, 0] > one.bias2[0, 1]  # usam moves past the best z sooner
    assert_claims_hold(found, problem, a, b, sigma, w_star, noise=0.0)
    assert not found.bias


def test_a_faster_first_method():
    problem, a, b = diagonal([1.0, 0.5]), rules.gd(eta=0.5), rules.gd(eta=0.4)
    found = ordering(problem, a, b)
    assert not found
    assert names(found) == ["b contracts every mode at least as much as a"]
    assert not any((found.bias, found.variance, found.train_loss))


def test_memory_is_outside_the_theorem():
    problem = diagonal([1.0, 0.5])
    for pair in [
        (rules.heavy_ball(eta=0.1, beta=0.9), rules.gd(eta=0.1)),
        (rules.gd(eta=0.1), rules.usam_heavy_ball(eta=0.1, beta=0.9, rho=0.1)),
    ]:
        found = ordering(problem, *pair)
        assert not found
        assert not any((found.bias, found.variance, found.train_loss))
        assert "neither method has memory" in names(found)
        assert "NO" in repr(found)
        assert "nothing" in repr(found)


def test_some_mode_that_contracts_less():
    problem, a, b = diagonal([1.0, 0.1]), rules.gd(eta=0.5), rules.usam(eta=0.3, rho=1.0)
    found = ordering(problem, a, b)
    assert not found
    assert not found.bias
    assert "worst mode 1, curvature 0.1" in found.failing[0].detail


# --- bad input ---


@pytest.mark.parametrize(
    ("methods", "error", "message"),
    [
        ((rules.gd(eta=[0.1, 0.2]), rules.gd(eta=0.1)), ValueError, "method_a must be a single run, got 2"),
        ((rules.gd(eta=0.1), rules.gd(eta=[0.1, 0.2])), ValueError, "method_b must be a single run, got 2"),
        ((rules.gd, rules.gd(eta=0.1)), TypeError, "method"),
        ((rules.gd(eta=0.1), "usam"), TypeError, "method"),
        ((rules.gd(eta=0.1), rules.sam(eta=0.1, rho=0.1)), ValueError, "sam has no closed form"),
        ((rules.gd(eta=0.1), rules.gd(eta=3.0)), ValueError, "largest stable eta"),
    ],
)
def test_bad_methods_are_named(methods, error, message):
    with pytest.raises(error, match=message):
        ordering(diagonal([1.0]), *methods)


def test_bad_metric_and_problem_are_named():
    methods = rules.gd(eta=0.1), rules.usam(eta=0.1, rho=0.1)
    with pytest.raises(ValueError, match="metric"):
        ordering(diagonal([1.0]), *methods, metric="risk")
    with pytest.raises(ValueError, match="metric"):
        ordering(diagonal([1.0]), *methods, metric=np.eye(2))
    with pytest.raises(TypeError, match="problem"):
        ordering("problem", *methods)
