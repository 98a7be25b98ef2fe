"""SGD sits where batch sharpness is 2/eta, whatever the batch size, while λ_max stays below, the further the smaller b.

A network learns random labels of 1024 digits by SGD with random reshuffling, for batch sizes 2 to n. At b = n batch
sharpness, the ratio of means and λ_max meet at the edge of GD.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..engine.record import Record
from ..engine.sampling import sgd
from ..theory.queries import edge
from ..training import train
from ..training.trackers import make_trackers
from .digits import random_labels
from .result import Result

if TYPE_CHECKING:
    import xarray as xr

ETA = 0.05
#: Part of a run that counts as its end, and points that are measured before and in it.
LATE, POINTS, QUICK_POINTS = 0.4, (28, 20), (6, 18)
#: What is tracked at all points, and at every fourth of them: eigenvalues take longer.
TRACKED, EIGENVALUES, EVERY = ("batch_sharpness", "ratio_of_means", "gni"), ("sharpness", "lambda_max_batch"), 4
#: Part of the edge from which a run counts as there.
_THERE = 0.9


@dataclass(frozen=True)
class Setting:
    """A batch size with what is expected of it, over 2/eta, in the last 40 % of the run.

    Attributes:
        batch_size: b.
        steps: Steps.
        batch_sharpness: Range of batch sharpness.
        sharpness: Range of λ_max.
        interaction: Largest distance of the gradient-noise interaction from 1.
    """

    batch_size: int
    steps: int
    batch_sharpness: tuple[float, float]
    sharpness: tuple[float, float]
    interaction: float


SETTINGS = (
    Setting(2, 24_000, (0.78, 1.1), (0.0, 0.12), 0.4),
    Setting(4, 24_000, (0.85, 1.15), (0.0, 0.2), 0.4),
    Setting(8, 24_000, (0.85, 1.15), (0.3, 0.55), 0.1),
    Setting(16, 20_000, (0.85, 1.15), (0.72, 0.95), 0.1),
    Setting(32, 16_000, (0.85, 1.15), (0.92, 1.1), 0.1),
    Setting(128, 12_000, (0.85, 1.15), (0.92, 1.1), 0.1),
    Setting(1024, 8_000, (0.85, 1.15), (0.92, 1.1), 0.1),
)
#: Batch sizes of the quick version, and the steps that bring them to the edge.
QUICK = {8: 24_000, 128: 8_000, 1024: 3_000}


def run(quick: bool = False, seeds: Sequence[int] = (0, 1)) -> Result:
    """Train at every batch size and compare notions of curvature with 2/eta in the last 40 % of the run.

    Columns: ``b``, ``seed``, ``2/eta``; then, over 2/eta: ``BS``, batch sharpness, with its range over the window and
    the range ``expected`` of its mean; ``RM``, the ratio of means; ``lambda_max``, with ``expected_lambda``;
    ``batch_lambda``, E λ_max(H_B); ``GNI``, the gradient-noise interaction, a ratio of sums over the window. Then the
    ``loss``, the step at which BS is ``there`` (0.9 of the edge), and ``as_expected``.

    Args:
        quick: Batch sizes 8, 128 and 1024 of the first seed, measured at fewer points and without λ_max(H_B).
        seeds: Seeds of data, labels, weights and order.
    """
    chosen = list(SETTINGS)
    if quick:
        chosen = [replace(s, steps=QUICK[s.batch_size]) for s in SETTINGS if s.batch_size in QUICK]
    rows, runs = [], {}
    for seed in seeds[:1] if quick else seeds:
        for setting in chosen:
            found = trajectory(setting, seed, QUICK_POINTS if quick else POINTS, batch_eigenvalues=not quick)
            runs[f"b = {setting.batch_size}, seed {seed}"] = found
            rows.append(_row(setting, seed, found))
    settings = {
        "data": "1024 digits, random labels",
        "network": "64-96-96-10 relu",
        "eta": ETA,
        "points, late ones": "{}, {}".format(*(QUICK_POINTS if quick else POINTS)),
    }
    return Result("SGD at the stochastic edge", rows, runs, settings)


def trajectory(setting: Setting, seed: int, points: tuple[int, int], *, batch_eigenvalues: bool = True) -> xr.Dataset:
    """Return loss, gradient norm and notions of curvature along a run; NaN where eigenvalues are not measured.

    Args:
        setting: Batch size and steps.
        seed: As in `run`.
        points: Number of points before and in the last 40 %.
        batch_eigenvalues: Whether E λ_max(H_B) is among them.
    """
    problem, start = random_labels(seed)
    method = sgd(eta=ETA, batch_size=setting.batch_size, sampling="reshuffle")
    late = round((1 - LATE) * setting.steps)
    before, after = np.linspace(0, late, points[0], endpoint=False), np.linspace(late, setting.steps, points[1])
    at = np.concatenate([before, after]).astype(np.int64)
    record = Record(at=at, what=("loss", "grad_norm", "w"), track=TRACKED)
    done = train(problem, method, start, setting.steps, record=record, seed=seed).isel(run=0)
    names = EIGENVALUES[: 1 + batch_eigenvalues]
    columns = {name: np.full(len(at), np.nan) for name in EIGENVALUES}
    trackers = make_trackers(names, problem, method, seed)
    for k in range(0, len(at), EVERY):
        w = done.w.values[k].astype(problem.dtype)
        for tracker in trackers:
            columns[tracker.name][k] = tracker.measure(int(at[k]), w, {"w": w})[tracker.name]
    return done.drop_vars(["w", "w_final"]).assign({name: ("step", column) for name, column in columns.items()})


def _row(setting: Setting, seed: int, found: xr.Dataset) -> dict[str, object]:
    """Return a row of the table."""
    target = edge("gd", eta=ETA)
    late = found.sel(step=slice(round((1 - LATE) * setting.steps), None))
    ratio = late.batch_sharpness.values / target
    BS, top = float(ratio.mean()), float(late.sharpness.mean()) / target
    square = late.grad_norm.values**2
    interaction = float((late.gni.values * square).sum() / square.sum()) / target
    batch_top = float(late.lambda_max_batch.mean()) / target
    reached = found.step.values[(found.batch_sharpness.values >= _THERE * target) & (found.step.values > 0)]
    low, high = setting.batch_sharpness
    least, most = setting.sharpness
    expected = low <= BS <= high and least <= top <= most and abs(interaction - 1) <= setting.interaction
    return {
        "b": setting.batch_size,
        "seed": seed,
        "2/eta": target,
        "BS": BS,
        "BS_range": (float(ratio.min()), float(ratio.max())),
        "expected": setting.batch_sharpness,
        "RM": float(late.ratio_of_means.mean()) / target,
        "lambda_max": top,
        "expected_lambda": setting.sharpness,
        "batch_lambda": None if np.isnan(batch_top) else batch_top,
        "GNI": interaction,
        "loss": float(late.loss.mean()),
        "there": int(reached[0]) if len(reached) else None,
        "as_expected": expected and not batch_top < BS,
    }
