import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.curvature.directional import directional_smoothness
from eossim.curvature.progress import loss_based_smoothness, realised_edge, relative_progress
from eossim.norms import L1, L2, Linf
from eossim.problems import Quadratic
from tests.curvature.losses import ridge_sum
from tests.strategies import seeds

NORMS = [L1(), L2(), Linf()]


@given(seeds, st.integers(1, 5), st.sampled_from(NORMS), st.floats(0.01, 3), st.booleans())
def test_the_descent_lemma_is_an_identity(seed, dim, norm, eta, normalized):
    problem = ridge_sum(seed, dim, convex=False)
    w = np.random.default_rng(seed).standard_normal(dim)
    g = problem.grad(w)
    G, u = norm.steepest(g)
    length = eta if normalized else eta * G
    after = w - length * u
    D = directional_smoothness(problem, w, after, norm=norm, rtol=1e-12)
    change = float(problem.loss(after) - problem.loss(w))
    predicted = -length * G + 0.5 * length**2 * D
    assert change == pytest.approx(predicted, rel=1e-11, abs=1e-12 * (1 + length * G + length**2 * abs(D)))


@given(seeds, st.integers(1, 5), st.floats(0.01, 3))
def test_the_realised_edge_of_any_update(seed, dim, eta):
    problem = ridge_sum(seed, dim, convex=False)
    w, u = np.random.default_rng(seed).standard_normal((2, dim))
    along = problem.grad(w) @ u
    u = u if along > 0 else -u
    slope = -eta * abs(along)
    D = directional_smoothness(problem, w, w - eta * u)
    change = float(problem.loss(w - eta * u) - problem.loss(w))
    zeta = realised_edge(D, slope, eta**2 * (u @ u))
    assert change == pytest.approx(slope * (zeta - 1) * -1, rel=1e-7, abs=1e-11 * (1 + abs(slope)))
    assert relative_progress(D, slope, eta**2 * (u @ u)) == zeta - 1


def test_relative_progress_of_a_gradient_step():
    problem, w, eta = Quadratic([3.0, 1.0]), np.ones(2), 0.5
    g = problem.grad(w)
    D = directional_smoothness(problem, w, w - eta * g)
    expected = (problem.loss(w - eta * g) - problem.loss(w)) / (eta * (g @ g))
    assert relative_progress(D, -eta * g @ g, eta**2 * (g @ g)) == pytest.approx(float(expected), rel=1e-12)
    assert relative_progress(D, -eta * g @ g, eta**2 * (g @ g)) == pytest.approx(-1 + eta / 2 * D, rel=1e-12)


def test_there_is_no_realised_edge_without_descent():
    assert np.isnan(realised_edge([1.0, 1.0, 1.0], [0.0, 1.0, np.nan], 1.0)).all()


def test_losses_give_the_same_smoothness_where_they_are_trusted():
    problem, w = Quadratic([3.0, 1.0]), np.array([[1.0, 1.0], [2.0, -1.0]])
    y = np.zeros((2, 2))
    slope, square = (problem.grad(w) * (y - w)).sum(-1), ((y - w) ** 2).sum(-1)
    value, trusted = loss_based_smoothness(problem.loss(w), problem.loss(y), slope, square)
    assert trusted.all()
    np.testing.assert_allclose(value, directional_smoothness(problem, w, y), rtol=1e-12)


def test_the_guard_sees_a_loss_shifted_by_a_large_constant():
    H, w, eta = np.array([3.0, 1.0]), np.ones(2), 0.1
    g = H * w
    slope, square = -eta * g @ g, eta**2 * (g @ g)
    losses = [0.5 * (H * p * p).sum() for p in (w, w - eta * g)]
    for shift in (0.0, 1.0, 1e6, 1e10, 1e14, 1e16, 1e20):
        value, trusted = loss_based_smoothness(losses[0] + shift, losses[1] + shift, slope, square)
        # error relative to the edge 2/eta: below 1e-3 wherever the value is trusted
        assert not trusted or abs(value - 2.8) < 1e-3 * 2 / eta
        assert trusted == (shift < 1e12)
    assert value == 2 / eta  # what it is there to catch


def test_the_guard_knows_the_precision_of_the_losses():
    eta, h = 0.1, np.float32([3, 1])
    for scale, naive in ((1e-4, 20.0), (1e-3, 3.31)):  # R15
        w = np.float32([scale, scale])
        g = h * w
        losses = [np.float32(1) + np.float32(0.5) * (h * p * p).sum() for p in (w, w - np.float32(eta) * g)]
        square = float(g @ g)
        value, trusted = loss_based_smoothness(*losses, -eta * square, eta**2 * square, eps=2.0**-23)
        assert value == pytest.approx(naive, rel=2e-3)
        assert not trusted
        assert trusted.shape == ()


def test_divergence_is_not_trusted():
    value, trusted = loss_based_smoothness([1.0, 1.0, 1.0], [np.inf, np.nan, 0.0], [-1.0, -1.0, -np.inf], 1.0)
    assert not trusted.any()
    assert not np.isfinite(value).any()


def test_bad_input():
    with pytest.raises(TypeError, match="slope must hold real numbers"):
        loss_based_smoothness(1.0, 2.0, "steep", 1.0)
    with pytest.raises(TypeError, match="length2 must hold real numbers"):
        realised_edge(1.0, -1.0, None)
