"""What holds for every regression, whichever way its features are given."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.problems import KernelRegression, LeastSquares, Quadratic, Regression
from tests.strategies import batches, regressions


@st.composite
def problems(draw: st.DrawFn) -> Regression:
    X, y = draw(regressions())
    if draw(st.booleans()) and X.any():
        K = X @ X.T
        return KernelRegression(K, y, eigenpairs=draw(st.one_of(st.none(), st.integers(1, len(y)))))
    return LeastSquares(X, y, normalize=draw(st.booleans()), loss_scale=draw(st.sampled_from([0.5, 1.0, 3.0])))


@st.composite
def problems_with_points(draw: st.DrawFn) -> tuple[Regression, np.ndarray]:
    problem = draw(problems())
    return problem, draw(batches(problem.dim))


def close(actual, desired, scale, rtol=1e-12):
    """Assert |actual - desired| <= rtol * scale: rounding is relative to the terms, not to their sum."""
    np.testing.assert_allclose(actual, desired, rtol=0, atol=rtol * scale + 1e-300)


def reach(problem: Regression, w: np.ndarray) -> float:
    """Bound of every term of Φ w - y."""
    return problem.dim * np.abs(problem.features).max() * np.abs(w).max() + np.abs(problem.y).max()


@given(problems())
def test_modes_are_the_singular_value_decomposition_of_the_features(problem):
    modes, size = problem.modes, np.abs(problem.features).max() * problem.dim
    close((modes.samples * modes.singular) @ modes.coordinates.T, problem.features, size)
    close(modes.samples.T @ modes.samples, np.eye(problem.rank), 1)
    close(modes.coordinates.T @ modes.coordinates, np.eye(problem.rank), 1)
    assert (modes.singular > 0).all()
    assert (np.diff(modes.singular) <= 0).all()


@given(problems())
def test_modes_carry_the_hessian(problem):
    modes, size = problem.modes, np.abs(problem.hessian()).max() * problem.dim
    close((modes.coordinates * modes.curvature) @ modes.coordinates.T, problem.hessian(), size)
    close(2 * problem.loss_factor * problem.features.T @ problem.features, problem.hessian(), size)
    np.testing.assert_allclose(modes.curvature, 2 * problem.loss_factor * modes.singular**2, rtol=1e-14)
    assert (modes.curvature > 0).all()
    assert problem.rank == (problem.eigenvalues > 0).sum() == len(modes.curvature)


@given(problems())
def test_shapes(problem):
    modes, n = problem.modes, problem.n_samples
    assert modes.curvature.shape == modes.singular.shape == (problem.rank,)
    assert modes.samples.shape == (n, problem.rank)
    assert modes.coordinates.shape == (problem.dim, problem.rank)
    assert problem.features.shape == (n, problem.dim)
    assert problem.y.shape == (n,)
    assert not any(array.flags.writeable for array in (*vars(modes).values(), problem.y))


@given(problems_with_points())
def test_fitted_values_and_loss(case):
    problem, w = case
    scale = reach(problem, w)
    assert problem.fitted(w).shape == (*w.shape[:-1], problem.n_samples)
    for row, fitted, loss in zip(
        w.reshape(-1, problem.dim),
        problem.fitted(w).reshape(-1, problem.n_samples),
        problem.loss(w).ravel(),
        strict=True,
    ):
        close(fitted, [feature @ row for feature in problem.features], scale)
        squares = sum((value - target) ** 2 for value, target in zip(fitted, problem.y, strict=True))
        close(loss, problem.loss_factor * squares, problem.loss_factor * problem.n_samples * scale**2)


@given(problems_with_points())
def test_gradient_is_the_central_difference_of_the_loss(case):
    problem, w = case
    h = 1 + np.abs(w).max()  # exact for a quadratic, whatever the step
    points, steps = w[..., None, :], h * np.eye(problem.dim)
    difference = (problem.loss(points + steps) - problem.loss(points - steps)) / (2 * h)
    scale = problem.loss_factor * problem.n_samples * reach(problem, np.array([3 * h])) ** 2 / h
    close(problem.grad(w), difference, scale)


@given(problems_with_points())
def test_loss_is_the_quadratic_around_the_minimizer(case):
    problem, w = case
    form = Quadratic(problem.hessian(), problem.minimizer)
    size = reach(problem, np.array([np.abs(w).max() + np.abs(problem.minimizer).max()]))
    scale = problem.loss_factor * problem.n_samples * problem.dim**2 * size**2
    close(problem.loss(w), problem.offset + form.loss(w), scale, rtol=1e-10)


@given(problems())
def test_the_minimizer_fits_the_projection_of_the_targets(problem):
    U = problem.modes.samples
    projection = U @ (U.T @ problem.y)
    close(problem.fitted(problem.minimizer), projection, reach(problem, problem.minimizer), rtol=1e-11)
    rest = problem.y - projection
    close(problem.offset, problem.loss_factor * rest @ rest, problem.loss_factor * problem.y @ problem.y, rtol=1e-9)
    V = problem.modes.coordinates  # of minimum norm: nothing outside the modes
    close(V @ (V.T @ problem.minimizer), problem.minimizer, np.abs(problem.minimizer).max(), rtol=1e-11)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(3, 2), (2, 3), (1, 1)])
def test_rank_zero(shape):
    problem = LeastSquares(np.zeros(shape), np.ones(shape[0]))
    assert problem.rank == 0
    assert problem.modes.curvature.shape == problem.modes.singular.shape == (0,)
    assert problem.modes.samples.shape == (shape[0], 0)
    assert problem.modes.coordinates.shape == (shape[1], 0)
    np.testing.assert_array_equal(problem.minimizer, 0)
    np.testing.assert_array_equal(problem.grad(np.ones(shape[1])), 0)
    assert problem.offset == 0.5


def test_a_curvature_that_underflows_is_no_mode():
    problem = LeastSquares([[1e-200]], [1.0])
    assert problem.rank == 0
    np.testing.assert_array_equal(problem.minimizer, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("problem", [LeastSquares([[1, 2], [3, 4]], [0, 1]), KernelRegression(np.eye(2), [0, 1])])
def test_diverged_points_are_evaluated_without_a_warning(problem):
    points = [[np.nan, 0], [np.inf, -np.inf], [1e300, 1e300]]
    assert not np.isfinite(problem.loss(points)).any()
    assert not np.isfinite(problem.grad(points)[:2]).all(axis=-1).any()
    assert np.isnan(problem.fitted(points)[0]).any()


@given(problems_with_points())
def test_pickle(case):
    problem, w = case
    copy = pickle.loads(pickle.dumps(problem))
    np.testing.assert_array_equal(copy.grad(w), problem.grad(w))
    np.testing.assert_array_equal(copy.modes.coordinates, problem.modes.coordinates)


def test_nothing_is_omitted_without_a_truncation():
    for problem in (LeastSquares([[1.0]], [1.0]), KernelRegression([[1.0]], [1.0])):
        assert problem.omitted_curvature == problem.omitted_trace == 0


def test_the_base_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Regression(  # type: ignore[abstract]
            np.ones(1),
            np.ones((1, 1)),
            np.ones(1),
            loss_factor=1.0,
            normalize=True,
            hessian=np.ones(1),
            minimizer=np.ones(1),
        )
