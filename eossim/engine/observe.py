"""Read quantities off the iterates that a block kept, into arrays allocated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .modes import Modes

if TYPE_CHECKING:
    import xarray as xr


class Reading(Protocol):
    """What can be read off the iterates of a kind of method on a problem."""

    @property
    def default(self) -> tuple[str, ...]:
        """Quantities that are kept unless others are asked for."""

    @property
    def long_names(self) -> Mapping[str, str]:
        """What each quantity on offer is."""

    @property
    def of_steps(self) -> tuple[str, ...]:
        """Quantities of the step that leaves a point, which need the iterate after it."""

    def check(self, what: Sequence[str]) -> None:
        """Raise unless these quantities can be read."""

    def state(
        self, modes: Modes | None, kept: np.ndarray, runs: np.ndarray, following: np.ndarray | None = None
    ) -> Any:
        """Return an object whose methods, named like quantities, give them as arrays [run, stop].

        `following`, of the shape of `kept`, is what comes one step later; it is there for the quantities `of_steps`.
        """

    def summary(self, arrays: Mapping[str, np.ndarray], points: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
        """Return numbers of whole runs that follow from what was kept, each with what it is."""


class Observer:
    """What is kept of a batch of runs.

    Args:
        reading: What can be read off iterates.
        what: Quantities (see `Record`); None for the default of the reading.
        points: Steps to keep, increasing.
        steps: Number of steps.
        dim: Coordinates.
        runs: Number of runs.
        hyper: Hyper-parameters, each of shape (runs,).

    Raises:
        ValueError: for a quantity that is not on offer.
    """

    def __init__(
        self,
        reading: Reading,
        what: Sequence[str] | None,
        points: np.ndarray,
        steps: int,
        dim: int,
        runs: int,
        hyper: Mapping[str, np.ndarray],
    ) -> None:
        self.reading, self.points, self.steps, self.hyper = reading, points, steps, hyper
        self.what = reading.default if what is None else tuple(what)
        reading.check(self.what)
        per_run = [name for name in self.what if name != "w"]
        self.arrays = {name: np.full((runs, points.size), np.nan) for name in per_run}
        if "w" in self.what:
            self.arrays["w"] = np.full((runs, points.size, dim), np.nan)
        #: Whether iterates after the kept ones are needed: a run then goes one step beyond the last kept one.
        self._follow = any(name in reading.of_steps for name in self.what)
        #: Steps at which iterates are needed: the kept ones, the one before each for a ratio or after each for what is
        #: of steps, and the last.
        before = points - 1 if "multiplier" in self.what else points
        after = points + 1 if self._follow else points
        needed = np.concatenate([points, before[before >= 0], after]) if self.what else points[:0]
        self.stops = np.unique(np.append(needed, steps).astype(np.int64))
        self._column = np.searchsorted(points, self.stops)
        self._wanted = np.isin(self.stops, points)
        self._top = np.full((runs, self.stops.size), np.nan) if "multiplier" in self.what else None
        #: By the first run of a block, its last iterate so far, which waits for the one that follows.
        self._waiting: dict[int, np.ndarray] = {}

    def take(self, modes: Modes | None, kept: np.ndarray, position: int, runs: np.ndarray) -> None:
        """Store what is asked for of iterates [stop, coordinate, run], the first at stop number `position`.

        `modes` are their coordinates, None if there is one kind only. Blocks of runs come in order of their stops.
        """
        if not self.what:
            return
        kept = kept.astype(np.float64, copy=False)
        if self._follow:
            before = self._waiting.pop(int(runs[0]), kept[:0])
            kept, position = np.concatenate([before, kept]), position - len(before)
        here = np.arange(position, position + kept.shape[0])
        wanted = self._wanted[here]
        if self._follow and here[-1] + 1 < self.stops.size:  # else it is beyond the last that is kept
            wanted[-1] = False
            self._waiting[int(runs[0])] = kept[-1:].copy()
        with np.errstate(all="ignore"):
            if self._top is not None:
                self._top[np.ix_(runs, here)] = self.reading.state(modes, kept, runs).top_component()
            if not wanted.any():
                return
            following = (kept[1:][wanted[:-1]],) if self._follow else ()
            state = self.reading.state(modes, kept if wanted.all() else kept[wanted], runs, *following)
            target = np.ix_(runs, self._column[here[wanted]])
            for name in self.what:
                if name != "multiplier":
                    self.arrays[name][target] = getattr(state, name)()

    def dataset(self, diverged_at: np.ndarray, attributes: dict[str, Any]) -> xr.Dataset:
        """Return everything as one labelled Dataset."""
        import xarray as xr

        with np.errstate(all="ignore"):
            if self._top is not None:
                where = np.searchsorted(self.stops, self.points)
                ratio = self._top[:, where] / self._top[:, np.maximum(where - 1, 0)]
                self.arrays["multiplier"][:] = np.where(self.points == 0, np.nan, ratio)
            summary = self.reading.summary(self.arrays, self.points)
        variables: dict[str, Any] = {
            name: (("run", "step", "coord")[: array.ndim], array, {"long_name": self.reading.long_names[name]})
            for name, array in self.arrays.items()
        }
        variables |= {name: ("run", values, {"long_name": text}) for name, (values, text) in summary.items()}
        variables["diverged_at"] = ("run", diverged_at, {"long_name": "first non-finite step, -1 if none"})
        coordinates: dict[str, Any] = {"run": np.arange(diverged_at.size), "step": self.points}
        coordinates |= {name: ("run", values) for name, values in self.hyper.items()}
        return xr.Dataset(variables, coordinates, attributes)
