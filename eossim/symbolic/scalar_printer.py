"""Print expressions as Python source for NumPy arrays or for the scalars of a compiled loop.

Names may differ between the two targets; the operations and their order do not, so both round alike.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import sympy as sp


def indent(lines: Iterable[str], levels: int = 1) -> str:
    """Return lines as one text, indented."""
    return textwrap.indent("\n".join(lines), "    " * levels)


def number(value: sp.Number) -> str:
    """Return a number as source."""
    return repr(float(value.evalf(30)))


class ScalarPrinter:
    """Print an expression for one target.

    Args:
        subject: Whose expression it is, for messages: ``"rule sam"``.
        run_symbols: Symbols with one value per run; they lead a product.
        one: Source of the number 1 in the dtype of the arrays.
        target: ``"numpy"`` or ``"numba"``.
    """

    def __init__(self, subject: str, run_symbols: Iterable[sp.Symbol], one: str, target: str) -> None:
        self.subject, self.run_symbols, self.one, self.target = subject, frozenset(run_symbols), one, target

    def local(self, symbol: sp.Symbol) -> str:
        """Return how a symbol is read."""
        return str(symbol)

    def __call__(self, expression: sp.Expr) -> str:
        """Return the source of an expression.

        Raises:
            ValueError: for a function or a power without a compiled form.
        """
        if expression.is_Symbol:
            return self.local(expression)
        if expression.is_Add:
            return self._sum(expression)
        if expression.is_Mul:
            return self._product(expression)
        if expression.is_Pow:
            return self._power(expression)
        if isinstance(expression, sp.Min | sp.Max):
            return self._extremum(expression)
        if isinstance(expression, sp.Abs | sp.sign):
            name = "np.abs" if isinstance(expression, sp.Abs) else "np.sign"
            return f"{name}({self(expression.args[0])})"
        raise ValueError(
            f"{self.subject}: {expression.func.__name__} cannot be compiled; "
            "use sums, products, integer powers, sqrt, Min, Max, Abs and sign"
        )

    def factor(self, expression: sp.Expr) -> str:
        """Return an expression as it stands in a product."""
        text = self(expression)
        return f"({text})" if expression.is_Add or text.startswith("-") else text

    def reciprocal(self, divisor: sp.Expr) -> str:
        """Return one over a value."""
        return f"({self.one} / ({self.factor(divisor)}))"

    def _sum(self, expression: sp.Expr) -> str:
        terms = sorted(sp.Add.make_args(expression), key=lambda t: (t.could_extract_minus_sign(), t.sort_key()))
        text = self.factor(terms[0])
        for term in terms[1:]:
            if term.could_extract_minus_sign():
                text += f" - {self.factor(-term)}"
            else:
                text += f" + {self.factor(term)}"
        return text

    def _product(self, expression: sp.Expr) -> str:
        if expression.could_extract_minus_sign():
            return f"-({self(-expression)})"
        run, rest, below = [], [], []
        for factor in expression.args:
            if factor.is_Pow and factor.exp.is_negative:
                below.append(1 / factor)
            elif factor.free_symbols <= self.run_symbols:
                run.append(factor)
            else:
                rest.append(factor)
        text = " * ".join(self.factor(f) for f in [*run, *rest])
        for divisor in below:
            inverse = self.reciprocal(divisor)
            text = f"{text} * {inverse}" if text else inverse
        return text

    def _power(self, expression: sp.Expr) -> str:
        base, exponent = expression.as_base_exp()
        if exponent.is_negative:
            return self.reciprocal(sp.Pow(base, -exponent))
        if (2 * exponent).is_Integer:
            root = [f"np.sqrt({self(base)})"] if exponent.q == 2 else []
            return " * ".join([self.factor(base)] * int(exponent) + root)
        raise ValueError(f"{self.subject}: the power {expression} cannot be compiled")

    def _extremum(self, expression: sp.Expr) -> str:
        sign = "<" if isinstance(expression, sp.Min) else ">"
        first, *rest = [self.factor(a) for a in sorted(expression.args, key=sp.default_sort_key)]
        for other in rest:
            # A nan in either place stays a nan, as in np.minimum, so that a lost run is seen to be lost.
            if self.target == "numpy":
                first = f"np.where(({first} {sign} {other}) | ({first} != {first}), {first}, {other})"
            else:
                first = f"({first} if {first} {sign} {other} or {first} != {first} else {other})"
        return first
