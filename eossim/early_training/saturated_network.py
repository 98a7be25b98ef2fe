"""The saturated sharpness of networks against c: sharpness at equal physical time over that at the start."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, positive_int
from .._cores import available_cores
from ..data import Data
from ._network_runs import Start
from .constants import growing
from .digits import relu_network, standardized_samples, torch_start
from .saturation import TIME, ends_at

if TYPE_CHECKING:
    import xarray as xr


def network_saturation(
    depth: int,
    width: int,
    seed: int,
    *,
    c: ArrayLike,
    data: str | os.PathLike[str] | Data = "digits",
    samples: int = 512,
    time: float = TIME,
    bound: float = 1e5,
    threads: int | None = None,
) -> xr.Dataset:
    """Return the sharpness of a ReLU network after τ = round(time/c) steps over that at the start, against c.

    Networks, data and gradient descent are those of `network_cell.network_cell`. `saturation_knee` finds where the mean
    over seeds bends down, if there is a plateau before.

    Args:
        depth: Layers of weights.
        width: Units of each hidden layer.
        seed: Of the start.
        c: Grid, shape (c,), positive and strictly increasing; see `saturation_grid`.
        data: Data set.
        samples: Number of samples.
        time: Physical time c τ; at least the largest c.
        bound: Largest loss of a run that has not diverged.
        threads: Runs at the same time; one for each core by default.

    Returns:
        A dataset with the dimension c: ``ratio``, NaN where the run diverged, and ``step``, the number of steps τ.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument is out of range, or the sharpness at the start is not positive.
    """
    import xarray as xr

    grid = growing(c)
    tau = ends_at(grid, time)
    K = float(in_interval("bound", bound, 0.0, open_low=True))
    workers = available_cores() if threads is None else positive_int("threads", threads)
    problem = relu_network(depth, width, *standardized_samples(data, samples))
    start = Start(problem, torch_start(problem, seed))

    def ratio(each: float, steps: int) -> float:
        eta, w, gradient = problem.dtype.type(each / start.sharpness), start.w, start.gradient
        for _ in range(steps):
            with np.errstate(over="ignore", invalid="ignore"):
                w = w - eta * gradient
            loss, gradient = problem.loss_and_grad(w)
            if not loss <= K:
                return np.nan
        return problem.linearize(w, threads=False).sharpness(start.pair, probe=start.probe).value / start.sharpness

    with ThreadPoolExecutor(workers) as pool:
        ratios = [*pool.map(ratio, grid, tau)]
    return xr.Dataset({"ratio": ("c", ratios), "step": ("c", tau)}, coords={"c": grid}, attrs={"time": float(time)})
