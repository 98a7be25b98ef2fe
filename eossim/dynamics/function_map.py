"""A map given as a Python function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, positive_int, real_array

#: Coefficients of the derivative from values at -2, -1, 1 and 2 steps: the error is of fourth order in the step.
_OFFSETS, _WEIGHTS = np.array([-2.0, -1.0, 1.0, 2.0]), np.array([1.0, -8.0, 8.0, -1.0]) / 12


class FunctionMap:
    """The map x → step(x) of a Python function; every tool of `eossim.dynamics` takes it.

    A function is called with all runs at once and is not compiled: what sympy can say runs much faster as `Map`.

    Args:
        step: Function ``step(x, **parameters)`` from states x, shape (..., dim), to the next ones, same shape.
            Parameters arrive as arrays of shape (...): ``x[..., 0]`` multiplies with them, ``r[..., None] * x`` too.
        dim: Number of state variables.
        parameters: Names of the parameters.
        jacobian: Function ``jacobian(x, **parameters)``, shape (..., dim, dim), row i the gradient of component i. By
            default differences of fourth order between points 7e-4 of a scale apart.
        scale: Length over which the map changes its slope, a number or one for each coordinate, for these differences;
            by default the larger of |x| and 1. The derivative is then good to about 1e-12 times the larger of 1 and
            |step|/scale. Of structure much finer than the scale it says nothing: give the scale or the Jacobian.
        states: Names of the state variables; by default ``x`` in one dimension and ``x_1``, ``x_2``, ... in more.
        name: For tables and messages.

    Raises:
        TypeError: if dim is no integer or a function cannot be called.
        ValueError: if dim < 1, a scale is not positive, names repeat, there is not one name for each state variable, or
            (when called) the function returns another shape.

    Example:
        >>> henon = FunctionMap(
        ...     lambda x, a, b: np.stack([1 - a * x[..., 0] ** 2 + x[..., 1], b * x[..., 0]], -1), 2, ("a", "b")
        ... )
        >>> henon.step(np.array([0.5, 0.2]), a=1.4, b=0.3)
        array([0.85, 0.15])
    """

    def __init__(
        self,
        step: Callable[..., Any],
        dim: int,
        parameters: Sequence[str] = (),
        jacobian: Callable[..., Any] | None = None,
        *,
        scale: ArrayLike | None = None,
        states: Sequence[str] = (),
        name: str = "function",
    ) -> None:
        self.dim = positive_int("dim", dim)
        for label, function in (("step", step), ("jacobian", jacobian)):
            if not callable(function) and not (label == "jacobian" and function is None):
                raise TypeError(f"{label} must be a function, got {function!r}")
        if isinstance(parameters, str) or len({*parameters}) < len(parameters):
            raise ValueError(f"parameters must be a sequence of distinct names, got {parameters!r}")
        default = ("x",) if self.dim == 1 else tuple(f"x_{i}" for i in range(1, self.dim + 1))
        self.states = tuple(states) or default
        if len({*self.states}) != self.dim:
            raise ValueError(f"states must be {self.dim} distinct names, got {states!r}")
        self.parameters, self.name = tuple(parameters), name
        self._step, self._jacobian, self._scale = step, jacobian, None
        if scale is not None:
            lengths = finite_array("scale", scale, ndim=(0, 1), dtype=np.float64)
            if lengths.shape not in ((), (self.dim,)) or not (lengths > 0).all():
                raise ValueError(f"scale must be positive, one number or {self.dim}, got {scale!r}")
            self._scale = np.broadcast_to(lengths, (self.dim,))

    def step(self, x: ArrayLike, **parameters: Any) -> np.ndarray:
        """Return the next states, shape (..., dim), of states x; parameters broadcast over (...)."""
        points, values = self._called(x, parameters)
        return self._result("step", self._step, points, values, points.shape)

    def jacobian_at(self, x: ArrayLike, **parameters: Any) -> np.ndarray:
        """Return ∂step_i/∂x_j, shape (..., dim, dim), at states x, shape (..., dim)."""
        points, values = self._called(x, parameters)
        if self._jacobian is not None:
            return self._result("jacobian", self._jacobian, points, values, (*points.shape, self.dim))
        columns = [self._difference(points, values, j) for j in range(self.dim)]
        return np.stack(columns, axis=-1)

    def _difference(self, x: np.ndarray, values: dict[str, np.ndarray], j: int) -> np.ndarray:
        """Return ∂step/∂x_j, shape (..., dim), from four neighbours."""
        scale = np.maximum(np.abs(x[..., j]), 1) if self._scale is None else np.full_like(x[..., j], self._scale[j])
        size = np.finfo(x.dtype).eps ** 0.2 * scale
        total = np.zeros_like(x)
        for offset, weight in zip(_OFFSETS, _WEIGHTS, strict=True):
            moved = x.copy()
            moved[..., j] += offset * size
            total += weight * self._result("step", self._step, moved, values, x.shape)
        return total / size[..., None]

    def _called(self, x: ArrayLike, parameters: dict[str, Any]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        points = real_array("x", x)
        if points.ndim == 0 or points.shape[-1] != self.dim:
            raise ValueError(f"x must have shape (..., {self.dim}), got {points.shape}")
        lead = np.broadcast_shapes(points.shape[:-1], *(np.shape(v) for v in parameters.values()))
        points = np.broadcast_to(points, (*lead, self.dim))
        return points, {name: np.broadcast_to(np.asarray(v), lead) for name, v in parameters.items()}

    def _result(
        self,
        label: str,
        function: Callable[..., Any],
        x: np.ndarray,
        values: dict[str, np.ndarray],
        shape: tuple[int, ...],
    ) -> np.ndarray:
        with np.errstate(all="ignore"):
            result = real_array(f"{label}(x)", function(x, **values))
        if result.shape != shape:
            raise ValueError(f"{label}(x) must return shape {shape} for x of shape {x.shape}, got {result.shape}")
        return result

    def __repr__(self) -> str:
        return f"FunctionMap({self.name}; {', '.join(self.states)}; {', '.join(self.parameters)})"
