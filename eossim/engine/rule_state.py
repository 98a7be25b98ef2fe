"""What is read off the iterates of rules, on quadratics and on other problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from .. import catalogue
from .method import Method
from .modes import Modes
from .views import OneByOne, is_quadratic

_LONG_NAMES = {
    "loss": "loss",
    "grad_norm": "Euclidean norm of the gradient",
    "w": "iterate",
    "sharpness": "largest curvature in the coordinates of the rule",
    "edge": "curvature at which the rule loses stability, at the state",
    "alignment": "norm fraction of the gradient in the top eigenspace",
    "multiplier": "factor of the gradient along the top eigenvector over the last step",
}
#: Those that need the Hessian.
_OF_QUADRATICS = ("sharpness", "alignment", "multiplier")
#: The edge, given how to find the gradient norm.
_Edge = Callable[[Callable[[], np.ndarray]], np.ndarray]


class RuleReading:
    """What can be read off the iterates of a rule.

    Args:
        problem: The problem.
        method: The bound rule.
        hyper: Hyper-parameters, each of shape (runs,).
    """

    default = ("loss", "grad_norm")
    of_steps = ()

    def __init__(self, problem: Any, method: Method, hyper: Mapping[str, np.ndarray]) -> None:
        self.problem, self.method, self.hyper = problem, method, hyper
        self.quadratic = is_quadratic(problem)
        self.long_names = {n: t for n, t in _LONG_NAMES.items() if self.quadratic or n not in _OF_QUADRATICS}

    def check(self, what: Sequence[str]) -> None:
        """Raise ValueError unless these quantities can be read."""
        require_offered(what, self.long_names, self.method, self.problem)
        if "edge" in what:
            unknown = {*catalogue.edge_of(self.method.rule).needs} - {*self.hyper, "grad_norm"}
            if unknown:
                name = self.method.rule.name
                raise ValueError(f"the edge of {name} depends on {sorted(unknown)}, which is not recorded")

    def state(
        self, modes: Modes | None, kept: np.ndarray, runs: np.ndarray, following: np.ndarray | None = None
    ) -> QuadraticState | PointState:
        """Return what follows from iterates [stop, coordinate, run] of some runs."""
        edge = partial(self._edge, runs)
        if modes is None:
            return PointState(self.problem, kept, edge)
        return QuadraticState(self.problem, modes, kept, edge)

    def summary(self, arrays: Mapping[str, np.ndarray], points: np.ndarray) -> dict[str, tuple[np.ndarray, str]]:
        """Return nothing: no number of a whole run follows."""
        return {}

    def _edge(self, runs: np.ndarray, grad_norm: Callable[[], np.ndarray]) -> np.ndarray:
        edge = catalogue.edge_of(self.method.rule)
        hyper = {n: self.hyper[n][runs][:, None] for n in edge.needs if n in self.hyper}
        frozen = {"grad_norm": grad_norm()} if "grad_norm" in edge.needs else {}
        return edge.numpy(**hyper, **frozen)


def require_offered(what: Sequence[str], offered: Mapping[str, str], method: Any, problem: Any) -> None:
    """Raise ValueError unless every quantity is among those on offer."""
    for name in what:
        if name not in offered:
            raise ValueError(f'"{name}" is not recorded of {method!r} on {problem!r}; there is {", ".join(offered)}')


class PointState:
    """Iterates of rules on any problem, [stop, coordinate, run], and what follows from them, runs first."""

    def __init__(self, problem: Any, kept: np.ndarray, edge: _Edge) -> None:
        self.view, self._edge = OneByOne(problem), edge
        self._points = np.ascontiguousarray(np.moveaxis(kept, 2, 0))

    def w(self) -> np.ndarray:
        """Iterates, shape (runs, stops, dim)."""
        return self._points

    def loss(self) -> np.ndarray:
        """Loss, shape (runs, stops)."""
        return self.view.loss(self._points)

    def grad_norm(self) -> np.ndarray:
        """Norm of the gradient, shape (runs, stops)."""
        return np.sqrt((self.view.grad(self._points) ** 2).sum(axis=-1))

    def edge(self) -> np.ndarray:
        """Edge of the rule, shape (runs, stops) or (runs, 1)."""
        return self._edge(self.grad_norm)


class QuadraticState:
    """Iterates of rules on a quadratic in step coordinates, [stop, coordinate, run], and what follows from them.

    Sums over coordinates run from the first to the last, and products have the shape of one run: no result depends on
    the number of runs.
    """

    def __init__(self, problem: Any, modes: Modes, kept: np.ndarray, edge: _Edge) -> None:
        self.problem, self.modes, self.kept, self._edge = problem, modes, kept, edge
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

    def edge(self) -> np.ndarray:
        """Edge of the rule, shape (runs, stops) or (runs, 1)."""
        return self._edge(self.grad_norm)

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
