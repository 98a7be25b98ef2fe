"""Read what a map declares: names and expressions, as text or as sympy objects."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.parsing.sympy_parser import parse_expr

from .._check import unknown

#: What text may call, besides operators and numbers.
_FUNCTIONS = {
    **{"sqrt": sp.sqrt, "abs": sp.Abs, "Abs": sp.Abs, "sign": sp.sign, "pi": sp.pi},
    **{"min": sp.Min, "Min": sp.Min, "max": sp.Max, "Max": sp.Max},
    **{"exp": sp.exp, "log": sp.log, "sin": sp.sin, "cos": sp.cos, "tanh": sp.tanh},
}
#: What the parser itself writes into the text.
_PARSER = {"Integer": sp.Integer, "Float": sp.Float, "Symbol": sp.Symbol, "Function": sp.Function}


@dataclass(frozen=True)
class Declared:
    """A map as it was written.

    Attributes:
        states: State symbols, real.
        parameters: Parameter symbols, real.
        where: Abbreviations in order, each in terms of states, parameters and earlier ones.
        update: Next value of each state; abbreviations stand in it.
        observables: Named scalars of a state; abbreviations stand in them.
    """

    states: tuple[sp.Symbol, ...]
    parameters: tuple[sp.Symbol, ...]
    where: dict[sp.Symbol, sp.Expr]
    update: tuple[sp.Expr, ...]
    observables: dict[str, sp.Expr]

    def spelled(self, expression: sp.Expr) -> sp.Expr:
        """Return `expression` with its abbreviations written out."""
        for symbol, value in reversed(self.where.items()):
            expression = expression.xreplace({symbol: value})
        return expression


def declared(
    name: str,
    states: Sequence[str],
    parameters: Sequence[str],
    update: Mapping[Any, Any],
    where: Mapping[Any, Any],
    observables: Mapping[str, Any],
) -> Declared:
    """Return the map in symbols of its own: names are matched as text, every symbol is real.

    Raises:
        ValueError: naming the name that cannot be used, the expression and the symbol or function that the map does not
            know, the state without a next value, the parameter that nothing uses, or the text that is no expression.
    """
    if not states:
        raise ValueError(f"map {name}: state must name a coordinate")
    names = [*(_usable(name, s) for s in states), *(_usable(name, p, _RESERVED + _ARGUMENTS) for p in parameters)]
    if len(set(names)) < len(names):
        raise ValueError(f"map {name}: names of states and parameters must differ, got {names}")
    symbols = {n: sp.Symbol(n, real=True) for n in names}
    abbreviations: dict[sp.Symbol, sp.Expr] = {}
    for key, value in where.items():
        expression = _expression(f"map {name}: {key}", value, symbols)
        if str(key) in symbols:
            raise ValueError(f"map {name}: {key} is declared twice")
        symbols[str(key)] = sp.Symbol(_usable(name, str(key)), real=True)
        abbreviations[symbols[str(key)]] = expression
    given = {str(key): value for key, value in update.items()}
    if set(given) != set(states):
        raise ValueError(f"map {name}: update must say what becomes of each of {list(states)}, got {list(given)}")
    result = Declared(
        states=tuple(symbols[s] for s in states),
        parameters=tuple(symbols[p] for p in parameters),
        where=abbreviations,
        update=tuple(_expression(f"map {name}: the update of {s}", given[s], symbols) for s in states),
        observables={
            _usable(name, o): _expression(f"map {name}: observable {o}", value, symbols)
            for o, value in observables.items()
        },
    )
    used = {str(s) for e in (*result.update, *result.observables.values()) for s in result.spelled(e).free_symbols}
    unused = [p for p in parameters if p not in used]
    if unused:
        raise ValueError(f"map {name}: declared parameter(s) {unused} appear neither in the update nor in observables")
    return result


#: Names that generated source uses itself, and those of the arguments beside which parameters are given.
_RESERVED = ("np", "kernel", "min", "range")
_ARGUMENTS = ("self", "system", "x", "x0", "steps", "at", "burn_in")


def _usable(owner: str, name: str, reserved: Sequence[str] = _RESERVED) -> str:
    if not name.isidentifier() or keyword.iskeyword(name) or name in reserved or name.endswith("_"):
        raise ValueError(
            f"map {owner}: {name!r} cannot be used as a name; take an identifier that is no Python keyword, does not "
            f"end in an underscore and is none of {', '.join(reserved)}"
        )
    return name


#: A factor beside the next one: a number or a bracket, then a name or a bracket; a name, then a bracket or a name.
_BESIDE = re.compile(r"(?<![\w.])\d+\.?\d*\s*(?![eE][-+]?\d)[A-Za-z_(]|\)\s*[\w(]|([A-Za-z_]\w*)(?:\s*\(|\s+\w)")


def _hint(text: Any) -> str:
    """Return what may be meant by text that cannot be read, as an addition to the message."""
    if not isinstance(text, str):
        return ""
    beside = any(match[1] not in _FUNCTIONS for match in _BESIDE.finditer(text))
    hints = ["powers are written with **"] * ("^" in text) + ["products are written with *"] * beside
    return f" ({', '.join(hints)})" if hints else ""


def _expression(what: str, value: Any, symbols: Mapping[str, sp.Symbol]) -> sp.Expr:
    try:
        if isinstance(value, str):
            expression = parse_expr(value, local_dict=dict(symbols), global_dict=_PARSER | _FUNCTIONS)
        else:
            expression = sp.sympify(value)
    except Exception as error:  # the parser evaluates the text, so anything may come
        raise ValueError(f"{what} is no expression: {value!r}{_hint(value)}") from error
    if not isinstance(expression, sp.Expr):
        raise ValueError(f"{what} is no expression: {value!r}")
    for call in expression.atoms(sp.core.function.AppliedUndef):
        raise ValueError(f"{what}: {unknown('function', call.func.__name__, _FUNCTIONS)}")
    for symbol in sorted(expression.free_symbols, key=str):
        if str(symbol) not in symbols:
            raise ValueError(f"{what}: {unknown('symbol', str(symbol), symbols)}")
    return expression.xreplace({s: symbols[str(s)] for s in expression.free_symbols})
