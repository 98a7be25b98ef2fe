"""Mini-batch methods on the compiled engine: bit for bit the plain ones, and what theory says about them."""

import math
import tracemalloc

import numpy as np
import pytest

from eossim import (
    KernelRegression,
    LeastSquares,
    Quadratic,
    QuadraticSum,
    Record,
    minibatch,
    noisy_gd,
    rules,
    sgd,
    simulate,
)
from eossim._jit import kernel
from eossim.engine import stochastic
from eossim.engine.rows import add, aligned_zeros, dot, padded
from eossim.engine.sampling import Minibatch
from tests.engine.plain import PlainRun
from tests.engine.plain import dot as plain_dot


@kernel
def _dot(a, i, b, j):
    return dot(a, i, b, j)


@kernel
def _add(a, i, factor, b, j):
    add(a, i, factor, b, j)


METHODS = {
    "gd": rules.gd(eta=0.2),
    "heavy_ball": rules.heavy_ball(eta=0.1, beta=0.7),
    "nesterov": rules.nesterov(eta=0.1, beta=0.7),
    "usam": rules.usam(eta=0.2, rho=0.1),
    "sam": rules.sam(eta=0.2, rho=0.1),
}
SAMPLINGS = [
    (1, "without_replacement"),
    (3, "without_replacement"),
    (7, "without_replacement"),
    (1, "iid"),
    (9, "iid"),
    (1, "reshuffle"),
    (3, "reshuffle"),
]
NOISES = ["isotropic", "diagonal", "gaussian"]
WHOLE = Record(what=("w", "loss"))


def regression(n=7, dim=3, seed=0, **how):
    rng = np.random.default_rng(seed)
    return LeastSquares(rng.standard_normal((n, dim)), rng.standard_normal(n), **how)


def quadratics(n=7, dim=3, seed=1):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((n, dim, dim)) / 2
    return QuadraticSum(roots @ roots.transpose(0, 2, 1), rng.standard_normal((n, dim)))


PROBLEMS = {
    "regression": regression(),
    "wide": regression(dim=11),
    "quadratics": quadratics(),
    "wide quadratics": quadratics(dim=9),
}
problems = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def assert_plain(problem, method, steps=25, runs=3, seed=7):
    w0 = np.random.default_rng(3).standard_normal((runs, problem.dim))
    found = simulate(problem, method, w0, steps, record=WHOLE, seed=seed)
    for run in range(runs):
        iterates = PlainRun(problem, method, seed, run).iterates(w0[run], steps)
        np.testing.assert_array_equal(found.w[run], iterates)
        np.testing.assert_allclose(found.loss[run], problem.loss(iterates), rtol=1e-12)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 24, 70])
def test_rows_are_summed_eight_apart(length):
    rng = np.random.default_rng(length)
    a, b = rng.standard_normal((2, 4, length))
    left, right = padded(a), padded(b)
    assert left.ctypes.data % 64 == 0
    assert left.shape[1] % 8 == 0
    out = np.array([_dot(left, i, right, 3 - i) for i in range(4)])
    np.testing.assert_array_equal(out, [plain_dot(a[i].tolist(), b[3 - i].tolist()) for i in range(4)])
    _add(left, 2, -0.3, right, 1)
    a[2] += -0.3 * b[1]
    np.testing.assert_array_equal(left[:, :length], a)
    assert (left[:, length:] == 0).all()
    assert (aligned_zeros(3, 8) == 0).all()


def test_rows_of_other_arrays_are_refused():
    from numba.core.errors import NumbaError

    with pytest.raises(NumbaError, match="rows are those of C-ordered 2-D arrays"):
        _dot(np.zeros((8, 8), np.float32), 0, np.zeros((8, 8), np.float32), 0)


@problems
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("size", "sampling"), SAMPLINGS)
def test_runs_equal_the_plain_ones_bit_for_bit(problem, name, size, sampling):
    assert_plain(problem, minibatch(METHODS[name], batch_size=size, sampling=sampling))


@problems
@pytest.mark.parametrize("name", ["usam", "sam"])
@pytest.mark.parametrize(("size", "sampling"), SAMPLINGS[:5])
def test_so_with_independent_batches_for_the_ascent(problem, name, size, sampling):
    assert_plain(problem, minibatch(METHODS[name], batch_size=size, sampling=sampling, ascent="independent"))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("size", "sampling"), SAMPLINGS)
def test_so_with_label_noise(name, size, sampling):
    assert_plain(PROBLEMS["wide"], minibatch(METHODS[name], batch_size=size, sampling=sampling, label_noise=0.4))
    if name in ("usam", "sam") and sampling != "reshuffle":
        how = {"batch_size": size, "sampling": sampling, "label_noise": 0.4, "ascent": "independent"}
        assert_plain(PROBLEMS["wide"], minibatch(METHODS[name], **how))


@problems
@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("name", ["gd", "heavy_ball", "nesterov"])
@pytest.mark.parametrize(("size", "sampling"), [(1, "iid"), (3, "without_replacement"), (7, "without_replacement")])
def test_so_with_gaussian_noise_on_the_full_gradient(problem, noise, name, size, sampling):
    assert_plain(problem, Minibatch(METHODS[name], size, sampling, noise=noise))


def test_kernel_regression_runs_on_its_features():
    X = PROBLEMS["regression"].X
    problem = KernelRegression(X @ X.T + np.eye(7), PROBLEMS["regression"].y)
    assert_plain(problem, minibatch(METHODS["heavy_ball"], batch_size=2))


@pytest.mark.parametrize(
    "problem",
    [
        regression(6, 3, normalize=True, loss_scale=3.0),
        regression(6, 3, normalize=False, loss_scale=0.1),
        regression(3, 6),
        quadratics(6, 4),
    ],
    ids=["mean", "sum", "wide", "quadratics"],
)
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("sampling", ["without_replacement", "reshuffle"])
def test_all_samples_are_the_full_batch(problem, name, sampling):
    top, rule = problem.eigenvalues[-1], getattr(rules, name)
    hyper = {"beta": 0.6, "rho": 0.1 / top if name == "usam" else 0.1}
    method = rule(eta=0.5 / top, **{name: value for name, value in hyper.items() if name in rule.hyper})
    start = np.ones(problem.dim)
    full = simulate(problem, method, start, 20, record=WHOLE)
    batches = minibatch(method, batch_size=problem.n_samples, sampling=sampling)
    found = simulate(problem, batches, start, 20, record=WHOLE)
    np.testing.assert_allclose(found.w, full.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.loss, full.loss, rtol=1e-9)
    if name in ("gd", "heavy_ball", "nesterov"):  # and so without noise
        control = Minibatch(method, problem.n_samples, noise="gaussian")
        np.testing.assert_allclose(simulate(problem, control, start, 20, record=WHOLE).w, full.w, rtol=1e-9, atol=1e-12)


def test_nothing_recorded_differs_from_a_run_of_the_problem():
    problem, record = PROBLEMS["regression"], Record(what=("loss", "grad_norm", "w", "sharpness", "alignment"))
    found = simulate(problem, sgd(eta=0.1, batch_size=2), steps=30, record=record, seed=3)
    np.testing.assert_allclose(found.loss, problem.loss(found.w.values), rtol=1e-14)
    np.testing.assert_allclose(found.grad_norm, np.linalg.norm(problem.grad(found.w.values), axis=-1), rtol=1e-13)
    np.testing.assert_allclose(found.sharpness, problem.eigenvalues[-1], rtol=1e-14)
    along = problem.grad(found.w.values) @ problem.eigenvectors[:, -1]
    np.testing.assert_allclose(found.alignment, np.abs(along) / found.grad_norm, rtol=1e-12)
    assert found.w.dims == ("run", "step", "coord")
    full = simulate(problem, rules.gd(eta=0.1), steps=1, record=WHOLE, seed=3)
    np.testing.assert_allclose(found.w[:, 0], full.w[:, 0], rtol=1e-12)  # starts drawn as without batches


@pytest.mark.parametrize(
    "method",
    [
        sgd(eta=np.linspace(0.05, 0.2, 23), batch_size=1),
        sgd(eta=np.linspace(0.05, 0.2, 23), batch_size=2, sampling="reshuffle", label_noise=0.1),
        minibatch(rules.sam(eta=np.linspace(0.05, 0.2, 23), rho=0.1), batch_size=2, ascent="independent"),
        noisy_gd(eta=np.linspace(0.05, 0.2, 23), batch_size=2, noise="gaussian"),
    ],
    ids=["sgd", "reshuffle", "sam", "gaussian"],
)
def test_results_do_not_depend_on_threads_blocks_runs_or_what_is_kept(method, monkeypatch):
    problem = PROBLEMS["regression"]
    everything = simulate(problem, method, steps=40, record=WHOLE, seed=3, threads=1)
    for threads in (2, 3, 8):
        assert everything.equals(simulate(problem, method, steps=40, record=WHOLE, seed=3, threads=threads))
    few = Minibatch(
        method.method.rule(**{name: v[:5] if v.ndim else v for name, v in method.method.values.items()}),
        *(getattr(method, name) for name in ("batch_size", "sampling", "ascent", "label_noise", "noise")),
    )
    kept = simulate(problem, few, steps=40, record=Record(at=[0, 7, 40], what="w"), seed=3)
    assert kept.w.equals(everything.w.isel(run=slice(5)).sel(step=[0, 7, 40]))
    other = simulate(problem, few, steps=40, record=Record(at=[0, 7, 40], what="w"), seed=4)
    assert not np.array_equal(kept.w[:, 1:], other.w[:, 1:])
    shorter = simulate(problem, method, steps=11, record=WHOLE, seed=3)
    np.testing.assert_array_equal(shorter.w, everything.w.sel(step=slice(0, 11)))
    monkeypatch.setattr(stochastic, "_WIDEST", 3)
    monkeypatch.setattr(stochastic, "_OBSERVED", 1)
    assert everything.equals(simulate(problem, method, steps=40, record=WHOLE, seed=3))
    monkeypatch.setattr("eossim.engine.blocks._KEPT_COORDINATES", 21)  # kernels entered every seven steps
    pieces = simulate(problem, method, steps=40, record=WHOLE, seed=3)
    np.testing.assert_array_equal(pieces.w, everything.w)


def test_no_ascent_and_no_momentum_are_gradient_descent():
    problem, how = PROBLEMS["regression"], {"batch_size": 1}
    plain = simulate(problem, sgd(eta=0.2, **how), steps=30, record=WHOLE)
    for method in (rules.usam(eta=0.2, rho=0.0), rules.sam(eta=0.2, rho=0.0)):
        found = simulate(problem, minibatch(method, **how), steps=30, record=WHOLE)
        np.testing.assert_array_equal(found.w, plain.w)
    for method in (rules.heavy_ball(eta=0.2, beta=0.0), rules.nesterov(eta=0.2, beta=0.0)):
        found = simulate(problem, minibatch(method, **how), steps=30, record=WHOLE)
        np.testing.assert_allclose(found.w, plain.w, rtol=1e-12, atol=1e-14)


def test_an_epoch_of_reshuffling_solves_what_one_sample_at_a_time_solves():
    """Orthonormal rows and a step onto the solution of each sample: every target is met after one epoch, not before."""
    problem = LeastSquares(np.eye(6), np.arange(1.0, 7.0))
    for size in (1, 2, 3):
        method = sgd(eta=np.full(200, float(size)), batch_size=size, sampling="reshuffle")
        found = simulate(problem, method, np.zeros(6), 6 // size, record=WHOLE)
        met = (found.w.values == problem.y).sum(axis=-1)
        np.testing.assert_array_equal(met, np.tile(np.arange(0, 7, size), (200, 1)))
    iid = simulate(problem, sgd(eta=np.ones(200), batch_size=1), np.zeros(6), 6, record=WHOLE)
    assert (iid.w[:, -1] == problem.y).all(axis=-1).mean() < 0.1


def step_gradients(problem, method, start, count=60_000, seed=0):
    """Gradients that one step of many runs used, shape (count, dim)."""
    many = Minibatch(
        method.method.rule(**{n: np.full(count, v) for n, v in method.method.values.items()}),
        *(getattr(method, name) for name in ("batch_size", "sampling", "ascent", "label_noise", "noise")),
    )
    found = simulate(problem, many, start, 1, record=Record(at=[1], what="w"), seed=seed)
    return (start - found.w.values[:, 0]) / float(method.method.values["eta"])


def assert_mean(samples, expected, errors=5.0):
    """Means of samples, first axis, within five standard errors."""
    spread = samples.std(axis=0, ddof=1) / math.sqrt(len(samples))
    assert (np.abs(samples.mean(axis=0) - expected) <= errors * spread + 1e-12).all()


def populations(problem, w):
    gradients = problem.sample_gradients(w)
    away = gradients - gradients.mean(axis=0)
    return gradients.mean(axis=0), away.T @ away / len(away)


@pytest.mark.parametrize("problem", [regression(6, 3, normalize=False), quadratics(6, 3)], ids=["sum", "quadratics"])
@pytest.mark.parametrize(
    ("size", "sampling"), [(1, "iid"), (4, "iid"), (2, "without_replacement"), (4, "without_replacement")]
)
def test_gradients_have_the_covariance_of_batches(problem, size, sampling):
    w = np.array([0.3, -1.0, 2.0])
    mean, C = populations(problem, w)
    p = 1 / size if sampling == "iid" else (6 - size) / (5 * size)
    expected = {"batch": C, "gaussian": C, "diagonal": np.diag(np.diag(C)), "isotropic": np.eye(3) * np.trace(C) / 3}
    for noise, shape in expected.items():
        g = step_gradients(problem, Minibatch(rules.gd(eta=0.5), size, sampling, noise=noise), w)
        assert_mean(g, mean)
        away = g - mean
        assert_mean(away[:, :, None] * away[:, None, :], p * shape)
        if noise != "batch":  # Gaussian: fourth moments too
            assert_mean(away**4, 3 * (p * np.diag(shape)) ** 2)
    if sampling != "iid":
        g = step_gradients(problem, sgd(eta=0.5, batch_size=size, sampling="reshuffle"), w)
        assert_mean((g - mean)[:, :, None] * (g - mean)[:, None, :], p * C)


@pytest.mark.parametrize(("size", "sampling"), [(1, "iid"), (6, "without_replacement"), (3, "reshuffle")])
def test_label_noise_adds_its_own_covariance(size, sampling):
    problem, w, sigma = regression(6, 3, loss_scale=1.5), np.array([0.3, -1.0, 2.0]), 0.7
    mean, C = populations(problem, w)
    p = 1 / size if sampling == "iid" else (6 - size) / (5 * size)
    scale = 3.0  # of a sample's gradient
    labels = (scale * sigma) ** 2 / size * problem.X.T @ problem.X / 6
    g = step_gradients(problem, sgd(eta=0.5, batch_size=size, sampling=sampling, label_noise=sigma), w)
    assert_mean(g, mean)
    assert_mean((g - mean)[:, :, None] * (g - mean)[:, None, :], p * C + labels)


def test_hessians_of_gaussian_resampling_vary_as_those_of_batches_up_to_the_third_moment():
    """1-D: a step multiplies by 1 - eta h_B; E h_B^2 is that of batches, the third central moment 0."""
    h, size = np.array([1.0, 2.0, 3.0, 6.0]), 2
    problem = LeastSquares(np.sqrt(h)[:, None], np.zeros(4))
    drawn = step_gradients(problem, noisy_gd(eta=0.5, batch_size=size, noise="gaussian"), np.ones(1))[:, 0]
    variance = h.var() * (4 - size) / (3 * size)
    assert_mean((drawn - 3) ** 2, variance)
    assert_mean((drawn - 3) ** 3, 0.0)
    batches = step_gradients(problem, sgd(eta=0.5, batch_size=size), np.ones(1))[:, 0]
    assert_mean((batches - 3) ** 2, variance)


@pytest.mark.parametrize(("size", "excess"), [(1, 13 / 42), (2, 13 / 159)])
def test_the_stationary_loss_is_the_exact_one(size, excess):
    """V4 of stochastic_edge.md at eta = 1/2."""
    problem = LeastSquares([[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1])
    method = sgd(eta=np.full(4000, 0.5), batch_size=size)
    found = simulate(problem, method, [2 / 3, 1 / 3], 200, record=Record(at=[150, 200], what="loss"))
    assert_mean(found.loss.values - 13 / 24, excess)


def test_reshuffling_has_its_own_stationary_law():
    """V11: before the first batch of an epoch and before the second."""
    problem = LeastSquares([[1.0], [1.0]], [1.0, -1.0])
    method = sgd(eta=np.full(4000, 0.1), batch_size=1, sampling="reshuffle")
    found = simulate(problem, method, [0.0], 301, record=Record(at=[300, 301], what="w"))
    assert_mean(found.w.values[:, :, 0] ** 2, [1 / 3439, 176 / 17195])
    fresh = simulate(problem, sgd(eta=np.full(4000, 0.1), batch_size=1), [0.0], 300, record=Record(at=[300], what="w"))
    assert_mean(fresh.w.values[:, 0, 0] ** 2, 1 / 19)


def test_momentum_loses_stability_where_theory_says():
    """V7: one coordinate, h = (1, 2, 3, 6), b = 1, beta = 1/2: second moments grow from eta = 6/13 on."""
    problem = LeastSquares(np.sqrt([[1.0], [2.0], [3.0], [6.0]]), np.zeros(4))
    last = []
    for eta in (0.8 * 6 / 13, 1.3 * 6 / 13):
        method = sgd(eta=np.full(20_000, eta), beta=0.5, batch_size=1)
        found = simulate(problem, method, [1.0], 40, record=Record(at=[40], what="w"))
        last.append(float((found.w**2).mean()))
    assert last[0] < 0.1
    assert last[1] > 10


def test_a_zero_gradient_does_not_move():
    """Interpolation: sam divides by a norm of zero at the solution, noise vanishes, and all stay."""
    X = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    problem = LeastSquares(X, X @ [2.0, 3.0])
    methods = [minibatch(METHODS[name], batch_size=2) for name in METHODS]
    methods += [noisy_gd(eta=0.1, batch_size=1, noise=noise) for noise in NOISES]
    for method in methods:
        found = simulate(problem, method, [2.0, 3.0], 10, record=WHOLE)
        assert (found.w == [2.0, 3.0]).all()
        assert (found.loss == 0).all()


@pytest.mark.parametrize("problem", [regression(), quadratics()], ids=["regression", "quadratics"])
@pytest.mark.parametrize("sampling", ["iid", "reshuffle"])
def test_divergence_is_a_result(problem, sampling):
    eta = np.array([1e3, 0.1, 30.0, 1e100])
    start = np.ones(3)
    method = sgd(eta=eta, batch_size=2, sampling=sampling)
    found = simulate(problem, method, start, 900, record=Record(what="w"))
    lost = ~np.isfinite(found.w.values).all(axis=-1)
    expected = np.where(lost.any(axis=1), lost.argmax(axis=1), -1)
    assert (expected > 0).tolist() == [True, False, True, True]
    np.testing.assert_array_equal(found.diverged_at, expected)
    for record in (Record(what=()), Record(at=[900])):
        np.testing.assert_array_equal(simulate(problem, method, start, 900, record=record).diverged_at, expected)
    assert lost[expected > 0, -1].all()


def test_memory_does_not_grow_with_the_steps():
    problem = regression(20, 20)
    method = sgd(eta=np.full(50, 0.01), batch_size=1)
    simulate(problem, method, steps=10)
    tracemalloc.start()
    simulate(problem, method, np.zeros(20), 100_000, record=Record(at=[100_000], what="w"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e6  # bytes; all iterates would be 800 MB


def test_the_dataset_says_how_it_was_made_and_can_be_saved(tmp_path):
    import xarray as xr

    method = minibatch(rules.sam(eta=[0.1, 0.2], rho=0.3), batch_size=2, sampling="iid", ascent="independent")
    found = simulate(PROBLEMS["regression"], method, steps=3, seed=5)
    wanted = {"rule": "sam", "engine": "minibatch", "batch_size": 2, "sampling": "iid", "ascent": "independent"}
    wanted |= {"label_noise": 0.0, "noise": "batch", "seed": 5, "steps": 3, "dtype": "float64"}
    assert wanted.items() <= found.attrs.items()
    np.testing.assert_array_equal(found.eta, [0.1, 0.2])
    np.testing.assert_array_equal(found.rho, [0.3, 0.3])
    assert set(found.data_vars) == {"loss", "grad_norm", "diverged_at"}
    found.to_netcdf(tmp_path / "runs.nc")
    assert xr.load_dataset(tmp_path / "runs.nc").equals(found)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": sgd(eta=0.1, batch_size=8)}, ValueError, "at most the 7 samples without replacement, got 8"),
        ({"method": sgd(eta=0.1, batch_size=8, sampling="reshuffle")}, ValueError, "at most the 7 samples"),
        ({"method": noisy_gd(eta=0.1, batch_size=8)}, ValueError, "at most the 7 samples"),
        ({"problem": Quadratic([1.0, 2.0, 3.0])}, TypeError, "problem must have samples to draw .*, got Quadratic"),
        (
            {"problem": quadratics(), "method": sgd(eta=0.1, batch_size=1, label_noise=0.1)},
            ValueError,
            r"label noise needs targets .*, got QuadraticSum\(n_samples=7, dim=3\)",
        ),
        ({"engine": "dense"}, ValueError, "mini-batches run with engine='auto'"),
        ({"dtype": "float32"}, ValueError, "dtype='float64'"),
        ({"steps": 0}, ValueError, "steps must be an integer >= 1"),
        ({"record": Record(at=[1, 9])}, ValueError, "at asks for step 9"),
        ({"seed": -1}, ValueError, "seed must be an integer >= 0"),
        ({"seed": -1, "w0": [0.0, 0.0, 0.0]}, ValueError, "seed must be an integer >= 0"),
        ({"threads": 0}, ValueError, "threads must be an integer >= 1"),
        ({"w0": [1.0, 2.0]}, ValueError, "w0 must have shape"),
        ({"w0": [1.0, 2.0, np.inf]}, ValueError, "w0 must be finite"),
        (
            {"w0": np.ones((2, 3)), "method": sgd(eta=[0.1, 0.2, 0.3], batch_size=1)},
            ValueError,
            "w0 holds 2 runs, the hyper-parameters 3",
        ),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    given = {"problem": PROBLEMS["regression"], "method": sgd(eta=0.1, batch_size=2), "steps": 3} | change
    with pytest.raises(error, match=message):
        simulate(given.pop("problem"), given.pop("method"), **given)
