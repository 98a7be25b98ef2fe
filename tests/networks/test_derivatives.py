"""Losses and derivatives against complex steps in plain NumPy, torch and jax, over random networks, data and losses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim.measure import sharpness
from eossim.networks import MLP, one_hot
from eossim.problems import FiniteSum
from tests.networks import twin

EXACT = 1e-12


@st.composite
def networks(draw, parametrizations=("standard", "ntk", "mup")):
    """A problem, a point, a direction, and its data and convention as the twin wants them."""
    sizes = draw(st.lists(st.integers(1, 12), min_size=2, max_size=5))
    n = draw(st.one_of(st.integers(1, 40), st.sampled_from([290, 1000])))  # some in several chunks
    loss = draw(st.sampled_from(["mse", "cross-entropy"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    options, convention = {}, {}
    if loss == "mse":
        Y = y = rng.standard_normal((n, sizes[-1]))
        half, mean = draw(st.booleans()), draw(st.booleans())
        options, convention = {"half": half, "reduction": "mean" if mean else "sum"}, {"half": half, "mean": mean}
    else:
        sizes[-1] = max(sizes[-1], 2)
        y = rng.integers(0, sizes[-1], n)
        Y = one_hot(y, sizes[-1])
    X = rng.standard_normal((n, sizes[0]))
    problem = MLP(
        sizes,
        draw(st.sampled_from(["tanh", "relu", "gelu", "identity"])),
        loss,
        X,
        y,
        bias=draw(st.booleans()),
        parametrization=draw(st.sampled_from(parametrizations)),
        gain=draw(st.sampled_from([1.0, 2.0])),
        **options,
    )
    w = problem.initial(rng) + 0.1 * rng.standard_normal(problem.dim)
    return problem, w, rng.standard_normal(problem.dim), (X, Y, convention)


def close(found, expected, terms):
    """Compare to 1e-12 of the size of the terms that were added up."""
    assert np.shape(found) == np.shape(expected)
    assert np.abs(found - expected).max() <= EXACT * (np.abs(expected).max() + np.abs(terms).max())


@given(networks())
def test_everything_against_complex_steps(case):
    problem, w, v, (X, Y, convention) = case
    loss, gradient = twin.loss_and_gradient(problem, w, X, Y, **convention)
    each = problem.sample_gradients(w)
    assert abs(problem.loss(w) - loss) <= EXACT * abs(loss)
    close(problem.grad(w), gradient, np.abs(each).mean(axis=0))
    close(problem.predict(w), twin.outputs(problem, w, X)[0], 1.0)

    vectors = np.outer(np.linspace(-1, 1, len(X)), v) + v[::-1]
    curved = problem.sample_hvp(w, vectors)
    same = problem.sample_hvp(w, v)
    for i in range(0, len(X), 1 + len(X) // 7):
        one = X[i : i + 1], Y[i : i + 1]
        close(each[i], twin.loss_and_gradient(problem, w, *one, **convention)[1], 0.0)
        close(curved[i], twin.hvp(problem, w, vectors[i], *one, **convention), 0.0)
        close(same[i], twin.hvp(problem, w, v, *one, **convention), 0.0)
    close(problem.hvp(w, v), twin.hvp(problem, w, v, X, Y, **convention), np.abs(same).mean(axis=0))
    close(problem.gauss_newton(w, v), twin.gauss_newton(problem, w, v, X, Y, **convention), np.abs(same).mean(axis=0))


@given(networks(), st.data())
def test_a_batch_is_the_mean_of_its_samples(case, data):
    problem, w, v, _ = case
    n = problem.n_samples
    batch = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=20)))
    gradients, curved = problem.sample_gradients(w), problem.sample_hvp(w, v)
    loss, gradient = problem.loss_and_grad(w, batch=batch)
    close(gradient, gradients[batch].mean(axis=0), gradients[batch])
    close(problem.hvp(w, v, batch=batch), curved[batch].mean(axis=0), curved[batch])
    close(problem.linearize(w, batch=batch).grad, gradient, 0.0)
    close(problem.sample_gradients(w, batch=batch), gradients[batch], 0.0)
    close(problem.sample_hvp(w, v, batch=batch), curved[batch], 0.0)
    singles = [problem.loss(w, batch=[i]) for i in batch]
    assert abs(loss - np.mean(singles)) <= EXACT * np.abs(singles).mean()


def _torch_loss(problem, X, Y, convention):
    torch = pytest.importorskip("torch")
    phi = {"tanh": torch.tanh, "relu": torch.relu, "gelu": torch.nn.functional.gelu, "identity": lambda z: z}
    shapes, biased = problem.layers, twin.biased(problem)

    def loss(w):
        h, blocks = X, iter(torch.split(w, [int(np.prod(s)) for s in shapes]))
        layers = len(problem.sizes) - 1
        for k, (a, b) in enumerate(zip(problem.sizes, problem.sizes[1:], strict=False)):
            h = h @ next(blocks).reshape(a, b)
            if biased:
                h = h + next(blocks)
            if k < layers - 1:
                h = phi[problem.activation](h)
        if problem.loss_name == "cross-entropy":
            return torch.nn.functional.cross_entropy(h, Y)
        square = ((h - Y) ** 2).sum(dim=1).mean()
        return square * (0.5 if convention["half"] else 1.0) / (Y.shape[1] if convention["mean"] else 1)

    return loss


@settings(max_examples=25)
@given(networks(parametrizations=("standard",)))
def test_against_torch(case):
    torch = pytest.importorskip("torch")
    problem, w, v, (X, Y, convention) = case
    x, y, direction = (torch.tensor(a, dtype=torch.float64) for a in (X, Y, v))
    point = torch.tensor(w, requires_grad=True)
    value = _torch_loss(problem, x, y, convention)(point)
    (gradient,) = torch.autograd.grad(value, point, create_graph=True)
    curved = np.zeros_like(w)
    if gradient.requires_grad:
        (found,) = torch.autograd.grad(gradient @ direction, point, allow_unused=True)
        curved = curved if found is None else found.numpy()
    each, same = problem.sample_gradients(w), problem.sample_hvp(w, v)
    assert abs(problem.loss(w) - value.item()) <= EXACT * abs(value.item())
    close(problem.grad(w), gradient.detach().numpy(), np.abs(each).mean(axis=0))
    close(problem.hvp(w, v), curved, np.abs(same).mean(axis=0))


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
def test_against_jax(activation, loss):
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    rng = np.random.default_rng(3)
    X, labels = rng.standard_normal((100, 6)), rng.integers(0, 4, 100)
    Y = one_hot(labels, 4)
    problem = MLP((6, 17, 9, 4), activation, loss, X, Y)
    w, v = problem.initial(1) + 0.1 * rng.standard_normal(problem.dim), rng.standard_normal(problem.dim)
    phi = {"tanh": jnp.tanh, "relu": jax.nn.relu, "gelu": lambda z: jax.nn.gelu(z, approximate=False)}[activation]

    def value(w):
        h, at = X, 0
        for k, (a, b) in enumerate(((6, 17), (17, 9), (9, 4))):
            h = h @ w[at : at + a * b].reshape(a, b) + w[at + a * b : at + a * b + b]
            h, at = (phi(h) if k < 2 else h), at + a * b + b
        if loss == "mse":
            return 0.5 * ((h - Y) ** 2).sum() / len(X)
        return -(jax.nn.log_softmax(h) * Y).sum() / len(X)

    with jax.enable_x64(True):
        gradient, curved = jax.jvp(jax.grad(value), (jnp.asarray(w),), (jnp.asarray(v),))
        close(problem.loss(w), np.asarray(value(jnp.asarray(w))), 0.0)
        close(problem.grad(w), np.asarray(gradient), 0.0)
        close(problem.hvp(w, v), np.asarray(curved), 0.0)


def test_single_precision_agrees_to_its_rounding():
    rng = np.random.default_rng(5)
    X, y = rng.standard_normal((600, 7)), rng.integers(0, 10, 600)  # 600 samples: two chunks in single precision
    for activation in ("tanh", "relu", "gelu", "identity"):
        for loss in ("mse", "cross-entropy"):
            Y = one_hot(y, 10) if loss == "mse" else y
            double = MLP((7, 18, 5, 10), activation, loss, X, Y)
            single = MLP((7, 18, 5, 10), activation, loss, X, Y, dtype=np.float32)
            w, v = single.initial(2), rng.standard_normal(double.dim).astype(np.float32)
            pairs = [
                (p.loss(w), p.grad(w), p.hvp(w, v), p.gauss_newton(w, v), p.sample_gradients(w), p.sample_hvp(w, v))
                for p in (single, double)
            ]
            for found, expected in zip(*pairs, strict=True):
                assert found.dtype == np.float32
                assert np.abs(found - expected).max() <= 3e-6 * np.abs(expected).max(), (activation, loss)


def test_measures_of_batches_read_networks():
    rng = np.random.default_rng(0)
    problem = MLP((3, 4, 1), "tanh", "mse", rng.standard_normal((20, 3)), rng.standard_normal(20))
    w = problem.initial()
    assert isinstance(problem, FiniteSum)
    hessian = problem.hvp(w, np.eye(problem.dim))
    found = sharpness.batch_sharpness(problem, w, 20)
    g = problem.grad(w)
    assert found.value == pytest.approx(g @ hessian @ g / (g @ g), rel=1e-9)
