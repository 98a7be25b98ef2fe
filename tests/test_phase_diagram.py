"""The command `eossim phase-diagram`."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

from eossim.cli import app
from eossim.early_training import network_cell

SMALL = ("--depth", "2", "--width", "8,12", "--seeds", "2", "--c-max", "4", "--executor", "serial")


def run(*arguments):
    return CliRunner().invoke(app, ["phase-diagram", *map(str, arguments)])


def network(*arguments, status=0):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run(*SMALL, *arguments)
    assert result.exit_code == status, result.output
    return result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "vu"], 'did you mean "uv"'),
        (["--width", "32,x"], "--width must be whole numbers"),
        (["--width", "32,32"], "each number once"),
        (["--depth", "0"], "--depth must be an integer >= 1, got 0"),
        (["--seeds", "0"], "--seeds must be an integer >= 1, got 0"),
        (["--out", "missing/f.png"], "existing folder"),
        (["--out", "f.txt"], ".png, .svg or .pdf"),
        (["--store", "missing/f.store"], "no such folder"),
        (["--save", "missing/f.nc"], "no such folder"),
        (["--save", "x.txt"], "--save must be a .nc file, got 'x.txt'"),
        (["--c-max", "0.5"], "c_max"),
        (["--samples", "0"], "--samples must be an integer >= 1, got 0"),
        (["--steps", "0"], "--steps must be an integer >= 1, got 0"),
        (["--y", "1"], "--y is for --model uv, got --y 1.0"),
        (["--model", "uv", "--data", "digits"], "--data is for --model mlp, got --data digits"),
        (["--model", "uv", "--depth", "2"], "--depth is for --model mlp, got --depth 2"),
        (["--model", "uv", "--samples", "9"], "--samples is for --model mlp, got --samples 9"),
        (["--executor", "serail"], 'did you mean "serial"'),
        (["--scheduler", "tcp://127.0.0.1:9", "--jobs", "2"], "127.0.0.1:9"),
    ],
)
def test_wrong_input_is_said_in_words(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert not [*tmp_path.glob("*.png")]


def test_the_solvable_model_beside_its_exact_means(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("--model", "uv", "--width", "16,256", "--seeds", 400, "--save", "uv.nc")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "phase_diagram_uv.png").stat().st_size > 10_000
    assert "depth" not in result.output
    saved = xr.load_dataset(tmp_path / "uv.nc")
    assert dict(saved.c_loss.sizes) == {"width": 2, "seed": 400}
    assert float(saved.c[-1]) <= 8
    # arXiv:2302.12250, averages re-derived: 2 + 2.5/(w + 1), 2.5 + 3.56/(w + 1), 4 + 3/(w + 1) to first order in 1/w.
    line = next(line for line in result.output.splitlines() if re.match(r"256 +400 of 400 .* / ", line))
    pairs = re.findall(r"([\d.]+) ± ([\d.e-]+) / ([\d.]+)", line)
    for (mean, error, exact), (at_infinity, slope) in zip(pairs, ((2, 2.5), (2.5, 3.56), (4, 3)), strict=True):
        assert float(exact) == pytest.approx(at_infinity + slope / 257, abs=1e-3)
        assert abs(float(mean) - float(exact)) < 5 * float(error) + 7e-4 * at_infinity  # constants are bisected to 7e-4


def test_narrow_solvable_models_agree_with_their_exact_means(tmp_path):
    result = run("--model", "uv", "--width", "1,4", "--seeds", 500, "--out", tmp_path / "f.png")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.output.splitlines() if " / " in line and " of 500 " in line]
    for row, share in zip(rows, (0.5, 0.8838834765), strict=True):  # 4s is Beta(1/2, w/2): P(s < 1/8)
        assert abs(int(row.split()[1]) / 500 - share) < 0.1
        pairs = re.findall(r"([\d.]+) ± ([\d.e-]+) / ([\d.]+)", row)
        assert len(pairs) == 3
        for mean, error, exact in pairs:
            assert abs(float(mean) - float(exact)) < 5 * float(error) + 7e-4 * float(exact)


def test_a_grid_that_ends_early_has_no_means(tmp_path):
    result = run("--model", "uv", "--width", 16, "--seeds", 5, "--c-max", 1, "--out", tmp_path / "f.png")
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if line.startswith("16") and " / " in line)
    assert re.fullmatch(r"16 +5 of 5 +– / 2\.\d+ +– / 2\.\d+ +– / 4\.\d+", row)
    assert "nan" not in result.output
    assert "–: some of these starts do not reach it up to c = 1" in result.output


def test_steps_samples_and_target_are_passed_on(tmp_path):
    saved = tmp_path / "d.nc"
    uv = ("--model", "uv", "--width", 16, "--seeds", 3, "--y", 0.5, "--steps", 7, "--out", tmp_path / "f.png")
    result = run(*uv, "--save", saved)
    assert result.exit_code == 0, result.output
    assert "exact mean" not in result.output
    found = xr.load_dataset(saved)
    assert (found.attrs["y"], found.attrs["steps"]) == (0.5, 7)
    network("--samples", 40, "--steps", 4, "--out", tmp_path / "g.png", "--save", saved)
    found = xr.load_dataset(saved)
    assert (found.attrs["samples"], found.attrs["steps"]) == (40, 4)


def test_networks_are_drawn_saved_and_kept(tmp_path, monkeypatch):
    out, saved = tmp_path / "d.png", tmp_path / "d.nc"
    text = network("--out", out, "--save", saved)
    assert out.stat().st_size > 10_000
    found = xr.load_dataset(saved)
    assert dict(found.c_loss.sizes) == {"depth": 1, "width": 2, "seed": 2}
    (store,) = tmp_path.glob("phase_diagram_mlp_digits_*.store")
    assert f"store: {store}" in text
    beyond = int(found.reached_end.sum())
    assert (f"{beyond} of 4 networks do not diverge up to c = 4" in text) == (beyond > 0)
    monkeypatch.setattr(network_cell, "network_cell", lambda *_, **__: pytest.fail("finished cells ran again"))
    assert network("--out", out, "--save", saved) == text
    xr.testing.assert_identical(xr.load_dataset(saved), found)


def test_a_killed_command_goes_on_to_the_same_bits(tmp_path):
    store, options = tmp_path / "k.store", ("--out", tmp_path / "f.png", "--seeds", 6)
    command = [sys.executable, "-m", "eossim.cli", "phase-diagram", *SMALL, "--store", store, *options]
    process = subprocess.Popen([*map(str, command)], start_new_session=True)
    try:
        for _ in range(6000):
            time.sleep(0.01)
            if process.poll() is not None or cells(store):
                break
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert cells(store) > 0, "it had not begun"
    network("--store", store, "--save", tmp_path / "a.nc", *options)
    network("--store", tmp_path / "fresh.store", "--save", tmp_path / "b.nc", *options)
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "a.nc"), xr.load_dataset(tmp_path / "b.nc"))


def cells(store):
    """Number of finished cells in a store, 0 before there is one."""
    if not store.exists():
        return 0
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return database.execute("SELECT count(*) FROM cells").fetchone()[0]
    except sqlite3.OperationalError:  # not yet made, or locked
        return 0
    finally:
        database.close()


def test_a_cell_that_fails_is_left_out_and_said(tmp_path, monkeypatch):
    whole = network_cell.network_cell

    def some(depth, width, seed, **options):
        if width == 12 and seed == 1:
            raise FloatingPointError("a broken cell")
        return whole(depth, width, seed, **options)

    monkeypatch.setattr(network_cell, "network_cell", some)
    text = network("--out", tmp_path / "f.png", status=1)
    assert "1 of 4 cells failed and are left out; the first: FloatingPointError: a broken cell" in text
    rows = [line.split() for line in text.splitlines() if re.match(r"2 +(8|12) ", line)]
    assert [row[3] for row in rows] == ["2", "1"]  # seeds
    fast = run(*SMALL, "--out", tmp_path / "g.png", "--store", tmp_path / "g.store", "--fail-fast")
    assert fast.exit_code == 1
    assert "a broken cell" in fast.stderr
    monkeypatch.setattr(network_cell, "network_cell", lambda *_, **__: 1 / 0)
    none = run(*SMALL, "--out", tmp_path / "h.png", "--store", tmp_path / "h.store")
    assert none.exit_code == 1
    assert "4 of 4 cells failed" in none.stderr
    assert not (tmp_path / "h.png").exists()


def test_what_is_said_of_networks():
    from eossim._phase_diagram import _in_networks

    dims = ("depth", "width", "seed")
    loss = np.array([[[4.0, 16.0], [2.5, 2.5]], [[20.0, 20.0], [np.nan, np.nan]]])
    never = np.zeros(loss.shape, bool)
    data = {"c_loss": (dims, loss), "reached_end": (dims, loss == 2.5), "failed": (dims, never)}
    found = xr.Dataset(data, coords={"depth": [2, 4], "width": [16, 64], "c": [1.0, 128.0]})
    text = _in_networks(found)
    assert "ends at 2.5 (2 layers, width 64) and at 20 (4 layers, width 16)" in text
    assert "ends at 2.5 (1 layer, width 64)" in _in_networks(found.assign_coords(depth=[1, 4]))
    assert "rank correlation of mean c_loss with depth/width: 1.00" in text
    assert "2 of 8 networks do not diverge up to c = 128" in text
    nothing = _in_networks(found.assign(c_loss=found.c_loss * np.nan, reached_end=(dims, never)))
    assert len(nothing.splitlines()) == 1
