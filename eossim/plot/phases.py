"""What pictures of early training share: colours of phases and critical constants, axes of c and of the width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from .style import COLORS

if TYPE_CHECKING:
    import xarray as xr

#: Phases by label: name in a figure, colour of the area. Pale tints of the palette, told apart by lightness too.
PHASES = {
    "monotone": ("neither rises", "#F1F1F1"),
    "sharpness-reduction": ("sharpness reduction", "#A9D8F3"),
    "catapult-loss": ("loss catapult", "#F5C75B"),
    "catapult-both": ("loss and sharpness catapult", "#D98A4E"),
    "sharpness-only": ("sharpness alone rises", "#DDB3CC"),
    "collapsed": ("collapsed", "#B9B9B9"),
    "diverge": ("diverges", "#5F5F5F"),
}
#: Critical constants: label, colour, marker.
CONSTANTS = {
    "c_loss": ("c$_{loss}$", COLORS["usam"], "o"),
    "c_sharp": ("c$_{sharp}$", COLORS["sam"], "s"),
    "c_max": ("c$_{max}$", COLORS["gd"], "D"),
}


def c_axis(axis: Any, low: float, high: float) -> None:
    """Scale the axis of c: logarithmic, with powers of two."""
    axis.set_yscale("log", base=2)
    axis.set_ylim(low, high)
    axis.yaxis.set_major_locator(LogLocator(base=2, numticks=12))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda c, _: f"{c:g}"))
    axis.yaxis.set_minor_locator(NullLocator())


def width_axis(axis: Any, widths: Sequence[int], *, most: int = 7) -> None:
    """Scale the axis of 1/width: logarithmic, with a tick at widths that were run, narrow to the right."""
    shown = np.asarray(widths)[:: -(-len(widths) // most)]
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_locator(FixedLocator((1 / shown).tolist()))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"1/{1 / x:.0f}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("1/width")


def cell_edges(centres: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the edges of cells on a logarithmic axis, halfway between centres; a single cell spans a factor of 2."""
    logs = np.log2(np.asarray(centres, float))
    if logs.size == 1:
        return 2.0 ** (logs[0] + np.array([-0.5, 0.5]))
    middles = (logs[:-1] + logs[1:]) / 2
    return 2.0 ** np.concatenate([[2 * logs[0] - middles[0]], middles, [2 * logs[-1] - middles[-1]]])


def spread(constant: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return geometric mean, least and largest over the seeds that reached a constant, NaN where none did."""
    logs = np.log(constant.transpose(..., "seed").values)
    reached = np.isfinite(logs)
    count = reached.sum(axis=-1)
    mean = np.where(reached, logs, 0).sum(axis=-1) / np.where(count, count, np.nan)
    low = np.where(count, np.where(reached, logs, np.inf).min(axis=-1), np.nan)
    high = np.where(count, np.where(reached, logs, -np.inf).max(axis=-1), np.nan)
    return np.exp(mean), np.exp(low), np.exp(high)
