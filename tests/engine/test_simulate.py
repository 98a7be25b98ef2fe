"""What `simulate` returns: against steps written out by hand, against published numbers, and whatever the batch is."""

import math

import numpy as np
import pytest

import eossim
from eossim import LeastSquares, Quadratic, Record, rules, simulate
from eossim.engine import blocks
from tests.engine.cases import assert_same_bits

W = Record(what="w")
DIM, STEPS = 5, 40


def iterates(problem, method, w0, steps=STEPS, **options):
    return simulate(problem, method, w0, steps, record=W, **options).w.values[0]


def by_hand(step, w0, steps=STEPS, memory=0.0):
    """Iterate ``w, m = step(w, m)``."""
    w, m, seen = np.array(w0, float), memory, [np.array(w0, float)]
    for _ in range(steps):
        w, m = step(w, m)
        seen.append(w)
    return np.array(seen)


def unit(g):
    return g / np.linalg.norm(g)


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(1)
    return Quadratic.from_spectrum([0.0, 0.3, 1.0, 2.0, 3.0], seed=4, minimizer=rng.standard_normal(DIM))


@pytest.fixture(scope="module")
def w0():
    return np.random.default_rng(2).standard_normal(DIM)


def plain_steps(p):
    g = p.grad

    def heavy_ball(w, m):
        m = 0.7 * m + g(w)
        return w - 0.4 * m, m

    def nesterov(w, m):
        m = 0.7 * m + g(w)
        return w - 0.2 * (g(w) + 0.7 * m), m

    return {
        "gd": (rules.gd(eta=0.5), lambda w, m: (w - 0.5 * g(w), m)),
        "gd_weight_decay": (
            rules.gd_weight_decay(eta=0.5, weight_decay=0.2),
            lambda w, m: (w - 0.5 * (g(w) + 0.2 * w), m),
        ),
        "heavy_ball": (rules.heavy_ball(eta=0.4, beta=0.7), heavy_ball),
        "nesterov": (rules.nesterov(eta=0.2, beta=0.7), nesterov),
        "sam": (rules.sam(eta=0.5, rho=0.1), lambda w, m: (w - 0.5 * g(w + 0.1 * unit(g(w))), m)),
        "usam": (rules.usam(eta=0.3, rho=0.1), lambda w, m: (w - 0.3 * g(w + 0.1 * g(w)), m)),
    }


PLAIN = ("gd", "gd_weight_decay", "heavy_ball", "nesterov", "sam", "usam")


@pytest.mark.parametrize(
    ("name", "engine"),
    [(name, engine) for name in PLAIN for engine in ("diagonal", "reference")]
    + [(name, "dense") for name in ("gd", "gd_weight_decay", "heavy_ball", "sam")],
)
def test_definition_on_a_dense_hessian(problem, w0, name, engine):
    method, step = plain_steps(problem)[name]
    np.testing.assert_allclose(iterates(problem, method, w0, engine=engine), by_hand(step, w0), rtol=1e-10, atol=1e-10)


def preconditioner(kind):
    rng = np.random.default_rng(3)
    if kind == "diagonal":
        return rng.uniform(0.5, 3, DIM)
    root = rng.standard_normal((DIM, DIM))
    return root @ root.T + 0.5 * np.eye(DIM)


@pytest.mark.parametrize("kind", ["diagonal", "matrix"])
@pytest.mark.parametrize("name", ["adamw_frozen", "adam_l2", "preconditioned_gd", "nadam_frozen"])
def test_frozen_preconditioner_is_the_literal_update(problem, w0, name, kind):
    P = preconditioner(kind)
    inverse = np.diag(1 / P) if P.ndim == 1 else np.linalg.inv(P)
    eta, beta, decay = 0.2, 0.6, 0.15

    def step(w, m):
        gradient = problem.grad(w) + (decay * w if name == "adam_l2" else 0)
        direction = inverse @ gradient
        if name == "preconditioned_gd":
            return w - eta * direction, m
        m = beta * m + (1 - beta) * direction
        move = (1 - beta) * direction + beta * m if name == "nadam_frozen" else m
        return w - eta * move - (eta * decay * w if name == "adamw_frozen" else 0), m

    rule = rules.CATALOGUE[name]
    values = {"eta": eta, "beta1": beta, "weight_decay": decay}
    method = rule(P=P, **{n: values[n] for n in rule.hyper})
    np.testing.assert_allclose(iterates(problem, method, w0), by_hand(step, w0), rtol=1e-10, atol=1e-10)


def test_second_moment_and_steps_per_coordinate(w0):
    problem = Quadratic([1.0, 2.0, 3.0, 0.5, 0.0])
    nu_hat, eps = np.array([0.25, 1.0, 4.0, 0.0, 9.0]), 0.1
    P = np.sqrt(nu_hat) + eps
    run = iterates(problem, rules.rmsprop_frozen(eta=0.1, nu_hat=nu_hat, eps=eps), w0)
    np.testing.assert_allclose(run, by_hand(lambda w, m: (w - 0.1 * problem.grad(w) / P, m), w0), rtol=1e-12)
    etas = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    run = iterates(problem, rules.per_parameter_lr(etas=etas), w0)
    np.testing.assert_allclose(run, by_hand(lambda w, m: (w - etas * problem.grad(w), m), w0), rtol=1e-12)


def test_decay_inside_a_preconditioner_runs_each_value_in_its_own_basis(problem, w0):
    decays = np.array([0.3, 0.0, 0.3, 0.1])
    P = preconditioner("diagonal")
    together = simulate(
        problem,
        rules.adam_l2(eta=0.2, beta1=0.6, weight_decay=decays, P=P),
        w0,
        20,
        record=Record(what=("w", "multiplier", "sharpness")),
    )
    for run, decay in enumerate(decays):
        alone = simulate(
            problem,
            rules.adam_l2(eta=0.2, beta1=0.6, weight_decay=decay, P=P),
            w0,
            20,
            record=Record(what=("w", "multiplier", "sharpness")),
        )
        for name in ("w", "multiplier", "sharpness"):
            assert_same_bits(together[name].values[run], alone[name].values[0])


def test_least_squares(w0):
    rng = np.random.default_rng(7)
    problem = LeastSquares(rng.standard_normal((3, DIM)), rng.standard_normal(3))
    run = simulate(problem, rules.gd(eta=0.3), w0, STEPS, record=Record(what=("w", "loss", "grad_norm")))
    expected = by_hand(lambda w, m: (w - 0.3 * problem.grad(w), m), w0)
    np.testing.assert_allclose(run.w[0], expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.loss[0], problem.loss(expected), rtol=1e-10)
    np.testing.assert_allclose(run.grad_norm[0], np.linalg.norm(problem.grad(expected), axis=1), rtol=1e-9, atol=1e-14)


# --- published numbers ------------------------------------------------------------------------------------------------


def test_one_dimension_in_fractions():
    exact = ["29/50", "41/125", "221/1250", "269/3125", "989/31250", "-79/78125", "15151/781250", "-16336/1953125"]
    run = iterates(Quadratic([4.0]), rules.sam(eta=0.1, rho=0.05), [1.0], 60)[:, 0]
    values = [int(n) / int(d) for n, d in (f.split("/") for f in exact)]
    np.testing.assert_allclose(run[1:9], values, rtol=1e-12)
    assert np.argmax(run < 0) == 6
    assert run[60] == pytest.approx(-0.0124999999999879651, rel=1e-12)
    # eta times curvature is 2: the distance grows by 2 rho in every step
    assert abs(iterates(Quadratic([2.0]), rules.sam(eta=1.0, rho=0.1), [0.3], 50)[50, 0]) == pytest.approx(10.3)


def test_two_dimensions():
    problem, start = Quadratic([3.0, 1.0]), [0.4, -0.7]
    sam = iterates(problem, rules.sam(eta=0.2, rho=0.1), start, 400)
    expected = {
        1: (0.108173265946093994, -0.549922579489518277),
        2: (0.0127758109887468273, -0.422713576052329461),
        3: (-0.000307649493454106579, -0.318252567856830313),
        10: (0.00256238795569706988, 0.0122669443348333652),
    }
    for step, point in expected.items():
        np.testing.assert_allclose(sam[step], point, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.abs(sam[400]), [0.0428571428571428571, 0.0], atol=1e-12)
    usam = iterates(problem, rules.usam(eta=0.2, rho=0.1), start, 3)
    np.testing.assert_allclose(usam[1:], [(0.088, -0.546), (0.01936, -0.42588), (0.0042592, -0.3321864)], rtol=1e-12)


@pytest.mark.parametrize("engine", ["diagonal", "dense"])
def test_dense_two_by_two(engine):
    problem = Quadratic([[2.0, 1.0], [1.0, 3.0]], minimizer=[1.0, -1.0])
    keep = Record(what=("w", "loss", "grad_norm", "sharpness", "edge"))
    run = simulate(problem, rules.sam(eta=0.1, rho=0.2), [0.0, 0.0], 1, record=keep, engine=engine)
    np.testing.assert_allclose(run.w[0, 1], [1 / 10, -1 / 5 - math.sqrt(5) / 50], rtol=1e-12)
    assert float(run.loss[0, 0]) == pytest.approx(1.5, rel=1e-12)
    assert float(run.grad_norm[0, 0]) == pytest.approx(math.sqrt(5), rel=1e-12)
    assert float(run.sharpness[0, 0]) == pytest.approx(3.6180339887498948, rel=1e-12)
    assert float(run.edge[0, 0]) == pytest.approx(10.3740650128646062, rel=1e-12)
    if engine == "diagonal":
        usam = iterates(problem, rules.usam(eta=0.1, rho=0.2), [0.0, 0.0], 1)
        np.testing.assert_allclose(usam[1], [1 / 10, -3 / 10], rtol=1e-12)


# --- how a run starts -------------------------------------------------------------------------------------------------


def test_past_iterates_start_at_the_first_one():
    run = iterates(Quadratic([1.0], minimizer=[2.0]), rules.delayed_gd(eta=0.1, delay=3), [5.0], 6)[:, 0]
    past = [5.0] * 4
    for value in run[1:]:
        past.append(past[-1] - 0.1 * (past[-4] - 2.0))
        assert value == pytest.approx(past[-1], rel=1e-14)
    # three steps repeat the first gradient
    np.testing.assert_allclose(np.diff(run)[:4], -0.3, rtol=1e-13)


def test_buffers_start_at_zero():
    run = iterates(Quadratic([1.0], minimizer=[2.0]), rules.optimistic_gd(eta=0.1), [5.0], 2)[:, 0]
    assert run[1] == pytest.approx(5 - 0.1 * 2 * 3)
    assert run[2] == pytest.approx(run[1] - 0.1 * (2 * (run[1] - 2) - 3))


def test_random_starts_depend_on_seed_and_run_alone():
    problem, method = Quadratic([1.0, 2.0]), rules.gd(eta=np.full(5, 0.1))
    first = simulate(problem, method, steps=1, seed=3, record=W)
    again = simulate(problem, rules.gd(eta=np.full(2, 0.1)), steps=1, seed=3, record=W)
    other = simulate(problem, method, steps=1, seed=4, record=W)
    assert_same_bits(first.w.values[:2], again.w.values)
    assert not np.any(first.w[:, 0] == other.w[:, 0])
    streams = [np.random.default_rng(s).standard_normal(2) for s in np.random.SeedSequence(3).spawn(5)]
    np.testing.assert_array_equal(first.w[:, 0], streams)


# --- the batch --------------------------------------------------------------------------------------------------------

EVERYTHING = Record(what=("loss", "grad_norm", "w", "sharpness", "edge", "alignment", "multiplier"))


def same_datasets(one, other):
    for name in one.data_vars:
        assert_same_bits(one[name].values, other[name].values)


@pytest.mark.parametrize(
    ("engine", "dtype"), [("diagonal", "float64"), ("diagonal", "float32"), ("dense", "float64"), ("dense", "float32")]
)
def test_a_run_does_not_depend_on_its_neighbours(engine, dtype):
    rng = np.random.default_rng(0)
    problem = Quadratic.from_spectrum(rng.uniform(0.1, 3, 23), seed=1, minimizer=rng.standard_normal(23))
    eta, starts = rng.uniform(0.05, 3, 150), rng.standard_normal((150, 23))

    def run(chosen, **options):
        method = rules.sam(eta=eta[chosen], rho=0.1)
        return simulate(problem, method, starts[chosen], 60, record=EVERYTHING, engine=engine, dtype=dtype, **options)

    everything = run(slice(None))
    for chosen in ([0], [149], [7, 140], list(range(20, 90))):
        same_datasets(run(chosen), everything.isel(run=chosen))


@pytest.mark.parametrize("name", ["adam_l2", "gd"])
def test_a_dense_problem_is_measured_run_by_run(name):
    """Recorded products have the shape of one run, also where the coordinates are not orthogonal."""
    rng = np.random.default_rng(3)
    problem = LeastSquares(rng.standard_normal((30, 17)), rng.standard_normal(30))
    starts = rng.standard_normal((130, 17))
    extra = {"beta1": 0.5, "weight_decay": 0.1, "P": rng.uniform(1, 2, 17)} if name == "adam_l2" else {}
    keep = Record(what=("loss", "grad_norm", "w", "alignment", "multiplier"))
    method = rules.CATALOGUE[name](eta=0.3, **extra)
    everything = simulate(problem, method, starts, 400, record=keep)
    for chosen in ([0], [129], [3, 100]):
        same_datasets(simulate(problem, method, starts[chosen], 400, record=keep), everything.isel(run=chosen))


@pytest.mark.parametrize("engine", ["diagonal", "dense"])
def test_threads_and_blocks_change_nothing(engine, monkeypatch):
    rng = np.random.default_rng(0)
    problem = Quadratic.from_spectrum(rng.uniform(0.1, 3, 6), seed=1)
    method = rules.sam(eta=rng.uniform(0.05, 3, 700), rho=0.1)
    runs = [simulate(problem, method, steps=50, record=EVERYTHING, engine=engine, threads=n) for n in (1, 2, 3)]
    for size in (1, 1 << 30):
        monkeypatch.setattr(blocks, "_BLOCK_BYTES", size)
        runs.append(simulate(problem, method, steps=50, record=EVERYTHING, engine=engine))
    monkeypatch.setattr(blocks, "_KEPT_COORDINATES", 6 * 7)
    runs.append(simulate(problem, method, steps=50, record=EVERYTHING, engine=engine, threads=1))
    for other in runs[1:]:
        same_datasets(runs[0], other)


def test_block_widths():
    many = 10**6
    assert 256 <= blocks.block_width(100, 1, 8, many, dense=False) <= 320
    assert blocks.block_width(1, 1, 8, many, dense=False) == 512
    assert blocks.block_width(10**6, 3, 8, many, dense=False) == 64
    assert blocks.block_width(10**6, 3, 4, many, dense=False) == 128
    assert blocks.block_width(1, 1, 8, 100, dense=False) == 128
    assert blocks.block_width(100, 1, 8, 500, dense=False) == 256
    assert blocks.block_width(1, 1, 8, 1, dense=True) == blocks.block_width(500, 4, 8, many, dense=True)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps.*>= 1"),
        ({"steps": 3.5}, TypeError, "steps must be an integer"),
        ({"w0": [1.0]}, ValueError, r"w0 must have shape \(2,\)"),
        ({"w0": np.ones((1, 1, 2))}, ValueError, "w0 must be"),
        ({"w0": [1.0, np.nan]}, ValueError, r"w0 must be finite.*w0\[1\]"),
        ({"w0": np.ones((3, 2)), "method": rules.gd(eta=[0.1, 0.2])}, ValueError, "w0 holds 3 runs.*2"),
        ({"dtype": "float16"}, ValueError, "dtype must be one of"),
        ({"engine": "dens"}, ValueError, 'did you mean "dense"'),
        ({"threads": 0}, ValueError, "threads"),
        ({"seed": -1}, ValueError, "seed"),
        ({"method": rules.gd}, TypeError, "bound hyper-parameters"),
        ({"method": 0.1}, TypeError, "bound hyper-parameters"),
        ({"problem": lambda w: w}, TypeError, "problem must be a quadratic"),
        ({"method": rules.implicit_gd(eta=0.1), "engine": "dense"}, ValueError, "implicit"),
        ({"method": rules.adam_frozen(eta=0.1, beta1=0.5, P=np.ones(3))}, ValueError, "3 coordinates, the problem 2"),
    ],
)
def test_bad_input_names_itself(options, error, message):
    given = {"problem": Quadratic([1.0, 2.0]), "method": rules.gd(eta=0.1), "w0": None, "steps": 5} | options
    with pytest.raises(error, match=message):
        simulate(given.pop("problem"), given.pop("method"), given.pop("w0"), given.pop("steps"), **given)


def test_public_name():
    assert eossim.simulate is simulate
