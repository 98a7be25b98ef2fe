"""Which of the four regimes of training a run is in, step by step.

T1, the early transient, ends by definition. In T2 the sharpness is saturated, in T3 it rises, and T4, the edge of
stability, begins when it reaches the threshold (arXiv:2302.12250).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval, positive_int, real_array

#: Median of sharpness / threshold over the last quarter of a run at the edge of stability.
_AT_THE_EDGE = (0.97, 1.06)


@dataclass(frozen=True)
class Regimes:
    """Where the regimes of a run of `length` measured steps lie: T1 to `early`, then to `rise`, `edge` and the end.

    Attributes:
        early: Last step of T1, unless the run diverges before.
        rise: First step of T3, or None if the sharpness does not rise before the edge.
        edge: First step of T4, or None.
        diverged_at: First step whose loss exceeds the bound or is not finite, or None.
        confirmed: Whether the run is finite and hovers at the threshold in its last quarter.
        length: Number of measured steps.
    """

    early: int
    rise: int | None
    edge: int | None
    diverged_at: int | None
    confirmed: bool
    length: int

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """First step of each regime that there is, and the first step after it."""
        edge = self.length if self.edge is None else self.edge
        rise = edge if self.rise is None else self.rise
        ends = (0, min(self.early + 1, self.length), rise, edge, self.length)
        spans = zip(("T1", "T2", "T3", "T4"), ends, ends[1:], strict=False)
        return {name: (first, end) for name, first, end in spans if first < end}

    def __str__(self) -> str:
        return ", ".join([*self.spans, *(() if self.diverged_at is None else ("diverged",))])


def detect_regimes(
    loss: ArrayLike,
    sharpness: ArrayLike,
    threshold: float,
    *,
    early: int = 10,
    rise: float = 0.02,
    bound: float = 1e5,
) -> Regimes:
    """Return the regimes of a run of which every step 0, 1, 2, ... was measured.

    T4 begins at the first step beyond `early` with sharpness at least `threshold` (a start above it is not at the edge
    of stability), T3 at the first step before it where sharpness is the part `rise` above its least value since
    `early`.

    Args:
        loss: Losses, shape (k,); those beyond `bound` and those not finite count as diverged. Labelled with steps, as
            results of `eossim.train` are, these are checked: ``Record(every=1)`` keeps all of them.
        sharpness: Largest eigenvalue of the Hessian, shape (k,), finite as long as the loss is.
        threshold: The edge, 2/eta of gradient descent; positive.
        early: Last step of T1.
        rise: Relative rise that ends T2.
        bound: The largest loss of a run that has not diverged.

    Raises:
        ValueError: If series differ in length, have no step beyond `early` or leave out steps, if a sharpness is not
            finite, or the threshold not positive.
    """
    in_interval("threshold", threshold, 0.0, np.inf, open_low=True, open_high=True)
    for name, series in (("loss", loss), ("sharpness", sharpness)):
        _require_every_step(name, series)
    L, S = real_array("loss", loss), real_array("sharpness", sharpness)
    if L.ndim != 1 or L.shape != S.shape:
        raise ValueError(f"loss and sharpness must have one value per step, got shapes {L.shape} and {S.shape}")
    if positive_int("early", early) + 1 >= len(L):
        raise ValueError(f"there must be a step beyond early={early}, got {len(L)} steps")
    over = np.flatnonzero(np.logical_not(bound >= L))  # nan too
    length = int(over[0]) if over.size else len(L)
    if not np.all(np.isfinite(S[:length])):
        raise ValueError(f"sharpness must be finite where the loss is, got {S[:length][~np.isfinite(S[:length])][0]}")
    reached = np.flatnonzero(S[early + 1 : length] >= threshold)
    edge = early + 1 + int(reached[0]) if reached.size else None
    before = S[early : length if edge is None else edge]
    risen: np.ndarray = np.array([], int)
    if before.size:
        least = int(before.argmin())
        risen = early + least + 1 + np.flatnonzero(before[least + 1 :] > (1 + rise) * before[least])
    low, high = _AT_THE_EDGE
    return Regimes(
        early,
        int(risen[0]) if risen.size else None,
        edge,
        int(over[0]) if over.size else None,
        not over.size and bool(low <= np.median(S[-(length // 4 or 1) :]) / threshold <= high),
        length,
    )


def _require_every_step(name: str, series: ArrayLike) -> None:
    """Raise ValueError if a labelled series leaves out steps."""
    if "step" not in getattr(series, "coords", ()):
        return
    steps = np.atleast_1d(series.coords["step"].values)  # type: ignore[union-attr]
    if not np.array_equal(steps, np.arange(len(steps))):
        shown = ", ".join(map(str, steps[:4]))
        raise ValueError(f"{name} must have every step 0, 1, 2, ..., got {shown}, ...: keep all with Record(every=1)")
