"""Where SGD's mean-square edge is, and what the notions of sharpness read, against the batch size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from .._check import finite_array, positive_int
from ..measure import sharpness_report
from ..theory.mean_square import MeanSquare
from .risk_parts import Numbers, plain_ticks
from .style import COLORS, new_figure

if TYPE_CHECKING:
    from ..problems import Regression
    from ..problems.finite_sum import QuadraticSum

#: Displacement of the default point from the minimizer, relative to its norm, and to 1 below that.
_DISPLACEMENT = 0.1
#: Steps of the left panel by name in `Bounds`: label and look, in the order they are drawn.
STEPS: dict[str, tuple[str, dict[str, Any]]] = {
    "critical_step": ("exact critical step η*", {"color": COLORS["gd"], "linewidth": 3.0, "alpha": 0.85}),
    "wu_ma_e": ("sufficient (Wu, Ma, E)", {"color": COLORS["edge"], "marker": "^"}),
    "rank_one": ("necessary: rank one", {"color": COLORS["other"], "marker": "o"}),
    "top_eigenvector": ("necessary: top eigenvector", {"color": COLORS["usam"], "linestyle": "--", "marker": "s"}),
    "trace": ("necessary: trace", {"color": COLORS["sam"], "marker": "v"}),
    "mean": ("edge of the mean 2/λ$_{max}$(H)", {"color": COLORS["muted"], "linestyle": ":"}),
}
#: Notions of the right panel by name in `SharpnessReport.dataset`; the first is 2/eta*, which is not among them.
NOTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "two_over_critical_step": ("2/η*", {"color": COLORS["gd"], "linewidth": 3.0, "alpha": 0.85}),
    "expected_batch_lambda_max": ("E λ$_{max}$(H$_B$)", {"color": COLORS["edge"], "marker": "^"}),
    "ratio_of_means": ("batch sharpness, ratio of means", {"color": COLORS["usam"], "linestyle": "--", "marker": "s"}),
    "batch_sharpness": ("batch sharpness, mean of ratios", {"color": COLORS["sam"], "marker": "o"}),
    "interaction_aware_sharpness": ("interaction-aware (IAS)", {"color": COLORS["momentum"], "marker": "v"}),
    "lambda_max": ("λ$_{max}$(H)", {"color": COLORS["muted"], "linestyle": ":"}),
}


def edges_against_batch_size(
    problem: Regression | QuadraticSum,
    batch_sizes: Sequence[int] | np.ndarray,
    *,
    w: Any = None,
    title: str = "",
    replacement: bool = False,
    seed: int = 0,
) -> tuple[Figure, Numbers]:
    """Draw the exact critical step of SGD and its bounds, and beside them the notions of sharpness at a point.

    Left: steps. Below the sufficient one SGD is stable in mean square, above a necessary one it is not; at η* it
    changes. Right: curvatures, with 2/η* among them: a notion above it would call a stable step unstable.

    Args:
        problem: ``LeastSquares``, ``KernelRegression`` or ``QuadraticSum``, with curvature, and none of it negative.
        batch_sizes: Increasing b, up to the number of samples without replacement.
        w: Where sharpness is read, shape (dim,). By default the minimizer plus a random direction of length
            0.1 max(1, ‖w*‖).
        title: Above both panels.
        replacement: Whether a sample may occur several times in a batch.
        seed: Of the default point and of batches that are drawn where they are too many to look at all.

    Returns:
        The figure, and its numbers: a row per batch size, standard errors of what was sampled included.

    Raises:
        TypeError: As `MeanSquare` and `sharpness_report`.
        ValueError: As these, or if batch sizes do not increase.
    """
    sizes = [positive_int("batch_sizes", b) for b in batch_sizes]
    if not sizes or np.any(np.diff(sizes) <= 0):
        raise ValueError(f"batch_sizes must increase, got {list(batch_sizes)!r:.80}")
    known = w is not None
    point = finite_array("w", w, shape=(problem.dim,), dtype=np.float64) if known else _near_minimum(problem, seed)
    found = [MeanSquare(problem, b, replacement=replacement).bounds() for b in sizes]
    if not np.isfinite(found[0]["critical_step"].step):
        raise ValueError("problem has no curvature: every step is stable")
    report = sharpness_report(problem, point, sizes, replacement=replacement, seed=seed).dataset()
    numbers: Numbers = {"batch_size": np.array(sizes, float), "p": report.p.values}
    numbers |= {name: np.array([entries[name].step for entries in found]) for name in STEPS}
    numbers["two_over_critical_step"] = 2 / numbers["critical_step"]
    for name in NOTIONS:
        for column in (name, f"{name}_error"):
            if column in report:
                numbers[column] = report[column].values

    figure, axes = new_figure(1, 2, height=4.2, sharex=True)
    for axis, curves in zip(axes, (STEPS, NOTIONS), strict=True):
        for name, (label, look) in curves.items():
            axis.plot(sizes, numbers[name], label=label, markersize=4, markeredgewidth=0, **look)
            if f"{name}_error" in numbers:
                band = 2 * numbers[f"{name}_error"]
                low, high = numbers[name] - band, numbers[name] + band
                axis.fill_between(sizes, low, high, color=look["color"], alpha=0.25, linewidth=0)
        axis.set(xscale="log", yscale="log", xlabel="batch size b")
        values = np.concatenate([numbers[name] for name in curves])
        values = values[values > 0]
        if values.size and values.max() < 30 * values.min():
            plain_ticks(axis.yaxis)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.17), fontsize=7.5, frameon=False)
    axes[0].set_ylabel("step size η")
    axes[1].set_ylabel("curvature")
    axes[0].set_title("where second moments stop converging", fontsize=9)
    axes[1].set_title(f"what is read {'at w' if known else 'near the minimizer'}", fontsize=9)
    if title:
        figure.suptitle(title, fontsize=9)
    return figure, numbers


def _near_minimum(problem: Any, seed: int) -> np.ndarray:
    """Return the minimizer plus a random direction, so that not all gradients of an interpolating problem vanish."""
    centre = np.asarray(problem.minimizer)
    direction = np.random.default_rng(seed).standard_normal(problem.dim)
    return centre + _DISPLACEMENT * max(1.0, float(np.linalg.norm(centre))) * direction / np.linalg.norm(direction)
