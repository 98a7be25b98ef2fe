"""What both libraries must say alike, and what finite differences and identities say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.curvature.operator import Operator
from eossim.measure import batch_sharpness, gradient_moments
from eossim.problems import FiniteSum
from tests.adapters.networks import TORCH_LOSS, both, data, outputs, torch_mlp, weights

KINDS = ("mse", "cross_entropy")
cases = st.tuples(
    st.sampled_from(KINDS),
    st.lists(st.integers(1, 5), min_size=2, max_size=4),
    st.integers(1, 6),
    st.integers(0, 2**32 - 2),
)


def close(a, b):
    a, b = np.asarray(a), np.asarray(b)
    assert a.shape == b.shape
    assert np.abs(a - b).max() <= 1e-12 * max(1.0, np.abs(b).max())


@pytest.fixture(scope="module", params=KINDS)
def pair(request):
    return both(request.param)


@pytest.fixture(scope="module", params=["torch", "jax"])
def problem(request):
    return both("cross_entropy")[request.param == "jax"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_both_libraries_agree(kind, seed):
    rng = np.random.default_rng(seed)
    sizes = tuple(rng.integers(2, 6, rng.integers(2, 5)))
    one, other = both(kind, sizes, int(rng.integers(1, 8)), seed)
    close(one.w, other.w)
    assert one.layers == other.layers
    assert one.n_samples == other.n_samples
    w, v = rng.standard_normal((2, one.dim))
    each = rng.standard_normal((one.n_samples, one.dim))
    close(one.loss(w), other.loss(w))
    close(one.grad(w), other.grad(w))
    close(one.hvp(w, v), other.hvp(w, v))
    close(one.sample_gradients(w), other.sample_gradients(w))
    close(one.sample_hvp(w, each), other.sample_hvp(w, each))


@given(cases)
def test_torch_against_differences_of_numpy(case):
    kind, sizes, n, seed = case
    from eossim.adapters import from_torch

    arrays, (x, y) = weights(sizes, seed), data(kind, n, sizes, seed)
    problem = from_torch(torch_mlp(arrays), TORCH_LOSS[kind], x, y)

    def loss(w):  # w may be complex
        parts = np.split(w, np.cumsum([a.size for a in arrays])[:-1])
        z = outputs([p.reshape(a.shape) for p, a in zip(parts, arrays, strict=True)], x, np)
        if kind == "mse":
            return ((z - y) ** 2).mean()
        shift = z - z.real.max(axis=1, keepdims=True)
        return (np.log(np.exp(shift).sum(axis=1)) - shift[np.arange(n), y]).mean()

    w = problem.w
    close(problem.loss(w), loss(w))
    v = np.random.default_rng(seed).standard_normal(problem.dim)
    step = 1e-30  # complex steps have no cancellation
    slope = loss(w + 1j * step * v).imag / step
    assert problem.grad(w) @ v == pytest.approx(slope, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("which", [0, 1])
def test_hvp_against_differences_of_gradients(pair, which):
    problem = pair[which]
    w, (v,) = problem.w, np.random.default_rng(3).standard_normal((1, problem.dim))
    h = 1e-3
    # Five-point rule: error h⁴/30 times the fifth derivative.
    g = {k: problem.grad(w + k * h * v) for k in (-2, -1, 1, 2)}
    slope = (g[-2] - 8 * g[-1] + 8 * g[1] - g[2]) / (12 * h)
    assert np.abs(slope - problem.hvp(w, v)).max() < 1e-8


def test_hessian_is_symmetric_and_rows_are_products(problem):
    H = problem.hvp(problem.w, np.eye(problem.dim))
    close(H, H.T)
    v = np.random.default_rng(0).standard_normal(problem.dim)
    close(problem.hvp(problem.w, v), H @ v)


def test_samples_have_the_mean_of_the_whole(problem):
    w, v = problem.w, np.random.default_rng(0).standard_normal(problem.dim)
    assert isinstance(problem, FiniteSum)
    close(problem.sample_gradients(w).mean(axis=0), problem.grad(w))
    close(problem.sample_hvp(w, v).mean(axis=0), problem.hvp(w, v))


def test_leading_axes_are_a_batch_of_points(problem):
    rng = np.random.default_rng(1)
    w, v = rng.standard_normal((2, 3, problem.dim)), rng.standard_normal((3, problem.dim))
    assert problem.loss(w).shape == (2, 3)
    for i in range(2):
        for j in range(3):
            close(problem.loss(w)[i, j], problem.loss(w[i, j]))
            close(problem.grad(w)[i, j], problem.grad(w[i, j]))
            close(problem.hvp(w, v)[i, j], problem.hvp(w[i, j], v[j]))
    assert problem.grad(np.empty((0, problem.dim))).shape == (0, problem.dim)


def test_pieces_do_not_change_anything(problem, monkeypatch):
    from eossim.adapters import flat

    w, each = problem.w, np.random.default_rng(1).standard_normal((problem.n_samples, problem.dim))
    before = problem.sample_gradients(w), problem.sample_hvp(w, each)
    monkeypatch.setattr(flat, "_NUMBERS", 2 * problem.dim)
    close(problem.sample_gradients(w), before[0])
    close(problem.sample_hvp(w, each), before[1])


def test_measures_accept_them(pair):
    values = [batch_sharpness(p, p.w, 2) for p in pair]
    assert values[0].exact
    close(values[0].value, values[1].value)
    p = pair[0]
    g, pairs = p.sample_gradients(p.w), [(i, j) for i in range(p.n_samples) for j in range(i)]
    ratios = []
    for i, j in pairs:  # by the definition
        mean = (g[i] + g[j]) / 2
        products = p.sample_hvp(p.w, mean)
        ratios.append(mean @ (products[i] + products[j]) / 2 / (mean @ mean))
    assert values[0].value == pytest.approx(np.mean(ratios), rel=1e-12)
    close(gradient_moments(pair[0], p.w, 3).ratio_of_means, gradient_moments(pair[1], p.w, 3).ratio_of_means)


def test_curvature_accepts_them(pair):
    for p in pair:
        operator = Operator.of(p, p.w)
        v = np.random.default_rng(0).standard_normal((2, p.dim))
        close(operator(v), p.hvp(p.w, v))
        assert operator.products == 2


def test_generalized_sharpness_in_the_euclidean_norm_is_the_top_eigenvalue(pair):
    from eossim.curvature.generalized import generalized_sharpness
    from eossim.norms import L2

    for p in pair:
        top = np.linalg.eigvalsh(p.hvp(p.w, np.eye(p.dim)))[-1]
        assert generalized_sharpness(p, L2(), p.w).value == pytest.approx(top, rel=1e-6)


def test_a_diverged_point_gives_nan_without_a_warning(problem):
    w = np.full(problem.dim, np.nan)
    assert np.isnan(problem.loss(w))
    assert np.isnan(problem.grad(w)).all()
    assert np.isnan(problem.loss(np.full(problem.dim, np.inf)))


@pytest.mark.parametrize("call", ["loss", "grad", "sample_gradients"])
def test_points_of_a_wrong_shape(problem, call):
    with pytest.raises(ValueError, match=r"w must .*shape"):
        getattr(problem, call)(np.zeros(problem.dim + 1))


def test_vectors_that_do_not_fit(problem):
    w = problem.w
    with pytest.raises(ValueError, match="v must have shape"):
        problem.hvp(w, np.zeros(2))
    with pytest.raises(ValueError, match="v must broadcast"):
        problem.hvp(np.zeros((2, problem.dim)), np.zeros((3, problem.dim)))
    with pytest.raises(ValueError, match="vectors must have shape"):
        problem.sample_hvp(w, np.zeros((1, problem.dim)))
    with pytest.raises(TypeError, match="w must hold real numbers"):
        problem.loss(["a"] * problem.dim)
