"""Sweeps as a whole: stores across crashes, failures, seeds, experiments by name."""

import contextlib
import functools
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import eossim
from eossim.experiments import Result
from eossim.sweeps import sweep
from tests.sweeps import study

ETAS = [round(0.01 * k, 2) for k in range(1, 41)]
ROOT = Path(eossim.__file__).parent.parent


def child(store, folder, *, executor="serial", seconds=0.02, etas=ETAS, session=False):
    """Start the same sweep in a process of its own."""
    script = (
        "import functools; from eossim.sweeps import sweep; from tests.sweeps import study\n"
        f"f = functools.partial(study.logged, folder={str(folder)!r}, seconds={seconds})\n"
        f"sweep(f, {{'eta': {etas}}}, executor={executor!r}, jobs={None if executor == 'serial' else 2}, "
        f"store={str(store)!r})"
    )
    return subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, start_new_session=session, stderr=subprocess.PIPE)


def begun(folder):
    log = Path(folder) / "log"
    return len(log.read_text().split()) if log.exists() else 0


def wait_for(condition):
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.002)


def alive(session):
    """Processes of a session that run."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session and fields[0] not in "ZX":
                return True
    return False


def stored(path):
    with sqlite3.connect(path) as database:
        return database.execute("SELECT count(*) FROM cells WHERE payload IS NOT NULL").fetchone()[0]


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_kill_at_random_moments_costs_the_cells_in_flight_and_no_bit(tmp_path, executor):
    moments, kills, lost = random.Random(1), 0, 0
    path = tmp_path / "s"
    while kills < 3:
        process = child(path, tmp_path, executor=executor, session=True)
        before = begun(tmp_path)
        wait_for(lambda seen=before, p=process: begun(tmp_path) > seen + 1 or p.poll() is not None)
        time.sleep(moments.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        wait_for(lambda p=process: not alive(p.pid))  # workers end with it
        lost = begun(tmp_path) - stored(path)
        # in one process, the cell that runs; with two workers, what they and the queue hold
        assert lost <= kills * (1 if executor == "serial" else 4 * 3)
    assert 0 < stored(path) < len(ETAS)
    function = functools.partial(study.logged, folder=str(tmp_path), seconds=0.02)
    resumed = sweep(function, {"eta": ETAS}, executor=executor, store=path)
    assert begun(tmp_path) == len(ETAS) + lost
    expected = sweep(study.wave, {"eta": ETAS}, executor="serial")
    xr.testing.assert_identical(resumed.drop_attrs(), expected.drop_attrs())
    assert resumed.top.values.tobytes() == expected.top.values.tobytes()


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_an_interrupt_keeps_finished_cells(tmp_path, executor):
    process = child(tmp_path / "s", tmp_path, executor=executor, session=True)
    wait_for(lambda: (tmp_path / "s").exists() and begun(tmp_path) > 10)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it as well
    _, errors = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in errors
    assert 10 - 8 <= stored(tmp_path / "s") < len(ETAS)


def test_two_sweeps_at_once_share_a_store(tmp_path):
    processes = [child(tmp_path / "s", tmp_path, seconds=0.005, etas=etas) for etas in (ETAS[:30], ETAS[10:])]
    assert [process.wait(timeout=60) for process in processes] == [0, 0]
    assert stored(tmp_path / "s") == len(ETAS)
    runs = begun(tmp_path)
    function = functools.partial(study.logged, folder=str(tmp_path), seconds=0.005)
    found = sweep(function, {"eta": ETAS}, executor="serial", store=tmp_path / "s")
    assert begun(tmp_path) == runs
    expected = sweep(study.wave, {"eta": ETAS}, executor="serial")
    assert found.path.values.tobytes() == expected.path.values.tobytes()


def test_a_full_disk_keeps_what_was_done(tmp_path):
    script = (
        "import resource; from eossim.sweeps import sweep; from tests.sweeps import study\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        f"sweep(study.wave, {{'eta': [k / 1000 for k in range(1, 400)]}}, executor='serial', "
        f"store={str(tmp_path / 's')!r})"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.search(r"OSError: .*cannot write to store .*is the disk full\?", done.stderr)
    kept = stored(tmp_path / "s")
    assert 3 < kept < 399
    grid = {"eta": [k / 1000 for k in range(1, 400)]}
    again = sweep(study.wave, grid, executor="serial", store=tmp_path / "s")
    xr.testing.assert_identical(again, sweep(study.wave, grid, executor="serial"))


def counting(tmp_path):
    return functools.partial(study.logged, folder=str(tmp_path))


def test_a_larger_grid_runs_new_cells_only(tmp_path):
    function, options = counting(tmp_path), {"executor": "serial", "store": tmp_path / "s"}
    first = sweep(function, {"eta": [0.1, 0.2]}, **options)
    both = sweep(function, {"eta": [0.3, 0.2, 0.1]}, **options)
    assert (tmp_path / "log").read_text().split() == ["0.1", "0.2", "0.3"]
    xr.testing.assert_identical(both.sel(eta=[0.1, 0.2]), first)
    part = sweep(function, {"eta": [0.2]}, **options)
    xr.testing.assert_identical(part, both.sel(eta=[0.2]))
    assert begun(tmp_path) == 3


def test_a_changed_function_is_refused(tmp_path, monkeypatch):
    store = tmp_path / "s"
    sweep(study.wave, {"eta": [0.1]}, executor="serial", store=store)
    monkeypatch.setattr(study, "SCALE", 0.6)
    with pytest.raises(ValueError, match=r"(?s)belongs to another function.*global SCALE: 0.6, the store has 0.5"):
        sweep(study.wave, {"eta": [0.1]}, executor="serial", store=store)
    with pytest.raises(ValueError, match=r"function: tests.sweeps.study|function: "):
        sweep(study.process, {"eta": [0.1]}, executor="serial", store=store)
    monkeypatch.undo()
    sweep(study.wave, {"eta": [0.1, 0.2]}, executor="serial", store=store)


def test_failures_are_recorded_and_tried_again(tmp_path):
    flag = tmp_path / "flag"

    def cell(eta):
        if eta > 0.15 and not flag.exists():
            raise ValueError(f"eta is {eta}")
        return eta

    options = {"executor": "serial", "store": tmp_path / "s"}
    with pytest.warns(UserWarning, match="2 of 3 cells failed, the first at eta=0.2: ValueError: eta is 0.2"):
        found = sweep(cell, {"eta": [0.1, 0.2, 0.3]}, **options)
    assert found.failed.values.tolist() == [False, True, True]
    np.testing.assert_array_equal(found.value, [0.1, np.nan, np.nan])
    assert found.error.values[0] == ""
    assert found.error.values[2].startswith("Traceback")
    assert "raise ValueError" in found.error.values[2]
    flag.touch()
    again = sweep(cell, {"eta": [0.1, 0.2, 0.3]}, **options)
    assert not again.failed.any()
    assert again.value.values.tolist() == [0.1, 0.2, 0.3]


def test_results_that_cannot_be_arrays_and_odd_messages_are_recorded(tmp_path):
    class Gone:
        def __array__(self, dtype=None, copy=None):
            raise OSError("the file is gone")

    def cell(eta):
        if eta == 0.2:
            return Gone()
        if eta == 0.3:
            raise OSError("no file " + os.fsdecode(b"\xff.npz"))
        return eta

    with pytest.warns(UserWarning, match="2 of 4 cells failed"):
        found = sweep(cell, {"eta": [0.1, 0.2, 0.3, 0.4]}, executor="serial", store=tmp_path / "s")
    assert found.error.values[1] == "OSError: the file is gone"
    assert found.error.values[2].endswith(r"OSError: no file \udcff.npz")
    np.testing.assert_array_equal(found.value, [0.1, np.nan, np.nan, 0.4])
    found.to_netcdf(tmp_path / "found.nc")


@pytest.mark.parametrize("executor", ["serial", "local"])
def test_fail_fast_raises_once_everything_finished_is_stored(tmp_path, executor):
    def cell(eta):
        if eta == 0.3:
            raise ValueError("no")
        return eta

    with pytest.raises(RuntimeError, match=r"(?s)the cell eta=0.3 failed:\nTraceback.*ValueError: no"):
        sweep(cell, {"eta": ETAS}, executor=executor, store=tmp_path / "s", fail_fast=True)
    kept = stored(tmp_path / "s")
    assert kept == ETAS.index(0.3) if executor == "serial" else kept < len(ETAS)


def test_seeds_are_a_dimension():
    found = sweep(study.wave, {"eta": [0.1, 0.2]}, seeds=[7, 3], executor="serial")
    assert found.top.dims == ("eta", "seed")
    assert found.path.dims == ("eta", "seed", "path_0")
    assert found.seed.values.tolist() == [7, 3]
    assert found.top.sel(eta=0.2, seed=3) == study.wave(0.2, 3)["top"]
    alone = sweep(lambda seed: seed**2, {}, seeds=4, executor="serial")
    assert alone.value.values.tolist() == [0, 1, 4, 9]


def test_experiments_have_names(monkeypatch, tmp_path):
    from eossim.experiments import regimes

    def run(quick=False, length=2):
        return Result("r", [{"at": k, "late": None if k else 0.5, "range": (0, k)} for k in range(length)], {})

    monkeypatch.setattr(regimes, "run", run)
    found = sweep("regimes", {"quick": [True], "length": [1, 3]}, executor="serial", store=tmp_path / "s")
    assert found.late.dims == ("quick", "length", "row")
    assert found.row.values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.range_high.values[0], [[0, np.nan, np.nan], [0, 1, 2]])
    assert found.attrs["function"] == "experiment regimes"
    with pytest.raises(ValueError, match='unknown experiment "regime"; did you mean "regimes"'):
        sweep("regime", {"quick": [True]})
    with pytest.raises(ValueError, match='unknown parameter of the function "fast"'):
        sweep("regimes", {"fast": [True]})
    with pytest.raises(ValueError, match="function: experiment sam_table, the store has experiment regimes"):
        sweep("sam_table", {"quick": [True]}, store=tmp_path / "s")


def test_progress_shows_what_is_left(capsys, tmp_path):
    sweep(study.wave, {"eta": ETAS[:3]}, executor="serial", store=tmp_path / "s")
    sweep(study.wave, {"eta": ETAS[:5]}, executor="serial", store=tmp_path / "s", progress=True)
    shown = capsys.readouterr().err
    assert "3/5" in shown
    assert "5/5" in shown
    sweep(study.wave, {"eta": ETAS[:3]}, executor="serial")
    assert capsys.readouterr().err == ""


def test_results_that_do_not_fit_together_stop_the_sweep(tmp_path):
    with pytest.raises(ValueError, match=r"lengths 2 and 1 along 'value_0'.*at \(n=2\) and at \(n=1\)"):
        sweep(lambda n: np.zeros(n), {"n": [1, 2, 3]}, executor="serial", store=tmp_path / "s")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"executor": "lokal"}, ValueError, 'unknown executor "lokal"; did you mean "local"'),
        ({"executor": "multiprocessing"}, ValueError, "unknown executor"),
        ({"executor": 3}, TypeError, "executor must be a name, got 3"),
        ({"jobs": 0}, ValueError, "jobs must be an integer >= 1, got 0"),
        ({"jobs": 1.5}, TypeError, "jobs must be an integer"),
        ({"executor": "serial", "jobs": 2}, ValueError, "one cell after the other, got jobs=2"),
        ({"executor": "serial", "scheduler": "tcp://a:1"}, ValueError, "scheduler goes with executor='dask'"),
        ({"scheduler": "tcp://a:1", "jobs": 2}, ValueError, "jobs=2 is for processes of this machine"),
        ({"scheduler": 8786}, TypeError, "scheduler must be an address"),
    ],
)
def test_arguments_that_do_not_go_together(options, error, message):
    with pytest.raises(error, match=message):
        sweep(study.wave, {"eta": [0.1]}, **options)


def test_what_is_no_function():
    with pytest.raises(TypeError, match="sweep takes a function or the name of an experiment, got 3"):
        sweep(3, {"eta": [0.1]})


def test_the_public_name():
    assert eossim.sweep is sweep


def test_many_cells():
    """A hundred thousand cells: through payloads and assembly, with nothing kept for each that grows."""
    found = sweep(lambda a, b: a + 1000 * b, {"b": range(100), "a": range(1000)}, executor="serial")
    np.testing.assert_array_equal(found.value.values.ravel(), np.arange(100_000))
    assert found.value.dtype == np.int64
