"""Phases of the solvable model: against the parameter s of a start, and against 1/width for Gaussian starts."""

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
from ..theory import uv
from .phases import CONSTANTS, PHASES, c_axis, width_axis
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr

#: Range of c that is drawn, points of the left panel along s and along c, and the steps of its runs.
_RANGE = (1.5, 7.0)
_S, _C, _STEPS = 160, 200, 1000
_SHOWN = ("monotone", "sharpness-reduction", "catapult-loss", "catapult-both", "diverge")


def uv_phase_diagram(found: xr.Dataset) -> tuple[Figure, Numbers]:
    """Draw phases of the uv model y = 0: simulated ones as colours, exact boundaries as lines.

    Left, runs of 1000 steps from starts with given s = kappa f^2/lambda^2: the boundaries are functions of s alone.
    Right, what `eossim.phase_diagram` found over Gaussian starts: colours are mixed by how many starts are in a phase,
    points are mean constants, and lines their exact means.

    Returns:
        The figure, and its numbers: a row for each width.

    Raises:
        ValueError: If starts were not Gaussian or had a target.
    """
    if "uv_c_loss" not in found:
        raise ValueError("the figure is of Gaussian starts with y = 0")
    figure, (left, right) = new_figure(1, 2, height=3.9, sharey=True)
    _against_s(left)
    numbers = _against_width(right, found)
    for axis in (left, right):
        axis.axhline(2, color=COLORS["edge"], linestyle="--", linewidth=1.1)
        axis.grid(False)
        c_axis(axis, *_RANGE)
        axis.set_yticks([1.5, 2, 2.5, 3, 4, 5, 6])
    left.set_ylabel("c = η λ$_{max}$ at the start")
    areas = [Patch(color=PHASES[label][1], label=PHASES[label][0]) for label in _SHOWN]
    lines = [Line2D([], [], color=color, marker=marker, markersize=4, label=f"{name}, exact and simulated")
             for name, color, marker in CONSTANTS.values()]  # fmt: skip
    figure.legend(handles=[*areas, *lines], loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure, numbers


def _against_s(axis: Any) -> None:
    """Colour runs by their phase, over s and c, and draw the exact boundaries."""
    s, c = np.linspace(0.25 / _S, 0.25, _S), np.geomspace(*_RANGE, _C)
    starts = UVStarts(1 + 2 * np.sqrt(s), 1 - 2 * np.sqrt(s), kappa=1.0)
    _colour(axis, s, uv_cell(starts, c, steps=_STEPS, refine=False, barrier=False).label.expand_dims("start"))
    one_step = 0.125 * (1 - np.linspace(1, 1e-3, 200) ** 2)  # beyond, loss and sharpness first rise at later steps
    axis.plot(one_step, uv.c_loss(one_step), color=CONSTANTS["c_loss"][1])
    axis.plot(one_step, uv.c_sharp(one_step), color=CONSTANTS["c_sharp"][1])
    line = np.linspace(0, 0.25, 100)
    axis.plot(line, uv.c_max(line), color=CONSTANTS["c_max"][1])
    axis.set(xlabel="s = κ f²/λ² at the start", xlim=(0, 0.25))
    axis.set_title("any start", fontsize=9)


def _against_width(axis: Any, found: xr.Dataset) -> Numbers:
    """Colour by the share of starts in each phase, over 1/width and c, with mean constants and their exact means."""
    widths = found.width.values
    _colour(axis, 1 / widths, found.label.transpose("seed", "width", "c"))
    numbers: Numbers = {"width": widths.astype(float)}
    for name, (_, color, marker) in CONSTANTS.items():
        numbers[name], numbers[f"{name}_exact"] = found[name].mean(dim="seed").values, found[f"uv_{name}"].values
        axis.plot(1 / widths, numbers[f"{name}_exact"], color=color)
        look = {"markersize": 4.5, "linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.6}
        axis.plot(1 / widths, numbers[name], color=color, marker=marker, **look)
    width_axis(axis, widths)
    axis.set_title("Gaussian starts, mean over them", fontsize=9)
    return numbers


def _colour(axis: Any, x: np.ndarray, label: xr.DataArray) -> None:
    """Colour the plane of x and c by labels (start, x, c), colours mixed by the share of starts."""
    names = np.where(label == "", "diverge", label)  # beyond the first divergence of a start
    mixed = sum((names == name).mean(axis=0)[..., None] * np.array(to_rgb(PHASES[name][1])) for name in LABELS)
    axis.pcolormesh(x, label.c, mixed.swapaxes(0, 1), shading="nearest", rasterized=True)
