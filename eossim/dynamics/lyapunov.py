"""Lyapunov exponents over parameters and starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from .._check import positive_int
from ..engine.iterate import System, lyapunov_exponents
from ._batch import batch, require_jacobian

if TYPE_CHECKING:
    import xarray as xr


def lyapunov_exponent(
    system: System, starts: ArrayLike, *, steps: int = 10_000, burn_in: int = 1000, **parameters: ArrayLike
) -> xr.Dataset:
    """Return the largest Lyapunov exponent, nats per step: the mean growth rate of a small difference.

    Positive for chaos, negative on a stable cycle, zero at a bifurcation and on curves.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`.
        starts: Shape (dim,) or (starts, dim).
        steps: Steps over which the growth is averaged; on a chaotic orbit the error falls as 1/sqrt(steps).
        burn_in: Steps before that.
        **parameters: Every parameter, a number or a 1-D array; an array becomes an axis of the result.

    Returns:
        Dataset with ``lyapunov`` over the array parameters and ``start``; NaN where the run diverged.

    Raises:
        TypeError: if the derivative of the system is not known.
        ValueError: for wrong parameters, starts or numbers of steps.
    """
    spectrum = lyapunov_spectrum(system, starts, steps=steps, burn_in=burn_in, **parameters)
    largest = spectrum.isel(exponent=0, drop=True)
    largest["lyapunov"].attrs["long_name"] = "largest Lyapunov exponent, nats per step"
    return largest


def lyapunov_spectrum(
    system: System, starts: ArrayLike, *, steps: int = 10_000, burn_in: int = 1000, **parameters: ArrayLike
) -> xr.Dataset:
    """Return all Lyapunov exponents, nats per step, from the QR decomposition of the tangent map.

    Their sum is the mean of ln |det J|.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`.
        starts: Shape (dim,) or (starts, dim).
        steps: Steps over which the growth is averaged.
        burn_in: Steps before that, in which the directions settle.
        **parameters: Every parameter, a number or a 1-D array; an array becomes an axis of the result.

    Returns:
        Dataset with ``lyapunov`` over the array parameters, ``start`` and ``exponent`` (largest first); NaN where the
        run diverged, -inf where a direction collapses in one step (a superstable cycle).

    Raises:
        TypeError: if the derivative of the system is not known.
        ValueError: for wrong parameters, starts or numbers of steps.
    """
    require_jacobian(system)
    steps, burn_in = positive_int("steps", steps), positive_int("burn_in", burn_in, minimum=0)
    runs = batch(system, starts, parameters)
    found = np.empty((runs.runs, system.dim))
    for block in runs.blocks(system.dim):
        found[block] = lyapunov_exponents(system, runs.states(block), steps, burn_in=burn_in, **runs.values(block))
    result = runs.dataset(
        {"lyapunov": (found, "Lyapunov exponents, nats per step", ("exponent",))}, steps=steps, burn_in=burn_in
    )
    return result.assign_coords(exponent=np.arange(1, system.dim + 1))
