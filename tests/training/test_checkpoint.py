"""Trainings that are killed, resumed, changed on the way, or find a file that is not theirs."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from eossim import Record, rules, sgd, train
from eossim.networks import MLP
from eossim.training import adam, load_checkpoint
from tests.training.cases import METHODS, X, Y, network, track_with

KEEP = Record(what=("loss", "grad_norm", "w"))


class KilledError(Exception):
    pass


def killer(step):
    """A `stop` that ends the process, or as good as."""

    def stop(t, loss):
        if t == step:
            raise KilledError
        return False

    return stop


def assert_same_run(one, other):
    assert one.data_vars.keys() == other.data_vars.keys()
    for name in one.data_vars:
        if one[name].dtype.kind == "f":
            assert one[name].values.tobytes() == other[name].values.tobytes(), name
        else:
            assert one[name].equals(other[name]), name


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_interrupted_run_ends_at_the_same_bits(name, dtype, tmp_path):
    problem, file = network(dtype=dtype), tmp_path / "run.npz"
    options = {"steps": 75, "record": KEEP, "seed": 2, "checkpoint": file, "checkpoint_every": 7}
    with pytest.raises(KilledError):
        train(problem, METHODS[name], **options, stop=killer(40))
    found = load_checkpoint(file)
    assert found.states[0]["t"] == 35
    assert not found.finished
    resumed = train(problem, METHODS[name], **options)
    assert_same_run(resumed, train(problem, METHODS[name], steps=75, record=KEEP, seed=2))
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("looks", [8, 16])
def test_trackers_go_on_from_what_they_remember(looks, tmp_path, monkeypatch):
    track_with(monkeypatch, [])
    problem, file, method = network(), tmp_path / "run.npz", rules.gd(eta=[0.1, 0.2])
    options = {"steps": 30, "record": Record(every=3, track=("sharpness", "edge"))}
    whole, counted = train(problem, method, **options), 0

    def stop(t, loss):
        nonlocal counted
        counted += 1
        if counted == looks:  # eleven in the first run
            raise KilledError
        return False

    with pytest.raises(KilledError):
        train(problem, method, **options, checkpoint=file, checkpoint_every=4, stop=stop)
    assert_same_run(train(problem, method, **options, checkpoint=file), whole)


def test_the_trackers_that_there_are_go_on_as_well(tmp_path):
    problem, file, method = network(), tmp_path / "run.npz", METHODS["reshuffle"]
    track = ("sharpness[2]", "alignment", "edge", "batch_sharpness", "gni", "lambda_max_batch[4]")
    options = {"steps": 30, "record": Record(every=3, track=(*track, "generalized_sharpness[linf]", "dual_norm"))}
    with pytest.raises(KilledError):
        train(problem, method, **options, checkpoint=file, checkpoint_every=4, stop=killer(21))
    assert_same_run(train(problem, method, **options, checkpoint=file), train(problem, method, **options))


KILLED = """
import os, signal
import numpy as np
from eossim import Record, sgd, train
from tests.training.cases import network
from tests.training.test_checkpoint import KEEP

def stop(t, loss):
    if t == {step}:
        if {writing}:
            os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # the next write does not come to its end
        else:
            os.kill(os.getpid(), signal.SIGKILL)
    return False

problem = network()
starts = np.stack([problem.initial(k) for k in range(2)])
train(problem, sgd(eta=0.05, batch_size=3, sampling="reshuffle"), starts, 60, record=KEEP, checkpoint={file!r},
      checkpoint_every=11, stop=stop)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 on this system")
@pytest.mark.parametrize("writing", [False, True])
def test_kill_minus_nine(writing, tmp_path):
    file = tmp_path / "run.npz"
    script = textwrap.dedent(KILLED).format(step=40, writing=writing, file=str(file))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert done.returncode == -signal.SIGKILL
    found = load_checkpoint(file)
    assert [state["t"] for state in found.states] == [33]
    problem = network()
    starts = np.stack([problem.initial(k) for k in range(2)])
    method = sgd(eta=0.05, batch_size=3, sampling="reshuffle")
    resumed = train(problem, method, starts, 60, record=KEEP, checkpoint=file, checkpoint_every=11)
    assert_same_run(resumed, train(problem, method, starts, 60, record=KEEP))


def test_a_run_is_resumed_within_its_batch_of_runs(tmp_path):
    problem, file = network(), tmp_path / "run.npz"
    calls = 0

    def stop(t, loss):
        nonlocal calls
        calls += t == 20
        if calls == 2:
            raise KilledError
        return False

    method = rules.heavy_ball(eta=[0.05, 0.1, 0.2], beta=0.5)
    with pytest.raises(KilledError):
        train(problem, method, steps=30, record=KEEP, checkpoint=file, checkpoint_every=9, stop=stop)
    assert [state["t"] for state in load_checkpoint(file).states] == [30, 18]
    resumed = train(problem, method, steps=30, record=KEEP, checkpoint=file)
    assert_same_run(resumed, train(problem, method, steps=30, record=KEEP))


def test_a_finished_training_is_read_again(tmp_path):
    problem, file = network(), tmp_path / "run.npz"
    first = train(problem, METHODS["iid"], steps=30, checkpoint=file)
    assert load_checkpoint(file).finished
    before = file.read_bytes()
    assert_same_run(train(problem, METHODS["iid"], steps=30, checkpoint=file), first)
    assert file.read_bytes() == before


@pytest.mark.parametrize("name", METHODS)
def test_going_on_for_longer_ends_at_the_same_bits(name, tmp_path):
    problem, file = network(), tmp_path / "first.npz"
    train(problem, METHODS[name], steps=40, checkpoint=file)
    rest = train(problem, METHODS[name], steps=35, resume_from=file, record=KEEP)
    whole = train(problem, METHODS[name], steps=75, record=KEEP)
    assert rest.step.values.tolist() == list(range(40, 76))
    assert np.array_equal(rest.w, whole.w.sel(step=rest.step))
    assert np.array_equal(rest.loss, whole.loss.sel(step=rest.step))


def test_another_step_size_keeps_the_order_of_batches(tmp_path):
    problem, file = network(), tmp_path / "first.npz"
    train(problem, sgd(eta=0.05, batch_size=3, sampling="reshuffle"), steps=8, seed=4, checkpoint=file)
    order = np.random.default_rng([4, 1])
    batches = [b for _ in range(4) for b in order.permutation(20)[:18].reshape(6, 3)]
    w = load_checkpoint(file).w[0]
    for batch in batches[8:20]:
        w = w - 0.1 * problem.grad(w, batch=batch)
    changed = train(problem, sgd(eta=0.1, batch_size=3, sampling="reshuffle"), steps=12, seed=4, resume_from=file)
    assert np.array_equal(changed.w_final[0], w)


def test_another_batch_size_goes_on_within_the_epoch(tmp_path):
    problem, file = network(), tmp_path / "first.npz"
    train(problem, sgd(eta=0.05, batch_size=3, sampling="reshuffle"), steps=2, checkpoint=file)
    order = np.random.default_rng([0, 1])
    epoch, following = order.permutation(20), order.permutation(20)
    w = load_checkpoint(file).w[0]
    for batch in (epoch[6:14], following[:8], following[8:16]):  # six are left, too few for eight
        w = w - 0.05 * problem.grad(w, batch=batch)
    changed = train(problem, sgd(eta=0.05, batch_size=8, sampling="reshuffle"), steps=3, resume_from=file)
    assert np.array_equal(changed.w_final[0], w)


def test_momentum_stays_when_its_numbers_change_and_goes_with_its_rule(tmp_path):
    problem, file = network(), tmp_path / "first.npz"
    train(problem, rules.heavy_ball(eta=0.05, beta=0.5), steps=10, checkpoint=file)
    state = load_checkpoint(file).states[0]
    w, m = state["w"], state["m"]
    assert m.any()
    same = train(problem, rules.heavy_ball(eta=0.1, beta=0.8), steps=1, resume_from=file)
    assert np.array_equal(same.w_final[0], w - 0.1 * (problem.grad(w) + 0.8 * m))
    other = train(problem, rules.nesterov(eta=0.1, beta=0.8), steps=1, resume_from=file)
    g = problem.grad(w)
    assert other.w_final[0].values == pytest.approx(w - 0.1 * (g + 0.8 * g), rel=1e-12)
    fresh = train(problem, adam(eta=0.1), steps=1, resume_from=file)  # counts its own steps
    assert fresh.w_final[0].values == pytest.approx(w - 0.1 * (g / (np.abs(g) + 1e-8)), rel=1e-9)
    assert fresh.step.values.tolist() == [10, 11]


def test_branches_from_one_checkpoint(tmp_path):
    problem, file = network(), tmp_path / "first.npz"
    train(problem, METHODS["reshuffle"], steps=10, checkpoint=file)
    found = load_checkpoint(file)
    branches = train(problem, sgd(eta=[0.05, 0.1], batch_size=3, sampling="reshuffle"), steps=12, resume_from=found)
    for k, eta in enumerate((0.05, 0.1)):
        alone = train(problem, sgd(eta=eta, batch_size=3, sampling="reshuffle"), steps=12, resume_from=found)
        assert np.array_equal(branches.loss[k], alone.loss[0])


def test_a_branch_is_resumed_as_well(tmp_path):
    problem, file, branch = network(), tmp_path / "first.npz", tmp_path / "branch.npz"
    train(problem, METHODS["iid"], steps=10, checkpoint=file)
    method = sgd(eta=0.1, batch_size=2, sampling="iid")
    options = {"steps": 40, "resume_from": file, "record": Record(at=range(10, 51), what="w")}
    with pytest.raises(KilledError):
        train(problem, method, **options, checkpoint=branch, checkpoint_every=5, stop=killer(33))
    resumed = train(problem, method, **options, checkpoint=branch)
    assert_same_run(resumed, train(problem, method, **options))


@pytest.fixture
def finished(tmp_path):
    file = tmp_path / "run.npz"
    train(network(), METHODS["reshuffle"], steps=20, checkpoint=file)
    return file


def test_damaged_files_are_found_out(finished):
    whole = finished.read_bytes()
    damaged = [b"", b"not a checkpoint", whole[: len(whole) // 2], whole[:-1]]
    for k in range(40, len(whole), len(whole) // 60):
        damaged.append(whole[:k] + bytes([whole[k] ^ 4]) + whole[k + 1 :])
    intact = load_checkpoint(finished)
    told = 0
    for content in damaged:
        finished.write_bytes(content)
        try:
            found = load_checkpoint(finished)
        except ValueError as error:
            assert "damaged" in str(error)  # noqa: PT017
            told += 1
        else:  # a bit that nothing depends on, such as the date of an entry of the archive
            assert all(np.array_equal(found.states[0][n], v) for n, v in intact.states[0].items())
            assert all(found.arrays[n].tobytes() == v.tobytes() for n, v in intact.arrays.items())
            assert found.notes == intact.notes
    assert told > 4
    finished.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="damaged"):
        train(network(), METHODS["reshuffle"], steps=20, checkpoint=finished)


def test_contents_without_their_checksum(finished, tmp_path):
    with np.load(finished) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays["state/0/w"] = arrays["state/0/w"] + 1e-16
    arrays["state/0/w"][3] += 1e-3
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(ValueError, match="do not match its checksum"):
        load_checkpoint(tmp_path / "other.npz")
    np.savez(tmp_path / "plain.npz", w=np.zeros(3))
    with pytest.raises(ValueError, match="no checkpoint"):
        load_checkpoint(tmp_path / "plain.npz")
    with pytest.raises(FileNotFoundError):
        load_checkpoint(tmp_path / "none.npz")


def test_a_checkpoint_of_another_problem(finished):
    from eossim.networks import MLP
    from tests.training.cases import X, Y

    others = [
        MLP((3, 5, 6, 2), "tanh", "mse", X, Y),
        MLP((3, 6, 5, 2), "relu", "mse", X, Y),
        MLP((3, 6, 5, 2), "tanh", "mse", X, Y[::-1]),
        MLP((3, 6, 5, 2), "tanh", "mse", X, Y, half=False),
    ]
    for problem in others:
        with pytest.raises(ValueError, match=r"another problem.*MLP"):
            train(problem, METHODS["reshuffle"], steps=20, checkpoint=finished)
        with pytest.raises(ValueError, match="resume_from belongs to another problem"):
            train(problem, METHODS["reshuffle"], steps=20, resume_from=finished)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": sgd(eta=0.06, batch_size=3, sampling="reshuffle")}, "other method.*resume_from"),
        ({"steps": 30}, r"other steps.*resume_from"),
        ({"seed": 1, "w0": network().initial(0)}, "other seed"),
        ({"record": Record(every=3)}, "other steps to keep"),
        ({"record": Record(what="w")}, "other quantities"),
        ({"w0": np.zeros(71)}, "other starting points"),
    ],
)
def test_a_checkpoint_of_another_training(finished, change, message):
    arguments = {"method": METHODS["reshuffle"], "steps": 20, "checkpoint": finished} | change
    with pytest.raises(ValueError, match=message):
        train(network(), **arguments)


def test_resuming_from_what_does_not_fit(finished, tmp_path):
    problem = network()
    with pytest.raises(ValueError, match="leave w0 out"):
        train(problem, METHODS["gd"], problem.initial(0), resume_from=finished)
    with pytest.raises(ValueError, match="between 20 and 30"):
        train(problem, METHODS["gd"], steps=10, resume_from=finished, record=Record(at=[0, 25]))
    two = tmp_path / "two.npz"
    train(problem, rules.gd(eta=[0.1, 0.2]), steps=5, checkpoint=two)
    with pytest.raises(ValueError, match="2 runs, the hyper-parameters 3"):
        train(problem, rules.gd(eta=[0.1, 0.2, 0.3]), steps=5, resume_from=two)
    partial = tmp_path / "partial.npz"
    with pytest.raises(KilledError):
        train(problem, METHODS["gd"], steps=9, checkpoint=partial, checkpoint_every=2, stop=killer(6))
    with pytest.raises(ValueError, match="finished training"):
        train(problem, METHODS["gd"], steps=5, resume_from=partial)
    lost, level = tmp_path / "lost.npz", 0.8 * problem.loss(problem.initial(0))
    run = train(problem, rules.gd(eta=[0.1, 0.2]), steps=50, checkpoint=lost, stop=lambda t, loss: loss < level)
    assert len(set(run.stopped_at.values)) == 2
    with pytest.raises(ValueError, match="stand at one step"):
        train(problem, rules.gd(eta=0.1), steps=5, resume_from=lost)


def test_precision_and_order_of_samples_belong_to_a_problem(tmp_path):
    path = tmp_path / "run.npz"
    one = MLP((3, 4, 1), "tanh", "mse", X[:, :3], Y[:, :1])
    train(one, rules.gd(eta=0.1), steps=3, checkpoint=path)
    other = MLP((3, 4, 1), "tanh", "mse", X[:, :3], Y[:, :1], dtype=np.float32)
    turned = MLP((3, 4, 1), "tanh", "mse", X[::-1, :3], Y[::-1, :1])
    for problem in (other, turned):
        with pytest.raises(ValueError, match="another problem"):
            train(problem, rules.gd(eta=0.05), steps=3, resume_from=path)
