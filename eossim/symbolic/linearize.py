"""A rule on one mode of a quadratic: linear once its norms are frozen.

On L = h w^2 / 2 the gradient at x is h x. A norm of the full gradient is not a function of one mode: it enters as a
frozen, positive quantity (``grad_norm``), which makes the edge state-dependent. Methods that are linear in the gradient
with scalar coefficients decouple in the eigenbasis of H, so one mode says it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import sympy as sp

from .vocabulary import grad, grad_norm, h, norm, precond, upcoming, w, z

if TYPE_CHECKING:
    from .._rule import Rule


@dataclass(frozen=True)
class Linearization:
    """One step as s -> A(h) s.

    Attributes:
        states: State symbols, the iterate first.
        matrix: A(h), entries in h, hyper-parameters and frozen quantities.
        frozen: Frozen quantities by symbol, each with the expression it stands for.
        shift: Decay inside the preconditioned gradient: h is then an eigenvalue of P^-1/2 (H + shift I) P^-1/2.
        preconditioned: Whether h is an eigenvalue of the preconditioned Hessian.
    """

    states: tuple[sp.Symbol, ...]
    matrix: sp.Matrix
    frozen: dict[sp.Symbol, sp.Expr]
    shift: sp.Expr
    preconditioned: bool

    @cached_property
    def charpoly(self) -> sp.Expr:
        """Characteristic polynomial det(z I - A), expanded in z."""
        if self.matrix.rows == 1:
            return sp.expand(z - self.matrix[0, 0])
        return sp.expand((z * sp.eye(self.matrix.rows) - self.matrix).det(method="berkowitz"))

    @property
    def multiplier(self) -> sp.Expr | None:
        """Factor of one step when ``w`` is the whole state, else None."""
        return sp.factor(self.matrix[0, 0]) if self.matrix.rows == 1 else None


def linearize(rule: Rule) -> Linearization:
    """Return the step of `rule` on one mode.

    Raises:
        ValueError: if the step is not linear and homogeneous once norms are frozen, or mixes plain and
            preconditioned gradients.
    """
    mode = _Mode(rule)
    states, updates = tuple(rule.update), mode.updates
    if (mode.plain and mode.preconditioned) or len(mode.shifts) > 1:
        raise ValueError(f"rule {rule.name}: plain and preconditioned gradients do not share an eigenbasis")
    if mode.preconditioned and mode.frozen:
        raise ValueError(f"rule {rule.name}: a Euclidean norm beside a preconditioner has no one-mode form")
    matrix = sp.Matrix(len(states), len(states), lambda i, j: sp.diff(updates[i], states[j]))
    remainder = sp.Matrix(updates) - matrix * sp.Matrix(states)
    if any(matrix.has(s) for s in states) or any(sp.simplify(r) != 0 for r in remainder):
        raise ValueError(f"rule {rule.name}: the step is not linear on a quadratic, so it has no edge of this kind")
    shift = next(iter(mode.shifts), sp.Integer(0))
    return Linearization(states, matrix.applyfunc(sp.factor), mode.frozen, shift, mode.preconditioned)


def resting_state(rule: Rule) -> tuple[bool, tuple[bool, ...]]:
    """Return whether a minimiser at 1 is a fixed point, and which state variables are iterates there.

    With the minimum moved to 1, ``w = 1`` stays put under a rule that commutes with translations; weight decay breaks
    this. A state variable that then rests at 1 is a copy of an iterate (and starts at w0); any other is a buffer
    (starts at 0).
    """
    states = tuple(rule.update)
    updates = [sp.expand(e.subs(states[0], 1)) for e in _Mode(rule, origin=1).updates]
    others = states[1:]
    equations = [e - s for s, e in zip(others, updates[1:], strict=True)]
    solution = sp.solve(equations, list(others), dict=True) if others else [{}]
    resting = solution[0] if solution else {}
    rests = sp.simplify(updates[0].subs(resting) - 1) == 0
    return rests, (True, *(resting.get(s) == 1 for s in others))


class _Mode:
    """The update on one mode with its minimum at `origin`: gradients evaluated, norms frozen."""

    def __init__(self, rule: Rule, origin: int = 0) -> None:
        self.rule, self.origin = rule, origin
        self.frozen: dict[sp.Symbol, sp.Expr] = {}
        self.shifts: set[sp.Expr] = set()
        self.plain = self.preconditioned = False
        self.updates = _solve_upcoming(tuple(rule.update), [self.visit(e) for e in rule.update.values()])

    def visit(self, expression: sp.Expr) -> sp.Expr:
        """Evaluate the operators of an expression, innermost first."""
        if isinstance(expression, norm):
            self.visit(expression.args[0])  # norms inside it come first, as they do in the compiled step
            return _frozen_symbol(expression.args[0], self.frozen)
        if isinstance(expression, precond):
            self.preconditioned = True
            coefficient, shift = inner_gradient(self.rule.name, expression.args[0])
            self.shifts.add(shift)
            return coefficient * h * (w - self.origin)
        if isinstance(expression, grad):
            self.plain = True
            return h * (self.visit(expression.args[0]) - self.origin)
        if isinstance(expression, upcoming):
            return sp.Symbol(f"{expression.args[0]}_next")
        return expression.func(*map(self.visit, expression.args)) if expression.args else expression


def _frozen_symbol(argument: sp.Expr, frozen: dict[sp.Symbol, sp.Expr]) -> sp.Symbol:
    """Return the positive symbol that stands for the norm of `argument`."""
    for symbol, stands_for in frozen.items():
        if stands_for == argument:
            return symbol
    if argument == grad(w):
        symbol = grad_norm
    elif argument.is_Symbol:
        symbol = sp.Symbol(f"{argument}_norm", positive=True)
    else:
        symbol = sp.Symbol(f"norm_{len(frozen) + 1}", positive=True)
    frozen[symbol] = argument
    return symbol


def inner_gradient(name: str, argument: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Read ``precond(c * (grad(w) + s * w))`` as (c, s)."""
    gradient = sp.Dummy("g")
    expression = sp.expand(argument.subs(grad(w), gradient))
    coefficient, decay = sp.diff(expression, gradient), sp.diff(expression, w)
    if sp.expand(expression - coefficient * gradient - decay * w) != 0 or coefficient == 0:
        raise ValueError(f"rule {name}: precond takes a multiple of grad(w) + decay * w, got {argument}")
    return coefficient, sp.cancel(decay / coefficient)


def _solve_upcoming(states: tuple[sp.Symbol, ...], updates: list[sp.Expr]) -> list[sp.Expr]:
    """Solve the linear equations of an implicit step for the state after it."""
    following = {sp.Symbol(f"{s}_next"): e for s, e in zip(states, updates, strict=True)}
    if not any(e.has(*following) for e in updates):
        return updates
    solved = sp.solve([n - e for n, e in following.items()], list(following), dict=True)[0]
    return [solved[n] for n in following]
