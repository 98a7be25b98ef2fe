"""Train networks: long runs, one after another, that can be stopped, killed, resumed and changed on the way."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import existing_folder, finite_array, positive_int, real_array
from ..engine.record import Record, checked_record
from ..engine.simulate import versions
from .checkpoint import Checkpoint, digest, fingerprint, load_checkpoint, same_problem
from .describe import attributes, carry_over, describe
from .gradients import State
from .oracle import Oracle
from .runs import Plan, Runs
from .stepper import hyper_parameters, make_stepper, single

if TYPE_CHECKING:
    import xarray as xr

#: Steps that are kept if nothing else is asked for: all of a short run, else pairs of neighbours.
_ALL_UP_TO, _PAIRS = 400, 200


def train(
    problem: Any,
    method: Any,
    w0: Any = None,
    steps: int = 1000,
    *,
    record: Record | None = None,
    seed: int = 0,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    resume_from: str | os.PathLike[str] | Checkpoint | None = None,
    progress: bool = False,
    stop: Callable[[int, float], bool] | float | None = None,
) -> xr.Dataset:
    """Train a network, or several one after another, and return what was kept and tracked.

    A run ends after `steps` ("steps"), when the iterate or the loss is not finite ("diverged"), when all weights of a
    network with samples have the gradient zero though the loss is not, as with dead ReLUs ("collapsed"), or when `stop`
    says so ("early stop"). Iterates are looked at after every step, loss and gradient at the steps that are kept.

    Args:
        problem: Anything with ``dim``, ``loss(w)`` and ``grad(w)``: ``networks.MLP``, the problems of `adapters`,
            ``MatrixFactorization``, quadratics. Mini-batches need samples: ``grad(w, batch=indices)`` or
            ``sample_gradients(w)``, and ``n_samples``.
        method: A rule with bound hyper-parameters that is neither implicit nor preconditioned, one on mini-batches
            (``sgd``, ``minibatch``, ``noisy_gd``), steepest or adaptive descent, or ``training.adam`` and
            ``training.rmsprop``; arrays among the hyper-parameters make several runs.
        w0: Start, shape (dim,) or (runs, dim); by default ``problem.initial(seed)``, or ``problem.w`` of a
            model of one's own, the same for all runs.
        steps: Number of steps; with `resume_from` of further steps.
        record: Which steps and quantities to keep, and what to track there. By default loss and gradient norm at all
            steps of up to 400, else at 200 pairs of neighbours.
        seed: Seed of everything random. Batches of the first run come from ``numpy.random.default_rng([seed, 1])``,
            those of run r from ``[seed, 1, r]``; tracking has streams of its own and changes no step.
        checkpoint: File to go on from after a crash. It is written on the way and at the end; if it exists the training
            goes on where it stands, to the same bits as without interruption. It must be of the same training.
        checkpoint_every: Steps between two writes of it; once a minute by default.
        resume_from: Checkpoint of a finished training (a path, or what `load_checkpoint` returns) that this one begins
            at, to change the method on the way or to go on for longer. Steps keep their numbers, batches go on in their
            order, and the buffers of a method stay if the rule is the same.
        progress: Whether to show a bar with loss, sharpness, edge and the share of time spent on measuring.
        stop: A loss at or below which runs end, or a function of step and loss that says whether they do.

    Returns:
        Dataset with dimensions ``run, step[, coord]``: what was kept and tracked (NaN after the end of a run),
        ``w_final``, ``stopped`` (the reason), ``stopped_at`` and ``diverged_at`` (-1 if it did not), with the
        hyper-parameters as coordinates of ``run``. If both are tracked, ``ratio`` is the sharpness over the edge: the
        preconditioned one for Adam and RMSProp, the generalised one for descent in a norm that is not Euclidean.

    Raises:
        TypeError: for a problem or method of another kind, or an argument of a wrong type.
        ValueError: for shapes that do not fit, a start that is not finite, a method that cannot run on the problem, an
            unknown tracker, or a checkpoint that is damaged or belongs to something else.

    Example:
        >>> data = train(problem, sgd(eta=0.05, batch_size=8, sampling="reshuffle"), steps=24_000,
        ...              record=Record(track=("sharpness", "batch_sharpness")), checkpoint="run.npz")
    """
    steps, seed = positive_int("steps", steps), positive_int("seed", seed, minimum=0)
    oracle, record = Oracle(problem), checked_record(record)
    every = None if checkpoint_every is None else positive_int("checkpoint_every", checkpoint_every)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        existing_folder(path)
    make_stepper(oracle, method if _runs_of(method) == 1 else single(method, 0))  # says what does not fit
    identity = fingerprint(problem)
    starts = _resumed(resume_from, w0, method, oracle, identity, seed)
    if starts is None:
        starts = _started(_points(problem, oracle, w0, seed, _runs_of(method)), method, oracle, seed)
    first = starts[0]["t"]
    plan = Plan(
        oracle=oracle,
        method=method,
        starts=starts,
        points=_kept(record, first, steps),
        last=first + steps,
        record=record,
        seed=seed,
        stop=_stopping(stop),
    )
    setup = {
        "method": describe(method),
        "steps": [first, plan.last],
        "seed": seed,
        "kept": digest(plan.points),
        "record": [list(record.what or ()), list(record.track)],
        "starts": digest(*[np.asarray(v) for state in starts for _, v in sorted(state.items())]),
    }
    began = datetime.datetime.now(datetime.UTC)
    runs = Runs(plan, identity, setup, path, every)
    if path is not None and path.exists():
        runs.restore(_own(load_checkpoint(path), path, identity, setup))
    runs.run(progress)
    hyper = {n: np.broadcast_to(v, (len(starts),)).copy() for n, v in hyper_parameters(method).items()}
    return runs.dataset(
        hyper,
        {
            **attributes(method),
            "problem": repr(problem),
            "dtype": oracle.dtype.name,
            "seed": seed,
            "steps": steps,
            "started": began.isoformat(timespec="seconds"),
            "versions": versions(),
        },
    )


def _runs_of(method: Any) -> int:
    return getattr(method, "runs", 1)


def _points(problem: Any, oracle: Oracle, w0: Any, seed: int, runs: int) -> np.ndarray:
    """Return starting points, shape (runs, dim)."""
    if w0 is None:
        if hasattr(problem, "initial"):
            w0 = problem.initial(seed)
        elif hasattr(problem, "w"):  # a model of one's own starts where it is
            w0 = problem.w
        else:
            raise ValueError(
                f"{problem!r} has no initial(seed): give w0, shape ({oracle.dim},) or (runs, {oracle.dim})"
            )
    points = finite_array("w0", real_array("w0", w0).astype(oracle.dtype), ndim=(1, 2))
    if points.shape[-1] != oracle.dim:
        raise ValueError(f"w0 must have shape ({oracle.dim},) or (runs, {oracle.dim}), got {points.shape}")
    points = np.atleast_2d(points)
    if runs > 1 and len(points) not in (1, runs):
        raise ValueError(f"w0 holds {len(points)} runs, the hyper-parameters {runs}")
    return np.broadcast_to(points, (max(runs, len(points)), oracle.dim))


def _started(points: np.ndarray, method: Any, oracle: Oracle, seed: int) -> list[State]:
    return [
        make_stepper(oracle, single(method, run)).start(w.copy(), [seed, 1, run] if run else [seed, 1])
        for run, w in enumerate(points)
    ]


def _resumed(
    source: Any, w0: Any, method: Any, oracle: Oracle, identity: dict[str, Any], seed: int
) -> list[State] | None:
    """Return states that go on from another training, or None."""
    if source is None:
        return None
    if w0 is not None:
        raise ValueError("resume_from brings the starting points: leave w0 out")
    old = source if isinstance(source, Checkpoint) else load_checkpoint(source)
    require_problem(old, "resume_from", identity)
    if not old.finished:
        raise ValueError("resume_from must be the checkpoint of a finished training: finish it with checkpoint= first")
    times = [state["t"] for state in old.states]
    if len(set(times)) > 1 or not np.isfinite(old.w).all():
        raise ValueError(f"resume_from must hold runs that stand at one step, at finite points; they stand at {times}")
    runs = max(_runs_of(method), len(times))
    if len(times) not in (1, runs) or _runs_of(method) not in (1, runs):
        raise ValueError(f"resume_from holds {len(times)} runs, the hyper-parameters {_runs_of(method)}")
    states = [old.states[run if len(times) > 1 else 0] for run in range(runs)]
    fresh = _started(np.stack([state["w"] for state in states]), method, oracle, seed)
    same_rule = old.method["rule"] == describe(method)["rule"]
    return [carry_over(new, state, same_rule=same_rule) for new, state in zip(fresh, states, strict=True)]


def require_problem(found: Checkpoint, name: str, identity: dict[str, Any]) -> None:
    """Raise ValueError unless a checkpoint belongs to a problem."""
    if not same_problem(found.problem, identity):
        raise ValueError(
            f"{name} belongs to another problem, {found.problem['shown']}, and not to {identity['shown']} "
            "(or its data or losses differ)"
        )


def _own(found: Checkpoint, path: Path, identity: dict[str, Any], setup: dict[str, Any]) -> Checkpoint:
    """Return a checkpoint if it is one of this very training."""
    require_problem(found, f"checkpoint {str(path)!r}", identity)
    theirs = found.notes.get("setup", {})
    for name, mine in setup.items():
        if theirs.get(name) != mine:
            shown = "" if name in ("kept", "starts") else f" ({theirs.get(name)}, not {mine})"
            raise ValueError(
                f"checkpoint {str(path)!r} is of a training with other {_WORDS.get(name, name)}{shown}: take another "
                "file, or go on from this one with resume_from="
            )
    return found


_WORDS = {"kept": "steps to keep", "record": "quantities", "starts": "starting points"}


def _kept(record: Record, first: int, steps: int) -> np.ndarray:
    """Return the steps to keep, counted as the run counts."""
    if record.at is None or not first:
        return record.points(steps, all_up_to=_ALL_UP_TO, pairs=_PAIRS) + first
    points = np.asarray(record.at, dtype=np.int64)
    if points[0] < first or points[-1] > first + steps:
        raise ValueError(f"at must lie between {first} and {first + steps}, the steps of this training, got {points}")
    return points


def _stopping(stop: Any) -> Callable[[int, float], bool]:
    """Return a function of step and loss that says whether to stop."""
    if stop is None:
        return lambda t, loss: False
    if callable(stop):
        return lambda t, loss: bool(stop(t, loss))
    threshold = real_array("stop", stop)
    if threshold.ndim or np.isnan(threshold):
        raise ValueError(f"stop must be a loss or a function stop(t, loss), got {stop!r}")
    return lambda t, loss: loss <= float(threshold)
