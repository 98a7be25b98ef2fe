"""The phase diagram of early training of the uv model, one width at a time, all seeds and c at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, positive_int
from ..engine.iterate import extremes
from ..maps import uv_amplitudes
from .bisection import bisect, brackets, refined
from .classify import labels
from .constants import first_crossings, growing
from .saturation import TIME, ends_at
from .uv import UVStarts, run_uv

if TYPE_CHECKING:
    import xarray as xr

#: Width in log2 c at which bisection ends: means over many starts resolve more than a network does.
UV_TOLERANCE = 2.0**-20


def uv_cell(
    starts: UVStarts,
    c: ArrayLike,
    *,
    steps: int = 10,
    bound: float = 1e5,
    refine: bool = True,
    barrier: bool = True,
) -> xr.Dataset:
    """Return critical constants and labels of gradient descent on the uv model from given starts.

    c = η λ_max(0) with the sharpness of each start. The barrier is exact, not sampled on the segment.

    Args:
        starts: One for each seed.
        c: Grid, shape (c,), positive and strictly increasing.
        steps: Steps of the early transient.
        bound: Largest loss of a run that has not diverged; peaks grow like the width (`theory.uv.peak_bound`), so that
            widths above 5e4 need more than 1e5.
        refine: Bisect c_loss, c_sharp and c_max between neighbours of the grid, to 2⁻²⁰ in log2 c.
        barrier: Whether c_barrier is asked for.

    Returns:
        A dataset with the dimension seed: ``c_loss``, ``c_sharp``, ``c_barrier``, ``c_max`` (NaN where not reached),
        their values on the grid ``c_loss_grid`` ..., ``reached_end`` (whether no c of the grid diverged),
        ``sharpness0``, ``loss0``; and with the dimension c besides: ``label``, ``loss_peak`` (largest after the start
        over the start), ``sharpness_peak`` and ``sharpness_ratio`` (last over first), empty and NaN beyond the first c
        that diverges.

    Raises:
        ValueError: If an argument is out of range.
    """
    import xarray as xr

    grid, T = growing(c), positive_int("steps", steps)
    K = float(in_interval("bound", bound, 0.0, open_low=True))
    seeds = len(starts.p)
    seen = run_uv(starts, np.broadcast_to(grid, (seeds, grid.size)), T, K)
    coarse = first_crossings(
        grid, seen.loss_rises, seen.sharpness_rises, seen.diverged, seen.barrier if barrier else None
    )
    fine = coarse
    if refine:

        def crosses(which: np.ndarray, trial: np.ndarray) -> np.ndarray:
            constant, seed = np.divmod(which, seeds)
            found = run_uv(starts, trial, T, K, seed)
            flags = np.stack([found.loss_rises, found.sharpness_rises, found.diverged]) | found.diverged
            return flags[constant, np.arange(which.size)]

        fine = refined(coarse, *bisect(crosses, *brackets(grid, coarse), UV_TOLERANCE))
    beyond = np.logical_or.accumulate(seen.diverged, axis=-1)
    beyond[:, 1:] = beyond[:, :-1].copy()  # the first c that diverges is still shown
    beyond[:, 0] = False
    label = np.where(beyond, "", labels(grid, seen.diverged, seen.loss_rises, seen.sharpness_rises))
    values = {"sharpness0": ("seed", starts.sharpness), "loss0": ("seed", starts.loss)}
    for name in ("c_loss", "c_sharp", "c_barrier", "c_max"):
        values[name] = ("seed", getattr(fine, name))
        values[f"{name}_grid"] = ("seed", getattr(coarse, name))
    by_c = {name: np.where(beyond, np.nan, getattr(seen, name)) for name in _BY_C}
    return xr.Dataset(
        values
        | {"reached_end": ("seed", coarse.reached_end), "label": (("seed", "c"), label)}
        | {name: (("seed", "c"), value) for name, value in by_c.items()},
        coords={"seed": np.arange(seeds), "c": grid},
    )


_BY_C = ("loss_peak", "sharpness_peak", "sharpness_ratio")


def uv_saturation(starts: UVStarts, c: ArrayLike, *, time: float = TIME) -> xr.Dataset:
    """Return the sharpness of the uv model at equal physical time over that at the start, against c.

    It is read after τ = round(time/c) steps. `eossim.early_training.saturation_knee` finds where it bends down.

    Args:
        starts: One for each seed.
        c: Grid, shape (c,), positive and strictly increasing; see `saturation_grid`.
        time: Physical time c τ; at least the largest c.

    Returns:
        A dataset with ``sharpness_ratio`` (dimensions seed, c), NaN where a run diverged, its mean over seeds ``ratio``
        and ``step``, the number of steps τ, for each c.

    Raises:
        ValueError: If an argument is out of range.
    """
    import xarray as xr

    grid = growing(c)
    tau = ends_at(grid, time)
    ratio = np.empty((len(starts.p), grid.size))
    for T in np.unique(tau):
        at = np.flatnonzero(tau == T)
        eta = (grid[at] / starts.sharpness[:, None]).ravel()
        p, q = (np.repeat(start, at.size) for start in (starts.p, starts.q))
        x0, Y = np.sqrt(eta[:, None] * np.stack([p, q], -1)), eta * (np.sqrt(starts.kappa) * starts.y)
        seen = extremes(uv_amplitudes, x0, int(T), Y=Y)["sharpness"]
        with np.errstate(all="ignore"):
            ratio[:, at] = np.where(np.isfinite(seen.peak), seen.last / seen.first, np.nan).reshape(-1, at.size)
    return xr.Dataset(
        {
            "sharpness_ratio": (("seed", "c"), ratio),
            "ratio": ("c", ratio.mean(axis=0)),
            "step": ("c", tau),
        },
        coords={"seed": np.arange(len(starts.p)), "c": grid},
        attrs={"time": float(time)},
    )
