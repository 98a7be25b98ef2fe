"""SAM, USAM and GD on one small network: loss, sharpness beside the edge, and their ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..theory.queries import edge
from .risk_parts import Numbers, plain_ticks
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..experiments import Result

#: Colours by rule and rho.
_LOOK = {
    ("GD", None): "gd",
    ("SAM", 0.02): "sam",
    ("SAM", 0.1): "momentum",
    ("USAM", 0.1): "usam",
    ("USAM", 0.5): "other",
}


def network_sam(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.sam_table`: a column for each eta; loss, sharpness with its edge (broad) and 2/eta, the ratio.

    Returns:
        The figure, and its numbers: a row per measured step.
    """
    etas = sorted({float(run.eta) for run in result.runs.values()})
    figure, axes = new_figure(
        3, len(etas), height=5.6, sharex=True, sharey="row", squeeze=False, height_ratios=(1, 1.6, 1.1)
    )
    numbers: Numbers = {"step": next(iter(result.runs.values())).step.values}
    for name, run in result.runs.items():
        top, middle, below = axes[:, etas.index(float(run.eta))]
        color = COLORS[_LOOK[name.split()[0], float(run.rho) if "rho" in run.coords else None]]
        thousands = run.step / 1000
        ratio = run.sharpness / run.edge
        top.plot(thousands, run.loss, color=color, linewidth=0.8)
        middle.plot(thousands, run.sharpness, color=color, linewidth=1)
        if "rho" in run.coords:
            middle.plot(thousands, run.edge, color=color, linewidth=4, alpha=0.3, zorder=1)
        below.plot(thousands, ratio, color=color, linewidth=0.8)
        for quantity in ("loss", "sharpness", "edge"):
            numbers[f"{name}: {quantity}"] = run[quantity].values
    for eta, (top, middle, below) in zip(etas, axes.T, strict=True):
        top.set_title(f"η = {eta:g}", fontsize=9)
        top.set_yscale("log")
        middle.set_yscale("log")
        middle.axhline(edge("gd", eta=eta), color=COLORS["edge"], linestyle=":", linewidth=1.4)
        below.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1)
        below.set(xlabel="thousand steps", ylim=(0.4, 1.15))
    plain_ticks(axes[1, 0].yaxis)
    for axis, label in zip(axes[:, 0], ("loss", "sharpness (broad: its edge)", "sharpness / edge"), strict=True):
        axis.set_ylabel(label, fontsize=8.5)
    handles = [
        Line2D([], [], color=COLORS[color], label=rule if rho is None else f"{rule} ρ = {rho:g}")
        for (rule, rho), color in _LOOK.items()
    ]
    handles.append(Line2D([], [], color=COLORS["edge"], linestyle=":", label="2/η"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=7.5, frameon=False)
    return figure, numbers
