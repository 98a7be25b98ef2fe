"""What is not allowed, and what is at the border of it."""

import numpy as np
import pytest

from eossim.problems import LeastSquares, Quadratic
from eossim.problems.finite_sum import QuadraticSum
from eossim.theory import MeanSquare, delocalised_step
from eossim.theory.mean_square import delocalised_kernel_norm
from tests.theory.mean_square.oracle import DESIGN, THREE

INDEFINITE = QuadraticSum([np.diag([3.0, -1]), np.diag([-1.0, 3]), np.array([[0.0, 1], [1, 0]])])  # V9
SADDLE = QuadraticSum([np.diag([2.0, -1]), np.diag([1.0, -1])])
DRIFT = QuadraticSum([np.diag([1.0, 1]), np.diag([1.0, -1])], [[0.0, 1], [0, 1]])


@pytest.mark.parametrize(
    ("args", "kwargs", "error", "words"),
    [
        ((DESIGN, 0), {}, ValueError, "batch_size must be an integer >= 1"),
        ((DESIGN, 5), {}, ValueError, "at most the 4 samples"),
        ((DESIGN, 1.0), {}, TypeError, "batch_size must be an integer"),
        ((DESIGN, True), {}, TypeError, "batch_size must be an integer"),
        ((DESIGN, 1), {"replacement": 1}, TypeError, "replacement must be True or False"),
        ((DESIGN, 1), {"beta": 1.0}, ValueError, "0 <= beta < 1"),
        ((DESIGN, 1), {"beta": -0.1}, ValueError, "0 <= beta < 1"),
        ((DESIGN, 1), {"beta": [0.1, 0.2]}, ValueError, "beta must be a single number"),
        ((DESIGN, 1), {"beta": "a"}, TypeError, "beta"),
        ((Quadratic([1.0, 2]), 1), {}, TypeError, "mean of quadratic samples .* got Quadratic"),
        ((np.eye(2), 1), {}, TypeError, "got ndarray"),
    ],
)
def test_bad_construction(args, kwargs, error, words):
    with pytest.raises(error, match=words):
        MeanSquare(*args, **kwargs)


@pytest.mark.parametrize("eta", [0.0, -1.0, np.nan, np.inf, []])
def test_bad_steps_sizes(eta):
    found = MeanSquare(DESIGN, 1)
    for ask in (found.spectral_radius, found.stationary, lambda eta: found.second_moment(eta, steps=1)):
        with pytest.raises(ValueError, match="0 < eta < inf"):
            ask(eta)


def test_arrays_where_one_number_is_meant():
    found = MeanSquare(DESIGN, 1)
    with pytest.raises(ValueError, match="eta must be a single number"):
        found.stationary([0.1, 0.2])
    with pytest.raises(ValueError, match=r"shape \(runs,\)"):
        found.second_moment([[0.1]], steps=1)
    with pytest.raises(ValueError, match="batch_sharpness must be a single number"):
        found.bounds(batch_sharpness=[1.0])
    with pytest.raises(ValueError, match="0 < batch_sharpness"):
        found.bounds(batch_sharpness=0.0)


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"steps": 0}, ValueError, "steps"),
        ({"steps": [2, 1]}, ValueError, "steps must increase"),
        ({"steps": 1.5}, TypeError, "steps"),
        ({"steps": 1, "w0": [1.0]}, ValueError, "w0 must have shape"),
        ({"steps": 1, "w0": [1.0, np.nan]}, ValueError, "w0 must be finite"),
    ],
)
def test_bad_runs(kwargs, error, words):
    with pytest.raises(error, match=words):
        MeanSquare(DESIGN, 1).second_moment(0.1, **kwargs)


@pytest.mark.parametrize("eta", [1.2, 1.3])
def test_an_unstable_step_has_no_stationary_law(eta):
    with pytest.raises(ValueError, match=r"below the critical step 1\.2.* spectral radius ρ\(Q\) = 1"):
        MeanSquare(DESIGN, 1).stationary_covariance(eta)


def test_interpolating_data_have_no_noise():
    found = MeanSquare(LeastSquares(DESIGN.X, DESIGN.X @ [0.1, 0.7]), 1)
    law = found.stationary(0.5)
    assert law.note == "all samples agree on the minimizer: SGD stops there"
    assert not law.covariance.any()
    assert law.excess_loss == law.batch_grad_sq == 0
    assert np.isnan(law.gradient_noise_interaction)
    assert found.critical_step == pytest.approx(1.2, rel=1e-12)


def test_a_zero_row_with_a_residual_is_no_noise():
    found = MeanSquare(LeastSquares([[0, 0], [1, 2], [1, 0], [0, 1]], [1, -1, -3, 1]), 1)
    assert found.stationary(0.1).note


def test_full_batches_have_no_noise():
    law = MeanSquare(DESIGN, 4).stationary(0.5)
    assert "full batch" in law.note
    assert not law.covariance.any()


@pytest.mark.parametrize("problem", [SADDLE, DRIFT, QuadraticSum([[[1.0]], [[-1.0]]])])
def test_no_stability_where_iterates_drift(problem):
    found = MeanSquare(problem, 1)
    words = "negative eigenvalues, got -1" if problem is SADDLE else "null-space drift"
    for ask in (lambda: found.critical_step, lambda: found.spectral_radius(0.1), lambda: found.stationary(0.1)):
        with pytest.raises(ValueError, match=words):
            ask()
    assert np.isfinite(found.second_moment(0.1, np.ones(problem.dim), steps=5).variance).all()


def test_variance_grows_by_a_constant_factor_along_a_null_direction():
    found = MeanSquare(QuadraticSum([[[1.0]], [[-1.0]]], [[1.0], [1.0]]), 1)
    run = found.second_moment(0.5, [2.0], steps=3)
    np.testing.assert_allclose(run.w.values[:, 0], 2)
    np.testing.assert_allclose(run.variance + (run.w[:, 0] - 1) ** 2, 1.25 ** np.arange(4), rtol=1e-12)


def test_indefinite_samples_of_a_definite_mean_are_allowed():
    found = MeanSquare(INDEFINITE, 1)
    assert found.spectral_radius(found.critical_step) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("problem", [LeastSquares([[0.0, 0], [0, 0]], [1, 2]), QuadraticSum(np.zeros((2, 2, 2)))])
@pytest.mark.parametrize("beta", [0.0, 0.5])
def test_no_curvature_at_all(problem, beta):
    found = MeanSquare(problem, 1, beta=beta)
    assert found.critical_step == np.inf
    assert found.spectral_radius(3.0) == 0
    assert not found.stationary_covariance(3.0).any()
    assert [entry.name for entry in found.bounds()] == ["critical_step"]
    run = found.second_moment(3.0, [1.0, 2.0], steps=2)
    np.testing.assert_array_equal(run.w, [[1, 2]] * 3)
    assert not run.variance.any()


def test_overflow_is_a_result():
    run = MeanSquare(DESIGN, 1).second_moment(10.0, [1.0, 2.0], steps=[0, 1000])
    assert not np.isfinite(run.variance.values[1])


def test_one_sample():
    found = MeanSquare(LeastSquares([[1.0, 1]], [2.0]), 1)
    assert (found.p, found.kappa3) == (0, 0)
    assert found.critical_step == pytest.approx(1)
    assert MeanSquare(found.problem, 3, replacement=True).critical_step == pytest.approx(1)


def test_arrays_of_steps_and_labels():
    found = MeanSquare(THREE, 1, replacement=True, beta=0.5)
    assert found.spectral_radius([[0.1, 0.2]]).shape == (1, 2)
    assert isinstance(found.spectral_radius(0.1), float)
    assert repr(found) == "MeanSquare(QuadraticSum(n_samples=3, dim=2), batch_size=1, replacement=True, beta=0.5)"
    run = found.second_moment([0.1, 0.2], steps=[0, 4], covariance=True)
    assert run.covariance.dims == ("run", "step", "coord", "coord_2")
    assert run.eta.dims == ("run",)
    assert run.attrs["beta"] == 0.5
    single = found.second_moment(0.2, steps=[0, 4])
    assert single.variance.dims == ("step",)
    np.testing.assert_array_equal(single.variance, run.variance[1])


def test_bounds_as_a_table():
    table = MeanSquare(DESIGN, 2).bounds(batch_sharpness=0.9)
    assert len(table) == len(table.rows) == 9
    assert table["batch_sharpness"].step == pytest.approx(2 / 0.9)
    assert "critical_step" in repr(table)
    assert table._repr_html_().count("<tr>") == 10
    with pytest.raises(KeyError):
        table["sharpness"]


def test_bad_numbers_of_the_approximation():
    for bad in ({"eigenvalues": [-1.0]}, {"eigenvalues": []}, {"p": 1.5}, {"eta": 2.0}):
        with pytest.raises(ValueError, match=r"required|empty"):
            delocalised_kernel_norm(**{"eigenvalues": [1.0], "eta": 0.1, "p": 0.5} | bad)
    assert delocalised_step([0.0, 0.0], 0.5) == np.inf
    assert delocalised_step([2.0], 0.0) == 1
    with pytest.raises(ValueError, match="p <= 1"):
        delocalised_step([1.0], 2.0)


def test_small_noise_beside_large_targets_is_kept():
    problem = LeastSquares([[1, 0], [1, 0], [0, 1], [0, 1]], [1e13, 1e13, 1, -1])
    small = LeastSquares([[1, 0], [1, 0], [0, 1], [0, 1]], [1e3, 1e3, 1, -1])
    assert MeanSquare(problem, 1).stationary(0.1).excess_loss == pytest.approx(
        MeanSquare(small, 1).stationary(0.1).excess_loss, rel=1e-3
    )


def test_convergence_is_for_data_that_interpolate():
    noisy = MeanSquare(LeastSquares([[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1]), 1)
    with pytest.raises(ValueError, match=r"excess loss of 0\.309524"):  # 13/42
        noisy.convergence_factor(0.5)
    with pytest.raises(ValueError, match=r"1\.2"):
        noisy.convergence_factor(1.5)
    X, w = np.random.default_rng(0).standard_normal((6, 2)), np.array([1.0, -2.0])
    exact = MeanSquare(LeastSquares(X, X @ w), 2)
    eta = 0.5 * exact.critical_step
    moments = exact.second_moment(eta, steps=[200, 201]).excess_loss.values
    assert exact.convergence_factor(eta) == pytest.approx(moments[1] / moments[0], rel=1e-6)
    assert exact.convergence_factor(eta) < 1
