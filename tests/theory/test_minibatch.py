"""Moments of mini-batch SAM: against all batch sequences, Monte Carlo, published and hand-derived numbers."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from eossim import KernelRegression, LeastSquares, Quadratic, rules, simulate
from eossim.engine.record import Record
from eossim.engine.sampling import minibatch
from eossim.theory.minibatch import (
    expected_gradient,
    mean_square_critical_step,
    mean_square_radius,
    minibatch_fixed_point,
    minibatch_moments,
)

V1 = [[1, 0], [0, 2], [1, 1]], [1, 2, 3]  # bias_variance.md; also V4 there
DESIGN = [[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1]  # V4 of stochastic_edge.md
ASCENTS = ("same", "independent")
#: (batch size, replacement) for three samples.
SETTINGS = [(1, False), (2, False), (3, False), (1, True), (2, True), (3, True)]
SCALES = [(True, 0.5), (True, 2.0), (False, 0.5)]
settings = pytest.mark.parametrize(("size", "replacement"), SETTINGS)
ascents = pytest.mark.parametrize("ascent", ASCENTS)
scales = pytest.mark.parametrize(("normalize", "loss_scale"), SCALES)


def simulated(problem, method, at, starts, seed, batch_size, replacement=False, ascent="same"):
    sampling = "iid" if replacement else "without_replacement"
    drawn = minibatch(method, batch_size=batch_size, sampling=sampling, ascent=ascent)
    return simulate(problem, drawn, starts, max(at), record=Record(at=at, what=("w", "loss")), seed=seed)


def all_batches(n, b, replacement):
    return list(itertools.product(range(n), repeat=b) if replacement else itertools.combinations(range(n), b))


def batch_pairs(n, b, replacement, ascent):
    """Descent and ascent batches, equally likely."""
    every = all_batches(n, b, replacement)
    return list(itertools.product(every, every)) if ascent == "independent" else [(batch, batch) for batch in every]


def scale_of(problem):
    """Factor of x_i r_i in the gradient of a sample's loss."""
    return 2 * problem.loss_scale * (1 if problem.normalize else problem.n_samples)


def batch_gradient(problem, batch, w):
    """Mean over the batch of the samples' gradients, at points w of shape (..., dim)."""
    X, y = problem.X[list(batch)], problem.y[list(batch)]
    return scale_of(problem) / len(batch) * (w @ X.T - y) @ X


def all_paths(problem, eta, rho, pairs, w0, steps):
    """Every iterate that `steps` steps can reach, equally likely; a list over steps."""
    seen = [np.array([w0], float)]
    for _ in range(steps):
        w = seen[-1]
        reached = [
            w - eta * batch_gradient(problem, down, w + rho * batch_gradient(problem, up, w)) for down, up in pairs
        ]
        seen.append(np.concatenate(reached))
    return seen


def random_problem(n=3, dim=2, seed=0, **options):
    rng = np.random.default_rng(seed)
    return LeastSquares(rng.standard_normal((n, dim)), rng.standard_normal(n), **options)


@settings
@ascents
@scales
def test_moments_are_those_of_all_paths(size, replacement, ascent, normalize, loss_scale):
    problem = random_problem(normalize=normalize, loss_scale=loss_scale)
    rho, eta = 0.2 / scale_of(problem), 0.3 / scale_of(problem)
    w0, w_star = np.array([1.0, -2.0]), np.array([0.5, 0.25])
    paths = all_paths(problem, eta, rho, batch_pairs(3, size, replacement, ascent), w0, steps=2)
    found = minibatch_moments(
        problem,
        rules.usam(eta=eta, rho=rho),
        batch_size=size,
        replacement=replacement,
        ascent=ascent,
        steps=2,
        w0=w0,
        w_star=w_star,
    )
    for step, w in enumerate(paths):
        at = found.sel(step=step)
        np.testing.assert_allclose(at.w, w.mean(axis=0), rtol=1e-12, atol=1e-13)
        assert float(at.variance) == pytest.approx(w.var(axis=0).sum(), rel=1e-11, abs=1e-13)
        assert float(at.loss) == pytest.approx(problem.loss(w).mean(), rel=1e-12)
        risk = ((w - w_star) @ problem.X.T) ** 2
        assert float(at.risk) == pytest.approx(risk.mean(), rel=1e-12)


def exact_second_moment(X, y, eta, rho, size, replacement, ascent, steps):
    """E[(w, 1)(w, 1)ᵀ] by the enumeration of a step's matrix, in rationals; c = n."""
    rows = [np.array([*map(Fraction, x), -Fraction(t)]) for x, t in zip(X, y, strict=True)]
    dim = len(X[0])
    identity = np.array([[Fraction(int(i == j)) for j in range(dim + 1)] for i in range(dim + 1)])

    def matrix(batch):
        total = 0 * identity
        for i in batch:
            ahead = rows[i].copy()
            ahead[-1] = Fraction(0)
            total = total + np.outer(ahead, rows[i])
        return total / Fraction(len(batch))

    maps = [
        identity - eta * matrix(down).dot(identity + rho * matrix(up))
        for down, up in batch_pairs(len(X), size, replacement, ascent)
    ]
    S = 0 * identity
    S[-1, -1] = Fraction(1)
    for _ in range(steps):
        S = sum(T.dot(S).dot(T.T) for T in maps) / Fraction(len(maps))
    return S


@pytest.mark.parametrize(("size", "replacement"), [(1, False), (2, False), (3, False), (4, False), (2, True)])
@ascents
def test_moments_in_rationals(size, replacement, ascent):
    eta, rho = Fraction(1, 5), Fraction(1, 3)
    S = exact_second_moment(*DESIGN, eta, rho, size, replacement, ascent, steps=3)
    found = minibatch_moments(
        LeastSquares(*DESIGN),
        rules.usam(eta=float(eta), rho=float(rho)),
        batch_size=size,
        replacement=replacement,
        ascent=ascent,
        steps=[3],
    ).isel(step=0)
    np.testing.assert_allclose(found.w, S[:2, 2].astype(float), rtol=1e-12)
    variance = S[0, 0] + S[1, 1] - S[0, 2] ** 2 - S[1, 2] ** 2
    assert float(found.variance) == pytest.approx(float(variance), rel=1e-11, abs=1e-14)


def test_reference_values_of_the_expected_gradient():
    """V4 of bias_variance.md."""
    for size, value in ((1, (-5 / 2, -6)), (2, (-9 / 4, -39 / 8)), (3, (-13 / 6, -9 / 2))):
        found = expected_gradient(LeastSquares(*V1), [0.0, 0.0], rho=0.5, batch_size=size)
        np.testing.assert_allclose(found, value, rtol=1e-14)


def test_reference_values_of_the_full_batch():
    """V1 of bias_variance.md."""
    ends = (rules.usam(eta=0.25, rho=0.5), (325 / 432, 2207 / 1728)), (rules.gd(eta=0.25), (9 / 16, 43 / 48))
    for method, end in ends:
        found = minibatch_moments(LeastSquares(*V1), method, batch_size=3, steps=2)
        np.testing.assert_allclose(found.w[-1], end, rtol=1e-13)
        np.testing.assert_allclose(found.variance, 0, atol=1e-14)


@settings
@ascents
@scales
def test_expected_gradient_is_the_mean_over_batches(size, replacement, ascent, normalize, loss_scale):
    problem = random_problem(normalize=normalize, loss_scale=loss_scale)
    w = np.random.default_rng(1).standard_normal((2, 2, 2))
    every = [
        batch_gradient(problem, down, w + 0.3 * batch_gradient(problem, up, w))
        for down, up in batch_pairs(3, size, replacement, ascent)
    ]
    found = expected_gradient(problem, w, rho=0.3, batch_size=size, replacement=replacement, ascent=ascent)
    np.testing.assert_allclose(found, np.mean(every, axis=0), rtol=1e-12, atol=1e-12)


def test_reference_fixed_point():
    found = minibatch_fixed_point(LeastSquares(*V1), rules.usam(eta=0.1, rho=0.5), batch_size=1)
    np.testing.assert_allclose(found, (23 / 15, 16 / 15), rtol=1e-14)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7)])
@scales
def test_single_samples_end_at_weighted_least_squares(shape, normalize, loss_scale):
    problem = random_problem(*shape, normalize=normalize, loss_scale=loss_scale)
    weights = 1 + scale_of(problem) * 0.4 * (problem.X**2).sum(axis=1)
    expected = np.linalg.lstsq(problem.X * np.sqrt(weights)[:, None], problem.y * np.sqrt(weights), rcond=None)[0]
    found = minibatch_fixed_point(problem, rules.usam(eta=1.0, rho=0.4), batch_size=1)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@settings
@ascents
def test_the_expected_gradient_vanishes_at_the_fixed_point(size, replacement, ascent):
    problem, how = random_problem(), {"batch_size": size, "replacement": replacement, "ascent": ascent}
    found = minibatch_fixed_point(problem, rules.usam(eta=1.0, rho=[0.0, 0.7]), **how)
    for w, rho in zip(found, (0.0, 0.7), strict=True):
        np.testing.assert_allclose(expected_gradient(problem, w, rho=rho, **how), 0, atol=1e-13)
    np.testing.assert_allclose(found[0], problem.minimizer, rtol=1e-12)
    same_end = ascent == "independent" or (size == 3 and not replacement)
    assert np.allclose(found[1], problem.minimizer, rtol=1e-10) == same_end


@settings
@ascents
def test_moments_settle_at_the_fixed_point(size, replacement, ascent):
    problem, method = random_problem(), rules.usam(eta=0.1, rho=0.2)
    how = {"batch_size": size, "replacement": replacement, "ascent": ascent}
    late = minibatch_moments(problem, method, steps=[10**8, 10**9], **how)
    np.testing.assert_allclose(late.w, [minibatch_fixed_point(problem, method, **how)] * 2, rtol=1e-10)
    np.testing.assert_allclose(late.variance[1], late.variance[0], rtol=1e-10, atol=1e-25)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
def test_all_samples_without_replacement_are_the_full_batch(shape):
    problem, method = random_problem(*shape), rules.usam(eta=0.2, rho=0.3)
    w0 = np.ones(shape[1])
    full = simulate(problem, method, w0, 30, record=Record(what=("w", "loss"))).isel(run=0)
    found = minibatch_moments(problem, method, batch_size=shape[0], steps=30, w0=w0)
    np.testing.assert_allclose(found.w, full.w, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(found.loss, full.loss, rtol=1e-11, atol=1e-25)
    np.testing.assert_allclose(found.variance, 0, atol=1e-13)


def test_sgd_follows_its_covariance_recursion():
    """Section 5 of stochastic_edge.md: S' = (I-ηH)S(I-ηH) + pη²{<(H_i m̃ + g_i)²> - HSH}, p = (n-b)/(b(n-1)) or 1/b."""
    problem, eta, n = random_problem(5, 2), 0.3, 5
    X, H = problem.X, problem.hessian()
    g = (X @ problem.minimizer - problem.y)[:, None] * X
    H_i = X[:, :, None] * X[:, None, :]
    for b, replacement in ((1, False), (2, False), (4, False), (2, True), (7, True)):
        p = 1 / b if replacement else (n - b) / (b * (n - 1))
        m = -problem.minimizer
        S = np.outer(m, m)
        found = minibatch_moments(problem, rules.gd(eta=eta), batch_size=b, replacement=replacement, steps=12)
        for step in range(13):
            assert float(found.loss[step]) == pytest.approx(problem.offset + 0.5 * np.trace(H @ S), rel=1e-12)
            assert float(found.variance[step]) == pytest.approx(np.trace(S) - m @ m, rel=1e-11, abs=1e-13)
            cross = np.einsum("iab,b,ic->ac", H_i, m, g) / n
            spread = np.einsum("iab,bc,icd->ad", H_i, S, H_i) / n + cross + cross.T + g.T @ g / n - H @ S @ H
            step_map = np.eye(2) - eta * H
            m, S = step_map @ m, step_map @ S @ step_map + p * eta**2 * spread


def test_reference_values_of_sgd():
    """V4 of stochastic_edge.md: one step, the stationary state and the critical step sizes."""
    problem = LeastSquares(*DESIGN)
    found = minibatch_moments(problem, rules.gd(eta=0.5), batch_size=2, steps=[1, 10**6])
    np.testing.assert_allclose(found.w, [[2 / 3 - 5 / 12, 1 / 3 - 5 / 24], [2 / 3, 1 / 3]], rtol=1e-9)
    np.testing.assert_allclose(found.loss - 13 / 24, [97 / 768, 13 / 159], rtol=1e-9)
    assert float(found.variance[1]) == pytest.approx((1900 + 4444) / 29097, rel=1e-9)
    assert mean_square_critical_step(problem, batch_size=1) == pytest.approx(6 / 5, rel=1e-12)
    assert mean_square_critical_step(problem, batch_size=2) == pytest.approx(36 / 19, rel=1e-12)
    assert mean_square_radius(problem, rules.gd(eta=1.5), batch_size=1) == pytest.approx(1.5625, rel=1e-12)
    assert mean_square_radius(problem, rules.gd(eta=1.15), batch_size=1) == pytest.approx(0.928125, rel=1e-12)


@pytest.mark.parametrize("replacement", [False, True])
@ascents
@pytest.mark.parametrize("rho", [0.0, 0.15])
def test_moments_are_those_of_simulated_runs(replacement, ascent, rho):
    problem, how = random_problem(20, 3), {"batch_size": 4, "replacement": replacement, "ascent": ascent}
    at, method, w_star = [1, 2, 5, 20, 60], rules.usam(eta=0.15, rho=rho), np.array([1.0, 0.0, -1.0])
    runs = simulated(problem, method, at, np.zeros((10_000, problem.dim)), 3, **how)
    exact = minibatch_moments(problem, method, steps=at, w_star=w_star, **how)
    deviation = ((runs.w - exact.w) ** 2).sum("coord")
    risk = (((runs.w.values - w_star) @ problem.X.T) ** 2).mean(axis=-1)
    observed = ((runs.w, exact.w), (runs.loss, exact.loss), (risk, exact.risk), (deviation, exact.variance))
    for sample, expected in observed:
        sample, expected = np.asarray(sample), np.asarray(expected)
        error = sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
        assert (np.abs(sample.mean(axis=0) - expected) < 4 * error).all()


@pytest.mark.parametrize("rho", [0.0, 0.2])
@settings
@ascents
def test_radius_is_that_of_the_mean_kronecker_product(size, replacement, ascent, rho):
    problem, eta = random_problem(), 0.4
    one = np.eye(2)

    def hessian(batch):
        return batch_gradient(problem, batch, one) - batch_gradient(problem, batch, 0 * one)

    pairs = batch_pairs(3, size, replacement, ascent)
    steps = [one - eta * hessian(down) @ (one + rho * hessian(up)) for down, up in pairs]
    expected = np.abs(np.linalg.eigvals(np.mean([np.kron(T, T) for T in steps], axis=0))).max()
    how = {"batch_size": size, "replacement": replacement, "ascent": ascent}
    assert mean_square_radius(problem, rules.usam(eta=eta, rho=rho), **how) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shape", [(6, 3), (3, 6)])
@settings
@ascents
def test_the_radius_is_one_at_the_critical_step_and_on_either_side_of_it_elsewhere(shape, size, replacement, ascent):
    problem, how = random_problem(*shape), {"batch_size": size, "replacement": replacement, "ascent": ascent}
    critical = mean_square_critical_step(problem, rho=0.3, **how)
    below, at, above = mean_square_radius(problem, rules.usam(eta=critical * np.array([0.99, 1, 1.01]), rho=0.3), **how)
    assert below < 1 < above
    assert at == pytest.approx(1, abs=1e-12)


def test_the_critical_step_of_the_full_batch_is_that_of_usam():
    problem = random_problem(8, 3)
    top = problem.eigenvalues[-1]
    found = mean_square_critical_step(problem, rho=0.5, batch_size=8)
    assert found == pytest.approx(2 / (top * (1 + 0.5 * top)), rel=1e-12)


@pytest.mark.parametrize("factor", [0.95, 1.05])
@ascents
def test_one_coordinate_grows_by_the_radius_at_every_step(factor, ascent):
    """Simulated on both sides of the critical step: without noise and in one dimension, E w_k² = radius^k w_0²."""
    problem = LeastSquares(np.sqrt([[1.0], [2.0], [3.0], [6.0]]), np.zeros(4))
    how = {"batch_size": 2, "ascent": ascent}
    eta = factor * mean_square_critical_step(problem, rho=0.1, **how)
    method = rules.usam(eta=eta, rho=0.1)
    radius = mean_square_radius(problem, method, **how)
    assert (radius > 1) == (factor > 1)
    runs = simulated(problem, method, range(7), np.ones((40_000, 1)), 1, **how).w.values[:, :, 0] ** 2
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    assert (np.abs(runs.mean(axis=0) - radius ** np.arange(7))[1:] < 4 * error[1:]).all()
    exact = minibatch_moments(problem, method, steps=500, w0=[1.0], **how)
    np.testing.assert_allclose(exact.loss[1:] / exact.loss[:-1].values, radius, rtol=1e-10)


@ascents
def test_many_coordinates_take_the_same_path(monkeypatch, ascent):
    """Stepped and found by iterations, rather than as a matrix."""
    problem, method = random_problem(9, 4), rules.usam(eta=[0.2, 0.5], rho=[0.3, 0.0])
    how = {"batch_size": 2, "ascent": ascent}

    def everything():
        return (
            minibatch_moments(problem, method, steps=[0, 1, 7, 40], w_star=np.ones(4), **how),
            mean_square_radius(problem, method, **how),
            mean_square_critical_step(problem, rho=0.3, **how),
        )

    as_matrix = everything()
    monkeypatch.setattr("eossim.theory.moment_step._DENSE_UP_TO", 0)
    iterated = everything()
    for name in ("w", "variance", "loss", "risk"):
        np.testing.assert_allclose(iterated[0][name], as_matrix[0][name], rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(iterated[1], as_matrix[1], rtol=1e-10)
    assert iterated[2] == pytest.approx(as_matrix[2], rel=1e-10)


@settings
@ascents
def test_normalisation_only_rescales_eta_and_rho(size, replacement, ascent):
    mean, total = random_problem(), random_problem(normalize=False)
    how = {"batch_size": size, "replacement": replacement, "ascent": ascent, "steps": 5}
    one = minibatch_moments(mean, rules.usam(eta=0.3, rho=0.6), **how)
    other = minibatch_moments(total, rules.usam(eta=0.1, rho=0.2), **how)
    np.testing.assert_allclose(one.w, other.w, rtol=1e-12)
    np.testing.assert_allclose(one.variance, other.variance, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(3 * one.loss, other.loss, rtol=1e-12)


@ascents
def test_repeating_every_sample_changes_draws_without_replacement_only(ascent):
    problem = random_problem()
    twice = LeastSquares(np.repeat(problem.X, 2, axis=0), np.repeat(problem.y, 2))
    for replacement in (True, False):
        how = {"batch_size": 2, "replacement": replacement, "ascent": ascent, "steps": [5]}
        one, other = (minibatch_moments(p, rules.usam(eta=0.2, rho=0.3), **how) for p in (problem, twice))
        assert np.allclose(one.variance, other.variance, rtol=1e-11) == replacement


def test_what_the_samples_do_not_see_stays():
    problem = random_problem(2, 4)
    w0 = np.arange(4.0)
    null = np.linalg.svd(problem.X)[2][2:]
    found = minibatch_moments(problem, rules.usam(eta=0.1, rho=0.1), batch_size=1, steps=[1, 50], w0=w0)
    np.testing.assert_allclose(found.w.values @ null.T, [null @ w0] * 2, rtol=1e-12)
    assert mean_square_radius(problem, rules.usam(eta=0.1, rho=0.1), batch_size=1) < 1


def test_inputs_of_zero_move_nothing():
    problem, method = LeastSquares(np.zeros((3, 2)), [1.0, 2.0, 3.0]), rules.usam(eta=0.1, rho=0.1)
    found = minibatch_moments(problem, method, batch_size=2, steps=[4], w0=[1.0, 2.0])
    np.testing.assert_array_equal(found.w, [[1.0, 2.0]])
    np.testing.assert_array_equal(minibatch_fixed_point(problem, method, batch_size=2), [0.0, 0.0])
    assert mean_square_radius(problem, method, batch_size=2) == 0
    assert mean_square_critical_step(problem, batch_size=2) == np.inf


def test_the_second_moment_can_diverge_while_the_mean_converges():
    problem, eta = LeastSquares(*DESIGN), 1.3  # between 6/5 and the edge of the mean, 8/3
    found = minibatch_moments(problem, rules.gd(eta=eta), batch_size=1, steps=[0, 1000, 10**6])
    np.testing.assert_allclose(found.w[-1], problem.minimizer, rtol=1e-12)
    assert found.loss[1] > 1e10
    assert found.loss[2] == found.variance[2] == np.inf


def test_an_interpolating_loss_goes_to_zero_with_all_digits():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 3))
    problem, method = LeastSquares(X, X @ [1.0, 2.0, 3.0]), rules.usam(eta=0.1, rho=0.1)
    found = minibatch_moments(problem, method, batch_size=2, steps=[1500, 1501])
    assert 0 < found.loss[1] < 1e-17
    radius = mean_square_radius(problem, method, batch_size=2)
    assert float(found.loss[1] / found.loss[0]) == pytest.approx(radius, rel=1e-6)


def test_arrays_give_runs_and_numbers_none():
    problem = random_problem()
    found = minibatch_moments(problem, rules.usam(eta=[0.1, 0.2], rho=0.3), batch_size=1, steps=4, w_star=[0.0, 0.0])
    assert found.w.dims == ("run", "step", "coord")
    assert found.risk.dims == found.loss.dims == ("run", "step")
    for run, eta in enumerate((0.1, 0.2)):
        one = minibatch_moments(problem, rules.usam(eta=eta, rho=0.3), batch_size=1, steps=4)
        assert one.w.dims == ("step", "coord")
        assert "risk" not in one
        np.testing.assert_array_equal(found.w[run], one.w)
        np.testing.assert_array_equal(found.eta[run], one.eta)
    assert mean_square_radius(problem, rules.gd(eta=[0.1, 0.2]), batch_size=1).shape == (2,)
    assert isinstance(mean_square_radius(problem, rules.gd(eta=0.1), batch_size=1), float)
    assert minibatch_fixed_point(problem, rules.gd(eta=[0.1, 0.2]), batch_size=1).shape == (2, 2)


def test_kernel_regression_is_least_squares_on_its_features():
    problem = random_problem(6, 3)
    kernel = KernelRegression(problem.X @ problem.X.T, problem.y)
    how = {"batch_size": 2, "steps": [1, 9]}
    one, other = (minibatch_moments(p, rules.usam(eta=0.2, rho=0.3), **how) for p in (problem, kernel))
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-10)


GOOD = {"batch_size": 2, "steps": 3}


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size must be an integer >= 1"),
        ({"batch_size": 1.0}, TypeError, "batch_size must be an integer"),
        ({"batch_size": 4}, ValueError, "at most the 3 samples without replacement"),
        ({"replacement": 1}, TypeError, "replacement must be True or False"),
        ({"ascent": "both"}, ValueError, "ascent must be one of 'same', 'independent'"),
        ({"steps": 0}, ValueError, "steps must be an integer >= 1"),
        ({"steps": 2.0}, TypeError, "steps must be an integer"),
        ({"steps": [2, 1]}, ValueError, "steps must increase"),
        ({"steps": [-1, 1]}, ValueError, "steps must increase"),
        ({"steps": []}, ValueError, "non-empty list"),
        ({"steps": [0.5]}, ValueError, "list of integers"),
        ({"w0": [1.0]}, ValueError, "w0 must have shape"),
        ({"w_star": [1.0, np.nan]}, ValueError, "w_star must be finite"),
        ({"method": rules.sam(eta=0.1, rho=0.1)}, ValueError, "method must be one of gd, usam; got sam"),
        ({"method": rules.gd}, TypeError, "bound hyper-parameters"),
        ({"problem": Quadratic([1.0, 2.0])}, TypeError, "problem must have samples"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    given = {"problem": random_problem(), "method": rules.gd(eta=0.1), **GOOD} | change
    with pytest.raises(error, match=message):
        minibatch_moments(given.pop("problem"), given.pop("method"), **given)


@pytest.mark.parametrize("function", [mean_square_radius, minibatch_fixed_point])
def test_queries_check_their_arguments_too(function):
    with pytest.raises(ValueError, match="at most the 3 samples"):
        function(random_problem(), rules.gd(eta=0.1), batch_size=4)
    with pytest.raises(ValueError, match="ascent must be one of"):
        function(random_problem(), rules.gd(eta=0.1), batch_size=1, ascent="none")
    with pytest.raises(ValueError, match="method must be one of gd, usam"):
        function(random_problem(), rules.heavy_ball(eta=0.1, beta=0.5), batch_size=1)


@pytest.mark.parametrize("rho", [-0.1, [0.1, 0.2], np.nan])
def test_a_wrong_rho_is_named(rho):
    with pytest.raises(ValueError, match="rho"):
        mean_square_critical_step(random_problem(), rho=rho, batch_size=1)
    with pytest.raises(ValueError, match="rho"):
        expected_gradient(random_problem(), [0.0, 0.0], rho=rho, batch_size=1)
