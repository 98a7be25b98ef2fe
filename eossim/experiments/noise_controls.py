"""Which noise keeps λ_max below 2/eta: that of batches, whose curvature is random too, and not that of the gradient.

Full-batch gradient descent with Gaussian noise on top, of the size that batches of 8 would bring. Isotropic and
diagonal noise leave λ_max at 2/eta, as without noise. Gaussian weights on the samples, whose curvature varies as a
batch's does, hold it down as batches do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..engine.record import Record
from ..engine.sampling import Minibatch, noisy_gd, sgd
from ..theory.queries import edge
from ..training import train
from .digits import random_labels
from .result import Result

if TYPE_CHECKING:
    import xarray as xr

ETA, BATCH_SIZE, STEPS, EVERY = 0.05, 8, 10_000, 500
#: Points at the end of a run that are averaged.
_LAST = 4


@dataclass(frozen=True)
class Control:
    """A kind of noise, and the range of the late λ_max over 2/eta that is expected of it."""

    title: str
    noise: str
    sampling: str
    sharpness: tuple[float, float]

    @property
    def method(self) -> Minibatch:
        """SGD, or gradient descent with noise."""
        if self.noise == "batch":
            return sgd(eta=ETA, batch_size=BATCH_SIZE, sampling=self.sampling)
        return noisy_gd(eta=ETA, batch_size=BATCH_SIZE, noise=self.noise, sampling=self.sampling)


HELD_DOWN, AT_THE_EDGE = (0.25, 0.6), (0.9, 1.1)
CONTROLS = (
    Control("batches, reshuffled", "batch", "reshuffle", HELD_DOWN),
    Control("batches, fresh", "batch", "without_replacement", HELD_DOWN),
    Control("Gaussian weights", "gaussian", "iid", HELD_DOWN),
    Control("diagonal", "diagonal", "iid", AT_THE_EDGE),
    Control("isotropic", "isotropic", "iid", AT_THE_EDGE),
)


def run(quick: bool = False, seed: int = 0) -> Result:
    """Train with every kind of noise from the same start and compare λ_max with 2/eta at the end.

    Columns: ``noise``; over 2/eta: ``lambda_max`` and the range ``expected`` of it, ``BS``, batch sharpness at b = 8;
    ``loss``; ``as_expected``.

    Args:
        quick: Batches alone, measured at the end.
        seed: Of data, labels, weights and noise.
    """
    rows, runs = [], {}
    target = edge("gd", eta=ETA)
    for control in CONTROLS[:2] if quick else CONTROLS:
        found = runs[control.title] = _trajectory(control, seed, quick)
        top, BS, loss = (float(found[name][-_LAST:].mean()) for name in ("sharpness", "batch_sharpness", "loss"))
        low, high = control.sharpness
        rows.append(
            {
                "noise": control.title,
                "2/eta": target,
                "lambda_max": top / target,
                "expected": control.sharpness,
                "BS": BS / target,
                "loss": loss,
                "as_expected": low <= top / target <= high,
            }
        )
    settings = {"data": "1024 digits, random labels", "network": "64-96-96-10 relu", "eta": ETA, "b": BATCH_SIZE}
    return Result("Which noise suppresses sharpness", rows, runs, settings | {"steps": STEPS, "seed": seed})


def _trajectory(control: Control, seed: int, quick: bool) -> xr.Dataset:
    problem, start = random_labels(seed)
    points = np.arange(0, STEPS + 1, EVERY)
    track = ("sharpness", f"batch_sharpness[{BATCH_SIZE}]")
    record = Record(at=points[-_LAST:] if quick else points, what=("loss",), track=track)
    done = train(problem, control.method, start, STEPS, record=record, seed=seed).isel(run=0).drop_vars("w_final")
    return done.rename({track[1]: "batch_sharpness"})
