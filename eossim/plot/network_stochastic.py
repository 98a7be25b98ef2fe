"""SGD on a network: notions of curvature against 2/eta, changes of the step, and controls of the noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..experiments import Result

#: Columns of the table that are drawn against b.
_NOTIONS = {
    "BS": ("batch sharpness", {"color": COLORS["sam"], "marker": "o"}),
    "RM": ("ratio of means", {"color": COLORS["momentum"], "marker": "s"}),
    "GNI": ("GNI", {"color": COLORS["other"], "marker": "v"}),
    "batch_lambda": ("E λ$_{max}$(H$_B$)", {"color": COLORS["muted"], "marker": "^"}),
    "lambda_max": ("λ$_{max}$(H)", {"color": COLORS["usam"], "marker": "D"}),
}
#: Colours of changes of the step.
_CHANGES = {
    "control": "gd",
    "η → 0.1": "sam",
    "b → 4": "momentum",
    "b → 2": "edge",
    "η → 0.025": "other",
    "b → 32": "usam",
}
_NOISES = ("gd", "muted", "usam", "sam", "momentum")


def network_stochastic(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.stochastic_edge`: loss, batch sharpness and λ_max of the first seed's runs, and all by b.

    Returns:
        The figure, and its numbers: a row per measured point.
    """
    figure, axes = new_figure(2, 2, height=5.4)
    seed = result.rows[0]["seed"]
    sizes = [row["b"] for row in result.rows if row["seed"] == seed]
    numbers: Numbers = {}
    panels = {"loss": axes[0, 0], "batch_sharpness": axes[0, 1], "sharpness": axes[1, 0]}
    for k, b in enumerate(sizes):
        run = result.runs[f"b = {b}, seed {seed}"]
        target = result.row(b=b, seed=seed)["2/eta"]
        color = colormaps["viridis"](0.92 * (1 - k / max(len(sizes) - 1, 1)))
        numbers[f"b = {b}: step"] = run.step.values.astype(float)
        for name, axis in panels.items():
            values = run[name].values / (1 if name == "loss" else target)
            numbers[f"b = {b}: {name}"] = run[name].values
            there = np.isfinite(values)  # eigenvalues are measured at some of the points
            label = f"{b}" if name == "loss" else None
            axis.plot(run.step.values[there] / 1000, values[there], color=color, linewidth=1.1, label=label)
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_ylabel("loss")
    axes[0, 0].legend(title="b", title_fontsize=7.5, fontsize=7, frameon=False, ncols=2, loc="lower left")
    axes[0, 1].set_ylabel("batch sharpness / (2/η)")
    axes[1, 0].set_ylabel("λ$_{max}$(H) / (2/η)")
    for axis in panels.values():
        axis.set_xlabel("thousand steps")
    last = axes[1, 1]
    for name, (label, look) in _NOTIONS.items():
        table = [[row[name] for row in result.rows if row["b"] == b] for b in sizes]
        if any(value is None for values in table for value in values):
            continue
        means = [np.mean(values) for values in table]
        last.plot(sizes, means, label=label, markersize=3.5, linewidth=1, **look)
        for b, values in zip(sizes, table, strict=True):
            last.plot([b, b], [min(values), max(values)], color=look["color"], linewidth=2.5, alpha=0.4)
    last.set_xscale("log", base=2)
    last.set(xlabel="batch size b", xticks=sizes, xticklabels=map(str, sizes), ylim=(0, None))
    last.set_ylabel("last 40 % / (2/η)")
    last.legend(fontsize=7, frameon=False, loc="lower right")
    for axis in (axes[0, 1], axes[1, 0], last):
        axis.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1)
    return figure, numbers


def network_catapult(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.catapult`: the loss over that at the change, after changes early and late.

    Returns:
        The figure, and its numbers: a row per look at the loss in the first 500 steps.
    """
    steps = sorted(set(result.column("step")))
    figure, axes = new_figure(1, len(steps), height=2.9, sharey=True, squeeze=False)
    numbers: Numbers = {}
    for axis, at, word in zip(axes[0], steps, ("early", "late"), strict=True):
        for row in (row for row in result.rows if row["step"] == at):
            branch = result.runs[f"{row['change']} at {at}"]
            branch = branch.sel(step=slice(None, at + 500))
            numbers[f"{row['change']} at {at}: loss"] = branch.loss.values
            ratio = branch.loss.values / branch.loss.values[0]
            color = COLORS[_CHANGES[row["change"]]]
            axis.semilogy(branch.step - at, ratio, color=color, label=row["change"], linewidth=1.1)
        axis.set_title(f"{word}: batch sharpness {result.row(step=at)['BS_before']:.2f} · 2/η", fontsize=9)
        axis.set(xlabel=f"steps after the change at step {at}", ylim=(0.2, 100))
    axes[0, 0].set_ylabel("loss / loss at the change")
    axes[0, 0].legend(fontsize=7.5, frameon=False, loc="upper right", ncols=2)
    return figure, numbers


def network_noise(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.noise_controls`: λ_max and batch sharpness over 2/eta for every kind of noise.

    Returns:
        The figure, and its numbers: a row per measured step.
    """
    figure, axes = new_figure(1, 2, height=2.9, sharey=True)
    numbers: Numbers = {"step": next(iter(result.runs.values())).step.values.astype(float)}
    panels = {"sharpness": "λ$_{max}$(H) / (2/η)", "batch_sharpness": "batch sharpness / (2/η)"}
    for axis, (quantity, title) in zip(axes, panels.items(), strict=True):
        for (name, run), color in zip(result.runs.items(), _NOISES, strict=False):
            values = run[quantity].values / result.row(noise=name)["2/eta"]
            numbers[f"{name}: {quantity} over edge"] = values
            axis.plot(run.step / 1000, values, color=COLORS[color], label=name, linewidth=1.1)
        axis.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1)
        axis.set_xlabel("thousand steps")
        axis.set_title(title, fontsize=9)
    axes[0].set_ylim(0, None)
    axes[0].legend(fontsize=7.5, frameon=False, loc="upper left")
    return figure, numbers
