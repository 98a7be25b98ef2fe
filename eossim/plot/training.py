"""A training run: the loss, and below it every sharpness that was tracked beside the edge of the method."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from .risk_parts import Numbers
from .style import COLORS, new_figure

#: Quantities that are curvatures, by name in the run: label and colour.
CURVATURES = {
    "sharpness": ("λ$_{max}$", COLORS["gd"]),
    "generalized_sharpness": ("S in the norm", COLORS["sam"]),
    "preconditioned_sharpness": ("preconditioned λ$_{max}$", COLORS["sam"]),
    "batch_sharpness": ("batch sharpness", COLORS["sam"]),
    "directional_smoothness": ("D", COLORS["other"]),
    "sam_edge": ("edge of SAM", COLORS["usam"]),
}


def training(run: Any, *, title: str = "") -> tuple[Figure, Numbers]:
    """Draw the first run of `eossim.train`: loss above, tracked curvatures and the edge below.

    Args:
        run: What `train` returned, with "loss" and at least one curvature.
        title: Above the figure.

    Returns:
        The figure, and its numbers.

    Raises:
        ValueError: If no curvature was tracked.
    """
    shown = [name for name in CURVATURES if name in run]
    if not shown:
        raise ValueError(f"nothing to draw beside the loss: track one of {', '.join(CURVATURES)}")
    step = run.step.values
    figure, (above, below) = new_figure(2, 1, height=4.6, sharex=True, height_ratios=(1, 1.8))
    numbers: Numbers = {"step": step.astype(float), "loss": run.loss.values[0]}
    above.semilogy(step, numbers["loss"], color=COLORS["gd"])
    above.set_ylabel("loss")
    for name in shown:
        label, color = CURVATURES[name]
        numbers[name] = run[name].values[0]
        below.plot(step, numbers[name], color=color, linewidth=1, label=label)
    ceiling = max(np.nanmax(numbers[name]) for name in shown)
    if "edge" in run:
        numbers["edge"] = run.edge.values[0]
        below.plot(
            step, numbers["edge"], color=COLORS["edge"], linestyle="--", linewidth=1.2, label="edge of the method"
        )
        late = float(np.nanmedian(numbers["edge"][len(step) // 2 :]))
        ceiling = min(ceiling, 3 * late) if ceiling > late else max(ceiling, 1.3 * late)
    below.set(xlabel="step", ylabel="curvature", ylim=(0, 1.1 * ceiling))
    below.legend(fontsize=8, frameon=False, loc="best")
    figure.suptitle(title or str(run.attrs.get("method", "")), fontsize=9)
    return figure, numbers
