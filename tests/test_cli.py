import json

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from eossim.cli import app
from eossim.early_training.diagram import _DEFAULTS


def run(*arguments):
    return CliRunner().invoke(app, list(arguments))


def test_help_names_every_command():
    text = run("--help").output
    for command in ("verify", "edges", "edge", "derive", "simulate", "phase-diagram", "sweep", "doctor"):
        assert command in text


def test_edge():
    result = run("edge", "sam", "eta=0.1", "rho=0.05", "grad_norm=1.3")
    assert result.exit_code == 0
    assert float(result.output) == pytest.approx(13.2488094968133745, rel=1e-14)
    assert run("edge", "alternating_steps", "etas=0.1,0.2").output.strip() == "15"
    assert run("edge", "gd", "eta=0.1,0.2").output.split() == ["20", "10"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["edge", "sma", "eta=0.1"], 'did you mean "sam"'),
        (["edge", "gd", "eta"], "NAME=NUMBER"),
        (["edge", "gd", "eta=fast"], "NAME=NUMBER"),
        (["edge", "gd", "eta=-1"], "eta = -1"),
        (["derive", "gdd"], "did you mean"),
        (["simulate", "--method", "gd", "eta=0.1"], "--data"),
        (["simulate", "--spectrum", "4,x", "eta=0.1"], "--spectrum"),
        (["simulate", "--spectrum", "4", "eta=0.1", "--steps", "0"], "steps"),
        (["simulate", "--spectrum", "4", "eta=0.1", "--out", "missing/run.nc"], "no such folder"),
        (["simulate", "--data", "digit", "eta=0.1"], "digits"),
        (["simulate", "--spectrum", "4", "eta=0.1", "--out", "run.txt"], "--out must be a .nc file, got 'run.txt'"),
        (["train", "--save", "run.png"], "--save must be a .nc file, got 'run.png'"),
        (["sweep", "study.py:f", "a=1", "--save", "x.txt"], "--save must be a .nc file, got 'x.txt'"),
        (["verify", "--claim", "nothing"], "unknown claim"),
        (["verify", "--json", "missing/report.json"], "no folder"),
        (["verify", "--html", "report.pdf"], ".json or .html"),
        (["verify", "--data", "missing.npz"], "missing.npz"),
    ],
)
def test_wrong_input_is_one_clear_line_and_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.output


def test_edges_table():
    assert "heavy_ball" in run("edges").output
    assert run("edges", "--markdown").output.startswith("| method |")


def test_derive():
    assert "sam" in run("derive").output
    assert "[proved]" in run("derive", "gd").output
    assert "$$" in run("derive", "gd", "--markdown").output
    assert r"\section*" in run("derive", "gd", "--latex").output


def test_simulate_saves_a_dataset(tmp_path):
    path = tmp_path / "run.nc"
    result = run("simulate", "--method", "sam", "--spectrum", "4,1", "eta=0.1", "rho=0.05", "--out", str(path))
    assert result.exit_code == 0, result.output
    assert "multiplier" in result.output
    assert xr.load_dataset(path).attrs["rule"] == "sam"
    assert run("simulate", "--method", "gd", "--data", "diabetes", "eta=1e-5").exit_code == 0
    assert "overflows" in run("simulate", "--spectrum", "4", "eta=10", "--steps", "2000").output


def test_verify_exit_codes(tmp_path, monkeypatch):
    path = tmp_path / "report.json"
    result = run("verify", "--claim", "gd", "--data", "diabetes", "--jobs", "1", "--json", str(path))
    assert result.exit_code == 0, result.output
    assert json.loads(path.read_text())["passed"]
    from eossim.verification import checks

    monkeypatch.setattr(checks, "PRECISION", 0.0)  # no float64 formula equals 50 digits exactly
    assert run("verify", "--claim", "heavy_ball", "--data", "diabetes", "--jobs", "1").exit_code == 1


def test_doctor():
    text = run("doctor").output
    assert "numba" in text
    assert "linear algebra" in text


@pytest.mark.parametrize(
    "arguments", [["--spectrum", "1", "eta=1"], ["--spectrum", "0", "eta=0.1"], ["--spectrum", "4,1", "eta=0.1,0.6"]]
)
def test_simulate_reports_whatever_happens(arguments):
    result = run("simulate", *arguments, "--steps", "5")
    assert result.exit_code == 0, result.output
    assert "gradient norm" in result.output
    assert ("first of 2 runs" in result.output) == ("eta=0.1,0.6" in arguments)


def test_sweep_of_a_function_in_a_file(tmp_path):
    file, kept = tmp_path / "study_of_squares.py", tmp_path / "kept.store"
    file.write_text("def square(a, seed):\n    return {'root': a, 'square': a * a + seed}\n", encoding="utf-8")
    options = ("--seeds", "2", "--executor", "serial", "--store", str(kept), "--save", str(tmp_path / "s.nc"))
    result = run("sweep", f"{file}:square", "a=2,3", *options)
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(xr.load_dataset(tmp_path / "s.nc").square, [[4, 5], [9, 10]])
    assert kept.exists()
    wrong = run("sweep", f"{file}:sqare", "a=2")
    assert wrong.exit_code == 2
    assert 'did you mean "square"' in wrong.stderr
    file.with_name("broken_study.py").write_text("def f(a):\n    return 1 / a\n", encoding="utf-8")
    cells = ("sweep", f"{file.with_name('broken_study.py')}:f", "a=0,1", "--executor", "serial")
    broken = run(*cells, "--fail-fast")
    assert broken.exit_code == 1
    assert "ZeroDivisionError" in broken.stderr
    rest = run(*cells)
    assert rest.exit_code == 1
    assert "1 of 2 cells failed" in rest.output


def test_a_file_that_is_no_python_is_said_in_one_line(tmp_path):
    file = tmp_path / "study_with_a_typo.py"
    file.write_text("def f(a)\n    return a\n", encoding="utf-8")
    result = run("sweep", f"{file}:f", "a=1")
    assert result.exit_code == 2
    assert result.stderr == "error: expected ':' (study_with_a_typo.py, line 1)\n"


def test_help_of_the_sweeps_says_what_can_be_given():
    assert "eta,beta=0.1:0.9,0.2:0.5" in run("sweep", "--help").output
    text = " ".join(run("phase-diagram", "--help").output.split())
    assert ",".join(map(str, _DEFAULTS["uv"]["width"])) + " for uv" in text
    for option in ("--samples", "--steps", "--y"):
        assert f"{option} " in text


def test_a_family_is_a_claim_name():
    assert run("verify", "--claim", "delayed_gd", "--data", "diabetes", "--jobs", "1").exit_code == 0
    assert run("verify", "--jobs", "0").exit_code == 2
