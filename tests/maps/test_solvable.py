"""Second-order regression, the four-parameter product and self-stabilisation against the descent that they describe."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.engine.iterate import orbit
from eossim.maps import minimalist, second_order, self_stabilization
from tests.strategies import seeds


@given(seed=seeds, eps=st.floats(0.01, 1.0))
def test_second_order_regression_is_gradient_descent(seed, eps):
    """z = y + Gθ + θQθ/2 with eigenvalues 1 and -eps of Q; E = z - JQ⁻¹J/2 is conserved."""
    rng = np.random.default_rng(seed)
    n = rng.integers(2, 6)
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    signs = np.where(np.arange(n) % 2, -eps, 1.0)
    Q, inverse = basis * signs @ basis.T, basis / signs @ basis.T
    y, G, theta, alpha = rng.normal(), rng.normal(size=n), rng.normal(size=n) / 2, rng.uniform(0.02, 0.3)

    def closed(theta):
        z, J = y + G @ theta + theta @ Q @ theta / 2, G + Q @ theta
        return np.array([alpha * z, alpha * (J @ J)]), alpha * (z - J @ inverse @ J / 2), z * J

    before, E, gradient = closed(theta)
    after, E_after, _ = closed(theta - alpha * gradient)
    size = max(1.0, np.abs(before).max(), abs(E)) ** 4
    assert E_after == pytest.approx(E, rel=1e-10, abs=1e-10 * size)
    np.testing.assert_allclose(second_order.step(before, eps=eps, E=E), after, rtol=1e-10, atol=1e-10 * size)


def test_second_order_reference():
    states = orbit(second_order, [0.1, 2.5], 2, at=[1, 2], eps=0.01, E=0.0)[:, 0]
    np.testing.assert_allclose(states, [[-0.137615, 2.0293723], [0.1606548604528532, 2.6195734284254923]], rtol=1e-9)


@pytest.mark.parametrize(("eps", "level"), [(0.001, 1.99950), (0.003, 1.99849), (0.03, 1.98421)])
def test_second_order_ends_a_little_below_two(eps, level):
    z, T = orbit(second_order, [0.1, 2.5], 200_000, eps=eps, E=0.0)[0, 0]
    assert abs(z) < 1e-6
    assert pytest.approx(level, abs=6e-6) == T


def product_loss(w):
    return (1 - np.prod(w)) ** 2 / 2


def product_hessian(w):
    """Hessian of (1 - abcd)²/2, by the rule for products."""
    others = np.array([np.prod(np.delete(w, i)) for i in range(4)])
    pairs = np.array([[np.prod(np.delete(w, [i, j])) if i != j else 0.0 for j in range(4)] for i in range(4)])
    return np.outer(others, others) - (1 - np.prod(w)) * pairs


@given(x=st.floats(-3, 3), y=st.floats(-3, 3))
def test_minimalist_map_is_gradient_descent_on_four_parameters(x, y):
    w, eta = np.array([x, x, y, y]), 0.05
    gradient = -(1 - np.prod(w)) * np.array([np.prod(np.delete(w, i)) for i in range(4)])
    a, b, c, d = w - eta * gradient
    np.testing.assert_allclose(minimalist.step([x, y], eta=eta), [a, c], rtol=1e-12, atol=1e-12)
    assert (a, c) == (b, d)
    seen = {n: float(v) for n, v in minimalist.observe([x, y], eta=eta).items()}
    assert seen["loss"] == pytest.approx(product_loss(w), rel=1e-12, abs=1e-15)
    assert seen["product"] == pytest.approx(np.prod(w), rel=1e-12, abs=1e-300)
    assert seen["sharpness"] == pytest.approx(np.linalg.eigvalsh(product_hessian(w))[-1], rel=1e-10, abs=1e-12)


def test_minimalist_reference():
    states = orbit(minimalist, [5.0, 0.19], 5, at=range(6), eta=0.05)[:, 0]
    expected = [0.9025, 1.136289512799, 0.781510152531, 1.267403480885, 0.560739998181, 1.346000877342]
    np.testing.assert_allclose(minimalist.observe(states, eta=0.05)["product"], expected, rtol=1e-9)


@pytest.mark.parametrize(("eta", "gap"), [(0.1, 0.461), (0.05, 0.490), (0.02, 0.498)])
def test_minimalist_descent_ends_below_the_edge(eta, gap):
    """Sharpness 2(x² + x⁻²) of the minimum reached, (2/η - S)/η to three decimals."""
    x = np.sqrt(1.2 / eta)
    end = orbit(minimalist, [x, 0.95 / x], 400_000, eta=eta)[0, 0]
    assert end.prod() == pytest.approx(1, abs=1e-9)
    assert (2 / eta - 2 * (end[0] ** 2 + end[0] ** -2)) / eta == pytest.approx(gap, abs=6e-4)


@given(x=st.floats(-2, 2), y=st.floats(-3, 3), eta=st.floats(0.01, 0.5), alpha=st.floats(0.01, 2))
def test_self_stabilization_is_gradient_descent(x, y, eta, alpha):
    """On L = (2/η + y)x²/2 - αy, whose gradient is ((2/η + y)x, x²/2 - α)."""
    after = [x - eta * (2 / eta + y) * x, y - eta * (x * x / 2 - alpha)]
    found = self_stabilization.step([x, y], eta=eta, alpha=alpha, beta=1.0)
    np.testing.assert_allclose(found, after, rtol=1e-12, atol=1e-12)
    seen = self_stabilization.observe([x, y], eta=eta, alpha=alpha, beta=1.0)
    assert (seen["displacement"], seen["sharpness"]) == (abs(x), pytest.approx(2 / eta + y, rel=1e-14))


def test_self_stabilization_reference():
    states = orbit(self_stabilization, [0.05, -1.0], 2, at=[1, 2], eta=0.01, alpha=0.3, beta=2.0)[:, 0]
    np.testing.assert_allclose(states, [[-0.0495, -0.997025], [0.049006472625, -0.9940495025]], rtol=1e-9)


def test_self_stabilization_keeps_the_mean_square_displacement():
    """<x²> = 2α/β up to the net change of y, which stays bounded: 1 - <x²>β/(2α) = (y_T - y_0)/(ηTα)."""
    states = orbit(self_stabilization, [0.05, -1.0], 4000, at=range(4001), eta=0.01, alpha=0.3, beta=2.0)[:, 0]
    ratio = np.mean(states[:-1, 0] ** 2) * 2.0 / (2 * 0.3)
    assert 1 - ratio == pytest.approx((states[-1, 1] - states[0, 1]) / (0.01 * 4000 * 0.3), abs=1e-12)
    assert ratio == pytest.approx(1, abs=0.25)
