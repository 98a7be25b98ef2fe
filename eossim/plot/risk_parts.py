"""What pictures of risks share: colours and dashes, scales of axes, and the curves of one problem."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from ..engine.method import Method
from ..problems import LeastSquares, Regression
from ..theory.risk import optimal_stopping
from .style import COLORS

if TYPE_CHECKING:
    import xarray as xr

Numbers = dict[str, np.ndarray]

#: A method's own colour by the first word of its name, and colours for the others in the order they are taken.
_OWN = {
    "gd": "gd",
    "usam": "usam",
    "sam": "sam",
    "heavy_ball": "momentum",
    "nesterov": "momentum",
    "momentum": "momentum",
}
_FREE = ("other", "momentum", "edge", "sam", "usam", "gd")
PARTS = (("bias2", "bias²"), ("variance", "variance"), ("risk", "risk"))
DASHES: dict[str, Any] = {"bias2": (0, (5, 2)), "variance": (0, (1, 1.2)), "risk": "-"}
#: Below this part of the least risk, bias and variance are not drawn: they no longer matter.
_FLOOR = 1e-3
#: Above this multiple of it, a run has diverged.
CEILING = 1e6


def colors_of(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for every name: that of its first word if it has one, and one not yet taken for the others."""
    if not 0 < len(names) <= len(_FREE):
        raise ValueError(f"between 1 and {len(_FREE)} methods can be told apart, got {len(names)}")
    roles: dict[str, str] = {}
    for name in names:
        role = _OWN.get(re.split(r"[^a-z_]", name.lower(), maxsplit=1)[0])
        if role is not None and role not in roles.values():
            roles[name] = role
    for name in names:
        roles.setdefault(name, next(r for r in _FREE if r not in roles.values()))
    return {name: COLORS[roles[name]] for name in names}


def least_text(step: float, risk: float) -> str:
    """Return an optimum in words."""
    at = "never stopped" if math.isinf(step) else f"at step {step:,.0f}"
    return f"least risk {risk:.4g} {at}"


def marker(shape: str, label: str, color: str = COLORS["muted"]) -> Line2D:
    """Return a handle of a legend: a marker without a line."""
    return Line2D([], [], marker=shape, linestyle="", color=color, markersize=5.5, markeredgecolor="white", label=label)


def plain_ticks(axis: Any) -> None:
    """Label a short logarithmic axis with plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 3, 4, 6)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_locator(NullLocator())


def positive(values: np.ndarray) -> np.ndarray:
    """Return values with nan where a logarithmic axis has no place for them."""
    values = np.asarray(values, float)
    return np.where(np.isfinite(values) & (values > 0), values, np.nan)


def drawn(curve: xr.Dataset, part: str) -> np.ndarray:
    """Return a part of the risk where it is more than the rounding error of the risk, else nan."""
    return np.where(curve[part] > 1e-12 * curve.risk, positive(curve[part].values), np.nan)


def steps_axis(axis: Any, steps: Sequence[np.ndarray]) -> None:
    """Scale an axis of steps: linear when there are few, else logarithmic with 0 in its place if it is there."""
    first, last = min(int(s.min()) for s in steps), max(int(s.max()) for s in steps)
    if last > 30 and first == 0:
        axis.set_xscale("symlog", linthresh=1, linscale=0.35)
    elif last > 30:
        axis.set_xscale("log")
    if last > 30:
        axis.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: f"{x:g}" if x < 5000 else f"10$^{{{math.log10(x):g}}}$")
        )
    if last > first:
        axis.set_xlim(first, last)


def values_axis(axes: Sequence[Any], curves: Iterable[xr.Dataset]) -> None:
    """Scale axes of bias, variance and risk alike: logarithmic, down to what no longer matters in the risk."""
    curves = list(curves)
    risks = np.concatenate([positive(c.risk.values).ravel() for c in curves])
    if np.all(np.isnan(risks)):
        return
    parts = np.concatenate([drawn(c, part).ravel() for c in curves for part, _ in PARTS])
    low = max(np.nanmin(parts), _FLOOR * np.nanmin(risks))
    high = min(np.nanmax(parts), CEILING * np.nanmin(risks))
    for axis in axes:
        axis.set(yscale="log", ylim=(low / 1.3, high * 1.3))


def aligned(decay: float, snr: float, dim: int) -> tuple[Regression, dict[str, Any]]:
    """Return least squares with curvatures 1/i, and its truth: squared signal i^-decay, mean B over S = snr."""
    i = np.arange(1, dim + 1)
    problem = LeastSquares(np.diag(np.sqrt(dim / i)), np.zeros(dim))
    return problem, {"w_star": i ** (-decay / 2), "noise_variance": float(np.sum(i ** (-1.0 - decay))) / snr}


def signal_and_noise(problem: Regression, **known: Any) -> tuple[np.ndarray, float]:
    """Return B by mode, the squared bias at the start, and S, the variance of a mode that is learned."""
    modes, n = problem.modes, problem.n_samples
    if "f_star" in known:
        inside = modes.samples.T @ known["f_star"]
    else:
        inside = modes.singular * (modes.coordinates.T @ known["w_star"])
    return inside**2 / n, known["noise_variance"] / n


def oracle_risk(problem: Regression, **known: Any) -> float:
    """Return the least risk of any filter that is diagonal in the modes, sum of B S / (B + S)."""
    energy, noise = signal_and_noise(problem, **known)
    return float(np.sum(energy * noise / (energy + noise)))


def optimum(problem: Regression, known: dict[str, Any], method: Method) -> tuple[int, float]:
    """Return the best whole step and its risk."""
    found = optimal_stopping(problem, method, **known)
    return int(found.step[0]), float(found.risk[0])
