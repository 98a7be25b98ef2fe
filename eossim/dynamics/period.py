"""Periods of the cycles that runs settle to."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..engine.iterate import System
from ._batch import BOUND, batch
from ._settle import Options, settle

if TYPE_CHECKING:
    import xarray as xr


def period(
    system: System,
    starts: ArrayLike,
    *,
    transient: int = 10_000,
    max_period: int = 64,
    tolerance: float = 1e-9,
    bound: float = BOUND,
    **parameters: ArrayLike,
) -> xr.Dataset:
    """Return the smallest period of the cycle that each run settles to.

    After the transient, a window of ``2 max_period`` states has period p when no coordinate moves by more than
    `tolerance` of its magnitude in p steps. That alone mistakes slow convergence for a long period or for none: near a
    bifurcation a run still swings about its fixed point after 10⁴ steps. A run whose window repeats nearly, but not to
    rounding, is therefore followed to its limit: Newton's method on the p-step map gives the cycle, whose own smallest
    period counts if the cycle attracts, the run follows the linear map about it, and its distance falls over the
    window. On a circle, and wherever a pair of complex multipliers has modulus 1, no period is given.

    Cycles that rounding does not tell apart count as one: within about 1e-9 beyond a period doubling the period is
    still that before it. A real multiplier above 1 by less than 1e-6 may pass for one that attracts.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`; the limit needs its derivative.
        starts: Shape (dim,) or (starts, dim); for a method also iterates.
        transient: Steps before the window.
        max_period: Largest period that is told from aperiodic, at least 1.
        tolerance: Largest displacement of a coordinate, relative to its largest magnitude in the window or that of the
            terms that make it up. One that fades towards zero is measured against its start.
        bound: A run with a state beyond it after the transient counts as diverged.
        **parameters: Every parameter, a number or a 1-D array; an array becomes an axis of the result.

    Returns:
        Dataset over the array parameters and ``start`` with ``period`` (p ≥ 1; 0: no cycle up to `max_period`, so
        chaos, a curve, a longer cycle, or a transient that is far from over; -1: diverged) and ``slow`` (whether the
        cycle is a limit not yet reached to `tolerance`).

    Raises:
        ValueError: for wrong parameters or starts, ``max_period < 1`` or a tolerance outside (0, 1).
    """
    options = Options.checked(transient, max_period, tolerance, bound)
    runs = batch(system, starts, parameters)
    periods, slow = np.empty(runs.runs, dtype=np.int64), np.empty(runs.runs, dtype=bool)
    for block in runs.blocks(options.max_period):
        found = settle(system, runs.states(block), runs.values(block), options)
        periods[block], slow[block] = found.period, found.slow
    return runs.dataset(
        {
            "period": (periods, "smallest period; 0: none recognised, -1: diverged"),
            "slow": (slow, "whether the cycle is a limit not yet reached"),
        },
        **asdict(options),
    )
