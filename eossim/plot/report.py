"""The overview of a verification."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..verification.report import Report

_MARKERS = {"50 digits": "o", "bisection": "s", "measurement": "D"}
_FLOOR = 1e-17


def error_overview(report: Report) -> Figure:
    """Return one row per claim with the worst relative error of each check (logarithmic; exact ones at the left)."""
    verdicts = list(report)[::-1]
    figure, axis = new_figure(height=1.2 + 0.17 * len(verdicts))
    labels = set()
    for row, verdict in enumerate(verdicts):
        for check in verdict.checks:
            if check.name not in _MARKERS or math.isnan(check.error):
                continue
            shown = min(max(check.error, _FLOOR), 1e1)
            color = COLORS["edge"] if check.passed else COLORS["sam"]
            labels.add(check.name)
            axis.plot(shown, row, _MARKERS[check.name], color=color, markersize=4)
        if not verdict.passed:
            axis.axhspan(row - 0.5, row + 0.5, color=COLORS["sam"], alpha=0.15)
    axis.set(xscale="log", xlim=(_FLOOR / 2, 20), ylim=(-0.7, len(verdicts) - 0.3))
    axis.set_yticks(range(len(verdicts)), [v.claim for v in verdicts], fontsize=6)
    axis.set_xlabel("worst relative error, prediction against measurement")
    if labels:
        handles = [
            Line2D([], [], linestyle="", marker=_MARKERS[name], color=COLORS["muted"], label=name)
            for name in _MARKERS
            if name in labels
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), fontsize=7, frameon=False)
    return figure


def agreement(report: Report) -> Figure:
    """Return measured against predicted values, one point per claim that has both, on logarithmic axes."""
    figure, axis = new_figure(width=3.6, height=3.4)
    for passed, color, label in ((True, COLORS["edge"], "confirmed"), (False, COLORS["sam"], "failed")):
        shown = [v.shown for v in report if v.passed is passed and 0 < v.shown.predicted < math.inf]
        axis.plot(
            [c.predicted for c in shown],
            [c.measured for c in shown],
            "o",
            color=color,
            markersize=4,
            label=label,
            alpha=0.7,
        )
    axis.axline((1, 1), slope=1, color=COLORS["muted"], linewidth=0.8, zorder=0)
    axis.set(xscale="log", yscale="log", xlabel="predicted", ylabel="measured", aspect="equal")
    axis.legend(fontsize=7, frameon=False)
    return figure
