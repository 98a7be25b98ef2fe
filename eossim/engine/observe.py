"""Read quantities off the iterates that a block kept, into arrays allocated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import formulas
from .method import Method
from .modes import Modes

if TYPE_CHECKING:
    import xarray as xr

_UNITS = {
    "loss": "loss",
    "grad_norm": "Euclidean norm of the gradient",
    "w": "iterate",
    "sharpness": "largest curvature",
    "edge": "curvature at which the rule loses stability, at the state",
    "alignment": "norm fraction of the gradient in the top eigenspace",
    "multiplier": "factor of the gradient along the top eigenvector over the last step",
}


class Observer:
    """What is kept of a batch of runs.

    Args:
        problem: The quadratic.
        method: The bound rule.
        what: Quantities (see `Record`).
        points: Steps to keep, increasing.
        runs: Number of runs.
        hyper: Hyper-parameters, each of shape (runs,).
    """

    def __init__(
        self,
        problem: Any,
        method: Method,
        what: Sequence[str],
        points: np.ndarray,
        runs: int,
        hyper: Mapping[str, np.ndarray],
    ) -> None:
        self.problem, self.method, self.points, self.hyper = problem, method, points, hyper
        self.what = tuple(what)
        if "edge" in self.what:
            self.edge = formulas.edge_of(method.rule)
            unknown = set(self.edge.needs) - {*hyper, "grad_norm"}
            if unknown:
                raise ValueError(f"the edge of {method.rule.name} depends on {sorted(unknown)}, which is not recorded")
        per_run = [name for name in self.what if name != "w"]
        self.arrays = {name: np.full((runs, points.size), np.nan) for name in per_run}
        if "w" in self.what:
            self.arrays["w"] = np.full((runs, points.size, problem.dim), np.nan)

    def stops(self, steps: int) -> np.ndarray:
        """Return the steps at which iterates are needed: the kept ones, the one before each for a ratio, and the last."""
        before = self.points - 1 if "multiplier" in self.what else self.points
        stops = np.unique(np.concatenate([self.points, before[before >= 0], [steps]]))
        self._column = np.searchsorted(self.points, stops)
        self._wanted = np.isin(stops, self.points)
        self._top = np.full((self.arrays["multiplier"].shape[0], stops.size), np.nan) if "multiplier" in self.what else None
        self._stops = stops
        return stops

    def take(self, modes: Modes, kept: np.ndarray, position: int, runs: np.ndarray) -> None:
        """Store what is asked for of iterates [stop, coordinate, run], the first at stop number `position`."""
        if not self.what:
            return
        here = np.arange(position, position + kept.shape[0])
        wanted = self._wanted[here]
        with np.errstate(all="ignore"):
            state = _State(self.problem, modes, kept.astype(np.float64, copy=False))
            if self._top is not None:
                self._top[np.ix_(runs, here)] = state.top_component()
            if not wanted.any():
                return
            state = state if wanted.all() else _State(self.problem, modes, state.kept[wanted])
            target = np.ix_(runs, self._column[here[wanted]])
            for name in self.what:
                if name == "edge":
                    hyper = {n: self.hyper[n][runs][:, None] for n in self.edge.needs if n in self.hyper}
                    frozen = {"grad_norm": state.grad_norm()} if "grad_norm" in self.edge.needs else {}
                    self.arrays[name][target] = self.edge.numpy(**hyper, **frozen)
                elif name != "multiplier":
                    self.arrays[name][target] = getattr(state, name)()

    def dataset(self, diverged_at: np.ndarray, attributes: dict[str, Any]) -> xr.Dataset:
        """Return everything as one labelled Dataset."""
        import xarray as xr

        if self._top is not None:
            where = np.searchsorted(self._stops, self.points)
            with np.errstate(all="ignore"):
                ratio = self._top[:, where] / self._top[:, np.maximum(where - 1, 0)]
            self.arrays["multiplier"][:] = np.where(self.points == 0, np.nan, ratio)
        variables: dict[str, Any] = {
            name: (("run", "step", "coord")[: array.ndim], array, {"long_name": _UNITS[name]})
            for name, array in self.arrays.items()
        }
        variables["diverged_at"] = ("run", diverged_at, {"long_name": "first non-finite step, -1 if none"})
        coordinates: dict[str, Any] = {"run": np.arange(diverged_at.size), "step": self.points}
        coordinates |= {name: ("run", values) for name, values in self.hyper.items()}
        return xr.Dataset(variables, coordinates, attributes)


class _State:
    """Iterates in step coordinates and what follows from them; every result has runs first."""

    def __init__(self, problem: Any, modes: Modes, kept: np.ndarray) -> None:
        self.problem, self.modes, self.kept = problem, modes, kept
        self.diagonal = modes.orthogonal and modes.curvature.ndim == 1
        self._gradient: np.ndarray | None = None
        self._points: np.ndarray | None = None

    def w(self) -> np.ndarray:
        """Iterates, shape (runs, stops, dim)."""
        if self._points is None:
            self._points = np.swapaxes(self.modes.leave(self.kept), 0, 1)
        return self._points

    def gradient(self) -> np.ndarray:
        """Gradient of the problem in orthogonal coordinates, shape (runs, stops, dim)."""
        if self._gradient is None:
            if self.diagonal:
                inside = self.modes.curvature[:, None] * self.kept - self.modes.linear[:, None]
                self._gradient = np.moveaxis(inside, 2, 0)
            else:
                self._gradient = self.problem.grad(self.w())
        return self._gradient

    def grad_norm(self) -> np.ndarray:
        """Norm of the gradient, shape (runs, stops)."""
        return np.linalg.norm(self.gradient(), axis=-1)

    def loss(self) -> np.ndarray:
        """Loss, shape (runs, stops)."""
        if not self.diagonal:
            return self.problem.loss(self.w())
        curvature, linear = self.modes.curvature, self.modes.linear
        centre = np.divide(linear, curvature, out=np.zeros_like(linear), where=curvature != 0)
        away = np.moveaxis(self.kept, 2, 0) - centre
        return self.problem.offset + 0.5 * np.sum(curvature * away * away, axis=-1)

    def sharpness(self) -> np.ndarray:
        """Largest curvature in the coordinates of the rule, shape (runs, stops)."""
        curvature = self.modes.curvature
        largest = curvature.max() if curvature.ndim == 1 else np.linalg.eigvalsh(curvature)[-1]
        return np.full((self.kept.shape[2], self.kept.shape[0]), largest)

    def _top_space(self) -> np.ndarray:
        """Gradient components in the top eigenspace, shape (runs, stops, multiplicity)."""
        if self.diagonal:
            curvature = self.modes.curvature
            return self.gradient()[..., curvature >= curvature.max() - 1e-12 * np.abs(curvature).max()]
        values = self.problem.eigenvalues
        return self.gradient() @ self.problem.eigenvectors[:, values >= values[-1] - 1e-12 * np.abs(values).max()]

    def top_component(self) -> np.ndarray:
        """Gradient along one top eigenvector, shape (runs, stops)."""
        return self._top_space()[..., -1]

    def alignment(self) -> np.ndarray:
        """Norm fraction of the gradient in the top eigenspace, shape (runs, stops); nan for a zero gradient."""
        return np.linalg.norm(self._top_space(), axis=-1) / self.grad_norm()
