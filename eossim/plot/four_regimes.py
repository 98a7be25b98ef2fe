"""One run through the four regimes of training: its loss, and its sharpness with the line 2/eta."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from .network_regimes import SHADES, drawn_steps
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr

NAMES = {
    "T1": "early\ntransient",
    "T2": "intermediate\nsaturation",
    "T3": "progressive\nsharpening",
    "T4": "edge of stability",
}


def four_regimes(run: xr.Dataset) -> tuple[Figure, Numbers]:
    """Draw a run of `experiments.regimes` by itself, regimes shaded and named.

    Args:
        run: With `loss`, `sharpness` and `edge` at every step, and the regimes in its attributes.

    Returns:
        The figure, and its numbers: a row for each drawn step.
    """
    shown = drawn_steps(run.step.values)
    part = run.sel(step=shown)
    figure, (above, below) = new_figure(2, 1, height=4.2, sharex=True, height_ratios=(1, 1.2))
    numbers: Numbers = {"step": shown.astype(float)}
    numbers |= {name: part[name].values for name in ("loss", "sharpness", "edge")}
    above.loglog(shown + 1, numbers["loss"], color=COLORS["gd"], linewidth=1)
    below.semilogx(shown + 1, numbers["sharpness"], color=COLORS["gd"], linewidth=1)
    below.axhline(float(run.edge[0]), color=COLORS["edge"], linestyle="--", linewidth=1.2)
    below.annotate("2/η", (1.05, float(run.edge[0])), xytext=(0, 3), textcoords="offset points", color=COLORS["edge"])
    for regime, (first, end) in run.attrs["regimes"].items():
        ends = np.log([first + 1, min(end + 1, run.step.values[-1])])
        for axis in (above, below):
            axis.axvspan(*np.exp(ends), color=COLORS[SHADES[regime]], alpha=0.16, linewidth=0)
        look = {"ha": "center", "va": "bottom", "fontsize": 8, "transform": above.get_xaxis_transform()}
        above.text(np.exp(ends.mean()), 1.03, NAMES[regime], **look)
    above.set(ylabel="loss", xlim=(1, run.step.values[-1]))
    below.set(xlabel="step + 1", ylabel="λ$_{max}$", ylim=(0, None))
    below.xaxis.set_major_locator(LogLocator(numticks=9))
    below.xaxis.set_minor_locator(NullLocator())
    return figure, numbers
