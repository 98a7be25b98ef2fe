"""Fixed points and 2-cycles with their multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array
from .._map import Map, named
from .._tables import html_table, text_table
from ..engine.iterate import System
from ._batch import checked_starts, require_jacobian
from ._clusters import clusters
from ._newton import newton
from .cycle import Cycle

#: Multipliers within this of 1 are named, where points of a line come out of Newton's method with its rounding.
_ON_LINE = 1e-6
#: Starts of Newton's method by default, and most cycles that it lists.
_STARTS, _LISTED = 1000, 100
#: What Newton's method finds further out than this many times the farthest start is dropped.
_REACH = 100


@dataclass(frozen=True, eq=False)
class CycleList:
    """Fixed points or cycles of one period at one set of parameters; ``print`` shows a table.

    Attributes:
        cycles: Isolated ones, ordered by the first coordinate; with a multiplier 1, Newton's method cannot tell whether
            they are, and the table says so.
        curves: Polynomials of the state, in plain text, that vanish where every point is one.
        complete: Whether that is all there is.
        how: How they were found.
        system: The system in words.
        parameters: Its parameters.
    """

    cycles: tuple[Cycle, ...]
    curves: tuple[str, ...]
    complete: bool
    how: str
    system: str
    parameters: dict[str, float]

    def __len__(self) -> int:
        return len(self.cycles)

    def __iter__(self) -> Any:
        return iter(self.cycles)

    def __getitem__(self, index: int) -> Cycle:
        return self.cycles[index]

    def _head(self) -> str:
        values = ", ".join(f"{n} = {v:g}" for n, v in self.parameters.items())
        lines = [f"{self.system}{' at ' if values else ''}{values}: {self.how}"]
        lines += ["every point" if c == "0" else f"every point with {c} = 0" for c in self.curves]
        if not self.complete and any(np.any(np.abs(c.multipliers - 1) <= _ON_LINE) for c in self.cycles):
            lines.append("those with a multiplier 1 may be points of a whole line of them")
        return "\n".join(lines)

    def _cells(self) -> list[list[str]]:
        rows = []
        for cycle in self.cycles:
            points = " → ".join("(" + ", ".join(f"{v:.10g}" for v in p) + ")" for p in cycle.points)
            rows.append([points, ", ".join(_number(m) for m in cycle.multipliers), cycle.stability])
        return rows

    def __repr__(self) -> str:
        if not self.cycles:
            return self._head()
        return f"{self._head()}\n\n{text_table(_COLUMNS, self._cells())}"

    def _repr_html_(self) -> str:
        return html_table(_COLUMNS, self._cells())


_COLUMNS = ["points", "multipliers", "stability"]


def fixed_points(system: System, *, starts: ArrayLike | None = None, **parameters: float) -> CycleList:
    """Return the fixed points of a system with their multipliers and stability.

    A polynomial `Map` in one or two variables is solved by exact elimination when its degrees are small: the list is
    then all there is, curves of fixed points included. Anything else is searched by Newton's method from many starts:
    the list may be incomplete, and says so. Roots that merge, as at a bifurcation, rounding hides over a wide range: to
    Newton's method they are one, ``"neutral"``.

    Args:
        system: A `Map`, `FunctionMap` or `method_map`.
        starts: Where Newton's method begins, shape (starts, dim); by default 1000 points of random direction and
            log-uniform length from 0.01 to 100. Given, Newton's method is used. What it finds a hundred times as far
            out as the farthest start is dropped: solutions at infinity look like that.
        **parameters: Every parameter, a number.

    Raises:
        TypeError: if the derivative of the system is not known.
        ValueError: for wrong parameters or starts.

    Example:
        >>> from eossim.maps import uv_balanced
        >>> [p.stability for p in fixed_points(uv_balanced, Y=0.5)]
        ['stable', 'unstable', 'stable']
    """
    return _cycles(system, 1, starts, parameters)


def two_cycles(system: System, *, starts: ArrayLike | None = None, **parameters: float) -> CycleList:
    """Return the 2-cycles of a system with their multipliers and stability (see `fixed_points`)."""
    return _cycles(system, 2, starts, parameters)


def _cycles(system: System, period: int, starts: ArrayLike | None, parameters: Mapping[str, Any]) -> CycleList:
    require_jacobian(system)
    values = {n: float(finite_array(n, v, ndim=0, dtype=np.float64)) for n, v in named(system, parameters).items()}
    for name, interval in getattr(system, "intervals", {}).items():
        interval.check(name, values[name])
    solved = _eliminated(system, period, values) if isinstance(system, Map) and starts is None else None
    if solved is not None:
        orbits, curves = solved
        cycles, how = _described(system, orbits, values), "all, by elimination"
    else:
        found, tried = _searched(system, period, starts, values)
        cycles = tuple(found)
        curves, how = (), f"Newton's method from {tried} starts: the list may be incomplete"
    name = f"{'fixed points' if period == 1 else '2-cycles'} of {getattr(system, 'name', system)}"
    return CycleList(cycles, curves, solved is not None, how, name, values)


def _eliminated(system: Map, period: int, values: Mapping[str, float]) -> tuple[list[Any], tuple[str, ...]] | None:
    """Return all cycles of period 1 or 2, their points to many digits, and curves; None if that would take long."""
    import sympy as sp

    from .polynomial import orbits, real_solutions

    symbols = system.symbols
    exact = {symbols[n]: sp.Rational(v) for n, v in values.items()}
    once = [sp.expand(e.xreplace(exact)) for e in system.update]
    if not all(e.is_polynomial(*system.states) for e in once) or system.dim > 2:
        return None
    first = [e - s for e, s in zip(once, system.states, strict=True)]
    if period == 1:
        solutions = real_solutions(first, system.states)
    else:
        if max(sp.Poly(e, *system.states).total_degree() for e in once) > 3:
            return None
        substitution = dict(zip(system.states, once, strict=True))
        twice = [sp.expand(e.xreplace(substitution) - s) for e, s in zip(once, system.states, strict=True)]
        if system.dim == 1 and not first[0].is_zero:
            twice = [sp.quo(twice[0], first[0], *system.states)]
        solutions = real_solutions(twice, system.states)
    if solutions is None:
        return None
    curves = [c for c in solutions.curves if period == 1 or not _vanish_on(first, c)]
    return orbits(solutions.points, once, system.states, period), tuple(_plain(c) for c in curves)


def _plain(curve: Any) -> str:
    """Return a polynomial as text, its coefficients as short fractions where that costs no digits."""
    import sympy as sp

    if curve == 0:
        return "0"
    monic = sp.Poly(curve, *sorted(curve.free_symbols, key=str)).monic()
    terms = []
    for powers, coefficient in monic.terms():
        short = sp.Rational(coefficient).limit_denominator(10**6)
        number = short if abs(short - coefficient) <= 1e-14 * abs(coefficient) else coefficient.evalf(15)
        terms.append(number * sp.prod(s**n for s, n in zip(monic.gens, powers, strict=True)))
    return str(sp.Add(*terms))


def _vanish_on(expressions: list[Any], curve: Any) -> bool:
    """Whether every expression is a multiple of `curve`: a curve of fixed points is not one of 2-cycles."""
    import sympy as sp

    if curve == 0:
        return all(e == 0 for e in expressions)
    return all(sp.rem(e, curve, *sorted(curve.free_symbols, key=str)) == 0 for e in expressions)


def _searched(
    system: System, period: int, starts: ArrayLike | None, values: Mapping[str, float]
) -> tuple[list[Cycle], int]:
    """Return cycles of period 1 or 2 that Newton's method finds, and the number of starts."""
    if starts is None:
        rng = np.random.default_rng(0)
        direction = rng.standard_normal((_STARTS, system.dim))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        begin = direction * 10 ** rng.uniform(-2, 2, (_STARTS, 1))
    else:
        begin = np.atleast_2d(checked_starts(system, starts))
    widest = float(np.abs(begin).max())
    floor = min(1.0, widest) or 1.0

    def solved(x: np.ndarray) -> tuple[Any, np.ndarray]:
        runs = {n: np.full(len(x), v) for n, v in values.items()}
        scale = np.repeat(np.maximum(np.abs(x).max(axis=1, keepdims=True), floor), system.dim, axis=1)
        return newton(system, x, period, runs, scale), scale

    first, _ = solved(begin)
    # Beyond, a residual that rounding hides may belong to a solution at infinity.
    listed = first.found & (np.abs(first.points).max(axis=1) <= _REACH * widest)
    found, scale = solved(first.points[listed])  # again, against the magnitude of the solution
    kept = found.found & (np.abs(found.points).max(axis=1) <= _REACH * widest)
    return clusters(system, period, found.select(kept), scale[kept], values, _LISTED), len(begin)


def _described(system: System, orbits: list[Any], values: Mapping[str, float]) -> tuple[Cycle, ...]:
    cycles = []
    for orbit in orbits:
        points = np.array([[float(v) for v in point] for point in orbit])
        jacobian = np.eye(system.dim)
        for point in points:
            jacobian = system.jacobian_at(point, **values) @ jacobian  # type: ignore[attr-defined]
        multipliers = np.linalg.eigvals(jacobian).astype(complex)
        cycles.append(Cycle(points, multipliers[np.argsort(-np.abs(multipliers), kind="stable")]))
    return tuple(cycles)


def _number(value: complex) -> str:
    return f"{value.real:.10g}" if value.imag == 0 else f"{value.real:.6g}{value.imag:+.6g}i"
