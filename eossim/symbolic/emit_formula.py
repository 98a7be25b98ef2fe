"""Closed forms as NumPy source: one printer for generated files and for formulas made on the fly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy.printing.numpy import NumPyPrinter


class FormulaPrinter(NumPyPrinter):
    """NumPy source that broadcasts: sympy's own ``Min`` and ``Piecewise`` want operands of equal shape."""

    def __init__(self) -> None:
        super().__init__({"fully_qualified_modules": True})
        self.module = "np"

    def _module_format(self, fqn: str, register: bool = True) -> str:
        return super()._module_format(fqn, register).replace("numpy.", "np.")

    def _print_Min(self, expr: sp.Min) -> str:
        return self._chain("np.minimum", expr.args)

    def _print_Max(self, expr: sp.Max) -> str:
        return self._chain("np.maximum", expr.args)

    def _chain(self, function: str, args: Sequence[sp.Expr]) -> str:
        first, *rest = args
        return f"{function}({self._print(first)}, {self._chain(function, rest)})" if rest else self._print(first)

    def _print_Piecewise(self, expr: sp.Piecewise) -> str:
        (value, condition), *rest = expr.args
        if condition == sp.true:
            return self._print(value)
        return f"np.where({self._print(condition)}, {self._print(value)}, {self._print(sp.Piecewise(*rest))})"

    def _print_ComplexRootOf(self, expr: sp.Expr) -> str:
        return repr(float(expr.evalf(30)))

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(expr.p / expr.q)


def numpy_source(expression: sp.Expr) -> str:
    """Return `expression` as NumPy source."""
    return FormulaPrinter().doprint(expression)


def function_source(name: str, expression: sp.Expr, arguments: Sequence[str]) -> str:
    """Return the source of a function of keyword arguments that evaluates `expression`."""
    keywords = f"*, {', '.join(arguments)}" if arguments else ""
    return f"def {name}({keywords}):\n    return {numpy_source(expression)}\n"


@lru_cache(maxsize=512)
def _compiled(name: str, expression: sp.Expr, arguments: tuple[str, ...]) -> Callable[..., Any]:
    import numpy as np

    namespace: dict[str, Any] = {"np": np}
    exec(function_source(name, expression, arguments), namespace)  # our own source, from a sympy expression
    return namespace[name]


def compile_numpy(name: str, expression: sp.Expr, arguments: Sequence[str]) -> Callable[..., Any]:
    """Return `expression` as a NumPy function of keyword arguments."""
    return _compiled(name, expression, tuple(arguments))


def compile_mpmath(
    symbols: Sequence[sp.Symbol], expressions: Sequence[sp.Expr], digits: int = 160
) -> Callable[..., Any]:
    """Return expressions as a function of mpmath numbers; algebraic constants carry `digits` digits."""
    numbers = {root: root.evalf(digits) for e in expressions for root in e.atoms(sp.CRootOf)}
    return sp.lambdify(list(symbols), [e.xreplace(numbers) for e in expressions], modules="mpmath")
