"""GD against USAM on kernel regression: risks, and what their filters let through."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import catalogue
from ..data import Data
from ..theory.risk import crossings as crossings_of
from ..theory.risk import monte_carlo_risk, risk_curve
from .risk_parts import (
    DASHES,
    PARTS,
    Numbers,
    colors_of,
    least_text,
    marker,
    optimum,
    positive,
    signal_and_noise,
    values_axis,
)
from .style import COLORS, new_figure


def kernel_filters(
    data: Data,
    *,
    gamma: float | None = None,
    ridge: float = 0.01,
    noise_variance: float = 4.0,
    rho: float = 100.0,
    draws: int = 400,
    steps: int = 10_000,
) -> tuple[Figure, Numbers]:
    """Draw risk curves of GD and USAM on kernel regression with a known truth, and what the two filters let through.

    The truth is the kernel ridge fit of the targets, f* = K (K + n ridge)^-1 y, to which noise is added anew: smooth
    for this kernel by construction. eta = 1 / (2 h (1 + rho h)) at the top curvature h of K/n.

    Args:
        data: Inputs and targets.
        gamma: Of the kernel exp(-gamma |x - x'|^2); 1 / (number of columns) by default.
        ridge: Regularisation of the truth, in units of the curvature.
        noise_variance: sigma^2 of the added noise.
        rho: Of USAM.
        draws: Draws of the noise in the simulation.
        steps: Last step drawn.

    Returns:
        The figure, and its numbers: curves by step and, from the same row on, energies and filters by eigenfunction.
    """
    gamma = 1 / data.X.shape[1] if gamma is None else gamma
    problem = data.kernel_regression("rbf", gamma=gamma)
    modes, h = problem.modes, problem.modes.curvature
    truth = modes.samples @ (h / (h + ridge) * (modes.samples.T @ problem.y))
    known: dict[str, Any] = {"f_star": truth, "noise_variance": noise_variance}
    eta = float(1 / (2 * h[0] * (1 + rho * h[0])))
    methods = {"GD": catalogue.lookup("gd")(eta=eta), f"USAM ρ = {rho:g}": catalogue.lookup("usam")(eta=eta, rho=rho)}
    colors = colors_of(list(methods))
    figure, grid = new_figure(2, 2, height=4.4, gridspec_kw={"width_ratios": (1.15, 1)})
    (left, energies), (spare, filters) = grid
    left.set_subplotspec(left.get_gridspec()[:, 0])
    spare.remove()
    energies.sharex(filters)
    at = np.unique(np.geomspace(1, steps, 160).astype(int))
    looked = np.unique(np.geomspace(1, steps, 13).astype(int))
    energy, noise = signal_and_noise(problem, **known)
    columns: Numbers = {"step": at, "curvature": h, "energy": energy, "noise": np.full(h.size, noise)}
    handles = []
    for name, method in methods.items():
        curve = risk_curve(problem, method, steps=at, **known).isel(run=0)
        found = monte_carlo_risk(problem, method, steps=looked, draws=draws, **known).isel(run=0)
        best, least = optimum(problem, known, method)
        for part, _ in PARTS:
            left.plot(at, curve[part], color=colors[name], linestyle=DASHES[part], linewidth=1.3)
            left.errorbar(looked, positive(found[part].values), 4 * found[f"{part}_error"], fmt="o", markersize=2.6,
                          elinewidth=1, color=colors[name], zorder=4)  # fmt: skip
            columns |= {f"{name}, {part}": curve[part].values, f"{name}, {part}, simulated at": looked}
            columns |= {f"{name}, {part}, {k}": found[f"{part}{end}"].values
                        for k, end in (("simulated", ""), ("standard error", "_error"))}  # fmt: skip
        left.plot(best, least, "o", color=colors[name], markersize=7, markeredgecolor="white", zorder=6)
        q = 1 - method.values["eta"] * h * (1 + method.values.get("rho", 0.0) * h)
        learned = 1 - q**best
        columns[f"{name}, learned"] = learned
        filters.plot(h, learned, color=colors[name], label=f"{name.split()[0]} {learned.sum():.1f}")
        handles.append(Line2D([], [], color=colors[name], label=f"{name}: {least_text(best, least)}"))
    cross = crossings_of(problem, *methods.values(), **known)
    for k in cross.real if cross.real is not None else cross.integer:
        left.axvline(k, color=COLORS["muted"], linestyle=":", linewidth=1)
    centre, mean = _binned(h, energy)
    energies.plot(h, energy, ".", color=COLORS["other"], markersize=4, markeredgewidth=0, label="signal of a mode")
    energies.plot(centre, mean, "o", color=COLORS["muted"], markersize=4, label="mean of a bin")
    energies.axhline(noise, color=COLORS["sam"], linestyle="--", label="noise of a mode, σ²/n")
    filters.plot(
        centre,
        mean / (mean + noise),
        "o",
        color=COLORS["muted"],
        markersize=4,
        label=f"oracle {np.sum(energy / (energy + noise)):.1f}",
    )
    left.set(xscale="log", yscale="log", xlim=(1, steps), xlabel="step")
    values_axis([left], [risk_curve(problem, m, steps=at, **known) for m in methods.values()])
    left.set_ylabel("squared units of y", fontsize=8)
    left.set_title(f"risk (solid) and its parts, n = {problem.n_samples:,}", fontsize=9)
    shown = max(2e-5 * h[0], h[-1]), 1.5 * h[0]
    energies.set(xscale="log", yscale="log", xlim=shown, ylim=(1e-3 * noise, 3 * energy.max()))
    energies.set_ylabel("squared units of y", fontsize=8)
    energies.set_title(f"energy of {h.size:,} eigenfunctions", fontsize=9)
    energies.tick_params(labelbottom=False)
    filters.set(ylim=(-0.03, 1.03), xlabel="curvature μ of an eigenfunction")
    filters.set_ylabel("learned, 1 − q$^k$", fontsize=8)
    energies.legend(fontsize=7, frameon=False, loc="upper left")
    filters.legend(fontsize=7, frameon=False, loc="upper left", title="sum over modes", title_fontsize=7)
    figure.suptitle(
        f"{data.name}, exp(−γ|x − x′|²), γ = {gamma:.3g}, η = {eta:.3g}; truth: ridge fit ({ridge:g});"
        f" noise variance {noise_variance:g}",
        fontsize=8.5,
    )
    handles += [
        Line2D([], [], color=COLORS["muted"], linestyle="", marker="o", markersize=2.6,
               label=f"simulated, {draws} draws, ±4 standard errors"),
        marker("o", "least risk"),
        Line2D([], [], color=COLORS["muted"], linestyle=":", label="risks cross"),
        Line2D([], [], color=COLORS["muted"], linestyle=DASHES["bias2"], label="bias²"),
        Line2D([], [], color=COLORS["muted"], linestyle=DASHES["variance"], label="variance"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    length = max(v.size for v in columns.values())
    return figure, {n: np.append(v.astype(float), np.full(length - v.size, np.nan)) for n, v in columns.items()}


def _binned(at: np.ndarray, values: np.ndarray, per_decade: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return the geometric mean position and the mean value of every logarithmic bin."""
    bins = np.floor(np.log10(at) * per_decade).astype(int)
    kept = np.unique(bins)
    return (
        np.array([np.exp(np.log(at[bins == b]).mean()) for b in kept]),
        np.array([values[bins == b].mean() for b in kept]),
    )
