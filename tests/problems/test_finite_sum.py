"""Sums of quadratics, and how every problem shows its samples."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim.problems import FiniteSum, KernelRegression, LeastSquares, Quadratic, QuadraticSum
from tests.strategies import regressions, seeds

HESSIANS = [[[2, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 4]]]
CENTERS = [[0, 0], [1, 1], [0, 1]]


@st.composite
def sums(draw):
    """Sums with Hessians of any signature, or singular ones with a common null space."""
    n, dim = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(seeds))
    A = rng.standard_normal((n, dim, dim))
    if draw(st.booleans()):
        A[:] = A + A.transpose(0, 2, 1)
    else:
        A *= rng.integers(0, 2, dim)  # columns that no sample sees
        A[:] = A.transpose(0, 2, 1) @ A
    return QuadraticSum(A, rng.standard_normal((n, dim))), rng.standard_normal(dim)


@given(sums())
def test_the_loss_is_the_mean_of_the_samples(case):
    problem, w = case
    d = w - problem.centers
    each = 0.5 * np.einsum("ni,nij,nj->n", d, problem.hessians, d)
    size = 1 + np.abs(problem.minimizer).max() ** 2  # an indefinite mean can have a far stationary point
    assert problem.loss(w) == pytest.approx(each.mean(), abs=1e-12 * size * np.abs(problem.hessians).max() * 100)


@given(sums())
def test_gradients_and_products_of_samples_have_those_of_the_loss_as_mean(case):
    problem, w = case
    scale = 1e-12 * (1 + np.abs(problem.minimizer).max()) * (1 + np.abs(problem.hessians).max()) * 10
    assert problem.sample_gradients(w).mean(axis=0) == pytest.approx(problem.grad(w), abs=scale)
    assert problem.sample_hvp(w, w).mean(axis=0) == pytest.approx(problem.hvp(w, w), abs=scale)
    assert problem.sample_gradients(problem.minimizer).mean(axis=0) == pytest.approx(0, abs=scale)
    assert isinstance(problem, FiniteSum)


@given(sums())
def test_products_take_a_vector_per_sample(case):
    problem, w = case
    vectors = np.random.default_rng(0).standard_normal(problem.centers.shape)
    expected = [H @ v for H, v in zip(problem.hessians, vectors, strict=True)]
    np.testing.assert_allclose(
        problem.sample_hvp(w, vectors), expected, rtol=0, atol=1e-12 * (1 + np.abs(expected).max())
    )


@given(regressions(), st.booleans(), st.sampled_from([0.5, 1.0, 3.0]), seeds)
def test_samples_of_a_regression(data, normalize, loss_scale, seed):
    X, y = data
    rng = np.random.default_rng(seed)
    problem = LeastSquares(X, y, normalize=normalize, loss_scale=loss_scale)
    w, vectors = rng.standard_normal(problem.dim), rng.standard_normal(X.shape)
    n, c = len(y), problem.loss_factor
    expected = [2 * c * n * (x @ w - t) * x for x, t in zip(X, y, strict=True)]
    size = 1 + np.abs(expected).max()
    np.testing.assert_allclose(problem.sample_gradients(w), expected, rtol=0, atol=1e-12 * size)
    reach = 2 * c * n * np.abs(X).max() * (np.abs(X).max() * np.abs(w).sum() + np.abs(y).max())
    assert problem.sample_gradients(w).mean(axis=0) == pytest.approx(problem.grad(w), abs=1e-12 * (1 + reach))
    expected = [2 * c * n * x * (x @ v) for x, v in zip(X, vectors, strict=True)]
    found = problem.sample_hvp(w, vectors)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * (1 + np.abs(expected).max()))
    mean = problem.sample_hvp(w, w).mean(axis=0)
    assert mean == pytest.approx(problem.hvp(w, w), abs=1e-11 * (1 + reach))


def test_samples_of_a_kernel_regression():
    X = np.random.default_rng(0).standard_normal((6, 3))
    problem = KernelRegression.from_data(X, X[:, 0], gamma=0.3)
    w = np.arange(problem.dim) / 5
    np.testing.assert_allclose(problem.sample_gradients(w).mean(axis=0), problem.grad(w), atol=1e-14)
    np.testing.assert_allclose(problem.sample_hvp(w, w).mean(axis=0), problem.hvp(w, w), atol=1e-14)
    assert isinstance(problem, FiniteSum)
    assert not isinstance(Quadratic([1, 2]), FiniteSum)


def test_the_note():
    problem = QuadraticSum(HESSIANS, CENTERS)
    np.testing.assert_array_equal(problem.sample_gradients([1, -1]), [[2, 0], [-2, -2], [0, -8]])
    assert problem.eigenvalues[-1] == pytest.approx((4 + np.sqrt(2)) / 3, rel=1e-14)
    assert problem.n_samples == 3
    assert repr(problem) == "QuadraticSum(n_samples=3, dim=2)"
    assert eossim.QuadraticSum is QuadraticSum


def test_interpolation():
    problem = QuadraticSum(HESSIANS, np.tile([2, -3], (3, 1)))
    np.testing.assert_allclose(problem.minimizer, [2, -3], rtol=1e-14)
    assert problem.offset == pytest.approx(0, abs=1e-28)
    np.testing.assert_allclose(problem.sample_gradients(problem.minimizer), 0, atol=1e-14)
    np.testing.assert_array_equal(QuadraticSum(HESSIANS).minimizer, 0)


def test_minimum_norm():
    problem = QuadraticSum([[[2, 0], [0, 0]], [[4, 0], [0, 0]]], [[1, 7], [4, -7]])
    np.testing.assert_allclose(problem.minimizer, [3, 0], rtol=1e-15)
    np.testing.assert_array_equal(QuadraticSum(np.zeros((2, 3, 3)), np.ones((2, 3))).minimizer, 0)


def test_read_only_and_pickle():
    problem = QuadraticSum(HESSIANS, CENTERS)
    assert not any(array.flags.writeable for array in (problem.hessians, problem.centers, problem.minimizer))
    copy = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(copy.sample_gradients([1, 2]), problem.sample_gradients([1, 2]))


def test_no_stationary_point():
    with pytest.raises(ValueError, match="must lie in the range of mean"):
        QuadraticSum([[[1.0]], [[-1.0]]], [[1.0], [0.0]])
    with pytest.raises(ValueError, match="must lie in the range of mean"):
        QuadraticSum([[[1, 0], [0, 1]], [[0, 0], [0, -1]]], [[0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("error", "match", "hessians", "centers"),
    [
        (ValueError, "hessians must be 3-D", [[1.0]], [[1.0]]),
        (ValueError, r"hessians\[1\] must be symmetric", [np.eye(2), [[0, 1], [0, 0]]], np.zeros((2, 2))),
        (ValueError, r"hessians\[0\] must be square", np.ones((2, 2, 3)), np.zeros((2, 2))),
        (ValueError, r"centers must have shape \(3, 2\)", HESSIANS, CENTERS[:2]),
        (ValueError, "hessians must be finite", [[[np.nan]]], [[1.0]]),
        (ValueError, "centers must be finite", [[[1.0]]], [[np.inf]]),
        (ValueError, "too large", [[[1e200]]], [[1e200]]),
        (ValueError, "hessians must not be empty", np.zeros((0, 2, 2)), np.zeros((0, 2))),
        (TypeError, "hessians must hold real numbers", [[[1j]]], [[1.0]]),
    ],
)
def test_bad_arguments(error, match, hessians, centers):
    with pytest.raises(error, match=match):
        QuadraticSum(hessians, centers)


@pytest.mark.parametrize("problem", [QuadraticSum(HESSIANS, CENTERS), LeastSquares(np.ones((3, 2)), [1, 2, 3])])
def test_bad_points(problem):
    with pytest.raises(ValueError, match=r"w must be one point of shape \(2,\)"):
        problem.sample_gradients([[1, 2]])
    with pytest.raises(ValueError, match="w must be one point"):
        problem.sample_hvp([1, 2, 3], [1, 2])
    with pytest.raises(ValueError, match=r"vectors must have shape \(3, 2\) or \(2,\)"):
        problem.sample_hvp([1, 2], np.ones((2, 2)))
    with pytest.raises(TypeError, match="w must hold real numbers"):
        problem.sample_gradients(["a", "b"])
    assert np.isnan(problem.sample_gradients([np.nan, 0])).any()
