"""The floor of normalised SAM: reference values, and where simulations end."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eossim
from eossim import rules
from eossim.problems import KernelRegression, LeastSquares
from eossim.theory import noise_floor
from tests.strategies import seeds

V1 = LeastSquares([[1.0, 0], [0, 2], [1, 1]], [1.0, 2, 3])
V6 = (0.141806493172143731, 0.0177723245843373015, 0.035544649168674603)
NAMES = ("amplitude", "train_loss_excess", "risk_excess")


def floor_of(problem, **values):
    found = noise_floor(problem, rules.sam(**values))
    return [float(found[name][0]) for name in NAMES]


def simulated_floor(problem, steps=4000, seed=0, **values):
    """Amplitude along v_1, excess of the loss and of the mean squared fit, over the last two steps."""
    run = eossim.simulate(
        problem, rules.sam(**values), steps=steps, seed=seed,
        record=eossim.Record(what=("loss", "w"), at=[steps - 1, steps]),
    )  # fmt: skip
    away = run.w.values[0] - problem.minimizer
    modes = problem.modes
    np.testing.assert_allclose(away.mean(axis=0) @ modes.coordinates, 0, atol=1e-9)
    fits = problem.fitted(run.w.values[0]) - problem.fitted(problem.minimizer)
    amplitude = np.abs(away @ modes.coordinates[:, 0])
    np.testing.assert_allclose(amplitude[0], amplitude[1], rtol=1e-8)
    return [amplitude[1], run.loss.values[0, 1] - problem.offset, (fits**2).sum(axis=1).mean() / problem.n_samples]


def test_reference_values():
    np.testing.assert_allclose(floor_of(V1, eta=0.25, rho=0.5), V6, rtol=1e-12)


def test_reference_values_by_simulation():
    np.testing.assert_allclose(simulated_floor(V1, eta=0.25, rho=0.5), V6, rtol=1e-8)


@pytest.mark.parametrize(("eta", "rho"), [(0.25, 0.5), (0.8, 0.01), (1.0, 2.0), (0.05, 0.3)])
@pytest.mark.parametrize(
    "problem",
    [
        V1,
        LeastSquares([[1.0, 0.2, 0.0], [0.0, 0.5, 0.3]], [1.0, -1.0], normalize=False),
        LeastSquares([[1.0, 0.0], [0.5, 0.5], [0.0, 0.4], [0.1, 0.1]], [1.0, 2, 3, 4], loss_scale=1.5),
        KernelRegression([[2.0, 0.5, 0.1], [0.5, 1.5, 0.2], [0.1, 0.2, 1.0]], [1.0, -1.0, 0.5]),
    ],
    ids=["V1", "wide", "scaled", "kernel"],
)
def test_simulations_end_on_the_floor(problem, eta, rho):
    eta, rho = eta / problem.modes.curvature[0], rho * 0.5
    found = simulated_floor(problem, eta=eta, rho=rho)
    expected = floor_of(problem, eta=eta, rho=rho)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-7)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-6, atol=1e-14 * max(1.0, problem.offset))
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-6)


@settings(max_examples=15)
@given(st.floats(1e-9, 1.999), st.floats(1e-12, 1e6), seeds)
def test_closed_form(share, rho, seed):
    rng = np.random.default_rng(seed)
    problem = LeastSquares(rng.standard_normal((5, 3)), rng.standard_normal(5))
    top = problem.modes.curvature[0]
    eta = share / top
    amplitude = eta * rho * top / (2 - eta * top)
    found = floor_of(problem, eta=eta, rho=rho)
    np.testing.assert_allclose(found, [amplitude, top * amplitude**2 / 2, top * amplitude**2], rtol=1e-9)


def test_risk_excess_is_twice_the_loss_excess_over_twice_c():
    """L excess = c |X (w - w_OLS)|^2: with c = 1/(2 n) the risk excess is twice that, with c = s it is 1/(s n)."""
    X = np.random.default_rng(0).standard_normal((6, 2))
    for normalize, scale in [(True, 0.5), (True, 2.0), (False, 0.5), (False, 0.1)]:
        problem = LeastSquares(X, np.zeros(6), normalize=normalize, loss_scale=scale)
        _, loss, risk = floor_of(problem, eta=0.3 / problem.modes.curvature[0], rho=0.2)
        np.testing.assert_allclose(risk, loss / (problem.loss_factor * 6), rtol=1e-12)


def test_no_ascent_has_no_floor():
    for rho in (0.0, [0.0, 0.5], [0.0, 0.0]):
        found = noise_floor(V1, rules.sam(eta=0.25, rho=rho))
        assert found.amplitude[0] == found.train_loss_excess[0] == found.risk_excess[0] == 0
        if np.size(rho) == 2 and rho[1]:
            np.testing.assert_allclose(found.amplitude[1], V6[0], rtol=1e-12)


def test_a_batch_of_runs():
    found = noise_floor(V1, rules.sam(eta=[0.25, 0.5, 0.1], rho=0.5))
    assert found.eta.values.tolist() == [0.25, 0.5, 0.1]
    for run, eta in enumerate((0.25, 0.5, 0.1)):
        np.testing.assert_allclose([found[n][run] for n in NAMES], floor_of(V1, eta=eta, rho=0.5), rtol=1e-14)


@pytest.mark.parametrize(
    ("problem", "method", "message"),
    [
        (V1, rules.usam(eta=0.1, rho=0.1), "method must be sam"),
        (V1, rules.gd(eta=0.1), "method must be sam"),
        (V1, rules.sam, "method must be sam"),
        (V1, "sam", "method must be sam"),
        (V1, rules.sam(eta=1.2, rho=0.1), "eta \\* lambda_1 < 2"),
        (V1, rules.sam(eta=[0.1, 2 / V1.modes.curvature[0]], rho=0.1), "eta \\* lambda_1 < 2"),
        (LeastSquares(np.eye(3), np.zeros(3)), rules.sam(eta=0.1, rho=0.1), "largest curvature must be positive"),
        (LeastSquares(np.zeros((3, 2)), np.zeros(3)), rules.sam(eta=0.1, rho=0.1), "largest curvature must be"),
    ],
)
def test_bad_input_is_named(problem, method, message):
    with pytest.raises(ValueError, match=message):
        noise_floor(problem, method)


def test_another_problem_is_named():
    with pytest.raises(TypeError, match="problem"):
        noise_floor(eossim.Quadratic([1.0, 2.0]), rules.sam(eta=0.1, rho=0.1))
