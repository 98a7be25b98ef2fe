"""Iterate systems: states at chosen steps, extremes of observables, Lyapunov exponents.

A `Map` runs in its compiled loops, many runs side by side and blocks of runs on threads; its results are those of its
NumPy step bit for bit and depend on neither. Any other system runs with its own ``step``. A state that is not finite
stays as it is: divergence is a result.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, positive_int
from .._cores import available_cores
from .._map import Map, as_states, named
from .blocks import over_blocks
from .modes import LANES


class System(Protocol):
    """What can be iterated: a `Map`, or anything with these attributes.

    Lyapunov exponents also need ``jacobian_at(x, **parameters)``, of shape (..., dim, dim).
    """

    @property
    def dim(self) -> int:
        """Number of coordinates."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters."""

    def step(self, x: np.ndarray, **parameters: Any) -> np.ndarray:
        """Return the next states; x has the shape (..., dim), parameters broadcast with its leading axes."""


class Extremes(NamedTuple):
    """An observable along runs, each of shape (runs,).

    Attributes:
        first: Value at step 0.
        peak: Largest value at steps 1 to T; infinite if the observable or the state was not finite at any of them.
        last: Value at step T; that of the first state that is not finite, for a run that was lost.
    """

    first: np.ndarray
    peak: np.ndarray
    last: np.ndarray


def orbit(
    system: System,
    x0: ArrayLike,
    steps: int,
    *,
    at: ArrayLike | None = None,
    **parameters: ArrayLike,
) -> np.ndarray:
    """Return states after chosen steps, shape (len(at), runs, dim), in the precision of x0.

    Args:
        system: What is iterated.
        x0: Starts, shape (dim,) or (runs, dim).
        steps: Number of steps.
        at: Steps after which states are kept, increasing, from 0 (the start) to `steps`; by default the last alone.
        **parameters: Every parameter of the system; a number, or one for each run, shape (runs,).

    Raises:
        ValueError: for an unknown or missing parameter, shapes that do not fit, or starts and parameters that are not
            finite.
    """
    runs = _runs(system, x0, parameters)
    stops = _stops(at, positive_int("steps", steps, minimum=0))
    kept = np.empty((stops.size, *runs.x.shape), runs.x.dtype)
    if isinstance(system, Map):
        loop = system.kernel.orbit
        runs.over_blocks(lambda first, last: loop(runs.x, runs.values, first, last, stops, kept))
        return kept.transpose(0, 2, 1)
    x, done = runs.states, 0
    for position, stop in enumerate(stops):
        for _ in range(done, stop):
            x = runs.next(x)
        done, kept[position] = stop, x.T
    return kept.transpose(0, 2, 1)


def extremes(system: Map, x0: ArrayLike, steps: int, **parameters: ArrayLike) -> dict[str, Extremes]:
    """Return first, largest and last value of every observable of a map, without keeping trajectories.

    Args:
        system: A map with observables.
        x0: Starts, shape (dim,) or (runs, dim).
        steps: Number of steps T, at least 1.
        **parameters: As in `orbit`.

    Raises:
        TypeError: for a system that is no `Map`.
        ValueError: for a map without observables, and as in `orbit`.
    """
    if not isinstance(system, Map):
        raise TypeError(f"system must be a Map with observables, got {system!r}")
    kernel = system.kernel
    names = kernel.OBSERVABLES
    if not names:
        raise ValueError(f"{system.name} has no observables")
    runs = _runs(system, x0, parameters)
    steps = positive_int("steps", steps)
    first_seen, peak, last_seen = (np.empty((len(names), runs.x.shape[1]), runs.x.dtype) for _ in range(3))

    def observe(first: int, last: int, into: np.ndarray) -> None:
        with np.errstate(all="ignore"):
            seen = kernel.observe(*runs.x[:, first:last], *runs.values[:, first:last])
        for row, value in zip(into, seen, strict=True):
            row[first:last] = value

    def block(first: int, last: int) -> None:
        observe(first, last, first_seen)
        kernel.extremes(runs.x, runs.values, first, last, steps, peak)
        peak[:, first:last][:, ~np.isfinite(runs.x[:, first:last]).all(axis=0)] = np.inf
        observe(first, last, last_seen)

    runs.over_blocks(block)
    return {n: Extremes(first_seen[i], peak[i], last_seen[i]) for i, n in enumerate(names)}


def lyapunov_exponents(
    system: System, x0: ArrayLike, steps: int, *, burn_in: int = 0, **parameters: ArrayLike
) -> np.ndarray:
    """Return the Lyapunov exponents of each run, shape (runs, dim), largest first, in nats per step.

    Orthonormal tangents are carried along by the Jacobian and made orthonormal again after every step; an exponent is
    the mean logarithm of the length that its tangent had (in one dimension: the mean of ln |F'|). A length of zero, or
    below the smallest normal number, makes it -inf: a superstable orbit. A run that leaves the finite numbers has nan
    throughout.

    Args:
        system: A map, or a system with ``jacobian_at``.
        x0: Starts, shape (dim,) or (runs, dim).
        steps: Steps over which lengths are averaged, at least 1.
        burn_in: Steps before them, which turn the tangents but do not count.
        **parameters: As in `orbit`.

    Raises:
        TypeError: for a system without ``jacobian_at``.
        ValueError: as in `orbit`.
    """
    if not hasattr(system, "jacobian_at"):
        raise TypeError(f"system must have jacobian_at(x, **parameters), got {system!r}")
    runs = _runs(system, x0, parameters)
    steps, burn_in = positive_int("steps", steps), positive_int("burn_in", burn_in, minimum=0)
    if isinstance(system, Map):
        loop = system.kernel.lyapunov
        growth, exponent = np.empty(runs.x.shape), np.empty(runs.x.shape, np.int64)
        runs.over_blocks(lambda a, b: loop(runs.x, runs.values, a, b, burn_in, steps, growth, exponent))
        with np.errstate(divide="ignore"):
            total = (np.log(growth) + exponent * np.log(2.0)).T
        x = runs.states
    else:
        total, x = _tangent_lengths(system, runs, steps, burn_in)
    exponents = -np.sort(-total / steps, axis=1)
    exponents[~np.isfinite(x).all(axis=1)] = np.nan
    return exponents


def _tangent_lengths(system: Any, runs: _Runs, steps: int, burn_in: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sums of logarithms, shape (runs, dim), and the last states: the loop of maps, with NumPy."""
    x = runs.states
    tangent = np.broadcast_to(np.eye(system.dim), (*x.shape, system.dim))
    total = np.zeros(x.shape)
    with np.errstate(all="ignore"):
        for t in range(burn_in + steps):
            tangent, triangle = np.linalg.qr(system.jacobian_at(x, **runs.named) @ tangent)
            if t >= burn_in:
                total += np.log(np.abs(np.diagonal(triangle, axis1=1, axis2=2)))
            x = runs.next(x)
    return total, x


@dataclass(frozen=True)
class _Runs:
    """Runs of a system: states `x` (dim, runs) and values of the parameters (parameters, runs), contiguous."""

    system: Any
    x: np.ndarray
    values: np.ndarray

    @property
    def states(self) -> np.ndarray:
        """States, shape (runs, dim)."""
        return self.x.T

    @property
    def named(self) -> dict[str, np.ndarray]:
        """Values of the parameters by name, each of shape (runs,)."""
        return dict(zip(self.system.parameters, self.values, strict=True))

    def next(self, x: np.ndarray) -> np.ndarray:
        """Return the states after one step of the system's own; what is not finite stays."""
        with np.errstate(all="ignore"):
            following = self.system.step(x, **self.named)
        return np.where(np.isfinite(x).all(axis=1, keepdims=True), following, x)

    def over_blocks(self, task: Callable[[int, int], None]) -> None:
        """Call ``task(first, last)`` for every block of runs: some for each thread, so that none waits long."""
        runs, threads = self.x.shape[1], available_cores()
        over_blocks(task, runs, LANES * max(1, -(-runs // (LANES * threads * _BLOCKS_EACH))), threads)


#: Blocks of runs for each thread.
_BLOCKS_EACH = 4


def _runs(system: System, x0: ArrayLike, parameters: dict[str, ArrayLike]) -> _Runs:
    """Return the runs that starts and parameters describe together."""
    name = getattr(system, "name", type(system).__name__)
    x = finite_array("x0", as_states(system, "x0", x0), ndim=(1, 2))
    given = {n: finite_array(n, v, ndim=(0, 1), dtype=x.dtype) for n, v in named(system, parameters).items()}
    counts = {"x0": 1 if x.ndim == 1 else len(x)} | {n: v.size for n, v in given.items()}
    runs = max(counts.values())
    if not {*counts.values()} <= {1, runs}:
        raise ValueError(f"x0 and the parameters of {name} must describe one number of runs, got {counts}")
    states = np.empty((system.dim, runs), x.dtype)
    states.T[:] = x
    values = np.empty((len(given), runs), x.dtype)
    for row, value in zip(values, given.values(), strict=True):
        row[:] = value
    return _Runs(system, states, values)


def _stops(at: ArrayLike | None, steps: int) -> np.ndarray:
    if at is None:
        return np.array([steps])
    stops = np.asarray(at)
    good = stops.ndim == 1 and stops.size > 0 and stops.dtype.kind in "iu"
    if not good or stops[0] < 0 or stops[-1] > steps or (np.diff(stops.astype(np.int64)) <= 0).any():
        raise ValueError(f"at must be increasing step numbers from 0 to steps = {steps}, got {at!r}")
    return stops.astype(np.int64)
