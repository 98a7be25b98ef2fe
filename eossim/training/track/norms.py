"""Curvature in other norms, and along the steps of the method."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ...curvature.directional import signed_smoothness
from ...curvature.generalized import generalized_sharpness
from ...norms import Norm, from_name
from ..oracle import Oracle
from ..stepper import make_stepper
from .base import Tracker
from .point import Point, Points

#: Every so many points the search has as many random starts as the first time.
_AFRESH = 25
_STARTS, _FEW = 5, 1
#: Names of norms whose matrices or blocks are the layers.
LAYERED = ("spectral", "block_max", "block_sum")


def norm_named(name: str, problem: Any) -> Norm:
    """Return the norm of the parameters of a problem that has a name of `eossim.norms.from_name`.

    Matrices of ``spectral`` and blocks of ``block_max`` and ``block_sum`` are the layers of the problem, weights and
    biases each for themselves; vectors count as matrices of one column.

    Raises:
        ValueError: If the name is not known, or asks for layers that the problem does not have.
    """
    if name not in LAYERED:
        return from_name(name, problem.dim)
    if not hasattr(problem, "layers"):
        raise ValueError(f'the norm "{name}" is one of layers, and {problem!r} has no attribute layers')
    layers = problem.layers
    ends = np.cumsum([prod(shape) for shape in layers])
    blocks = [range(end - prod(shape), end) for end, shape in zip(ends.tolist(), layers, strict=True)]
    matrices = [(shape[0], prod(shape[1:])) if shape else (1, 1) for shape in layers]
    return from_name(name, problem.dim, shape=matrices, blocks=blocks)


class GeneralizedSharpness(Tracker):
    """S = max {dᵀHd : ‖d‖ = 1}: the largest value found, so a lower bound unless the norm is an easy one.

    Searches start from the maximiser of the point before, from LMO(g) and from random directions. Columns ``name``,
    ``name_gap``: ‖H d‖* - S, how far the direction found is from stationary, and ``name_hvps``.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        norm: The norm.

    Raises:
        ValueError: If the norm is for another number of parameters.

    Source: arXiv:2603.05002.
    """

    def __init__(self, name: str, points: Points, norm: Norm) -> None:
        norm.check_dim(points.problem.dim)
        self._gap, self._hvps = f"{name}_gap", f"{name}_hvps"
        long_names = {
            name: f"largest curvature of unit directions found, norm {norm.name}",
            self._gap: "its distance from stationarity",
            self._hvps: "Hessian-vector products spent on it",
        }
        super().__init__(name, points, long_names)
        self._norm = norm
        self._witness: np.ndarray | None = None
        self._searches = 0

    def values(self, point: Point) -> dict[str, float]:
        """Return the columns."""
        starts = [self._norm.lmo(point.grad)] if point.grad.any() else []
        starts += [] if self._witness is None else [self._witness]
        found = generalized_sharpness(
            point.hessian,
            self._norm,
            restarts=_STARTS if self._searches % _AFRESH == 0 else _FEW,
            starts=np.array(starts) if starts else None,
            seed=int(np.random.default_rng(self.points.stream(point.t)).integers(1 << 31)),
            bound=False,
        )
        self._searches += 1
        self.products += found.products
        if np.isfinite(found.witness).all():
            self._witness = found.witness
        return {self.name: found.value, self._gap: found.gap, self._hvps: found.products}

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        witness = {} if self._witness is None else {"witness": self._witness}
        return super().state() | {"searches": self._searches} | witness

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        super().restore(state)
        self._searches, self._witness = int(state["searches"]), state.get("witness")


class DirectionalSmoothness(Tracker):
    """D of the step that leaves the point, of the loss of all samples, in the norm of the method.

    L(w⁺) = L(w) + <g, Δ> + ½D‖Δ‖² with Δ = w⁺ - w. The step is made for the purpose, with the random numbers that the
    run will use, and forgotten. NaN where there is no step.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        method: The method.
        norm: Its norm.

    Source: arXiv:2603.05002.
    """

    def __init__(self, name: str, points: Points, method: Any, norm: Norm) -> None:
        norm.check_dim(points.problem.dim)
        text = f"signed directional smoothness of the step that leaves the point, norm {norm.name}"
        super().__init__(name, points, {name: text})
        self._norm = norm
        self._stepper = make_stepper(Oracle(points.problem), method)

    def values(self, point: Point) -> dict[str, float]:
        """Return the column."""
        following = np.asarray(self._stepper.step(dict(point.state))["w"], dtype=np.float64)
        counted = _Counted(point.problem)
        single = getattr(point.problem, "dtype", None) == np.float32
        # rounding of float32 keeps finer rules from agreeing
        value = signed_smoothness(counted, point.w, following - point.w, self._norm, rtol=1e-4 if single else 1e-8)
        self.products += counted.products
        return {self.name: float(value)}


class _Counted:
    """A problem with a count of its Hessian-vector products."""

    def __init__(self, problem: Any) -> None:
        self._problem, self.dim, self.grad, self.products = problem, problem.dim, problem.grad, 0
        if hasattr(problem, "hvp"):
            self.hvp = self._hvp

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        self.products += v.size // self.dim
        return self._problem.hvp(w, v)
