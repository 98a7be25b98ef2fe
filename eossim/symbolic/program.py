"""Lower a rule to a straight-line program: the one form from which the NumPy step and the compiled kernels are written.

Two levels: a *run* value is one number per run (hyper-parameters, norms and what follows from them), a *coordinate*
value is one number per coordinate and run. Products are split so that run factors are computed once, outside the loop
over coordinates. Both targets print the same program, so they round alike.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp

from .latex import plain
from .linearize import inner_gradient, resting_state
from .symmetry import commutes_with_rotations, commutes_with_translations
from .vocabulary import grad, norm, precond, upcoming

if TYPE_CHECKING:
    from .._rule import Rule

RUN, COORDINATE, GRADIENT, NORM = "run", "coordinate", "gradient", "norm"


@dataclass(frozen=True)
class Op:
    """One assignment: a run or coordinate expression, the gradient at a coordinate value, or the norm of one."""

    kind: str
    target: sp.Symbol
    value: sp.Expr


@dataclass(frozen=True)
class Program:
    """A step as assignments.

    Attributes:
        name: Rule name.
        update: The step as the rule states it, in plain text.
        states: State symbols, the iterate first.
        hyper: Names of the hyper-parameters.
        constants: Numbers by symbol; each target writes them in the dtype of the arrays.
        ops: Assignments in order.
        results: Next value of each state, as a coordinate value.
        iterates: Which states are copies of iterates (they start at w0; buffers start at zero).
        centred: Whether the step distinguishes the origin (weight decay): the gradient then carries its linear term.
        modewise: Whether the step reads the curvature itself (implicit methods) and so runs in the eigenbasis only.
        rotation_equivariant: Whether the step commutes with orthogonal changes of basis.
        preconditioned: Whether curvature means that of the preconditioned Hessian.
        shift: Name of the decay inside the preconditioned gradient, or "".
    """

    name: str
    update: str
    states: tuple[sp.Symbol, ...]
    hyper: tuple[str, ...]
    constants: dict[sp.Symbol, sp.Number]
    ops: tuple[Op, ...]
    results: tuple[sp.Expr, ...]
    iterates: tuple[bool, ...]
    centred: bool
    modewise: bool
    rotation_equivariant: bool
    preconditioned: bool
    shift: str
    run_symbols: frozenset[sp.Symbol] = field(default_factory=frozenset)


class _Lowering:
    """The growing program: one symbol per gradient, norm, hoisted run expression and constant."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.states = tuple(rule.update)
        self.ops: list[Op] = []
        self.constants: dict[sp.Symbol, sp.Number] = {}
        self.run_symbols = {s for e in rule.update.values() for s in e.free_symbols if str(s) in rule.domain}
        self.seen: dict[sp.Expr, sp.Symbol] = {}
        self.shifts: set[sp.Expr] = set()  # decays inside preconditioned gradients
        self.plain = False

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

    def operators(self, expression: sp.Expr) -> sp.Expr:
        """Replace gradients and norms by symbols, innermost first."""
        if isinstance(expression, precond):
            coefficient, shift = inner_gradient(self.rule.name, expression.args[0])
            self.shifts.add(shift)
            return coefficient * self.emit(GRADIENT, self.states[0])
        if isinstance(expression, grad | norm):
            self.plain |= isinstance(expression, grad)
            argument = self.as_symbol(self.operators(expression.args[0]))
            return self.emit(GRADIENT if isinstance(expression, grad) else NORM, argument)
        return expression.func(*map(self.operators, expression.args)) if expression.args else expression

    def as_symbol(self, expression: sp.Expr) -> sp.Symbol:
        """Return a coordinate value as a symbol."""
        hoisted = self.hoist(expression)
        return hoisted if hoisted.is_Symbol else self.emit(COORDINATE, hoisted)

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
            raise ValueError(f"rule {self.rule.name}: Piecewise cannot be compiled; use Min, Max, Abs and sign")
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


def lower(rule: Rule) -> Program:
    """Return the program of one step of `rule`.

    Raises:
        ValueError: if the rule mixes gradients that no one set of coordinates makes plain.
    """
    lowering = _Lowering(rule)
    rests, iterates = resting_state(rule)
    rotates = commutes_with_rotations(rule.update)
    centred = not (rests and commutes_with_translations(rule.update, dict(zip(rule.update, iterates, strict=True))))
    modewise = any(e.has(upcoming) for e in rule.update.values())
    if modewise:
        expressions = _solved_on_modes(rule, lowering, centred=centred)
    else:
        expressions = [lowering.operators(e) for e in rule.update.values()]
    shift = _shift(rule, lowering, rotates=rotates)
    shared, expressions = sp.cse(expressions, symbols=(sp.Symbol(f"u{i}_", real=True) for i in range(999)))
    for symbol, value in shared:
        if lowering.is_run(value):
            lowering.run_symbols.add(symbol)
            lowering.ops.append(Op(RUN, symbol, lowering.numbers(value)))
        else:
            hoisted = lowering.hoist(value)  # its run factors come first
            lowering.ops.append(Op(COORDINATE, symbol, hoisted))
    results = tuple(lowering.hoist(e) for e in expressions)
    return Program(
        name=rule.name,
        update="; ".join(f"{s} <- {plain(e)}" for s, e in rule.update.items()),
        states=lowering.states,
        hyper=rule.hyper,
        constants=lowering.constants,
        ops=tuple(lowering.ops),
        results=results,
        centred=centred,
        iterates=iterates,
        modewise=modewise,
        rotation_equivariant=rotates,
        preconditioned=bool(lowering.shifts),
        shift="" if shift == 0 else str(shift),
        run_symbols=frozenset(lowering.run_symbols),
    )


def _solved_on_modes(rule: Rule, lowering: _Lowering, *, centred: bool) -> list[sp.Expr]:
    """Return the explicit form of an implicit step on one mode, in the curvature of that mode."""
    linear = rule.linearization
    if centred or linear.frozen:
        raise ValueError(
            f"rule {rule.name}: an implicit step with a norm, or with decay towards the origin, cannot be compiled"
        )
    if linear.preconditioned:
        lowering.shifts.add(linear.shift)
    return list(linear.matrix * sp.Matrix(linear.states))


def _shift(rule: Rule, lowering: _Lowering, *, rotates: bool) -> sp.Expr:
    """Return the decay inside the preconditioned gradient; the preconditioner must become plain in y = P^1/2 w."""
    if not lowering.shifts:
        return sp.Integer(0)
    if lowering.plain or len(lowering.shifts) > 1:
        raise ValueError(f"rule {rule.name}: plain and preconditioned gradients cannot stand in one step")
    if not rotates or any(e.has(norm) for e in rule.update.values()):
        raise ValueError(
            f"rule {rule.name}: beside a preconditioner, norms and functions of single coordinates cannot be compiled"
        )
    shift = next(iter(lowering.shifts))
    if shift != 0 and str(shift) not in rule.domain:
        raise ValueError(f"rule {rule.name}: the decay inside precond must be one hyper-parameter, got {shift}")
    return shift
