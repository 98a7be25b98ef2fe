"""A bifurcation diagram with the Lyapunov exponent under it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from .risk_parts import Numbers
from .style import COLORS, new_figure

if TYPE_CHECKING:
    import xarray as xr

#: From paper to ink: where a run spends more of its time is darker.
_INK = LinearSegmentedColormap.from_list("ink", ["#D8E6F0", COLORS["usam"], "#000000"])
#: Share of its time below which a bin is left white.
_LEAST = 1e-4
#: Marks nearer than this part of the axis have their names on either side.
_CROWDED = 0.08


def bifurcation(
    diagram: xr.Dataset,
    exponent: xr.Dataset,
    *,
    parameter: str = "",
    quantity: str = "",
    marks: Mapping[str, float] | None = None,
) -> tuple[Figure, Numbers]:
    """Draw `dynamics.bifurcation_diagram` above `dynamics.lyapunov_exponent`, over the same parameter.

    Args:
        diagram: With `density` over the parameter and bins.
        exponent: With `lyapunov` over the parameter and starts; the median over starts is drawn, chaos shaded.
        parameter: Name of the parameter on the axis; by default that in the dataset.
        quantity: Name of what the diagram shows; by default that in the dataset.
        marks: Values of the parameter to mark, by what happens there.

    Returns:
        The figure, and its numbers: exponents, a row for each value of the parameter.

    Raises:
        ValueError: If the diagram holds points and no density.
    """
    if "density" not in diagram:
        raise ValueError("the diagram must have a density: give bifurcation_diagram a number of bins")
    name = diagram.attrs["parameter"]
    figure, (above, below) = new_figure(2, 1, height=4.6, sharex=True, height_ratios=(1.7, 1))
    density = diagram.density.transpose("bin", name)
    above.pcolormesh(
        diagram[name],
        diagram.bin,
        np.where(density > _LEAST, density, np.nan),
        norm=LogNorm(_LEAST, 0.3),
        cmap=_INK,
        shading="nearest",
        rasterized=True,
    )
    above.set_ylabel(quantity or diagram.attrs["quantity"])
    at = exponent[name].values
    rate = exponent.lyapunov.median(dim="start", skipna=True).values
    below.axhline(0, color=COLORS["muted"], linewidth=1)
    below.plot(at, rate, color=COLORS["gd"], linewidth=0.7)
    below.fill_between(at, 0, np.maximum(rate, 0), color=COLORS["sam"], alpha=0.5, linewidth=0)
    finite = rate[np.isfinite(rate)]
    below.set_ylim(max(float(finite.min()), -2.0) if finite.size else None)
    below.set(xlabel=parameter or name, xlim=(float(at.min()), float(at.max())))
    below.set_ylabel("Lyapunov exponent\n(nats per step)")
    marked = dict(sorted((marks or {}).items(), key=lambda mark: mark[1]))
    gaps = np.diff([-np.inf, *marked.values(), np.inf]) / float(np.ptp(at)) < _CROWDED
    for (label, value), left, right in zip(marked.items(), gaps[:-1], gaps[1:], strict=True):
        for axis in (above, below):
            axis.axvline(value, color=COLORS["edge"], linestyle="--", linewidth=0.9)
        side = "left" if left and not right else "right" if right and not left else "center"
        look = {"ha": side, "va": "bottom", "fontsize": 7.5, "transform": above.get_xaxis_transform()}
        above.text(value, 1.02, label, **look)
    return figure, {name: at.astype(float), "lyapunov": rate}
