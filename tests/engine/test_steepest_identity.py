"""The descent identities, in every norm, and the rules of scale."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim import Quadratic, Record, adaptive_descent, normalized_steepest_descent, simulate, steepest_descent
from eossim.engine import steepest_run
from eossim.engine.directions import directions
from eossim.norms import L1, L2, Linf, Lp, Mahalanobis, Norm, Spectral
from eossim.problems import Function, LeastSquares, MatrixFactorization
from tests.engine.cases import assert_same_bits
from tests.engine.descents import H3, NORMS, Stretched, hessian
from tests.strategies import seeds

METHODS = (steepest_descent, normalized_steepest_descent)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NORMS)
@settings(max_examples=5)
@given(seed=seeds)
def test_identities_hold_in_every_norm(name, method, seed):  # A1-A4, R16
    rng = np.random.default_rng(seed)
    quadratic = Quadratic(hessian(rng) - rng.choice([0, 0.3]) * np.eye(6), minimizer=rng.standard_normal(6))
    for problem in (quadratic, MatrixFactorization(rng.standard_normal((1, 2)), 2)):
        run = simulate(problem, method(NORMS[name], 10 ** rng.uniform(-2, -0.5)), rng.standard_normal((3, 6)), 25)
        D = run.directional_smoothness.values
        if problem is not quadratic and not np.isfinite(D).all():
            continue  # diverged
        assert run.identity_residual.max() < 1e-12
        assert run.telescoped_residual.max() < 1e-12
        assert np.isfinite(run.telescoped_residual).all()


@pytest.mark.parametrize("method", METHODS)
def test_terms_of_the_identity(method):
    """Recorded quantities by their definitions."""
    rng, norm = np.random.default_rng(2), NORMS["spectral"]
    problem = Quadratic(hessian(rng), minimizer=rng.standard_normal(6))
    keep = Record(
        what=("w", "loss", "dual_norm", "directional_smoothness", "edge", "sharpness", "grad_norm", "identity_residual")
    )
    run = simulate(problem, method(norm, 0.2), steps=6, record=keep).isel(run=0)
    w, L, G, D = run.w.values, run.loss.values, run.dual_norm.values, run.directional_smoothness.values
    g, delta = problem.grad(w), np.diff(w, axis=0)
    np.testing.assert_allclose(L, problem.loss(w), rtol=1e-12)
    np.testing.assert_allclose(G, norm.dual(g), rtol=1e-12)
    np.testing.assert_allclose(run.grad_norm, np.linalg.norm(g, axis=1), rtol=1e-12)
    by_losses = (np.diff(L) - (g[:-1] * delta).sum(axis=1)) / (norm.norm(delta) ** 2 / 2)
    np.testing.assert_allclose(D[:-1], by_losses, rtol=1e-8)
    s = 0.2 * (G if method is steepest_descent else np.ones(7))
    np.testing.assert_allclose(np.diff(L), (-s * G + s**2 * D / 2)[:-1], rtol=1e-9)
    np.testing.assert_allclose(run.edge, 2 / 0.2 * (1 if method is steepest_descent else G), rtol=1e-12)
    np.testing.assert_allclose(run.sharpness, problem.eigenvalues[-1])
    # the loss rises exactly where D is beyond the edge
    np.testing.assert_array_equal(np.diff(L) > 0, (run.edge.values < D)[:-1])


def test_mean_directional_smoothness():
    problem = Quadratic(H3)
    run = simulate(problem, steepest_descent(Linf(), 0.2), [1, -2, 1], 30).isel(run=0)
    G, D, L = (run[n].values for n in ("dual_norm", "directional_smoothness", "loss"))
    weighted = (G[:-1] ** 2 * D[:-1]).sum() / (G[:-1] ** 2).sum()
    assert float(run.mean_directional_smoothness) == pytest.approx(weighted, rel=1e-12)
    assert weighted == pytest.approx(10 - 2 * (L[0] - L[-1]) / (0.04 * (G[:-1] ** 2).sum()), rel=1e-12)
    run = simulate(problem, normalized_steepest_descent(Linf(), 0.2), [1, -2, 1], 30).isel(run=0)
    G, D, L = (run[n].values for n in ("dual_norm", "directional_smoothness", "loss"))
    ratio = D[:-1].sum() / G[:-1].sum()
    assert float(run.mean_directional_smoothness) == pytest.approx(ratio, rel=1e-12)
    assert ratio == pytest.approx(10 - 2 * (L[0] - L[-1]) / (0.04 * G[:-1].sum()), rel=1e-12)


@pytest.mark.parametrize("level", [1.02, 1.05, 1.1])
@pytest.mark.parametrize("delta", [0.0, 0.8])
def test_mean_on_the_cycle_of_the_toy(level, delta):  # R17
    toy, edge = MatrixFactorization([[1.0]], 1), 2 / (delta**2 + 4)
    method = steepest_descent(Linf(), level * edge)
    keep = Record(at=range(3996, 4001), what=("w", "dual_norm", "directional_smoothness"))
    run = simulate(toy, method, [0.9 + delta, 0.9], 4000, record=keep).isel(run=0)
    w, G, D = run.w.values, run.dual_norm.values, run.directional_smoothness.values
    np.testing.assert_allclose(w[2:], w[:-2], atol=1e-12)
    assert np.abs(w[1] - w[0]).max() > 1e-3
    np.testing.assert_allclose(w[:, 0] - w[:, 1], delta, atol=1e-12)
    mean = (G[:2] ** 2 * D[:2]).sum() / (G[:2] ** 2).sum()
    assert mean == pytest.approx(2 / (level * edge), rel=1e-12)


@pytest.mark.parametrize("norm", [L2(), L1(), Linf(), Lp(3), Spectral([(2, 3)])])
def test_near_convergence_nothing_looks_like_an_edge(norm):
    """Losses no longer change, yet D is a curvature, and not 2/eta."""
    rng = np.random.default_rng(1)
    A = rng.standard_normal((4, 6))  # two flat directions
    problem = LeastSquares(A, A @ np.ones(6) + 0.1 * rng.standard_normal(4))
    eta = 0.3 / float(np.abs(problem.hessian()).sum())
    run = simulate(problem, steepest_descent(norm, eta), rng.standard_normal(6), 4000, record=Record(every=1)).isel(
        run=0
    )
    assert float(run.identity_residual.max()) < 1e-12
    assert float(run.telescoped_residual) < 1e-12
    assert float(run.directional_smoothness.max()) < 0.5 * 2 / eta


def test_a_run_that_arrived_stays():
    keep = Record(what=("w", "dual_norm", "directional_smoothness", "identity_residual", "loss"))
    run = simulate(Quadratic([1.0, 1.0]), steepest_descent(L2(), 1.0), [1.0, 2.0], 4, record=keep).isel(run=0)
    np.testing.assert_array_equal(run.w[1:], 0)
    np.testing.assert_array_equal(run.identity_residual[1:], 0)
    assert float(run.identity_residual[0]) < 1e-15
    assert float(run.directional_smoothness[0]) == pytest.approx(1)
    assert np.isnan(run.directional_smoothness[1:]).all()
    assert float(run.mean_directional_smoothness) == pytest.approx(1)
    assert float(run.telescoped_residual) < 1e-15


# --- of the run itself ------------------------------------------------------------------------------------------------


def wrong_steps(monkeypatch, wrong):
    """Let runs make other steps than those of their definition."""
    for kind in ("_compiled", "_literal"):
        make = getattr(steepest_run, kind)

        def made(plan, x, curvature, eta, normalized, members, make=make):
            return make(plan, x, curvature, wrong * eta, normalized, members)

        monkeypatch.setattr(steepest_run, kind, made)
    own = steepest_run.directions

    def bent(norm, g):
        dual, u = own(norm, g)
        return dual, wrong * u

    monkeypatch.setattr(steepest_run, "directions", bent)


@pytest.mark.parametrize("wrong", [0, 1 + 1e-7, -1])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["l2", "l1", "linf", "block_sum", "block_max", "spectral", "mahalanobis", "own"])
def test_wrong_steps_show(name, method, wrong, monkeypatch):
    wrong_steps(monkeypatch, wrong)
    rng = np.random.default_rng(0)
    for problem in (Quadratic(hessian(rng)), MatrixFactorization(rng.standard_normal((1, 2)), 2)):
        run = simulate(problem, method(NORMS[name], 0.1), rng.standard_normal(6), 8)
        assert run.identity_residual.max() > (1e-9 if wrong > 0 else 1e-3)


def test_a_wrong_direction_shows(monkeypatch):
    own = steepest_run._plan
    monkeypatch.setattr(steepest_run, "_plan", lambda norm, dim: own(L1(), dim))
    run = simulate(Quadratic(H3), normalized_steepest_descent(Linf(), 0.1), [1.0, 2, 3], 8)
    assert (run.identity_residual > 1e-3).all()


@pytest.mark.parametrize("name", ["l1", "spectral"])
@pytest.mark.parametrize("kept", [[0], [99], [0, 3, 4, 50, 98, 100], range(40, 101)])
def test_what_is_said_of_a_step_does_not_depend_on_what_is_kept(name, kept):
    problem, method = Quadratic(hessian(np.random.default_rng(0))), steepest_descent(NORMS[name], 0.3)
    what = ("directional_smoothness", "identity_residual")
    run, longer = (simulate(problem, method, np.ones(6), 100 + more, record=Record(what=what)) for more in (0, 1))
    some = simulate(problem, method, np.ones(6), 100, record=Record(at=list(kept), what=what))
    for quantity in what:
        assert_same_bits(run[quantity].values, longer[quantity].values[:, :-1])
        assert_same_bits(some[quantity].values, run[quantity].sel(step=some.step).values)


def test_the_step_after_the_last_one_is_only_looked_at():
    run, longer = (simulate(Quadratic([1.0]), steepest_descent(L2(), 1e30), [1.0], steps) for steps in (10, 11))
    assert run.diverged_at == -1
    assert longer.diverged_at == 11
    assert np.isfinite(run.loss[:, :5]).all()


@pytest.mark.parametrize("dim", [3000, 5000])  # fewer than two iterates, and one, between two looks at a run
def test_steps_across_stretches(dim):
    problem, norm = Quadratic(np.linspace(0.1, 1, dim)), Linf()
    keep = Record(what=("w", "directional_smoothness"))
    run = simulate(problem, steepest_descent(norm, 1e-4), np.ones((2, dim)), 4, record=keep, threads=2)
    delta = np.diff(run.w.values, axis=1)
    expected = (delta * problem.hvp(delta, delta)).sum(axis=-1) / norm.norm(delta) ** 2
    np.testing.assert_allclose(run.directional_smoothness[:, :-1], expected, rtol=1e-10)


def test_rounding_of_single_precision_shows():
    problem = Quadratic(hessian(np.random.default_rng(0)))
    for name in ("l2", "l1", "linf", "block_sum", "block_max"):
        run = simulate(problem, steepest_descent(NORMS[name], 0.1), np.ones(6), 300, dtype="float32")
        assert 1e-9 < run.identity_residual.max() < 1e-6


@pytest.mark.parametrize("name", ["l2", "l1", "linf", "block_sum", "block_max", "spectral"])
def test_fast_convergence_down_to_the_smallest_numbers(name):
    """A hundred times smaller with every round of steps, until nothing but zero is smaller."""
    noise = np.random.default_rng(0).standard_normal((6, 6))
    problem = Quadratic(np.eye(6) + 0.005 * (noise + noise.T))
    eta = {"linf": 1 / 6, "block_max": 0.5, "spectral": 0.5}.get(name, 1.0)
    for dtype, most in (("float64", 1e-12), ("float32", 1e-5)):
        if dtype == "float64" or name != "spectral":
            run = simulate(problem, steepest_descent(NORMS[name], eta), np.ones(6), 900, dtype=dtype)
            assert run.identity_residual.max() < most


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("c", [2.0**-600, 2.0**450])
def test_identities_of_losses_of_any_magnitude(name, method, c):
    rng = np.random.default_rng(3)
    eta = 0.1 / c if method is steepest_descent else 0.1
    run = simulate(Quadratic(c * hessian(rng)), method(NORMS[name], eta), rng.standard_normal(6), 20)
    assert run.identity_residual.max() < 1e-12
    assert (run.grad_norm > 0).all()


def test_an_lmo_that_writes_to_its_argument():
    class Writes(Norm):
        def norm(self, d):
            return np.abs(d).max(axis=-1)

        def lmo(self, g):
            g /= np.abs(g)
            return g

    with pytest.raises(ValueError, match="read-only"):
        directions(Writes(), np.ones((2, 3)))
    for problem in (Quadratic(H3), Quadratic(np.ones(3)), MatrixFactorization([[1.0, 2.0]], 1)):
        with pytest.raises(ValueError, match=r"lmo.* must not write into its argument"):
            simulate(problem, steepest_descent(Writes(), 0.1), steps=3)


def test_an_lmo_that_is_none_shows():
    class Wrong(Norm):
        def norm(self, d):
            return np.abs(d).max(axis=-1)

        def lmo(self, g):
            return 0.9 * np.sign(g)

        def dual(self, g):
            return np.abs(g).sum(axis=-1)

        def steepest(self, g):
            return self.dual(g), self.lmo(g)

    run = simulate(Quadratic(H3), steepest_descent(Wrong(), 0.01), [1.0, 2, 3], 5)
    assert (run.identity_residual > 1e-3).all()


def test_an_approximate_direction_counts_with_its_length():
    rng = np.random.default_rng(0)
    norm = Spectral([(2, 3)], polar="newton_schulz")
    run = simulate(Quadratic(hessian(rng)), steepest_descent(norm, 0.1), steps=20)
    assert float(run.identity_residual.max()) < 1e-12
    assert "telescoped_residual" not in run


# --- rules of scale ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NORMS)
def test_a_multiple_of_a_norm(name, method):
    rng, alpha = np.random.default_rng(4), 2.0
    problem, w0 = Quadratic(hessian(rng)), rng.standard_normal(6)
    keep = Record(what=("w", "dual_norm", "directional_smoothness", "edge"))
    power = 2 if method is steepest_descent else 1
    run = simulate(problem, method(NORMS[name], 0.1), w0, 10, record=keep)
    other = simulate(problem, method(Stretched(NORMS[name], alpha), 0.1 * alpha**power), w0, 10, record=keep)
    np.testing.assert_allclose(other.w, run.w, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(other.dual_norm, run.dual_norm / alpha, rtol=1e-9)
    np.testing.assert_allclose(other.directional_smoothness, run.directional_smoothness / alpha**2, rtol=1e-8)
    np.testing.assert_allclose(other.edge, run.edge / alpha**2, rtol=1e-9)


@given(c=st.floats(0.01, 100))
@settings(max_examples=10)
def test_a_multiple_of_the_loss(c):
    rng = np.random.default_rng(5)
    H, w0 = hessian(rng), rng.standard_normal(6)
    keep = Record(what=("w", "dual_norm", "directional_smoothness", "edge"))
    for method, eta in ((steepest_descent, 0.1 / c), (normalized_steepest_descent, 0.1)):
        run = simulate(Quadratic(H), method(NORMS["block_max"], 0.1), w0, 10, record=keep)
        other = simulate(Quadratic(c * H), method(NORMS["block_max"], eta), w0, 10, record=keep)
        np.testing.assert_allclose(other.w, run.w, rtol=1e-9, atol=1e-12)
        for name in ("dual_norm", "directional_smoothness", "edge"):
            np.testing.assert_allclose(other[name], c * run[name], rtol=1e-9)


# --- generalised sharpness --------------------------------------------------------------------------------------------


def test_sharpness_bounds_the_directional_smoothness_of_a_quadratic():
    keep = Record(what=("generalized_sharpness", "directional_smoothness", "sharpness"))
    for norm, expected in ((Linf(), 5.7), (L1(), 2.0), (Mahalanobis([1.0, 2, 4]), 2.09957524705922)):  # N3
        run = simulate(Quadratic(H3), steepest_descent(norm, 0.1), steps=30, record=keep)
        np.testing.assert_allclose(run.generalized_sharpness, expected, rtol=1e-9)
        assert (run.directional_smoothness <= run.generalized_sharpness * (1 + 1e-9)).all()


def test_sharpness_along_a_run_of_the_toy():
    """ℓ∞ on ½(ab - 1)²: at the minimum (a + b)² = (a - b)² + 4."""
    keep = Record(at=[0, 500, 2000], what=("generalized_sharpness", "w"))
    run = simulate(MatrixFactorization([[1.0]], 1), steepest_descent(Linf(), 0.05), [2.0, 0.7], 2000, record=keep)
    assert float(run.generalized_sharpness[0, -1]) == pytest.approx(1.3**2 + 4, rel=1e-9)
    assert np.isfinite(run.generalized_sharpness).all()


# --- adaptive descent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["cauchy", "dai_yang", "half_dai_yang", "strongly_adapted", "polyak"])
def test_adaptive_descent_obeys_the_identity(step):
    rng = np.random.default_rng(6)
    for problem in (Quadratic(hessian(rng), minimizer=rng.standard_normal(6)), MatrixFactorization([[1.0, 2]], 2)):
        method = adaptive_descent(step)
        keep = Record(
            what=("w", "step_size", "loss", "dual_norm", "directional_smoothness", "identity_residual", "edge")
        )
        run = simulate(problem, method, 0.5 * rng.standard_normal((3, 6)), 12, record=keep)
        w, eta = run.w.values, run.step_size.values
        np.testing.assert_allclose(w[:, 1:], w[:, :-1] - eta[:, :-1, None] * problem.grad(w[:, :-1]), rtol=1e-7)
        np.testing.assert_allclose(run.edge, 2 / eta)
        assert float(run.identity_residual.max()) < 1e-12
        assert float(run.telescoped_residual.max()) < 1e-12
        s = (eta * run.dual_norm.values)[:, :-1]
        mean = (s**2 * run.directional_smoothness.values[:, :-1]).sum(axis=1) / (s**2).sum(axis=1)
        np.testing.assert_allclose(run.mean_directional_smoothness, mean, rtol=1e-9)


def test_cauchy_steps_of_a_quadratic_are_exact_line_searches():
    run = simulate(Quadratic([3.0, 1.0]), adaptive_descent("cauchy"), [1.0, 1.0], 1).isel(run=0)
    assert float(run.step_size[0]) == pytest.approx(10 / 28)
    assert float(run.loss[1]) == pytest.approx(2 - 10**2 / (2 * 28))


def test_options_of_adaptive_descent_make_runs():
    run = simulate(Quadratic([3.0, 1.0]), adaptive_descent("polyak", gamma=[0.5, 1.0]), [1.0, 1.0], 5)
    np.testing.assert_array_equal(run.gamma, [0.5, 1.0])
    assert float(run.step_size[1, 0]) == pytest.approx(2 * float(run.step_size[0, 0]))


def test_without_products_smoothness_comes_from_gradients():
    quartic = Function(2, lambda w: (w**4).sum(-1) / 4, lambda w: w**3)
    exact = Function(2, lambda w: (w**4).sum(-1) / 4, lambda w: w**3, lambda w, v: 3 * w**2 * v)
    runs = [simulate(p, steepest_descent(Linf(), 0.1), [1.0, 0.5], 20) for p in (quartic, exact)]
    np.testing.assert_allclose(runs[0].directional_smoothness, runs[1].directional_smoothness, rtol=1e-8)
