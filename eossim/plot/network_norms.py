"""Descent in norms on a network: S, D and λ_max over the edge, and quadratic models before and at the edge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..experiments import Result

#: Columns beside each other.
_COLUMNS = 4
#: What is drawn over the edge, with its label and look.
_CURVES: dict[str, tuple[str, dict[str, Any]]] = {
    "directional_smoothness": ("D: directional smoothness", {"color": COLORS["other"], "linewidth": 1}),
    "S": ("S: sharpness in the norm", {"color": COLORS["sam"]}),
    "lambda_max": ("λ$_{max}$", {"color": COLORS["muted"], "linestyle": ":"}),
}
#: Loss of a model over that of the network at which its curve ends.
_HIGHEST = 1e3


def network_norms(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.norm_edges`: for each run the loss, and below it D, S and λ_max over the edge.

    What alternates is averaged over pairs of neighbouring steps.

    Returns:
        The figure, and its numbers: a row per pair, NaN where a run has ended.
    """
    rows = -(-len(result.runs) // _COLUMNS)
    columns = min(len(result.runs), _COLUMNS)
    figure, axes = new_figure(
        2 * rows, columns, height=2.9 * rows, squeeze=False, height_ratios=[1, 1.8] * rows, sharey=False
    )
    numbers: Numbers = {}
    for k, (name, run) in enumerate(result.runs.items()):
        top, below = axes[2 * (k // _COLUMNS) : 2 * (k // _COLUMNS) + 2, k % _COLUMNS]
        step, edge = _pairs(run.step.values), _pairs(run.edge.values)
        top.semilogy(step, _pairs(run.loss.values), color=COLORS["gd"], linewidth=1)
        title, _, eta = name.rpartition(" ")
        top.set_title(f"{title.replace('normalised', 'norm.')}, η={eta}", fontsize=7.5)
        top.tick_params(labelbottom=False)
        numbers |= {f"{name}: step": step, f"{name}: edge": edge, f"{name}: loss": _pairs(run.loss.values)}
        highest = 1.35
        for quantity, (label, look) in _CURVES.items():
            ratio = _pairs(run[quantity].values) / edge
            below.plot(step, ratio, label=label if not k else None, **look)
            numbers[f"{name}: {quantity} over edge"] = ratio
            highest = max(highest, 1.08 * float(np.nanmax(ratio[len(ratio) // 4 :])))
        below.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1, label=None if k else "its edge")
        below.set(xlabel="step", ylim=(0, highest))
        for axis in (top, below):
            axis.tick_params(labelsize=7.5)
    for row in range(rows):
        axes[2 * row, 0].set_ylabel("loss", fontsize=8.5)
        axes[2 * row + 1, 0].set_ylabel("curvature / edge", fontsize=8.5)
    for axis in axes.ravel()[len(result.runs) % _COLUMNS or _COLUMNS :]:
        if not axis.has_data():
            axis.set_axis_off()
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure, _padded(numbers)


def network_models(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.taylor_swap`: the loss of Gauss-Newton models from points before and at the edge.

    One panel for each method: blue where S of the model is below its edge, red above. The loss is that over the loss
    at the point, against steps from there; curves end where it is 1000.

    Returns:
        The figure, and its numbers: a row per step.
    """
    methods = list(dict.fromkeys(result.column("run")))
    figure, axes = new_figure(1, len(methods), height=2.9, sharey=True, squeeze=False)
    numbers: Numbers = {}
    for axis, method in zip(axes[0], methods, strict=True):
        mine = [row for row in result.rows if row["run"] == method]
        for row in mine:
            curves = result.runs[f"{method} from {row['step']}"]
            stable = row["S_model"] < 1
            losses = curves.model.values / row["loss"]
            shown = np.where(np.fmax.accumulate(losses) <= _HIGHEST, losses, np.nan)
            numbers[f"{method} from {row['step']}, S = {row['S_model']:.3f} edges"] = losses
            axis.semilogy(
                curves.step, shown, color=COLORS["usam" if stable else "sam"], linewidth=1, alpha=0.85,
                label=f"{row['step']}: {row['S_model']:.3f}",
            )  # fmt: skip
        axis.axhline(1, color=COLORS["muted"], linewidth=0.8, linestyle=":")
        axis.set(xlabel="steps on the model", ylim=(0.3, _HIGHEST), xlim=(0, 1.55 * int(curves.step[-1])))
        axis.set_title(method, fontsize=9)
        axis.legend(
            fontsize=7, frameon=False, loc="upper right", title="from step: S/edge", title_fontsize=7,
            handlelength=1.2, labelspacing=0.25,
        )  # fmt: skip
    axes[0, 0].set_ylabel("loss of the model / at its start", fontsize=8.5)
    return figure, numbers


def _pairs(values: np.ndarray) -> np.ndarray:
    """Return the means of neighbours, every second one, shape (k // 2,)."""
    whole = values[: len(values) // 2 * 2].reshape(-1, 2)
    return whole.mean(axis=1)


def _padded(numbers: Numbers) -> Numbers:
    """Return columns of one length, NaN after the end of shorter ones."""
    longest = max(map(len, numbers.values()))
    return {name: np.append(column, np.full(longest - len(column), np.nan)) for name, column in numbers.items()}
