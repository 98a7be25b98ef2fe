"""Run rules: on quadratics by their kernels, on any other problem by their NumPy step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .blocks import Stepper, block_width, compiled, load_product_library, over_blocks
from .method import Method
from .modes import LANES, Modes, modes_of
from .observe import Observer
from .reference import quadratic_gradient, reference
from .rule_state import RuleReading
from .views import OneByOne, is_quadratic


class RuleRun:
    """A quadratic and a rule.

    Args:
        problem: The quadratic.
        method: The bound rule.
        engine: As in `simulate`.
        dtype: Of the steps.

    Raises:
        ValueError: for an engine that the rule cannot use.
    """

    def __init__(self, problem: Any, method: Method, engine: str, dtype: np.dtype) -> None:
        self.problem, self.method, self.dtype = problem, method, dtype
        self.engine = _engine(engine, problem, method)
        self.attributes = rule_attributes(method)

    def reading(self, hyper: dict[str, np.ndarray]) -> RuleReading:
        """Return what can be read off the iterates."""
        return RuleReading(self.problem, self.method, hyper)

    def run(
        self,
        starts: np.ndarray,
        hyper: dict[str, np.ndarray],
        observer: Observer,
        diverged: np.ndarray,
        threads: int,
    ) -> None:
        """Step all runs from `starts`, shape (runs, dim), block by block (see `Descent.run`)."""
        kernel, dense = self.method.rule.kernel, self.engine == "dense"
        if dense:
            load_product_library()
        for shift, members in _groups(kernel, hyper, len(starts)):
            modes = modes_of(self.problem, kernel, self.method.preconditioner, shift, dense=dense)
            group = _Group(kernel, modes, self.engine, self.dtype, hyper, starts, members, observer.stops, threads)
            task = partial(group.run, observer=observer, diverged=diverged)
            over_blocks(task, members.size, group.width, threads)


class PlainRun:
    """A problem with nothing but its gradient, and a rule whose step needs nothing else.

    Args:
        problem: Anything with ``dim``, ``loss(w)`` and ``grad(w)``.
        method: The bound rule.
        engine: As in `simulate`.
        dtype: Of the steps.

    Raises:
        ValueError: for a rule that needs the eigenbasis or is preconditioned, or what other engines do.
    """

    def __init__(self, problem: Any, method: Method, engine: str, dtype: np.dtype) -> None:
        name, kernel = method.rule.name, method.rule.kernel
        if kernel.MODEWISE or method.preconditioner is not None:
            why = "is implicit" if kernel.MODEWISE else "is preconditioned"
            raise ValueError(f"{name} {why}: it runs on quadratics (Quadratic, LeastSquares) only, got {problem!r}")
        if engine not in ("auto", "reference") or dtype != np.float64:
            raise ValueError(
                f"{problem!r} is no quadratic: rules are stepped by NumPy in float64, engine 'auto' or 'reference' and "
                f"dtype 'float64', got {engine!r} and {dtype.name!r}"
            )
        self.problem, self.method, self.engine = problem, method, "reference"
        self.attributes = rule_attributes(method)

    def reading(self, hyper: dict[str, np.ndarray]) -> RuleReading:
        """Return what can be read off the iterates."""
        return RuleReading(self.problem, self.method, hyper)

    def run(
        self,
        starts: np.ndarray,
        hyper: dict[str, np.ndarray],
        observer: Observer,
        diverged: np.ndarray,
        threads: int,
    ) -> None:
        """Step all runs from `starts`, shape (runs, dim), block by block (see `Descent.run`)."""
        kernel, view = self.method.rule.kernel, OneByOne(self.problem)

        def gradient(w: np.ndarray) -> np.ndarray:
            return view.grad(np.ascontiguousarray(w.T)).T

        def block(first: int, last: int) -> None:
            w = starts[first:last].T
            states = [(w if is_iterate else np.zeros_like(w)).copy() for is_iterate in kernel.ITERATES]
            advance = reference(kernel, gradient, None, [hyper[n][first:last] for n in kernel.HYPER])
            stepper = Stepper(advance, states)
            for position, kept in stepper.visit(observer.stops):
                observer.take(None, kept, position, np.arange(first, last))
            diverged[first:last] = stepper.diverged_at

        over_blocks(block, len(starts), -(-len(starts) // threads), threads)


def rule_run(problem: Any, method: Method, engine: str, dtype: np.dtype) -> RuleRun | PlainRun:
    """Return what runs a rule on a problem."""
    return (RuleRun if is_quadratic(problem) else PlainRun)(problem, method, engine, dtype)


def rule_attributes(method: Method) -> dict[str, Any]:
    """Return what a Dataset says of a rule."""
    attributes: dict[str, Any] = {"rule": method.rule.name, "update": method.rule.kernel.UPDATE}
    if method.preconditioner is not None:
        attributes["preconditioner"] = method.preconditioner.ravel()
    return attributes


@dataclass(frozen=True)
class _Group:
    """Runs that share their coordinates, ready to be stepped block by block."""

    kernel: Any
    modes: Modes
    engine: str
    dtype: np.dtype
    hyper: dict[str, np.ndarray]
    starts: np.ndarray
    members: np.ndarray
    stops: np.ndarray
    threads: int

    @property
    def width(self) -> int:
        """Runs in a block."""
        share = -(-self.members.size // self.threads)
        dim, states = self.starts.shape[1], len(self.kernel.STATE)
        return block_width(dim, states, self.dtype.itemsize, share, dense=self.modes.curvature.ndim == 2)

    def run(self, first: int, last: int, observer: Observer, diverged: np.ndarray) -> None:
        """Step one block; lanes beyond its last run repeat that run, so that every product has one shape."""
        chosen = self.members[first:last]
        filled = -(-chosen.size // LANES) * LANES if self.modes.curvature.ndim == 1 else self.width
        lanes = chosen[np.minimum(np.arange(filled), chosen.size - 1)]
        inside = self.modes.enter(self.starts[lanes])
        states = [
            np.ascontiguousarray(inside if is_iterate else np.zeros_like(inside), dtype=self.dtype).copy()
            for is_iterate in self.kernel.ITERATES
        ]
        stepper = Stepper(self._advance([self.hyper[n][lanes].astype(self.dtype) for n in self.kernel.HYPER]), states)
        for position, kept in stepper.visit(self.stops):
            observer.take(self.modes, kept[:, :, : chosen.size], position, chosen)
        diverged[chosen] = stepper.diverged_at[: chosen.size]

    def _advance(self, hyper: list[np.ndarray]) -> Callable[..., None]:
        curvature = np.ascontiguousarray(self.modes.curvature, dtype=self.dtype)
        linear = self.modes.linear.astype(self.dtype)
        if self.engine != "reference":
            return compiled(self.kernel, curvature, linear, hyper)
        gradient = quadratic_gradient(curvature, linear, centred=self.kernel.CENTRED)
        return reference(self.kernel, gradient, curvature, hyper)


def _engine(asked: str, problem: Any, method: Method) -> str:
    """Return the engine to use, or say why the one asked for cannot."""
    kernel = method.rule.kernel
    needs_own_axes = not kernel.ROTATION_EQUIVARIANT and not problem.is_diagonal
    if asked in ("diagonal", "reference") and needs_own_axes:
        raise ValueError(
            f"{method.rule.name} does not commute with rotations: on a dense Hessian it needs engine='dense'"
        )
    if asked == "dense" and kernel.MODEWISE:
        raise ValueError(f"{method.rule.name} is implicit: it runs in the eigenbasis only (engine='diagonal')")
    if asked != "auto":
        return asked
    return "dense" if needs_own_axes else "diagonal"


def _groups(kernel: Any, hyper: dict[str, np.ndarray], runs: int) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (shift, runs): a decay inside a preconditioner moves the eigenbasis, so its values run apart."""
    if not kernel.SHIFT:
        yield 0.0, np.arange(runs)
        return
    for value in np.unique(hyper[kernel.SHIFT]):
        yield float(value), np.flatnonzero(hyper[kernel.SHIFT] == value)
