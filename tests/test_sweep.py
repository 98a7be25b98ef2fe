"""The command `eossim sweep`."""

import sys

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from eossim._sweep import report
from eossim.cli import app

STUDY = """
import numpy as np
from study_parts import half

def growth(eta, beta=0.0, seed=0):
    if eta > 0.5 and seed == 1:
        raise ValueError("too large")
    return {"ratio": half(eta) + beta + seed, "large": eta > 0.3, "path": np.arange(3.0)}

def words(name, flag, size):
    return {"text": f"{name} {flag} {size} {type(size).__name__}"}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "study_file.py").write_text(STUDY)
    (tmp_path / "study_parts.py").write_text("def half(x):\n    return x / 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    for name in ("study_file", "study_parts"):
        sys.modules.pop(name, None)


def run(*arguments):
    return CliRunner().invoke(app, ["sweep", *map(str, arguments)])


def test_the_table_is_the_sweep(folder):
    cells = ("study_file.py:growth", "eta=0.1,0.2", "beta=0,0.5", "--seeds", 3)
    found = run(*cells, "--store", "s", "--save", "found.nc", "--executor", "serial")
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert lines[0].split() == ["eta", "beta", "ratio", "large"]
    assert lines[2:6] == [
        "0.1  0     1.05 ± 1  0 of 3",
        "0.1  0.5   1.55 ± 1  0 of 3",
        "0.2  0     1.1 ± 1   0 of 3",
        "0.2  0.5   1.6 ± 1   0 of 3",
    ]
    assert "mean ± standard deviation over 3 seeds" in found.output
    assert "also: path (eta, beta, seed, path_0)" in found.output
    kept = xr.load_dataset(folder / "found.nc")
    np.testing.assert_array_equal(kept.ratio.sel(eta=0.2, beta=0.5), [0.6, 1.6, 2.6])
    assert kept.eta.values.tolist() == [0.1, 0.2]


def test_it_goes_on_from_the_store_and_refuses_another_function(folder):
    run("study_file.py:growth", "eta=0.1", "--store", "s", "--executor", "serial")
    again = run("study_file.py:growth", "eta=0.1,0.2", "--store", "s", "--jobs", 2)
    assert again.exit_code == 0, again.output
    (folder / "study_parts.py").write_text("def half(x):\n    return x / 3 + 0\n")
    sys.modules.pop("study_parts")
    changed = run("study_file.py:growth", "eta=0.1", "--store", "s")
    assert changed.exit_code == 2
    assert "file study_parts.py: changed" in changed.output


def test_failed_cells_are_listed(folder):
    found = run("study_file.py:growth", "eta=0.1,0.6", "--seeds", 2, "--executor", "serial", "--save", "f.nc")
    assert found.exit_code == 1
    assert "1 of 4 cells failed:\n  eta = 0.6, seed = 1: ValueError: too large" in found.output
    assert "Traceback" in xr.load_dataset("f.nc").error.values[1, 1]
    with pytest.raises(RuntimeError, match="too large"):
        report(
            "study_file.py:growth", ["eta=0.6"], seeds=2, store=None, executor="serial", scheduler=None, jobs=None,
            fail_fast=True, save=None, progress=False,
        )  # fmt: skip


def test_words_become_values(folder):
    found = run("study_file.py:words", "name=a,b c", "flag=true,None", "size=1,1.5", "--executor", "serial")
    assert found.exit_code == 0, found.output
    for text in ("a True 1 int", "a True 1.5 float", "b c None 1 int"):
        assert text in found.output


def test_names_may_go_together(folder):
    found = run("study_file.py:growth", "eta,beta=0.1:0,0.2:0.5", "--executor", "serial")
    assert [line.split() for line in found.output.splitlines()[2:4]] == [
        ["0.1", "0", "0.05", "False"],
        ["0.2", "0.5", "0.6", "False"],
    ]


def test_experiments_have_names(folder):
    wrong = run("regime", "quick=true")
    assert wrong.exit_code == 2
    assert 'did you mean "regimes"' in wrong.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study_file.py:growht", "eta=1"], 'unknown function of study_file.py "growht"; did you mean "growth"'),
        (["study_file.py", "eta=1"], "name the function as well: study_file.py:FUNCTION"),
        (["nowhere.py:f", "eta=1"], "no such file: 'nowhere.py'"),
        (["study_file.py:growth", "eta"], "expected NAME=VALUE,VALUE,..., got 'eta'"),
        (["study_file.py:growth", "eta=1", "eta=2"], "eta is given twice"),
        (["study_file.py:growth", "eta=1,1"], "has the value 1 twice"),
        (["study_file.py:growth", "eta,beta=1:2:3"], "must be 2 values"),
        (["study_file.py:growth", "etta=1"], 'did you mean "eta"'),
        (["study_file.py:growth"], "grid is empty"),
        (["study_file.py:growth", "eta=1", "--save", "no/folder.nc"], "no such folder"),
        (["study_file.py:growth", "eta=1", "--executor", "lokal"], 'did you mean "local"'),
    ],
)
def test_wrong_input_is_one_line(folder, arguments, message):
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.output
    assert found.output.startswith("error: ")
