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
from ._newton import UNCERTAIN, newton, through

#: Multipliers within this of the unit circle count as on it.
_ON_CIRCLE = 1e-9
#: Points closer than this, relative to their magnitude or 1, are one.
_SAME = 1e-7
#: A point that moves by less, relative to its magnitude or 1, is fixed.
_FIXED = 1e-12
#: Starts of Newton's method by default, and most cycles that it lists.
_STARTS, _LISTED = 1000, 100
#: What Newton's method finds further out than this many times the farthest start is dropped.
_REACH = 100


@dataclass(frozen=True, eq=False)
class Cycle:
    """A fixed point or cycle.

    Attributes:
        points: In the order of the steps, shape (period, dim).
        multipliers: Eigenvalues of the derivative of the period-fold map, largest modulus first, shape (dim,), complex.
    """

    points: np.ndarray
    multipliers: np.ndarray

    @property
    def stability(self) -> str:
        """How nearby states move.

        ``"stable"`` (all multipliers inside the unit circle), ``"unstable"`` (all outside), ``"saddle"`` (some
        outside), or ``"neutral"`` (none outside, some within 1e-9 of the circle: higher orders decide, or the cycle
        belongs to a line of them).
        """
        moduli = np.abs(self.multipliers)
        outside, inside = moduli > 1 + _ON_CIRCLE, moduli < 1 - _ON_CIRCLE
        if inside.all():
            return "stable"
        if not outside.any():
            return "neutral"
        return "unstable" if outside.all() else "saddle"

    @property
    def stable(self) -> bool:
        """Whether all multipliers are inside the unit circle."""
        return self.stability == "stable"


@dataclass(frozen=True, eq=False)
class CycleList:
    """Fixed points or cycles of one period at one set of parameters; ``print`` shows a table.

    Attributes:
        cycles: Isolated ones, ordered by the first coordinate.
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
        return "\n".join(lines + ["every point" if c == "0" else f"every point with {c} = 0" for c in self.curves])

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
    the list may be incomplete, and says so.

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
        points, curves = solved
        noise = np.zeros(len(points))
        how = "all, by elimination"
    else:
        points, noise, tried = _searched(system, period, starts, values)
        curves, how = (), f"Newton's method from {tried} starts: the list may be incomplete"
    name = f"{'fixed points' if period == 1 else '2-cycles'} of {getattr(system, 'name', system)}"
    cycles = _described(system, period, points, noise, values)
    return CycleList(cycles, curves, solved is not None, how, name, values)


def _eliminated(system: Map, period: int, values: Mapping[str, float]) -> tuple[np.ndarray, tuple[str, ...]] | None:
    """Return all points of period 1 or 2 and their curves, or None if elimination would take long."""
    import sympy as sp

    from .polynomial import real_solutions

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
    return solutions.points, tuple(_plain(c) for c in curves)


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
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return points of period 1 or 2 that Newton's method finds, how uncertain each is, and the number of starts."""
    if starts is None:
        rng = np.random.default_rng(0)
        direction = rng.standard_normal((_STARTS, system.dim))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        begin = direction * 10 ** rng.uniform(-2, 2, (_STARTS, 1))
    else:
        begin = np.atleast_2d(checked_starts(system, starts))
    runs = {n: np.full(len(begin), v) for n, v in values.items()}
    found = newton(system, begin, period, runs, np.maximum(np.abs(begin).max(axis=1), 1))
    # Beyond, a residual that rounding hides may belong to a solution at infinity.
    listed = found.found & (np.abs(found.points).max(axis=1) <= _REACH * np.abs(begin).max())
    return found.points[listed], found.noise[listed], len(begin)


def _described(
    system: System, period: int, points: np.ndarray, noise: np.ndarray, values: Mapping[str, float]
) -> tuple[Cycle, ...]:
    """Return distinct cycles of exactly this period through points of some uncertainty, ordered."""
    listed: list[np.ndarray] = []
    for number in np.lexsort(points.T[::-1]):
        point = points[number]
        size = max(1.0, float(np.abs(point).max()))
        if any(np.abs(orbit - point).max(axis=1).min() <= _SAME * size for orbit in listed):
            continue
        orbit = [point]
        with np.errstate(all="ignore"):
            for _ in range(period - 1):
                orbit.append(system.step(orbit[-1], **values))
        if period == 2 and np.abs(orbit[1] - point).max() <= max(_FIXED * size, UNCERTAIN * noise[number]):
            continue
        listed.append(np.stack(orbit))
        if len(listed) == _LISTED:
            break
    cycles = []
    for through_point in listed:
        _, jacobian = through(system, through_point[:1], period, {n: np.full(1, v) for n, v in values.items()})
        multipliers = np.linalg.eigvals(jacobian[0]).astype(complex)
        cycles.append(Cycle(through_point, multipliers[np.argsort(-np.abs(multipliers), kind="stable")]))
    return tuple(cycles)


def _number(value: complex) -> str:
    return f"{value.real:.10g}" if value.imag == 0 else f"{value.real:.6g}{value.imag:+.6g}i"
