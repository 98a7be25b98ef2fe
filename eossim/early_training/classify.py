"""What loss and sharpness do in the first steps of gradient descent, as one label for each run (arXiv:2302.12250)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, positive_int, real_array

#: Labels along growing c, then the two that end it.
LABELS = (
    "monotone",
    "sharpness-reduction",
    "catapult-loss",
    "catapult-both",
    "sharpness-only",
    "collapsed",
    "diverge",
)
#: Sharpness over that at the start of a network that has fallen to zero output, and how near its loss is to that of
#: zero output; without that loss known, sharpness over that at the start and the last relative change of the loss.
_COLLAPSED = (0.02, 2e-3)
_STANDING = (1e-6, 1e-9)


@dataclass(frozen=True, eq=False)
class Early:
    """What was seen in the first steps of runs, arrays of the runs' shape.

    Attributes:
        label: One of `LABELS`.
        loss_rises: Whether some loss after the start is above that at the start.
        sharpness_rises: Whether some sharpness after the start is above that at the start.
        diverged: Whether some loss is not finite or above the bound.
        dead: Whether a collapsed run has no sharpness left, so that it will never move again.
    """

    label: np.ndarray
    loss_rises: np.ndarray
    sharpness_rises: np.ndarray
    diverged: np.ndarray
    dead: np.ndarray


def classify_early(
    loss: ArrayLike,
    sharpness: ArrayLike,
    c: ArrayLike,
    *,
    steps: int = 10,
    bound: float = 1e5,
    loss_rise: float = 0.0,
    sharpness_rise: float = 0.0,
    zero_output_loss: float | None = None,
) -> Early:
    """Return what the first `steps` steps of runs of gradient descent show.

    A run is "diverge" if a loss is not finite or above `bound`, that after the last step included; else "collapsed" if
    the network has fallen to constant zero output; else "catapult-both", "catapult-loss" or "sharpness-only" by what
    rises above its start; and if neither does "sharpness-reduction" for c > 2, "monotone" for c <= 2. In the dataclass
    what rises stands beside every label, that of a collapsed run as well. Source: arXiv:2302.12250, collapse derived.

    Args:
        loss: Of the whole training set at steps 0, 1, 2, ..., shape (..., t), t >= 2; steps beyond `steps` are not
            looked at.
        sharpness: Largest eigenvalue of the Hessian of that loss, same shape; finite where a run has not diverged.
        c: eta times the sharpness at the start, broadcast against the runs' shape (...).
        steps: Steps of the early transient.
        bound: Largest loss of a run that has not diverged; absolute, because peaks grow like the width.
        loss_rise: Relative rise of the loss that counts.
        sharpness_rise: Relative rise of the sharpness that counts.
        zero_output_loss: Loss of the network with zero output (0.05 for ten one-hot classes under the mean square
            loss ½ mean (f-y)²). It tells more surely whether a network has collapsed.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If series differ in shape or have fewer than two entries, a sharpness of a run that has not
            diverged is not finite, or a number is out of range.
    """
    L, S = first_steps(loss, sharpness, steps)
    c_run = in_interval("c", c, 0.0, open_low=True)
    try:
        c_run = np.broadcast_to(c_run, L.shape[:-1])
    except ValueError:
        raise ValueError(f"c must broadcast against runs of shape {L.shape[:-1]}, got {np.shape(c)}") from None
    diverged, up_L, up_S = what_rises(L, S, bound=bound, loss_rise=loss_rise, sharpness_rise=sharpness_rise)
    with np.errstate(invalid="ignore", over="ignore"):
        collapsed = ~diverged & _collapsed(L, S, zero_output_loss)
        dead = collapsed & (S[..., -1] <= _STANDING[0] * S[..., 0])
    label = labels(c_run, diverged, up_L, up_S, collapsed)
    return Early(label, up_L, up_S, diverged, dead)


def labels(
    c: np.ndarray,
    diverged: np.ndarray,
    loss_rises: np.ndarray,
    sharpness_rises: np.ndarray,
    collapsed: np.ndarray | None = None,
) -> np.ndarray:
    """Return the label of each run from what was seen of it, arrays of one shape."""
    both = loss_rises & sharpness_rises
    fallen = np.zeros_like(diverged) if collapsed is None else collapsed
    return np.select(
        [diverged, fallen, both, loss_rises, sharpness_rises],
        ["diverge", "collapsed", "catapult-both", "catapult-loss", "sharpness-only"],
        np.where(c > 2, "sharpness-reduction", "monotone"),
    )


def first_steps(loss: ArrayLike, sharpness: ArrayLike, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return both series up to step `steps`, of one shape (..., t) with t >= 2."""
    L, S = real_array("loss", loss), real_array("sharpness", sharpness)
    if L.ndim == 0 or L.shape != S.shape:
        raise ValueError(f"loss and sharpness must have one value per step, got shapes {L.shape} and {S.shape}")
    if L.shape[-1] < 2:
        raise ValueError(f"loss and sharpness must have at least two steps, got {L.shape[-1]}")
    end = positive_int("steps", steps) + 1
    return L[..., :end], S[..., :end]


def what_rises(
    L: np.ndarray, S: np.ndarray, *, bound: float, loss_rise: float, sharpness_rise: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which runs, shape (...), diverge, which raise the loss, and which the sharpness, of series (..., t)."""
    in_interval("bound", bound, 0.0, open_low=True)
    in_interval("loss_rise", loss_rise, 0.0)
    in_interval("sharpness_rise", sharpness_rise, 0.0)
    diverged = ~np.all(np.isfinite(L) & (bound >= L), axis=-1)
    lost = np.argwhere(~np.isfinite(S) & ~diverged[..., None])
    if len(lost):
        at = tuple(lost[0])
        raise ValueError(f"sharpness must be finite where the run has not diverged, got {S[at]} at step {at[-1]}")
    with np.errstate(invalid="ignore", over="ignore"):
        up_L = np.any(L[..., 1:] > L[..., :1] * (1 + loss_rise), axis=-1)
        up_S = np.any(S[..., 1:] > S[..., :1] * (1 + sharpness_rise), axis=-1)
    return diverged, up_L, up_S


def _collapsed(L: np.ndarray, S: np.ndarray, zero_output_loss: float | None) -> np.ndarray:
    """Return which runs have fallen to constant zero output."""
    if zero_output_loss is None:
        part, near = _STANDING
        target, before = L[..., -1], L[..., -2]
    else:
        part, near = _COLLAPSED
        target = in_interval("zero_output_loss", zero_output_loss, 0.0, open_low=True)
        before = L[..., -1]
    return (S[..., -1] <= part * S[..., 0]) & (np.abs(target - before) <= near * target)
