"""The overview of a verification."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..verification.report import Report

_MARKERS = {"50 digits": "o", "bisection": "s", "measurement": "D"}
_FLOOR = 1e-17


def error_overview(report: Report) -> Figure:
    """Return one row per claim with the worst relative error of each check (logarithmic; exact ones at the left end)."""
    verdicts = list(report)[::-1]
    figure, axis = new_figure(height=1.2 + 0.17 * len(verdicts))
    labels = set()
    for row, verdict in enumerate(verdicts):
        for check in verdict.checks:
            if check.name not in _MARKERS or math.isnan(check.error):
                continue
            shown = min(max(check.error, _FLOOR), 1e1)
            color = COLORS["edge"] if check.passed else COLORS["sam"]
            label = None if check.name in labels else check.name
            labels.add(check.name)
            axis.plot(shown, row, _MARKERS[check.name], color=color, markersize=4, label=label)
        if not verdict.passed:
            axis.axhspan(row - 0.5, row + 0.5, color=COLORS["sam"], alpha=0.15)
    axis.set(xscale="log", xlim=(_FLOOR / 2, 20), ylim=(-0.7, len(verdicts) - 0.3))
    axis.set_yticks(range(len(verdicts)), [v.claim for v in verdicts], fontsize=6)
    axis.set_xlabel("worst relative error, prediction against measurement")
    if labels:
        axis.legend(loc="lower right", fontsize=7, frameon=False)
    return figure
