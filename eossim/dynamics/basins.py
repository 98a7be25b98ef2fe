"""Basins: what share of starts ends where."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, positive_int
from ..engine.iterate import System, orbit
from ._batch import BOUND, batch
from ._settle import APERIODIC, DIVERGED, Options, settle

if TYPE_CHECKING:
    import xarray as xr


def basin_fractions(
    system: System,
    starts: ArrayLike,
    *,
    transient: int = 10_000,
    max_period: int = 16,
    tolerance: float = 1e-9,
    same: float = 1e-5,
    listed: int = 32,
    bound: float = BOUND,
    **parameters: float,
) -> xr.Dataset:
    """Return the share of starts that ends in each fixed point or cycle, in none, and in divergence.

    Two runs end in the same cycle when they have the same period (see `period`) and the last state of one lies on the
    cycle of the other. On a line of fixed points every run has its own: they fill the list, and the rest is one share.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`.
        starts: Shape (starts, dim), such as `random_starts` or `grid_starts`; for a method also iterates.
        transient: Steps before a period is looked for.
        max_period: Largest period that is told from aperiodic.
        tolerance: As in `period`.
        same: Distance within which points are one, in each coordinate relative to its magnitude.
        listed: Most cycles that are told apart.
        bound: A run with a state beyond it after the transient counts as diverged.
        **parameters: Every parameter, a number.

    Returns:
        Dataset over ``attractor`` (shares fall) with ``share``, ``period`` and ``points`` (attractor, phase, state; NaN
        after the last phase), the shares ``aperiodic``, ``diverged`` and ``unlisted`` (cycles beyond `listed`), and
        over ``start`` the number ``ends_in`` of the attractor, -1 where diverged, -2 aperiodic, -3 unlisted.

    Raises:
        ValueError: for wrong parameters, starts or options.
    """
    options = Options.checked(transient, max_period, tolerance, bound)
    listed = positive_int("listed", listed)
    same = float(in_interval("same", same, 0, 1, open_low=True, open_high=True))
    runs = batch(system, starts, parameters)
    if runs.axes:
        raise ValueError(f"basins belong to one value of each parameter, got an array for {', '.join(runs.axes)}")
    period = np.empty(runs.runs, dtype=np.int64)
    point, scale = np.empty((runs.runs, system.dim)), np.empty((runs.runs, system.dim))
    for block in runs.blocks(options.max_period):
        found = settle(system, runs.states(block), runs.values(block), options)
        period[block], scale[block], point[block] = found.period, found.scale, found.point

    ends_in = np.select([period == DIVERGED, period == APERIODIC], [-1, -2], -3)
    cycles: list[np.ndarray] = []
    left = np.flatnonzero(period > 0)
    while left.size and len(cycles) < listed:
        p = period[left[0]]
        cycle = orbit(system, point[left[0]], p, at=np.arange(p), **runs.fixed)[:, 0]
        distance = np.min([(np.abs(point[left] - c) / scale[left]).max(axis=1) for c in cycle], axis=0)
        member = (distance <= same) & (period[left] == p)
        member[0] = True
        ends_in[left[member]] = len(cycles)
        cycles.append(cycle)
        left = left[~member]

    counts = np.bincount(ends_in[ends_in >= 0], minlength=len(cycles))
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(cycles), dtype=np.int64)
    rank[order] = np.arange(len(cycles))
    ends_in[ends_in >= 0] = rank[ends_in[ends_in >= 0]]
    points = np.full((len(cycles), max((len(c) for c in cycles), default=1), system.dim), np.nan)
    for row, number in enumerate(order):
        points[row, : len(cycles[number])] = cycles[number]

    result = runs.dataset(
        {"ends_in": (ends_in, "attractor; -1: diverged, -2: aperiodic, -3: unlisted")}, **asdict(options)
    )
    return result.assign(
        share=("attractor", counts[order] / runs.runs, {"long_name": "share of starts"}),
        period=("attractor", np.array([len(cycles[n]) for n in order], dtype=np.int64), {"long_name": "period"}),
        points=(("attractor", "phase", "state"), points, {"long_name": "points of the cycle"}),
        diverged=((), np.mean(ends_in == -1), {"long_name": "share of starts that diverged"}),
        aperiodic=((), np.mean(ends_in == -2), {"long_name": "share of starts without a cycle"}),
        unlisted=((), np.mean(ends_in == -3), {"long_name": "share of starts in further cycles"}),
    )
