"""The late phase of a run, the second half of it, read at pairs of neighbouring steps.

At an edge the state alternates, so that what is measured at every second step only is biased.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


def pairs(steps: int, every: int) -> np.ndarray:
    """Return the steps t and t + 1 of every so many steps t = 0, every, ..., steps."""
    first = np.arange(0, steps + 1, every)
    return np.unique(np.concatenate([first, first + 1]))


@dataclass(frozen=True)
class LateRatio:
    """How sharpness compares with the edge in the second half of a run.

    Attributes:
        first: Median of sharpness / edge at the first steps of pairs.
        second: The same at the second ones.
        both: Median of R₂, the sum of the two sharpnesses over the sum of the two edges.
        quartiles: Lower and upper quartile of R₂.
        edge: Mean edge of the last pair.
        sharpness: Mean sharpness of the last pair.
    """

    first: float
    second: float
    both: float
    quartiles: tuple[float, float]
    edge: float
    sharpness: float


def late_ratio(step: np.ndarray, sharpness: np.ndarray, edge: np.ndarray) -> LateRatio:
    """Return the ratio over the pairs (t, t + 1) in the second half of the steps; nan in a run that diverged.

    Args:
        step: Measured steps, shape (k,).
        sharpness: In the units of the edge, shape (k,).
        edge: Shape (k,).
    """
    step = np.asarray(step)
    at = np.flatnonzero((np.diff(step) == 1) & (step[:-1] >= step[-1] // 2))
    if at.size > 1 and np.all(np.diff(step) == 1):
        at = at[::2]  # every step measured: pairs that do not overlap
    if not at.size:
        raise ValueError(f"steps must hold pairs t, t + 1 in their second half, got {step.tolist()!r:.80}")
    S, E = np.stack([sharpness[at], sharpness[at + 1]]), np.stack([edge[at], edge[at + 1]])
    R2 = S.sum(axis=0) / E.sum(axis=0)
    low, high = np.quantile(R2, [0.25, 0.75])
    first, second = np.median(S / E, axis=1)
    return LateRatio(
        float(first),
        float(second),
        float(np.median(R2)),
        (float(low), float(high)),
        float(E[:, -1].mean()),
        float(S[:, -1].mean()),
    )
