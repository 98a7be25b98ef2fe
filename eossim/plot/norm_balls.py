"""One quadratic in the plane, many norms: unit balls, edges, and runs on both sides of each edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .._check import symmetric
from ..curvature.generalized import generalized_sharpness
from ..engine.record import Record
from ..engine.simulate import simulate
from ..engine.steepest import SteepestDescent, normalized_steepest_descent, steepest_descent
from ..norms import L1, L2, Linf, Lp, Mahalanobis, Norm
from ..problems import Quadratic
from .risk_parts import Numbers
from .style import COLORS, new_figure

#: Panels: title, norm, whether normalised.
PANELS: Mapping[str, tuple[Norm, bool]] = {
    "ℓ$_2$: gradient descent": (L2(), False),
    "ℓ$_1$: greedy coordinate descent": (L1(), False),
    "ℓ$_∞$ descent": (Linf(), False),
    "ℓ$_3$ descent": (Lp(3), False),
    "P-norm: preconditioned descent": (Mahalanobis([4.0, 1.0]), False),
    "ℓ$_∞$ normalised: sign descent": (Linf(), True),
}
_PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.0}
_BELOW, _ABOVE, _STEPS, _RADIUS = 0.9, 1.1, 14, 0.6


def descent_in_norms(hessian: Any = ((2.0, 1.0), (1.0, 2.0)), start: Any = (0.8, -0.6)) -> tuple[Figure, Numbers]:
    """Draw steepest descent in six norms on one quadratic in the plane.

    Every panel shows the contours of the loss, the unit ball of the norm (scaled) about the start with the direction d
    of its sharpness S, and two runs: at 0.9 of the edge 2/S from the start, and at 1.1 of it from near the ray of d.
    Sign descent has no such edge: its run ends on a 2-cycle, whose mean dual gradient norm is eta s / 2.

    Args:
        hessian: Positive definite, shape (2, 2).
        start: Start of the runs below the edge, shape (2,).

    Returns:
        The figure, and the iterates: one column per panel, run and coordinate.
    """
    H = symmetric("hessian", hessian)
    if H.shape != (2, 2) or np.linalg.eigvalsh(H)[0] <= 0:
        raise ValueError(f"hessian must be positive definite of shape (2, 2), got {hessian!r}")
    problem, numbers = Quadratic(H), {}
    figure, axes = new_figure(2, 3, width=7.2, height=5.2)
    x = np.linspace(-1.6, 1.6, 121)
    grid = np.stack(np.meshgrid(x, x), axis=-1)
    for axis, (title, (norm, normalised)) in zip(axes.flat, PANELS.items(), strict=True):
        sharpness = generalized_sharpness(problem, norm)
        axis.contour(x, x, problem.loss(grid), levels=8, colors=COLORS["muted"], linewidths=0.5, alpha=0.5)
        _ball(axis, norm, np.asarray(start), sharpness.witness)
        for label, color, method, begin in _runs(norm, normalised, sharpness, np.asarray(start)):
            record = Record(every=1, what=("w",))
            w = simulate(problem, method, begin, _STEPS, record=record).w.values[0]
            axis.plot(*w.T, color=color, marker="o", markersize=2.5, linewidth=1, label=label)
            for coordinate, values in zip("xy", w.T, strict=True):
                numbers[f"{title} {label} {coordinate}"] = values
        axis.set_title(title, fontsize=8.5)
        text = f"S = {sharpness.value:.3g}" + ("" if normalised else f", edge η = {2 / sharpness.value:.3g}")
        axis.text(0.03, 0.03, text, transform=axis.transAxes, fontsize=7.5, bbox=_PLATE)
        axis.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
        axis.legend(fontsize=6.5, loc="upper left", handlelength=1.2, edgecolor="none", framealpha=0.85, borderpad=0.2)
    top = f"λ$_{{max}}$ = {problem.eigenvalues[-1]:.3g}"
    figure.suptitle(f"one quadratic, {top}: every norm has its own sharpness S and its own edge 2/S", fontsize=9)
    return figure, numbers


def _runs(
    norm: Norm, normalised: bool, sharpness: Any, start: np.ndarray
) -> list[tuple[str, str, SteepestDescent, np.ndarray]]:
    if normalised:
        return [("η = 0.4", COLORS["usam"], normalized_steepest_descent(norm, 0.4), start)]
    edge = 2 / sharpness.value
    near = 0.35 * sharpness.witness / np.abs(sharpness.witness).max() + 0.02 * np.array([1.0, -0.5])
    return [
        (f"η = {_BELOW:g} · 2/S", COLORS["usam"], steepest_descent(norm, _BELOW * edge), start),
        (f"η = {_ABOVE:g} · 2/S", COLORS["sam"], steepest_descent(norm, _ABOVE * edge), near),
    ]


def _ball(axis: Any, norm: Norm, centre: np.ndarray, witness: np.ndarray) -> None:
    """Draw the ball about a point and the direction of the sharpness in it."""
    angle = np.linspace(0, 2 * np.pi, 721)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    edge = centre + _RADIUS * circle / norm.norm(circle)[:, None]
    axis.fill(*edge.T, facecolor=COLORS["edge"], alpha=0.15, linewidth=0)
    axis.plot(*edge.T, color=COLORS["edge"], linewidth=0.8)
    tip = _RADIUS * witness / norm.norm(witness)
    axis.plot(*np.stack([centre - tip, centre + tip]).T, color=COLORS["edge"], linewidth=1.2, linestyle=":")
