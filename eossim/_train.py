"""What ``eossim train`` does: a network on a data set under a method, with its sharpness beside the edge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import catalogue
from . import data as datasets
from ._check import existing_folder, figure_path, positive_int, unknown
from ._rule import Family
from ._runs import STEEPEST, steepest
from ._sharpness import norms_from
from ._tables import text_table
from .engine.record import Record
from .engine.sampling import RULES, minibatch
from .experiments.late import late_ratio, pairs
from .networks import MLP, one_hot
from .norms import Norm
from .training import adam, rmsprop, train
from .training.track.norms import LAYERED, norm_named

MOMENTS = {"adam": adam, "rmsprop": rmsprop}
_ROWS, _MEASURED = 12, 100
#: Measured steps from which on a run may be said to have settled.
_ENOUGH = 100


def network(
    data: str, sizes: Sequence[int], *, activation: str, loss: str, samples: int | None, gain: float, seed: int
) -> MLP:
    """Return a network on a data set.

    Inputs are standardized over the samples in use. Targets that are whole numbers 0 to k - 1, with k outputs, are
    classes (one-hot for "mse"); otherwise there is one output, and targets are standardized.

    Args:
        data: Data set (see `eossim.data.load`).
        sizes: Units of every layer.
        activation: Of the network.
        loss: "mse" or "cross-entropy".
        samples: How many of a random order; all by default.
        gain: Of the weights at the start.
        seed: Of that order and of the weights.

    Raises:
        ValueError: for more samples than there are, or sizes that do not fit the data.
    """
    loaded = datasets.load(data)
    count = len(loaded.X) if samples is None else positive_int("--samples", samples)
    if count > len(loaded.X):
        raise ValueError(f"--samples must be at most the {len(loaded.X)} of {loaded.name}, got {count}")
    chosen = np.random.default_rng(seed).permutation(len(loaded.X))[:count]
    X, y = loaded.X[chosen], loaded.y[chosen]
    X = (X - X.mean(axis=0)) / (X.std(axis=0) + 0.01 * max(1e-300, float(np.abs(X).max())))
    classes = len(sizes) > 1 and sizes[-1] > 1
    if classes:
        if np.any(y != np.floor(y)) or y.min() < 0 or y.max() >= sizes[-1]:
            raise ValueError(
                f"--sizes ends with {sizes[-1]} outputs: the targets of {loaded.name} must then be classes 0 to "
                f"{sizes[-1] - 1}, got values from {y.min():g} to {y.max():g}"
            )
        labels = y.astype(np.int64)
        targets: np.ndarray = labels if loss == "cross-entropy" else one_hot(labels, sizes[-1])
    else:
        targets = (y - y.mean()) / (y.std() or 1.0)
    return MLP(sizes, activation, loss, X, targets, gain=gain, seed=seed)


def method_of(name: str, values: dict[str, Any], problem: MLP, norm: str | None, batch_size: int | None) -> Any:
    """Return a bound method by name, on mini-batches if a batch size is given.

    Raises:
        ValueError: for an unknown method, what is missing, or what does not go together.
    """
    if name in STEEPEST:
        if norm is None:
            raise ValueError(f"{name} needs --norm, such as linf, spectral, block_max")
        if batch_size is not None:
            raise ValueError(f"{name} is for full batches: leave out --batch-size")
        return steepest(name, _norm(norm, problem), values)
    if norm is not None:
        raise ValueError(f"--norm is for {' and '.join(STEEPEST)}, got it with {name}")
    if name in MOMENTS:
        if batch_size is not None:
            raise ValueError(f"{name} is for full batches here: leave out --batch-size")
        known = ("eta", "beta1", "beta2", "eps") if name == "adam" else ("eta", "beta2", "eps")
        wrong = sorted(set(values) - set(known))
        if wrong or "eta" not in values:
            raise unknown(f"parameter of {name}", wrong[0], known) if wrong else ValueError(f"{name} needs --eta")
        return MOMENTS[name](**values)
    if name == "sgd":
        name = "heavy_ball" if "beta" in values else "gd"
        if batch_size is None:
            raise ValueError("sgd needs --batch-size")
    names = [*catalogue.entries(), *STEEPEST, *MOMENTS, "sgd"]
    if name not in names:
        raise unknown("method", name, names)
    rule = catalogue.lookup(name)
    if isinstance(rule, Family):
        raise ValueError(f"{name} is a family of rules: train takes single rules")
    bound = rule(**values)
    if batch_size is None:
        return bound
    if name not in RULES:
        raise ValueError(f"--batch-size goes with {', '.join(RULES)} and sgd, got {name}")
    return minibatch(bound, batch_size=batch_size, sampling="reshuffle")


def _norm(name: str, problem: MLP) -> Norm:
    """Return a norm on the parameters; blocks and matrices are the layers of the network."""
    if name in LAYERED:
        return norm_named(name, problem)
    (found,) = norms_from(name, problem.dim)
    return found


def default_tracking(name: str, batch_size: int | None) -> list[str]:
    """Return what is measured unless asked for otherwise: the sharpness that belongs to the method, and its edge."""
    if name in STEEPEST:
        return ["generalized_sharpness", "directional_smoothness", "sharpness", "edge"]
    if name in MOMENTS:
        return ["preconditioned_sharpness", "sharpness", "edge"]
    return ["sharpness", "edge"] if batch_size is None else ["batch_sharpness", "sharpness", "edge"]


def report(
    data: str,
    sizes: str,
    method: str,
    values: dict[str, Any],
    *,
    activation: str,
    loss: str,
    samples: int | None,
    gain: float,
    norm: str | None,
    batch_size: int | None,
    steps: int,
    track: str | None,
    seed: int,
    checkpoint: Path | None,
    resume: bool,
    save: Path | None,
    out: Path | None,
    progress: bool,
) -> str:
    """Train, and return loss, sharpness and edge along the way with their late ratio; draw it to `out`."""
    positive_int("--seed", seed, minimum=0)
    if out is not None:
        figure_path("--out", out)
    for path in (checkpoint, save):
        if path is not None:
            existing_folder(path)
    if resume and checkpoint is None:
        raise ValueError("--resume needs --checkpoint, the file to go on from")
    if checkpoint is not None and checkpoint.exists() != resume:
        there = (
            "exists: give --resume to go on from it" if checkpoint.exists() else "does not exist: leave out --resume"
        )
        raise ValueError(f"--checkpoint {str(checkpoint)!r} {there}")
    try:
        units = [int(word) for word in sizes.split(",")]
    except ValueError:
        raise ValueError(f"--sizes must be whole numbers separated by commas, got {sizes!r}") from None
    problem = network(data, units, activation=activation, loss=loss, samples=samples, gain=gain, seed=seed)
    bound = method_of(method, values, problem, norm, batch_size)
    names = default_tracking(method, batch_size) if track is None else [word.strip() for word in track.split(",")]
    positive_int("--steps", steps)
    every = max(1, steps // _MEASURED)
    at = pairs(steps, every)
    record = Record(at=at[at <= steps], what=("loss", "grad_norm"), track=names)
    run = train(
        problem,
        bound,
        steps=steps,
        record=record,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_every=max(1, steps // 20) if checkpoint is not None else None,
        progress=progress,
    )
    if save is not None:
        run.to_netcdf(save)
    head = [f"{bound!r} on {problem!r}, {steps} steps", _of_data(data, problem, loss, units[-1])]
    sections = ["\n".join(head), _table(run, names), _late(run)]
    if run.run.size > 1:
        ends = ", ".join(f"{why} {int((run.stopped == why).sum())}" for why in np.unique(run.stopped.values))
        sections.append(f"shown is the first of {run.run.size} runs, which ended by: {ends}; --save keeps all")
    if out is not None:
        from .plot import training

        figure, _ = training(run)
        figure.savefig(out, dpi=160)
        sections.append(f"figure: {out}")
    return "\n\n".join(sections + ([f"saved: {save}"] if save is not None else []))


def _of_data(data: str, problem: MLP, loss: str, outputs: int) -> str:
    """Return in words what was made of the data."""
    kind = "classes" if outputs > 1 else "standardized numbers"
    form = "cross-entropy" if loss == "cross-entropy" else "1/2 |f - y|^2"
    return f"{data}: {problem.n_samples} samples, inputs standardized, targets {kind}; {form}, mean over samples"


#: Sharpness that belongs beside the edge of a method, the first that was tracked.
BESIDE_EDGE = ("generalized_sharpness", "preconditioned_sharpness", "batch_sharpness", "sharpness")


def beside_edge(run: Any) -> str | None:
    """Return the name of the sharpness that belongs beside the edge of a run, if both were tracked."""
    if "edge" not in run:
        return None
    return next((name for name in BESIDE_EDGE if name in run), None)


def _table(run: Any, names: Sequence[str]) -> str:
    shown = np.unique(np.linspace(0, run.step.size - 1, _ROWS).round().astype(int))
    columns = ["loss", "grad_norm", *(name for name in names if name in run)]
    rows = [[str(int(run.step[i])), *(f"{float(run[name][0, i]):.5g}" for name in columns)] for i in shown]
    return text_table(["step", *columns], rows)


def _late(run: Any) -> str:
    """Return how the run ended, and the ratio of sharpness to edge in its second half."""
    ended = str(np.ravel(run.stopped.values)[0]) if "stopped" in run else "steps"
    lines = [] if ended == "steps" else [f"ended early: {ended} at step {int(np.ravel(run.stopped_at.values)[0])}"]
    kept = np.flatnonzero(run.step.values <= int(np.ravel(run.stopped_at.values)[0]))
    losses = run.loss.values[0, kept]
    if not losses[-1] <= 1e3 * losses[0]:
        lines.append(f"the loss grew from {losses[0]:.4g} to {losses[-1]:.4g}: eta is too large for this start")
        return "\n".join(lines)
    name = beside_edge(run)
    if name is not None and kept.size > 4:
        ratio = late_ratio(run.step.values[kept], run[name].values[0, kept], run.edge.values[0, kept])
        low, high = ratio.quartiles
        reached = "below it" if high < 0.9 else "above it" if low > 1.2 else "about the edge"
        if low >= 0.9 and high <= 1.2 and kept.size >= _ENOUGH:
            reached = "at the edge"
        lines.append(
            f"second half: {name} / edge {ratio.both:.4f}, quartiles {low:.4f} to {high:.4f} ({reached}); last "
            f"{ratio.sharpness:.6g} beside {ratio.edge:.6g}"
        )
    return "\n".join(lines)
