"""One cell of the phase diagram of networks: all step sizes of one depth, width and seed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
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
from ._network_sweep import Sweep, scan
from .bisection import TOLERANCE, bisect
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

    Constants on the grid are the first c of it that rises, has a barrier or diverges. The sets of such c are ragged, so
    with `refine` the loss alone is looked at 2⁻⁷ apart in log2 c as well: c_loss and c_max are the first rise and the
    first divergence of all these points, bisected; a narrower interval may be missed below. c_sharp is the first rise
    on the grid, bisected, and c_barrier the first on the grid, both up to c_max: where runs diverge between points of
    the grid that do not, c_max lies below that of the grid, and larger c look finite again.

    Sharpness is the largest eigenvalue of the Hessian, to about 1e-4, or 1e-7 of that at the start where that is more.
    Eigenvectors are followed; below half of the sharpness at the start, where others may overtake them, a Krylov space
    of a random vector is searched as well. At 43 000 points of networks of 2 to 8 layers, width 2 to 32 and 16 to 128
    samples, c from 1 to 215, 4 were off by more than 3e-4 of the eigenvalue, by 13 % at worst, all of them below 4 % of
    the sharpness at the start. Rounding to single precision may turn a ReLU on or off besides, with eigenvalues up to
    1 % from those of the same weights in double precision.

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
        refine: Look between neighbours of the grid and bisect c_loss, c_sharp and c_max there, to 2⁻¹⁰ in log2 c.
        threads: Runs at the same time, by default one for each core. Results do not depend on it.

    Returns:
        A dataset with ``c_loss``, ``c_sharp``, ``c_barrier``, ``c_max`` (NaN where not reached), their values on the
        grid ``c_loss_grid`` ..., ``reached_end`` (whether no c diverged), ``sharpness0``, ``loss0``; with
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
        asked = {"sharpness": sharpness, "barrier": barrier}
        fine = _refined(grid, coarse, descent, sweep, **asked, threads=workers) if refine else coarse
    values: dict[str, Any] = {"sharpness0": start.sharpness, "loss0": start.loss, "reached_end": fine.reached_end}
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
    c: np.ndarray,
    coarse: CriticalConstants,
    descent: Descent,
    sweep: Sweep,
    *,
    sharpness: bool,
    barrier: bool,
    threads: int,
) -> CriticalConstants:
    """Return the constants between points of the grid; a run goes no further, and has no more products, than it needs.

    c_max comes first, from losses close together: it bounds the others.
    """

    def lost(run: Run) -> bool:
        return run.diverged

    def louder(run: Run) -> bool:
        return run.diverged or run.loss_rises

    def sharper(run: Run) -> bool:
        return run.diverged or run.sharpness_rises(sweep.rise)

    def between(low: float, high: float, seen: Callable[[Run], bool]) -> tuple[float, float]:
        """Return the neighbourhood of the least c that is `seen`, which high is and low is not."""
        near = sweep.nearest if seen is sharper else None
        ends = bisect(
            lambda _, trial: np.array([seen(descent.follow(float(trial[0]), seen, near))]),
            np.array(low),
            np.array(high),
            TOLERANCE,
        )
        return float(ends[0]), float(ends[1])

    def first(points: np.ndarray, rises: np.ndarray, seen: Callable[[Run], bool]) -> float:
        """Return the least c up to c_max that rises, known of points that do not diverge; NaN if none does."""
        if rises.any():
            k = int(rises.argmax())
            return between(points[k - 1], points[k], seen)[1] if k else float(points[0])
        if np.isnan(c_max) or not seen(descent.follow(c_max, seen, sweep.nearest if seen is sharper else None)):
            return np.nan
        return between(points[-1], c_max, seen)[1]

    with ThreadPoolExecutor(threads) as pool:
        scanned, up_loss, diverged = scan(descent, sweep.runs, pool)
        if diverged[0]:
            return coarse
        end = int(diverged.argmax()) if diverged.any() else len(scanned)
        c_max = between(scanned[end - 1], scanned[end], lost)[0] if diverged.any() else np.nan
        below = [run for run in sweep.runs if not run.c > c_max and not run.diverged]
        c_loss = pool.submit(first, scanned[:end], up_loss[:end], louder)
        up_sharpness = np.array([run.sharpness_rises(sweep.rise) for run in below])
        c_sharp = first(c[: len(below)], up_sharpness, sharper) if sharpness else np.nan
    seen_barrier = sweep.barrier is not None and sweep.barrier < len(below)
    return replace(
        coarse,
        c_loss=np.array(c_loss.result()),
        c_sharp=np.array(c_sharp),
        c_barrier=coarse.c_barrier if seen_barrier or not barrier else np.array(c_max),
        c_max=np.array(c_max),
        no_barrier=np.array(barrier and not seen_barrier),
        reached_end=np.array(not diverged.any()),
    )


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
