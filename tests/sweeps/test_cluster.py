"""A real Dask cluster on loopback: scheduler and workers are processes, and some of them die."""

import builtins
import functools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from eossim.sweeps import cluster, sweep
from tests.sweeps import study

distributed = pytest.importorskip("distributed")

GRID = {"eta": [round(0.05 * k, 2) for k in range(1, 13)]}


@pytest.fixture(scope="module")
def address():
    """A cluster of two worker processes whose cells may lose their worker once."""
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as running:
        running.scheduler.allowed_failures = 1
        yield running.scheduler_address


def test_a_cluster_gives_the_bits_of_this_process(address):
    expected = sweep(study.wave, GRID, seeds=2, executor="serial")
    xr.testing.assert_identical(sweep(study.wave, GRID, seeds=2, scheduler=address), expected)
    there = sweep(study.process, GRID, executor="dask", scheduler=address)
    assert not (there.pid == os.getpid()).any()
    assert set(np.unique(there.cores)) == set(np.unique(there.threads)) == {1}
    offset = 0.5
    assert (sweep(lambda eta: eta + offset, GRID, scheduler=address).value == np.array(GRID["eta"]) + 0.5).all()


def test_a_worker_killed_in_the_middle_costs_nothing(address, tmp_path):
    function = functools.partial(study.fragile, folder=str(tmp_path), deaths=1)
    found = sweep(function, GRID, scheduler=address, store=tmp_path / "s")
    assert list(tmp_path.glob("death-*"))
    assert not found.failed.any()
    xr.testing.assert_identical(found.drop_attrs(), sweep(study.wave, GRID, executor="serial").drop_attrs())


def test_cells_that_raise_or_kill_every_worker_have_failed_and_the_rest_goes_on(address, tmp_path):
    function = functools.partial(study.fragile, folder=str(tmp_path), fatal=0.3, bad=0.1)
    with pytest.warns(UserWarning, match="2 of 12 cells failed, the first at eta=0.1: ValueError: eta is 0.1"):
        found = sweep(function, GRID, scheduler=address)
    assert found.eta[found.failed].values.tolist() == [0.1, 0.3]
    assert len(list(tmp_path.glob("death-*"))) == 4  # two among others, two alone
    assert "Worker processes died while they ran this cell" in str(found.error.sel(eta=0.3).item())
    np.testing.assert_array_equal(
        found.top[~found.failed], sweep(study.wave, GRID, executor="serial").top[~found.failed.values]
    )


def test_workers_that_join_later_take_part(tmp_path):
    def cell(eta):
        """Wait until two workers are there."""
        (tmp_path / str(os.getpid())).touch()
        limit = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < limit:
            time.sleep(0.01)
        return study.process(eta)

    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as growing:
        growing.scale(2)
        found = sweep(cell, {"eta": range(10)}, scheduler=growing.scheduler_address)
    assert len(np.unique(found.pid)) == 2


def test_an_address_where_nobody_answers(monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = time.monotonic()
    nobody = f"tcp://127.0.0.1:{port}"
    with pytest.raises(ConnectionError, match=rf"no Dask scheduler answers at {nobody} .*check the address"):
        sweep(study.wave, GRID, scheduler=nobody)
    assert time.monotonic() - begun < 30
    with pytest.raises(ConnectionError, match="no Dask scheduler answers at nonsense"):
        sweep(study.wave, GRID, scheduler="nonsense")


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(cluster, "_WORKERS", 0.5)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=":0") as empty,
        pytest.raises(ConnectionError, match=r"has had no workers for 0.5 s: start some with 'dask worker"),
    ):
        sweep(study.wave, GRID, scheduler=empty.scheduler_address)


def test_a_scheduler_that_dies_leaves_what_was_done(tmp_path):
    """Scheduler and worker from the command line, the scheduler killed in the middle."""
    place = tmp_path / "scheduler.json"
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": os.getcwd()}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard"]
    scheduler = subprocess.Popen([*command, "--host", "127.0.0.1", "--scheduler-file", str(place)], **options)
    worker = None
    try:
        while not place.exists() or not place.read_text().endswith("}"):
            assert scheduler.poll() is None
            time.sleep(0.05)
        address = json.loads(place.read_text())["address"]
        command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        worker = subprocess.Popen([*command, "--local-directory", str(tmp_path)], **options)

        def cell(eta):
            if log.exists() and len(log.read_text().split()) == 6:
                os.kill(pid, signal.SIGKILL)
                time.sleep(60)
            time.sleep(0.06)
            with log.open("a") as lines:
                lines.write(f"{eta}\n")
            return eta

        log, pid = tmp_path / "log", scheduler.pid
        with pytest.raises(ConnectionError, match="the Dask scheduler went away: finished cells are kept"):
            sweep(cell, GRID, scheduler=address, store=tmp_path / "s")
    finally:
        for child in (worker, scheduler):
            if child is not None:
                child.kill()
                child.wait()
    with sqlite3.connect(tmp_path / "s") as database:
        (kept,) = database.execute("SELECT count(*) FROM cells").fetchone()
    assert 4 <= kept <= 6  # six were finished, and the last may have been on their way


def test_without_dask_the_extra_is_named(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "distributed":
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'eossim\[dask\]'"):
        sweep(study.wave, GRID, executor="dask")
