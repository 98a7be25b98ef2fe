"""Risk by simulation: against the exact curve, against an independent simulation, and where normalised SAM ends."""

import numpy as np
import pytest

import eossim
from eossim import rules
from eossim.problems import KernelRegression, LeastSquares
from eossim.theory import monte_carlo_risk, noise_floor, risk_curve

NAMES = ("bias2", "variance", "risk", "train_loss")
SIGMA = np.array([[2.0, 0.5, 0.0, 0.1], [0.5, 1.0, 0.2, 0.0], [0.0, 0.2, 0.5, 0.3], [0.1, 0.0, 0.3, 1.5]])


def problem_of(shape, seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal(shape)
    return LeastSquares(X / np.linalg.norm(X, 2) * np.sqrt(shape[0]), np.zeros(shape[0]), **kwargs)


def assert_within_errors(found, exact, sigmas=4.0, first=1):
    for name in NAMES:
        values, errors = found[name].values[:, first:], found[f"{name}_error"].values[:, first:]
        expected = np.broadcast_to(exact[name].values[:, first:], values.shape)
        assert (errors >= 0).all()
        excess = np.abs(values - expected) / (errors + 1e-12 * np.abs(expected).max() + 1e-300)
        assert excess.max() < sigmas, f"{name} is off by {excess.max():.2f} standard errors"


@pytest.mark.parametrize("metric", ["prediction", "parameter", "covariance"])
@pytest.mark.parametrize(
    "method",
    [
        rules.gd(eta=0.6), rules.usam(eta=0.4, rho=0.8), rules.usam(eta=0.7, rho=1.5),
        rules.heavy_ball(eta=0.4, beta=0.7), rules.nesterov(eta=0.3, beta=0.6),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.parametrize("shape", [(7, 4), (3, 4)], ids=str)
def test_simulation_agrees_with_the_exact_curve(method, metric, shape):
    problem = problem_of(shape)
    arguments = {
        "w_star": [1.0, -2.0, 0.5, 1.0], "w0": [0.0, 0.5, 0.5, -1.0], "noise_variance": 1.5, "steps": 25,
        "metric": SIGMA if metric == "covariance" else metric,
    }  # fmt: skip
    found = monte_carlo_risk(problem, method, **arguments, draws=6000, seed=11)
    assert_within_errors(found, risk_curve(problem, method, **arguments))


def test_errors_are_of_the_right_size():
    """Over many seeds the deviations have the spread that is claimed."""
    problem = problem_of((6, 4))
    arguments = {"w_star": np.ones(4), "noise_variance": 2.0, "steps": [5]}
    exact = risk_curve(problem, rules.gd(eta=0.5), **arguments)
    found = [monte_carlo_risk(problem, rules.gd(eta=0.5), **arguments, draws=400, seed=s) for s in range(100)]
    for name in NAMES:
        scores = np.array([(f[name] - exact[name]) / f[f"{name}_error"] for f in found]).ravel()
        assert abs(scores.mean()) < 0.4, name
        assert 0.8 < scores.std() < 1.3, name


def test_risk_is_the_sum_of_its_parts():
    found = monte_carlo_risk(
        problem_of((5, 4)), rules.sam(eta=0.5, rho=0.3), w_star=np.ones(4), noise_variance=1.0, steps=8, draws=100
    )
    np.testing.assert_allclose(found.bias2 + found.variance, found.risk, rtol=1e-9)


def test_noise_outside_the_range_is_in_the_training_loss():
    """n - r = 1, 2 and 5 free directions, a misfit among them."""
    for n in (3, 4, 7):
        problem = problem_of((n, 2), seed=n, loss_scale=2.0)
        outside = np.random.default_rng(n).standard_normal(n)
        outside -= problem.modes.samples @ (problem.modes.samples.T @ outside)
        for missed in (0.0, 3.0):
            arguments = {
                "f_star": problem.X @ [1.0, -1.0] + missed * outside, "noise_variance": 1.5, "steps": [1, 4, 400],
            }  # fmt: skip
            found = monte_carlo_risk(problem, rules.gd(eta=0.1), **arguments, draws=8000, seed=3)
            assert_within_errors(found, risk_curve(problem, rules.gd(eta=0.1), **arguments), first=0)


def test_at_the_start_nothing_is_random():
    problem = problem_of((7, 4))
    found = monte_carlo_risk(
        problem, rules.gd(eta=0.5), w_star=np.ones(4), noise_variance=1.0, steps=[0], draws=200, metric="parameter"
    )
    np.testing.assert_allclose(found.risk, 4, rtol=1e-12)
    np.testing.assert_allclose(found.bias2, 4, rtol=1e-12)
    np.testing.assert_allclose(found.variance, 0, atol=1e-12)


def test_without_noise_the_simulation_is_exact():
    problem = problem_of((7, 4))
    arguments = {"w_star": np.arange(4.0), "noise_variance": 0.0, "steps": 20}
    found = monte_carlo_risk(problem, rules.usam(eta=0.4, rho=0.5), **arguments, draws=40)
    exact = risk_curve(problem, rules.usam(eta=0.4, rho=0.5), **arguments)
    for name in NAMES:
        np.testing.assert_allclose(found[name], exact[name], rtol=1e-9, atol=1e-12)
    run = eossim.simulate(
        LeastSquares(problem.X, problem.X @ np.arange(4.0)), rules.sam(eta=0.4, rho=0.5), np.zeros(4), 20
    )
    sam = monte_carlo_risk(problem, rules.sam(eta=0.4, rho=0.5), **arguments, draws=40)
    np.testing.assert_allclose(sam.train_loss[0], run.loss[0], rtol=1e-9)


def test_kernel_agrees_with_least_squares():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 3))
    arguments = {"f_star": X @ np.ones(3), "noise_variance": 1.0, "steps": [1, 5, 30]}
    kernel = KernelRegression(X @ X.T, np.zeros(6))
    found = monte_carlo_risk(kernel, rules.usam(eta=0.1, rho=0.3), **arguments, draws=6000)
    exact = risk_curve(LeastSquares(X, np.zeros(6)), rules.usam(eta=0.1, rho=0.3), **arguments)
    assert_within_errors(found, exact)


# --- reproducible ---


@pytest.mark.parametrize("draws", [40, 1000, 12_345])
def test_threads_do_not_matter(draws):
    arguments = {"w_star": np.ones(4), "noise_variance": 1.0, "steps": [1, 2, 10], "draws": draws, "seed": 5}
    one, two, five = (
        monte_carlo_risk(problem_of((7, 4)), rules.sam(eta=0.5, rho=0.3), **arguments, threads=t) for t in (1, 2, 5)
    )
    assert one.equals(two)
    assert one.equals(five)


def test_seeds_matter_and_repeat():
    arguments = {"w_star": np.ones(4), "noise_variance": 1.0, "steps": [10], "draws": 100}
    one, again, other = (
        monte_carlo_risk(problem_of((7, 4)), rules.gd(eta=0.5), **arguments, seed=s) for s in (0, 0, 1)
    )
    assert one.equals(again)
    assert float(one.risk[0, 0]) != float(other.risk[0, 0])


def test_runs_share_their_draws_and_steps_come_in_any_order():
    arguments = {"w_star": np.ones(4), "noise_variance": 1.0, "draws": 200, "seed": 2}
    problem, asked = problem_of((7, 4)), [9, 2, 2, 0, 5]
    every = monte_carlo_risk(problem, rules.sam(eta=[0.3, 0.5], rho=0.3), steps=9, **arguments)
    some = monte_carlo_risk(problem, rules.sam(eta=0.5, rho=0.3), steps=asked, **arguments)
    assert some.step.values.tolist() == asked
    assert every.eta.values.tolist() == [0.3, 0.5]
    for name in [*NAMES, "risk_error", "variance_error"]:
        np.testing.assert_allclose(some[name][0], every[name].values[1, asked], rtol=1e-12, atol=1e-14)


def test_long_curves_are_cut_into_pieces_unseen():
    arguments = {"w_star": np.ones(4), "noise_variance": 1.0, "draws": 100, "seed": 2}
    every = monte_carlo_risk(problem_of((7, 4)), rules.heavy_ball(eta=0.2, beta=0.9), steps=500, **arguments)
    few = monte_carlo_risk(problem_of((7, 4)), rules.heavy_ball(eta=0.2, beta=0.9), steps=[499, 500], **arguments)
    np.testing.assert_allclose(few.risk[0], every.risk.values[0, [499, 500]], rtol=1e-12)


# --- rules without closed form ---


def simulated_sam(problem, w_star, sigma, eta, rho, steps, draws, seed):
    """Parameters of `draws` runs of normalised SAM after each of `steps`, on noise of its own."""
    rng = np.random.default_rng(seed)
    X, factor = problem.X, 2 * problem.loss_factor
    Y = X @ w_star + sigma * rng.standard_normal((draws, problem.n_samples))
    w, found = np.zeros((draws, problem.dim)), []
    for k in range(max(steps) + 1):
        if k:
            g = factor * (w @ X.T - Y) @ X
            ahead = w + rho * g / np.linalg.norm(g, axis=1, keepdims=True)
            w = w - eta * factor * (ahead @ X.T - Y) @ X
        if k in steps:
            found.append((w.copy(), problem.loss_factor * ((w @ X.T - Y) ** 2).sum(axis=1)))
    return found


@pytest.mark.parametrize("shape", [(7, 4), (3, 4)], ids=str)
def test_normalised_sam_against_an_independent_simulation(shape):
    problem, w_star, steps, draws = problem_of(shape), np.array([1.0, -2.0, 0.5, 1.0]), [1, 3, 10, 40], 8000
    ours = simulated_sam(problem, w_star, 1.2, 0.5, 0.4, steps, draws, seed=99)
    for metric, root in [("prediction", problem.X / np.sqrt(shape[0])), ("parameter", np.eye(4)),
                         (SIGMA, np.linalg.cholesky(SIGMA).T)]:  # fmt: skip
        found = monte_carlo_risk(
            problem, rules.sam(eta=0.5, rho=0.4), w_star=w_star, noise_variance=1.44, steps=steps, metric=metric,
            draws=8000, seed=1,
        )  # fmt: skip
        for p, (w, loss) in enumerate(ours):
            errors = (w - w_star) @ root.T
            squared, mean = (errors**2).sum(axis=1), errors.mean(axis=0)
            variance = errors.var(axis=0, ddof=1).sum()
            for name, value, own in [
                ("risk", squared.mean(), squared.std() / np.sqrt(draws)),
                ("train_loss", loss.mean(), loss.std() / np.sqrt(draws)),
                ("bias2", mean @ mean - variance / draws, None),
                ("variance", variance, None),
            ]:
                error = float(found[f"{name}_error"][0, p])
                spread = np.hypot(error, error if own is None else own)
                assert abs(float(found[name][0, p]) - value) < 4.5 * spread, (name, p)


def test_other_rules_whose_step_depends_on_the_norm():
    problem = problem_of((7, 4))
    for method in (rules.normalised(eta=0.05), rules.clipped_gd(eta=0.5, clip=0.3), rules.sam_heavy_ball(
        eta=0.2, beta=0.5, rho=0.1)):  # fmt: skip
        found = monte_carlo_risk(problem, method, w_star=np.ones(4), noise_variance=0.5, steps=50, draws=200)
        assert np.isfinite(found.risk).all()
        assert found.risk[0, 50] < found.risk[0, 0]


def test_clipping_that_never_acts_is_gradient_descent():
    problem = problem_of((7, 4))
    arguments = {"w_star": np.ones(4), "noise_variance": 0.5, "steps": 20}
    found = monte_carlo_risk(problem, rules.clipped_gd(eta=0.5, clip=1e9), **arguments, draws=4000)
    assert_within_errors(found, risk_curve(problem, rules.gd(eta=0.5), **arguments))


def test_late_sam_sits_on_its_floor():
    """Every draw ends on the 2-cycle: two steps on average have the risk of least squares plus the excess."""
    problem, method = problem_of((7, 4), seed=3), rules.sam(eta=0.8, rho=0.5)
    floor = noise_floor(problem, method)
    found = monte_carlo_risk(
        problem, method, w_star=np.ones(4), noise_variance=0.6, steps=[4000, 4001], draws=2000, seed=8
    )
    least = 0.6 * 4 / 7 + float(floor.risk_excess[0])
    assert float(floor.risk_excess[0]) > 10 * float(found.risk_error.max())
    assert abs(float(found.risk.mean()) - least) < 4 * float(found.risk_error.max())
    losses = problem.loss_factor * 0.6 * 3 + float(floor.train_loss_excess[0])
    assert abs(float(found.train_loss.mean()) - losses) < 4 * float(found.train_loss_error.max())


def test_a_run_that_diverges_ends_in_no_number():
    found = monte_carlo_risk(
        problem_of((7, 4)), rules.gd(eta=[0.5, 5.0]), w_star=np.ones(4), noise_variance=0.5, steps=[10, 3000], draws=40
    )
    assert np.isfinite(found.risk[0]).all()
    assert not np.isfinite(found.risk[1, 1])


def test_features_of_rank_zero():
    problem = LeastSquares(np.zeros((3, 2)), np.ones(3))
    arguments = {"w_star": [1.0, 2.0], "noise_variance": 2.0, "steps": [0, 3], "metric": "parameter"}
    found = monte_carlo_risk(problem, rules.sam(eta=0.5, rho=0.1), **arguments, draws=2000)
    np.testing.assert_allclose(found.risk, 5)
    assert_within_errors(found, risk_curve(problem, rules.gd(eta=0.5), **arguments), first=0)


# --- bad input ---

GOOD = {"w_star": np.ones(4), "noise_variance": 1.0, "steps": 3, "draws": 40}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"draws": 39}, ValueError, "draws"),
        ({"draws": 100.0}, TypeError, "draws"),
        ({"seed": -1}, ValueError, "seed"),
        ({"seed": 0.5}, TypeError, "seed"),
        ({"threads": 0}, ValueError, "threads"),
        ({"steps": -1}, ValueError, "steps"),
        ({"steps": []}, ValueError, "steps"),
        ({"noise_variance": -1.0}, ValueError, "noise_variance"),
        ({"noise_variance": [1.0, 1.0]}, ValueError, "noise_variance"),
        ({"w_star": np.ones(3)}, ValueError, "w_star"),
        ({"w_star": None}, ValueError, "w_star"),
        ({"w0": np.ones(3)}, ValueError, "w0"),
        ({"metric": "l2"}, ValueError, "metric"),
    ],
)
def test_bad_input_is_named(changes, error, message):
    with pytest.raises(error, match=message):
        monte_carlo_risk(problem_of((7, 4)), rules.gd(eta=0.1), **GOOD | changes)


@pytest.mark.parametrize(
    ("method", "error", "message"),
    [
        ("sam", TypeError, "method"),
        (rules.sam, TypeError, "method"),
        (rules.gd_weight_decay(eta=0.1, weight_decay=0.1), ValueError, "decayed"),
        (rules.preconditioned_gd(eta=0.1, P=np.ones(4)), ValueError, "preconditioned"),
    ],
)
def test_bad_methods_are_named(method, error, message):
    with pytest.raises(error, match=message):
        monte_carlo_risk(problem_of((7, 4)), method, **GOOD)


def test_another_problem_is_named():
    with pytest.raises(TypeError, match="problem"):
        monte_carlo_risk(eossim.Quadratic(np.ones(4)), rules.gd(eta=0.1), **GOOD)
