"""What a tracker is: a quantity by its name, measured at points of a run, with what that costs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from .point import Point, Points


class Tracker(ABC):
    """A quantity along a run.

    Measuring changes nothing of the training: what is random comes from ``default_rng([seed, 2, t])``.

    Args:
        name: What it was asked for as.
        points: The points of the run, shared with the other trackers.
        long_names: What it measures: the columns, each with what it is.

    Attributes:
        name: As given.
        long_names: As given.
        seconds: Time spent so far.
        products: Hessian-vector products made so far, those with the Hessian of a batch in parts of a whole one.
    """

    def __init__(self, name: str, points: Points, long_names: Mapping[str, str]) -> None:
        self.name, self.points, self.long_names = name, points, dict(long_names)
        self.seconds, self.products = 0.0, 0.0

    def measure(self, t: int, w: np.ndarray, state: Mapping[str, Any]) -> dict[str, float]:
        """Return the columns at step t; NaN where the run has diverged.

        Args:
            t: The step.
            w: Parameters, shape (dim,).
            state: State of the run: what the method remembers beside w.
        """
        began = time.perf_counter()
        point = self.points.at(t, w, state)
        with np.errstate(all="ignore"):
            values = self.values(point) if point.finite else dict.fromkeys(self.long_names, np.nan)
        self.seconds += time.perf_counter() - began
        return {name: float(values[name]) for name in self.long_names}

    @abstractmethod
    def values(self, point: Point) -> dict[str, float]:
        """Return the columns at a point where w and the gradient are finite; count products."""

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, arrays and numbers, so that measuring goes on as if never interrupted."""
        return {"seconds": self.seconds, "products": self.products}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.seconds, self.products = float(state["seconds"]), float(state["products"])
