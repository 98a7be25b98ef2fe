"""One point of a training as trackers see it: what several of them need is computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from ...curvature.operator import Operator

#: Marks streams of trackers: training draws from default_rng([seed, 1]).
_STREAM = 2


class Point:
    """A problem at the parameters of one step.

    Args:
        problem: Anything with ``dim`` and ``grad(w)``; ``linearize(w)`` or ``hvp(w, v)`` for its curvature.
        t: The step.
        w: Parameters, shape (dim,).
        state: State of the run.

    Attributes:
        memo: What trackers found here and share with others.
    """

    def __init__(self, problem: Any, t: int, w: np.ndarray, state: Mapping[str, Any]) -> None:
        self.problem, self.t, self.w, self.state = problem, t, w, state
        self.memo: dict[Any, Any] = {}

    @cached_property
    def grad(self) -> np.ndarray:
        """∇L(w), shape (dim,), float64."""
        with np.errstate(all="ignore"):
            return np.asarray(self.problem.grad(self.w), dtype=np.float64)

    @cached_property
    def grad_norm(self) -> float:
        """Euclidean norm of the gradient."""
        return float(np.linalg.norm(self.grad))

    @cached_property
    def finite(self) -> bool:
        """Whether the run has not diverged."""
        return bool(np.isfinite(self.w).all() and np.isfinite(self.grad).all())

    @cached_property
    def hessian(self) -> Operator:
        """∇²L(w): made once, products with it are cheap."""
        problem = self.problem
        if not hasattr(problem, "linearize"):
            return Operator.of(problem, self.w.astype(np.float64))
        return Operator(problem.dim, products(problem.linearize(self.w)))


def products(linear: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return v -> H v of what `linearize` returned, for one vector or rows of them, in float64.

    Args:
        linear: A model with ``hvp``, or a function of one vector.
    """
    whole = getattr(linear, "hvp", None)
    if whole is not None:
        return lambda v: np.asarray(whole(v), dtype=np.float64)

    def each(v: np.ndarray) -> np.ndarray:
        rows = [linear(row) for row in v.reshape(-1, v.shape[-1])]
        return np.array(rows, dtype=np.float64).reshape(v.shape)

    return each


class Points:
    """The points of a run, one after another.

    Args:
        problem: The problem.
        seed: Seed of the run.
    """

    def __init__(self, problem: Any, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self._latest: Point | None = None

    def at(self, t: int, w: np.ndarray, state: Mapping[str, Any]) -> Point:
        """Return the point of step t: the latest one if it is that, with what is known of it."""
        latest = self._latest
        if latest is None or latest.t != t or latest.w is not w:
            latest = self._latest = Point(self.problem, t, w, state)
        return latest

    def stream(self, t: int) -> list[int]:
        """Return the seed of what is random at step t: the same however often and wherever else one measures."""
        return [self.seed, _STREAM, t]
