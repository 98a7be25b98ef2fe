"""The commands `eossim sharpness` and `eossim simulate --method steepest_descent`."""

import re

import numpy as np
import pytest
from typer.testing import CliRunner

from eossim import data
from eossim._sharpness import norms_from
from eossim.cli import app
from eossim.norms import BlockSum, Linf, Lp, Spectral

DIABETES = data.load("diabetes").least_squares().hessian()


def run(*arguments):
    return CliRunner().invoke(app, [*map(str, arguments)])


def row(output, name):
    """Return the first row of a table that begins with a name, as words."""
    return next(line.split() for line in output.splitlines() if line.startswith(f"{name} "))


def test_names_stand_for_norms():
    found = norms_from("linf, lp:3, spectral, block_sum", 64)
    assert [type(norm) for norm in found] == [Linf, Lp, Spectral, BlockSum]
    assert found[2].shapes == ((8, 8),)
    assert [len(block) for block in found[3].blocks] == [8] * 8
    assert [norm.name for norm in norms_from("spectral,block_max", 12, shape="2x6", blocks=3)] == [
        "spectral[2x6]",
        "block_max[4 blocks]",
    ]
    assert [norm.name for norm in norms_from("all", 7)] == ["l2", "l1", "linf", "lp[3]"]  # no matrix of 7 entries


def test_the_table_is_written_out_by_hand(tmp_path):
    out = tmp_path / "f.png"
    result = run("sharpness", "--data", "diabetes", "--norm", "l2,l1,linf,block_sum", "--blocks", 5, "--out", out)
    assert result.exit_code == 0, result.output
    assert out.stat().st_size > 10_000
    signs = np.array(np.meshgrid(*[[-1, 1]] * 10)).reshape(10, -1).T
    expected = {
        "l2": np.linalg.eigvalsh(DIABETES)[-1],
        "l1": DIABETES.diagonal().max(),
        "linf": np.einsum("si,ij,sj->s", signs, DIABETES, signs).max(),
        "block_sum[2 blocks]": max(np.linalg.eigvalsh(DIABETES[:5, :5])[-1], np.linalg.eigvalsh(DIABETES[5:, 5:])[-1]),
    }
    for name, value in expected.items():
        words = row(result.output, name)[len(name.split()) :]
        assert float(words[0]) == pytest.approx(value, rel=1e-7)
        assert words[1:3] == ["S,", "exact"]
        assert float(words[3]) == pytest.approx(2 / value, rel=1e-5)
        assert float(words[4]) == pytest.approx(value / expected["l2"], rel=1e-3)


def test_both_sides_of_the_edge_are_run():
    result = run("sharpness", "--data", "diabetes", "--norm", "linf,spectral", "--check")
    assert result.exit_code == 0, result.output
    for name in ("linf", "spectral[2x5]"):
        table = result.output.split("steepest descent below the edge")[1]
        words = row(table, name)
        assert float(words[1]) < 0.1
        assert float(words[2]) == 1.4
        assert float(words[3]) == pytest.approx(1.4, abs=2e-6)
        assert words[4:] == ["as", "predicted"]


def test_a_run_in_a_norm_shows_its_identity():
    result = run("simulate", "--method", "steepest_descent", "--norm", "linf", "--data", "diabetes", "eta=4e-6")
    assert result.exit_code == 0, result.output
    head = next(line for line in result.output.splitlines() if "directional_smoothness" in line).split()
    rows = [line.split() for line in result.output.splitlines() if re.match(r"\s+\d+ ", line)]
    values = np.array(rows, float)
    columns = dict(zip(head, values.T, strict=True))
    assert float(re.search(r"off by at most (\S+)", result.output)[1]) <= 1e-12
    assert re.search(r"generalized_sharpness: [\d.]+, exact", result.output)
    np.testing.assert_allclose(columns["edge"], 2 / 4e-6)
    np.testing.assert_allclose(columns["generalized_sharpness"], np.abs(DIABETES).sum(), rtol=1e-5)
    assert np.all(np.diff(columns["loss"]) <= 0)


def test_adapted_steps_have_names():
    result = run("simulate", "--method", "dai_yang", "--spectrum", "10,4,1", "--steps", 500)
    assert result.exit_code == 0, result.output
    head = next(line for line in result.output.splitlines() if "step_size" in line).split()
    last = next(line for line in result.output.splitlines() if re.match(r"\s+500 ", line)).split()
    assert float(last[head.index("step_size")]) == pytest.approx(2 / 11, rel=1e-5)  # R8 of the notes


def test_a_bound_makes_an_interval_of_the_edge():
    result = run("sharpness", "--data", "digits", "--norm", "spectral")
    low, high = (float(x) for x in re.search(r"([\d.]+) to ([\d.]+)", result.output).groups())
    value, bound = (float(x) for x in re.search(r"\] +([\d.]+) +([\d.]+),", result.output).groups())
    assert (low, high) == (pytest.approx(2 / bound, rel=1e-5), pytest.approx(2 / value, rel=1e-5))


def test_data_without_curvature_are_refused(tmp_path):
    np.savez(tmp_path / "zero.npz", X=np.zeros((5, 3)), y=np.ones(5))
    result = run("sharpness", "--data", tmp_path / "zero.npz")
    assert result.exit_code == 2
    assert "is zero" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sharpness", "--norm", "lnf"), 'did you mean "linf"'),
        (("sharpness", "--norm", "spectral", "--shape", "8"), "--shape must be ROWSxCOLUMNS"),
        (("sharpness", "--norm", "spectral", "--shape", "7x7"), "64"),
        (("sharpness", "--norm", "block_sum", "--blocks", "7"), "64"),
        (("sharpness", "--norm", "lp:0.5"), "got p = 0.5"),
        (("sharpness", "--how", "exactly"), "--how must be one of"),
        (("sharpness", "--norm", "spectral", "--how", "exact"), "estimate"),
        (("sharpness", "--data", "nowhere.npz"), "no data file"),
        (("sharpness", "--out", "nowhere/f.png"), "existing folder"),
        (("simulate", "--method", "steepest_descent", "--spectrum", "2,1", "eta=0.1"), "needs --norm"),
        (("simulate", "--method", "steepest_descent", "--norm", "linf", "--spectrum", "2,1"), "needs eta"),
        (("simulate", "--method", "steepest_descent", "--norm", "l1,l2", "--spectrum", "2,1", "eta=1"), "one norm"),
        (("simulate", "--method", "steepest_descent", "--norm", "l1", "--spectrum", "2,1", "rho=1"), "rho"),
        (("simulate", "--method", "steepest_descent", "--norm", "l1", "--spectrum", "2,1", "eta=-1"), "eta"),
        (("simulate", "--method", "gd", "--norm", "l1", "--spectrum", "2,1", "eta=1"), "--norm, --shape and --blocks"),
        (("simulate", "--method", "cauchy", "--norm", "l1", "--spectrum", "2,1"), "--norm, --shape and --blocks"),
        (
            ("simulate", "--method", "steepest_decsent", "--norm", "l1", "--spectrum", "2,1", "eta=1"),
            "steepest_descent",
        ),
        (
            (
                "simulate",
                "--method",
                "steepest_descent",
                "--norm",
                "l1",
                "--spectrum",
                "2",
                "eta=1",
                "--sampling",
                "iid",
            ),
            "--sampling is for sgd",
        ),
    ],
)
def test_wrong_input_is_named(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
