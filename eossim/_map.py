"""A discrete-time map written once, as mathematics.

`Map` declares states, parameters and the update. Its NumPy step, Jacobian and compiled iteration are derived when first
asked for, as for a `Rule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ._check import real_array, unknown

if TYPE_CHECKING:
    from types import ModuleType

    import sympy as sp

    from .symbolic.declare_map import Declared


class Map:
    """A map x' = F(x; parameters) of a few real numbers, given symbolically.

    Args:
        name: Short identifier.
        state: Names of the coordinates, as text (``"P Q"``) or a sequence of names or symbols.
        update: Next value of each coordinate, in terms of the values before the step; text or sympy expressions.
        parameters: Names of the parameters, like `state`.
        where: Abbreviations that the other expressions use; each may use earlier ones. They are computed once and
            shared, so they have a say in how the step rounds.
        observables: Named scalar expressions of a state.
        summary: One line for tables.
        reference: Where the map comes from (arXiv number, or "derived").
        kernel_module: Name of the generated module of a shipped map, whose mathematics is then read when first needed.

    Expressions may use sums, products, integer powers, ``sqrt``, ``abs``, ``sign``, ``min`` and ``max``. Other
    functions are read, for symbolic work, but have no step: NumPy and compiled code round them differently. A map with
    ``exp`` or ``sin`` that is to be run is a `dynamics.FunctionMap`, from its step as a Python function.

    A state with a coordinate that is not finite stays as it is: the run is lost.

    Raises:
        TypeError: if `update`, `where` or `observables` is no mapping.
        ValueError: for names that clash, an undeclared symbol, a missing update, an unused parameter or text that is no
            expression.

    Example:
        >>> logistic = Map("logistic", state="x", parameters="r", update={"x": "r*x*(1 - x)"})
        >>> logistic.step([0.5], r=3.0)
        array([0.75])
    """

    def __init__(
        self,
        name: str,
        state: Any,
        update: Mapping[Any, Any],
        *,
        parameters: Any = (),
        where: Mapping[Any, Any] | None = None,
        observables: Mapping[str, Any] | None = None,
        summary: str = "",
        reference: str = "",
        kernel_module: str | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must be a Python identifier, got {name!r}")
        self.name, self.summary, self.reference = name, summary, reference
        self._state, self.parameters = _names(state), _names(parameters)
        written = {"update": update, "where": where or {}, "observables": observables or {}}
        for key, value in written.items():
            if not isinstance(value, Mapping):
                raise TypeError(f'map {name}: {key} must be a mapping such as {{"x": "r*x"}}, got {value!r}')
        self._written = tuple(written.values())
        self.kernel_module = kernel_module
        if kernel_module is None:
            _ = self.declared  # a wrong map fails where it is written

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self._state)

    @cached_property
    def declared(self) -> Declared:
        """The map in symbols, abbreviations kept."""
        from .symbolic.declare_map import declared

        return declared(self.name, self._state, self.parameters, *self._written)

    @property
    def states(self) -> tuple[sp.Symbol, ...]:
        """Symbols of the coordinates; real."""
        return self.declared.states

    @property
    def symbols(self) -> dict[str, sp.Symbol]:
        """Symbols of coordinates and parameters by name; real."""
        return {str(s): s for s in (*self.declared.states, *self.declared.parameters)}

    @cached_property
    def update(self) -> tuple[sp.Expr, ...]:
        """Next value of each coordinate, abbreviations written out."""
        return tuple(map(self.declared.spelled, self.declared.update))

    @cached_property
    def observables(self) -> dict[str, sp.Expr]:
        """Named scalars of a state, abbreviations written out."""
        return {name: self.declared.spelled(e) for name, e in self.declared.observables.items()}

    @cached_property
    def jacobian(self) -> sp.Matrix:
        """Derivatives of the update, shape (dim, dim).

        At a kink where two pieces meet, the mean of both sides. Where more than two arguments of one ``min`` or ``max``
        are equal, half the sum of their slopes.
        """
        import sympy as sp

        from .symbolic.map_program import derivatives

        return sp.Matrix(self.dim, self.dim, list(map(self.declared.spelled, derivatives(self.declared))))

    @cached_property
    def kernel(self) -> ModuleType:
        """The module with the NumPy step and the compiled iterations (generated source, compiled on first use)."""
        from .engine.compile import kernel_module

        return kernel_module(self)

    def step(self, x: ArrayLike, **parameters: ArrayLike) -> np.ndarray:
        """Return F(x), shape (..., dim).

        Args:
            x: States, shape (..., dim). float32 is kept; anything else is stepped in float64.
            **parameters: Every parameter by name; numbers, or arrays that broadcast with the leading axes of x.

        Raises:
            ValueError: for shapes that do not fit, an unknown or a missing parameter, or (where the map has no compiled
                form) a function that cannot be compiled.
        """
        return np.stack(self._evaluate("step", x, parameters), axis=-1)

    def jacobian_at(self, x: ArrayLike, **parameters: ArrayLike) -> np.ndarray:
        """Return dF/dx, shape (..., dim, dim): row i holds the derivatives of coordinate i (arguments as in `step`)."""
        entries = np.stack(self._evaluate("jacobian", x, parameters), axis=-1)
        return entries.reshape(*entries.shape[:-1], self.dim, self.dim)

    def observe(self, x: ArrayLike, **parameters: ArrayLike) -> dict[str, np.ndarray]:
        """Return every observable at x, each of shape (...) (arguments as in `step`)."""
        if not self.kernel.OBSERVABLES:
            return {}
        return dict(zip(self.kernel.OBSERVABLES, self._evaluate("observe", x, parameters), strict=True))

    def _evaluate(self, form: str, x: ArrayLike, parameters: Mapping[str, ArrayLike]) -> list[np.ndarray]:
        """Return the results of one generated function, each of the shape that states and parameters broadcast to."""
        states = as_states(self, "x", x)
        values = [real_array(n, v).astype(states.dtype) for n, v in named(self, parameters).items()]
        function = getattr(self.kernel, form)
        try:
            shape = np.broadcast_shapes(states.shape[:-1], *(v.shape for v in values))
        except ValueError:
            shapes = {n: v.shape for n, v in zip(self.parameters, values, strict=True)}
            raise ValueError(
                f"parameters of {self.name} must broadcast with the states, shape {states.shape[:-1]}, got {shapes}"
            ) from None
        with np.errstate(all="ignore"):
            results = function(*np.moveaxis(states, -1, 0), *values)
        return [np.broadcast_to(r, shape).copy() for r in results]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "kernel"}  # modules cannot be pickled

    def __repr__(self) -> str:
        return f"Map({self.name}; {', '.join(self._state)}; {', '.join(self.parameters)})"


def named(system: Any, given: Mapping[str, ArrayLike]) -> dict[str, ArrayLike]:
    """Return the parameters of a system in its order.

    Raises:
        ValueError: for a name that the system does not have, or one that is missing.
    """
    name = getattr(system, "name", type(system).__name__)
    for key in given:
        if key not in system.parameters:
            raise unknown(f"parameter of {name}", key, system.parameters)
    missing = [p for p in system.parameters if p not in given]
    if missing:
        raise ValueError(f"{name} needs a value for {', '.join(missing)}")
    return {p: given[p] for p in system.parameters}


def as_states(system: Any, name: str, x: ArrayLike) -> np.ndarray:
    """Return states as an array (..., dim) of float32, where that is what they are, or float64.

    Raises:
        ValueError: if the last axis is not that of the coordinates.
    """
    states = real_array(name, x)
    if states.ndim == 0 or states.shape[-1] != system.dim:
        hint = f" ({name}[:, None] is one run a number)" if system.dim == 1 else ""
        raise ValueError(f"{name} must have shape (..., {system.dim}), got {states.shape}{hint}")
    return states if states.dtype == np.float32 else states.astype(np.float64, copy=False)


def _names(given: Any) -> tuple[str, ...]:
    """Return names given as text (``"P Q"``) or as a sequence of strings or symbols."""
    return tuple(given.replace(",", " ").split() if isinstance(given, str) else map(str, given))
