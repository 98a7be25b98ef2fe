"""Reshuffled batches: reference values and all orders of the batches."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eossim.problems import LeastSquares
from eossim.problems.finite_sum import QuadraticSum
from eossim.theory import MeanSquare, Reshuffled
from tests.theory.mean_square.oracle import DESIGN, THREE, batch_quadratics, finite_sums, quadratics


def epochs(problem, b, eta):
    """Affine maps of every order of the samples after 0, 1, ... batches: lists of matrices and of shifts."""
    H, k = quadratics(problem)
    g = H @ problem.minimizer - k
    found = []
    for order in itertools.permutations(range(problem.n_samples)):
        A, v = np.eye(problem.dim), np.zeros(problem.dim)
        maps = [(A, v)]
        for first in range(0, problem.n_samples, b):
            batch = list(order[first : first + b])
            T = np.eye(problem.dim) - eta * H[batch].mean(axis=0)
            A, v = T @ A, T @ v - eta * g[batch].mean(axis=0)
            maps.append((A, v))
        found.append(maps)
    return [[maps[k] for maps in found] for k in range(problem.n_samples // b + 1)]


def after(maps, m, S):
    """First and second moment after affine maps, equally likely."""
    first = np.mean([A @ m + v for A, v in maps], axis=0)
    cross = [A @ np.outer(m, v) for A, v in maps]
    second = [A @ S @ A.T + c + c.T + np.outer(v, v) for (A, v), c in zip(maps, cross, strict=True)]
    return first, np.mean(second, axis=0)


@pytest.mark.parametrize(("b", "edge"), [(1, 1.3694771729), (2, 2.5200930011)])
def test_v4_edge(b, edge):
    found = Reshuffled(DESIGN, b)
    assert found.critical_step == pytest.approx(edge, rel=1e-10)
    assert found.critical_step > MeanSquare(DESIGN, b).critical_step
    assert found.spectral_radius(found.critical_step) == pytest.approx(1, abs=1e-12)


def test_v4_law():
    law = Reshuffled(DESIGN, 2).stationary(0.5)
    assert law.gradient_noise_interaction == pytest.approx(684377 / 75190, rel=1e-12)
    np.testing.assert_allclose(law.excess_loss, [2639 / 261888, 404287 / 8380416], rtol=1e-12)
    np.testing.assert_allclose(law.mean[0] - DESIGN.minimizer, [-1 / 96, -5 / 96], rtol=1e-12)  # start of the epoch


def test_v11_two_points():
    law = Reshuffled(LeastSquares([[1], [1]], [1, -1]), 1).stationary(0.1)
    np.testing.assert_allclose(law.second_moment.ravel(), [1 / 3439, 176 / 17195], rtol=1e-12)
    assert law.second_moment.mean() == pytest.approx(1 / 190, rel=1e-12)
    assert law.gradient_noise_interaction == pytest.approx(191, rel=1e-12)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_law_and_radius_are_those_of_all_orders(data):
    problem = data.draw(finite_sums(definite=True).filter(lambda p: p.n_samples <= 5))
    n = problem.n_samples
    b = data.draw(st.sampled_from([b for b in range(1, n + 1) if n % b == 0]))
    found = Reshuffled(problem, b)
    eta = data.draw(st.sampled_from([0.1, 0.6])) * found.critical_step
    maps = epochs(problem, b, eta)
    exact = np.mean([np.kron(A, A) for A, _ in maps[-1]], axis=0)
    assert found.spectral_radius(eta) == pytest.approx(np.abs(np.linalg.eigvals(exact)).max(), abs=1e-7)
    assume(found.spectral_radius(eta) < 1 - 1e-6)
    law = found.stationary(eta)
    m, S = law.mean[0] - problem.minimizer, law.second_moment[0]
    H = problem.hessian()
    H_B, g_B = batch_quadratics(problem, b, False)
    interaction, norms = [], []
    for position, some in enumerate(maps):
        first, second = after(some, m, S)
        place = position % (n // b)
        np.testing.assert_allclose(law.mean[place] - problem.minimizer, first, atol=1e-9)
        np.testing.assert_allclose(law.second_moment[place], second, rtol=1e-8, atol=1e-9)
        assert law.excess_loss[place] == pytest.approx(np.trace(H @ second) / 2, rel=1e-8, abs=1e-9)
        if position < n // b:
            norms.append(np.trace(H @ H @ second))
            terms = [
                np.trace(A @ H @ A @ second) + 2 * g @ H @ A @ first + g @ H @ g for A, g in zip(H_B, g_B, strict=True)
            ]
            interaction.append(np.mean(terms))
    if sum(norms) > 1e-9:
        assert law.gradient_noise_interaction == pytest.approx(sum(interaction) / sum(norms), rel=1e-6)


def test_full_batches_and_long_epochs():
    assert Reshuffled(DESIGN, 4).critical_step == pytest.approx(8 / 3, rel=1e-12)
    twelve = LeastSquares(np.tile(DESIGN.X, (3, 1)), np.tile(DESIGN.y, 3))
    assert Reshuffled(twelve, 1).epoch == 12
    assert 1.2 < Reshuffled(twelve, 1).critical_step < Reshuffled(DESIGN, 1).critical_step


def test_no_curvature():
    found = Reshuffled(LeastSquares([[0.0], [0.0]], [1, 2]), 1)
    assert found.critical_step == np.inf
    assert found.spectral_radius(1.0) == 0


def test_bad_input():
    with pytest.raises(ValueError, match="divide the 4 samples"):
        Reshuffled(DESIGN, 3)
    with pytest.raises(ValueError, match="at most the 4 samples"):
        Reshuffled(DESIGN, 5)
    with pytest.raises(TypeError, match="batch_size"):
        Reshuffled(DESIGN, 2.0)
    with pytest.raises(TypeError, match="mean of quadratic samples"):
        Reshuffled(object(), 1)
    with pytest.raises(ValueError, match="too many orders"):
        Reshuffled(LeastSquares(np.eye(30), np.zeros(30)), 1)
    with pytest.raises(ValueError, match=r"spectral radius .* critical step 1\.3694771729"):
        Reshuffled(DESIGN, 1).stationary(1.5)
    with pytest.raises(ValueError, match="single number"):
        Reshuffled(DESIGN, 1).stationary([0.1, 0.2])
    with pytest.raises(ValueError, match="0 < eta"):
        Reshuffled(DESIGN, 1).spectral_radius(0.0)
    with pytest.raises(ValueError, match="null-space drift"):
        Reshuffled(QuadraticSum([[[1.0]], [[-1.0]]]), 1)
    assert Reshuffled(THREE, 1).epoch == 3
