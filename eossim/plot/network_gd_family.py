"""GD, heavy ball and Adam on the digits: loss, and each sharpness over its own edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from ..theory.queries import edge
from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..experiments import Result

_TITLES = {
    "GD": "GD\nλ$_{max}$(H) over 2/η",
    "heavy ball": "heavy ball\nλ$_{max}$(H) over (2+2β)/η",
    "Adam": "full-batch Adam\nλ$_{max}$(P$^{-1/2}$HP$^{-1/2}$) over $\\frac{2+2β_1}{(1-β_1)η}$",
}
_SHADES = ("other", "usam", "gd")


def network_gd_family(result: Result) -> tuple[Figure, Numbers]:
    """Draw `experiments.gd_family`: a column for each method, loss above, sharpness over edge below.

    A dotted line marks 2/eta, which is the edge of GD alone. Thin lines are further seeds.

    Returns:
        The figure, and its numbers: a row per measured step.
    """
    figure, axes = new_figure(2, len(_TITLES), height=4.3, sharex=True, sharey="row")
    numbers: Numbers = {"step": next(iter(result.runs.values())).step.values}
    for (top, below), (method, title) in zip(axes.T, _TITLES.items(), strict=True):
        mine = {name: run for name, run in result.runs.items() if name.startswith(method)}
        shades: dict[float, str] = {}
        for name, run in mine.items():
            eta = float(run.eta)
            first = eta not in shades
            color = COLORS[shades.setdefault(eta, _SHADES[len(shades) % len(_SHADES)])]
            kind = "preconditioned_sharpness" if "preconditioned_sharpness" in run else "sharpness"
            ratio = run[kind].values / run.edge.values
            look = {"color": color, "linewidth": 1.2 if first else 0.5, "alpha": 1.0 if first else 0.6}
            top.plot(run.step, run.loss, label=f"η = {eta:g}" if first else None, **look)
            below.plot(run.step, ratio, **look)
            numbers |= {f"{name}: loss": run.loss.values, f"{name}: {kind} over edge": ratio}
            plain = float(edge("gd", eta=eta) / run.edge[0])
        below.axhline(1, color=COLORS["edge"], linestyle="--", linewidth=1.2, label="its edge")
        below.axhline(plain, color=COLORS["sam"], linestyle=":", linewidth=1.2, label="2/η" if plain < 1 else None)
        top.set_title(title, fontsize=8.5)
        top.set_yscale("log")
        top.legend(fontsize=7.5, frameon=False, loc="upper right", handlelength=1.2)
        if plain < 1:
            below.legend(fontsize=7.5, frameon=False, loc="lower right", handlelength=1.6)
        below.set(xlabel="step", ylim=(0, 1.4))
    axes[0, 0].set_ylabel("loss")
    axes[1, 0].set_ylabel("sharpness / edge")
    return figure, numbers
