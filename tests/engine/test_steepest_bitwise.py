"""Compiled steps of steepest descent equal their NumPy form bit for bit, and no run knows of the others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim import Quadratic, Record, adaptive_descent, normalized_steepest_descent, simulate, steepest_descent
from eossim.engine import blocks, steepest_run
from eossim.engine.views import rows_times
from eossim.norms import L1, L2, BlockMax, BlockSum, Linf
from eossim.problems import LeastSquares, MatrixFactorization
from tests.engine.cases import assert_same_bits
from tests.engine.descents import NORMS, hessian
from tests.strategies import seeds

METHODS = (steepest_descent, normalized_steepest_descent)
few = settings(max_examples=8)


def norm_of(name, dim, rng):
    if name.startswith("block"):
        parts = np.array_split(rng.permutation(dim), rng.integers(1, min(dim, 4) + 1))
        return (BlockSum if name == "block_sum" else BlockMax)([part.tolist() for part in parts])
    return {"l2": L2(), "l1": L1(), "linf": Linf()}[name]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("name", ["l2", "l1", "linf", "block_sum", "block_max"])
@few
@given(dim=st.integers(1, 9), seed=seeds, normalized=st.booleans(), wide=st.booleans(), far=st.booleans())
def test_compiled_steps_equal_the_numpy_ones(name, dense, dtype, dim, seed, normalized, wide, far):
    rng = np.random.default_rng(seed)
    dim, runs = 75 if wide and name == "l1" else dim, 128
    plan = steepest_run._plan(norm_of(name, dim, rng), dim)
    spectrum = rng.choice([0.0, 1.0, 1.0], dim) * rng.uniform(-0.5, 3, dim)
    curvature = spectrum.astype(dtype)
    if dense:
        q = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        curvature = np.ascontiguousarray((q * spectrum) @ q.T, dtype=dtype)
        curvature = (curvature + curvature.T) / 2
    x = rng.standard_normal((dim, runs)).astype(dtype)
    if far:  # squares overflow or underflow, of some blocks
        most = np.finfo(dtype).maxexp - 20
        x = np.ldexp(x, rng.integers(-most, most, runs) // rng.integers(1, 3, (dim, 1)))
    x[rng.random((dim, runs)) < 0.1] = 0
    x[:, rng.random(runs) < 0.1] = 0
    eta = (10 ** rng.uniform(-3, 3, runs)).astype(dtype)
    stops = np.unique(np.append(rng.integers(0, 100, 4), 100))
    found = []
    for make in (steepest_run._compiled, steepest_run._literal):
        advance, states = make(plan, x.copy(), curvature, eta, normalized, runs)
        kept = np.empty((stops.size, dim, runs), dtype)
        advance(states, stops, kept)
        advance(states, stops[-1:], more := np.empty((1, dim, runs), dtype))
        found.append((kept, more, states[0]))
    for one, other in zip(*found, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["l2", "l1", "linf", "block_sum", "block_max"])
def test_engines_agree_on_a_problem(name, method):
    rng = np.random.default_rng(3)
    problem = Quadratic(hessian(rng), minimizer=rng.standard_normal(6))
    one, other = (
        simulate(problem, method(NORMS[name], 10**rng_eta), steps=200, engine=engine, record=Record(what=("w", "loss")))
        for rng_eta in [np.linspace(-2, 3, 9)]
        for engine in ("dense", "reference")
    )
    assert_same_bits(one.w.values, other.w.values)
    assert (one.diverged_at >= 0).any() or method is normalized_steepest_descent
    np.testing.assert_array_equal(one.diverged_at, other.diverged_at)


@pytest.mark.parametrize("dim", [1, 5, 23, 64, 130])
def test_every_row_of_a_product_rounds_alike(dim):
    rng = np.random.default_rng(dim)
    H, rows = rng.standard_normal((dim, dim)), rng.standard_normal((40, dim))
    together = rows_times(H, rows)
    np.testing.assert_allclose(together, rows @ H, rtol=1e-9, atol=1e-12)
    for i in (0, 7, 15, 16, 39):
        assert_same_bits(rows_times(H, rows[i]), together[i])
    assert_same_bits(rows_times(H, rows[3:].reshape(37, 1, dim))[:, 0], together[3:])


EVERYTHING = Record(what=("w", "loss", "grad_norm", "dual_norm", "directional_smoothness", "edge", "identity_residual"))


def problems():
    rng = np.random.default_rng(8)
    return {
        "diagonal": Quadratic(rng.uniform(0.1, 2, 6)),
        "dense": Quadratic(hessian(rng), minimizer=rng.standard_normal(6)),
        "least squares": LeastSquares(rng.standard_normal((9, 6)), rng.standard_normal(9)),
        "factorization": MatrixFactorization(rng.standard_normal((1, 2)), 2),
    }


def same(one, other):
    for name in one.data_vars:
        assert_same_bits(one[name].values, other[name].values)


@pytest.mark.parametrize("kind", problems())
@pytest.mark.parametrize("name", NORMS)
def test_a_run_does_not_depend_on_its_neighbours(name, kind):
    rng, problem = np.random.default_rng(0), problems()[kind]
    eta, starts = rng.uniform(0.02, 0.3, 70), rng.standard_normal((70, 6))

    def run(chosen):
        return simulate(problem, steepest_descent(NORMS[name], eta[chosen]), starts[chosen], 12, record=EVERYTHING)

    everything = run(slice(None))
    for chosen in ([0], [69], [7, 40]):
        same(run(chosen), everything.isel(run=chosen))


@pytest.mark.parametrize("step", ["cauchy", "dai_yang", "strongly_adapted", "polyak"])
@pytest.mark.parametrize("kind", ["diagonal", "dense", "factorization"])
def test_an_adaptive_run_does_not_depend_on_its_neighbours(step, kind):
    problem, starts = problems()[kind], np.random.default_rng(0).standard_normal((9, 6))
    everything = simulate(problem, adaptive_descent(step), starts, 8, record=EVERYTHING)
    for chosen in ([0], [3, 8]):
        same(
            simulate(problem, adaptive_descent(step), starts[chosen], 8, record=EVERYTHING),
            everything.isel(run=chosen),
        )


@pytest.mark.parametrize("name", ["l2", "l1", "linf", "block_max", "spectral", "own"])
def test_threads_and_blocks_change_nothing(name, monkeypatch):
    problem, eta = problems()["dense"], np.linspace(0.02, 2, 300)
    runs = [simulate(problem, steepest_descent(NORMS[name], eta), steps=40, threads=n) for n in (1, 2, 3)]
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(steepest_run, "_NUMPY_BLOCK", 100)
    runs.append(simulate(problem, steepest_descent(NORMS[name], eta), steps=40))
    for other in runs[1:]:
        same(runs[0], other)


@pytest.mark.parametrize("name", ["l1", "linf", "spectral"])
def test_what_is_kept_changes_nothing(name):
    problem, method = problems()["dense"], steepest_descent(NORMS[name], 0.3)
    full = simulate(problem, method, steps=101, record=EVERYTHING)
    some = simulate(problem, method, steps=101, record=Record(at=[0, 1, 50, 101], what="w"))
    assert_same_bits(some.w.values, full.w.sel(step=some.step).values)
    assert "telescoped_residual" not in some
