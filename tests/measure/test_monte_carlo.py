"""Random batches: errors that are right, reproducible streams, stopping, speed on real data."""

import time

import numpy as np
import pytest

from eossim.data import load
from eossim.engine.streams import stream
from eossim.measure import batch_sharpness, expected_batch_lambda_max, momentum_batch_sharpness, sharpness_report
from eossim.measure.batches import BatchStream
from eossim.problems import KernelRegression, LeastSquares, QuadraticSum
from tests.measure.cases import Bare


@pytest.fixture(scope="module")
def regression():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((12, 4)) * np.exp(rng.standard_normal((12, 1)) / 2)
    return LeastSquares(X, rng.standard_normal(12)), rng.standard_normal(4)


def measures(problem, w):
    yield lambda **how: batch_sharpness(problem, w, 4, **how)
    yield lambda **how: batch_sharpness(problem, w, 4, estimator="ratio_of_means", **how)
    yield lambda **how: expected_batch_lambda_max(problem, w, 4, **how)
    yield lambda **how: batch_sharpness(problem, w, 4, replacement=True, **how)
    yield lambda **how: momentum_batch_sharpness(problem, w, 0.1 * w, 0.5, 4, **how)


def test_intervals_cover_the_exact_value(regression):
    for measure in measures(*regression):
        truth = measure(batches="all")
        assert truth.exact
        found = [measure(batches=200, seed=seed) for seed in range(150)]
        covered = np.mean([m.interval[0] <= truth.value <= m.interval[1] for m in found])
        assert 0.89 <= covered <= 0.99
        z = np.array([(m.value - truth.value) / m.error for m in found])
        assert abs(z.mean()) < 0.4
        assert 0.8 < z.std() < 1.2
        assert all(m.batches == 200 and not m.exact for m in found)


def test_intervals_with_early_stopping_cover_almost_as_often(regression):
    problem, w = regression
    truth = batch_sharpness(problem, w, 4, batches="all").value
    found = [batch_sharpness(problem, w, 4, batches=20_000, rtol=0.01, seed=seed) for seed in range(150)]
    assert all(m.error <= 0.01 * m.value for m in found)
    assert len({m.batches for m in found}) > 1
    assert np.mean([m.interval[0] <= truth <= m.interval[1] for m in found]) > 0.87


def test_confidence_widens_the_interval(regression):
    problem, w = regression
    low, high = (batch_sharpness(problem, w, 4, batches=50, confidence=c) for c in (0.5, 0.99))
    assert low.value == high.value
    assert np.diff(low.interval) < np.diff(high.interval)


def test_seeds(regression):
    for measure in measures(*regression):
        assert measure(batches=100, seed=1) == measure(batches=100, seed=1)
        assert measure(batches=100, seed=1).value != measure(batches=100, seed=2).value


def test_a_limit_is_kept_and_a_tolerance_stops(regression):
    problem, w = regression
    assert batch_sharpness(problem, w, 4, batches=100, rtol=1e-6).batches == 100
    early = batch_sharpness(problem, w, 4, batches=100_000, rtol=0.05)
    assert early.batches < 5000


def test_equal_ratios_have_no_error():
    problem = QuadraticSum(np.ones((5, 1, 1)) * 3, np.arange(5.0)[:, None])
    m = batch_sharpness(problem, [9], 2, batches=50)
    assert (m.value, m.error, m.interval) == (3, 0, (3, 3))
    assert not m.exact


def test_batches_do_not_depend_on_how_many_are_drawn_at_a_time():
    for replacement in (False, True):
        whole = BatchStream(10, 4, replacement, 5).draw(60)
        parts = BatchStream(10, 4, replacement, 5)
        np.testing.assert_array_equal(whole, np.concatenate([parts.draw(k) for k in (1, 20, 39)]))
        if not replacement:
            assert all(len(set(row)) == 4 for row in whole)


@pytest.mark.parametrize("replacement", [False, True])
def test_batches_are_uniform(replacement):
    draws = BatchStream(5, 2, replacement, 0).draw(40_000)
    counts = np.zeros((5, 5))
    np.add.at(counts, (draws[:, 0], draws[:, 1]), 1)
    expected = np.full((5, 5), 1 / 25) if replacement else (1 - np.eye(5)) / 20
    assert np.abs(counts / 40_000 - expected).max() < 5 * np.sqrt(0.05 / 40_000)


def test_streams_differ_from_those_of_training():
    own = BatchStream(10, 4, True, 7)._state
    assert all((own != stream(7, run)).any() for run in range(100))


def test_zero_gradients_are_counted_among_random_batches():
    problem = LeastSquares(np.diag([1.0, 2, 0, 0, 0, 0]), [1.0, 1, 0, 0, 0, 0])
    w = np.zeros(6)
    truth = batch_sharpness(problem, w, 2, batches="all")
    found = batch_sharpness(problem, w, 2, batches=4000)
    assert truth.zero_gradients == 6
    assert truth.zero_share == pytest.approx(6 / 15)
    assert found.zero_share == found.zero_gradients / 4000 == pytest.approx(0.4, abs=0.04)
    skipped = batch_sharpness(problem, w, 2, batches=4000, zero_gradient="skip")
    exact = batch_sharpness(problem, w, 2, zero_gradient="skip").value
    assert exact == pytest.approx(truth.value / 0.6)
    assert abs(skipped.value - exact) < 4 * skipped.error


def test_many_parameters_through_products_alone(regression, monkeypatch):
    import eossim.measure.point as point

    problem, w = regression
    names = ("batch_sharpness", "expected_batch_lambda_max")
    for b in (1, 3, 12):
        known = sharpness_report(problem, w, b)[b]
        with monkeypatch.context() as patch:
            patch.setattr(point, "_DENSE", 0)
            found = sharpness_report(Bare(problem), w, b)[b]
        assert [getattr(found, n).value for n in names] == pytest.approx([getattr(known, n).value for n in names])
        assert found.ratio_of_means == pytest.approx(known.ratio_of_means)
        assert found.gradient_noise_interaction == pytest.approx(known.gradient_noise_interaction)
        assert found.lambda_max == pytest.approx(known.lambda_max)
    bare = Bare(problem)
    monkeypatch.setattr(point, "_DENSE", 0)
    momentum = momentum_batch_sharpness(bare, w, w, 0.5, 1)
    assert momentum.value == pytest.approx(momentum_batch_sharpness(problem, w, w, 0.5, 1).value)
    assert bare.calls == 1  # disjoint batches share a call


def test_kernel_regression(regression):
    problem, _ = regression
    K = problem.X @ problem.X.T
    kernel = KernelRegression(K, problem.y)
    zero = np.zeros(kernel.dim)
    for b in (1, 3, 12):  # at the zero function both have the same gradients up to a rotation
        same = batch_sharpness(problem, np.zeros(4), b).value
        assert batch_sharpness(kernel, zero, b).value == pytest.approx(same, rel=1e-11)


def test_digits_to_half_a_percent_within_a_second():
    problem = load("digits").least_squares()
    w = np.random.default_rng(0).standard_normal(problem.dim) / 100
    batch_sharpness(problem, w, 8)  # compiles
    for b in (1, 2, 16, 128, 1024, 1796, 1797):
        start = time.perf_counter()
        found = batch_sharpness(problem, w, b, rtol=0.005)
        assert time.perf_counter() - start < 1
        assert found.error <= 0.005 * found.value


def test_digits_all_pairs_against_random_ones():
    problem = load("digits").least_squares()
    X, y = problem.X[:300], problem.y[:300]
    problem = LeastSquares(X, y)
    w = np.zeros(problem.dim)
    truth = batch_sharpness(problem, w, 2)
    assert truth.batches == 300 * 299 // 2
    found = batch_sharpness(problem, w, 2, batches=20_000)
    assert abs(found.value - truth.value) < 4 * found.error


def test_batches_without_spread_are_no_reason_to_stop():
    X = np.ones((1000, 1))
    X[0] = 100  # one sample carries the mean, and most batches do not hold it
    problem = LeastSquares(X, np.random.default_rng(0).standard_normal(1000))
    exact = batch_sharpness(problem, [0.0], 2, batches="all").value
    found = batch_sharpness(problem, [0.0], 2)
    assert found.error > 0
    assert abs(found.value - exact) < 5 * found.error
