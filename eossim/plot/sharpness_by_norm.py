"""The sharpness of real Hessians in one norm after another, beside the largest eigenvalue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ..curvature.generalized import GeneralizedSharpness
from ..norms import Norm
from .risk_parts import Numbers
from .style import COLORS, new_figure


def sharpness_by_norm(
    panels: Mapping[str, tuple[Sequence[Norm], Sequence[GeneralizedSharpness], float]],
) -> tuple[Figure, Numbers]:
    """Draw S / λ_max by norm, one panel per Hessian; a bar from the certified lower to the upper bound if inexact.

    Args:
        panels: By title: norms, what `generalized_sharpness` found in them, and λ_max.

    Returns:
        The figure, and its numbers: value, upper bound and λ_max of every panel, a row per norm.
    """
    if not panels or not all(norms for norms, _, _ in panels.values()):
        raise ValueError("panels must hold at least one Hessian, and every one at least one norm")
    rows = max(len(norms) for norms, _, _ in panels.values())
    figure, axes = new_figure(1, len(panels), height=1.4 + 0.27 * rows, squeeze=False)
    numbers: Numbers = {}
    for axis, (title, (norms, found, top)) in zip(axes[0], panels.items(), strict=True):
        place = np.arange(len(norms))[::-1]
        value = np.array([s.value for s in found])
        bound = np.array([s.value if s.exact else s.upper_bound for s in found])
        numbers |= {f"{title} S": value, f"{title} upper bound": bound, f"{title} lambda_max": np.full(len(norms), top)}
        axis.barh(place, bound / top - value / top, left=value / top, height=0.5, color=COLORS["other"], alpha=0.5,
                  label="to the upper bound")  # fmt: skip
        axis.plot(value / top, place, "o", color=COLORS["sam"], markersize=5)
        axis.axvline(1, color=COLORS["gd"], linewidth=1, linestyle="--", label="λ$_{max}$")
        axis.set(xscale="log", yticks=place, ylim=(-0.6, len(norms) - 0.4))
        axis.set_yticklabels([norm.name for norm in norms], fontsize=8)
        finite = bound[np.isfinite(bound)]
        axis.set_xlim(min(0.5, 0.7 * value.min() / top), max(2.0, 4 * max(value.max(), finite.max()) / top))
        for y, s in zip(place, found, strict=True):
            right = (s.value if s.exact or not np.isfinite(s.upper_bound) else s.upper_bound) / top
            axis.annotate(
                f"{s.value / top:.3g}", (right, y), (5, 0), textcoords="offset points", va="center", fontsize=7,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
            )  # fmt: skip
        axis.set_title(title, fontsize=9)
        axis.set_xlabel("S / λ$_{max}$   (edge: η = 2/S)")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8, frameon=False
    )
    return figure, numbers
