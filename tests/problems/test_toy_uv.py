"""The uv model: its loss, its Hessian, and one literal gradient step against the exact maps."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import Record, rules
from eossim.maps import uv, uv_balanced, uv_function, uv_residual
from eossim.problems import UVModel
from tests.strategies import seeds

models = st.tuples(st.integers(1, 4), st.integers(1, 3), st.sampled_from([0.0, 0.3, -2.0]), st.floats(0.1, 10))
start_values = st.tuples(st.floats(-1, 1), st.floats(0.05, 3), st.sampled_from([0.0, 0.3, -2.0]), st.floats(0.05, 3))


def random(seed, model, lead=(2, 3)):
    n, d, y, m = model
    rng = np.random.default_rng(seed)
    problem = UVModel(n, rng.standard_normal(d), y, m=m)
    return problem, *rng.standard_normal((2, *lead, problem.dim))


def start(problem, f, ntk):
    """Parameters with the output f and the kernel ntk (d = 1, two hidden units at least)."""
    p, q = (ntk + sign * 2 * np.sqrt(problem.kappa) * f for sign in (1, -1))
    plus, minus = np.zeros((2, problem.width))
    plus[0], minus[1] = np.sqrt(p * problem.m), np.sqrt(q * problem.m)
    x = problem.x[0]
    return problem.join((plus + minus)[:, None] / (2 * x), (plus - minus) / (2 * abs(x)))


@given(seeds, models)
def test_loss_output_and_kernel_from_their_definitions(seed, model):
    problem, w, _ = random(seed, model)
    n, d = problem.layers[0]
    for index in np.ndindex(2, 3):
        U, v = w[index][: n * d].reshape(n, d), w[index][n * d :]
        f = sum(v[i] * U[i, j] * problem.x[j] for i in range(n) for j in range(d)) / problem.m**0.5
        gradient = np.concatenate([np.outer(v, problem.x).ravel(), U @ problem.x]) / problem.m**0.5
        assert problem.function(w)[index] == pytest.approx(f, rel=1e-12, abs=1e-12)
        assert problem.loss(w)[index] == pytest.approx(0.5 * (f - problem.y) ** 2, rel=1e-10, abs=1e-12)
        assert problem.ntk(w)[index] == pytest.approx(gradient @ gradient, rel=1e-12)
        np.testing.assert_allclose(problem.grad(w)[index], (f - problem.y) * gradient, rtol=1e-10, atol=1e-12)
    assert problem.loss(w[0, 0]).shape == ()


@given(seeds, models)
def test_derivatives_are_those_of_the_polynomial(seed, model):
    # Along a line the loss is a quartic: five values at steps of 1 give its derivatives exactly.
    problem, w, v = random(seed, model)
    losses = np.stack([problem.loss(w + k * v) for k in range(-2, 3)])
    first = np.tensordot([1, -8, 0, 8, -1], losses, 1) / 12
    second = np.tensordot([-1, 16, -30, 16, -1], losses, 1) / 12
    scale = losses.max()
    np.testing.assert_allclose((problem.grad(w) * v).sum(-1), first, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose((problem.hvp(w, v) * v).sum(-1), second, rtol=0, atol=1e-12 * scale)


@given(seeds, models)
def test_the_hessian_has_the_spectrum_of_the_closed_form(seed, model):
    problem, w, v = random(seed, model)
    n, d, y, _ = model
    H = problem.hessian(w)
    size = np.linalg.norm(H, axis=(-2, -1))
    np.testing.assert_allclose(H, np.swapaxes(H, -1, -2), atol=1e-12 * size.max())
    np.testing.assert_allclose(problem.hvp(w, v), np.einsum("...ij,...j", H, v), atol=1e-11 * size.max())
    found = np.linalg.eigvalsh(H)
    f, lam = problem.function(w), problem.ntk(w)
    delta = f - y
    root = np.sqrt(lam**2 + 4 * problem.kappa * (2 * f * delta + delta**2))
    others = np.sqrt(problem.kappa) * np.abs(delta)
    expected = [(lam + root) / 2, (lam - root) / 2, *[others] * (n - 1), *[-others] * (n - 1)]
    expected = np.sort(np.stack([*expected, *[0 * lam] * (n * (d - 1))], -1), axis=-1)
    assert (np.abs(found - expected) <= 1e-7 * size[..., None]).all()
    assert (np.abs(found[..., -1] - problem.sharpness(w)) <= 1e-12 * size).all()
    assert np.trace(H, axis1=-2, axis2=-1) == pytest.approx(lam, rel=1e-11)
    frobenius = lam**2 + 4 * problem.kappa * f * delta + 2 * n * problem.kappa * delta**2
    assert size**2 == pytest.approx(frobenius, rel=1e-10)


@given(seeds, st.floats(-1, 1))
def test_sharpness_keeps_its_digits_next_to_the_balanced_manifold(seed, offset):
    rng = np.random.default_rng(seed)
    problem = UVModel(3, rng.standard_normal(2), 0.7)
    direction = rng.standard_normal(3)
    U = np.outer(direction, problem.x) / np.linalg.norm(problem.x)
    w = problem.join(U, direction * (1 + 1e-9 * offset))
    w *= np.sqrt(0.35 / problem.function(w))  # 2 f = y, where the closed form in f and the kernel loses half the digits
    H = problem.hessian(w)
    assert abs(np.linalg.eigvalsh(H)[-1] - problem.sharpness(w)) <= 1e-13 * np.linalg.norm(H)


@given(seeds, models, st.floats(0.01, 1))
def test_one_step_on_parameters_is_the_exact_map(seed, model, scale):
    problem, w, _ = random(seed, model)
    eta = scale / (1 + problem.ntk(w) + np.abs(problem.function(w)))
    after = w - eta[..., None] * problem.grad(w)
    state = np.stack([problem.function(w), problem.ntk(w)], -1)
    f, lam = np.moveaxis(uv_function.step(state, eta=eta, kappa=problem.kappa, y=problem.y), -1, 0)
    size = 1e-12 * (1 + np.abs(problem.y) + np.abs(state).max(-1))
    assert (np.abs(problem.function(after) - f) <= size).all()
    assert (np.abs(problem.ntk(after) - lam) <= size).all()
    P, Q, Y = problem.unit_free(w, eta)
    expected = uv.step(np.stack([P, Q], -1), Y=Y)
    np.testing.assert_allclose(
        np.stack(problem.unit_free(after, eta)[:2], -1), expected, rtol=1e-11, atol=1e-13 * np.max(P + Q)
    )
    np.testing.assert_allclose(Y, eta * np.sqrt(problem.kappa) * problem.y, rtol=1e-12)
    seen = uv.observe(np.stack([P, Q], -1), Y=Y)
    np.testing.assert_allclose(seen["trace"], eta * problem.ntk(w), rtol=1e-12)
    np.testing.assert_allclose(seen["loss"], eta**2 * problem.kappa * problem.loss(w), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(seen["sharpness"], eta * problem.sharpness(w), rtol=1e-12)


@given(st.floats(0.1, 2), st.floats(0.3, 1.9), st.integers(1, 4))
def test_balanced_parameters_stay_balanced_and_follow_the_maps_of_one_variable(size, Y, width):
    problem = UVModel(width, y=1.0)
    eta = Y / np.sqrt(problem.kappa)
    v = size * np.ones(width) / np.sqrt(width)
    w = problem.join(v[:, None], v)
    after = w - eta * problem.grad(w)
    P, Q, _ = problem.unit_free(w, eta)
    P1, Q1, _ = problem.unit_free(after, eta)
    assert Q <= 1e-28 * (1 + P)
    assert Q1 <= 1e-28 * (1 + P1)
    X = np.sqrt(P) / 2
    np.testing.assert_allclose(uv_balanced.step([X], Y=Y)[0] ** 2, P1 / 4, rtol=1e-9, atol=1e-13)
    np.testing.assert_allclose(uv_residual.step([X**2 - Y], Y=Y)[0], P1 / 4 - Y, rtol=1e-9, atol=1e-12)


#: Start, step size and then (f, λ, λ^H) after each step, to the digits shown.
TRAJECTORIES = {
    "catapult": (
        (16, 1.0, 0.0, (1.0, 2.0), 1.25),
        [(-1.40234375, 1.8828125, 2.06166391066), (1.62877734774, 1.62984972866, 1.89266519419)],
    ),
    "both": (
        (16, 1.0, 0.0, (1.0, 2.0), 1.95),
        [(None, None, 2.51603093424), (None, None, 2.60534153502), (None, None, 1.56478706187)],
    ),
    "target": (
        (2, 0.5 * 2**0.5, 2.0, (-1.0, 1.5), 0.3),
        [(0.1475, 0.90375, 1.41390836903), (0.661148203555, 1.0555057435, None), (1.11176322429, 1.36363002066, None)],
    ),
}


@pytest.mark.parametrize("name", TRAJECTORIES)
def test_reference_trajectories(name):
    (width, x, y, (f, ntk), eta), steps = TRAJECTORIES[name]
    problem = UVModel(width, x, y)
    w = start(problem, f, ntk)
    assert problem.function(w) == pytest.approx(f, rel=1e-14)
    assert problem.ntk(w) == pytest.approx(ntk, rel=1e-14)
    for run in (
        eossim.simulate(problem, rules.gd(eta=eta), w, len(steps), record=Record(what=["w"])).w.values[0],
        eossim.train(problem, rules.gd(eta=eta), w, steps=len(steps), record=Record(what=["w"])).w.values[0],
    ):
        for point, expected in zip(run[1:], steps, strict=True):
            found = (problem.function(point), problem.ntk(point), problem.sharpness(point))
            for value, wanted in zip(found, expected, strict=True):
                assert wanted is None or value == pytest.approx(wanted, rel=1e-11)


def test_reference_values():
    problem = UVModel(2, y=0.3)
    w = problem.join([[1.0], [2.0]], [0.5, -1.0])
    assert problem.function(w) == pytest.approx(-1.0606601717798212, rel=1e-14)
    assert problem.ntk(w) == pytest.approx(3.125, rel=1e-14)
    assert problem.sharpness(w) == pytest.approx(3.755740149429125, rel=1e-14)
    problem = UVModel(8, y=1.5)
    w = start(problem, 0.0, 1.0)
    assert problem.sharpness(w) == pytest.approx(1.2288689868556626, rel=1e-14)
    assert problem.loss(w) == pytest.approx(1.125, rel=1e-14)
    assert problem.loss(w - 1.9 * problem.grad(w)) == pytest.approx(0.91125, rel=1e-12)


def test_sam_on_parameters():
    problem = UVModel(3, [0.5, 1.0], 1.0)
    w = problem.initial(3)
    run = eossim.simulate(problem, rules.sam(eta=0.1, rho=0.05), w, 20, record=Record(what=["w"])).w.values[0]
    for before, after in itertools.pairwise(run):
        g = problem.grad(before)
        expected = before - 0.1 * problem.grad(before + 0.05 * g / np.linalg.norm(g))
        np.testing.assert_allclose(after, expected, rtol=1e-12, atol=1e-14)
    trained = eossim.train(problem, rules.sam(eta=0.1, rho=0.05), w, steps=20)
    np.testing.assert_allclose(trained.w_final.values[0], run[-1], rtol=1e-12, atol=1e-14)
    assert trained.loss.values[0, -1] < 0.2 * trained.loss.values[0, 0]


def test_starts_and_blocks():
    problem = UVModel(4, [1.0, 2.0], m=3.0)
    assert problem.layers == ((4, 2), (4,))
    assert problem.kappa == pytest.approx(5 / 3)
    w = problem.initial(5)
    np.testing.assert_array_equal(w, np.random.default_rng(5).standard_normal(12))
    np.testing.assert_array_equal(problem.initial(np.random.default_rng(5)), w)
    np.testing.assert_array_equal(problem.join(*problem.split(w)), w)
    assert UVModel(4).m == 4
    assert repr(problem) == "UVModel(width=4, d=2, y=0, m=3)"
    assert not problem.x.flags.writeable


def test_divergence_passes_without_warnings():
    problem = UVModel(2, y=1.0)
    w = np.array([[np.nan, 0, 0, 0], [1e200, 1e200, 1e200, 1e200], [1.0, 0, 1, 0]])
    for values in (problem.loss(w), problem.ntk(w), problem.sharpness(w)):
        assert np.isfinite(values).tolist() == [False, False, True]
    run = eossim.simulate(problem, rules.gd(eta=50.0), problem.initial(), 60)
    assert run.diverged_at.values[0] > 0


def test_bad_input():
    with pytest.raises(ValueError, match="width must be an integer >= 1, got 0"):
        UVModel(0)
    with pytest.raises(ValueError, match=r"x must give 0 < ‖x‖²/m < inf, got ‖x‖ = 0"):
        UVModel(2, [0.0, 0.0])
    with pytest.raises(ValueError, match="x must be 0-D or 1-D"):
        UVModel(2, [[1.0]])
    with pytest.raises(ValueError, match="y must be finite"):
        UVModel(2, 1.0, np.nan)
    with pytest.raises(ValueError, match="0 < m < inf required, got m = -1"):
        UVModel(2, m=-1.0)
    with pytest.raises(ValueError, match="m must be a number"):
        UVModel(2, m=[1.0, 2.0])
    problem = UVModel(2)
    with pytest.raises(ValueError, match=r"w must have shape \(\.\.\., 4\), got \(3,\)"):
        problem.loss(np.ones(3))
    with pytest.raises(ValueError, match=r"v must have shape \(\.\.\., 4\), got \(\)"):
        problem.hvp(np.ones(4), 1.0)
    with pytest.raises(ValueError, match=r"v must broadcast against w of shape \(2, 4\), got \(3, 4\)"):
        problem.hvp(np.ones((2, 4)), np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"U must have shape \(\.\.\., 2, 1\), got \(2, 2\)"):
        problem.join(np.ones((2, 2)), np.ones(2))
    with pytest.raises(TypeError, match="w must hold real numbers"):
        problem.grad(["a"] * 4)
