"""Formulas for people: LaTeX in the field's letters, plain text with constants first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy as sp
from sympy.printing.latex import LatexPrinter
from sympy.printing.str import StrPrinter

from .vocabulary import grad, norm, precond, upcoming

if TYPE_CHECKING:
    from .._rule import Rule

_LETTERS = {
    "grad_norm": "G",
    "weight_decay": r"\lambda",
    "clip": "c",
    "beta1": r"\beta_1",
    "delay": "d",
}


class _Latex(LatexPrinter):
    def __init__(self) -> None:
        super().__init__({"order": "rev-lex"})

    def _print_Symbol(self, expr: sp.Symbol, style: str = "plain") -> str:
        return _LETTERS.get(expr.name) or super()._print_Symbol(expr, style)

    def _print_ComplexRootOf(self, expr: sp.Expr) -> str:
        return f"{float(expr):.12g}"

    def _print_grad(self, expr: grad, exp: str | None = None) -> str:
        return rf"\nabla L\left({self._print(expr.args[0])}\right)"

    def _print_norm(self, expr: norm, exp: str | None = None) -> str:
        text = rf"\left\Vert {self._print(expr.args[0])} \right\Vert"
        return f"{text}^{{{exp}}}" if exp else text

    def _print_precond(self, expr: precond, exp: str | None = None) -> str:
        return rf"P^{{-1}} {self._print(expr.args[0])}"

    def _print_upcoming(self, expr: upcoming, exp: str | None = None) -> str:
        return rf"{self._print(expr.args[0])}^{{+}}"


class _Plain(StrPrinter):
    def __init__(self) -> None:
        super().__init__({"order": "rev-lex"})

    def _print_Subs(self, expr: sp.Subs) -> str:
        at = ", ".join(f"{s} = {self._print(v)}" for s, v in zip(expr.variables, expr.point, strict=True))
        return f"[{self._print(expr.expr)}] at {at}"

    def _print_ComplexRootOf(self, expr: sp.Expr) -> str:
        return f"{float(expr):.12g}"


def latex(expression: sp.Expr) -> str:
    """Return an expression in LaTeX."""
    return _Latex().doprint(expression)


def plain(expression: sp.Expr) -> str:
    """Return an expression in plain text."""
    return _Plain().doprint(expression)


def update_latex(rule: Rule) -> str:
    """Return the update of a rule in LaTeX, one line per state variable."""
    lines = [f"{latex(s)}^{{+}} &= {latex(e)}" for s, e in rule.update.items()]
    return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"
