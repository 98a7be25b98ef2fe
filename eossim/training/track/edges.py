"""Edges at the state of a run, from the catalogue, and the norms that they depend on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ... import catalogue
from ...engine.adaptive import AdaptiveDescent
from ...engine.method import Method
from ...engine.sampling import Minibatch
from ...engine.steepest import SteepestDescent
from ...engine.views import OneByOne
from ...norms import L2, Norm
from ..moments import Moments
from .base import Tracker
from .point import Point, Points


def norm_of(method: Any) -> Norm:
    """Return the norm that a method descends in."""
    return method.norm if isinstance(method, SteepestDescent) else L2()


def entry_of(method: Any) -> Any:
    """Return the edge of a method: its row of the catalogue, or what was derived for a rule of one's own.

    Mini-batches leave the rule its edge; for adaptive descent it is that of gradient descent with the step taken.

    Raises:
        TypeError: For a method of an unknown kind.
    """
    if isinstance(method, Minibatch):
        method = method.method
    if isinstance(method, Method):
        return catalogue.edge_of(method.rule)
    if isinstance(method, SteepestDescent):
        return method.edge
    if isinstance(method, Moments):
        return catalogue.entries()[f"{method.name}_frozen"]
    if isinstance(method, AdaptiveDescent):
        return catalogue.entries()["gd"]
    raise TypeError(f"the edge of {method!r} is not known: track other quantities")


def values_of(method: Any) -> dict[str, float]:
    """Return the hyper-parameters of a method of a single run."""
    values = method.method.values if isinstance(method, Minibatch) else method.values
    return {name: float(value.item()) for name, value in values.items()}


def compared_with(method: Any) -> str:
    """Return the tracker whose quantity the edge of a method is about."""
    if isinstance(method, Moments):
        return "preconditioned_sharpness"
    return "sharpness" if norm_of(method).traits.rotation_equivariant else "generalized_sharpness"


class Edge(Tracker):
    """The edge of a method at the state: where it depends on the gradient, that of all samples counts.

    It is about the sharpness, for Adam and RMSProp about the preconditioned one, for steepest descent in a norm about
    the generalised one (`compared_with`).

    Args:
        name: What it was asked for as.
        points: The points of the run.
        method: The method.
        entry: Another edge that its hyper-parameters have.

    Raises:
        TypeError: For a method whose edge is not known.
        ValueError: If the edge depends on what the state does not tell.
    """

    def __init__(self, name: str, points: Points, method: Any, entry: Any = None) -> None:
        self._edge = entry_of(method) if entry is None else entry
        self._method, self._norm = method, norm_of(method)
        self._adaptive = isinstance(method, AdaptiveDescent)
        known = {} if self._adaptive else values_of(method)
        self._values = {n: known[n] for n in self._edge.needs if n in known}
        missing = {*self._edge.needs} - {*known, "grad_norm"} - ({"eta"} if self._adaptive else set())
        if missing:
            raise ValueError(f"the edge of {method!r} depends on {sorted(missing)}, which the state does not tell")
        of = method if entry is None else "SAM"
        super().__init__(name, points, {name: f"edge of {of}: {_formula(self._edge)}"})
        depends = self._adaptive or "grad_norm" in self._edge.needs
        with np.errstate(all="ignore"):  # a branch not taken may be infinite or not real
            self._constant = None if depends else float(self._edge.numpy(**self._values))

    def values(self, point: Point) -> dict[str, float]:
        """Return the column."""
        if self._constant is not None:
            return {self.name: self._constant}
        values: Mapping[str, Any] = self._values
        if self._adaptive:
            g = point.grad[None]
            values = {"eta": self._method.step_size(OneByOne(point.problem), point.w[None].astype(float), g)[0]}
        elif "grad_norm" in self._edge.needs:
            values = {**values, "grad_norm": np.float64(self._norm.dual(point.grad))}
        return {self.name: float(self._edge.numpy(**values))}


def sam_edge(name: str, points: Points, method: Any) -> Edge:
    """Return the tracker of (4/eta)/(1 + sqrt(1 + 8 rho/(eta G))) at the step size and radius of a method.

    G is the norm of the gradient of all samples, at w itself.

    Raises:
        ValueError: If the method has no radius that is a length.

    Source: arXiv:2309.12488.
    """
    rule = method.method if isinstance(method, Minibatch) else method
    lengths = isinstance(rule, Method) and {"rho", "grad_norm", "eta"} <= {*entry_of(rule).needs}
    if not lengths:
        raise ValueError(
            f'"{name}" is for SAM, whose radius rho is a length; {method!r} has none. Its own edge is "edge"'
        )
    return Edge(name, points, method, catalogue.entries()["sam"])


class DualNorm(Tracker):
    """‖g‖* in the norm of the method, Euclidean unless it is steepest descent in another one.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        norm: The norm.
    """

    def __init__(self, name: str, points: Points, norm: Norm) -> None:
        super().__init__(name, points, {name: f"dual norm of the gradient, norm {norm.name}"})
        norm.check_dim(points.problem.dim)
        self._norm = norm

    def values(self, point: Point) -> dict[str, float]:
        """Return the column."""
        return {self.name: float(self._norm.dual(point.grad))}


def _formula(edge: Any) -> str:
    return str(getattr(edge, "formula", None) or edge.text)
