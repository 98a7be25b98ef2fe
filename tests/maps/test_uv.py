"""The maps of the uv model: gradient descent on its parameters, one another, and trajectories worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.engine.iterate import extremes, orbit
from eossim.maps import second_order, uv, uv_balanced, uv_function, uv_residual
from tests.strategies import seeds

small = st.floats(0.01, 3)


def model(seed):
    """Return parameters of a two-layer linear network, its example, scale m, and the step size."""
    rng = np.random.default_rng(seed)
    n, d = rng.integers(1, 5, 2)
    U, v, x = rng.normal(size=(n, d)), rng.normal(size=n), rng.normal(size=d)
    return U, v, x, rng.normal(), rng.uniform(0.5, 4), rng.uniform(0.02, 0.4)


def function_state(U, v, x, m):
    """Return output f and tangent kernel λ."""
    return np.array([v @ U @ x / np.sqrt(m), ((U @ x) @ (U @ x) + (x @ x) * (v @ v)) / m])


def unit_free(f, lam, eta, kappa, y):
    """Return (P, Q) and Y."""
    root = np.sqrt(kappa)
    return eta * np.stack([lam + 2 * root * f, lam - 2 * root * f], axis=-1), eta * root * y


@given(seeds)
def test_maps_are_gradient_descent_on_the_parameters(seed):
    U, v, x, y, m, eta = model(seed)
    kappa = x @ x / m
    f, lam = function_state(U, v, x, m)
    PQ, Y = unit_free(f, lam, eta, kappa, y)
    residual = (f - y) / np.sqrt(m)
    after = function_state(U - eta * residual * np.outer(v, x), v - eta * residual * (U @ x), x, m)
    scale = 1 + np.abs(after).max()
    np.testing.assert_allclose(uv_function.step([f, lam], eta=eta, kappa=kappa, y=y), after, rtol=0, atol=1e-12 * scale)
    expected, _ = unit_free(*after, eta, kappa, y)
    np.testing.assert_allclose(uv.step(PQ, Y=Y), expected, rtol=0, atol=1e-12 * scale)


def hessian(U, v, x, y, m):
    """Return the Hessian of (f - y)²/2 in (U, v)."""
    n, d = U.shape
    J = np.concatenate([np.outer(v, x).ravel(), U @ x]) / np.sqrt(m)
    second = np.zeros((n * d + n, n * d + n))
    for i in range(n):
        second[i * d : (i + 1) * d, n * d + i] = x / np.sqrt(m)
    return np.outer(J, J) + (v @ U @ x / np.sqrt(m) - y) * (second + second.T)


@given(seeds)
def test_observables_are_loss_trace_and_sharpness(seed):
    U, v, x, y, m, eta = model(seed)
    kappa = x @ x / m
    f, lam = function_state(U, v, x, m)
    H = hessian(U, v, x, y, m)
    loss, trace, sharpness = (f - y) ** 2 / 2, np.trace(H), np.linalg.eigvalsh(H)[-1]
    seen = uv_function.observe([f, lam], eta=eta, kappa=kappa, y=y)
    assert list(seen) == ["loss", "trace", "sharpness"]
    np.testing.assert_allclose([*seen.values()], [loss, trace, sharpness], rtol=1e-7, atol=1e-12)
    PQ, Y = unit_free(f, lam, eta, kappa, y)
    expected = [eta**2 * kappa * loss, eta * trace, eta * sharpness]
    np.testing.assert_allclose([*uv.observe(PQ, Y=Y).values()], expected, rtol=1e-7, atol=1e-12)


def test_sharpness_of_one_network():
    U, v = np.array([[1.0], [2.0]]), np.array([0.5, -1.0])
    f, lam = function_state(U, v, np.ones(1), 2.0)
    assert (f, lam) == (pytest.approx(-1.0606601717798212, rel=1e-15), 3.125)
    seen = uv_function.observe([f, lam], eta=0.1, kappa=0.5, y=0.3)
    assert float(seen["sharpness"]) == pytest.approx(3.755740149429125, rel=1e-14)


@given(P=small, Q=small, y=st.floats(-2, 2), kappa=st.floats(0.05, 2), eta=st.floats(0.05, 1.5))
def test_function_space_is_the_stable_form(P, Q, y, kappa, eta):
    f, lam = (P - Q) / (4 * np.sqrt(kappa) * eta), (P + Q) / (2 * eta)
    after = uv_function.step([f, lam], eta=eta, kappa=kappa, y=y)
    expected, Y = unit_free(*after, eta, kappa, y)
    found = uv.step([P, Q], Y=eta * np.sqrt(kappa) * y)
    assert eta * np.sqrt(kappa) * y == Y
    # Both maps multiply by powers of e = (P - Q)/4 - Y; the function space adds terms of that size.
    scale = 1 + np.abs([P, Q]).max() * (1 + abs((P - Q) / 4 - Y)) ** 2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * scale)


@given(X=st.floats(-1.6, 1.6), Y=st.floats(0.05, 2))
def test_balanced_manifold_and_its_residual(X, Y):
    on = [4 * X * X, 0.0]
    after, e = float(uv_balanced.step([X], Y=Y)[0]), X * X - Y
    np.testing.assert_allclose(uv.step(on, Y=Y), [4 * after**2, 0.0], rtol=1e-13, atol=1e-13)
    assert float(uv_residual.step([e], Y=Y)[0]) == pytest.approx(after**2 - Y, rel=1e-12, abs=1e-12)
    full = uv.observe(on, Y=Y)
    for part, state in ((uv_balanced, X), (uv_residual, e)):
        for name, value in part.observe([state], Y=Y).items():
            assert float(value) == pytest.approx(float(full[name]), rel=1e-12, abs=1e-12), name


@given(P=small, Q=small, Y=st.floats(-2, 2))
def test_second_order_regression_with_eps_1_is_the_uv_model(P, Q, Y):
    z, T = (P - Q) / 4 - Y, (P + Q) / 2
    found = second_order.step([z, T], eps=1.0, E=-Y)
    P1, Q1 = uv.step([P, Q], Y=Y)
    np.testing.assert_allclose(found, [(P1 - Q1) / 4 - Y, (P1 + Q1) / 2], rtol=1e-11, atol=1e-11)


# --- trajectories -----------------------------------------------------------------------------------------------------


def run(f, lam, eta, kappa, y, steps):
    """Return f, λ and sharpness after steps 0, 1, ... by either map."""
    at = np.arange(steps + 1)
    PQ, Y = unit_free(f, lam, eta, kappa, y)
    stable = orbit(uv, PQ, steps, at=at, Y=Y)[:, 0] / eta
    p, q = stable.T
    sharpness = uv.observe(eta * stable, Y=Y)["sharpness"] / eta
    direct = orbit(uv_function, [f, lam], steps, at=at, eta=eta, kappa=kappa, y=y)[:, 0]
    outputs, traces = (p - q) / (4 * np.sqrt(kappa)), (p + q) / 2
    np.testing.assert_allclose(direct, np.stack([outputs, traces], axis=-1), rtol=1e-12)
    np.testing.assert_allclose(
        uv_function.observe(direct, eta=eta, kappa=kappa, y=y)["sharpness"], sharpness, rtol=1e-12
    )
    return outputs, traces, sharpness


def test_catapult_of_the_loss():
    f, lam, sharpness = run(1.0, 2.0, 1.25, 1 / 16, 0.0, 2)
    np.testing.assert_allclose(f, [1.0, -1.40234375, 1.62877734774], rtol=1e-9)
    np.testing.assert_allclose(lam, [2.0, 1.8828125, 1.62984972866], rtol=1e-9)
    np.testing.assert_allclose(sharpness, [2.08972473589, 2.06166391066, 1.89266519419], rtol=1e-9)
    seen = extremes(uv, 1.25 * np.array([2.5, 1.5]), 400, Y=0.0)
    assert seen["loss"].peak > seen["loss"].first
    assert seen["sharpness"].peak < seen["sharpness"].first
    assert seen["loss"].last < 1e-20


def test_catapult_of_loss_and_sharpness():
    _, _, sharpness = run(1.0, 2.0, 1.95, 1 / 16, 0.0, 3)
    np.testing.assert_allclose(sharpness[1:], [2.51603093424, 2.60534153502, 1.56478706187], rtol=1e-9)


def test_reduction_then_sharpening():
    f, lam, sharpness = run(-1.0, 1.5, 0.3, 0.25, 2.0, 3)
    np.testing.assert_allclose(f[1:], [0.1475, 0.661148203555, 1.11176322429], rtol=1e-9)
    np.testing.assert_allclose(lam[1:], [0.90375, 1.0555057435, 1.36363002066], rtol=1e-9)
    np.testing.assert_allclose(sharpness[:2], [2.82665596573, 1.41390836903], rtol=1e-9)
    PQ, Y = unit_free(-1.0, 1.5, 0.3, 0.25, 2.0)
    np.testing.assert_allclose(orbit(uv, PQ, 1, Y=Y)[0, 0] / 0.3, [1.05125, 0.75625], rtol=1e-12)


def test_slow_descent_ends_near_gradient_flow():
    """Gradient flow ends at λ = 2.29128785; step size 0.001 reaches 2.29081 after 20000 steps."""
    PQ, Y = unit_free(-1.0, 1.5, 0.001, 0.25, 2.0)
    assert orbit(uv, PQ, 20_000, Y=Y)[0, 0].sum() / 0.002 == pytest.approx(2.29081, abs=5e-6)


@given(P=small, Q=small)
def test_the_product_law(P, Q):
    """(PQ)' = PQ(1 - e²)², whatever Y."""
    for Y in (-0.5, 0.0, 0.7):
        e = (P - Q) / 4 - Y
        assert np.prod(uv.step([P, Q], Y=Y)) == pytest.approx(P * Q * (1 - e * e) ** 2, rel=1e-11, abs=1e-13)
