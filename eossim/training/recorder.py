"""What is kept of a training, in arrays, and the labelled Dataset made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.record import DESCENT_QUANTITIES, QUANTITIES

if TYPE_CHECKING:
    import xarray as xr

#: What is kept for the price of a gradient.
WHAT = {"loss": "loss", "grad_norm": "Euclidean norm of the gradient", "w": "parameters"}
#: Why a run ended.
REASONS = ("running", "steps", "diverged", "collapsed", "early stop")


class Recorder:
    """Arrays of what is kept of a batch of runs.

    Args:
        what: Of `WHAT`; None for loss and gradient norm.
        points: Steps to keep, increasing.
        runs: Number of runs.
        dim: Number of parameters.

    Raises:
        ValueError: for a quantity that is tracked rather than kept.
    """

    def __init__(self, what: Sequence[str] | None, points: np.ndarray, runs: int, dim: int) -> None:
        self.what = ("loss", "grad_norm") if what is None else tuple(what)
        for name in self.what:
            if name not in WHAT:
                assert name in QUANTITIES + DESCENT_QUANTITIES
                raise ValueError(f'train keeps {", ".join(WHAT)}; "{name}" is tracked: Record(track=("{name}", ...))')
        self.points, self.runs = points, runs
        self.arrays = {name: np.full((runs, points.size), np.nan) for name in self.what if name != "w"}
        if "w" in self.what:
            self.arrays["w"] = np.full((runs, points.size, dim), np.nan)
        self.long_names = {**WHAT, "ratio": "sharpness that the edge is about, over the edge"}

    def put(self, run: int, column: int, values: Mapping[str, Any]) -> None:
        """Store values at one step of one run; a name that was not there before gets an array of its own."""
        for name, value in values.items():
            if name not in self.arrays:
                self.arrays[name] = np.full((self.runs, self.points.size), np.nan)
            self.arrays[name][run, column] = value

    def dataset(
        self, ends: Mapping[str, np.ndarray], hyper: Mapping[str, Any], attributes: dict[str, Any]
    ) -> xr.Dataset:
        """Return everything as one labelled Dataset.

        Args:
            ends: How runs ended: ``reason``, ``diverged_at``, ``stopped_at`` and ``w_final``, runs first.
            hyper: Hyper-parameters, each of shape (runs,).
            attributes: What is needed to run it again.
        """
        import xarray as xr

        variables: dict[str, Any] = {
            name: (("run", "step", "coord")[: array.ndim], array, {"long_name": self.long_names.get(name, name)})
            for name, array in self.arrays.items()
        }
        variables["w_final"] = (("run", "coord"), ends["w_final"], {"long_name": "parameters at the end of the run"})
        variables["stopped"] = (
            "run",
            np.array([REASONS[k] for k in ends["reason"]]),
            {"long_name": "why the run ended"},
        )
        variables["stopped_at"] = ("run", ends["stopped_at"], {"long_name": "step at which the run ended"})
        variables["diverged_at"] = (
            "run",
            ends["diverged_at"],
            {"long_name": "first step with an iterate or a kept loss that is not finite, -1 if none"},
        )
        coordinates: dict[str, Any] = {"run": np.arange(self.runs), "step": self.points}
        coordinates |= {name: ("run", values) for name, values in hyper.items()}
        return xr.Dataset(variables, coordinates, attributes)
