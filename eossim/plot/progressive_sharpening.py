"""Directional smoothness and generalised sharpness against 2/eta on a loss that sharpens as it is minimised."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import steepest_descent
from ..measure import generalized_sharpness
from ..norms import L2, Norm
from .risk_parts import Numbers
from .style import COLORS, new_figure

#: Steps that D is averaged over: even, for it alternates at the edge.
_WINDOW = 50


def progressive_sharpening(
    problem: Any, runs: Mapping[str, tuple[Norm, float]], start: Any, steps: int, *, every: int = 5
) -> tuple[Figure, Numbers]:
    """Draw D, S and λ_max over 2/eta along steepest descent in several norms, from one start.

    Args:
        problem: A loss with ``hvp``, such as ``MatrixFactorization``.
        runs: By title: norm and step size.
        start: Start, shape (dim,).
        steps: Steps of every run.
        every: Steps between two measurements of S and λ_max, odd.

    Returns:
        The figure, and its numbers: a row per step, nan where S was not measured.
    """
    figure, axes = new_figure(2, len(runs), height=4.4, sharex=True, squeeze=False, height_ratios=(1, 2.2))
    numbers: Numbers = {"step": np.arange(steps + 1)}
    for (top, below), (title, (norm, eta)) in zip(axes.T, runs.items(), strict=True):
        record = Record(every=1, what=("loss", "directional_smoothness", "w"))
        run = simulate(problem, steepest_descent(norm, eta), start, steps, record=record)
        edge = 2 / eta
        D, loss, w = run.directional_smoothness.values[0], run.loss.values[0], run.w.values[0]
        measured = np.arange(0, steps + 1, every)
        S, euclidean = np.full(steps + 1, np.nan), np.full(steps + 1, np.nan)
        last = None
        for t in measured:
            found = generalized_sharpness(problem, norm, w[t], starts=last, bound=False, method="estimate")
            S[t], last = found.value, found.witness
            euclidean[t] = generalized_sharpness(problem, L2(), w[t], bound=False).value
        top.semilogy(loss, color=COLORS["gd"])
        top.set_title(title, fontsize=9)
        below.plot(D / edge, color=COLORS["other"], linewidth=0.3, alpha=0.4)
        below.plot(_running_mean(D) / edge, color=COLORS["usam"], label=f"D, mean of {_WINDOW} steps")
        below.plot(measured, S[measured] / edge, color=COLORS["sam"], label="S: sharpness in the norm")
        if not isinstance(norm, L2):
            below.plot(measured, euclidean[measured] / edge, color=COLORS["muted"], linestyle=":", label="λ$_{max}$")
        below.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1, label="edge 2/η")
        below.set(xlabel="step", ylim=(0, 1.6))
        for name, values in (("loss", loss), ("D", D), ("S", S), ("lambda_max", euclidean)):
            numbers[f"{title} {name}"] = values
        numbers[f"{title} 2/eta"] = np.full(steps + 1, edge)
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("curvature / (2/η)")
    handles, labels = axes[1, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure, numbers


def _running_mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last `_WINDOW` values, nan before."""
    total = np.cumsum(np.concatenate([np.zeros(_WINDOW), values]))
    mean = (total[_WINDOW:] - total[:-_WINDOW]) / _WINDOW
    mean[: _WINDOW - 1] = np.nan
    return mean
