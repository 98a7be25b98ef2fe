"""An edge: a value with its formula, its domain and its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from .._check import unknown
from ..domain import Interval, checked_values
from .emit_formula import compile_mpmath, compile_numpy
from .latex import latex, plain
from .spectrum import Spectrum


@dataclass(frozen=True)
class Edge:
    """Where a rule first loses stability as one variable grows from zero.

    Attributes:
        rule: Name of the rule.
        variable: ``"h"`` (curvature), ``"eta"`` (critical step size) or ``"grad_norm"`` (below which it is unstable).
        expression: Closed form as derived; None when the edge is a numerical root of the exact conditions.
        stable: The closed form rewritten so that it does not cancel.
        crossing: How the multiplier leaves the unit circle: ``"-1"``, ``"+1"``, ``"complex"``; several when it depends
            on the hyper-parameters; none when it never leaves.
        domain: Intervals of hyper-parameters and frozen quantities.
        conditions: Expressions that must be positive for the edge to exist.
        frozen: Names of the frozen quantities; the edge depends on the state through them.
        spectrum: The step matrix and the exact condition of each kind of crossing.
        reference: Source.
    """

    rule: str
    variable: str
    expression: sp.Expr | None
    stable: sp.Expr | None
    crossing: tuple[str, ...]
    domain: dict[str, Interval]
    conditions: tuple[sp.Expr, ...]
    frozen: tuple[str, ...]
    spectrum: Spectrum
    reference: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the values that the edge is a function of."""
        if self.expression is None:
            return tuple(self.domain)
        used = {str(s) for s in self.expression.free_symbols}
        return tuple(name for name in self.domain if name in used)

    @property
    def tight(self) -> bool:
        """Whether the edge is a divergence boundary: true unless it depends on the state through a frozen norm."""
        return not set(self.needs) & set(self.frozen)

    @property
    def domain_text(self) -> str:
        """The domain as a reader writes it."""
        parts = [self.domain[name].describe(name) for name in self.needs]
        return ", ".join(parts + [condition_text(c) for c in self.conditions])

    @property
    def latex(self) -> str:
        """The formula in LaTeX, or the statement that it is a numerical root."""
        if self.expression is None:
            return r"\text{first root of the exact conditions (numerical)}"
        return latex(self.expression)

    @property
    def text(self) -> str:
        """The formula in plain text."""
        return "numerical root of the exact conditions" if self.expression is None else plain(self.expression)

    @cached_property
    def numpy(self) -> Callable[..., np.ndarray]:
        """The formula as a function of broadcastable arrays, one keyword per name in `needs`; no checks.

        A numerical root is 0 where nothing is stable and inf where everything is.
        """
        if self.stable is None:
            return np.vectorize(self._numeric, otypes=[float])
        return compile_numpy(self.rule, self.stable, self.needs)

    def mpmath(self, digits: int = 50) -> Callable[..., mpmath.mpf]:
        """Return the formula as a function evaluated with `digits` decimal digits."""

        def evaluate(**values: Any) -> mpmath.mpf:
            with mpmath.workdps(digits + 10):
                numbers = {n: mpmath.mpf(v) or mpmath.mpf("1e-400") for n, v in values.items()}  # 0 as a limit
                if self.expression is None:
                    root = _refine(self, numbers)
                else:
                    symbols = {str(s): s for s in self.expression.free_symbols}
                    root = compile_mpmath(list(symbols.values()), [self.expression])(*(numbers[n] for n in symbols))[0]
                return mpmath.mpf(root)

        return evaluate

    def __call__(self, **values: Any) -> Any:
        """Return the edge at checked values: a float, or the broadcast array; 0 where nothing is stable.

        Raises:
            ValueError: for a missing or unknown name, a value outside its interval, or a violated condition.
        """
        checked = self.check(values)
        with np.errstate(divide="ignore", invalid="ignore"):  # a branch not taken may be infinite or not real
            result = self.numpy(**{name: checked[name] for name in self.needs})
        shape = np.broadcast_shapes(*(np.shape(v) for v in checked.values()))
        result = np.array(np.broadcast_to(result, shape), dtype=float)
        if self.expression is not None and self.variable != "grad_norm" and result.size <= _CONFIRMED:
            self._confirm(checked, result)
        return result if shape else float(result)

    def _confirm(self, values: Mapping[str, np.ndarray], result: np.ndarray) -> None:
        """Test a closed form against the spectral radius where it is used; replace it by the numerical root on failure.

        A closed form is selected at some hundred points. This catches a corner of the domain that none of them saw.
        """
        names = [str(s) for s in self.spectrum.matrix.free_symbols if s != self.spectrum.variable]
        if not set(names) <= set(values):
            return
        points = {n: np.broadcast_to(values[n], result.shape).ravel() for n in names}
        for i, edge in enumerate(result.flat):
            point = {n: float(v[i]) for n, v in points.items()}
            if not self.spectrum.changes_at(point, edge):
                result.flat[i] = self.spectrum.first_instability(point)[1]

    def check(self, values: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Return the values as arrays inside the domain; what the formula does not use may be left out."""
        return checked_values(f"the edge of {self.rule}", self.domain, self.needs, self.margins, values)

    @property
    def margins(self) -> tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...]:
        """Conditions as ``(text, function, names)``; each function must be positive."""
        rows = []
        for condition in self.conditions:
            names = tuple(sorted(str(s) for s in condition.free_symbols))
            rows.append((condition_text(condition), compile_numpy("margin", condition, names), names))
        return tuple(rows)

    def series(self, parameter: str, order: int = 4) -> sp.Expr:
        """Return the formula expanded in `parameter` about zero, up to and excluding power `order`."""
        if self.expression is None or self.expression.has(sp.Piecewise, sp.Min):
            raise ValueError(f"the edge of {self.rule} is not one closed form that could be expanded")
        symbols = {str(s): s for s in self.expression.free_symbols}
        if parameter not in symbols:
            raise unknown(f"parameter of the edge of {self.rule}", parameter, tuple(symbols))
        # A plain symbol: a positive one makes the expansion of square roots at zero needlessly slow.
        variable = sp.Dummy(parameter)
        expansion = sp.series(self.expression.subs(symbols[parameter], variable), variable, 0, order)
        return expansion.removeO().subs(variable, symbols[parameter])

    def _numeric(self, **values: Any) -> float:
        return self.spectrum.first_instability({n: float(v) for n, v in values.items()})[1]

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def __repr__(self) -> str:
        return f"Edge({self.rule}: {self.variable} = {self.text}; {self.domain_text})"


#: Up to how many values a closed form is tested where it is used.
_CONFIRMED = 1000


def condition_text(condition: sp.Expr) -> str:
    """Return ``a - b > 0`` as ``b < a``."""
    terms = sp.Add.make_args(condition)
    right = sp.Add(*(t for t in terms if not t.could_extract_minus_sign()))
    left = -sp.Add(*(t for t in terms if t.could_extract_minus_sign()))
    return f"{plain(left)} < {plain(right)}"


def _refine(edge: Edge, numbers: dict[str, mpmath.mpf]) -> mpmath.mpf:
    """Return the root of the condition that fires which the float64 root stands for, in the working precision."""
    kind, start = edge.spectrum.first_instability({n: float(v) for n, v in numbers.items()})
    if kind not in edge.spectrum.conditions or not np.isfinite(start):
        return mpmath.mpf(start)
    condition = edge.spectrum.conditions[kind]
    point = {s: sp.Float(numbers[str(s)], mpmath.mp.dps) for s in condition.free_symbols - {edge.spectrum.variable}}
    polynomial = sp.Poly(condition.subs(point), edge.spectrum.variable)
    coefficients = [mpmath.mpf(c) for c in polynomial.all_coeffs()]
    roots = mpmath.polyroots(coefficients, maxsteps=500, extraprec=8 * mpmath.mp.dps)
    return mpmath.re(min(roots, key=lambda root: abs(root - start)))
