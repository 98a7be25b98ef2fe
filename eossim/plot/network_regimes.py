"""The four regimes of training: loss and sharpness over 2/eta at four step sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..experiments import Result

#: Colours of the regimes, by role.
SHADES = {"T1": "muted", "T2": "other", "T3": "momentum", "T4": "edge"}
#: Every step up to here, pairs of neighbours beyond.
_DENSE, _STRIDE = 300, 20


def drawn_steps(steps: np.ndarray) -> np.ndarray:
    """Return the steps to draw of a run measured at all of `steps`: at an edge, neighbours alternate."""
    pairs = np.arange(_DENSE, steps[-1], _STRIDE)
    return np.unique(np.concatenate([steps[:_DENSE], pairs, pairs + 1]))


def network_regimes(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.regimes`: a column for each eta, loss above, sharpness over 2/eta below, regimes shaded.

    Returns:
        The figure, and its numbers: a row per drawn step, nan after divergence.
    """
    figure, axes = new_figure(2, len(result.runs), height=4.0, sharex=True, sharey="row", squeeze=False)
    steps = next(iter(result.runs.values())).step.values
    shown = drawn_steps(steps)
    numbers: Numbers = {"step": shown}
    for (top, below), (name, run), row in zip(axes.T, result.runs.items(), result.rows, strict=True):
        drawn = run.sel(step=shown)
        ratio = drawn.sharpness / drawn.edge
        numbers |= {f"{name}: loss": drawn.loss.values, f"{name}: sharpness over 2/eta": ratio.values}
        for axis, values in ((top, drawn.loss), (below, ratio)):
            axis.plot(shown + 1, values, color=COLORS["gd"], linewidth=1)
            for regime, (first, end) in run.attrs["regimes"].items():
                axis.axvspan(first + 1, end + 1, color=COLORS[SHADES[regime]], alpha=0.16, linewidth=0)
        for regime, (first, end) in run.attrs["regimes"].items():
            middle = np.sqrt((first + 1) * (end + 1))
            top.text(middle, 0.93, regime, ha="center", fontsize=7.5, transform=top.get_xaxis_transform())
        below.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1.2)
        fate = "" if row["diverged_at"] is None else f"\ndiverges at {row['diverged_at']}"
        top.set_title(f"η = {row['eta']:g}, c = {row['c']:.2f}{fate}", fontsize=8)
        top.set(xscale="log", yscale="log", ylim=(1e-3, 30), xlim=(1, steps[-1]))
        top.xaxis.set_major_locator(LogLocator(numticks=9))
        top.xaxis.set_minor_locator(NullLocator())
        below.set(xlabel="step + 1", ylim=(0, 2))
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("sharpness / (2/η)")
    return figure, numbers
