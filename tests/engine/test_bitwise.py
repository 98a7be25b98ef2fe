"""A compiled kernel equals its NumPy twin bit for bit, whatever the shape of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eossim
from eossim import rules
from tests.engine.cases import RULES, assert_same_bits, block, hyper_parameters
from tests.strategies import seeds, spectra

DENSE = ("gd", "gd_weight_decay", "heavy_ball", "sam", "sam_nesterov")
few = settings(max_examples=12)


def same(case):
    (states, kept), (expected_states, expected_kept) = case.fused(), case.oracle()
    assert_same_bits(kept, expected_kept)
    for one, other in zip(states, expected_states, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("name", RULES)
@few
@given(dim=st.integers(1, 7), runs=st.integers(1, 200), seed=seeds, dtype=st.sampled_from(["float64", "float32"]))
def test_fused_kernel_equals_the_numpy_step(name, dim, runs, seed, dtype):
    same(block(RULES[name], dim, runs, dtype, seed))


@pytest.mark.parametrize("name", ["gd", "sam", "usam", "heavy_ball"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_cases_reach_overflow(name, dtype):
    states, _ = block(RULES[name], 5, 200, dtype, 0).fused()
    assert 0 < np.isfinite(states[0]).all(axis=0).sum() < 200


@pytest.mark.parametrize("name", DENSE)
@few
@given(dim=st.integers(1, 40), seed=seeds)
def test_dense_kernel_equals_the_numpy_step(name, dim, seed):
    same(block(RULES[name], dim, 128, "float64", seed, dense=True))


@pytest.mark.parametrize("dim", [1, 3, 4, 30])
def test_dense_kernel_equals_the_numpy_step_in_float32(dim):
    same(block(RULES["sam"], dim, 128, "float32", 3, dense=True))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("dim", [5, 23, 64, 200])
def test_every_lane_of_a_product_rounds_alike(dim, dtype):
    case = block(RULES["gd"], dim, 128, dtype, 3, dense=True, steps=3)
    case.states[0][:] = case.states[0][:, :1]
    case.hyper[0][:] = 0.1
    kept = case.fused()[1]
    assert_same_bits(kept, np.broadcast_to(kept[:, :, :1], kept.shape).copy())


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@few
@given(spectrum=spectra(max_dim=7), seed=seeds, runs=st.integers(1, 200))
def test_sam_without_ascent_is_gradient_descent(dtype, spectrum, seed, runs):
    problem, eta = eossim.Quadratic(spectrum), hyper_parameters(rules.gd, runs, np.random.default_rng(seed))["eta"]
    keep = eossim.Record(what="w")
    plain = eossim.simulate(problem, rules.gd(eta=eta), steps=60, seed=seed, record=keep, dtype=dtype)
    sharp = eossim.simulate(problem, rules.sam(eta=eta, rho=0.0), steps=60, seed=seed, record=keep, dtype=dtype)
    np.testing.assert_array_equal(plain.diverged_at, sharp.diverged_at)
    finite = np.isfinite(plain.w).all("coord").values
    np.testing.assert_array_equal(plain.w.values[finite], sharp.w.values[finite])


@pytest.mark.parametrize("name", RULES)
def test_engines_agree_on_a_problem(name):
    """Through `simulate`, with coordinates, preconditioners and recording around the kernel."""
    rule, rng = RULES[name], np.random.default_rng(5)
    problem = eossim.Quadratic.from_spectrum(np.linspace(-0.1, 3, 4), seed=2, minimizer=rng.standard_normal(4))
    values = hyper_parameters(rule, 9, rng)
    if "weight_decay" in values:
        values["weight_decay"] = np.where(np.arange(9) % 2, 0.3, 0.0)
    if rule.kernel.PRECONDITIONED:
        key = "P" if rule.hyper else "etas"
        values[key] = np.array([0.5, 1.0, 2.0, 3.0])
    keep = eossim.Record(what=("w", "loss"))
    fused, oracle = (
        eossim.simulate(problem, rule(**values), steps=150, record=keep, engine=engine)
        for engine in ("diagonal", "reference")
    )
    assert_same_bits(fused.w.values, oracle.w.values)
    assert_same_bits(fused.loss.values, oracle.loss.values)
    np.testing.assert_array_equal(fused.diverged_at, oracle.diverged_at)


def test_zero_gradient_is_a_fixed_point():
    problem = eossim.Quadratic([2.0, 0.0], minimizer=[1.0, -1.0])
    for name in ("gd", "sam", "normalised", "clipped_gd", "sam_heavy_ball"):
        rule = RULES[name]
        values = {n: 0.5 for n in rule.hyper}
        run = eossim.simulate(problem, rule(**values), [1.0, 3.0], steps=5, record=eossim.Record(what="w"))
        np.testing.assert_array_equal(run.w[0], np.broadcast_to([1.0, 3.0], (6, 2)), err_msg=name)
