"""The commands `eossim train` and `eossim experiment`."""

import re

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from eossim import Record, data, rules, train
from eossim._experiments import DRAWN_BY
from eossim._train import method_of, network
from eossim.cli import app
from eossim.engine.sampling import Minibatch
from eossim.norms import BlockMax, Linf, Spectral

SMALL = ("train", "--samples", 100, "--sizes", "64,8,10", "--steps", 60)


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def small(**options):
    chosen = {"activation": "tanh", "loss": "mse", "samples": 100, "gain": 1.0, "seed": 0} | options
    return network("digits", (64, 8, 10), **chosen)


def test_the_table_is_the_run(tmp_path):
    out, saved = tmp_path / "f.png", tmp_path / "run.nc"
    result = run(*SMALL, "--method", "sam", "--eta", 0.1, "--rho", 0.05, "--out", out, "--save", saved)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000
    kept = xr.load_dataset(saved)
    again = train(
        small(), rules.sam(eta=0.1, rho=0.05), steps=60, record=Record(every=1, track=("sharpness", "edge")), seed=0
    )
    np.testing.assert_array_equal(kept.loss.values[0], again.loss.values[0])
    np.testing.assert_allclose(kept.edge.values, again.edge.values, rtol=1e-12)
    last = next(line.split() for line in result.output.splitlines() if re.match(r"60 ", line))
    assert last[1] == f"{float(again.loss[0, -1]):.5g}"
    assert "second half: sharpness / edge" in result.output


def test_networks_are_made_of_data():
    problem = small()
    assert problem.n_samples == 100
    np.testing.assert_allclose(problem._inputs.mean(axis=0), 0, atol=1e-12)
    order = np.random.default_rng(0).permutation(1797)[:100]
    np.testing.assert_array_equal(problem._targets.argmax(axis=1), data.load("digits").y[order])
    regression = network("diabetes", (10, 4, 1), activation="tanh", loss="mse", samples=None, gain=1.0, seed=0)
    assert (regression._targets.mean(), regression._targets.std()) == (pytest.approx(0), pytest.approx(1))


def test_methods_have_names():
    problem = small()
    spectral = method_of("steepest_descent", {"eta": 0.1}, problem, "spectral", None).norm
    assert isinstance(spectral, Spectral)
    assert spectral.shapes == ((64, 8), (8, 1), (8, 10), (10, 1))
    blocks = method_of("normalized_steepest_descent", {"eta": 0.1}, problem, "block_max", None).norm
    assert isinstance(blocks, BlockMax)
    assert [len(block) for block in blocks.blocks] == [512, 8, 80, 10]
    assert isinstance(method_of("steepest_descent", {"eta": 0.1}, problem, "linf", None).norm, Linf)
    stochastic = method_of("sgd", {"eta": 0.1, "beta": 0.9}, problem, None, 8)
    assert isinstance(stochastic, Minibatch)
    assert stochastic.method.rule.name == "heavy_ball"
    assert method_of("adam", {"eta": 0.1}, problem, None, None).name == "adam"


def test_a_killed_run_goes_on(tmp_path):
    path = tmp_path / "run.npz"
    whole = run(*SMALL, "--eta", 0.1, "--checkpoint", path)
    assert whole.exit_code == 0, whole.output
    assert "exists: give --resume" in run(*SMALL, "--eta", 0.1, "--checkpoint", path).output
    again = run(*SMALL, "--eta", 0.1, "--checkpoint", path, "--resume")
    assert again.output == whole.output
    other = run(*SMALL[:3], "--sizes", "64,9,10", "--steps", 60, "--eta", 0.1, "--checkpoint", path, "--resume")
    assert other.exit_code == 2
    assert "another problem" in other.output


def test_a_run_that_grows_says_so():
    result = run(*SMALL, "--eta", 30)
    assert result.exit_code == 0
    assert "eta is too large" in result.output or "diverged" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sizes", "64,a,10"), "--sizes must be whole numbers"),
        (("--sizes", "60,10", "--eta", 0.1), "sizes[0]"),
        (("--data", "diabetes", "--sizes", "10,4,3", "--eta", 0.1), "classes 0 to 2"),
        (("--samples", 5000, "--eta", 0.1), "--samples must be at most"),
        (("--activation", "tnh", "--eta", 0.1), 'did you mean "tanh"'),
        (("--loss", "mes", "--eta", 0.1), 'did you mean "mse"'),
        (("--method", "adm", "--eta", 0.1), 'did you mean "adam"'),
        (("--method", "sgd", "--eta", 0.1), "needs --batch-size"),
        (("--method", "steepest_descent", "--eta", 0.1), "needs --norm"),
        (("--method", "gd", "--norm", "linf", "--eta", 0.1), "--norm is for"),
        (("--method", "adam", "--batch-size", 8, "--eta", 0.1), "leave out --batch-size"),
        (("--method", "gd", "--eta", -1), "eta"),
        (("--method", "gd", "--eta", 0.1, "--track", "sharpnes"), 'did you mean "sharpness"'),
        (("--eta", 0.1, "--resume"), "--resume needs --checkpoint"),
        (("--eta", 0.1, "eta=0.2"), "are both given"),
        (("--eta", 0.1, "--out", "nowhere/f.png"), "existing folder"),
    ],
)
def test_wrong_input_is_named(arguments, message):
    result = run("train", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert "Traceback" not in result.output


def test_experiments_are_listed_and_run(tmp_path):
    listed = run("experiment").output
    assert all(name in listed for name in DRAWN_BY)
    out = tmp_path / "f.png"
    result = run("experiment", "regimes", "--quick", "--out", out)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000
    wrong = run("experiment", "regime")
    assert wrong.exit_code == 2
    assert 'did you mean "regimes"' in wrong.output
    assert "existing folder" in run("experiment", "catapult", "--out", tmp_path / "nowhere" / "g.png").output


def test_a_run_that_ends_early_is_not_said_to_grow(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", X=rng.standard_normal((20, 3)), y=rng.standard_normal(20))
    result = run("train", "--data", tmp_path / "d.npz", "--sizes", "3,4,1", "--activation", "relu", "--eta", 0.1,
                 "--steps", 20, "--gain", 1e-200)  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "eta is too large" not in result.output
