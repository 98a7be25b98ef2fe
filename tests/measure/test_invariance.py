"""What measures do not depend on, and how they scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim.measure import (
    batch_sharpness,
    expected_batch_lambda_max,
    gradient_noise_interaction,
    interaction_aware_sharpness,
    sharpness_report,
)
from eossim.problems import LeastSquares, QuadraticSum
from tests.strategies import seeds

some = settings(max_examples=40, deadline=None)


def problem_at(seed, n=5, dim=3):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, dim, dim))
    H = A + A.transpose(0, 2, 1)
    return H, rng.standard_normal((n, dim)), rng.standard_normal(dim), rng


def numbers(problem, w, b, replacement=False):
    row = sharpness_report(problem, w, b, replacement=replacement)[b]
    return [
        row.batch_sharpness.value,
        row.ratio_of_means,
        row.interaction_aware_sharpness,
        row.gradient_noise_interaction,
        row.expected_batch_lambda_max.value,
        row.lambda_max,
    ]


@some
@given(seeds, st.integers(1, 5), st.booleans())
def test_permutation_rotation_translation(seed, b, replacement):
    H, c, w, rng = problem_at(seed)
    base = numbers(QuadraticSum(H, c), w, b, replacement)
    order, Q = rng.permutation(5), np.linalg.qr(rng.standard_normal((3, 3)))[0]
    assert numbers(QuadraticSum(H[order], c[order]), w, b, replacement) == pytest.approx(base, rel=1e-9, abs=1e-9)
    turned = QuadraticSum(Q @ H @ Q.T, c @ Q.T)
    assert numbers(turned, Q @ w, b, replacement) == pytest.approx(base, rel=1e-9, abs=1e-9)
    assert numbers(QuadraticSum(H, c + 1), w + 1, b, replacement) == pytest.approx(base, rel=1e-9, abs=1e-9)


@some
@given(seeds, st.integers(1, 5), st.floats(1e-3, 1e3))
def test_loss_scale_and_size_of_gradients(seed, b, factor):
    H, c, w, _ = problem_at(seed)
    base = numbers(QuadraticSum(H, c), w, b)
    scaled = np.array(numbers(QuadraticSum(factor * H, c), w, b)) / factor
    assert scaled == pytest.approx(base, rel=1e-10)
    # gradients of any size, down to squares that underflow
    for size in (factor, 1e-180, 1e140):
        assert numbers(QuadraticSum(H, size * c), size * w, b) == pytest.approx(base, rel=1e-10)


@some
@given(seeds, st.integers(1, 3), st.integers(1, 3))
def test_repeating_every_sample_leaves_draws_with_replacement(seed, b, k):
    H, c, w, _ = problem_at(seed, n=3)
    base = numbers(QuadraticSum(H, c), w, b, replacement=True)
    more = QuadraticSum(np.repeat(H, k, axis=0), np.repeat(c, k, axis=0))
    assert numbers(more, w, b, replacement=True) == pytest.approx(base, rel=1e-9, abs=1e-9)


@some
@given(seeds, st.integers(1, 6), st.sampled_from([0.5, 1.0, 3.0]), st.booleans())
def test_regression_equals_its_quadratics(seed, b, loss_scale, normalize):
    rng = np.random.default_rng(seed)
    X, y, w = rng.standard_normal((6, 3)), rng.standard_normal(6), rng.standard_normal(3)
    problem = LeastSquares(X, y, loss_scale=loss_scale, normalize=normalize)
    c = 2 * problem.loss_factor * 6
    centers = X * (y / (X**2).sum(axis=1))[:, None]
    quadratics = QuadraticSum(c * X[:, :, None] * X[:, None, :], centers)
    assert numbers(problem, w, b) == pytest.approx(numbers(quadratics, w, b), rel=1e-10)


def test_interpolation_counts_rounding_as_zero():
    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((6, 8)), rng.standard_normal(8)
    problem = LeastSquares(X, X @ w)
    for at in (w, problem.minimizer):
        m = batch_sharpness(problem, at, 2)
        assert (m.value, m.zero_gradients) == (0, 15)
        assert m.zero_share == pytest.approx(1)
        for measure in (interaction_aware_sharpness, gradient_noise_interaction):
            assert float(measure(problem, at, 2)) == 0
        assert float(batch_sharpness(problem, at, 2, estimator="ratio_of_means")) == 0
        assert float(expected_batch_lambda_max(problem, at, 2)) > 1
    near = batch_sharpness(problem, w + 1e-9, 2)
    assert near.zero_gradients == 0


def test_gradient_noise_interaction_at_the_minimizer_is_infinite():
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal((20, 3)), rng.standard_normal(20))
    assert float(gradient_noise_interaction(problem, problem.minimizer, 4)) == np.inf
    assert float(gradient_noise_interaction(problem, problem.minimizer, 20)) == 0
