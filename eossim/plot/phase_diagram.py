"""The phase diagram of early training: critical constants against 1/width, a panel for each depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .phases import CONSTANTS, PHASES, c_axis, cell_edges, spread, width_axis
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr

#: Points along the axis of the width at which areas are drawn.
_POINTS = 61


def phase_diagram(found: xr.Dataset) -> tuple[Figure, Numbers]:
    """Draw what `eossim.phase_diagram` found for networks.

    Critical constants are geometric means over the seeds that reach them, bars their range; where some seeds do not
    reach one before they diverge, its marker is open. A triangle is a lower bound of the mean of c_max: some seeds have
    not diverged at the end of the grid, which counts as theirs, so nothing above it is coloured. Dotted lines are the
    exact means of the solvable model over Gaussian starts, dashed is c = 2, where an infinitely wide network loses
    stability.

    Returns:
        The figure, and its numbers: a row for each depth and width. ``c_max`` is a lower bound where ``reached_end``,
        the seeds that have not diverged, is not 0; ``c_loss_seeds`` ... are the seeds that reach a constant.
    """
    depths, widths = found.depth.values, found.width.values
    end = float(found.c.max())
    figure, axes = new_figure(1, len(depths), height=3.6, sharey=True, sharex=True, squeeze=False)
    columns: dict[str, list[np.ndarray]] = {}
    drawn: set[str] = set()
    for axis, depth in zip(axes[0], depths, strict=True):
        row = _numbers(found.sel(depth=depth), end)
        for key, values in row.items():
            columns.setdefault(key, []).append(values)
        drawn |= _shade(axis, row, 2 * end)
        drawn |= _draw_constants(axis, row)
        _draw_exact(axis, found)
        axis.axhline(2, color=COLORS["edge"], linestyle="--", linewidth=1.2)
        axis.set_title(f"{depth} layer{'s' if depth > 1 else ''}", fontsize=9)
        c_axis(axis, 1, end * 1.2)
        width_axis(axis, widths)
    axes[0, 0].set_ylabel("c = η λ$_{max}$ at the start")
    figure.legend(
        handles=_handles(drawn), loc="outside lower center", ncols=4, fontsize=7.5, frameon=False, columnspacing=1
    )
    return figure, {name: np.concatenate(parts) for name, parts in columns.items()}


def _numbers(panel: xr.Dataset, end: float) -> Numbers:
    """Return means, ranges and counts of one depth, an entry for each width."""
    widths = panel.width.values
    beyond = panel.reached_end & ~panel.failed
    row = {"depth": np.full(len(widths), float(panel.depth)), "width": widths.astype(float)}
    for name in CONSTANTS:
        constant = panel[name].where(~beyond, end) if name == "c_max" else panel[name]
        row[name], row[f"{name}_least"], row[f"{name}_largest"] = spread(constant)
        row[f"{name}_seeds"] = panel[name].notnull().sum(dim="seed").values.astype(float)
    row["reached_end"] = beyond.sum(dim="seed").values.astype(float)
    row["seeds"] = (~panel.failed).sum(dim="seed").values.astype(float)
    return row


def _shade(axis: Any, row: Numbers, top: float) -> set[str]:
    """Shade the phases between mean constants up to `top`, and return those that are seen.

    A constant that no seed reaches lies at c_max. Between widths constants are joined in the logarithm, as the lines
    are; divergence is shown only between widths whose c_max is known.
    """
    widths = row["width"]
    if len(widths) == 1:
        x, ends = cell_edges(1 / widths), [0, 0]
        row = {key: values[ends] for key, values in row.items()}
    else:
        order = np.argsort(1 / widths)
        x = (1 / widths)[order]
        row = {key: values[order] for key, values in row.items()}
    fine = np.unique(np.concatenate([np.geomspace(x[0], x[-1], _POINTS), x]))

    def joined(values: np.ndarray) -> np.ndarray:
        return np.exp(np.interp(np.log(fine), np.log(x), np.log(values)))

    known = np.isfinite(row["c_max"]) & (row["reached_end"] == 0)
    last = np.where(np.isfinite(row["c_max"]), row["c_max"], 1.0)  # 1: every seed of this width failed
    loss, sharp = (joined(np.where(np.isfinite(row[n]), np.minimum(row[n], last), last)) for n in ("c_loss", "c_sharp"))
    last, two = joined(last), np.full(fine.size, 2.0)
    first, both = np.minimum(loss, sharp), np.maximum(loss, sharp)
    certain = np.isclose(np.interp(np.log(fine), np.log(x), known), 1)
    everywhere = np.ones(fine.size, bool)
    bands = {
        "monotone": (two / 4, np.minimum(two, first), everywhere),
        "sharpness-reduction": (two, first, everywhere),
        "catapult-loss": (loss, sharp, everywhere),
        "sharpness-only": (sharp, loss, everywhere),
        "catapult-both": (both, last, everywhere),
        "diverge": (last, np.full(fine.size, top), certain),
    }
    seen = set()
    for label, (low, high, where) in bands.items():
        shown = where & (high > low)
        if np.any(shown[1:] & shown[:-1]):
            look = {"color": PHASES[label][1], "alpha": 0.75, "linewidth": 0, "zorder": 0, "label": label}
            axis.fill_between(fine, low, np.maximum(low, high), where=where, **look)
            seen.add(label)
    return seen


def _draw_constants(axis: Any, row: Numbers) -> set[str]:
    """Draw means and ranges of the constants, and return which markers were needed."""
    x = 1 / row["width"]
    drawn = set()
    for name, (_, color, marker) in CONSTANTS.items():
        mean = row[name]
        bars = np.maximum([mean - row[f"{name}_least"], row[f"{name}_largest"] - mean], 0)  # rounding of the mean
        bound = row["reached_end"] > 0 if name == "c_max" else np.zeros(x.size, bool)
        some = ~bound & np.isfinite(mean) & (row[f"{name}_seeds"] < row["seeds"])
        axis.errorbar(x, mean, bars, color=color, linestyle="", elinewidth=1, capsize=2)
        axis.plot(x, np.where(bound, np.nan, mean), color=color, linewidth=1.3)
        look = {"color": color, "linestyle": "", "markersize": 5, "markeredgewidth": 0.5}
        for which, face, edge, shape in (
            (~bound & ~some, color, "white", marker),
            (some, "white", color, marker),
            (bound, color, "white", "^"),
        ):
            axis.plot(x[which], mean[which], **look, marker=shape, markerfacecolor=face, markeredgecolor=edge)
        drawn |= {word for word, which in (("some", some), ("bound", bound)) if which.any()}
    return drawn


def _draw_exact(axis: Any, found: xr.Dataset) -> None:
    """Draw the means of the solvable model; across the cell of a single width."""
    x = 1 / found.width.values
    for name, (_, color, _) in CONSTANTS.items():
        line = found[f"uv_{name}"].values
        if x.size == 1:
            axis.plot(cell_edges(x), np.repeat(line, 2), color=color, linestyle=":", linewidth=1.3)
        else:
            axis.plot(x, line, color=color, linestyle=":", linewidth=1.3)


def _handles(drawn: set[str]) -> list[Any]:
    """Return the legend: of areas and special markers, those that are drawn."""
    handles: list[Any] = [
        Line2D([], [], color=color, marker=marker, markersize=4, label=label)
        for label, color, marker in CONSTANTS.values()
    ]
    for word, color, marker, face, label in (
        ("some", COLORS["muted"], "o", "white", "open: some seeds only"),
        ("bound", CONSTANTS["c_max"][1], "^", CONSTANTS["c_max"][1], "c$_{max}$, at least"),
    ):
        if word in drawn:
            handles.append(Line2D([], [], linestyle="", color=color, marker=marker, markerfacecolor=face, label=label))
    handles.append(Line2D([], [], color=COLORS["muted"], linestyle=":", label="uv model, exact mean"))
    handles.append(Line2D([], [], color=COLORS["edge"], linestyle="--", label="c = 2"))
    return handles + [Patch(color=color, label=name) for label, (name, color) in PHASES.items() if label in drawn]
