import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.problems import LeastSquares, Quadratic
from tests.strategies import batches, regressions


@st.composite
def problems(draw: st.DrawFn) -> LeastSquares:
    X, y = draw(regressions())
    return LeastSquares(X, y, normalize=draw(st.booleans()), loss_scale=draw(st.sampled_from([0.5, 1.0, 3.0])))


@st.composite
def problems_with_points(draw: st.DrawFn, count: int = 1) -> tuple:
    problem = draw(problems())
    return problem, *(draw(batches(problem.dim)) for _ in range(count))


def factor(problem: LeastSquares) -> float:
    return problem.loss_scale / (problem.n_samples if problem.normalize else 1)


def residual_scale(problem: LeastSquares, w: np.ndarray) -> float:
    """Bound of every term of X w - y."""
    return problem.dim * np.abs(problem.X).max() * np.abs(w).max() + np.abs(problem.y).max() + 1e-300


def close(actual, desired, scale, rtol=1e-12):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=rtol * scale)


@given(problems_with_points())
def test_loss_is_the_explicit_formula(case):
    problem, w = case
    for row, loss in zip(w.reshape(-1, problem.dim), problem.loss(w).ravel(), strict=True):
        expected = factor(problem) * np.linalg.norm(problem.X @ row - problem.y) ** 2
        close(loss, expected, factor(problem) * problem.n_samples * residual_scale(problem, w) ** 2)


@given(problems_with_points())
def test_gradient_is_the_central_difference_of_the_loss(case):
    problem, w = case
    h = 1 + np.abs(w).max()
    points, steps = w[..., None, :], h * np.eye(problem.dim)  # exact for a quadratic, whatever the step
    difference = (problem.loss(points + steps) - problem.loss(points - steps)) / (2 * h)
    scale = factor(problem) * problem.n_samples * residual_scale(problem, np.array([3 * h])) ** 2 / h
    close(problem.grad(w), difference, scale)


@given(problems_with_points())
def test_is_the_quadratic_around_its_minimizer(case):
    """Residual form = offset + ½ (w - w*)ᵀ H (w - w*)."""
    problem, w = case
    form = Quadratic(problem.hessian(), problem.minimizer)
    reach = np.array([np.abs(w).max() + np.abs(problem.minimizer).max()])
    scale = factor(problem) * problem.n_samples * problem.dim**2 * residual_scale(problem, reach) ** 2
    close(problem.loss(w), problem.offset + form.loss(w), scale, rtol=1e-10)


@given(problems_with_points(2))
def test_hvp_is_the_hessian_times_the_vector(case):
    problem, w, v = case
    H = 2 * factor(problem) * problem.X.T @ problem.X
    scale = problem.dim * np.abs(H).max() * np.abs(v).max() + 1e-300
    close(problem.hvp(w.reshape(-1, problem.dim)[0], v), v @ H, scale)


@given(problems_with_points())
def test_a_batch_equals_a_loop(case):
    problem, w = case
    rows = w.reshape(-1, problem.dim)
    scale = residual_scale(problem, w)
    size = factor(problem) * problem.n_samples * scale
    close(problem.loss(w).ravel(), [problem.loss(row) for row in rows], size * scale)
    close(
        problem.grad(w).reshape(rows.shape),
        [problem.grad(row) for row in rows],
        2 * size * np.abs(problem.X).max() + 1e-300,
    )


@given(problems())
def test_minimizer(problem):
    """Stationary, and of minimum norm among the stationary points (numpy's lstsq agrees)."""
    w_star, scale = problem.minimizer, residual_scale(problem, problem.minimizer)
    close(
        problem.grad(w_star),
        0,
        2 * factor(problem) * problem.n_samples * np.abs(problem.X).max() * scale + 1e-300,
    )
    expected = np.linalg.lstsq(problem.X, problem.y, rcond=None)[0]
    np.testing.assert_allclose(w_star, expected, rtol=1e-6, atol=1e-9 * (1e-300 + np.abs(expected).max()))
    null = problem.eigenvectors[:, problem.eigenvalues == 0]
    close(null.T @ w_star, 0, np.abs(w_star).max() * problem.dim + 1e-300)
    assert problem.offset == problem.loss(w_star)


@given(problems())
def test_eigendecomposition(problem):
    lam, Q = problem.eigenvalues, problem.eigenvectors
    assert (lam >= 0).all()
    assert (np.diff(lam) >= 0).all()
    assert (lam == 0).sum() == problem.dim - np.linalg.matrix_rank(problem.X)
    close(Q.T @ Q, np.eye(problem.dim), 1)
    close((Q * lam) @ Q.T, problem.hessian(), lam.max() * problem.dim + 1e-300)


def test_small_eigenvalues_keep_their_accuracy():
    """1e-20 next to 1: far below the rounding of XᵀX, where eigh returns noise."""
    problem = LeastSquares([[1, 1], [1e-10, -1e-10]], [0, 0], normalize=False)
    np.testing.assert_allclose(problem.eigenvalues, [2e-20, 2], rtol=1e-5)


def test_fewer_samples_than_parameters():
    problem = LeastSquares(np.random.default_rng(0).standard_normal((2, 5)), [1, 2])
    np.testing.assert_array_equal(problem.eigenvalues[:3], 0)
    assert (problem.eigenvalues[3:] > 0).all()
    assert problem.offset < 1e-28  # interpolation


def test_zero_inputs():
    problem = LeastSquares(np.zeros((3, 2)), [1, 2, 3], normalize=False)
    np.testing.assert_array_equal(problem.minimizer, 0)
    np.testing.assert_array_equal(problem.eigenvalues, 0)
    assert problem.offset == 7


def test_members():
    problem = LeastSquares([[1, 2], [3, 4], [5, 6]], [1, 2, 3], loss_scale=1)
    assert (problem.n_samples, problem.dim, problem.normalize, problem.loss_scale) == (3, 2, True, 1.0)
    assert not problem.is_diagonal
    assert not problem.X.flags.writeable
    assert not problem.y.flags.writeable
    assert repr(problem) == "LeastSquares(n_samples=3, dim=2, normalize=True, loss_scale=1)"


@pytest.mark.filterwarnings("error")
def test_diverged_points_are_evaluated_without_a_warning():
    problem = LeastSquares([[1.0, 2.0]], [1.0])
    assert not np.isfinite(problem.loss([[np.nan, 0], [np.inf, -np.inf], [1e300, 1e300]])).any()
    assert not np.isfinite(problem.grad([[np.nan, 0], [np.inf, -np.inf]])).any()


@pytest.mark.parametrize(
    ("X", "y", "kwargs", "kind", "message"),
    [
        ([1, 2], [1, 2], {}, ValueError, "X must be 2-D, got shape (2,)"),
        (np.empty((0, 2)), [], {}, ValueError, "X must not be empty"),
        ([[1, np.nan]], [1], {}, ValueError, "X[0, 1] = nan"),
        ([["a"]], [1], {}, TypeError, "X must hold real numbers"),
        ([[1], [2]], [1], {}, ValueError, "y must have shape (2,), got (1,)"),
        ([[1], [2]], [[1], [2]], {}, ValueError, "y must have shape (2,), got (2, 1)"),
        ([[1], [2]], [1, np.inf], {}, ValueError, "y[1] = inf"),
        ([[1]], [1], {"loss_scale": 0}, ValueError, "0 < loss_scale < inf required"),
        ([[1]], [1], {"loss_scale": np.nan}, ValueError, "0 < loss_scale < inf required"),
        ([[1]], [1], {"loss_scale": "1"}, TypeError, "loss_scale must hold real numbers"),
        ([[1]], [1], {"loss_scale": [1, 2]}, ValueError, "loss_scale must be a single number"),
        ([[1]], [1], {"normalize": "no"}, TypeError, "normalize must be True or False, got 'no'"),
        ([[1e200]], [1], {}, ValueError, "X is too large"),
    ],
)
def test_bad_input(X, y, kwargs, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        LeastSquares(X, y, **kwargs)


@pytest.mark.parametrize("method", ["loss", "grad", "hessian"])
def test_wrong_trailing_dimension(method):
    with pytest.raises(ValueError, match=re.escape("w must have shape (..., 2), got (3,)")):
        getattr(LeastSquares([[1, 2]], [1]), method)([1, 2, 3])
