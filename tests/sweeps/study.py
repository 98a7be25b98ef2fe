"""Functions that are swept in the tests, also from other processes."""

import os
import signal
import time
from pathlib import Path

import numpy as np

SCALE = 0.5


def wave(eta, seed=0):
    """A result that depends on its arguments alone, arrays, random numbers and products included."""
    rng = np.random.default_rng([seed, int(1000 * eta)])
    matrix = rng.standard_normal((40, 40))
    return {"top": np.linalg.eigvalsh(matrix @ matrix.T)[-1], "path": np.cumsum(rng.random(5)) * eta * SCALE}


def logged(eta, folder, seconds=0.0):
    """Write down that the cell was begun; take a while."""
    with open(Path(folder) / "log", "a") as log:
        log.write(f"{eta}\n")
    time.sleep(seconds)
    return wave(eta)


def fragile(eta, folder, deaths=0, fatal=None, bad=None):
    """End the process the hard way: the first times anywhere, always where eta is `fatal`; raise where it is `bad`."""
    if eta == bad:
        raise ValueError(f"eta is {eta}")
    begun = len(list(Path(folder).glob("death-*")))
    if eta == fatal or begun < deaths:
        (Path(folder) / f"death-{os.getpid()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return wave(eta)


def process(eta):
    """Who runs the cell, and how many cores and threads it may use."""
    from threadpoolctl import threadpool_info

    from eossim._cores import available_cores

    threads = max(info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas")
    return {"pid": os.getpid(), "cores": available_cores(), "threads": threads}
