"""Steepest descent: against its definition, against exact trajectories, and what is refused."""

import numpy as np
import pytest

import eossim
from eossim import Quadratic, Record, adaptive_descent, normalized_steepest_descent, rules, simulate, steepest_descent
from eossim.norms import L1, L2, BlockSum, Linf, Mahalanobis, Spectral
from eossim.problems import Function, LeastSquares, MatrixFactorization
from tests.engine.descents import COMPILED, H2, H3, H4, NORMS, hessian, literal

W = Record(what="w")
METHODS = (steepest_descent, normalized_steepest_descent)


def path(problem, method, w0, steps, **options):
    return simulate(problem, method, w0, steps, record=W, **options).w.values[0]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("kind", ["diagonal", "dense", "least squares", "factorization"])
def test_definition(kind, name, method):
    rng = np.random.default_rng(len(name))
    problem = {
        "diagonal": lambda: Quadratic(rng.uniform(0.2, 2, 6), minimizer=rng.standard_normal(6)),
        "dense": lambda: Quadratic(hessian(rng), minimizer=rng.standard_normal(6)),
        "least squares": lambda: LeastSquares(rng.standard_normal((9, 6)), rng.standard_normal(9)),
        "factorization": lambda: MatrixFactorization(rng.standard_normal((1, 2)), 2),
    }[kind]()
    descent, w0 = method(NORMS[name], 0.07), rng.standard_normal(6)
    # rounding picks another direction in the long run, where components of the gradient cross zero
    np.testing.assert_allclose(path(problem, descent, w0, 12), literal(problem, descent, w0, 12), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_sign_descent_ends_on_a_cycle_of_two(engine):  # N13, R14
    keep = Record(what=("w", "loss", "dual_norm", "directional_smoothness"))
    run = simulate(
        Quadratic(H2), normalized_steepest_descent(Linf(), 0.2), [1, 0.5], 20, record=keep, engine=engine
    ).isel(run=0)
    np.testing.assert_allclose(run.w[5], [0, -0.1], atol=1e-14)
    np.testing.assert_allclose(run.w[6], [0.2, 0.1], atol=1e-14)
    np.testing.assert_allclose(run.w[7::2], run.w[5:19:2], atol=1e-14)
    np.testing.assert_allclose(run.loss[5:7], [1 / 100, 7 / 100], rtol=1e-12)
    np.testing.assert_allclose(run.dual_norm[5:7], [0.3, 0.9], rtol=1e-12)
    np.testing.assert_allclose(run.directional_smoothness[5:], 6, rtol=1e-12)
    assert float(run.directional_smoothness[5:7].sum() / run.dual_norm[5:7].sum()) == pytest.approx(10, rel=1e-12)


def test_linf_descent():  # N14, R13
    keep = Record(what=("w", "loss", "directional_smoothness"))
    run = simulate(Quadratic(H2), steepest_descent(Linf(), 0.2), [1, 0.5], 4, record=keep).isel(run=0)
    expected = [[1, 1 / 2], [1 / 10, -2 / 5], [7 / 25, -11 / 50], [9 / 50, -3 / 25], [3 / 25, -3 / 50]]
    np.testing.assert_allclose(run.w, expected, rtol=1e-13)
    np.testing.assert_allclose(run.loss, [7 / 4, 13 / 100, 163 / 2500, 63 / 2500, 27 / 2500], rtol=1e-12)
    np.testing.assert_allclose(run.directional_smoothness[:4], [6, 6, 2, 2], rtol=1e-12)


def test_greedy_block_descent():  # N15
    run = simulate(
        Quadratic(H3),
        steepest_descent(BlockSum([[0], [1, 2]]), 0.5),
        [1, 1, -1],
        4,
        record=Record(what=("w", "loss")),
    ).isel(run=0)
    np.testing.assert_allclose(run.w[1:3], [[1, -1 / 5, -9 / 20], [47 / 400, -1 / 5, -9 / 20]], rtol=1e-13)
    np.testing.assert_allclose(run.loss[:3], [57 / 20, 3441 / 4000, 13031 / 160000], rtol=1e-12)
    moved = np.abs(np.diff(run.w, axis=0)) > 0
    assert moved.tolist() == [[False, True, True], [True, False, False], [False, True, True], [False, True, True]]


def test_spectral_descent():  # N16
    A = np.diag([3.0, 1.0])  # ½ tr(W A Wᵀ), W row after row
    run = path(Quadratic(np.kron(np.eye(2), A)), steepest_descent(Spectral([(2, 2)]), 0.4), [2, 0, 0, 1], 3)
    expected = [[-4 / 5, 0, 0, -9 / 5], [22 / 25, 0, 0, -3 / 25], [-28 / 125, 0, 0, 123 / 125]]
    np.testing.assert_allclose(run[1:], expected, atol=1e-13)


def test_normalised_gradient_descent_cycles():  # N17
    problem, eta = Quadratic([4.0, 3.0, 1.0]), 0.1
    method = normalized_steepest_descent(L2(), eta)
    keep = Record(what=("w", "loss", "dual_norm"))
    symmetric = simulate(problem, method, [eta / 2, 0, 0], 10, record=keep)
    np.testing.assert_allclose(symmetric.loss, 0.005, rtol=1e-12)
    starts = [[a * eta, 1e-7, 1e-7] for a in (0.10, 0.14)]
    run = simulate(problem, method, starts, 400, record=keep)
    np.testing.assert_allclose(run.dual_norm[1, -2:].mean(), 0.2, rtol=1e-12)
    away = np.abs(run.w[:, :, 1:]).max("coord").values
    assert away[0].max() > 1e-4  # unstable
    assert away[1, -1] < 1e-8


def test_sign_descent_cycles_on_stationary_patterns():  # N20
    run = simulate(
        Quadratic(H3),
        normalized_steepest_descent(Linf(), np.full(60, 0.1)),
        steps=2001,
        record=Record(at=range(1998, 2002), what=("w", "dual_norm")),
        seed=1,
    )
    np.testing.assert_allclose(run.w[:, 2:], run.w[:, :2], atol=1e-12)
    means = run.dual_norm[:, :2].mean("step").values
    known = np.array([0.285, 0.265, 0.245, 0.105])
    assert np.abs(means[:, None] - known).min(axis=1).max() < 1e-12
    assert np.abs(means - 0.285).min() < 1e-12


def test_normalised_spectral_descent_cycles_on_both_branches():  # N21
    method = normalized_steepest_descent(Spectral([(2, 2)]), np.full(20, 0.1))
    keep = Record(at=range(2997, 3001), what=("w", "dual_norm"))
    run = simulate(Quadratic(H4), method, steps=3000, record=keep, seed=3)
    closed = np.abs(run.w[:, 2:].values - run.w[:, :2].values).max(axis=(1, 2)) < 1e-10
    assert closed.sum() >= 10
    values = 2 * run.dual_norm.values[closed, :2].mean(axis=1) / 0.1
    branches = np.array([7 + 2 * np.sqrt(5), 9])
    assert np.abs(values[:, None] / branches - 1).min(axis=1).max() < 1e-8


@pytest.mark.parametrize(("start", "cosine"), [([0.8, 0.8, 0.8], -1), ([0.1, 1.1, 1.2], 1 / 3)])
def test_one_ratio_to_the_edge_and_two_behaviours(start, cosine):  # N22
    eta = 0.1
    method = normalized_steepest_descent(Spectral([(3, 3)]), eta)
    keep = Record(what=("w", "dual_norm"))
    run = simulate(Quadratic(np.ones(9)), method, eta * np.diag(start).ravel(), 2, record=keep).isel(run=0)
    assert 3 / float(run.dual_norm[0]) == pytest.approx(5 / (4 * eta), rel=1e-12)  # S = rank
    first, second = np.diff(run.w, axis=0)
    assert first @ second / (3 * eta**2) == pytest.approx(cosine, rel=1e-9)


def test_euclidean_steepest_descent_is_gradient_descent():
    problem, w0 = Quadratic(H3, minimizer=[1.0, 2, 3]), [0.3, 0.2, -1]
    for eta in (0.3, 0.9):
        expected = path(problem, rules.gd(eta=eta), w0, 30)
        np.testing.assert_allclose(path(problem, steepest_descent(L2(), eta), w0, 30), expected, rtol=1e-9, atol=1e-12)
    P = np.array([1.0, 2, 4])
    expected = path(problem, rules.preconditioned_gd(eta=0.3, P=P), w0, 30)
    run = path(problem, steepest_descent(Mahalanobis(P), 0.3), w0, 30)
    np.testing.assert_allclose(run, expected, rtol=1e-9, atol=1e-12)


def test_greedy_coordinate_descent_stays_accurate():
    """The gradient that steps add columns to is refreshed: relative accuracy is kept down to the smallest numbers."""
    rng = np.random.default_rng(0)
    problem = Quadratic(hessian(rng, 70))
    keep = Record(at=range(59_000, 60_001), what=("w", "grad_norm"))
    run = simulate(problem, steepest_descent(L1(), 0.4), rng.standard_normal(70), 60_000, record=keep)
    assert ((np.diff(run.w.values[0], axis=0) != 0).sum(axis=1) == 1).all()
    assert float(run.grad_norm[0, -1]) < 1e-20


@pytest.mark.parametrize("name", COMPILED)
def test_single_precision(name):
    problem = Quadratic(hessian(np.random.default_rng(1)))
    double, single = (
        simulate(problem, steepest_descent(NORMS[name], 0.1), np.ones(6), 8, record=W, dtype=dtype)
        for dtype in ("float64", "float32")
    )
    np.testing.assert_allclose(single.w, double.w, atol=1e-5)
    assert not np.array_equal(single.w, double.w)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", COMPILED)
@pytest.mark.parametrize("at", [-0.85, -0.55, -0.5, 0.5, 0.55, 0.85])
def test_gradients_whose_squares_leave_the_range_of_floats(name, method, dtype, at):
    """A power of two in front of the loss, and its inverse before eta, change no bit."""
    c = 2.0 ** round(at * np.finfo(dtype).maxexp)
    H, w0, eta = hessian(np.random.default_rng(1)) / 8, np.ones(6), 0.5
    scaled = eta if method is normalized_steepest_descent else eta / c
    small = simulate(Quadratic(c * H), method(NORMS[name], scaled), w0, 6, record=W, dtype=dtype)
    np.testing.assert_array_equal(small.w, path(Quadratic(H), method(NORMS[name], eta), w0, 6, dtype=dtype)[None])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["block_sum", "block_max"])
def test_blocks_of_very_different_gradients(name, method, dtype):
    far, rtol = (1e170, 1e-12) if dtype == "float64" else (1e25, 1e-5)
    curvature = np.array([1, 2 / far, far, 3, 3 / far, 2 / far])  # blocks [0, 3], [1], [2, 4, 5]
    for size in (curvature, curvature[[2, 0, 1, 2, 3, 4]], curvature[[0, 2, 3, 0, 1, 4]]):
        problem, descent = Quadratic(size), method(NORMS[name], 0.25 if method is normalized_steepest_descent else 1e-4)
        run = simulate(problem, descent, np.ones(6), 1, record=W, dtype=dtype)
        np.testing.assert_allclose(run.w[0], literal(problem, descent, np.ones(6), 1), rtol=rtol)


# --- divergence -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", [L2(), L1(), Linf(), Spectral([(1, 1)])])
def test_divergence_is_a_result(norm):
    run = simulate(Quadratic([1.0]), steepest_descent(norm, [0.5, 1e30, 1.9]), [1.0], 30)
    assert run.diverged_at.values.tolist() == [-1, 11, -1]
    assert np.isfinite(run.loss[[0, 2]]).all()
    assert np.isnan(run.telescoped_residual[1])
    assert (run.telescoped_residual[[0, 2]] < 1e-12).all()


def test_above_the_edge_every_start_near_the_maximiser_diverges():
    d = np.array([1.0, 1, -1])
    run = simulate(Quadratic(H3), steepest_descent(Linf(), 1.2 * 2 / 5.7), d, 20, record=W)
    np.testing.assert_allclose(run.w[0], (-1.4) ** np.arange(21)[:, None] * d, rtol=1e-10)


def test_divergence_on_a_problem_that_is_not_quadratic():
    toy = MatrixFactorization([[1.0]], 1)
    run = simulate(toy, steepest_descent(Linf(), [0.1, 5.0]), [2.0, 1.5], 60)
    assert run.diverged_at[0] == -1
    assert 0 < run.diverged_at[1] < 60


# --- the method as data -----------------------------------------------------------------------------------------------


def test_names_and_edges():
    method = steepest_descent(Linf(), 0.1)
    assert repr(method) == "steepest_descent[linf, eta=0.1]"
    assert repr(normalized_steepest_descent(Linf(), [0.1, 0.2])) == "normalized_steepest_descent[linf, eta=0.1..0.2]"
    assert steepest_descent(Linf(), [0.1, 0.2]).runs == 2
    assert steepest_descent(Linf(), [0.1]).runs == 1
    assert method.edge.formula == "2/eta"
    assert method.edge(eta=0.1) == pytest.approx(20)
    assert normalized_steepest_descent(L1(), 0.1).edge(eta=0.1, grad_norm=3.0) == pytest.approx(60)
    assert eossim.steepest_descent is steepest_descent


def test_the_dataset_says_what_was_run(tmp_path):
    run = simulate(Quadratic(H3), normalized_steepest_descent(Linf(), [0.1, 0.2]), steps=5, seed=7)
    assert run.attrs["rule"] == "normalized_steepest_descent"
    assert run.attrs["norm"] == "linf"
    assert run.attrs["engine"] == "dense"
    np.testing.assert_array_equal(run.eta, [0.1, 0.2])
    assert set(run.data_vars) == {
        *("loss", "grad_norm", "dual_norm", "directional_smoothness", "edge", "identity_residual"),
        *("mean_directional_smoothness", "telescoped_residual", "diverged_at"),
    }
    assert all("long_name" in run[name].attrs for name in run.data_vars)
    run.to_netcdf(tmp_path / "run.nc")
    assert simulate(Quadratic(np.ones(3)), steepest_descent(Linf(), 0.1), steps=5).attrs["engine"] == "diagonal"
    assert simulate(Quadratic(H4), steepest_descent(Spectral([(2, 2)]), 0.1), steps=5).attrs["engine"] == "reference"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: steepest_descent(Linf(), 0.0), ValueError, "0 < eta < inf required, got eta = 0"),
        (lambda: steepest_descent(Linf(), -0.1), ValueError, "0 < eta"),
        (lambda: steepest_descent(Linf(), np.nan), ValueError, "0 < eta"),
        (lambda: steepest_descent(Linf(), np.inf), ValueError, "eta < inf"),
        (lambda: steepest_descent(Linf(), []), ValueError, "eta must not be empty"),
        (lambda: steepest_descent(Linf(), [[0.1]]), ValueError, "eta must be 0-D or 1-D"),
        (lambda: steepest_descent(Linf(), "0.1"), TypeError, "eta must hold real numbers"),
        (lambda: normalized_steepest_descent("linf", 0.1), TypeError, 'got "linf": eossim.norms.from_name makes'),
        (lambda: steepest_descent(Linf, 0.1), TypeError, r"norm must be a norm.*the class Linf: write Linf\(...\)"),
    ],
)
def test_methods_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


CURVED = Function(2, lambda w: (w**4).sum(-1), lambda w: 4 * w**3)


@pytest.mark.parametrize(
    ("problem", "method", "options", "error", "message"),
    [
        (Quadratic(H2), steepest_descent(Spectral([(2, 2)]), 0.1), {}, ValueError, "for 4 coordinates.*has 2"),
        (Quadratic(H2), steepest_descent(Linf(), 0.1), {"engine": "diagonal"}, ValueError, "engine 'dense'"),
        (Quadratic([1.0]), steepest_descent(Linf(), 0.1), {"engine": "dense"}, ValueError, "engine 'diagonal'"),
        (Quadratic(H4), steepest_descent(Spectral([(2, 2)]), 0.1), {"dtype": "float32"}, ValueError, "float64"),
        (CURVED, steepest_descent(Linf(), 0.1), {"dtype": "float32"}, ValueError, "float64"),
        (CURVED, steepest_descent(Linf(), 0.1), {"record": Record(what="sharpness")}, ValueError, '"sharpness"'),
        (
            CURVED,
            steepest_descent(Linf(), 0.1),
            {"record": Record(what="generalized_sharpness")},
            ValueError,
            "needs a problem with hvp",
        ),
        (Quadratic(H2), steepest_descent(Linf(), 0.1), {"record": Record(what="step_size")}, ValueError, "step_size"),
        (Quadratic(H2), steepest_descent(Linf(), 0.1), {"record": Record(what="alignment")}, ValueError, "alignment"),
        (Quadratic(H2), rules.gd(eta=0.1), {"record": Record(what="dual_norm")}, ValueError, "dual_norm.*of gd"),
        (Quadratic(H2), steepest_descent(Linf(), [0.1, 0.2]), {"w0": np.ones((3, 2))}, ValueError, "w0 holds 3 runs"),
        (np.eye(2), steepest_descent(Linf(), 0.1), {}, TypeError, "problem must be a quadratic"),
        (Quadratic(H2), Linf(), {}, TypeError, "method must be"),
        (CURVED, adaptive_descent("cauchy"), {}, TypeError, "hvp"),
    ],
)
def test_runs_refused(problem, method, options, error, message):
    with pytest.raises(error, match=message):
        simulate(problem, method, steps=3, **options)


def test_unknown_quantity():
    with pytest.raises(ValueError, match='unknown quantity "dualnorm"; did you mean "dual_norm"'):
        Record(what="dualnorm")
