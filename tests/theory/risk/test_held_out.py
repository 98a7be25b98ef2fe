"""Held-out error: folds done by hand, expectation against fresh data of a known truth."""

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eossim import data, rules, theory
from eossim.data import Data
from eossim.theory.risk.held_out import iterates


def test_late_steps_are_cross_validated_least_squares():
    raw = data.load("diabetes")
    late = theory.held_out_risk(raw, rules.gd(eta=0.2), steps=[200_000], seed=3).held_out.values[0, 0]
    folds = KFold(5, shuffle=True, random_state=3)
    model = make_pipeline(StandardScaler(), LinearRegression())
    scores = -cross_val_score(model, raw.X, raw.y, cv=folds, scoring="neg_mean_squared_error")
    np.testing.assert_allclose(late, scores, rtol=1e-9)


def test_step_zero_predicts_the_mean():
    raw = data.load("diabetes")
    first = theory.held_out_risk(raw, rules.usam(eta=0.1, rho=0.1), steps=[0, 3], folds=4).held_out.values[0, 0]
    folds = KFold(4, shuffle=True, random_state=0).split(raw.X)
    expected = [np.mean((raw.y[out] - raw.y[rest].mean()) ** 2) for rest, out in folds]
    np.testing.assert_allclose(first, expected, rtol=1e-12)


@pytest.mark.parametrize("method", [rules.gd(eta=0.3), rules.usam(eta=[0.1, 0.2], rho=0.2),
                                    rules.heavy_ball(eta=0.1, beta=0.6)])  # fmt: skip
def test_closed_form_iterates_are_those_of_simulate(method):
    from eossim import Record, simulate

    problem = data.load("diabetes").standardized().least_squares()
    steps = np.array([0, 1, 2, 17, 300])
    run = simulate(problem, method, np.zeros(problem.dim), 300, record=Record(at=steps, what=("w",)))
    np.testing.assert_allclose(iterates(problem, method, steps), run.w.values, rtol=1e-9, atol=1e-9)


def test_expectation_is_the_mean_over_data_of_a_known_truth():
    rng = np.random.default_rng(5)
    X, w_star, sigma = rng.standard_normal((400, 4)) * [2, 1, 1, 0.5], np.array([1.0, -2.0, 0.5, 3.0]), 1.5
    measured, expected = [], []
    for _ in range(60):
        sample = Data(X, X @ w_star + sigma * rng.standard_normal(400), "drawn")
        found = theory.held_out_risk(sample, rules.usam(eta=0.1, rho=0.2), steps=[1, 5, 20])
        measured.append(found.held_out.values[0].mean(axis=-1))
        expected.append(found.expected.values[0].mean(axis=-1))
    gap = np.array(measured) - np.array(expected)
    error = gap.std(axis=0) / np.sqrt(len(gap))
    assert np.all(np.abs(gap.mean(axis=0)) < 4 * error + 0.02 * np.mean(expected, axis=0))  # the truth is estimated


def test_normalised_sam_is_simulated():
    raw = data.load("diabetes")
    found = theory.held_out_risk(raw, rules.sam(eta=0.1, rho=0.5), steps=[0, 4, 9, 30], folds=3)
    assert found.held_out.shape == found.expected.shape == (1, 4, 3)
    near = theory.held_out_risk(raw, rules.sam(eta=0.1, rho=1e-9), steps=[4, 30], folds=3).held_out.values
    plain = theory.held_out_risk(raw, rules.gd(eta=0.1), steps=[4, 30], folds=3).held_out.values
    np.testing.assert_allclose(near, plain, rtol=1e-6)


def test_bad_input_is_named():
    raw = data.load("diabetes")
    with pytest.raises(ValueError, match="folds"):
        theory.held_out_risk(raw, rules.gd(eta=0.1), steps=3, folds=1)
    with pytest.raises(ValueError, match="folds must leave 2 samples each"):
        theory.held_out_risk(Data(raw.X[:5], raw.y[:5], "few"), rules.gd(eta=0.1), steps=3, folds=3)
    with pytest.raises(ValueError, match="unstable on mode 0"):
        theory.held_out_risk(raw, rules.gd(eta=1.0), steps=3)
    with pytest.raises(ValueError, match="constant"):
        theory.held_out_risk(Data(np.ones((9, 2)), np.arange(9.0), "flat"), rules.gd(eta=0.1), steps=3, folds=3)


def test_the_expectation_holds_the_noise_of_the_mean_of_the_rest():
    rng = np.random.default_rng(1)
    raw = Data(rng.standard_normal((12, 2)), rng.standard_normal(12), "few")
    found = theory.held_out_risk(raw, rules.gd(eta=0.1), steps=[0, 4], folds=3, noise_variance=1.0).expected.values[0]
    for fold, (rest, out) in enumerate(KFold(3, shuffle=True, random_state=0).split(raw.X)):
        mean, scale = raw.X[rest].mean(axis=0), raw.X[rest].std(axis=0)
        problem = Data((raw.X[rest] - mean) / scale, raw.y[rest] - raw.y[rest].mean(), "rest").least_squares()
        inputs = (raw.X[out] - mean) / scale
        guess = theory.estimate_truth(problem, noise_variance=1.0)
        risk = theory.risk_curve(problem, rules.gd(eta=0.1), steps=[0, 4], w_star=guess.w_star, noise_variance=1.0,
                                 metric=inputs.T @ inputs / len(out)).risk.values[0]  # fmt: skip
        np.testing.assert_allclose(found[:, fold], risk + 1 + 1 / len(rest), rtol=1e-12)
