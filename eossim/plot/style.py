"""The one style of the project: readable at column width, safe for colour-blind readers."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

#: Okabe and Ito's palette, by role.
COLORS = {
    "gd": "#000000",
    "sam": "#D55E00",
    "usam": "#0072B2",
    "edge": "#009E73",
    "momentum": "#CC79A7",
    "other": "#56B4E9",
    "muted": "#888888",
}

_STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "lines.linewidth": 1.4,
    "svg.hashsalt": "eossim",
    "svg.fonttype": "path",
}


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 6.8, height: float = 3.2, **kwargs: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes in the project's style, sizes in inches; nothing global changes."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes = figure.subplots(rows, columns, **kwargs)
    return figure, axes


def save(figure: Figure, stem: str | Path, numbers: Mapping[str, Sequence[float]]) -> list[Path]:
    """Write PNG, SVG and the numbers behind the figure (CSV) beside each other, and return the paths."""
    stem = Path(stem)
    paths = [stem.with_suffix(end) for end in (".png", ".svg", ".csv")]
    with mpl.rc_context(_STYLE):
        figure.savefig(paths[0], dpi=160, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Date": None})
    with paths[2].open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(numbers)
        writer.writerows(zip(*(map(repr, map(float, column)) for column in numbers.values()), strict=True))
    return paths
