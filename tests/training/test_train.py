"""What a training keeps, how it ends, and what it refuses."""

import math
import warnings

import numpy as np
import pytest

from eossim import Quadratic, Record, norms, rules, sgd, simulate, steepest_descent, train
from eossim.networks import MLP
from eossim.problems import Function, MatrixFactorization
from eossim.training import adam
from tests.networks.test_notes import DEMO, RANDOM_LABELS, demo_network, random_labels
from tests.training.cases import METHODS, X, Y, network, track_with


@pytest.mark.parametrize("eta", DEMO)
def test_the_demo_network(eta):
    problem, w = demo_network()
    losses = DEMO[eta][0]
    run = train(problem, rules.gd(eta=eta), w, len(losses) - 1)
    assert run.loss[0].values == pytest.approx(losses, abs=6e-8)


@pytest.mark.parametrize("seed", RANDOM_LABELS)
def test_ten_steps_on_random_labels(seed):
    problem, w, _ = random_labels(seed)
    *_, (loss, square, _, _, after) = RANDOM_LABELS[seed]
    run = train(problem, sgd(eta=0.05, batch_size=8, sampling="reshuffle"), w, 10, seed=seed).isel(run=0)
    assert run.loss[0] == pytest.approx(loss, abs=1e-10)
    assert run.grad_norm[0] == pytest.approx(math.sqrt(square), abs=1e-10)
    assert run.loss[10] == pytest.approx(after, abs=1e-10)


def test_short_runs_keep_everything_and_long_ones_both_sides_of_an_oscillation():
    problem = network()
    short = train(problem, rules.gd(eta=0.1), steps=400)
    assert short.step.values.tolist() == list(range(401))
    long = train(problem, rules.gd(eta=0.1), steps=3000)
    steps = long.step.values
    assert len(steps) <= 400
    assert steps[0] == 0
    assert steps[-1] == 3000
    assert np.isin(steps % 2, [0, 1]).all()
    assert min((steps % 2 == 0).sum(), (steps % 2 == 1).sum()) > 150
    later = short.sel(step=np.intersect1d(steps, short.step)).loss.values
    assert np.array_equal(long.loss.values[:, : later.shape[1]], later)


def test_what_is_kept():
    problem = network()
    run = train(problem, rules.gd(eta=0.1), steps=20, record=Record(at=[3, 7, 20], what=("w", "loss", "grad_norm")))
    assert run.sizes == {"run": 1, "step": 3, "coord": problem.dim}
    for k in range(3):
        w = run.w[0, k].values
        assert run.loss[0, k] == problem.loss(w)
        assert run.grad_norm[0, k] == pytest.approx(np.linalg.norm(problem.grad(w)))
    assert np.array_equal(run.w_final[0], run.w[0, -1])
    assert run.stopped.values.tolist() == ["steps"]
    assert run.stopped_at.values.tolist() == [20]
    assert run.eta.values.tolist() == [0.1]
    assert run.attrs["rule"] == "gd"
    assert "MLP" in run.attrs["problem"]


def test_a_dataset_can_be_saved(tmp_path):
    import xarray as xr

    run = train(network(), METHODS["independent"], steps=20)
    run.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as again:
        assert np.array_equal(again.loss, run.loss)
        assert again.attrs["batch_size"] == 4


def test_several_networks_are_trained_as_if_alone():
    problem = network()
    starts = np.stack([problem.initial(k) for k in range(3)])
    method = rules.heavy_ball(eta=[0.05, 0.1, 0.2], beta=0.5)
    together = train(problem, method, starts, 30)
    for k, eta in enumerate((0.05, 0.1, 0.2)):
        alone = train(problem, rules.heavy_ball(eta=eta, beta=0.5), starts[k], 30)
        assert np.array_equal(together.loss[k], alone.loss[0])
        assert np.array_equal(together.w_final[k], alone.w_final[0])


def test_runs_draw_batches_of_their_own_and_the_first_those_of_a_single_run():
    problem, method = network(), METHODS["reshuffle"]
    start = problem.initial(0)
    together = train(problem, method, np.stack([start, start]), 30)
    assert np.array_equal(together.loss[0], train(problem, method, steps=30).loss[0])
    assert not np.array_equal(together.loss[0], together.loss[1])
    stream = np.random.default_rng([0, 1, 1]).permutation(20)
    assert np.array_equal(
        train(problem, method, np.stack([start, start]), 1).w_final[1],
        start - 0.05 * problem.grad(start, batch=stream[:3]),
    )


def test_divergence_is_a_result():
    problem = MLP((3, 8, 2), "relu", "mse", X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = train(problem, rules.gd(eta=[0.01, 50.0]), steps=100)
    assert run.stopped.values.tolist() == ["steps", "diverged"]
    t = int(run.diverged_at[1])
    assert run.diverged_at[0] == -1
    assert 0 < t < 100
    assert run.stopped_at[1] == t
    assert np.isfinite(run.loss[1, : t - 1]).all()
    assert not np.isfinite(run.loss[1, t:]).any()
    assert np.isfinite(run.loss[0]).all()


def test_divergence_of_the_iterate_comes_where_simulate_reports_it():
    problem = MatrixFactorization([[1.0]], 1)
    expected = simulate(problem, rules.gd(eta=10.0), [3.0, 2.0], 50)
    unseen = train(problem, rules.gd(eta=10.0), [3.0, 2.0], 50, record=Record(at=[0]))
    assert unseen.diverged_at.item() == expected.diverged_at.item() > 0
    seen = train(problem, rules.gd(eta=10.0), [3.0, 2.0], 50)  # squares in the loss overflow before
    assert seen.diverged_at.item() == np.isfinite(expected.loss[0].values).argmin()


def test_numbers_whose_squares_overflow_are_finite():
    run = train(Quadratic([1.0]), rules.gd(eta=3.0), [1e152], 10, record=Record(what="grad_norm"))
    assert run.stopped.item() == "diverged"  # the loss is not finite
    steady = Function(1, lambda w: 0 * w[..., 0], lambda w: 0 * w)
    assert train(steady, rules.gd(eta=1.0), [1e200], 10).stopped.item() == "steps"


def test_dead_relus_collapse():
    problem = MLP((3, 6, 2), "relu", "mse", np.abs(X), Y)
    w = problem.initial(0)
    w[:18] = -np.abs(w[:18])  # first layer: all negative
    run = train(problem, rules.gd(eta=0.1), w, 100)
    assert run.stopped.item() == "collapsed"
    assert run.stopped_at.item() == 0
    assert np.isnan(run.loss[0, 1:]).all()
    alive = train(problem, rules.gd(eta=0.1), problem.initial(0), 100)
    assert alive.stopped.item() == "steps"


def test_a_last_layer_that_starts_at_zero_is_not_dead():
    run = train(network(last_gain=0.0), rules.gd(eta=0.1), steps=50)
    assert run.stopped.item() == "steps"
    assert run.loss[0, -1] < run.loss[0, 0]


@pytest.mark.parametrize("as_function", [True, False])
def test_early_stop(as_function):
    problem = network()
    free = train(problem, rules.gd(eta=0.2), steps=200)
    level = float(free.loss[0, 100])
    run = train(problem, rules.gd(eta=0.2), steps=200, stop=(lambda t, loss: loss <= level) if as_function else level)
    assert run.stopped.item() == "early stop"
    t = int((free.loss[0].values <= level).argmax())
    assert run.stopped_at.item() == t <= 100
    assert np.array_equal(run.loss[0, : t + 1], free.loss[0, : t + 1])
    assert np.isnan(run.loss[0, t + 1 :]).all()


def test_the_start_is_that_of_the_seed():
    problem = network(seed=7)
    for seed in (0, 7):
        run = train(problem, rules.gd(eta=0.1), steps=1, seed=seed, record=Record(what="w"))
        assert np.array_equal(run.w[0, 0], problem.initial(seed))


def test_problems_know_nothing_of_being_trained():
    problem, start = network(), network().initial(0)
    before = start.copy()
    for method in METHODS.values():
        train(problem, method, start, 3)
    assert np.array_equal(start, before)


def test_progress_shows_the_measured(capsys, monkeypatch):
    monkeypatch.setattr("eossim.training.progress._EVERY", 0.0)  # of every step
    train(network(), rules.gd(eta=0.1), steps=50, progress=True)
    shown = capsys.readouterr().err
    assert "50/50" in shown
    assert "loss" in shown
    assert "measuring" in shown
    train(network(), rules.gd(eta=0.1), steps=50, progress=True, record=Record(at=[0, 50]))
    assert "25/50" in capsys.readouterr().err  # also between measurements
    train(network(), rules.gd(eta=0.1), steps=50)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((network(), rules.gd(eta=0.1), np.ones(5)), {}, ValueError, r"w0 must have shape \(71,\)"),
        ((network(), rules.gd(eta=0.1), np.full(71, np.nan)), {}, ValueError, "w0 must be finite"),
        ((network(), rules.gd(eta=[0.1, 0.2]), np.ones((3, 71))), {}, ValueError, "3 runs, the hyper-parameters 2"),
        ((MatrixFactorization([[1.0]], 1), rules.gd(eta=0.1)), {}, ValueError, "no initial.*give w0"),
        ((object(), rules.gd(eta=0.1)), {}, TypeError, "dim, loss.* and grad"),
        ((network(), rules.gd(eta=0.1), None, 0), {}, ValueError, "steps"),
        ((network(), rules.gd(eta=0.1)), {"seed": -1}, ValueError, "seed"),
        ((network(), rules.gd(eta=0.1)), {"stop": "now"}, TypeError, "stop"),
        ((network(), rules.gd(eta=0.1)), {"stop": math.nan}, ValueError, "stop must be a loss"),
        ((network(), rules.gd(eta=0.1)), {"checkpoint_every": 0}, ValueError, "checkpoint_every"),
        ((network(), rules.gd(eta=0.1)), {"checkpoint": "/no/such/folder/x.npz"}, ValueError, "no such folder"),
        ((network(), rules.gd(eta=0.1)), {"record": Record(what="sharpness")}, ValueError, 'track=."sharpness"'),
        ((network(), rules.gd(eta=0.1)), {"record": Record(at=[2000])}, ValueError, "at asks for step 2000"),
    ],
)
def test_bad_input(arguments, options, error, message):
    with pytest.raises(error, match=message):
        train(*arguments, **options)


def test_simulate_points_to_train():
    with pytest.raises(ValueError, match="use train"):
        simulate(Quadratic([1.0]), rules.gd(eta=0.1), [1.0], record=Record(track="sharpness"))
    with pytest.raises(TypeError, match="track must hold names"):
        Record(track=(1,))


def test_adam_takes_runs():
    run = train(network(), adam(eta=[1e-3, 1e-2]), steps=20)
    assert run.eta.values.tolist() == [1e-3, 1e-2]
    assert np.array_equal(run.loss[1], train(network(), adam(eta=1e-2), steps=20).loss[0])


def test_trackers_measure_at_the_kept_steps_and_change_no_step(monkeypatch):
    made = []
    track_with(monkeypatch, made)
    problem, method = network(), rules.gd(eta=[0.1, 0.2])
    keep = Record(every=7, track=("sharpness", "edge"))
    run = train(problem, method, steps=30, record=keep)
    assert [tracker.seen for tracker in made] == [[0, 7, 14, 21, 28, 30]] * 4
    assert run.edge.values.tolist() == [[20.0] * 6, [10.0] * 6]
    assert np.array_equal(run.ratio, run.sharpness / run.edge)
    assert run.sharpness_calls[1].values.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.sharpness.attrs["long_name"] == "a random walk"
    assert np.array_equal(run.w_final, train(problem, method, steps=30).w_final)
    assert run.attrs["seconds"] > run.attrs["seconds_measuring"] > 0


@pytest.mark.parametrize(
    ("method", "sharpness"),
    [
        (rules.gd(eta=0.1), "sharpness"),
        (adam(eta=0.01), "preconditioned_sharpness"),
        (steepest_descent(norms.Linf(), eta=0.01), "generalized_sharpness"),
    ],
)
def test_the_ratio_is_that_of_the_sharpness_that_the_edge_is_about(method, sharpness):
    run = train(network(), method, steps=3, record=Record(track=(sharpness, "edge")))
    assert np.array_equal(run.ratio, run[sharpness] / run.edge)
    assert "ratio" not in train(network(), method, steps=3, record=Record(track=(sharpness,)))


def test_unknown_trackers():
    with pytest.raises(ValueError, match='unknown tracker "sharpnes"; did you mean "sharpness"'):
        train(network(), rules.gd(eta=0.1), record=Record(track="sharpnes"))


def test_what_measuring_costs_is_said():
    run = train(network(), rules.gd(eta=[0.05, 0.1]), steps=20, record=Record(every=5, track=("sharpness", "edge")))
    assert run.attrs["hvps_sharpness"] == int(run.sharpness_hvps.sum())
    assert 0 < run.attrs["seconds_sharpness"] <= run.attrs["seconds_measuring"]
    assert run.attrs["hvps_edge"] == 0


def test_a_minimum_is_no_collapse():
    problem = MLP((1, 1), "identity", "mse", [[1.0], [-1.0]], [1.0, 1.0], bias=False)
    assert train(problem, sgd(eta=0.1, batch_size=1), np.zeros(1), 100).stopped.item() == "steps"
    assert not problem.grad(np.zeros(1)).any()


def test_adam_steps_with_its_preconditioner():
    problem, method = network(), adam(eta=0.01)
    state = {"w": problem.initial(), **method.start(problem.initial())}
    for _ in range(4):
        g = problem.grad(state["w"])
        P = method.preconditioner(state, g)
        update, moments = method.update(state, g)
        np.testing.assert_allclose(update, 0.01 * moments["m"] / P, rtol=1e-12)
        state = {"w": state["w"] - update, **moments}
