import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.sparse.linalg import LinearOperator, eigsh

from eossim import sgd
from eossim.engine.record import Record
from eossim.experiments import catapult, stochastic_edge
from eossim.experiments.digits import random_labels
from eossim.plot import network_catapult, network_noise, network_stochastic
from eossim.training import train

from .quick import quick


@pytest.fixture(scope="module")
def edges():
    return quick("stochastic_edge")


@pytest.fixture(scope="module")
def changes():
    return quick("catapult")


@pytest.fixture(scope="module")
def controls():
    return quick("noise_controls")


# Section 1 of the notes: first weights, loss, ‖g‖², λ_max, gᵀHg/‖g‖², loss after ten steps with b = 8.
START = {
    0: (
        (0.0705491314, -0.0487666283, 0.0462821650),
        (1.5310840299, 13.6012054357, 16.9108251726, 14.9930116707, 1.0298319869),
    ),
    2: (
        (-0.0237718765, 0.0502218638, 0.0334269205),
        (1.3580352827, 8.9827568103, 14.7876802619, 13.6317100405, 1.0107325216),
    ),
}


@pytest.mark.parametrize("seed", START)
def test_check_values_of_the_notes(seed):
    problem, start = random_labels(seed, np.float64)
    weights, expected = START[seed]
    assert start[:3] == pytest.approx(weights, abs=1e-10)
    product = problem.linearize(start).hvp
    operator = LinearOperator((problem.dim,) * 2, matvec=lambda v: product(v.ravel()), dtype=np.float64)
    first = np.random.default_rng(0).standard_normal(problem.dim)
    top = eigsh(operator, 1, which="LA", v0=first, return_eigenvectors=False)[0]
    method = sgd(eta=0.05, batch_size=8, sampling="reshuffle")
    record = Record(at=[0, 10], what=("loss", "grad_norm"), track=("sharpness", "batch_sharpness[1024]"))
    run = train(problem, method, start, 10, record=record, seed=seed).isel(run=0)
    first = run.isel(step=0)
    found = [first.loss, first.grad_norm**2, top, first["batch_sharpness[1024]"], run.loss[1]]
    assert [float(value) for value in found] == pytest.approx(expected, rel=2e-10)
    assert float(first.sharpness) == pytest.approx(top, rel=1e-6)


@pytest.mark.parametrize("b", stochastic_edge.QUICK)
def test_batch_sharpness_sits_at_the_edge(edges, b):
    row = edges.row(b=b)
    assert row["2/eta"] == 40
    assert row["as_expected"], row


def test_sharpness_is_suppressed_by_small_batches(edges):
    tops = edges.column("lambda_max")
    assert tops[0] < 0.55 < 0.92 < min(tops[1:])
    full = edges.row(b=1024)
    assert full["RM"] == pytest.approx(full["BS"], rel=1e-12)
    assert full["GNI"] == pytest.approx(full["BS"], rel=0.05)  # a ratio of sums over the window, not a mean of ratios


def test_only_late_changes_that_lower_the_edge_are_catapults(changes):
    assert all(changes.column("as_expected")), changes
    late = {row["change"]: row for row in changes.rows if row["step"] == catapult.LATE}
    assert min(late[name]["BS_before"] for name in ("η → 0.1", "b → 4")) > 1.3
    assert late["b → 32"]["BS_before"] < 0.5


def test_batches_hold_sharpness_down(controls):
    assert all(controls.column("as_expected")), controls


def test_figures(edges, changes, controls):
    figure, numbers = network_stochastic(edges)
    assert isinstance(figure, Figure)
    run = edges.runs["b = 8, seed 0"]
    np.testing.assert_array_equal(numbers["b = 8: batch_sharpness"], run.batch_sharpness.values)
    assert np.isfinite(numbers["b = 8: sharpness"]).sum() == -(-run.sizes["step"] // stochastic_edge.EVERY)
    for drawn, rows in ((network_catapult(changes), 51), (network_noise(controls), 4)):
        assert isinstance(drawn[0], Figure)
        assert {len(column) for column in drawn[1].values()} == {rows}
