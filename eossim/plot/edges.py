"""Pictures of edges: radius against curvature, trajectories around an edge, an edge that moves with the gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .. import catalogue
from .._rule import Rule
from ..engine.record import Record
from ..engine.simulate import simulate
from ..problems import Quadratic
from ..theory.queries import edge, spectral_radius, two_cycle_amplitude
from .style import COLORS, new_figure

Numbers = dict[str, np.ndarray]


def radius_panels(rules: Mapping[str, tuple[Rule, Mapping[str, Any]]], columns: int = 4) -> tuple[Figure, Numbers]:
    """Draw the spectral radius of one step against curvature, one panel per rule, with the edge marked.

    Args:
        rules: Rule and hyper-parameters (with frozen quantities) by panel title.
        columns: Panels in a row.

    Returns:
        The figure, and the curves: curvature in units of the edge, and one radius per rule.
    """
    rows = -(-len(rules) // columns)
    figure, axes = new_figure(rows, columns, height=1.35 * rows + 0.4, sharex=True, sharey=True, squeeze=False)
    fraction = np.linspace(0, 1.6, 481)
    numbers: Numbers = {"curvature_over_edge": fraction}
    for axis, (title, (rule, values)) in zip(axes.flat, rules.items(), strict=False):
        at = float(catalogue.edge_of(rule)(**values))
        reach = at if np.isfinite(at) else 2 / values["eta"]
        radius = spectral_radius(rule, fraction * reach, **values)
        numbers[title] = radius
        axis.fill_between(fraction, 0, 2, where=radius > 1 + 1e-9, color=COLORS["sam"], alpha=0.12, linewidth=0)
        axis.plot(fraction, radius, color=COLORS["gd"])
        axis.axhline(1, color=COLORS["muted"], linewidth=0.8)
        if np.isfinite(at):
            axis.axvline(1, color=COLORS["edge"], linestyle="--")
        axis.set_title(f"{title}\n" + (f"edge {at:.4g}" if np.isfinite(at) else "no edge"), fontsize=7)
        axis.set(xlim=(0, 1.6), ylim=(0, 2))
    for axis in axes.flat[len(rules) :]:
        axis.set_axis_off()
    figure.supxlabel("curvature / edge (for the rule without an edge: curvature · η/2)", fontsize=9)
    figure.supylabel("spectral radius of one step", fontsize=9)
    return figure, numbers


def trajectories(eta: float = 0.3, rho: float = 0.05, steps: int = 60) -> tuple[Figure, Numbers]:
    """Draw GD, USAM and SAM in one dimension below, between and above their edges, with SAM's 2-cycle.

    USAM diverges past its edge. SAM goes on until 2/eta, on a cycle of amplitude eta rho h / (2 - eta h).
    """
    rules = {name: catalogue.lookup(name) for name in ("gd", "usam", "sam")}
    bound = {
        "gd": rules["gd"](eta=eta),
        "usam": rules["usam"](eta=eta, rho=rho),
        "sam": rules["sam"](eta=eta, rho=rho),
    }
    usam_edge, gd_edge = edge("usam", eta=eta, rho=rho), edge("gd", eta=eta)
    curvatures = {
        f"h = {0.8 * usam_edge:.3g}: below both edges": 0.8 * usam_edge,
        f"h = {(usam_edge + gd_edge) / 2:.3g}: USAM edge {usam_edge:.3g} < h < 2/η": (usam_edge + gd_edge) / 2,
        f"h = {1.01 * gd_edge:.3g}: above 2/η = {gd_edge:.3g}": 1.01 * gd_edge,
    }
    figure, axes = new_figure(1, 3, height=2.9, sharey=True)
    numbers: Numbers = {"step": np.arange(steps + 1)}
    for axis, (title, h) in zip(axes, curvatures.items(), strict=True):
        for name, method in bound.items():
            run = simulate(Quadratic([h]), method, [0.3], steps, record=Record(what=("w",)))
            numbers[f"{name} h={h:.4g}"] = run.w.values[0, :, 0]
            axis.plot(run.step, np.abs(run.w.values[0, :, 0]), color=COLORS[name], label=name.upper(), alpha=0.9)
        if eta * h < 2:
            amplitude = two_cycle_amplitude("sam", h, eta=eta, rho=rho)
            axis.axhline(amplitude, color=COLORS["sam"], linestyle=":", label="SAM 2-cycle, predicted")
        axis.set_title(title, fontsize=7.5)
        axis.set(yscale="log", ylim=(1e-7, 1e4), xlabel="step")
    axes[0].set_ylabel("|w|")
    axes[2].legend(*axes[1].get_legend_handles_labels(), fontsize=7, loc="lower right", frameon=False)
    return figure, numbers


def edge_against_grad_norm(eta: float = 0.1, rhos: Sequence[float] = (0.01, 0.05, 0.2)) -> tuple[Figure, Numbers]:
    """Draw SAM's edge against the gradient norm for several radii, with 2/eta and the late states of simulated runs."""
    norms = np.geomspace(1e-4, 1e4, 161)
    figure, axis = new_figure(height=3.4)
    numbers: Numbers = {"grad_norm": norms}
    shades = (COLORS["other"], COLORS["usam"], COLORS["sam"])
    for rho, color in zip(rhos, shades, strict=False):
        curve = edge("sam", eta=eta, rho=rho, grad_norm=norms)
        numbers[f"edge rho={rho:g}"] = curve
        axis.plot(norms, curve, color=color, label=f"ρ = {rho:g}")
        curvatures = np.linspace(0.15, 0.95, 7) * 2 / eta
        late = [_late_grad_norm(h, eta, rho) for h in curvatures]
        axis.plot(late, curvatures, "o", color=color, markersize=4)
    axis.plot([], [], "o", color=COLORS["muted"], markersize=4, label="simulated: where SAM settles at curvature h")
    axis.axhline(2 / eta, color=COLORS["gd"], linestyle="--", label="2/η (GD)")
    axis.set(
        xscale="log",
        xlabel="gradient norm G",
        ylabel="curvature h",
        ylim=(0, 2.15 / eta),
        xlim=(norms[0], norms[-1]),
    )
    axis.set_title(f"SAM's edge depends on the gradient norm (η = {eta:g})", fontsize=9)
    axis.legend(fontsize=7.5, loc="lower right", frameon=False)
    return figure, numbers


def _late_grad_norm(h: float, eta: float, rho: float) -> float:
    """Return the gradient norm at which SAM settles on a mode of curvature `h`."""
    method = catalogue.lookup("sam")(eta=eta, rho=rho)
    return float(simulate(Quadratic([h]), method, [1.0], 5000, record=Record(at=[5000])).grad_norm.values[0, 0])
