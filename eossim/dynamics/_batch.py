"""Runs of a system over starts and parameters, and the labelled results that follow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array
from .._map import named
from ..engine.iterate import System
from ..engine.simulate import versions

if TYPE_CHECKING:
    import xarray as xr

#: Numbers that a block of runs may keep at a time (32 MB).
BLOCK_NUMBERS = 1 << 22
#: Beyond this magnitude a run counts as diverged.
BOUND = 1e8
START = "start"


@dataclass(frozen=True)
class Batch:
    """All combinations of parameter values and starts; the starts vary fastest.

    Attributes:
        system: What is iterated.
        axes: Parameters with several values, each an axis of the results.
        fixed: Parameters with one value.
        starts: Shape (starts, dim).
        single: Whether one start was given as a vector, so that the results have no axis of starts.
    """

    system: System
    axes: dict[str, np.ndarray]
    fixed: dict[str, float]
    starts: np.ndarray
    single: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the results."""
        return tuple(v.size for v in self.axes.values()) + (() if self.single else (len(self.starts),))

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes of the results."""
        return (*self.axes, *(() if self.single else (START,)))

    @cached_property
    def runs(self) -> int:
        """Number of runs."""
        return int(np.prod(self.shape, dtype=np.int64))

    def blocks(self, kept: int) -> Iterator[slice]:
        """Yield slices of runs of which `kept` states each fit into a block."""
        width = max(1, BLOCK_NUMBERS // (kept * self.system.dim))
        for first in range(0, self.runs, width):
            yield slice(first, min(first + width, self.runs))

    def states(self, block: slice) -> np.ndarray:
        """Return the starts of some runs, shape (block, dim)."""
        return self.starts[np.arange(block.start, block.stop) % len(self.starts)]

    def values(self, block: slice) -> dict[str, np.ndarray]:
        """Return the parameters of some runs, each of shape (block,)."""
        place = np.arange(block.start, block.stop) // len(self.starts)
        sizes = tuple(v.size for v in self.axes.values())
        where = np.unravel_index(place, sizes) if sizes else ()
        varied = {n: v[i] for (n, v), i in zip(self.axes.items(), where, strict=True)}
        size = block.stop - block.start
        return {p: varied[p] if p in varied else np.full(size, self.fixed[p]) for p in self.system.parameters}

    def dataset(self, variables: Mapping[str, tuple[Any, ...]], **attributes: Any) -> xr.Dataset:
        """Return results as one labelled Dataset.

        Args:
            variables: By name ``(array, long_name)`` of shape (runs,), or ``(array, long_name, dims)`` with further
                dimensions.
            **attributes: Beside those of the runs.
        """
        import xarray as xr

        data = {}
        for name, (array, text, *further) in variables.items():
            extra = further[0] if further else ()
            data[name] = ((*self.dims, *extra), array.reshape((*self.shape, *array.shape[1:])), {"long_name": text})
        return xr.Dataset(data, self.coordinates(), {**self.attributes(), **attributes})

    def coordinates(self) -> dict[str, Any]:
        """Return parameters, names of the state variables and starts as coordinates."""
        points = ("state", self.starts[0]) if self.single else ((START, "state"), self.starts)
        return {
            **{n: (n, v, {"long_name": n}) for n, v in self.axes.items()},
            **self.fixed,
            "state": list(state_names(self.system)),
            "x0": (*points, {"long_name": "start"}),
        }

    def attributes(self) -> dict[str, Any]:
        """Return what is needed to repeat the runs, beside the coordinates."""
        return {"system": repr(self.system), "versions": versions()}


def batch(system: System, starts: ArrayLike, parameters: Mapping[str, ArrayLike]) -> Batch:
    """Return checked runs: a 1-D array among the parameters becomes an axis.

    Raises:
        ValueError: for unknown (with the nearest), missing or non-finite parameters, and starts of a wrong shape.
    """
    require_system(system)
    checked = {n: finite_array(n, v, ndim=(0, 1), dtype=np.float64) for n, v in named(system, parameters).items()}
    for name, interval in getattr(system, "intervals", {}).items():
        interval.check(name, checked[name])
    for name in checked:
        if name in (START, "state", "x0"):
            raise ValueError(f"a parameter cannot be called {name!r}, which names an axis or the starts in the results")
    axes = {n: checked[n] for n in parameters if checked[n].ndim}
    fixed = {n: float(v) for n, v in checked.items() if not v.ndim}
    points = checked_starts(system, starts)
    return Batch(system, axes, fixed, np.atleast_2d(points), points.ndim == 1)


def checked_starts(system: Any, starts: ArrayLike, name: str = "starts") -> np.ndarray:
    """Return starts, shape (dim,) or (starts, dim); for a method also iterates, with its memory added.

    In one dimension a number is one start and several numbers are several.
    """
    points = finite_array(name, starts, ndim=(0, 1, 2), dtype=np.float64)
    if points.ndim == 0 and np.asarray(starts).dtype.kind in "iu":
        raise ValueError(
            f"{name} must be points, not how many: a number such as {float(points)}, an array, or "
            f"random_starts(low, high, {int(points)}); got {name}={starts!r}"
        )
    if points.ndim == 0:
        points = points[None]
    elif points.ndim == 1 and system.dim == 1 and points.size > 1:
        points = points[:, None]
    if hasattr(system, "start") and points.shape[-1] == system.problem.dim:
        points = system.start(points)
    if points.shape[-1] != system.dim:
        raise ValueError(f"{name} must have shape ({system.dim},) or (starts, {system.dim}), got {points.shape}")
    return points


def require_system(system: Any) -> None:
    """Raise TypeError unless `system` can be iterated."""
    if not all(hasattr(system, name) for name in ("dim", "parameters", "step")):
        raise TypeError(f"system must be a Map, a FunctionMap or a method_map, got {system!r}")


def require_jacobian(system: Any) -> None:
    """Raise TypeError unless the derivative of `system` is known."""
    require_system(system)
    if not hasattr(system, "jacobian_at"):
        raise TypeError(f"{system!r} has no jacobian_at(x, **parameters), which this needs")


def state_names(system: Any) -> tuple[str, ...]:
    """Return the names of the state variables."""
    given = getattr(system, "states", None)
    return tuple(map(str, given)) if given else tuple(f"x_{i}" for i in range(1, system.dim + 1))


def diverged(states: np.ndarray, bound: float) -> np.ndarray:
    """Return whether states, shape (..., dim), are not finite or beyond `bound`, shape (...)."""
    with np.errstate(invalid="ignore"):
        return ~(np.abs(states) <= bound).all(axis=-1)
