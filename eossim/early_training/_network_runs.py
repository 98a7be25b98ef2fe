"""Gradient descent of a network, with loss and sharpness at every step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..networks import MLP

#: Relative error of the sharpness at the start, and the part of that below which errors of later ones are absolute.
_TOLERANCE, _FLOOR = 1e-6, 1e-3
#: Part of the sharpness at the start below which eigenvalues other than those followed may have become the largest.
_LOW = 0.5
#: Random directions that the search at the start begins with.
_RANDOM = 4
#: Steps after which eigenvectors turn slowly enough to follow them from step to step.
_TURNING = 2
#: Points of the segment between start and end of a run; far apart first, so that a barrier is found early.
SEGMENT = sorted(np.linspace(0, 1, 101), key=lambda point: round(100 * point) % 10 != 0)


class Run:
    """A run, step by step.

    Attributes:
        c: Step size in units of 1 over the sharpness at the start.
        loss: At steps 0 to T, NaN beyond the present one; infinite from the step on at which it diverged.
        sharpness: Likewise; NaN where it was not asked for.
        w: Parameters.
        gradient: Of the loss there.
        pairs: Vectors close to the first two eigenvectors at every step so far, each of shape (2, dim).
        residual: Largest residual of the sharpness, relative to it.
        products: Hessian-vector products.
        diverged: Whether the loss left the bound, or numbers single precision.
    """

    def __init__(self, c: float, start: Start, steps: int) -> None:
        self.c, self.w, self.gradient = c, start.w, start.gradient
        self.loss, self.sharpness = np.full((2, steps + 1), np.nan)
        self.loss[0], self.sharpness[0] = start.loss, start.sharpness
        self.pairs = [start.pair]
        self.residual, self.products, self.diverged = 0.0, 0, False

    @property
    def loss_rises(self) -> bool:
        """Whether some loss so far exceeds that at the start."""
        return bool(np.any(self.loss[1:] > self.loss[0]))

    def sharpness_rises(self, rise: float) -> bool:
        """Whether some sharpness so far exceeds that at the start by a relative `rise`."""
        return bool(np.any(self.sharpness[1:] > self.sharpness[0] * (1 + rise)))

    def end(self, t: int) -> None:
        """Let the run diverge at step t."""
        self.diverged = True
        self.loss[t:] = self.sharpness[t:] = np.inf


class Start:
    """What all runs have in common.

    Args:
        problem: The network.
        w: Its parameters at the start, shape (dim,).

    Attributes:
        loss: Loss there.
        gradient: Its gradient.
        sharpness: Largest eigenvalue of its Hessian.
        pair: Vectors close to the eigenvectors of the two largest, shape (2, dim).
        probe: A random direction, shape (dim,).

    Raises:
        ValueError: If the Hessian has no positive eigenvalue there, so that step sizes have no unit.
    """

    def __init__(self, problem: MLP, w: np.ndarray) -> None:
        linear = problem.linearize(w)
        rows = np.random.default_rng(0).standard_normal((min(_RANDOM, problem.dim), problem.dim))
        found = linear.sharpness(rows.astype(problem.dtype), tolerance=_TOLERANCE)
        self.w, self.loss, self.gradient = w, float(linear.loss), linear.grad
        self.sharpness, self.pair = found.value, found.vectors
        self.probe = np.random.default_rng(1).standard_normal(problem.dim).astype(problem.dtype)
        if not 0 < self.sharpness < np.inf:
            raise ValueError(f"the sharpness at the start must be positive, got {self.sharpness:g}; is it dead?")


class Descent:
    """Gradient descent with step size c over the sharpness at the start.

    Args:
        problem: The network.
        start: Where runs start.
        steps: Steps T of a run.
        bound: Loss up to which a run has not diverged.
    """

    def __init__(self, problem: MLP, start: Start, steps: int, bound: float) -> None:
        self.problem, self.start, self.steps, self.bound = problem, start, steps, bound

    def follow(self, c: float, enough: Callable[[Run], bool], near: Sequence[np.ndarray] | None = None) -> Run:
        """Return a run up to where it diverges or ``enough(run)``; with sharpness if `near` is given.

        Args:
            c: Of the run.
            enough: When to stop.
            near: `Run.pairs` of a complete run at a c nearby.
        """
        run = Run(c, self.start, self.steps)
        for t in range(1, self.steps + 1):
            self.step(run, t, sharpness=near is not None, near=near)
            if run.diverged or enough(run):
                break
        return run

    def step(self, run: Run, t: int, *, sharpness: bool, near: Sequence[np.ndarray] | None) -> None:
        """Take the step to t of a run that has not diverged; `near` as in `follow`."""
        if not run.gradient.any():  # all units are dead, and nothing will change any more
            run.loss[t], run.sharpness[t] = run.loss[t - 1], run.sharpness[t - 1]
            run.pairs.append(run.pairs[-1])
            return
        with np.errstate(over="ignore", invalid="ignore"):
            run.w = run.w - self.problem.dtype.type(run.c / self.start.sharpness) * run.gradient
        if not sharpness:
            loss, run.gradient = self.problem.loss_and_grad(run.w)
            run.loss[t] = loss
        else:
            linear = self.problem.linearize(run.w, threads=False)
            run.loss[t], run.gradient = linear.loss, linear.grad
        if not run.loss[t] <= self.bound:
            run.end(t)
        elif sharpness:
            floor = _FLOOR * self.start.sharpness
            low, probe = _LOW * self.start.sharpness, self.start.probe
            found = linear.sharpness(_guess(run.pairs[-1], near, t), floor=floor, probe=probe, below=low)
            run.sharpness[t] = found.value
            run.pairs.append(found.vectors)
            run.residual = max(run.residual, found.residual / max(abs(found.value), floor))
            run.products += found.products
            if not np.isfinite(found.value):
                run.end(t)

    def barrier(self, w: np.ndarray) -> bool:
        """Return whether the loss exceeds that at the start on the segment from there to w, at 101 points."""
        there = w - self.start.w
        one = self.problem.dtype.type
        return any(self.problem.loss(self.start.w + one(point) * there) > self.start.loss for point in SEGMENT)


def _guess(last: np.ndarray, near: Sequence[np.ndarray] | None, t: int) -> np.ndarray:
    """Return vectors close to the first eigenvectors at step t, from those at the step before and of a run nearby.

    At first those of the run nearby; later the last ones, moved as those of the run nearby have moved.
    """
    if near is None:
        return last
    if t <= _TURNING:
        return near[t]
    turn, across = near[t] @ near[t - 1].T, near[t - 1] @ last.T
    return last + across.T @ (turn.T @ near[t] - near[t - 1])
