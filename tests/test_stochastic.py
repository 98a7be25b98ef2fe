"""The commands `eossim stochastic` and `eossim simulate --method sgd`."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from eossim import data
from eossim._stochastic import batch_sizes
from eossim.cli import app
from eossim.theory import MeanSquare


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def test_batch_sizes_are_read():
    assert batch_sizes("1,2,4,...,n", 100) == [1, 2, 4, 8, 16, 32, 64, 100]
    assert batch_sizes("n", 7) == [7]
    assert batch_sizes("3, 5,...", 12) == [3, 5, 10]
    assert batch_sizes("4,4,1", 4) == [1, 4]


def test_the_table_is_that_of_the_library(tmp_path):
    out = tmp_path / "f.png"
    result = run("stochastic", "--data", "diabetes", "--batch-size", "1,8,n", "--eta", 0.01, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000
    problem = data.load("diabetes").standardized().least_squares()
    for size in (1, 8, 442):
        theory = MeanSquare(problem, size)
        assert f"{theory.critical_step:.6g}" in result.output
        assert f"{float(theory.spectral_radius(0.01)):.8g}" in result.output
    law = MeanSquare(problem, 8).stationary(0.01)
    assert f"{law.excess_loss:.6g}" in result.output
    assert " 200\n" in result.output  # GNI = 2/eta


def test_both_sides_of_the_edge_are_simulated():
    result = run("stochastic", "--data", "diabetes", "--batch-size", "8", "--check", "--replacement", "--beta", 0.5)
    assert result.exit_code == 0, result.output
    cells = re.findall(r"(\S+) / (\S+) ± (\S+)", result.output)
    assert len(cells) == 6
    first = [tuple(map(float, c)) for c in (cells[0], cells[3])]  # step 1 of each side: no heavy tails yet
    assert all(abs(mean - exact) < 5 * error + 1e-3 * exact for exact, mean, error in first)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["stochastic", "--batch-size", "0"], "between 1 and the 1797 samples, got 0"),
        (["stochastic", "--batch-size", "1,2.5"], "numbers, n or ..."),
        (["stochastic", "--batch-size", "...,n"], "needs a number before"),
        (["stochastic", "--batch-size", "5000"], "got 5000"),
        (["stochastic", "--data", "digit"], 'did you mean "digits"'),
        (["stochastic", "--beta", "1.5"], "beta"),
        (["stochastic", "--batch-size", "8", "--eta", "-1"], "eta"),
        (["stochastic", "--out", "f.txt"], ".png, .svg or .pdf"),
        (["simulate", "--method", "sgd", "--data", "diabetes", "eta=1e-5"], "sgd needs batch_size"),
        (["simulate", "--method", "sgd", "--data", "diabetes", "eta=1e-5", "batch_size=500"], "at most the 442"),
        (["simulate", "--method", "sgd", "--data", "diabetes", "eta=1e-5", "batch_size=5", "betta=1"], 'mean "beta"'),
        (["simulate", "--method", "sgd", "--spectrum", "4,1", "eta=0.1", "batch_size=1"], "give --data"),
        (["simulate", "--method", "sgd", "--data", "diabetes", "--sampling", "shuffle", "eta=1e-5", "batch_size=5"],
         'did you mean "reshuffle"'),
    ],
)  # fmt: skip
def test_wrong_input_is_named(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output


def test_sgd_is_tracked_along_a_run(tmp_path):
    result = run("simulate", "--method", "sgd", "--data", "diabetes", "eta=0.00002", "batch_size=8", "--steps", 300,
                 "--out", tmp_path / "run.nc")  # fmt: skip
    assert result.exit_code == 0, result.output
    problem = data.load("diabetes").least_squares()
    assert f"{MeanSquare(problem, 8).critical_step:.6g}" in result.output
    rows = re.findall(r"^\d+ .*$", result.output, re.M)
    assert len(rows) == 12
    assert all(len(row.split()) == 7 for row in rows)
    assert np.isfinite(float(rows[-1].split()[3]))
    assert (tmp_path / "run.nc").exists()


def test_a_run_that_diverges_is_told():
    result = run("simulate", "--method", "sgd", "--data", "diabetes", "eta=1", "batch_size=5", "--steps", 500)
    assert result.exit_code == 0, result.output
    assert "inf" in result.output or "nan" in result.output


def test_several_runs_are_said_to_be_several():
    result = run("simulate", "--method", "sgd", "--data", "diabetes", "eta=1e-6,1e-4", "batch_size=8", "--steps", 20)
    assert "first of 2 runs" in result.output
    assert "2/eta 2e+06" in result.output
