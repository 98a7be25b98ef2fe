"""Processes of this machine: the same bits everywhere, and workers that die."""

import functools
import os
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest
import xarray as xr

import eossim
from eossim.sweeps import sweep
from eossim.sweeps.batches import Batches
from eossim.sweeps.local import ship
from eossim.sweeps.worker import few_threads, run_batch, run_cell
from tests.sweeps import study

GRID = {"eta": [round(0.05 * k, 2) for k in range(1, 13)]}


def test_results_do_not_depend_on_who_runs_the_cells():
    expected = sweep(study.wave, GRID, seeds=2, executor="serial")
    for options in ({"jobs": 2}, {"jobs": 1}, {"jobs": 3}, {"executor": "threading", "jobs": 2}, {"executor": "loky"}):
        xr.testing.assert_identical(sweep(study.wave, GRID, seeds=2, **options), expected)
    backwards = sweep(study.wave, {"eta": GRID["eta"][::-1]}, seeds=2, executor="serial")
    xr.testing.assert_identical(backwards.sel(eta=GRID["eta"]), expected)


def test_cells_run_in_processes_that_share_the_cores():
    here = sweep(study.process, {"eta": [0.1]}, executor="serial")
    assert (here.pid == os.getpid(), here.threads) == (True, 1)
    assert here.cores == eossim._cores.available_cores()
    there = sweep(study.process, GRID, jobs=2)
    assert not (there.pid == os.getpid()).any()
    assert set(np.unique(there.threads)) == {1}
    assert set(np.unique(there.cores)) == {max(1, eossim._cores.available_cores() // 2)}


def test_limits_are_taken_back(monkeypatch):
    from threadpoolctl import threadpool_info

    before = threadpool_info()
    with few_threads(1):
        with few_threads(1):
            pass
        assert os.environ["EOSSIM_CORES"] == "1"
        assert eossim._cores.available_cores() == 1
    assert "EOSSIM_CORES" not in os.environ
    assert [info["num_threads"] for info in threadpool_info()][: len(before)] == [i["num_threads"] for i in before]
    monkeypatch.setenv("EOSSIM_CORES", "3")
    with few_threads(1):
        assert os.environ["EOSSIM_CORES"] == "3"
    for wrong in ("0", "two", "-1", ""):
        monkeypatch.setenv("EOSSIM_CORES", wrong)
        with pytest.raises(ValueError, match="EOSSIM_CORES must be a positive integer"):
            eossim._cores.available_cores()


def test_a_worker_that_is_killed_once_costs_nothing(tmp_path):
    found = sweep(functools.partial(study.fragile, folder=str(tmp_path), deaths=1), GRID, jobs=2)
    assert list(tmp_path.glob("death-*"))
    assert not found.failed.any()
    xr.testing.assert_identical(found.drop_attrs(), sweep(study.wave, GRID, executor="serial").drop_attrs())


def test_a_cell_that_kills_its_worker_has_failed_and_the_rest_goes_on(tmp_path):
    function = functools.partial(study.fragile, folder=str(tmp_path), fatal=0.3)
    with pytest.warns(UserWarning, match="1 of 12 cells failed, the first at eta=0.3: The worker process died"):
        found = sweep(function, GRID, jobs=2)
    assert found.eta[found.failed].values.tolist() == [0.3]
    assert "out of memory" in str(found.error.sel(eta=0.3).item())
    expected = sweep(study.wave, GRID, executor="serial")
    np.testing.assert_array_equal(found.top[~found.failed], expected.top[~found.failed])


def test_functions_need_not_be_importable():
    offset = 0.5
    found = sweep(lambda eta: eta + offset, GRID, jobs=2)
    np.testing.assert_array_equal(found.value, np.array(GRID["eta"]) + 0.5)


def test_workers_get_the_code_of_now(tmp_path, monkeypatch):
    """A module that is edited and loaded again: workers from before must not run what they know."""
    import importlib

    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "edited_module.py"
    path.write_text("def cell(eta):\n    return 1\n")
    module = importlib.import_module("edited_module")
    assert (sweep(module.cell, GRID, jobs=2).value == 1).all()
    path.write_text("def cell(eta):\n    return 2 + 0\n")
    os.utime(path, (1, 1))
    importlib.reload(module)
    assert (sweep(module.cell, GRID, jobs=2).value == 2).all()


def test_large_constants_reach_the_workers():
    data = np.random.default_rng(0).standard_normal(400_000)
    found = sweep(lambda eta: eta * data.sum(), GRID, jobs=2)
    np.testing.assert_array_equal(found.value, np.array(GRID["eta"]) * data.sum())


def test_what_cannot_be_pickled_is_said():
    lock = threading.Lock()

    def cell(eta):
        with lock:
            return eta

    with pytest.raises(TypeError, match=r"cell cannot be sent to worker processes .*lock.*executor='serial'"):
        sweep(cell, GRID, jobs=2)
    assert sweep(cell, GRID, executor="threading", jobs=2).value.sum() == pytest.approx(sum(GRID["eta"]))


def test_a_worker_of_another_version_does_not_run_cells():
    shipped = ship(study.wave)
    shipped.versions["eossim"] = "0.0.1"
    with pytest.raises(RuntimeError, match=r"the worker has eossim .*, the sweep eossim 0.0.1 .*would not agree"):
        run_batch(shipped, [(0, {"eta": 0.1})], ("eta",), 1)


def test_tracebacks_begin_in_the_function():
    def inner(eta):
        return 1 / (eta - eta)

    def cell(eta):
        return inner(eta)

    index, payload, error = run_cell(cell, 3, {"eta": 1.0}, ("eta",))
    assert (index, payload) == (3, None)
    assert error.startswith("Traceback (most recent call last):")
    assert "run_cell" not in error
    assert "return inner(eta)" in error
    assert error.endswith("ZeroDivisionError: float division by zero")
    assert run_cell(lambda: object(), 0, {}, ())[2].startswith("TypeError: a cell must return a number")
    assert run_cell(lambda: exit(3), 0, {}, ())[2].endswith("SystemExit: 3")


def test_batches_hand_out_every_cell_once_and_grow_where_cells_are_fast():
    pending = list(range(1000))
    batches = Batches(pending, jobs=2)
    handed = []
    for batch in batches:
        handed.append(batch)
        batches.done(batch, 1e-6 * len(batch))
    assert [k for batch in handed for k in batch] == pending
    assert len(handed[0]) == 1
    assert max(map(len, handed)) > 50
    assert len(handed[-1]) == 1
    slow = Batches(pending, jobs=2)
    for _ in range(20):
        slow.done(batch := slow.take(), 1.0 * len(batch))
        assert len(batch) == 1
    assert slow.open == set()
    assert slow.rest() == pending[20:]


def test_nothing_is_said_by_libraries_when_a_sweep_ends_early():
    def cell(eta):
        raise ValueError("no")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match=r"the cell eta=.* failed"):
            sweep(cell, GRID, jobs=2, fail_fast=True)


def test_workers_import_again_what_was_edited(tmp_path):
    """Workers outlive a sweep; what the function imports on its way must not be that of the sweep before."""
    (tmp_path / "study_late.py").write_text("def cell(a):\n    import study_part\n    return study_part.add(a)\n")
    script = textwrap.dedent("""
        from pathlib import Path
        import eossim, study_late
        if __name__ == "__main__":
            for k in (1, 200, 30000):
                Path("study_part.py").write_text(f"def add(a): return a + {k}")
                print(eossim.sweep(study_late.cell, {"a": [0, 1, 2, 3]}, jobs=2).value.values.tolist())
    """)
    (tmp_path / "run.py").write_text(script)
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True, "timeout": 60}
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "run.py"], env=environment, **options)
    assert done.stdout.split("\n")[:3] == [str([k, k + 1, k + 2, k + 3]) for k in (1, 200, 30000)]


def test_a_worker_that_starts_after_its_parent_died_ends():
    script = "import os, time; from eossim.sweeps.worker import end_with; end_with(os.getpid()); time.sleep(60)"
    assert subprocess.run([sys.executable, "-c", script], timeout=30).returncode == 1
