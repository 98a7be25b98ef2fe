"""Truth and noise from the targets alone."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim.problems import KernelRegression, LeastSquares
from eossim.theory import estimate_truth, risk_curve, sure
from tests.strategies import regressions


def test_noise_is_the_residual_by_hand():
    problem = LeastSquares([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 2.0, 3.0])  # V1: OLS (13/9, 10/9)
    found = estimate_truth(problem)
    residual = np.array([1 - 13 / 9, 2 - 20 / 9, 3 - 23 / 9])
    np.testing.assert_allclose(found.noise_variance, residual @ residual, rtol=1e-12)
    assert "1 degrees of freedom" in found.how


@given(regressions(), st.booleans())
def test_noise_is_the_residual_over_what_is_free(data, normalize):
    X, y = data
    problem = LeastSquares(X, y, normalize=normalize)
    free = problem.n_samples - problem.rank
    if free == 0:
        with pytest.raises(ValueError, match="noise_variance cannot be estimated"):
            estimate_truth(problem)
        return
    residual = y - X @ np.linalg.lstsq(X, y, rcond=1e-13)[0]
    found = estimate_truth(problem)
    np.testing.assert_allclose(found.noise_variance, residual @ residual / free, rtol=1e-8, atol=1e-18 * (y @ y))
    assert found.w_star.shape == (problem.dim,)


@given(regressions(), st.floats(0, 10))
def test_coefficients_are_shrunk_by_the_noise_in_their_energy(data, variance):
    X, y = data
    problem = LeastSquares(X, y)
    modes, found = problem.modes, estimate_truth(problem, noise_variance=variance)
    assert found.noise_variance == variance
    energy = (modes.singular * (modes.coordinates.T @ found.w_star)) ** 2
    inside = modes.samples.T @ y
    np.testing.assert_allclose(energy, np.maximum(inside**2 - variance, 0), rtol=1e-7, atol=1e-10 * (y @ y))
    signs = np.sign(modes.coordinates.T @ found.w_star)[energy > 1e-6 * (y @ y)]
    np.testing.assert_array_equal(signs, np.sign(inside)[energy > 1e-6 * (y @ y)])
    outside = found.w_star - modes.coordinates @ (modes.coordinates.T @ found.w_star)
    assert np.abs(outside).max() <= 1e-12 * np.abs(found.w_star).max(initial=1.0)


def test_no_noise_gives_the_minimizer_and_much_noise_nothing():
    problem = LeastSquares([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(estimate_truth(problem, noise_variance=0.0).w_star, problem.minimizer, rtol=1e-13)
    much = estimate_truth(problem, noise_variance=1e6)
    np.testing.assert_array_equal(much.w_star, 0)
    assert "of 0 of 2 modes" in much.how


def test_noise_is_unbiased_over_all_sign_patterns():
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((6, 3)), rng.standard_normal(3)
    found = [
        estimate_truth(LeastSquares(X, X @ w + np.array(s))).noise_variance for s in product([-0.5, 0.5], repeat=6)
    ]
    np.testing.assert_allclose(np.mean(found), 0.25, rtol=1e-12)


def test_energy_is_unbiased_where_no_mode_is_cut():
    rng = np.random.default_rng(1)
    X, w = rng.standard_normal((6, 2)), np.array([30.0, -40.0])
    energies = []
    for signs in product([-0.5, 0.5], repeat=6):
        problem = LeastSquares(X, X @ w + np.array(signs))
        found = estimate_truth(problem)
        energies.append((problem.modes.singular * (problem.modes.coordinates.T @ found.w_star)) ** 2)
    modes = problem.modes
    np.testing.assert_allclose(np.mean(energies, axis=0), (modes.singular * (modes.coordinates.T @ w)) ** 2, rtol=1e-10)


def test_kernel_and_least_squares_agree():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((8, 3)), rng.standard_normal(8)
    line, kernel = estimate_truth(LeastSquares(X, y)), estimate_truth(KernelRegression(X @ X.T, y))
    np.testing.assert_allclose(kernel.noise_variance, line.noise_variance, rtol=1e-9)
    fits = KernelRegression(X @ X.T, y).fitted(kernel.w_star), X @ line.w_star
    np.testing.assert_allclose(*fits, rtol=1e-8, atol=1e-10)


def test_no_residual_is_left():
    with pytest.raises(ValueError, match=r"3 modes fit 3 samples exactly.*give noise_variance"):
        estimate_truth(LeastSquares(np.eye(3), np.ones(3)))
    assert estimate_truth(LeastSquares(np.eye(3), np.ones(3)), noise_variance=0.25).noise_variance == 0.25


@pytest.mark.parametrize("variance", [-1.0, np.nan, np.inf, [1.0, 2.0]])
def test_bad_noise_is_named(variance):
    with pytest.raises(ValueError, match="noise_variance"):
        estimate_truth(LeastSquares(np.eye(3), np.ones(3)), noise_variance=variance)


@pytest.mark.parametrize("problem", [eossim.Quadratic([1.0, 2.0]), "problem", None], ids=str)
def test_another_problem_is_named(problem):
    with pytest.raises(TypeError, match="problem"):
        estimate_truth(problem)


def test_sure_of_centred_data_is_unbiased_for_centred_noise():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 2))
    X -= X.mean(axis=0)
    w_star, sigma, method = np.array([0.5, -1.0]), 0.7, eossim.rules.usam(eta=0.2, rho=0.3)
    estimates = []
    for signs in product((-1.0, 1.0), repeat=8):
        noise = sigma * np.array(signs)
        problem = LeastSquares(X, X @ w_star + noise - noise.mean())
        estimates.append(sure(problem, method, noise_variance=sigma**2, steps=5).sure.values[0])
    risk = risk_curve(problem, method, w_star=w_star, noise_variance=sigma**2, steps=5).risk.values[0]
    np.testing.assert_allclose(np.mean(estimates, axis=0), risk, rtol=1e-10)
