"""Divergence is a result: the first step at which an iterate is not finite."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim import Quadratic, Record, rules, simulate
from eossim.engine.reference import quadratic_gradient, sequential_norm
from tests.engine.cases import RULES, hyper_parameters
from tests.strategies import seeds


def first_lost_step(kernel, states, curvature, hyper, steps):
    """Step the NumPy form of a rule one step at a time."""
    gradient = quadratic_gradient(curvature, np.zeros_like(curvature), centred=False)
    lost = np.full(states[0].shape[1], -1)
    with np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            states = kernel.step(*states, grad=gradient, norm=sequential_norm, **hyper)
            lost[(lost < 0) & ~np.isfinite(states[0]).all(axis=0)] = step
    return lost


@pytest.mark.parametrize("name", ["gd", "heavy_ball", "sam", "usam", "delayed_gd_2", "runge_kutta_4"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@settings(max_examples=8)
@given(seed=seeds, runs=st.integers(1, 100), dim=st.integers(1, 4), steps=st.integers(1, 400))
def test_first_step_that_is_not_finite(name, dtype, seed, runs, dim, steps):
    rule, rng = RULES[name], np.random.default_rng(seed)
    curvature = rng.uniform(0, 5, dim)
    starts, values = rng.standard_normal((runs, dim)), hyper_parameters(rule, runs, rng)
    start = starts.T.astype(dtype)
    states = [start.copy() if copy else np.zeros_like(start) for copy in rule.kernel.ITERATES]
    cast = {n: v.astype(dtype) for n, v in values.items()}
    expected = first_lost_step(rule.kernel, states, curvature.astype(dtype), cast, steps)
    for keep in (Record(what=()), Record(what="w"), Record(at=[0, steps])):
        run = simulate(Quadratic(curvature), rule(**values), starts, steps, record=keep, dtype=dtype)
        np.testing.assert_array_equal(run.diverged_at, expected)


def test_a_lost_run_keeps_its_finite_past_and_its_neighbours():
    run = simulate(Quadratic([1.0]), rules.gd(eta=[0.5, 1e30, 1.9]), [1.0], 30, record=Record(what="w"))
    assert run.diverged_at.values.tolist() == [-1, 11, -1]
    assert np.isfinite(run.w[1, :11]).all()
    assert not np.isfinite(run.w[1, 11:]).any()
    assert np.isfinite(run.w[[0, 2]]).all()


def test_the_dense_engine_sees_it_too():
    problem = Quadratic.from_spectrum([1.0, 2.0], seed=0)
    run = simulate(problem, rules.gd(eta=[0.5, 1e30]), [1.0, 1.0], 30, engine="dense", record=Record(what="w"))
    lost = ~np.isfinite(run.w.values).all(axis=2)
    assert run.diverged_at.values.tolist() == [-1, int(np.argmax(lost[1]))]


@pytest.mark.parametrize("steps", [1, 63, 64, 65, 2000, 5000])
def test_never_diverged_is_minus_one(steps):
    run = simulate(Quadratic([1.0, 0.0]), rules.gd(eta=2.0), [1.0, 1.0], steps, record=Record(what=()))
    assert run.diverged_at.values.tolist() == [-1]
