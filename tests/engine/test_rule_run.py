"""Rules on problems that are no quadratics: their NumPy step, with nothing but the gradient."""

import numpy as np
import pytest

from eossim import Quadratic, Record, minibatch, rules, simulate
from eossim.problems import Function, MatrixFactorization
from tests.engine.cases import assert_same_bits

CURVATURE = np.array([0.5, 1.0, 3.0])


def disguised(curvature):
    """A quadratic that does not say so."""
    return Function(3, lambda w: 0.5 * (curvature * w * w).sum(-1), lambda w: curvature * w)


@pytest.mark.parametrize(
    "method",
    [
        rules.gd(eta=[0.1, 0.3]),
        rules.heavy_ball(eta=0.2, beta=0.7),
        rules.nesterov(eta=0.1, beta=0.5),
        rules.sam(eta=0.2, rho=0.1),
        rules.gd_weight_decay(eta=0.2, weight_decay=0.1),
        rules.delayed_gd(eta=0.1, delay=2),
        rules.normalised(eta=0.1),
    ],
    ids=lambda method: method.rule.name,
)
def test_a_quadratic_in_disguise(method):
    keep = Record(what=("loss", "grad_norm", "w", "edge"))
    plain = simulate(disguised(CURVATURE), method, [1.0, -2.0, 0.5], 40, record=keep)
    known = simulate(Quadratic(CURVATURE), method, [1.0, -2.0, 0.5], 40, record=keep)
    for name in ("loss", "grad_norm", "w", "edge"):
        np.testing.assert_allclose(plain[name], known[name], rtol=1e-9, atol=1e-13, err_msg=name)
    assert plain.attrs["engine"] == "reference"
    assert plain.attrs["rule"] == method.rule.name


def test_gradient_descent_on_a_factorization_diverges_above_its_edge():
    problem = MatrixFactorization([[1.0]], 1)
    start = np.array([1.6, 0.625])  # a minimiser with top eigenvalue a² + b²
    edge = 2 / (start**2).sum()
    run = simulate(problem, rules.gd(eta=[0.9 * edge, 1.1 * edge]), start + 1e-3, 200)
    assert float(run.loss[0, -1]) < 1e-12
    assert float(run.loss[1].max()) > 1e-3
    lost = simulate(problem, rules.gd(eta=[0.1, 10.0]), [3.0, 2.0], 50)
    assert lost.diverged_at[0] == -1
    assert lost.diverged_at[1] > 0


def test_a_run_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(0)
    problem, starts = MatrixFactorization(rng.standard_normal((3, 4)), 2), rng.standard_normal((20, 14))
    method = rules.sam(eta=0.05, rho=0.1)
    everything = simulate(problem, method, starts, 30, threads=1)
    two = simulate(problem, method, starts, 30, threads=2)
    some = simulate(problem, method, starts[[3, 17]], 30)
    assert_same_bits(two.loss.values, everything.loss.values)
    assert_same_bits(some.loss.values, everything.loss.values[[3, 17]])


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (rules.implicit_gd(eta=0.1), {}, ValueError, "implicit: it runs on quadratics"),
        (rules.preconditioned_gd(eta=0.1, P=np.ones(3)), {}, ValueError, "preconditioned: it runs on quadratics"),
        (rules.gd(eta=0.1), {"engine": "diagonal"}, ValueError, "no quadratic.*'diagonal'"),
        (rules.gd(eta=0.1), {"dtype": "float32"}, ValueError, "no quadratic.*float32"),
        (rules.gd(eta=0.1), {"record": Record(what="sharpness")}, ValueError, '"sharpness" is not recorded of gd'),
        (rules.gd(eta=0.1), {"record": Record(what="multiplier")}, ValueError, '"multiplier" is not recorded'),
        (minibatch(rules.gd(eta=0.1), batch_size=1), {}, TypeError, "problem must have samples"),
    ],
)
def test_refused(method, options, error, message):
    with pytest.raises(error, match=message):
        simulate(disguised(CURVATURE), method, steps=3, **options)


def test_neither_a_quadratic_nor_a_gradient():
    with pytest.raises(TypeError, match=r"problem must be a quadratic.*dim, loss\(w\) and grad\(w\), got ndarray"):
        simulate(np.eye(2), rules.gd(eta=0.1), steps=3)
