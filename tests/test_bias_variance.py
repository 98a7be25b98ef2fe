"""The command `eossim bias-variance`: what it says, on real data and on wrong input."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from eossim import data, rules, theory
from eossim.cli import app


def run(*arguments):
    return CliRunner().invoke(app, ["bias-variance", *map(str, arguments)])


@pytest.fixture(scope="module")
def diabetes():
    problem = data.load("diabetes").standardized().least_squares()
    return problem, theory.estimate_truth(problem)


def test_the_table_and_the_spans_are_those_of_the_library(tmp_path, diabetes):
    problem, guess = diabetes
    result = run("--eta", 0.1, "--rho", 0.2, "--out", tmp_path / "f.png")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "f.png").stat().st_size > 10_000
    truth = {"w_star": guess.w_star, "noise_variance": guess.noise_variance}
    for method in (rules.gd(eta=0.1), rules.usam(eta=0.1, rho=0.2)):
        best = theory.optimal_stopping(problem, method, **truth)
        row = re.search(rf"^{method.rule.name} .*$", result.output, re.M).group()
        assert f" {float(best.step[0]):.0f} " in row
        assert f"{float(best.risk[0]):.6g}" in row
    found = theory.crossings(problem, rules.gd(eta=0.1), rules.usam(eta=0.1, rho=0.2), **truth)
    assert ", ".join(f"{k:.6g}" for k in found.real) in result.output
    assert "ordering theorem: applies" in result.output
    assert guess.how in result.output


def test_who_wins_differs_between_the_two_data_sets(tmp_path):
    said = {d: run("--data", d, "--out", tmp_path / f"{d}.svg").output for d in ("diabetes", "digits")}
    assert "usam wins" in said["diabetes"]
    assert "a little SAM helps" in said["diabetes"]
    assert "gd wins" in said["digits"]
    assert "a little SAM does not help" in said["digits"]


def test_a_failing_condition_is_named(tmp_path):
    said = run("--eta", 0.2, "--rho", 0.3, "--out", tmp_path / "f.pdf").output
    assert "does not apply; fails: eta h (1 + rho h) <= 1" in said
    said = run("--methods", "gd,heavy_ball", "beta=0.9", "--metric", "parameter", "--out", tmp_path / "f.pdf").output
    assert "does not apply; fails: neither method has memory" in said


def test_normalised_sam_and_cross_validation(tmp_path):
    result = run("--methods", "gd,usam,sam", "--risk", "test", "--folds", 3, "sam.rho=2", "--steps", 60,
                 "--out", tmp_path / "f.png")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "sam *" in result.output
    assert "rho=2 " in result.output
    assert "3 folds of the real targets" in result.output
    assert "final 2-cycle" in result.output


def test_a_file_with_known_noise(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 40))  # n < d: the noise has to be given
    np.savez(tmp_path / "own.npz", X=X, y=X @ rng.standard_normal(40))
    result = run("--data", tmp_path / "own.npz", "--out", tmp_path / "f.png")
    assert result.exit_code == 2
    assert "noise_variance cannot be estimated" in result.output
    result = run("--data", tmp_path / "own.npz", "--noise", 1.0, "--out", tmp_path / "f.png")
    assert result.exit_code == 0, result.output
    assert "noise variance 1 as given" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--eta", 0.7], "unstable on mode 0.*largest stable eta is 0.49699"),
        (["--rho", 50], "usam .*unstable.*largest stable rho"),
        (["--eta", -1], "0 < eta"),
        (["--noise", -1], "0 <= noise_variance"),
        (["--metric", "pred"], "did you mean \"prediction\""),
        (["--risk", "tset"], "did you mean \"test\""),
        (["--methods", "gd,usma"], "did you mean \"usam\""),
        (["--methods", "gd,gd"], "distinct names"),
        (["--methods", "gd,lookahead"], "family"),
        (["--methods", "gd,gd_weight_decay"], "gd_weight_decay"),
        (["--data", "diabets"], "did you mean \"diabetes\""),
        (["foo=3"], "no method among gd, usam has a hyper-parameter foo"),
        (["sam.rho=3"], "sam, which is not among the methods"),
        (["--steps", 0], "steps must be an integer >= 1"),
        (["--folds", 1, "--risk", "test"], "folds"),
        (["--out", "nowhere/f.png"], "existing folder"),
        (["--out", "f.txt"], ".png, .svg or .pdf"),
    ],
)  # fmt: skip
def test_wrong_input_is_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert re.search(message, result.output)
    assert "Traceback" not in result.output


def file_of(path, X, y):
    np.savez(path, X=X, y=y)
    return path


def test_the_empty_cases_have_words(tmp_path):
    rng = np.random.default_rng(6)
    X = rng.normal(size=(60, 5))
    out = tmp_path / "f.png"
    noise_free = run("--noise", 0, "--out", out)
    assert "there is no noise" in noise_free.output
    pure_noise = run("--data", file_of(tmp_path / "pure.npz", X, rng.normal(size=60)), "--out", out)
    assert pure_noise.exit_code == 0, pure_noise.output
    assert "1 to infinity gd" in pure_noise.output
    constant = run("--data", file_of(tmp_path / "constant.npz", X, np.ones(60)), "--out", out)
    assert constant.exit_code == 0, constant.output
    assert "no signal was found" in constant.output


def test_the_end_of_a_search_is_no_optimum(tmp_path):
    result = run("--methods", "gd,heavy_ball", "eta=1e-6", "beta=0.5", "--out", tmp_path / "f.png")
    assert "> 100000" in result.output
    assert "no optimum was found" in result.output
    assert "wins" not in result.output


def test_rounding_to_whole_steps_is_told(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 1))  # one mode: at real steps both are equal
    path = file_of(tmp_path / "one.npz", x, 2 * x[:, 0] + rng.normal(size=40))
    result = run("--data", path, "--out", tmp_path / "f.png")
    assert "are equal" in result.output or "decided by rounding to whole steps" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--eta", 0.1, "eta=0.2"], "both given"),
        (
            ["--methods", "gd,usam,heavy_ball,nesterov,sam,normalised,qhm", "beta=0.5", "nu=0.5"],
            "1 to 6 distinct names",
        ),
        (["--seed", -1], "seed"),
    ],
)
def test_more_wrong_input_is_named(tmp_path, arguments, message):
    result = run(*arguments, "--out", tmp_path / "f.png")
    assert result.exit_code == 2
    assert message in result.output
