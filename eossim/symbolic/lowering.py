"""Split expressions into assignments at two levels, for source that runs over many runs at once.

A *run* value is one number per run (parameters and what follows from them) and is computed once, outside every loop; a
*coordinate* value changes within a run. Numbers become named constants, which each target writes in the dtype of its
arrays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sympy as sp

RUN, COORDINATE, GRADIENT, NORM = "run", "coordinate", "gradient", "norm"


@dataclass(frozen=True)
class Op:
    """One assignment: a run or coordinate expression, the gradient at a coordinate value, or the norm of one."""

    kind: str
    target: sp.Symbol
    value: sp.Expr


class Lowering:
    """The growing list of assignments: one symbol per hoisted run expression and constant.

    Args:
        subject: What is lowered, for messages: ``"rule sam"``.
        run_symbols: Symbols with one value per run.
    """

    def __init__(self, subject: str, run_symbols: Iterable[sp.Symbol]) -> None:
        self.subject = subject
        self.ops: list[Op] = []
        self.constants: dict[sp.Symbol, sp.Number] = {}
        self.run_symbols = set(run_symbols)
        self.seen: dict[sp.Expr, sp.Symbol] = {}

    def emit(self, kind: str, value: sp.Expr) -> sp.Symbol:
        """Return the symbol of an assignment, a new one only for a new value."""
        key = sp.Tuple(sp.Symbol(kind), value)
        if key not in self.seen:
            prefix = {RUN: "s", COORDINATE: "x", GRADIENT: "g", NORM: "n"}[kind]
            symbol = sp.Symbol(f"{prefix}{sum(op.kind == kind for op in self.ops)}_", real=True)
            self.ops.append(Op(kind, symbol, value))
            self.seen[key] = symbol
            if kind in (RUN, NORM):
                self.run_symbols.add(symbol)
        return self.seen[key]

    def constant(self, number: sp.Number) -> sp.Symbol:
        """Return the symbol of a number."""
        for symbol, value in self.constants.items():
            if value == number:
                return symbol
        symbol = sp.Symbol(f"c{len(self.constants)}_", real=True)
        self.constants[symbol] = number
        self.run_symbols.add(symbol)
        return symbol

    def is_run(self, expression: sp.Expr) -> bool:
        """Whether an expression has one value per run."""
        return expression.free_symbols <= self.run_symbols

    def hoist(self, expression: sp.Expr) -> sp.Expr:
        """Move run factors and terms into assignments of their own."""
        if self.is_run(expression):
            return self.run_value(expression)
        if expression.is_Symbol:
            return expression
        if expression.is_Mul:
            negative = expression.could_extract_minus_sign()
            factors = sp.Mul.make_args(-expression if negative else expression)
            shared = sp.Mul(*(f for f in factors if self.is_run(f)))
            if shared.could_extract_minus_sign():
                negative, shared = not negative, -shared
            own = [self.hoist(f) for f in factors if not self.is_run(f)]
            lead = [] if shared == 1 else [self.run_value(shared)]
            return sp.Mul(-1 if negative else 1, *lead, *own)
        if expression.is_Add:
            shared = sp.Add(*(t for t in expression.args if self.is_run(t)))
            own = [self.hoist(t) for t in expression.args if not self.is_run(t)]
            return sp.Add(*([] if shared == 0 else [self.run_value(shared)]), *own)
        if expression.is_Pow:
            return sp.Pow(self.hoist(expression.base), expression.exp)
        if expression.has(sp.Piecewise):
            raise ValueError(f"{self.subject}: Piecewise cannot be compiled; use Min, Max, Abs and sign")
        return expression.func(*map(self.hoist, expression.args))

    def run_value(self, expression: sp.Expr) -> sp.Symbol:
        """Return a run expression as a symbol."""
        value = self.numbers(expression)
        return value if value.is_Symbol else self.emit(RUN, value)

    def numbers(self, expression: sp.Expr) -> sp.Expr:
        """Replace numbers by constants; a leading minus and exponents stay."""
        if expression.is_Number or expression.is_NumberSymbol:
            return self.constant(expression)
        if expression.is_Pow:
            return sp.Pow(self.numbers(expression.base), expression.exp)
        if expression.is_Mul and expression.could_extract_minus_sign():
            return -self.numbers(-expression)
        return expression.func(*map(self.numbers, expression.args)) if expression.args else expression

    def assign(self, symbol: sp.Symbol, value: sp.Expr) -> None:
        """Append the assignment of a value to a symbol of its own, after the run values that it needs."""
        if self.is_run(value):
            self.run_symbols.add(symbol)
            self.ops.append(Op(RUN, symbol, self.numbers(value)))
        else:
            hoisted = self.hoist(value)
            self.ops.append(Op(COORDINATE, symbol, hoisted))
