"""Read quantities off the iterates that a block kept, into arrays allocated once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import catalogue
from .method import Method
from .modes import Modes

if TYPE_CHECKING:
    import xarray as xr

_UNITS = {
    "loss": "loss",
    "grad_norm": "Euclidean norm of the gradient",
    "w": "iterate",
    "sharpness": "largest curvature in the coordinates of the rule",
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
        steps: Number of steps.
        runs: Number of runs.
        hyper: Hyper-parameters, each of shape (runs,).
    """

    def __init__(
        self,
        problem: Any,
        method: Method,
        what: Sequence[str],
        points: np.ndarray,
        steps: int,
        runs: int,
        hyper: Mapping[str, np.ndarray],
    ) -> None:
        self.problem, self.method, self.points, self.hyper = problem, method, points, hyper
        self.what = tuple(what)
        if "edge" in self.what:
            self.edge = catalogue.edge_of(method.rule)
            unknown = set(self.edge.needs) - {*hyper, "grad_norm"}
            if unknown:
                raise ValueError(f"the edge of {method.rule.name} depends on {sorted(unknown)}, which is not recorded")
        per_run = [name for name in self.what if name != "w"]
        self.arrays = {name: np.full((runs, points.size), np.nan) for name in per_run}
        if "w" in self.what:
            self.arrays["w"] = np.full((runs, points.size, problem.dim), np.nan)
        #: Steps at which iterates are needed: the kept ones, the one before each for a ratio, and the last.
        before = points - 1 if "multiplier" in self.what else points
        needed = np.concatenate([points, before[before >= 0]]) if self.what else points[:0]
        self.stops = np.unique(np.append(needed, steps).astype(np.int64))
        self._column = np.searchsorted(points, self.stops)
        self._wanted = np.isin(self.stops, points)
        self._top = np.full((runs, self.stops.size), np.nan) if "multiplier" in self.what else None

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
            where = np.searchsorted(self.stops, self.points)
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
    """Iterates in step coordinates, [stop, coordinate, run], and what follows from them, runs first.

    Sums over coordinates run from the first to the last, and products have the shape of one run: no result depends on
    the number of runs.
    """

    def __init__(self, problem: Any, modes: Modes, kept: np.ndarray) -> None:
        self.problem, self.modes, self.kept = problem, modes, kept
        self.diagonal = modes.orthogonal and modes.curvature.ndim == 1

    @cached_property
    def _points(self) -> np.ndarray:
        return np.ascontiguousarray(np.swapaxes(self.modes.leave(self.kept), 0, 1))

    @cached_property
    def _gradient(self) -> np.ndarray:
        """Gradient of the problem in orthogonal coordinates, shape (stops, dim, runs)."""
        if self.diagonal:
            return self.modes.curvature[:, None] * self.kept - self.modes.linear[:, None]
        return np.moveaxis(self.problem.grad(self._points), 0, 2)

    @cached_property
    def _top_space(self) -> np.ndarray:
        """Gradient components in the top eigenspace, shape (stops, multiplicity, runs)."""
        values = self.modes.curvature if self.diagonal else self.problem.eigenvalues
        top = values >= values.max() - 1e-12 * np.abs(values).max()
        if self.diagonal:
            return self._gradient[:, top]
        return np.moveaxis(self.problem.grad(self._points) @ self.problem.eigenvectors[:, top], 0, 2)

    def w(self) -> np.ndarray:
        """Iterates, shape (runs, stops, dim)."""
        return self._points

    def grad_norm(self) -> np.ndarray:
        """Norm of the gradient, shape (runs, stops)."""
        return np.sqrt(_sum_of_squares(self._gradient))

    def loss(self) -> np.ndarray:
        """Loss, shape (runs, stops)."""
        if not self.diagonal:
            return self.problem.loss(self._points)
        curvature, linear = self.modes.curvature, self.modes.linear
        centre = np.divide(linear, curvature, out=np.zeros_like(linear), where=curvature != 0)
        return self.problem.offset + 0.5 * _sum_of_squares(self.kept - centre[:, None], curvature)

    def sharpness(self) -> np.ndarray:
        """Largest curvature in the coordinates of the rule, shape (runs, stops)."""
        return np.full((self.kept.shape[2], self.kept.shape[0]), self.modes.sharpness)

    def top_component(self) -> np.ndarray:
        """Gradient along one top eigenvector, shape (runs, stops)."""
        return self._top_space[:, -1].T

    def alignment(self) -> np.ndarray:
        """Norm fraction of the gradient in the top eigenspace, shape (runs, stops); nan for a zero gradient."""
        return np.sqrt(_sum_of_squares(self._top_space)) / self.grad_norm()


def _sum_of_squares(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the sum over coordinates of [stop, coordinate, run], in their order, as [run, stop]."""
    total = np.zeros((values.shape[0], values.shape[2]))
    for i in range(values.shape[1]):
        square = values[:, i] * values[:, i]
        total += square if weights is None else weights[i] * square
    return total.T
