"""Sharpness after the early transient against c: its plateau, and the knee where the catapult begins to lower it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..early_training.saturation import saturation_knee
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr


def saturation(panels: Mapping[str, Mapping[str, xr.DataArray]]) -> tuple[Figure, Numbers]:
    """Draw R = sharpness after K/c steps over that at the start against c, with its knee c_crit.

    Curves without a plateau have no knee and are dashed. Dotted is R = 2/c, where the sharpness is 2/eta: a run that
    has come to rest lies below it.

    Args:
        panels: For each panel by its title, R(c) by the name of the curve, with coordinate `c`.

    Returns:
        The figure, and its numbers: a row for each c of a curve, which is numbered as in `panels`.
    """
    figure, axes = new_figure(1, len(panels), height=4.3, sharey=True, squeeze=False)
    numbers: dict[str, list[np.ndarray]] = {"panel": [], "curve": [], "c": [], "ratio": [], "c_crit": []}
    for place, (axis, (title, curves)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        ends = [float(curve.c[-1]) for curve in curves.values()]
        line = np.linspace(1.9, max(ends), 100)
        axis.plot(line, 2 / line, color=COLORS["edge"], linestyle=":", linewidth=1.3)
        handles = []
        for k, (name, curve) in enumerate(curves.items()):
            c, ratio = curve.c.values.astype(float), curve.values.astype(float)
            knee = saturation_knee(c, ratio)
            color = colormaps["viridis"](0.9 * k / max(len(curves) - 1, 1))
            axis.plot(c, ratio, color=color, linewidth=1.3, linestyle="--" if knee.c_crit is None else "-")
            if knee.c_crit is not None:
                at = (knee.c_crit, np.interp(knee.c_crit, c, ratio))
                axis.plot(*at, color=color, marker="o", markersize=6, markeredgecolor="white")
            said = knee.reason if knee.c_crit is None else f"c$_{{crit}}$ = {knee.c_crit:.2f}"
            handles.append(
                Line2D([], [], color=color, linestyle="--" if knee.c_crit is None else "-", label=f"{name}: {said}")
            )
            crit = np.nan if knee.c_crit is None else knee.c_crit
            for key, column in zip(numbers, (place, k, c, ratio, crit), strict=True):
                numbers[key].append(np.broadcast_to(np.asarray(column, float), c.shape))
        axis.axvline(2, color=COLORS["muted"], linewidth=1, linestyle="--")
        axis.set(xlabel="c = η λ$_{max}$ at the start", xlim=(0, max(ends)), ylim=(0, 1.08))
        axis.set_title(title, fontsize=9)
        handles.append(Line2D([], [], color=COLORS["edge"], linestyle=":", label="2/η"))
        axis.legend(
            handles=handles, fontsize=7.5, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=1
        )
    axes[0, 0].set_ylabel("λ$_{max}$ after K/c steps / at the start")
    return figure, {key: np.concatenate(parts) for key, parts in numbers.items()}
