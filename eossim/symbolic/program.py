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
from .lowering import COORDINATE, GRADIENT, NORM, Lowering, Op
from .symmetry import commutes_with_rotations, commutes_with_translations
from .vocabulary import grad, norm, precond, upcoming

if TYPE_CHECKING:
    from .._rule import Rule


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


class _RuleLowering(Lowering):
    """Besides values, gradients and norms have symbols: one for each point."""

    def __init__(self, rule: Rule) -> None:
        symbols = {s for e in rule.update.values() for s in e.free_symbols}
        super().__init__(f"rule {rule.name}", (s for s in symbols if str(s) in rule.domain))
        self.rule = rule
        self.states = tuple(rule.update)
        self.shifts: set[sp.Expr] = set()  # decays inside preconditioned gradients
        self.plain = False

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


def lower(rule: Rule) -> Program:
    """Return the program of one step of `rule`.

    Raises:
        ValueError: if the rule mixes gradients that no one set of coordinates makes plain.
    """
    lowering = _RuleLowering(rule)
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
        lowering.assign(symbol, value)
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


def _solved_on_modes(rule: Rule, lowering: _RuleLowering, *, centred: bool) -> list[sp.Expr]:
    """Return the explicit form of an implicit step on one mode, in the curvature of that mode."""
    linear = rule.linearization
    if centred or linear.frozen:
        raise ValueError(
            f"rule {rule.name}: an implicit step with a norm, or with decay towards the origin, cannot be compiled"
        )
    if linear.preconditioned:
        lowering.shifts.add(linear.shift)
    return list(linear.matrix * sp.Matrix(linear.states))


def _shift(rule: Rule, lowering: _RuleLowering, *, rotates: bool) -> sp.Expr:
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
