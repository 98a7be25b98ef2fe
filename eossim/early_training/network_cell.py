"""One cell of the phase diagram of networks: all step sizes of one depth, width and seed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from .. import data as datasets
from .._check import in_interval, positive_int
from .._cores import available_cores
from ..data import Data
from ._network_runs import Descent, Run, Start
from ._network_sweep import Sweep
from .bisection import TOLERANCE, bisect, brackets, refined
from .classify import classify_early
from .constants import CriticalConstants, first_crossings, growing
from .digits import relu_network, standardized_samples, torch_start

if TYPE_CHECKING:
    import xarray as xr


def network_cell(
    depth: int,
    width: int,
    seed: int,
    *,
    c: ArrayLike,
    data: str | PathLike[str] | Data = "digits",
    samples: int = 512,
    steps: int = 10,
    bound: float = 1e5,
    sharpness_rise: float = 0.002,
    sharpness: bool = True,
    barrier: bool = True,
    refine: bool = True,
    threads: int | None = None,
) -> xr.Dataset:
    """Return critical constants and labels of the first steps of gradient descent on a ReLU network at growing c.

    The network features → width → ... → width → classes of `depth` layers of weights has no biases; its loss is
    ½ (f - y)² averaged over samples and classes, y one-hot. Weights start as ``torch.randn`` draws them, with variance
    2/n, n the inputs of a layer, and 1/n in the last one. Gradient descent takes all samples, in single precision, with
    the step size c over the sharpness at the start, and the sweep ends at the first c that diverges. Source:
    arXiv:2302.12250.

    Sharpness is the largest eigenvalue of the Hessian, to about 1e-4, or 1e-7 of that at the start where that is more.
    In a network that has collapsed, below a tenth of the sharpness at the start, an eigenvalue that overtakes those
    followed may be found some steps late.

    Args:
        depth: Layers of weights.
        width: Units of each hidden layer.
        seed: Of ``torch.Generator().manual_seed``.
        c: Grid, shape (c,), positive and strictly increasing.
        data: "digits", an .npz file with labels, or `eossim.data.Data`; see `standardized_samples`.
        samples: Number of samples.
        steps: Steps of the early transient.
        bound: Largest loss of a run that has not diverged. A run whose curvature exceeds single precision has diverged.
        sharpness_rise: Relative rise of the sharpness that counts.
        sharpness: Whether the sharpness is followed, which is nearly all of the cost; without it c_sharp and labels are
            left out.
        barrier: Whether to look for the barrier, at 101 points of the segment between start and end.
        refine: Bisect c_loss, c_sharp and c_max between neighbours of the grid, to 2⁻¹⁰ in log2 c.
        threads: Runs at the same time, by default one for each core. Results do not depend on it.

    Returns:
        A dataset with ``c_loss``, ``c_sharp``, ``c_barrier``, ``c_max`` (NaN where not reached), their values on the
        grid ``c_loss_grid`` ..., ``reached_end`` (whether no c of the grid diverged), ``sharpness0``, ``loss0``; with
        the dimension c: ``label``, ``loss_peak`` (largest after the start over the start), ``sharpness_peak`` and
        ``sharpness_ratio`` (last over first), ``residual`` (largest ‖H u - λ u‖ over λ at any step) and ``products``
        (Hessian-vector products), empty and NaN beyond the first c that diverges; and ``loss`` and ``sharpness`` with
        the dimensions c and step.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument is out of range, or the sharpness at the start is not positive.
    """
    import xarray as xr

    grid, T = growing(c), positive_int("steps", steps)
    K = float(in_interval("bound", bound, 0.0, open_low=True))
    rise = float(in_interval("sharpness_rise", sharpness_rise, 0.0))
    workers = available_cores() if threads is None else positive_int("threads", threads)
    loaded = datasets.load(data)
    X, targets = standardized_samples(loaded, samples)
    problem = relu_network(depth, width, X, targets)
    start = Start(problem, torch_start(problem, seed))
    descent = Descent(problem, start, T, K)
    with threadpool_limits(limits=1, user_api="blas"):
        sweep = Sweep(descent, grid, sharpness=sharpness, barrier=barrier, rise=rise, threads=workers)
        coarse = _constants(grid, sweep, barrier)
        fine = _refined(grid, coarse, descent, sweep.risen, rise, workers) if refine else coarse
    values: dict[str, Any] = {"sharpness0": start.sharpness, "loss0": start.loss, "reached_end": coarse.reached_end}
    for name in ("c_loss", "c_sharp", "c_barrier", "c_max"):
        values[name] = getattr(fine, name)
        values[f"{name}_grid"] = getattr(coarse, name)
    by_c = _by_c(grid.size, sweep)
    by_c["label"] = np.full(grid.size, "", dtype=object)
    if sharpness:
        size = len(sweep.runs)
        early = classify_early(
            by_c["loss"][:size],
            by_c["sharpness"][:size],
            grid[:size],
            steps=T,
            bound=K,
            sharpness_rise=rise,
            zero_output_loss=float(0.5 * np.mean(np.square(targets))),
        )
        by_c["label"][:size] = early.label
    by_c["label"] = by_c["label"].astype(str)
    return xr.Dataset(
        values | {name: (("c", "step")[: array.ndim], array) for name, array in by_c.items()},
        coords={"c": grid, "step": np.arange(T + 1)},
        attrs={
            "model": "mlp",
            "data": loaded.name,
            "samples": samples,
            "steps": T,
            "bound": K,
            "sharpness_rise": rise,
        },
    )


def _constants(c: np.ndarray, sweep: Sweep, barrier: bool) -> CriticalConstants:
    """Return the constants on the grid."""
    flags = np.zeros((4, c.size), bool)
    for k, run in enumerate(sweep.runs):
        flags[:, k] = run.loss_rises, run.sharpness_rises(sweep.rise), run.diverged, k == sweep.barrier
    up_loss, up_sharpness, diverged, barriers = flags
    return first_crossings(c, up_loss, up_sharpness, diverged, barriers if barrier else None)


def _refined(
    c: np.ndarray, coarse: CriticalConstants, descent: Descent, risen: Run | None, rise: float, threads: int
) -> CriticalConstants:
    """Return the constants bisected; each run goes no further, and has no more products, than its question needs."""
    near = risen.pairs if risen else None

    def beyond(which: int, trial: float) -> bool:
        """Return whether c_loss, c_sharp or c_max lies below."""

        def seen(run: Run) -> bool:
            return run.loss_rises if which == 0 else which == 1 and run.sharpness_rises(rise)

        run = descent.follow(trial, seen, near=near if which == 1 else None)
        return run.diverged or seen(run)

    with ThreadPoolExecutor(threads) as pool:
        low, high = bisect(
            lambda which, trial: np.array([*pool.map(beyond, which, trial)], bool), *brackets(c, coarse), TOLERANCE
        )
    return refined(coarse, low, high)


def _by_c(size: int, sweep: Sweep) -> dict[str, np.ndarray]:
    """Return what is known of every c, shape (size,) or (size, steps + 1), NaN beyond the last run."""
    loss, sharpness = (
        np.array([getattr(run, name) for run in sweep.runs], np.float64) for name in ("loss", "sharpness")
    )
    with np.errstate(invalid="ignore"):
        found = {
            "loss": loss,
            "sharpness": sharpness,
            "loss_peak": loss[:, 1:].max(axis=1) / loss[:, 0],
            "sharpness_peak": sharpness[:, 1:].max(axis=1) / sharpness[:, 0],
            "sharpness_ratio": sharpness[:, -1] / sharpness[:, 0],
            "residual": np.array([run.residual for run in sweep.runs]),
            "products": np.array([run.products for run in sweep.runs], np.float64),
        }
    beyond = size - len(sweep.runs)
    return {name: np.concatenate([array, np.full((beyond, *array.shape[1:]), np.nan)]) for name, array in found.items()}
