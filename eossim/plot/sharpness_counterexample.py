"""Batch sharpness above 2/eta without divergence, and below it with: both exact."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..engine.record import Record
from ..engine.sampling import sgd
from ..engine.simulate import simulate
from ..measure import batch_sharpness
from ..problems import QuadraticSum
from ..theory.mean_square import MeanSquare
from .risk_parts import Numbers
from .style import COLORS, new_figure

#: Runs along which batch sharpness is read, and how often.
_READ, _EVERY = 200, 5
#: Where the axis of an unstable problem ends; its median run goes on falling.
_LEAST = 1e-6
#: Runs whose sharpness is drawn beside the mean of all that are read.
_SHOWN = 12


def six_axes(epsilon: float = 0.2) -> QuadraticSum:
    """Return H_i = I - (1 - epsilon) u_i u_iᵀ on the six axes u_i of the icosahedron, all minimal at the origin."""
    golden = (1 + 5**0.5) / 2
    axes = np.array([(0, 1, s * golden) for s in (1, -1)])
    axes = np.concatenate([np.roll(axes, k, axis=1) for k in range(3)]) / np.sqrt(1 + golden**2)
    return QuadraticSum(np.eye(3) - (1 - epsilon) * axes[:, :, None] * axes[:, None, :])


def four_curvatures() -> QuadraticSum:
    """Return h = 1, 2, 3, 6 in one dimension, all minimal at the origin."""
    return QuadraticSum(np.array([1.0, 2.0, 3.0, 6.0])[:, None, None])


def sharpness_counterexample(
    *, etas: tuple[float, float] = (2.12, 0.52), runs: int = 200_000, seed: int = 0
) -> tuple[Figure, Numbers]:
    """Draw two runs of SGD with b = 1 whose batch sharpness says the opposite of what they do.

    Left: `six_axes` from (1, 1, 1)/√3, stable in mean square (ρ(Q) < 1) with η · batch sharpness above 2. Right:
    `four_curvatures` from 1, unstable with η · batch sharpness below 2. Top: E‖w‖² of theory and the mean of simulated
    runs, with two standard errors; on the right also their median, which falls: the mean is carried by ever fewer runs,
    and a sample of them soon misses it. Bottom: η times the batch sharpness at the iterates, mean of ratios.

    Args:
        etas: Step sizes of the two columns.
        runs: Simulated runs.
        seed: Of these.

    Returns:
        The figure, and its numbers: a row per column and step; what is not drawn there is nan.
    """
    problems = (six_axes(), four_curvatures())
    # Steps, and those up to which the mean of simulated runs means anything: rare large runs carry it.
    spans, seen_until = (120, 30), (80, 8)
    figure, axes = new_figure(2, 2, height=5.2, sharex="col", height_ratios=(1.25, 1))
    rows: list[tuple[float, ...]] = []
    for column, (problem, eta, span, until) in enumerate(zip(problems, etas, spans, seen_until, strict=True)):
        top, bottom = axes[:, column]
        theory = MeanSquare(problem, 1)
        start = np.full(problem.dim, problem.dim**-0.5)
        exact = _squares(theory, eta, start, span)
        at = list(range(0, span + 1, _EVERY if span > 50 else 1))
        paths = simulate(
            problem, sgd(eta=eta, batch_size=1), np.tile(start, (runs, 1)), span,
            record=Record(at=at, what=("w",)), seed=seed,
        ).w.transpose("step", "run", "coord").values  # fmt: skip
        squares = (paths**2).sum(axis=2)
        mean, error = squares.mean(axis=1), squares.std(axis=1, ddof=1) / np.sqrt(runs)
        kept = np.array(at) <= until
        gauge = eta * _sharpness(problem, paths[:, :_READ])
        top.plot(exact, color=COLORS["gd"])
        top.errorbar(
            np.array(at)[kept], mean[kept], np.minimum(2 * error, 0.99 * mean)[kept], fmt="o", markersize=3.5,
            color=COLORS["sam"], elinewidth=1,
        )  # fmt: skip
        top.plot(at, np.median(squares, axis=1), color=COLORS["other"], linestyle="--")
        top.set(yscale="log", ylabel="‖w‖²")
        radius, edge = theory.spectral_radius(eta), theory.critical_step
        word = "stable" if radius < 1 else "unstable"
        name = "six axes of the icosahedron" if problem.dim == 3 else "h = 1, 2, 3, 6 in one dimension"
        top.set_title(f"{name}\nη = {eta:g}, η* = {edge:.4g}, ρ(Q) = {radius:.4g}: {word}", fontsize=8.5)
        if radius > 1:
            top.set_ylim(_LEAST, 3 * exact[-1])
        bottom.plot(at, gauge[:, :_SHOWN], color=COLORS["usam"], alpha=0.25, linewidth=0.7)
        bottom.plot(at, gauge.mean(axis=1), color=COLORS["usam"], linewidth=2)
        bottom.axhline(2, color=COLORS["edge"], linestyle="--")
        low, high = min(2.0, gauge.min()), max(2.0, gauge.max())
        room = max(0.12 * (high - low), 0.005)
        bottom.set(xlabel="step", ylabel="η × batch sharpness", ylim=(low - room, high + room))
        mean[~kept] = error[~kept] = np.nan
        found = {t: (mean[k], error[k], float(np.median(squares[k])), gauge[k].mean()) for k, t in enumerate(at)}
        nothing = (np.nan,) * 4
        rows += [(column, eta, radius, t, exact[t], *found.get(t, nothing)) for t in range(span + 1)]
    handles = [
        Line2D([], [], color=COLORS["gd"], label="E‖w‖², exact"),
        Line2D([], [], color=COLORS["sam"], marker="o", markersize=3.5, linestyle="", label=f"mean of {runs:,} runs"),
        Line2D([], [], color=COLORS["other"], linestyle="--", label="median run"),
        Line2D([], [], color=COLORS["usam"], linewidth=2, label=f"mean of {min(_READ, runs)} runs (thin: single)"),
        Line2D([], [], color=COLORS["edge"], linestyle="--", label="η × sharpness = 2"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    names = ["unstable", "eta", "spectral_radius", "step", "mean_square", "simulated", "simulated_error"]
    names += ["median", "eta_batch_sharpness"]
    return figure, dict(zip(names, np.array(rows).T, strict=True))


def _squares(theory: MeanSquare, eta: float, start: np.ndarray, steps: int) -> np.ndarray:
    """Return E‖w‖² at steps 0, 1, ...; the minimizer is the origin."""
    path = theory.second_moment(eta, start, steps=steps)
    return path.variance.values + (path.w.values**2).sum(axis=1)


def _sharpness(problem: Any, paths: np.ndarray) -> np.ndarray:
    """Return the batch sharpness for b = 1 at points, shape (steps, runs); it does not change with the length of w."""
    points = paths / np.linalg.norm(paths, axis=2, keepdims=True)
    return np.array([[batch_sharpness(problem, w, 1).value for w in row] for row in points])
