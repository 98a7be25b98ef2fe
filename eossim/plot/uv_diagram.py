"""Phases of the solvable model: against the parameter s of a start, and against 1/width for random starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..early_training.classify import LABELS
from ..early_training.uv import UVStarts
from ..early_training.uv_cell import uv_cell
from ..early_training.uv_means import uv_means
from ..theory import uv
from .phases import CONSTANTS, PHASES, c_axis, cell_edges, width_axis
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr

#: Range of c that is drawn, points of the left panel along s and along c, and the steps of its runs.
_RANGE = (1.5, 7.0)
_S, _C, _STEPS = 160, 200, 1000


def uv_phase_diagram(found: xr.Dataset) -> tuple[Figure, Numbers]:
    """Draw phases of the uv model: simulated ones as colours, exact boundaries of y = 0 as lines.

    Left, runs of 1000 steps from starts with given s = kappa f^2/lambda^2: the boundaries are functions of s alone.
    Right, what `eossim.phase_diagram` found over Gaussian starts: colours are mixed by how many starts are in a phase,
    points are the means of `uv_means`, over starts with s < 1/8, and lines their exact values. With a target or other
    starts there is the right panel alone, without lines, and means are over the starts that reach a constant.

    Returns:
        The figure, and its numbers: a row for each width.
    """
    exact = "uv_c_loss" in found
    figure, axes = new_figure(1, 1 + exact, height=3.9, sharey=True, squeeze=False)
    low = min(_RANGE[0], float(found.c.max()) / 1.5) if exact else 1.0
    phases = {*np.unique(found.label.values)} | (_against_s(axes[0, 0], low) if exact else set())
    numbers = _against_width(axes[0, -1], found)
    for axis in axes[0]:
        axis.axhline(2, color=COLORS["edge"], linestyle="--", linewidth=1.1)
        axis.grid(False)
        c_axis(axis, low, _RANGE[1])
        axis.set_yticks([*([1] if low <= 1 else []), 1.5, 2, 2.5, 3, 4, 5, 6])
    axes[0, 0].set_ylabel("c = η λ$_{max}$ at the start")
    areas = [Patch(color=color, label=name) for label, (name, color) in PHASES.items() if label in phases]
    what = ", exact and simulated" if exact else ""
    lines = [
        Line2D([], [], color=color, marker=marker, markersize=4, linestyle="-" if exact else "", label=f"{name}{what}")
        for name, color, marker in CONSTANTS.values()
    ]
    figure.legend(handles=[*areas, *lines], loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure, numbers


def _against_s(axis: Any, low: float) -> set[str]:
    """Colour runs by their phase, over s and c, draw the exact boundaries, and return the phases."""
    s, c = np.linspace(0.25 / _S, 0.25, _S), np.geomspace(low, _RANGE[1], _C)
    starts = UVStarts(1 + 2 * np.sqrt(s), 1 - 2 * np.sqrt(s), kappa=1.0)
    found = uv_cell(starts, c, steps=_STEPS, refine=False, barrier=False)
    _colour(axis, np.concatenate([s - s[0] / 2, [s[-1] + s[0] / 2]]), found.label.expand_dims("start"))
    one_step = uv.ONE_STEP * (1 - np.linspace(1, 1e-3, 200) ** 2)
    axis.plot(one_step, uv.c_loss(one_step), color=CONSTANTS["c_loss"][1])
    axis.plot(one_step, uv.c_sharp(one_step), color=CONSTANTS["c_sharp"][1])
    line = np.linspace(0, 0.25, 100)
    axis.plot(line, uv.c_max(line), color=CONSTANTS["c_max"][1])
    axis.set(xlabel="s = κ f²/λ² at the start", xlim=(0, 0.25))
    axis.set_title("any start", fontsize=9)
    return {*np.unique(found.label.values)}


def _against_width(axis: Any, found: xr.Dataset) -> Numbers:
    """Colour by the share of starts in each phase, over 1/width and c, with mean constants and exact ones."""
    widths = found.width.values
    edges = cell_edges(1 / widths)
    _colour(axis, edges, found.label.transpose("seed", "width", "c"))
    numbers: Numbers = {"width": widths.astype(float)}
    exact = "uv_c_loss" in found
    if exact:
        numbers["starts"], means = uv_means(found)
    for name, (_, color, marker) in CONSTANTS.items():
        if exact:
            numbers[name], _, numbers[f"{name}_exact"] = means[name]
            line = np.repeat(numbers[f"{name}_exact"], 2) if widths.size == 1 else numbers[f"{name}_exact"]
            axis.plot(edges if widths.size == 1 else 1 / widths, line, color=color)
        else:
            numbers[name] = found[name].mean(dim="seed").values
        look = {"markersize": 4.5, "linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.6}
        axis.plot(1 / widths, numbers[name], color=color, marker=marker, **look)
    width_axis(axis, widths)
    axis.set_title("Gaussian starts, means over s < 1/8" if exact else f"y = {found.attrs['y']:g}", fontsize=9)
    return numbers


def _colour(axis: Any, edges: np.ndarray, label: xr.DataArray) -> None:
    """Colour the plane of x, given by edges, and c by labels (start, x, c), mixed by the share of starts."""
    names = np.where(label == "", "diverge", label)  # beyond the first divergence of a start
    mixed = sum((names == name).mean(axis=0)[..., None] * np.array(to_rgb(PHASES[name][1])) for name in LABELS)
    axis.pcolormesh(edges, cell_edges(label.c.values), mixed.swapaxes(0, 1), rasterized=True)
