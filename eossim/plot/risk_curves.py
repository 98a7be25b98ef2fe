"""Bias, variance and risk of several methods against the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .risk_parts import (
    CEILING,
    PARTS,
    Numbers,
    colors_of,
    drawn,
    least_text,
    marker,
    plain_ticks,
    positive,
    steps_axis,
    values_axis,
)
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr


def bias_variance(
    curves: Mapping[str, xr.Dataset],
    *,
    stops: Mapping[str, tuple[float, float]] | None = None,
    crossings: Iterable[float] = (),
    held_out: Mapping[str, Sequence[Any]] | None = None,
    title: str = "",
    units: str | None = None,
) -> tuple[Figure, Numbers]:
    """Draw bias², variance and risk of up to six methods against the step, side by side, the first two on one scale.

    Args:
        curves: By name, a Dataset of `risk_curve`, or one of `monte_carlo_risk`, whose standard errors become bands of
            two; one run each. The first word of a name ("gd", "usam", "sam", ...) sets the colour.
        stops: By name, step and risk of the optimum, marked on the risk; a step of inf, or one beyond the curves, is
            an arrow at the right end.
        crossings: Steps at which risks cross, vertical dotted lines.
        held_out: By name, steps, mean and standard error of the error on held-out samples, and, if there is a fourth,
            what theory expects of it; without that, theory is the risk plus the noise variance of the curve, where its
            metric is one of predictions. Drawn in a fourth panel.
        title: Above all panels.
        units: Of the risk; by the metric of the curves by default.

    Returns:
        The figure, and its numbers: a row for every step drawn, nan where a curve has none.
    """
    shown = {name: _one_run(name, curve) for name, curve in curves.items()}
    stops, held_out, crossings = dict(stops or {}), dict(held_out or {}), np.asarray([*crossings], float)
    for what, names in (("stops", stops), ("held_out", held_out)):
        if strange := [n for n in names if n not in shown]:
            raise ValueError(f"{what} must name the curves, got {strange[0]!r}, curves are {', '.join(shown)}")
    colors = colors_of(list(shown))
    if units is None:
        squared = any(c.attrs.get("metric") == "parameter" for c in shown.values())
        units = "squared norm" if squared else "squared units of y"
    if held_out:
        figure, axes = new_figure(2, 2, height=5.2, sharex=True)
    else:
        figure, axes = new_figure(1, 3, height=2.9, sharex=True)
    axes = list(axes.flat)
    for name, curve in shown.items():
        for axis, (part, _) in zip(axes, PARTS, strict=False):
            values = drawn(curve, part)
            axis.plot(curve.step, values, color=colors[name])
            if f"{part}_error" in curve:
                spread = 2 * curve[f"{part}_error"].values
                low, high = positive(values - spread), values + spread
                low = np.where(np.isfinite(low), low, values * 1e-6)
                axis.fill_between(curve.step, low, high, color=colors[name], alpha=0.2, linewidth=0)
    last = max(float(c.step.max()) for c in shown.values())
    drawn_crossings = crossings[crossings <= last]
    for axis, (_, word) in zip(axes, PARTS, strict=False):
        axis.set_ylabel(f"{word} ({units})", fontsize=8)
        axis.set_xlabel("step", fontsize=8)
        for at in drawn_crossings:
            axis.axvline(at, color=COLORS["muted"], linestyle=":", linewidth=1)
    for place, (name, (step, risk)) in enumerate(stops.items()):
        if not risk > 0:
            continue  # no place on a logarithmic axis
        inside = step <= last
        axes[2].plot(
            step if inside else last,
            risk,
            "o" if inside else ">",
            color=colors[name],
            markersize=max(4.5, 7.5 - place),  # one that lies under the next shows around it
            markeredgecolor="white",
            markeredgewidth=0.6,
            clip_on=False,
            zorder=5,
        )
    steps_axis(axes[0], [c.step.values for c in shown.values()])
    values_axis(axes[:2], shown.values())
    marked = positive(np.array([risk for _, risk in stops.values()]))
    risks = np.concatenate([*(positive(c.risk.values) for c in shown.values()), marked])
    if np.any(np.isfinite(risks)):
        low, high = np.nanmin(risks), min(np.nanmax(risks), CEILING * np.nanmin(risks))
        axes[2].set(yscale="log", ylim=(low / 1.15, high * 1.15))
        if high < 30 * low:
            plain_ticks(axes[2].yaxis)
    if held_out:
        _held_out_panel(axes[3], held_out, shown, colors)
    handles = [
        Line2D([], [], color=colors[n], label=f"{n}: {least_text(*stops[n])}" if n in stops else n) for n in shown
    ]
    if stops:
        handles.append(marker("o", "least risk"))
    if drawn_crossings.size:
        later = crossings.size - drawn_crossings.size
        label = "risks cross" + (f" ({later} more beyond)" if later else "")
        handles.append(Line2D([], [], color=COLORS["muted"], linestyle=":", label=label))
    if held_out:
        handles += [
            Line2D([], [], color=COLORS["muted"], linewidth=3.2, alpha=0.45, label="held out, ±2 standard errors"),
            Line2D([], [], color=COLORS["muted"], linestyle="--", label="expected by theory"),
        ]
    columns = min(len(handles), (3 if len(shown) < 5 else 2) if stops else 5)
    rows = -(-len(handles) // columns)
    figure.set_figheight(figure.get_figheight() + 0.17 * max(0, rows - 2))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=7.5, frameon=False)
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, _table(shown, stops, crossings, held_out)


def _one_run(name: str, curve: xr.Dataset) -> xr.Dataset:
    """Return a curve without its axis of runs."""
    if curve.sizes.get("run", 1) != 1:
        raise ValueError(f"{name} must be a single run, got {curve.sizes['run']} runs")
    return (curve.isel(run=0) if "run" in curve.dims else curve).sortby("step")


def _held_out_panel(
    axis: Any,
    held_out: Mapping[str, Sequence[Any]],
    curves: Mapping[str, xr.Dataset],
    colors: Mapping[str, str],
) -> None:
    for name, given in held_out.items():
        steps, mean, error = (np.asarray(v, float) for v in given[:3])
        axis.plot(steps, mean, color=colors[name], linewidth=3.2, alpha=0.45)  # what is expected lies on it
        axis.fill_between(steps, mean - 2 * error, mean + 2 * error, color=colors[name], alpha=0.12, linewidth=0)
        at, expected = _expected(given, curves[name])
        if expected is not None:
            axis.plot(at, expected, color=colors[name], linestyle="--", linewidth=1.1)
    axis.set_ylabel("held-out error (squared units of y)", fontsize=8)
    axis.set_xlabel("step", fontsize=8)
    means = np.concatenate([np.asarray(g[1], float) for g in held_out.values()])
    if means.min() > 0 and means.max() > 10 * means.min():
        axis.set_yscale("log")


def _expected(given: Sequence[Any], curve: xr.Dataset) -> tuple[np.ndarray, np.ndarray | None]:
    """Return what theory expects of the held-out error, and at which steps; None where the metric is another."""
    if len(given) > 3:
        return np.asarray(given[0]), np.asarray(given[3], float)
    if "noise_variance" not in curve.attrs or curve.attrs.get("metric", "prediction") == "parameter":
        return curve.step.values, None
    return curve.step.values, curve.risk.values + float(curve.attrs["noise_variance"])


def _table(
    curves: Mapping[str, xr.Dataset],
    stops: Mapping[str, tuple[float, float]],
    crossings: np.ndarray,
    held_out: Mapping[str, Sequence[Any]],
) -> Numbers:
    """Return columns over all steps at which anything is drawn."""
    columns: dict[str, tuple[Any, Any]] = {}
    for name, curve in curves.items():
        parts = [p + end for p, _ in PARTS for end in ("", "_error") if p + end in curve]
        columns |= {f"{name} {part}": (curve.step.values, curve[part].values) for part in parts}
        if name in stops:
            columns[f"{name} least risk"] = np.array([stops[name][0]]), np.array([stops[name][1]])
        if name in held_out:
            given = held_out[name]
            columns[f"{name} held out"], columns[f"{name} held out error"] = (given[0], given[1]), (given[0], given[2])
            at, expected = _expected(given, curve)
            if expected is not None:
                columns[f"{name} expected"] = at, expected
    if crossings.size:
        columns["crossing"] = crossings, np.ones(crossings.size)
    steps = np.unique(np.concatenate([np.asarray(at, float) for at, _ in columns.values()]))
    table: Numbers = {"step": steps}
    for name, (at, values) in columns.items():
        table[name] = np.full(steps.size, np.nan)
        table[name][np.searchsorted(steps, np.asarray(at, float))] = values
    return table
