"""The gradient-noise interaction along stationary runs: 2/eta for fresh batches, something else for reshuffled ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .._check import in_interval, positive_int
from ..engine.record import Record
from ..engine.sampling import sgd
from ..engine.simulate import simulate
from ..measure import gradient_moments
from ..theory.mean_square import MeanSquare, Reshuffled
from .risk_parts import Numbers, plain_ticks
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..problems import Regression
    from ..problems.finite_sum import QuadraticSum

_FACTORS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
#: Points of the exact curves.
_FINE = 60
#: Steps between the points that are read off a run: odd, and a prime, so that all places in an epoch are seen.
_STRIDE = 37
_LOOK: Mapping[str, tuple[str, str]] = {"without_replacement": ("usam", "o"), "reshuffle": ("sam", "s")}


def gni_fresh_and_reshuffled(
    problems: Mapping[str, tuple[Regression | QuadraticSum, int]],
    *,
    factors: Sequence[float] | np.ndarray = _FACTORS,
    points: int = 250,
    runs: int = 16,
    seed: int = 0,
) -> tuple[Figure, Numbers]:
    """Draw η GNI/2 of stationary SGD against η/η*, η* the critical step of fresh batches: a panel per problem.

    GNI is the ratio of sums of E_B[g_Bᵀ H g_B] and ‖g‖² over the points of a run, B a fresh batch at each. For fresh
    batches of training it is 2/η at every stable η; for reshuffled ones it is exact (`Reshuffled`) where b divides n
    and the orders of batches are few enough to go through, and simulated everywhere.

    Args:
        problems: By title, a problem on which samples disagree and the batch size.
        factors: η/η* of the simulated runs, between 0 and 1.
        points: Points read off each run; every one of them lies 37 steps after the one before.
        runs: Runs per step size, at least 2, each started at the minimizer and read over its second half; their spread
            is the error.
        seed: Of the runs of the first step size; those of the next have the next seed, and so on.

    Returns:
        The figure, and its numbers: a row per step size of a curve or a run, of ``panel``, ``reshuffled``,
        ``eta_over_critical``, ``eta``, ``eta_gni_half`` and ``error`` (nan on exact curves).

    Raises:
        ValueError: If a factor is not between 0 and 1, there is one run, or a problem has no noise.
    """
    steps = in_interval("factors", factors, 0, 1, open_low=True, open_high=True)
    positive_int("runs", runs, minimum=2)
    figure, axes = new_figure(1, len(problems), height=3.6, squeeze=False)
    rows: list[tuple[float, ...]] = []
    for panel, (axis, (title, (problem, b))) in enumerate(zip(axes.flat, problems.items(), strict=True)):
        theory = MeanSquare(problem, b)
        if theory.stationary(theory.critical_step * steps.min()).note:
            raise ValueError(f"{title}: iterates come to rest at the minimizer, where GNI is 0/0")
        fine = np.linspace(min(0.02, steps.min()), 0.99, _FINE)
        curves = {"without_replacement": [_exact(theory, x) for x in fine], "reshuffle": _reshuffled(theory, fine)}
        for sampling, (hue, shape) in _LOOK.items():
            shuffled = sampling == "reshuffle"
            curve = np.array(curves[sampling])
            if curve.size:
                axis.plot(fine, curve, color=COLORS[hue], linewidth=2.2, alpha=0.6)
                rows += [
                    (panel, shuffled, x, x * theory.critical_step, y, np.nan) for x, y in zip(fine, curve, strict=True)
                ]
            for number, x in enumerate(steps):
                eta = x * theory.critical_step
                value, error = _simulated(problem, b, eta, sampling, points, runs, seed + number)
                axis.errorbar(x, value, 2 * error, fmt=shape, color=COLORS[hue], markersize=4, elinewidth=1, zorder=5)
                rows.append((panel, shuffled, x, eta, value, error))
        axis.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1, zorder=4)
        values = np.array([row[4] for row in rows if row[0] == panel])
        low, high = min(0.8, 0.9 * np.nanmin(values)), max(1.2, 1.1 * np.nanmax(values))
        axis.set(xlabel="η/η*", xlim=(0, 1), yscale="log" if high > 5 else "linear", ylim=(low, high))
        if high > 5:
            plain_ticks(axis.yaxis)
        axis.set_title(title, fontsize=9)
    axes[0, 0].set_ylabel("η GNI/2")
    handles = [
        Line2D([], [], color=COLORS["edge"], linestyle="--", linewidth=1, label="GNI = 2/η"),
        *(
            Line2D([], [], color=COLORS[hue], marker=shape, markersize=4.5, label=f"{word} batches: exact, simulated")
            for word, (hue, shape) in zip(("fresh", "reshuffled"), _LOOK.values(), strict=True)
        ),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure, dict(
        zip(("panel", "reshuffled", "eta_over_critical", "eta", "eta_gni_half", "error"), np.array(rows).T, strict=True)
    )


def _exact(theory: MeanSquare, factor: float) -> float:
    eta = factor * theory.critical_step
    return eta * theory.stationary(eta).gradient_noise_interaction / 2


def _reshuffled(theory: MeanSquare, factors: np.ndarray) -> list[float]:
    """Return the exact values for reshuffled batches, none if there are too many orders to go through."""
    try:
        law = Reshuffled(theory.problem, theory.batch_size)
    except ValueError:
        return []
    etas = [eta for eta in factors * theory.critical_step if law.spectral_radius(eta) < 1]
    found = [eta * law.stationary(eta).gradient_noise_interaction / 2 for eta in etas]
    return found + [np.nan] * (len(factors) - len(found))


def _simulated(
    problem: Any, b: int, eta: float, sampling: str, points: int, runs: int, seed: int
) -> tuple[float, float]:
    """Return η GNI/2 from sums over the second halves of runs, and its standard error from their spread."""
    steps = 2 * points * _STRIDE
    at = np.arange(steps // 2 + _STRIDE, steps + 1, _STRIDE)
    method, record = sgd(eta=eta, batch_size=b, sampling=sampling), Record(at=at, what=("w",))
    w0 = np.tile(problem.minimizer, (runs, 1))
    w = simulate(problem, method, w0, steps, record=record, seed=seed).w.transpose("run", "step", "coord").values
    if not np.isfinite(w).all():
        return np.nan, np.nan
    sums = np.zeros((runs, 2))
    for run in range(runs):
        for point in w[run]:
            moments = gradient_moments(problem, point, b)
            sums[run] += moments.full_curvature, moments.full_grad_square
    ratio = sums[:, 0].sum() / sums[:, 1].sum()
    # The error of a ratio of sums: spread of what is left of its numerator, over its denominator.
    left = sums[:, 0] - ratio * sums[:, 1]
    error = np.sqrt(runs * left.var(ddof=1)) / sums[:, 1].sum()
    return float(eta * ratio / 2), float(eta * error / 2)
