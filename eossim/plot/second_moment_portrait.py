"""Phase portrait of the second moment of SGD below and above the critical step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .._check import finite_array
from ..engine.record import Record
from ..engine.sampling import sgd
from ..engine.simulate import simulate
from ..problems import LeastSquares
from ..theory.mean_square import MeanSquare
from .risk_parts import Numbers, marker
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..problems import Regression
    from ..problems.finite_sum import QuadraticSum

_HUES = ("gd", "sam", "usam", "edge", "momentum", "other")
_STARTS = ((4.0, 0.3), (0.3, 4.0), (3.0, 3.0), (0.3, 0.3), (1.3, -0.3), (-0.3, 1.3))
#: Steps at which simulated runs are looked at; later ones above the edge are ruled by runs too rare to be drawn.
_LOOKS = (1, 2, 3, 4, 6, 8, 12, 16, 24)


def four_points() -> LeastSquares:
    """Return least squares on the rows (1,0), (0,1), (1,1), (1,-1) with targets 1, 2, 0, 1: H = ¾ I, noisy."""
    return LeastSquares([[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1])


def second_moment_portrait(
    problem: Regression | QuadraticSum | None = None,
    *,
    batch_size: int = 1,
    factors: tuple[float, float] = (0.5, 1.05),
    starts: Sequence[Sequence[float]] | np.ndarray = _STARTS,
    steps: tuple[int, int] = (25, 25),
    looks: tuple[Sequence[int], Sequence[int]] = (_LOOKS, _LOOKS[:6]),
    runs: int = 40_000,
    seed: int = 0,
) -> tuple[Figure, Numbers]:
    """Draw paths of the exact second moment S = E[(w - w*)(w - w*)ᵀ] in two dimensions, below and above η*.

    Top: (S₁₁, S₂₂) from several starts. Below η* all end in the stationary law; above they grow along one direction.
    Bottom: the excess loss E L - L* = ½ tr(H S) against the step, which in the end grows by ρ(Q) a step.

    Args:
        problem: In two dimensions; `four_points` by default.
        batch_size: b.
        factors: η/η* of the two columns: one below 1, one above.
        starts: w - w* of the starts, shape (starts, 2), up to six, no coordinate 0.
        steps: Steps of the exact paths, below and above.
        looks: Steps at which simulated runs are shown, below and above; none leaves out the simulation.
        runs: Simulated runs per start.
        seed: Of these.

    Returns:
        The figure, and its numbers: a row per start and step, with the simulated moments where there are any.

    Raises:
        ValueError: If the problem is not of two dimensions, or values do not fit.
    """
    given = four_points() if problem is None else problem
    begins = finite_array("starts", starts, ndim=2, dtype=np.float64)
    if given.dim != 2 or begins.shape[1:] != (2,) or not 0 < len(begins) <= len(_HUES):
        raise ValueError(f"needs dim 2 and up to {len(_HUES)} starts of two numbers, got {given.dim}, {begins.shape}")
    if not 0 < factors[0] < 1 < factors[1]:
        raise ValueError(f"factors must lie below and above 1, got {factors}")
    theory = MeanSquare(given, batch_size)
    figure, axes = new_figure(2, 2, height=5.9, height_ratios=(1.35, 1))
    rows: list[tuple[float, ...]] = []
    for column, factor in enumerate(factors):
        eta = factor * theory.critical_step
        radius = theory.spectral_radius(eta)
        top, bottom = axes[:, column]
        for number, (start, hue) in enumerate(zip(begins, _HUES, strict=False)):
            exact = _exact(theory, eta, start, steps[column])
            seen = _simulated(theory, eta, start, looks[column], runs, seed + number)
            top.plot(exact[:, 0], exact[:, 2], ".-", color=COLORS[hue], markersize=2.5, linewidth=0.9, alpha=0.8)
            top.plot(*exact[0, [0, 2]], "s", color=COLORS[hue], markersize=5, markeredgecolor="white", zorder=4)
            bottom.plot(exact[:, 3], color=COLORS[hue], linewidth=1.1)
            if len(seen):
                at = list(looks[column])
                top.plot(seen[:, 0], seen[:, 2], "o", color=COLORS[hue], markersize=4.5, fillstyle="none", zorder=5)
                bottom.plot(at, seen[:, 3], "o", color=COLORS[hue], markersize=4, fillstyle="none")
            rows += _rows(factor, eta, number, exact, dict(zip(looks[column], seen, strict=True)))
        if factor < 1:
            law = theory.stationary(eta)
            S = law.covariance
            top.plot(S[0, 0], S[1, 1], "*", color="#F0E442", markersize=13, markeredgecolor=COLORS["gd"], zorder=6)
            bottom.axhline(law.excess_loss, color=COLORS["muted"], linestyle="--", zorder=0)
        else:
            last = np.arange(steps[column] // 2, steps[column] + 1)
            guide = 3 * exact[-1, 3] * radius ** (last - float(last[-1]))
            bottom.plot(last, guide, color=COLORS["muted"], linestyle="--")
        sign = "converges" if factor < 1 else "grows"
        top.set_title(f"η = {factor:g} η*: ρ(Q) = {radius:.4g}, {sign}", fontsize=9)
        top.set(xscale="log", yscale="log", xlabel="S$_{11}$ = E(w − w*)$_1^2$", ylabel="S$_{22}$ = E(w − w*)$_2^2$")
        bottom.set(yscale="log", xlabel="step", ylabel="excess loss E L − L*")
    handles = [
        marker("s", "start", COLORS["gd"]),
        Line2D([], [], color=COLORS["gd"], marker=".", markersize=4, linewidth=0.9, label="exact, step by step"),
        Line2D([], [], color=COLORS["gd"], marker="o", fillstyle="none", linestyle="", markersize=4.5,
               label=f"mean of {runs:,} runs of SGD"),
        Line2D([], [], color="#F0E442", marker="*", linestyle="", markersize=11, markeredgecolor=COLORS["gd"],
               label="stationary law"),
        Line2D([], [], color=COLORS["muted"], linestyle="--", label="stationary loss; slope ρ(Q) a step"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    figure.suptitle(f"second moment of SGD, b = {batch_size}, η* = {theory.critical_step:.6g}", fontsize=9)
    moments = ("S11", "S12", "S22", "excess_loss")
    names = ["eta_over_critical", "eta", "start", "step", *moments, *(f"simulated_{name}" for name in moments)]
    return figure, dict(zip(names, np.array(rows).T, strict=True))


def _exact(theory: MeanSquare, eta: float, start: np.ndarray, steps: int) -> np.ndarray:
    """Return S11, S12, S22 and the excess loss at steps 0, 1, ..., shape (steps + 1, 4)."""
    centre = theory.problem.minimizer
    path = theory.second_moment(eta, centre + start, steps=steps, covariance=True)
    m = path.w.values - centre
    S = path.covariance.values + m[:, :, None] * m[:, None, :]
    return np.column_stack([S[:, 0, 0], S[:, 0, 1], S[:, 1, 1], path.excess_loss.values])


def _simulated(
    theory: MeanSquare, eta: float, start: np.ndarray, looks: Sequence[int], runs: int, seed: int
) -> np.ndarray:
    """Return means over simulated runs of what `_exact` returns, shape (looks, 4)."""
    if not len(looks):
        return np.empty((0, 4))
    problem = theory.problem
    w0 = np.tile(problem.minimizer + start, (runs, 1))
    method = sgd(eta=eta, batch_size=theory.batch_size)
    found = simulate(problem, method, w0, looks[-1], record=Record(at=list(looks), what=("w",)), seed=seed)
    d = found.w.transpose("step", "run", "coord").values - problem.minimizer
    loss = np.einsum("tri,ij,trj->t", d, problem.hessian(), d, optimize=True) / (2 * runs)
    return np.column_stack([(d[..., i] * d[..., j]).mean(axis=1) for i, j in ((0, 0), (0, 1), (1, 1))] + [loss])


def _rows(factor: float, eta: float, number: int, exact: np.ndarray, seen: dict[int, Any]) -> list[tuple[float, ...]]:
    nothing = np.full(4, np.nan)
    return [(factor, eta, number, t, *values, *seen.get(t, nothing)) for t, values in enumerate(exact)]
