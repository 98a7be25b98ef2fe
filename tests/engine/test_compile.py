"""Rules of one's own: compiled once a machine, equal to NumPy bit for bit, refused where there is no compiled form."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import sympy as sp

import eossim
from eossim import Quadratic, Record, simulate
from eossim.domain import Interval
from eossim.symbolic import beta, eta, grad, m, norm, precond, rho, state, upcoming, w, weight_decay
from tests.engine.cases import assert_same_bits, block

g = grad(w)
v = state("v")
past = state("past")

#: Rules that commute with rotations, and how many state variables they have.
LINEAR = {
    "ascent": eossim.Rule("ascent", hyper=(eta, rho), update={w: w - eta * (grad(w + rho * g / norm(g)) + g) / 2}),
    "two_buffers": eossim.Rule(
        "two_buffers", hyper=(eta, beta), update={w: w - eta * (2 * g + beta * m) / 3, m: beta * m + g / norm(g)}
    ),
    "delayed": eossim.Rule("delayed", hyper=(eta, rho), update={w: w - eta * grad(past) + rho * (w - past), past: w}),
}
#: Rules that act on single coordinates.
ELEMENTWISE = {
    "projected": eossim.Rule("projected", hyper=(eta,), update={w: sp.Max(w - eta * g, 0)}),
    "boxed": eossim.Rule("boxed", hyper=(eta, rho), update={w: sp.Min(sp.Max(w - eta * g, -rho), rho)}),
    "signed": eossim.Rule("signed", hyper=(eta,), update={w: w - eta * sp.sign(g)}),
    "adaptive": eossim.Rule(
        "adaptive",
        hyper=(eta, beta),
        update={w: w - eta * g / (sp.sqrt(beta * v + (1 - beta) * g**2) + 1e-8), v: beta * v + (1 - beta) * g**2},
    ),
    "soft": eossim.Rule("soft", hyper=(eta,), update={w: w - eta * g / (1 + sp.Abs(g))}),
    "scaled": eossim.Rule("scaled", hyper=(eta, rho), update={w: w - eta * norm(w) * g / (norm(g) + rho)}),
}
MINE = LINEAR | ELEMENTWISE


@pytest.mark.parametrize("name", MINE)
@pytest.mark.parametrize("seed", range(8))
def test_fused_form_equals_numpy(name, seed):
    case = block(MINE[name], dim=1 + seed % 5, runs=1 + 17 * seed, dtype=("float64", "float32")[seed % 2], seed=seed)
    (states, kept), (expected_states, expected_kept) = case.fused(), case.oracle()
    assert_same_bits(kept, expected_kept)
    for one, other in zip(states, expected_states, strict=True):
        assert_same_bits(one, other)


@pytest.mark.parametrize("name", ["two_buffers", "projected", "adaptive"])
def test_dense_form_equals_numpy(name):
    case = block(MINE[name], dim=9, runs=128, dtype="float64", seed=3, dense=True)
    assert_same_bits(case.fused()[1], case.oracle()[1])


def test_symmetries_are_seen():
    for name, rule in LINEAR.items():
        assert rule.kernel.ROTATION_EQUIVARIANT, name
        assert not rule.kernel.CENTRED, name
    equivariant = {name for name, rule in ELEMENTWISE.items() if rule.kernel.ROTATION_EQUIVARIANT}
    assert equivariant == {"scaled"}
    centred = {name for name, rule in ELEMENTWISE.items() if rule.kernel.CENTRED}
    assert centred == {"projected", "boxed", "scaled"}
    assert LINEAR["delayed"].kernel.ITERATES == (True, True)
    assert LINEAR["two_buffers"].kernel.ITERATES == (True, False)


@pytest.mark.parametrize("kind", ["diagonal", "dense"])
def test_elementwise_rules_step_in_the_coordinates_of_the_problem(kind):
    spectrum, minimizer = [0.5, 1.0, 3.0], np.array([1.0, -2.0, 0.5])
    problem = (
        Quadratic(spectrum, minimizer) if kind == "diagonal" else Quadratic.from_spectrum(spectrum, minimizer=minimizer)
    )
    literal = {
        "projected": ({"eta": 0.3}, lambda p, d: np.maximum(p - 0.3 * d, 0)),
        "signed": ({"eta": 0.3}, lambda p, d: p - 0.3 * np.sign(d)),
        "soft": ({"eta": 0.3}, lambda p, d: p - 0.3 * d / (1 + np.abs(d))),
    }
    for name in ("projected",) if kind == "dense" else literal:
        values, step = literal[name]
        run = simulate(problem, MINE[name](**values), [2.01, 1.07, -0.93], 15, record=Record(what="w"))
        assert run.attrs["engine"] == kind
        point = np.array([2.01, 1.07, -0.93])
        for seen in run.w.values[0, 1:]:
            point = step(point, problem.grad(point))
            np.testing.assert_allclose(seen, point, rtol=1e-11, atol=1e-11, err_msg=name)


def test_elementwise_rules_are_not_rotated():
    problem = Quadratic.from_spectrum([0.5, 1.0, 3.0])
    for engine in ("diagonal", "reference"):
        with pytest.raises(ValueError, match=r"does not commute with rotations.*engine='dense'"):
            simulate(problem, MINE["projected"](eta=0.1), steps=2, engine=engine)


def test_rules_that_see_the_origin_keep_it():
    problem = Quadratic([1.0, 2.0], minimizer=[3.0, -1.0])
    run = simulate(problem, MINE["scaled"](eta=0.1, rho=0.5), [1.0, 1.0], 10, record=Record(what="w"))
    point = np.array([1.0, 1.0])
    for seen in run.w.values[0, 1:]:
        d = problem.grad(point)
        point = point - 0.1 * np.linalg.norm(point) * d / (np.linalg.norm(d) + 0.5)
        np.testing.assert_allclose(seen, point, rtol=1e-12)


def test_nan_survives_minimum_and_maximum():
    """A projection must not bring a lost run back from the dead."""
    kernel = MINE["boxed"].kernel
    states = [np.array([[np.nan, np.inf, 0.5]])]
    kept = np.empty((1, 1, 3))
    kernel.diagonal(*states, np.ones(1), np.zeros(1), np.full(3, 0.5), np.ones(3), np.array([1]), kept)
    np.testing.assert_array_equal(kept[0, 0], [np.nan, np.nan, 0.25])


def test_complex_crossing_is_the_edge_that_is_simulated():
    rule, values = LINEAR["delayed"], {"eta": 0.2, "rho": 0.3}
    edge = rule.edge
    assert "complex" in edge.crossing
    threshold = edge(**values)
    for factor, grows in ((0.98, False), (1.02, True)):
        run = simulate(Quadratic([factor * threshold]), rule(**values), [1.0], 3000, record=Record(what="loss"))
        assert (float(run.loss[0, -1]) > 1) == grows


# --- what has no compiled form ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({w: w - eta * sp.exp(-g) * g}, "exp cannot be compiled; use sums"),
        ({w: w - eta * sp.tanh(g)}, "tanh cannot be compiled"),
        ({w: w - eta * sp.Piecewise((g, g > 0), (0, True))}, "Piecewise cannot be compiled"),
        ({w: w - eta * g ** sp.Rational(1, 3)}, r"the power .* cannot be compiled"),
        ({w: w - eta * g - eta * precond(g)}, "plain and preconditioned gradients"),
        ({w: w - eta * sp.sign(precond(g))}, "beside a preconditioner"),
        ({w: w - eta * precond(g) / norm(precond(g))}, "beside a preconditioner"),
        ({w: w - eta * precond(g + 2 * eta * w)}, "must be one hyper-parameter"),
        ({w: w - eta * grad(upcoming(w)) / norm(g)}, "implicit step with a norm"),
    ],
)
def test_refused(update, message):
    rule = eossim.Rule("refused", hyper=(eta,), update=update)
    with pytest.raises(ValueError, match=message):
        rule(eta=0.1)


def test_implicit_decay_is_refused():
    rule = eossim.Rule(
        "refused", hyper=(eta, weight_decay), update={w: w - eta * (grad(upcoming(w)) + weight_decay * w)}
    )
    with pytest.raises(ValueError, match="decay towards the origin"):
        rule(eta=0.1, weight_decay=0.1)


@pytest.mark.parametrize("name", ["r", "i", "p", "dim", "stops", "kept", "product", "lambda", "g0_"])
def test_names_of_the_generated_source_are_refused(name):
    step = sp.Symbol(name, positive=True)
    rule = eossim.Rule("refused", hyper=(step,), update={w: w - step * g}, domain={name: Interval(0.0)})
    with pytest.raises(ValueError, match=f"cannot use the name.*{name}"):
        rule(**{name: 0.1})


def test_implicit_rules_of_ones_own():
    rule = eossim.Rule("midpoint", hyper=(eta,), update={w: w - eta * (grad(upcoming(w)) + g) / 2})
    run = simulate(Quadratic.from_spectrum([1.0, 50.0]), rule(eta=0.5), [1.0, 1.0], 3, record=Record(what="multiplier"))
    np.testing.assert_allclose(run.multiplier[0, 1:], (1 - 12.5) / (1 + 12.5), rtol=1e-10)


# --- the cache --------------------------------------------------------------------------------------------------------

SCRIPT = textwrap.dedent(
    """
    import eossim
    from eossim.symbolic import eta, grad, w
    rule = eossim.Rule("cached", hyper=(eta,), update={w: w - eta / 3 * grad(w)})
    run = eossim.simulate(eossim.Quadratic([3.0]), rule(eta=0.5), [8.0], 3, record=eossim.Record(what="w"))
    assert run.w.values.ravel().tolist() == [8.0, 4.0, 2.0, 1.0], run.w.values
    stats = rule.kernel.diagonal.stats
    print(rule.kernel.__file__, sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), sep="\\n")
    """
)


def in_a_process(cache):
    environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {"EOSSIM_CACHE": str(cache)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    file, hits, misses = done.stdout.split("\n")[:3]
    return Path(file), int(hits), int(misses)


def test_second_process_loads_what_the_first_compiled(tmp_path):
    file, hits, misses = in_a_process(tmp_path)
    assert file.parent == tmp_path / "kernels"
    assert (hits, misses) == (0, 1)
    before = sorted((p.name, p.stat().st_mtime_ns) for p in file.parent.rglob("*.py"))
    assert in_a_process(tmp_path) == (file, 1, 0)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in file.parent.rglob("*.py")) == before


def test_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "kernels").write_text("a file where the folder should be")
    file, hits, _ = in_a_process(tmp_path)
    assert tmp_path not in file.parents
    assert hits == 0


def test_only_a_zero_norm_means_a_zero_reciprocal():
    clip = sp.Symbol("clip", positive=True)
    g = grad(w)
    rule = eossim.Rule("offset", (eta, clip), {w: w - eta * g / (norm(g) - clip)})
    run = simulate(Quadratic([1.0]), rule(eta=0.1, clip=2.0), [1.0], 1, record=Record(what="w"))
    assert run.w.values[0, 1, 0] == pytest.approx(1 - 0.1 * 1 / (1 - 2))
