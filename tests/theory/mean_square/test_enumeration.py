"""Against all batches and all paths of small problems; one run in exact rationals."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eossim.problems import KernelRegression
from eossim.problems.finite_sum import QuadraticSum
from eossim.theory import MeanSquare
from tests.theory.mean_square.oracle import (
    all_batches,
    batch_quadratics,
    covariance,
    finite_sums,
    matrices,
    quadratics,
    radius,
    settings_of,
)

BETAS = st.sampled_from([0.0, 0.0, 0.5, 0.9])


def fractions(array):
    array = np.asarray(array)
    return np.array([Fraction(x) for x in array.ravel().tolist()], dtype=object).reshape(array.shape)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_transient_is_the_mean_over_all_paths_in_rationals(data):
    problem = data.draw(finite_sums())
    b, replacement = data.draw(settings_of(problem))
    assume(len(all_batches(problem.n_samples, b, replacement)) <= 30)
    eta, beta = data.draw(st.sampled_from([0.25, 0.5, 2.0])), data.draw(BETAS)
    w0 = data.draw(st.lists(st.integers(-3, 3), min_size=problem.dim, max_size=problem.dim))
    H, k = map(fractions, quadratics(problem))
    batches = all_batches(problem.n_samples, b, replacement)
    H_B, k_B = (np.array([a[list(batch)].sum(axis=0) / b for batch in batches]) for a in (H, k))
    full_H, full_k = H.sum(axis=0) / len(H), k.sum(axis=0) / len(k)
    found = MeanSquare(problem, b, replacement=replacement, beta=beta).second_moment(eta, w0, steps=2, covariance=True)
    floor = float(problem.loss(problem.minimizer))
    origin = float(problem.loss(np.zeros(problem.dim)))

    points, speeds = [fractions(w0)], [fractions(np.zeros(problem.dim))]
    for step in range(3):
        w = np.array(points)
        mean = w.sum(axis=0) / len(w)
        scale = 1e-11 * (1 + float(np.abs(w).max()) ** 2) * (1 + float(np.abs(H).max()) ** 2)

        def close(name, exact, step=step, scale=scale):
            np.testing.assert_allclose(found[name].values[step], np.asarray(exact, float), rtol=1e-11, atol=scale)

        close("w", mean)
        spread = (w - mean).T.dot(w - mean) / len(w)
        close("covariance", spread)
        close("variance", np.trace(spread))
        gradients = w.dot(full_H) - full_k
        losses = [x.dot(full_H).dot(x) / 2 - x.dot(full_k) for x in w]
        close("excess_loss", float(sum(losses) / len(w)) + origin - floor)
        close("grad_sq", (gradients**2).sum() / len(w))
        fresh = [((w.dot(A) - a) ** 2).sum() / len(w) for A, a in zip(H_B, k_B, strict=True)]
        close("batch_grad_sq", sum(fresh) / len(fresh))
        if step < 2:
            states = [
                (x, Fraction(beta) * v + A.dot(x) - a)
                for x, v in zip(points, speeds, strict=True)
                for A, a in zip(H_B, k_B, strict=True)
            ]
            points, speeds = [x - Fraction(eta) * v for x, v in states], [v for _, v in states]


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_radius_and_edge_are_those_of_the_enumerated_operator(data):
    problem = data.draw(finite_sums(definite=True))
    b, replacement = data.draw(settings_of(problem))
    beta = data.draw(BETAS)
    found = MeanSquare(problem, b, replacement=replacement, beta=beta)
    edge = found.critical_step
    for factor in (0.3, 0.9, 0.999, 1.001, 1.5):
        exact = radius(problem, b, replacement, factor * edge, beta)
        assert found.spectral_radius(factor * edge) == pytest.approx(exact, rel=1e-7)  # defective eigenvalues
        assert (exact < 1) == (factor < 1)
    assert radius(problem, b, replacement, edge, beta) == pytest.approx(1, abs=1e-7)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_stationary_law_is_that_of_all_batches(data):
    problem = data.draw(finite_sums(definite=True))
    b, replacement = data.draw(settings_of(problem))
    beta = data.draw(BETAS)
    found = MeanSquare(problem, b, replacement=replacement, beta=beta)
    eta = data.draw(st.sampled_from([0.1, 0.5, 0.9])) * found.critical_step
    law = found.stationary(eta)
    S = covariance(problem, b, replacement, eta, beta)
    size = np.abs(S).max()
    np.testing.assert_allclose(law.covariance, S, rtol=1e-8, atol=1e-10 * size + 1e-13)
    H = problem.hessian()
    assert law.excess_loss == pytest.approx(np.trace(H @ S) / 2, rel=1e-8, abs=1e-13)
    assert law.grad_sq == pytest.approx(np.trace(H @ H @ S), rel=1e-8, abs=1e-13)
    H_B, g_B = batch_quadratics(problem, b, replacement)
    norm = np.mean([np.trace(A @ A @ S) + g @ g for A, g in zip(H_B, g_B, strict=True)])
    assert law.batch_grad_sq == pytest.approx(norm, rel=1e-8, abs=1e-13)
    if law.note:
        assert size < 1e-20
        assert np.isnan(law.gradient_noise_interaction)
        return
    along = np.mean([np.trace(A @ A @ A @ S) + g @ A @ g for A, g in zip(H_B, g_B, strict=True)])
    across = np.mean([np.trace(A @ H @ A @ S) + g @ H @ g for A, g in zip(H_B, g_B, strict=True)])
    assert law.batch_sharpness_ratio_of_means == pytest.approx(along / norm, rel=1e-7)
    assert law.interaction_aware_sharpness == pytest.approx(across / norm, rel=1e-7)
    assert law.gradient_noise_interaction == pytest.approx(across / law.grad_sq, rel=1e-7)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_covariance_is_a_fixed_point_of_the_enumerated_step_also_without_full_rank(data):
    problem = data.draw(finite_sums())
    b, replacement = data.draw(settings_of(problem))
    found = MeanSquare(problem, b, replacement=replacement)
    edge = found.critical_step
    assume(np.isfinite(edge))
    S = found.stationary_covariance(0.7 * edge)
    H_B, g_B = batch_quadratics(problem, b, replacement)
    T = matrices(H_B, 0.7 * edge, 0.0)
    after = np.mean(T @ S @ T.transpose(0, 2, 1), axis=0) + (0.7 * edge) ** 2 * g_B.T @ g_B / len(g_B)
    np.testing.assert_allclose(after, S, atol=1e-11 * (1 + np.abs(S).max()))


def test_kernel_regression_is_the_same_sum_in_function_space():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 2))
    problem = KernelRegression(X @ X.T, rng.standard_normal(5))
    H, k = quadratics(problem)
    same = QuadraticSum(H, [np.linalg.lstsq(A, a, rcond=None)[0] for A, a in zip(H, k, strict=True)])
    for b in (1, 3):
        one, other = MeanSquare(problem, b), MeanSquare(same, b)
        assert one.critical_step == pytest.approx(other.critical_step, rel=1e-12)
        np.testing.assert_allclose(one.stationary_covariance(0.1), other.stationary_covariance(0.1), atol=1e-12)
