"""Lower a map to assignments: the one form from which its NumPy functions and compiled iterations are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sympy as sp

from .latex import plain
from .lowering import RUN, Lowering, Op

if TYPE_CHECKING:
    from .._map import Map
    from .declare_map import Declared


@dataclass(frozen=True)
class Group:
    """Assignments that a group of expressions has for itself, and the expressions in their terms."""

    ops: tuple[Op, ...]
    results: tuple[sp.Expr, ...]


@dataclass(frozen=True)
class MapProgram:
    """A map as assignments.

    Attributes:
        name: Name of the map.
        update: The map in plain text, abbreviations written out.
        states: State symbols.
        parameters: Parameter symbols.
        observables: Names of the observables.
        constants: Numbers by symbol.
        run: Assignments of run values, in order.
        where: Assignments of abbreviations that change within a run, in order.
        step: Next value of each state.
        observe: Value of each observable.
        jacobian: Derivatives of the update, row by row.
        run_symbols: Symbols with one value per run.
    """

    name: str
    update: str
    states: tuple[sp.Symbol, ...]
    parameters: tuple[sp.Symbol, ...]
    observables: tuple[str, ...]
    constants: dict[sp.Symbol, sp.Number]
    run: tuple[Op, ...]
    where: tuple[Op, ...]
    step: Group
    observe: Group
    jacobian: Group
    run_symbols: frozenset[sp.Symbol]

    def needed(self, *groups: Group) -> tuple[list[Op], list[Op]]:
        """Return the run values and the abbreviations that groups of expressions need, in order."""
        wanted = {s for g in groups for e in (*g.results, *(op.value for op in g.ops)) for s in e.free_symbols}
        chosen: list[Op] = []
        for op in reversed((*self.run, *self.where)):
            if op.target in wanted:
                chosen.append(op)
                wanted |= op.value.free_symbols
        return [op for op in chosen[::-1] if op.kind == RUN], [op for op in chosen[::-1] if op.kind != RUN]


def lower_map(source: Map) -> MapProgram:
    """Return the program of a map."""
    written = source.declared
    lowering = Lowering(f"map {source.name}", written.parameters)
    for symbol, value in written.where.items():
        lowering.assign(symbol, value)
    where = [op for op in lowering.ops if op.kind != RUN]
    temporaries = [sp.Symbol(f"u{i}_", real=True) for i in range(999)]

    def group(expressions: Iterable[sp.Expr]) -> Group:
        before = len(lowering.ops)
        shared, reduced = sp.cse(list(expressions), symbols=iter(temporaries))
        del temporaries[: len(shared)]
        for symbol, value in shared:
            lowering.assign(symbol, value)
        results = tuple(map(lowering.hoist, reduced))
        return Group(tuple(op for op in lowering.ops[before:] if op.kind != RUN), results)

    step, observe = group(written.update), group(written.observables.values())
    jacobian = group(derivatives(written))
    return MapProgram(
        name=source.name,
        update="; ".join(f"{s} <- {plain(e)}" for s, e in zip(source.states, source.update, strict=True)),
        states=written.states,
        parameters=written.parameters,
        observables=tuple(written.observables),
        constants=lowering.constants,
        run=tuple(op for op in lowering.ops if op.kind == RUN),
        where=tuple(where),
        step=step,
        observe=observe,
        jacobian=jacobian,
        run_symbols=frozenset(lowering.run_symbols),
    )


def derivatives(written: Declared) -> list[sp.Expr]:
    """Return the derivatives of the update by the states, row by row, abbreviations kept; at a kink, the mean slope."""
    inner: dict[tuple[sp.Symbol, sp.Symbol], sp.Expr] = {}

    def slope(expression: sp.Expr, state: sp.Symbol) -> sp.Expr:
        chain = [expression.diff(a) * inner[a, state] for a in written.where if (a, state) in inner]
        return at_kinks(sp.Add(expression.diff(state), *chain))

    for state in written.states:
        for abbreviation, value in written.where.items():
            inner[abbreviation, state] = slope(value, state)
    return [slope(expression, state) for expression in written.update for state in written.states]


def at_kinks(expression: sp.Expr) -> sp.Expr:
    """Return a derivative with its jumps as signs: halfway at the jump itself."""
    smooth = expression.replace(sp.DiracDelta, lambda *_: sp.Integer(0))
    return smooth.replace(sp.Heaviside, lambda x, *_: (1 + sp.sign(x)) / 2)
