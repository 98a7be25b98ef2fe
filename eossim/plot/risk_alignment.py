"""GD against USAM by where the signal sits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .. import catalogue
from ..theory.risk import crossings as crossings_of
from ..theory.risk import risk_curve
from .risk_parts import DASHES, PARTS, Numbers, aligned, colors_of, marker, optimum, oracle_risk, plain_ticks, positive
from .style import COLORS, new_figure

#: Alignments of theory: title, squared signal as a power of i, signal-to-noise ratio.
_ALIGNMENTS = (("on large curvatures", -3.0, 1.0), ("on all alike", 0.0, 10.0), ("on small curvatures", 1.5, 1.0))


def bias_variance_by_alignment(rhos: Sequence[float] = (4.0, 16.0), *, dim: int = 20) -> tuple[Figure, Numbers]:
    """Draw GD against USAM where the signal sits on large, on all and on small curvatures, each with its optimum.

    Curvatures are 1/i, i = 1..dim, and eta = 1 / (2 (1 + max rho)), so that eta h (1 + rho h) <= 1/2: the ordering
    theorem applies, USAM has less bias and more variance at every step. Which of the two has the smaller risk at its
    own best step depends on the signal.

    Returns:
        The figure, and the curves, with the least risk of each in a column of its own at its step.
    """
    rule, eta = catalogue.lookup("usam"), 1 / (2 * (1 + max(rhos)))
    methods = {"GD": catalogue.lookup("gd")(eta=eta)} | {f"USAM ρ = {r:g}": rule(eta=eta, rho=r) for r in rhos}
    colors = colors_of(list(methods))
    figure, axes = new_figure(2, 3, height=5.4, sharex=True, gridspec_kw={"height_ratios": (1.25, 1)})
    stages = [aligned(-exponent, snr, dim) for _, exponent, snr in _ALIGNMENTS]
    optima = [{n: optimum(*stage, m) for n, m in methods.items()} for stage in stages]
    bests = [step for found in optima for step, _ in found.values()]
    steps = np.unique(np.append(np.geomspace(1, 20_000, 240).astype(int), [0, *bests]))
    numbers: Numbers = {"step": steps.astype(float)}
    for (top, bottom), (word, exponent, snr), (problem, known), least in zip(
        axes.T, _ALIGNMENTS, stages, optima, strict=True
    ):
        oracle = oracle_risk(problem, **known)
        handles = [Line2D([], [], linestyle="", label=f"{'':13}{'risk':<9}{'step':>4}{'behind':>7}")]
        for name, method in methods.items():
            curve = risk_curve(problem, method, steps=steps, **known).isel(run=0)
            step, risk = least[name]
            numbers |= {f"{word}, {name}, {part}": curve[part].values for part, _ in PARTS}
            numbers[f"{word}, {name}, least risk"] = np.where(steps == step, risk, np.nan)
            top.plot(steps, curve.risk, color=colors[name])
            top.plot(step, risk, "o", color=colors[name], markersize=5.5, markeredgecolor="white", zorder=5)
            for part in ("bias2", "variance"):
                values = positive(curve[part].values)
                bottom.plot(steps, values, color=colors[name], linestyle=DASHES[part], linewidth=1.2)
            label = f"{name:13}{risk:<9.6g}{step:>4}"
            if name != "GD":
                found = crossings_of(problem, methods["GD"], method, **known)
                for at in found.real if found.real is not None else found.integer:
                    top.axvline(at, color=colors[name], linestyle=":", linewidth=1)
                label += f"{found.integer[-1]:>7}" if found.integer else ""
            handles.append(Line2D([], [], color=colors[name], label=label))
        numbers[f"{word}, oracle"] = np.full(steps.size, oracle)
        top.axhline(oracle, color=COLORS["muted"], linewidth=0.8, zorder=1)
        handles.append(Line2D([], [], color=COLORS["muted"], linewidth=0.8, label=f"{'oracle':13}{oracle:<9.6g}"))
        top.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.46, 1.0),
            alignment="left",
            prop={"family": "DejaVu Sans Mono", "size": 5.7},
            title=f"signal {word}\nβ² = i$^{{{exponent:g}}}$, SNR {snr:g}",
            title_fontsize=8,
            labelspacing=0.3,
            handlelength=1.3,
            handletextpad=0.5,
            frameon=False,
        )
        ceiling = max(problem.fitted(known["w_star"]) @ problem.fitted(known["w_star"]) / dim, known["noise_variance"])
        top.set(xscale="log", yscale="log", xlim=(1, steps[-1]), ylim=(0.85 * oracle, 1.15 * ceiling))
        bottom.set(yscale="log", ylim=(0.02 * oracle, 1.6 * ceiling))
        bottom.set_xlabel("step", fontsize=8)
        plain_ticks(top.yaxis)
    axes[0, 0].set_ylabel("risk (squared units of y)", fontsize=8)
    axes[1, 0].set_ylabel("bias², variance (same units)", fontsize=8)
    figure.suptitle(f"least squares with curvatures 1/i, i = 1 … {dim}, η = 1/{1 / eta:g}", fontsize=9)
    handles = [
        marker("o", "least risk"),
        Line2D([], [], color=COLORS["usam"], linestyle=":", linewidth=1, label="USAM behind GD from here"),
        Line2D([], [], color=COLORS["muted"], linestyle=DASHES["bias2"], linewidth=1.2, label="bias²"),
        Line2D([], [], color=COLORS["muted"], linestyle=DASHES["variance"], linewidth=1.2, label="variance"),
        Line2D([], [], color=COLORS["muted"], linewidth=0.8, label="oracle filter"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=7.5, frameon=False)
    return figure, numbers
