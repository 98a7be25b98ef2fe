"""The law of first order in rho against differences of exact risks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim import rules, theory
from eossim.problems import LeastSquares
from tests.strategies import seeds


def random_case(seed):
    rng = np.random.default_rng(seed)
    problem = LeastSquares(rng.standard_normal((12, 5)) * np.arange(1, 6) ** -1.0, np.zeros(12))
    truth = {"w_star": rng.standard_normal(5), "noise_variance": float(rng.uniform(0.05, 2))}
    return problem, truth, float(rng.uniform(0.1, 0.9) / problem.modes.curvature[0])


@given(seed=seeds, step=st.integers(1, 200), metric=st.sampled_from(["prediction", "parameter"]))
def test_slope_is_the_derivative_of_the_risk(seed, step, metric):
    problem, truth, eta = random_case(seed)
    rho = 1e-4 / problem.modes.curvature[0] * np.array([0.0, 1.0, 2.0])  # one-sided, second order
    method = rules.usam(eta=eta, rho=rho)
    risk = theory.risk_curve(problem, method, steps=[step], metric=metric, **truth).risk.values[:, 0]
    difference = (-3 * risk[0] + 4 * risk[1] - risk[2]) / (2 * rho[1])
    slope = float(theory.rho_slope(problem, eta=eta, step=step, metric=metric, **truth).slope[0])
    assert slope == pytest.approx(difference, rel=1e-4, abs=1e-9 * risk[0] * problem.modes.curvature[0] / 1e-4)


@given(seed=seeds)
def test_its_sign_at_the_best_step_of_gd_says_who_wins_for_small_rho(seed):
    problem, truth, eta = random_case(seed)
    found = theory.rho_slope(problem, eta=eta, **truth)
    rho = 1e-4 / problem.modes.curvature[0]
    best = theory.optimal_stopping(problem, rules.usam(eta=eta, rho=[0.0, rho]), **truth).real_risk.values
    slope, scale = float(found.slope[0]), best[0] * problem.modes.curvature[0]
    if abs(slope) > 1e-2 * scale:  # clear of the second order
        assert np.sign(best[1] - best[0]) == np.sign(slope)


def test_the_slope_vanishes_where_gd_stops_at_once_or_never():
    problem = LeastSquares(np.eye(2), np.zeros(2), normalize=False)
    never = theory.rho_slope(problem, eta=0.5, w_star=[1, 1], noise_variance=0.0)
    assert (float(never.step[0]), float(never.slope[0])) == (np.inf, 0.0)
    at_once = theory.rho_slope(problem, eta=0.5, w_star=[0, 0], noise_variance=1.0)
    assert (float(at_once.step[0]), float(at_once.slope[0])) == (0.0, 0.0)


def test_bad_input_is_named():
    problem = LeastSquares(np.diag([1.0, 2.0]), np.zeros(2), normalize=False)
    truth = {"w_star": [1, 1], "noise_variance": 1.0}
    with pytest.raises(ValueError, match=r"eta must be below 0\.25"):
        theory.rho_slope(problem, eta=0.3, **truth)
    with pytest.raises(ValueError, match="0 < eta"):
        theory.rho_slope(problem, eta=-0.3, **truth)
    with pytest.raises(ValueError, match="0 < step"):
        theory.rho_slope(problem, eta=0.1, step=0, **truth)
    with pytest.raises(ValueError, match="metric must be diagonal"):
        theory.rho_slope(problem, eta=0.1, metric=[[2, 1], [1, 2]], **truth)
