"""Mean critical constants of the uv model over random starts, beside their exact values."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..theory import uv

if TYPE_CHECKING:
    import xarray as xr

#: Constants that are exact for these starts.
_CONSTANTS = ("c_loss", "c_sharp", "c_max")


def uv_means(found: xr.Dataset) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]:
    """Return means of the critical constants over the starts for which those of one step are exact.

    Those are the starts with s < 1/8, for which runs of any number of steps first raise loss and sharpness at the first
    step. The parameter s follows from sharpness and loss: S = ½(λ + √(λ² + 12 κf²)), so that λ = S - 6κL/S (derived).

    Args:
        found: Result of `eossim.phase_diagram` for Gaussian starts of the uv model with y = 0.

    Returns:
        How many starts of each width have s < 1/8; and for each constant the mean over them, its standard error and the
        exact mean over Gaussian starts with s < 1/8, each of shape (width,). Mean and error are NaN where some of these
        starts do not reach the constant, the grid of c being too short; the error is NaN of a single start.
    """
    cells = found.transpose("width", "seed", ...)
    kappa_loss = cells.loss0.values / cells.width.values[:, None]
    ntk = cells.sharpness0.values - 6 * kappa_loss / cells.sharpness0.values
    inside = 2 * kappa_loss / ntk**2 < uv.ONE_STEP  # False for a cell that failed
    count = inside.sum(axis=1)

    def exact(constant: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return uv.mean(lambda s: np.where(s < uv.ONE_STEP, constant(s), 0.0), cells.width.values)

    means = {}
    with np.errstate(all="ignore"):
        for name in _CONSTANTS:
            # One that cannot be told from c_max is within the tolerance of it.
            values = np.where(inside, cells[name].fillna(cells.c_max).values, 0.0)
            mean = values.sum(axis=1) / count
            squares = np.where(inside, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
            error = np.sqrt(squares / (count - 1) / count)
            means[name] = (mean, error, exact(getattr(uv, name)) / exact(np.ones_like))
    return count, means
