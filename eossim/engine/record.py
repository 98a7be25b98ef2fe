"""What a simulation keeps, apart from how it steps."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .._check import positive_int, unknown

#: What runs of rules keep.
QUANTITIES = ("loss", "grad_norm", "w", "sharpness", "edge", "alignment", "multiplier")
#: What runs of steepest descent keep; "step_size" is for adaptive ones.
DESCENT_QUANTITIES = (
    "loss",
    "grad_norm",
    "w",
    "dual_norm",
    "directional_smoothness",
    "edge",
    "identity_residual",
    "generalized_sharpness",
    "sharpness",
    "step_size",
)
_DENSE_UP_TO = 2000
_PAIRS = 500


@dataclass(frozen=True)
class Record:
    """Which steps and which quantities to keep.

    Args:
        every: Keep every so many steps (0 and the last one included). An even stride sees one side of a period-2
            oscillation only, and warns. Without `every` and `at`: all steps of a run of up to 2000, else some 500 pairs
            of neighbouring steps, so that both sides of the oscillation are seen (`train`: up to 400, else 200 pairs).
        at: Keep these steps, increasing, between 0 and the number of steps.
        what: Any of ``loss``; ``grad_norm``; ``w`` (the iterate); ``sharpness`` (largest eigenvalue of the Hessian, of
            the preconditioned one for a preconditioned rule); ``edge`` (of the rule, at the state); ``alignment``
            (part of the gradient in the top eigenspace, between 0 and 1); ``multiplier`` (factor of the gradient along
            the top eigenvector over the last step; nan at step 0). Nothing at all leaves ``diverged_at``. None takes
            the default of the method: loss and gradient norm of a rule.

            Of steepest and adaptive descent, with G = ‖g‖*, the length s of the step by definition, and the signed
            directional smoothness D of the step that was taken (one more is taken after the last), any of ``loss``;
            ``grad_norm`` (Euclidean); ``w``; ``dual_norm`` (G); ``directional_smoothness`` (D); ``edge`` (2/eta,
            normalised 2 G/eta); ``identity_residual`` (what is left of ΔL = -s G + ½s² D over the step that was taken,
            relative to the largest number that it is made of: below 1e-12, and 1e-6 in float32); ``step_size`` (of
            adaptive descent); ``sharpness`` (quadratics); ``generalized_sharpness`` (max {dᵀHd : ‖d‖ = 1}; a search at
            every recorded point unless the problem is quadratic). By default those that cost a product or two.

            `train` keeps ``loss``, ``grad_norm`` and ``w``; what is dearer is tracked.
        track: What `train` measures at the kept steps: names of trackers (`eossim.training.trackers`), such as
            ``"sharpness"``, ``"edge"`` or ``"batch_sharpness"``. `simulate` has none.

    Raises:
        ValueError: for an unknown quantity, both `every` and `at`, or steps out of order.
    """

    every: int | None = None
    at: Sequence[int] | np.ndarray | None = None
    what: Sequence[str] | None = None
    track: Sequence[str] = ()

    def __post_init__(self) -> None:
        if isinstance(self.what, str):
            object.__setattr__(self, "what", (self.what,))
        object.__setattr__(self, "track", (self.track,) if isinstance(self.track, str) else tuple(self.track))
        for name in self.track:
            if not isinstance(name, str):
                raise TypeError(f"track must hold names of trackers, got {name!r}")
        known = tuple(dict.fromkeys(QUANTITIES + DESCENT_QUANTITIES))
        for name in self.what or ():
            if name not in known:
                raise unknown("quantity", name, known)
        if self.every is not None and self.at is not None:
            raise ValueError("give every or at, not both")
        if self.every is not None:
            stride = positive_int("every", self.every)
            if stride % 2 == 0:
                warnings.warn(
                    f"every={stride} is even: it sees one side of a period-2 oscillation only; use an odd stride",
                    UserWarning,
                    stacklevel=3,
                )
        if self.at is not None:
            steps = np.asarray(self.at)
            if steps.ndim != 1 or steps.size == 0 or not np.issubdtype(steps.dtype, np.integer):
                raise ValueError(f"at must be a non-empty list of step numbers, got {self.at!r}")
            if np.any(np.diff(steps) <= 0) or steps[0] < 0:
                raise ValueError(f"at must increase from 0 or later, got {list(self.at)!r:.80}")

    def points(self, steps: int, *, all_up_to: int = _DENSE_UP_TO, pairs: int = _PAIRS) -> np.ndarray:
        """Return the steps to keep of a run of `steps`.

        Args:
            steps: Number of steps.
            all_up_to: Without `every` and `at`, shorter runs keep all steps,
            pairs: and longer ones so many pairs of neighbouring steps.
        """
        if self.at is not None:
            points = np.asarray(self.at, dtype=np.int64)
            if points[-1] > steps:
                raise ValueError(f"at asks for step {points[-1]} of a run of {steps} steps")
            return points
        if self.every is not None:
            return np.unique(np.append(np.arange(0, steps + 1, self.every), steps))
        if steps <= all_up_to:
            return np.arange(steps + 1)
        starts = np.linspace(0, steps - 1, pairs).astype(np.int64)
        return np.unique(np.concatenate([starts, starts + 1]))


def checked_record(record: Record | None) -> Record:
    """Return a record, the default for None.

    Raises:
        TypeError: for what is no record.
    """
    if record is None:
        return Record()
    if not isinstance(record, Record):
        raise TypeError(f'record must be a Record, such as Record(what=("loss",)), got {record!r}')
    return record
