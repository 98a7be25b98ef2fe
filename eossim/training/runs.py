"""The loop of a training: step, look, write down, go on from where a checkpoint stands."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.record import Record
from ..engine.sampling import Minibatch
from .checkpoint import Checkpoint
from .describe import describe
from .gradients import State
from .oracle import Oracle
from .progress import Progress
from .recorder import REASONS, Recorder
from .stepper import make_stepper, single

if TYPE_CHECKING:
    import xarray as xr

_RUNNING, _STEPS, _DIVERGED, _COLLAPSED, _EARLY = range(len(REASONS))
#: Samples whose own gradients tell a collapse from a minimum.
_LOOKED_AT = 16
#: Seconds between two writes of a checkpoint.
_SECONDS = 60.0


@dataclass(frozen=True)
class Plan:
    """A training, checked.

    Attributes:
        oracle: The problem.
        method: The method of all runs.
        starts: State of each run at its start.
        points: Steps to keep.
        last: Step after which runs end.
        record: What to keep and track.
        seed: As in `train`.
        stop: Function of step and loss that says whether a run ends.
    """

    oracle: Oracle
    method: Any
    starts: list[State]
    points: np.ndarray
    last: int
    record: Record
    seed: int
    stop: Callable[[int, float], bool]

    @cached_property
    def weights(self) -> np.ndarray | None:
        """Which parameters are weights rather than biases, of a network with samples; None where nobody can tell."""
        layers = getattr(self.oracle.problem, "layers", None)
        noisy = isinstance(self.method, Minibatch) and self.method.noise != "batch"
        if layers is None or self.oracle.samples is None or noisy:
            return None
        mask = np.repeat([len(shape) > 1 for shape in layers], [math.prod(shape) for shape in layers])
        return mask if mask.size == self.oracle.dim and mask.any() else None


class Runs:
    """A training on its way.

    Args:
        plan: The training.
        identity: Fingerprint of the problem.
        setup: What a checkpoint must agree in.
        path: Checkpoint, or None.
        every: Steps between two writes of it; None for once a minute.
    """

    def __init__(
        self, plan: Plan, identity: dict[str, Any], setup: dict[str, Any], path: Path | None, every: int | None
    ) -> None:
        self.plan, self._identity, self._setup, self._path, self._every = plan, identity, setup, path, every
        runs = len(plan.starts)
        self.recorder = Recorder(plan.record.what, plan.points, runs, plan.oracle.dim)
        self._ends = {
            "reason": np.full(runs, _RUNNING),
            "stopped_at": np.full(runs, -1),
            "diverged_at": np.full(runs, -1),
        }
        self._states: list[State] = []
        self._trackers: list[Any] = []
        self._tracked: list[dict[str, Any]] = []
        self._compared = ""
        self._column = 0
        #: Seconds and products that each tracker took in the runs that ended.
        self._costs: dict[str, list[float]] = {}
        self._seconds = self._measuring = 0.0
        self._saved = 0.0

    @property
    def finished(self) -> int:
        """Number of runs that ended."""
        return int((self._ends["reason"] != _RUNNING).sum())

    @property
    def _done(self) -> int:
        """Steps of all runs so far, as far as they were written down."""
        return sum(state["t"] - start["t"] for state, start in zip(self._states, self.plan.starts, strict=False))

    def restore(self, found: Checkpoint) -> None:
        """Go on from a checkpoint."""
        self._states = found.states
        self._column = found.notes["column"]
        self._seconds, self._measuring = found.notes["seconds"]
        self._costs = found.notes["costs"]
        self._tracked = [{} for _ in self.plan.record.track]
        for name, array in found.arrays.items():
            kind, _, rest = name.partition("/")
            if kind == "kept":
                self.recorder.arrays[rest] = array
            elif kind == "end":
                self._ends[rest] = array
            elif kind == "tracker":
                k, _, key = rest.partition("/")
                self._tracked[int(k)][key] = array.item() if array.shape == () else array

    def run(self, progress: bool) -> None:
        """Run what is left."""
        plan = self.plan
        length = plan.last - plan.starts[0]["t"]
        began, self._saved = time.perf_counter() - self._seconds, time.perf_counter()
        bar = Progress(progress, length * len(plan.starts), self._done)
        try:
            with np.errstate(all="ignore"):
                for run in range(self.finished, len(plan.starts)):
                    self._run(run, bar, began)
        finally:
            bar.close(self._done)
        self._seconds = time.perf_counter() - began

    def dataset(self, hyper: dict[str, np.ndarray], attributes: dict[str, Any]) -> xr.Dataset:
        """Return everything as one labelled Dataset."""
        ends = {**self._ends, "w_final": np.stack([state["w"] for state in self._states])}
        seconds = {"seconds": round(self._seconds, 6), "seconds_measuring": round(self._measuring, 6)}
        costs: dict[str, float] = {}
        for name, (spent, products) in self._costs.items():
            costs |= {f"seconds_{name}": round(spent, 6), f"hvps_{name}": int(products)}
        return self.recorder.dataset(ends, hyper, {**attributes, **seconds, **costs})

    def _run(self, run: int, bar: Progress, began: float) -> None:
        """Run one run from its start, or from where it stands."""
        plan, oracle, points = self.plan, self.plan.oracle, self.plan.points
        method = single(plan.method, run)
        stepper = make_stepper(oracle, method)
        self._trackers = self._track(method, run)
        if len(self._states) == run:
            self._states.append(plan.starts[run])
        state, first, row = self._states[run], plan.starts[run]["t"], {}
        ahead = run * (plan.last - first) - first
        following = int(points[self._column]) if self._column < points.size else -1
        while True:
            t = state["t"]
            reason = _RUNNING
            if t == following:
                row = self._look(run, state)
                following = int(points[self._column]) if self._column < points.size else -1
                reason = self._ended(t, row, state["w"])
            if bar.wanted:
                bar.show(ahead + t, row, self._measuring / max(time.perf_counter() - began, 1e-9))
            if not reason and t == plan.last:
                reason = _STEPS
            if reason:
                break
            if self._path is not None and self._due(t - first):
                self._states[run] = state
                self._seconds = time.perf_counter() - began
                self._save()
            state = stepper.step(state)
            w = state["w"]
            if not math.isfinite(w.dot(w)) and not np.isfinite(w).all():
                reason = _DIVERGED
                break
        self._states[run] = state
        self._ends["reason"][run], self._ends["stopped_at"][run] = reason, state["t"]
        if reason == _DIVERGED:
            self._ends["diverged_at"][run] = state["t"]
        for tracker in self._trackers:
            spent, products = self._costs.get(tracker.name, (0.0, 0.0))
            self._costs[tracker.name] = [spent + tracker.seconds, products + tracker.products]
        self._column, self._trackers, self._seconds = 0, [], time.perf_counter() - began
        if self._path is not None:
            self._save()

    def _look(self, run: int, state: State) -> dict[str, float]:
        """Measure at a state, write it down, and return the numbers."""
        began, oracle, w = time.perf_counter(), self.plan.oracle, state["w"]
        grad = oracle.grad(w)
        row: dict[str, Any] = {"loss": oracle.loss(w), "grad_norm": float(np.linalg.norm(grad)), "w": w}
        kept = {name: row[name] for name in self.recorder.what}
        for tracker in self._trackers:
            kept |= tracker.measure(state["t"], w, state)
        if self._compared in kept and "edge" in kept:
            kept["ratio"] = np.divide(kept[self._compared], kept["edge"])
        self.recorder.put(run, self._column, kept)
        self._column += 1
        self._measuring += time.perf_counter() - began
        return {**row, **kept}

    def _ended(self, t: int, row: dict[str, float], w: np.ndarray) -> int:
        """Return why a run ends here, `_RUNNING` if it does not."""
        if not math.isfinite(row["loss"]):
            return _DIVERGED
        weights, grad = self.plan.weights, self.plan.oracle.grad(w)
        if weights is not None and row["loss"] > 0 and not grad[weights].any() and self._dead(w, weights):
            return _COLLAPSED
        return _EARLY if self.plan.stop(t, row["loss"]) else _RUNNING

    def _dead(self, w: np.ndarray, weights: np.ndarray) -> bool:
        """Return whether single samples do not move the weights either: a minimum is no collapse."""
        samples = self.plan.oracle.samples or 0
        chosen = np.unique(np.linspace(0, samples - 1, _LOOKED_AT).astype(int))
        return not any(self.plan.oracle.batch_grad(w, np.array([i]))[weights].any() for i in chosen)

    def _track(self, method: Any, run: int) -> list[Any]:
        """Return the trackers of a run, as the checkpoint left them if it stands within this run."""
        if not self.plan.record.track:
            return []
        from .trackers import compared_with, make_trackers

        seed = self.plan.seed
        if run:
            seed = int(np.random.SeedSequence([seed, run]).generate_state(1)[0])
        trackers = make_trackers(self.plan.record.track, self.plan.oracle.problem, method, seed)
        self._compared = compared_with(method)
        if self._tracked and len(self._states) > run:
            for tracker, state in zip(trackers, self._tracked, strict=True):
                tracker.restore(state)
        for tracker in trackers:
            self.recorder.long_names |= tracker.long_names
        return trackers

    def _due(self, done: int) -> bool:
        if self._every is not None:
            return done > 0 and done % self._every == 0
        return time.perf_counter() - self._saved > _SECONDS

    def _save(self) -> None:
        """Write the checkpoint."""
        assert self._path is not None
        arrays: dict[str, np.ndarray] = {f"kept/{name}": array for name, array in self.recorder.arrays.items()}
        arrays |= {f"end/{name}": array for name, array in self._ends.items()}
        for k, tracker in enumerate(self._trackers):
            arrays |= {f"tracker/{k}/{name}": np.asarray(value) for name, value in tracker.state().items()}
        notes = {
            "setup": self._setup,
            "column": self._column,
            "seconds": [self._seconds, self._measuring],
            "costs": self._costs,
            "finished": self.finished == len(self.plan.starts),
        }
        Checkpoint(self._states, self._identity, describe(self.plan.method), arrays, notes).save(self._path)
        self._saved = time.perf_counter()
