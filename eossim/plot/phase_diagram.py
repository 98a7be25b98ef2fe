"""The phase diagram of early training: critical constants against 1/width, a panel for each depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .phases import CONSTANTS, PHASES, c_axis, spread, width_axis
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr


def phase_diagram(found: xr.Dataset) -> tuple[Figure, Numbers]:
    """Draw what `eossim.phase_diagram` found for networks.

    Critical constants are geometric means over the seeds that reached them, bars their range; a triangle at the top
    says that some seed reached the end of the grid of c without diverging. Dotted lines are the exact means of the
    solvable model over Gaussian starts, dashed is c = 2, where an infinitely wide network loses stability.

    Returns:
        The figure, and its numbers: a row for each depth and width.
    """
    depths, widths = found.depth.values, found.width.values
    end = float(found.c.max())
    figure, axes = new_figure(1, len(depths), height=3.6, sharey=True, sharex=True, squeeze=False)
    columns: dict[str, list[np.ndarray]] = {}
    for axis, depth in zip(axes[0], depths, strict=True):
        panel = found.sel(depth=depth)
        row = {"depth": np.full(len(widths), float(depth)), "width": widths.astype(float)}
        means = {}
        for name in CONSTANTS:
            means[name], low, high = spread(panel[name])
            row |= {name: means[name], f"{name}_least": low, f"{name}_largest": high}
        row["reached_end"] = (panel.reached_end & ~panel.failed).sum(dim="seed").values.astype(float)
        for key, values in row.items():
            columns.setdefault(key, []).append(values)
        _shade(axis, widths, means, row["reached_end"], end)
        _draw_constants(axis, widths, row, end)
        for name, (_, color, _) in CONSTANTS.items():
            axis.plot(1 / widths, found[f"uv_{name}"], color=color, linestyle=":", linewidth=1.3)
        axis.axhline(2, color=COLORS["edge"], linestyle="--", linewidth=1.2)
        axis.set_title(f"{depth} layers", fontsize=9)
        c_axis(axis, 1, end * 1.2)
        width_axis(axis, widths)
    axes[0, 0].set_ylabel("c = η λ$_{max}$ at the start")
    figure.legend(handles=_handles(), loc="outside lower center", ncols=4, fontsize=7.5, frameon=False)
    return figure, {name: np.concatenate(parts) for name, parts in columns.items()}


def _shade(axis: Any, widths: np.ndarray, means: dict[str, np.ndarray], reached_end: np.ndarray, end: float) -> None:
    """Shade the phases between mean constants; where one was not reached, up to the next."""
    x = 1 / widths
    top = np.where(np.isfinite(means["c_max"]) & (reached_end == 0), means["c_max"], 2 * end)
    loss = np.minimum(np.where(np.isfinite(means["c_loss"]), means["c_loss"], top), top)
    sharp = np.clip(np.where(np.isfinite(means["c_sharp"]), means["c_sharp"], top), loss, top)
    two = np.full(len(x), 2.0)
    bands = {
        "monotone": (two / 4, np.minimum(two, loss)),
        "sharpness-reduction": (two, np.maximum(loss, two)),
        "catapult-loss": (loss, sharp),
        "catapult-both": (sharp, top),
        "diverge": (top, np.full(len(x), 2 * end)),
    }
    for label, (low, high) in bands.items():
        axis.fill_between(x, low, high, color=PHASES[label][1], alpha=0.75, linewidth=0, zorder=0)


def _draw_constants(axis: Any, widths: np.ndarray, row: dict[str, np.ndarray], end: float) -> None:
    x = 1 / widths
    for name, (_, color, marker) in CONSTANTS.items():
        mean = row[name]
        bars = np.maximum([mean - row[f"{name}_least"], row[f"{name}_largest"] - mean], 0)  # rounding of the mean
        look = {"color": color, "marker": marker, "markersize": 4, "markeredgecolor": "white", "markeredgewidth": 0.5}
        axis.errorbar(x, mean, bars, elinewidth=1, capsize=2, linewidth=1.3, **look)
    beyond = row["reached_end"] > 0
    axis.plot(x[beyond], np.full(beyond.sum(), end), linestyle="", marker="^", color=COLORS["gd"], markersize=5)


def _handles() -> list[Any]:
    points = [
        Line2D([], [], color=color, marker=marker, markersize=4, label=label)
        for label, color, marker in CONSTANTS.values()
    ]
    lines = [
        Line2D([], [], color=COLORS["muted"], linestyle=":", label="uv model, exact mean"),
        Line2D([], [], color=COLORS["edge"], linestyle="--", label="c = 2"),
        Line2D([], [], color=COLORS["gd"], marker="^", linestyle="", markersize=5, label="c$_{max}$ beyond the grid"),
    ]
    areas = [Patch(color=color, label=name) for label, (name, color) in PHASES.items()
             if label in ("sharpness-reduction", "catapult-loss", "catapult-both", "diverge")]  # fmt: skip
    return [*points, *lines, *areas]
