"""Identities, orders and limits that hold for every problem."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eossim import rules
from eossim.problems import LeastSquares
from eossim.problems.finite_sum import QuadraticSum
from eossim.theory import MeanSquare, mean_square_critical_step, mean_square_radius, minibatch_moments
from eossim.theory.mean_square.dynamics import Dynamics
from tests.strategies import seeds
from tests.theory.mean_square.oracle import DESIGN, THREE, batch_quadratics, finite_sums, settings_of

EIGENVALUES = st.sampled_from([0.0, 0.4, 0.9])


def drawn(data, **kwargs):
    problem = data.draw(finite_sums(**kwargs))
    b, replacement = data.draw(settings_of(problem))
    assume(np.any(problem.hessian()))
    return problem, b, replacement


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_second_moments_neither_grow_nor_shrink_at_the_edge(data):
    problem, b, replacement = drawn(data)
    found = MeanSquare(problem, b, replacement=replacement, beta=data.draw(EIGENVALUES))
    assert found.spectral_radius(found.critical_step) == pytest.approx(1, abs=1e-7)
    assert found.spectral_radius(0.99 * found.critical_step) < 1 < found.spectral_radius(1.01 * found.critical_step)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_edge_rises_with_the_batch_to_that_of_full_batches(data):
    problem, _, _ = drawn(data)
    beta = data.draw(EIGENVALUES)
    n = problem.n_samples
    edges = [MeanSquare(problem, b, beta=beta).critical_step for b in range(1, n + 1)]
    assert all(later >= earlier * (1 - 1e-12) for earlier, later in itertools.pairwise(edges))
    top = np.linalg.eigvalsh(problem.hessian())[-1]
    assert edges[-1] == pytest.approx(2 * (1 + beta) / top, rel=1e-12)
    with_replacement = [MeanSquare(problem, b, replacement=True, beta=beta).critical_step for b in (1, 2, 10**6)]
    assert with_replacement[0] == pytest.approx(edges[0], rel=1e-12)
    assert with_replacement[0] <= with_replacement[1] * (1 + 1e-12)
    assert with_replacement[2] == pytest.approx(edges[-1], rel=1e-3 / (1 - beta) ** 2)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_order_of_the_bounds(data):
    problem, b, replacement = drawn(data)
    beta = data.draw(EIGENVALUES)
    found = MeanSquare(problem, b, replacement=replacement, beta=beta)
    table = found.bounds()
    for entry in table:
        assert entry.gap == pytest.approx(entry.step / found.critical_step)
        if entry.kind == "sufficient":
            assert entry.step <= found.critical_step * (1 + 1e-12)
        if entry.kind == "necessary":
            assert entry.step >= found.critical_step * (1 - 1e-12)
    assert table["rank_one"].step <= table["top_eigenvector"].step * (1 + 1e-12)
    assert table["top_eigenvector"].step <= table["mean"].step * (1 + 1e-12)
    assert ("wu_ma_e" in [entry.name for entry in table]) == (beta == 0)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_rank_one_bound_is_below_that_of_random_directions(seed):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((5, 3, 1))
    problem = QuadraticSum(roots @ roots.transpose(0, 2, 1))
    found = MeanSquare(problem, 2)
    v = rng.standard_normal((2000, 3))
    v /= np.linalg.norm(v, axis=1)[:, None]
    forms = np.einsum("ki,nij,kj->kn", v, problem.hessians, v)
    random = (forms.mean(axis=1) + found.p * forms.var(axis=1) / forms.mean(axis=1)).max()
    assert 2 / found.bounds()["rank_one"].step >= random * (1 - 1e-9)


@given(st.data(), seeds)
@settings(max_examples=120, deadline=None)
def test_stationarity_traced_with_any_symmetric_matrix(data, seed):
    """tr A (H S + S H) = eta E[g_Bᵀ A g_B]; A = H makes the gradient-noise interaction 2/eta at every stable step."""
    problem, b, replacement = drawn(data)
    found = MeanSquare(problem, b, replacement=replacement)
    eta = data.draw(st.floats(0.05, 0.95)) * found.critical_step
    law, H = found.stationary(eta), problem.hessian()
    S = law.covariance
    A = np.random.default_rng(seed).standard_normal(H.shape)
    A += A.T
    H_B, g_B = batch_quadratics(problem, b, replacement)
    right = np.mean([np.trace(A @ (K @ S @ K + np.outer(g, g))) for K, g in zip(H_B, g_B, strict=True)])
    assert np.trace(A @ (H @ S + S @ H)) == pytest.approx(eta * right, rel=1e-8, abs=1e-10 * (1 + np.abs(S).max()))
    assert law.excess_loss == pytest.approx(eta / 4 * law.batch_grad_sq, rel=1e-9, abs=1e-14)
    if not law.note:
        assert eta * law.gradient_noise_interaction == pytest.approx(2, rel=1e-8)
        assert law.interaction_aware_sharpness <= np.linalg.eigvalsh(H)[-1] * (1 + 1e-9)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_runs_converge_to_the_stationary_law(data):
    problem, b, replacement = drawn(data, definite=True)
    found = MeanSquare(problem, b, replacement=replacement, beta=data.draw(EIGENVALUES))
    eta = 0.5 * found.critical_step
    law = found.stationary(eta)
    run = found.second_moment(eta, np.ones(problem.dim), steps=[10**6], covariance=True)
    scale = 1e-7 * (1 + np.abs(law.covariance).max())
    np.testing.assert_allclose(run.w.values[0], problem.minimizer, atol=1e-8)
    np.testing.assert_allclose(run.covariance.values[0], law.covariance, atol=scale)
    assert run.batch_grad_sq.values[0] == pytest.approx(law.batch_grad_sq, rel=1e-6, abs=scale)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_sgd_is_mini_batch_sam_without_ascent(data):
    problem = data.draw(finite_sums().filter(lambda p: isinstance(p, LeastSquares)))
    b, replacement = data.draw(settings_of(problem))
    found = MeanSquare(problem, b, replacement=replacement)
    how = {"batch_size": b, "replacement": replacement}
    assert found.critical_step == pytest.approx(mean_square_critical_step(problem, **how), rel=1e-9)
    assert found.spectral_radius(0.3) == pytest.approx(mean_square_radius(problem, rules.gd(eta=0.3), **how), abs=1e-7)
    w0 = np.ones(problem.dim)
    run = found.second_moment([0.1, 0.3], w0, steps=[0, 1, 5])
    other = minibatch_moments(problem, rules.gd(eta=[0.1, 0.3]), steps=[0, 1, 5], w0=w0, **how)
    np.testing.assert_allclose(run.w, other.w, atol=1e-9)
    np.testing.assert_allclose(run.variance, other.variance, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(run.excess_loss + problem.offset, other.loss, rtol=1e-8, atol=1e-8)
    assert run.variance.dims == other.variance.dims


@pytest.mark.parametrize("scale", [1e-6, 3.0, 1e6])
@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_loss_scale_divides_the_edge(scale, beta):
    for b in (1, 2):
        one = MeanSquare(THREE, b, beta=beta)
        other = MeanSquare(QuadraticSum(scale * THREE.hessians, THREE.centers), b, beta=beta)
        assert other.critical_step * scale == pytest.approx(one.critical_step, rel=1e-12)
        assert other.bounds()["rank_one"].gap == pytest.approx(one.bounds()["rank_one"].gap, rel=1e-6)
        np.testing.assert_allclose(other.stationary_covariance(0.1 / scale), one.stationary_covariance(0.1), rtol=1e-9)


def test_repeated_samples_change_nothing_with_replacement():
    H, c = np.repeat(THREE.hessians, 3, axis=0), np.repeat(THREE.centers, 3, axis=0)
    for b in (1, 4):
        one, other = (MeanSquare(p, b, replacement=True) for p in (THREE, QuadraticSum(H, c)))
        assert other.critical_step == pytest.approx(one.critical_step, rel=1e-12)
        np.testing.assert_allclose(other.stationary_covariance(0.2), one.stationary_covariance(0.2), rtol=1e-10)
    assert MeanSquare(QuadraticSum(H, c), 2).critical_step < MeanSquare(THREE, 2).critical_step


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_rotations_turn_the_covariance(seed):
    R = np.linalg.qr(np.random.default_rng(seed).standard_normal((2, 2)))[0]
    turned = MeanSquare(QuadraticSum(R @ THREE.hessians @ R.T, THREE.centers @ R.T), 2)
    plain = MeanSquare(THREE, 2)
    assert turned.critical_step == pytest.approx(plain.critical_step, rel=1e-12)
    np.testing.assert_allclose(
        turned.stationary_covariance(0.3), R @ plain.stationary_covariance(0.3) @ R.T, atol=1e-12
    )


@given(st.lists(st.floats(0.1, 2.0), min_size=1, max_size=4), EIGENVALUES, st.floats(0.05, 0.9), st.floats(0.0, 0.5))
@settings(max_examples=30, deadline=None)
def test_stiffness_is_the_inverse_sum_of_impulse_responses(lam, beta, share, growth):
    eta = share * 2 * (1 + beta) / max(lam)
    samples = MeanSquare(QuadraticSum(np.diag(sorted(lam, reverse=True))[None]), 1)._curved
    dynamics = Dynamics(samples, 1.0, eta, beta)
    growth = max(growth, dynamics.mean_radius * 1.1 - 1)
    curvature = samples.lam
    h, v, phi = np.zeros((len(lam), 1)), np.ones((len(lam), 1)), 0.0
    for t in range(2000):
        v = v if t == 0 else beta * v + curvature[:, None] * h
        h = h - eta * v
        phi = phi + (1 + growth) ** -(t + 1.0) * h @ h.T
    np.testing.assert_allclose(dynamics.stiffness(growth), 1 / phi, rtol=1e-8)


def test_powers_of_one_matrix_reach_as_far_as_single_steps(monkeypatch):
    for beta in (0.0, 0.5):
        found = MeanSquare(DESIGN, 2, beta=beta)
        leapt = found.second_moment([0.3, 3.0], [1, -1], steps=30, covariance=True)
        monkeypatch.setattr("eossim.theory.mean_square.transient.DENSE_UP_TO", 0)
        stepped = found.second_moment([0.3, 3.0], [1, -1], steps=30, covariance=True)
        monkeypatch.undo()
        for name in leapt:
            size = np.abs(stepped[name]).values.max()
            np.testing.assert_allclose(leapt[name], stepped[name], rtol=1e-10, atol=1e-12 * size)
