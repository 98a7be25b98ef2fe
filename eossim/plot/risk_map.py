"""The phase map of who wins: decay of the signal against rho."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import catalogue
from .._check import finite_array
from ..problems import Regression
from ..theory.risk import monte_carlo_risk, optimal_stopping, rho_slope
from .risk_parts import Numbers, aligned, marker, optimum
from .style import COLORS, new_figure

#: Edges of the colours of the phase map: change of the risk in per cent.
_CHANGES = (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20)
#: Batches of draws that the error of a ratio is read from.
_BATCHES = 20
#: Points of the phase map that are simulated: decay and rho.
_CHECKS = ((-1.5, 10.0), (0.2, 20.0), (0.5, 2.0), (1.3, 2.0), (2.0, 15.0), (1.6, 0.3), (2.6, 0.15), (3.3, 3.0))


def who_wins(
    snrs: Sequence[float] = (1.0, 10.0),
    *,
    decays: Any = None,
    rhos: Any = None,
    dim: int = 20,
    checks: Iterable[tuple[float, float]] = _CHECKS,
    draws: int = 40_000,
) -> tuple[Figure, Numbers]:
    """Draw the phase map of best-stopped USAM against best-stopped GD: decay of the signal against rho.

    Curvatures are 1/i, i = 1..dim, the squared signal is i^-a, and eta = 1 / (2 (1 + max rho)) throughout, which keeps
    eta h (1 + rho h) <= 1/2. Steps are real numbers in the map. The tick at the foot is where a little SAM begins to
    help, `rho_slope` = 0 at GD's own optimum: where the contour of equal risks must end as rho goes to 0.
    Simulation (`monte_carlo_risk`) looks at both best whole steps: it confirms a winner whose lead is more than three
    standard errors.

    Args:
        snrs: Signal-to-noise ratios, mean B_i over S, a panel each.
        decays: Exponents a, increasing; -2 to 4 by default.
        rhos: Radii, increasing; 0.05 to 30 by default.
        dim: Number of modes.
        checks: Points (a, rho) that are simulated.
        draws: Draws of the noise at each.

    Returns:
        The figure, and its numbers: a row per point of the map (at rho = 0, where equality begins), then one
        per simulated point.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap

    a = np.linspace(-2, 4, 61) if decays is None else finite_array("decays", decays, ndim=1, dtype=np.float64)
    r = np.geomspace(0.05, 30, 37) if rhos is None else finite_array("rhos", rhos, ndim=1, dtype=np.float64)
    eta, checks = 1 / (2 * (1 + r[-1])), list(checks)
    shades = _diverging(len(_CHANGES) - 1, _CHANGES.index(0))
    edges = np.log1p(np.array(_CHANGES) / 100)
    norm = BoundaryNorm(edges, len(_CHANGES) - 1)
    figure, axes = new_figure(1, len(snrs), height=3.7, sharey=True, squeeze=False)
    rows: list[tuple[float, ...]] = []
    simulated: list[tuple[float, ...]] = []
    for axis, snr in zip(axes.flat, snrs, strict=True):
        ratio = np.column_stack([_log_ratios(*aligned(x, snr, dim), eta, r) for x in a])
        boundary = _boundary(a, snr, dim, eta)
        drawn = axis.contourf(a, r, np.clip(ratio, edges[0], edges[-1]), edges, norm=norm, cmap=ListedColormap(shades))
        axis.contour(a, r, ratio, [0.0], colors=COLORS["gd"], linewidths=1.5)
        axis.plot(
            boundary, np.full(len(boundary), r[0]), marker="^", linestyle="", color=COLORS["edge"], markersize=9,
            markeredgecolor="white", clip_on=False, zorder=6,
        )  # fmt: skip
        rows += [(snr, x, 0.0, 0.0, np.nan, np.nan) for x in boundary]
        rows += [(snr, x, y, ratio[j, i], np.nan, np.nan) for i, x in enumerate(a) for j, y in enumerate(r)]
        for x, y in checks:
            theory = _log_ratios(*aligned(x, snr, dim), eta, np.array([y]))[0]
            measured, error = _simulated_log_ratio(*aligned(x, snr, dim), eta, y, draws, len(simulated))
            agrees = measured * theory > 0 and abs(measured) > 3 * error
            axis.plot(
                x, y, "o", markersize=5.5, markeredgecolor=COLORS["gd"], zorder=5,
                markerfacecolor=COLORS["gd"] if agrees else "none",
            )  # fmt: skip
            simulated.append((snr, x, y, theory, measured, error))
        axis.set(yscale="log", xlim=(a[0], a[-1]), ylim=(r[0], r[-1]), xlabel="signal decay a:  β² ∝ i$^{-a}$")
        axis.set_title(f"SNR = {snr:g}", fontsize=9)
        axis.grid(visible=False)
    axes[0, 0].set_ylabel("ρ of USAM")
    figure.suptitle(f"least squares with curvatures 1/i, i = 1 … {dim}, η = 1/{1 / eta:g}", fontsize=9)
    bar = figure.colorbar(drawn, ax=list(axes.flat), ticks=edges, shrink=0.95, pad=0.02)
    bar.ax.set_yticklabels([f"{c:+d} %".replace("-", "−") if c else "0" for c in _CHANGES], fontsize=7)
    bar.set_label("risk of USAM against GD, each best stopped", fontsize=8)
    names = ("snr", "decay", "rho", "log_ratio", "monte_carlo", "monte_carlo_error")
    columns = np.array(rows + simulated).T
    found = np.array(simulated).reshape(-1, 6)
    agreeing = int(np.sum((found[:, 3] * found[:, 4] > 0) & (np.abs(found[:, 4]) > 3 * found[:, 5])))
    handles = [
        Line2D([], [], color=COLORS["gd"], linewidth=1.5, label="equal risks"),
        Line2D([], [], marker="^", linestyle="", color=COLORS["edge"], markersize=8, markeredgecolor="white",
               label="its end as ρ → 0, first-order law"),
    ]  # fmt: skip
    if checks:
        handles.append(marker("o", f"simulated, filled: same winner ({agreeing} of {len(found)})", COLORS["gd"]))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return figure, dict(zip(names, columns, strict=True))


def _log_ratios(problem: Regression, known: dict[str, Any], eta: float, rhos: np.ndarray) -> np.ndarray:
    """Return log R*(rho) / R*(0), both at their best real step."""
    method = catalogue.lookup("usam")(eta=eta, rho=np.append(0.0, rhos))
    least = optimal_stopping(problem, method, **known).real_risk.values
    return np.log(least[1:] / least[0])


def _simulated_log_ratio(
    problem: Regression, known: dict[str, Any], eta: float, rho: float, draws: int, seed: int
) -> tuple[float, float]:
    """Return log R*(rho) / R*(0) of simulated runs at the best whole steps, and its standard error.

    Both methods run on the same draws, in batches of their own seeds: the error is that over the batches.
    """
    risks = np.empty((2, _BATCHES))
    for which, radius in enumerate((0.0, rho)):
        method = catalogue.lookup("usam")(eta=eta, rho=radius)
        best = optimum(problem, known, method)[0]
        for b in range(_BATCHES):
            found = monte_carlo_risk(
                problem,
                method,
                steps=[best],
                draws=max(40, draws // _BATCHES),
                seed=seed * _BATCHES + b,
                **known,
            )
            risks[which, b] = found.risk[0, 0]
    ratios = np.log(risks[1] / risks[0])
    return math.log(risks[1].sum() / risks[0].sum()), float(ratios.std(ddof=1) / math.sqrt(_BATCHES))


def _boundary(decays: np.ndarray, snr: float, dim: int, eta: float) -> list[float]:
    """Return the decays at which a little SAM begins or ceases to help."""
    from scipy.optimize import brentq

    def slope(decay: float) -> float:
        problem, known = aligned(decay, snr, dim)
        return float(rho_slope(problem, eta=eta, **known).slope[0])

    coarse = np.linspace(decays[0], decays[-1], 25)
    signs = np.sign([slope(x) for x in coarse])
    return [brentq(slope, coarse[i], coarse[i + 1]) for i in np.flatnonzero(np.diff(signs))]


def _diverging(count: int, middle: int) -> list[Any]:
    """Return `count` colours, blue below `middle` and red from there on, paler towards it."""
    from matplotlib import colormaps

    side = max(middle, count - middle)
    ends = np.append(np.linspace(0.04, 0.47, side), np.linspace(0.53, 0.96, side))
    return [colormaps["RdBu_r"](x) for x in ends[side - middle : side - middle + count]]
