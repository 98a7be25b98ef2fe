"""Second-order regression, the four-parameter example and self-stabilisation, as losses."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import Record, rules
from eossim.maps import minimalist, second_order, self_stabilization
from eossim.problems import FourParameter, SecondOrderRegression, SelfStabilization, UVModel
from tests.strategies import orthogonal_matrices, seeds


def regression(seed, n, dim):
    rng = np.random.default_rng(seed)
    Q = rng.standard_normal((n, dim, dim))
    return SecondOrderRegression(rng.standard_normal(n), rng.standard_normal((n, dim)), Q + np.swapaxes(Q, 1, 2)), rng


# --- second-order regression ---


@given(seeds, st.integers(1, 3), st.integers(1, 4))
def test_second_order_loss_and_kernel_from_their_definitions(seed, n, dim):
    problem, rng = regression(seed, n, dim)
    w = rng.standard_normal((2, 3, dim))
    for index in np.ndindex(2, 3):
        theta = w[index]
        z = np.array([problem.y[i] + problem.G[i] @ theta + 0.5 * theta @ problem.Q[i] @ theta for i in range(n)])
        J = np.stack([problem.G[i] + problem.Q[i] @ theta for i in range(n)])
        np.testing.assert_allclose(problem.residual(w)[index], z, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(problem.jacobian(w)[index], J, rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(problem.ntk(w)[index], J @ J.T, rtol=1e-10, atol=1e-11)
        np.testing.assert_allclose(problem.loss(w)[index], 0.5 * z @ z, rtol=1e-10)
        np.testing.assert_allclose(problem.grad(w)[index], z @ J, rtol=1e-10, atol=1e-11)


@given(seeds, st.integers(1, 3), st.integers(1, 4))
def test_second_order_derivatives_are_those_of_the_polynomial(seed, n, dim):
    problem, rng = regression(seed, n, dim)
    w, v = rng.standard_normal((2, 3, dim))
    losses = np.stack([problem.loss(w + k * v) for k in range(-2, 3)])
    second = np.tensordot([-1, 16, -30, 16, -1], losses, 1) / 12
    np.testing.assert_allclose((problem.hvp(w, v) * v).sum(-1), second, rtol=0, atol=1e-12 * losses.max())
    H = problem.hessian(w)
    np.testing.assert_allclose(H, np.swapaxes(H, -1, -2), atol=1e-11 * np.abs(H).max())
    np.testing.assert_allclose(problem.hvp(w, v), np.einsum("kij,kj->ki", H, v), atol=1e-10 * np.abs(H).max())


@given(st.data(), seeds, st.floats(0.01, 1), st.integers(2, 4))
def test_second_order_steps_follow_the_closed_map(data, seed, epsilon, dim):
    rng = np.random.default_rng(seed)
    R = data.draw(orthogonal_matrices(dim))
    eigenvalues = np.where(np.arange(dim) % 2, -epsilon, 1.0)
    problem = SecondOrderRegression(rng.standard_normal(1), rng.standard_normal((1, dim)), [(R * eigenvalues) @ R.T])
    w, eta = rng.standard_normal(dim), 0.1
    run = eossim.simulate(problem, rules.gd(eta=eta), w, 5, record=Record(what=["w"])).w.values[0]
    z, T = problem.unit_free(run, eta)
    E = problem.invariant(run, eta)
    sizes = 1 + np.abs(z) + np.abs(T) + np.abs(E)
    kept = np.cumprod(sizes < 30) == 1
    assert (np.abs(E - E[0])[kept] <= 1e-11 / epsilon * sizes[kept] ** 2).all()
    stepped = second_order.step(np.stack([z, T], -1)[:-1], eps=epsilon, E=E[0])
    after = np.stack([z, T], -1)[1:]
    error = np.abs(stepped - after).max(-1)
    assert (error[kept[1:]] <= 1e-11 / epsilon * sizes[1:][kept[1:]] ** 2).all()


def test_second_order_reference():
    # z = (a² - ε b²)/2 and T = a² + ε² b² with E = 0, in units of the step.
    epsilon, z, T = 0.01, 0.1, 2.5
    problem = SecondOrderRegression([0.0], [[0.0, 0.0]], [np.diag([1.0, -epsilon])])
    a, b = np.sqrt(np.linalg.solve([[0.5, -0.5 * epsilon], [1, epsilon**2]], [z, T]))
    run = eossim.simulate(problem, rules.gd(eta=1.0), [a, b], 2, record=Record(what=["w"])).w.values[0]
    expected = [(0.1, 2.5), (-0.137615, 2.0293723), (0.1606548604528532, 2.6195734284254923)]
    np.testing.assert_allclose(np.stack(problem.unit_free(run, 1.0), -1), expected, rtol=2e-9)
    assert np.abs(problem.invariant(run, 1.0)).max() < 1e-12


@given(seeds, st.integers(1, 4), st.floats(-2, 2))
def test_the_uv_model_is_second_order_regression(seed, n, y):
    uv = UVModel(n, y=y, m=1.0)
    swap = np.kron([[0.0, 1.0], [1.0, 0.0]], np.eye(n))
    problem = SecondOrderRegression([-y], np.zeros((1, 2 * n)), [swap])
    w, v = np.random.default_rng(seed).standard_normal((2, 3, 2 * n))
    np.testing.assert_allclose(problem.loss(w), uv.loss(w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(problem.grad(w), uv.grad(w), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(problem.hvp(w, v), uv.hvp(w, v), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(problem.invariant(w, 0.5), np.full(3, -0.5 * y), rtol=1e-10, atol=1e-11)


# --- the four-parameter example ---


def test_four_parameters_against_sympy():
    symbols = sp.symbols("a b c d")
    loss = (1 - sp.prod(symbols)) ** 2 / 2
    forms = [loss, [sp.diff(loss, s) for s in symbols], sp.hessian(loss, symbols)]
    problem = FourParameter()
    w = np.random.default_rng(0).standard_normal((20, 4))
    w[:3, :2] = 0  # products of the others, not quotients
    for point in w:
        value, grad, hessian = (sp.lambdify(symbols, form)(*point) for form in forms)
        assert problem.loss(point) == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(problem.grad(point), grad, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(problem.hessian(point), hessian, rtol=1e-11, atol=1e-12)


def test_four_parameters_reference():
    run = eossim.simulate(
        FourParameter(), rules.gd(eta=0.05), [5.0, 5.0, 0.19, 0.19], 5, record=Record(what=["w"])
    ).w.values[0]
    expected = [0.9025, 1.136289512799, 0.781510152531, 1.267403480885, 0.560739998181, 1.346000877342]
    np.testing.assert_allclose(run.prod(axis=1), expected, rtol=1e-11)


@given(st.floats(0.2, 3), st.floats(0.2, 3), st.floats(0.001, 0.1))
def test_four_parameters_follow_the_symmetric_map(x, y, eta):
    problem, w = FourParameter(), np.array([x, x, y, y])
    after = w - eta * problem.grad(w)
    np.testing.assert_allclose(after, np.repeat(minimalist.step([x, y], eta=eta), 2), rtol=1e-11, atol=1e-12)
    seen = minimalist.observe([x, y], eta=eta)
    assert seen["loss"] == pytest.approx(problem.loss(w), rel=1e-11, abs=1e-13)
    H = problem.hessian(w)
    assert abs(seen["sharpness"] - np.linalg.eigvalsh(H)[-1]) <= 1e-11 * np.linalg.norm(H)


# --- self-stabilisation ---


def test_gradient_descent_is_self_stabilisation():
    problem = SelfStabilization(0.01, 0.3)
    run = eossim.simulate(problem, rules.gd(eta=0.01), [0.05, -1.0], 2000, record=Record(what=["w"])).w.values[0]
    x = run[0]
    for point in run[1:]:
        x = self_stabilization.step(x, eta=0.01, alpha=0.3, beta=1.0)
        np.testing.assert_allclose(point, x, rtol=0, atol=1e-11)


@given(st.floats(-2, 2), st.floats(-3, 3), st.floats(0.01, 1), st.floats(0.01, 2))
def test_self_stabilisation_derivatives(x, y, eta, alpha):
    problem = SelfStabilization(eta, alpha)
    a, b = sp.symbols("a b")
    loss = (2 / sp.Float(eta) + b) * a**2 / 2 - sp.Float(alpha) * b
    at = {a: x, b: y}
    assert problem.loss([x, y]) == pytest.approx(float(loss.subs(at)), rel=1e-10, abs=1e-12)
    grad = [float(sp.diff(loss, s).subs(at)) for s in (a, b)]
    np.testing.assert_allclose(problem.grad([x, y]), grad, rtol=1e-10, atol=1e-12)
    hessian = np.array(sp.hessian(loss, (a, b)).subs(at), dtype=float)
    np.testing.assert_allclose(problem.hessian([x, y]), hessian, rtol=1e-10, atol=1e-12)


# --- all of them ---

PROBLEMS = [
    (SecondOrderRegression([1.0, -1.0], np.eye(2), [np.eye(2), -np.eye(2)]), [0.3, 0.4], 0.1),
    (FourParameter(), [1.0, 1.0, 0.5, 0.5], 0.1),
    (SelfStabilization(0.1, 0.3), [0.05, -1.0], 0.1),
]


@pytest.mark.parametrize(("problem", "w", "eta"), PROBLEMS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("method", ["gd", "sam"])
def test_they_run_in_simulate_and_train(problem, w, eta, method):
    bound = rules.gd(eta=eta) if method == "gd" else rules.sam(eta=eta, rho=0.01)
    simulated = eossim.simulate(problem, bound, w, 10, record=Record(what=["w", "loss"]))
    trained = eossim.train(problem, bound, w, steps=10)
    x = np.array(w)
    for _ in range(10):
        g = problem.grad(x)
        x = x - eta * (g if method == "gd" else problem.grad(x + 0.01 * g / np.linalg.norm(g)))
    np.testing.assert_allclose(simulated.w.values[0, -1], x, rtol=1e-11)
    np.testing.assert_allclose(trained.w_final.values[0], x, rtol=1e-11)
    assert simulated.loss.values[0, -1] == pytest.approx(problem.loss(x), rel=1e-10)


@pytest.mark.parametrize(("problem", "w", "eta"), PROBLEMS, ids=lambda value: type(value).__name__)
def test_divergence_passes_without_warnings(problem, w, eta):
    far = np.stack([np.full(problem.dim, 1e300), np.full(problem.dim, np.nan), np.array(w)])
    assert np.isfinite(problem.loss(far)).tolist() == [False, False, True]
    assert np.isfinite(problem.grad(far)).all(-1).tolist() == [False, False, True]
    assert problem.hvp(far, np.ones(problem.dim)).shape == far.shape


def test_bad_input():
    with pytest.raises(ValueError, match="y must be 1-D"):
        SecondOrderRegression(1.0, [[1.0]], [[[1.0]]])
    with pytest.raises(ValueError, match=r"G must have shape \(1, any\), got \(2, 1\)"):
        SecondOrderRegression([1.0], [[1.0], [2.0]], [[[1.0]]])
    with pytest.raises(ValueError, match=r"Q must have shape \(1, 2, 2\), got \(2, 2\)"):
        SecondOrderRegression([1.0], [[1.0, 2.0]], np.eye(2))
    with pytest.raises(ValueError, match=r"Q\[0\] must be symmetric"):
        SecondOrderRegression([1.0], [[1.0, 2.0]], [[[1.0, 2.0], [0.0, 1.0]]])
    with pytest.raises(ValueError, match="unit_free is defined for one datum, this problem has 2"):
        PROBLEMS[0][0].unit_free([0.0, 0.0], 1.0)
    with pytest.raises(ValueError, match=r"0 < eta < inf required, got eta = -0\.1"):
        SelfStabilization(-0.1, 1.0)
    with pytest.raises(ValueError, match="alpha must be finite"):
        SelfStabilization(0.1, np.inf)
    with pytest.raises(ValueError, match=r"w must have shape \(\.\.\., 4\), got \(2,\)"):
        FourParameter().loss([1.0, 2.0])
