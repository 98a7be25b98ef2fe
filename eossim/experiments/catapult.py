"""Raising the step size or shrinking the batch destabilises SGD late, at the edge, and not early, far below it.

Early and late the loss of the run oscillates alike and the gradient-noise interaction is near 2/eta: what tells an
oscillation driven by noise from one driven by curvature is what a change of the step does. Branches begin at
checkpoints of one run, with batches in the same order.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..engine.record import Record
from ..engine.sampling import sgd
from ..networks import MLP
from ..theory.queries import edge
from ..training import load_checkpoint, train
from ..training.trackers import make_trackers
from .digits import random_labels
from .result import Result

if TYPE_CHECKING:
    import xarray as xr

ETA, BATCH_SIZE = 0.05, 8
#: Steps at which branches begin: below the edge, and at it.
EARLY, LATE = 3_000, 16_000
#: Steps of a branch, steps after the change in which its largest loss counts, and between two looks at it.
STEPS, WINDOW, LOOK = 4_000, 500, 10
#: Largest loss over that at the change: above the one it is a catapult, below the other none.
CATAPULT, NONE = 5.0, 2.5


@dataclass(frozen=True)
class Change:
    """A change of the method at a checkpoint.

    Attributes:
        title: In words.
        eta: Step size from there on.
        batch_size: b from there on.
        destabilises: Whether it lowers the edge below where the run is late.
    """

    title: str
    eta: float = ETA
    batch_size: int = BATCH_SIZE
    destabilises: bool = False


CHANGES = (
    Change("control"),
    Change("η → 0.1", eta=0.1, destabilises=True),
    Change("b → 4", batch_size=4, destabilises=True),
    Change("b → 2", batch_size=2, destabilises=True),
    Change("η → 0.025", eta=0.025),
    Change("b → 32", batch_size=32),
)
QUICK = ("control", "η → 0.1", "b → 4", "b → 32")


def run(quick: bool = False, seed: int = 0) -> Result:
    """Change eta or b of a run with eta = 0.05, b = 8 at two of its steps and look for a catapult.

    Columns: ``step`` and ``change``; batch sharpness and λ_max over the new 2/eta ``before`` the change (at its new
    batch size) and ``after`` the branch; ``rises``, the largest full loss in 500 steps over that at the change;
    ``over_control``, the largest over that of the control branch; ``as_expected``: above 5 for a destabilising change
    at the late step, below 2.5 for all others.

    Args:
        quick: Four changes, branches of 500 steps.
        seed: Of data, labels, weights and order.
    """
    problem, start = random_labels(seed)
    changes = [change for change in CHANGES if not quick or change.title in QUICK]
    length = WINDOW if quick else STEPS
    rows, runs = [], {}
    with tempfile.TemporaryDirectory() as folder:
        method = sgd(eta=ETA, batch_size=BATCH_SIZE, sampling="reshuffle")
        before: Path | None = None
        for step, length_before in ((EARLY, EARLY), (LATE, LATE - EARLY)):
            path = Path(folder) / f"{step}.npz"
            train(
                problem,
                method,
                start if before is None else None,
                length_before,
                record=Record(at=[step]),
                seed=seed,
                checkpoint=path,
                resume_from=before,
            )
            before = path
            control = None
            for change in changes:
                branch = runs[f"{change.title} at {step}"] = _branch(problem, change, path, step, length, seed)
                control = branch if control is None else control
                rows.append(_row(change, step, branch, control))
    settings = {"data": "1024 digits, random labels", "network": "64-96-96-10 relu", "eta": ETA, "b": BATCH_SIZE}
    return Result("Changes of the step, early and late", rows, runs, settings | {"seed": seed})


def _branch(problem: MLP, change: Change, path: Path, step: int, length: int, seed: int) -> xr.Dataset:
    """Return the loss of a branch every 10 steps, and curvature at its two ends."""
    method = sgd(eta=change.eta, batch_size=change.batch_size, sampling="reshuffle")
    record = Record(at=np.arange(step, step + length + 1, LOOK), what=("loss",))
    branch = train(problem, method, steps=length, record=record, seed=seed, resume_from=path).isel(run=0)
    ends = {step: load_checkpoint(path).w[0], step + length: branch.w_final.values}
    trackers = make_trackers(("batch_sharpness", "sharpness"), problem, method, seed)
    columns = {
        tracker.name: ("end", [tracker.measure(t, w, {"w": w})[tracker.name] for t, w in ends.items()])
        for tracker in trackers
    }
    return branch.drop_vars("w_final").assign(columns).assign_coords(end=["before", "after"])


def _row(change: Change, step: int, branch: xr.Dataset, control: xr.Dataset) -> dict[str, object]:
    """Return a row of the table."""
    target = edge("gd", eta=change.eta)
    window = branch.loss.values[: WINDOW // LOOK + 1]
    rises = float(window[1:].max() / window[0])
    BS, top = branch.batch_sharpness.values / target, branch.sharpness.values / target
    catapult = change.destabilises and step == LATE
    return {
        "step": step,
        "change": change.title,
        "2/eta": target,
        "BS_before": float(BS[0]),
        "BS_after": float(BS[1]),
        "lambda_before": float(top[0]),
        "lambda_after": float(top[1]),
        "rises": rises,
        "over_control": float(window[1:].max() / control.loss.values[1 : len(window)].max()),
        "as_expected": rises > CATAPULT if catapult else rises < NONE,
    }
