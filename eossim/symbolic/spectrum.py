"""Spectral radius of a rule on one mode, in floating point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp


class Spectrum:
    """The step matrix A(h, hyper-parameters) and one variable of it.

    Args:
        matrix: Step matrix, shape (states, states).
        variable: The symbol that grows (curvature or step size).
        conditions: Polynomials in the variable, by kind of crossing, that vanish where a root is on the unit circle.
    """

    def __init__(self, matrix: sp.Matrix, variable: sp.Symbol, conditions: Mapping[str, sp.Expr] | None = None) -> None:
        self.matrix, self.variable, self.conditions = matrix, variable, dict(conditions or {})

    @cached_property
    def _entries(self) -> Callable[..., Any]:
        symbols = {str(s): s for s in self.matrix.free_symbols}
        self._names = sorted(symbols)
        return sp.lambdify([symbols[n] for n in self._names], list(self.matrix), modules="numpy", cse=True)

    def matrices(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return A at the broadcast `values`, shape (..., states, states)."""
        entries = self._entries
        rows = entries(*(np.asarray(values[n], dtype=float) for n in self._names))
        shape = np.broadcast_shapes(*(np.shape(e) for e in rows), *(np.shape(values[n]) for n in self._names))
        stacked = np.stack([np.broadcast_to(np.asarray(e, dtype=float), shape) for e in rows], axis=-1)
        return stacked.reshape(*shape, *self.matrix.shape)

    def radius(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return the largest modulus of the eigenvalues, shape of the broadcast `values`."""
        matrices = self.matrices(values)
        if self.matrix.rows == 1:
            return np.abs(matrices[..., 0, 0])
        finite = np.isfinite(matrices).all(axis=(-2, -1))
        moduli = np.abs(np.linalg.eigvals(np.where(finite[..., None, None], matrices, 0.0))).max(axis=-1)
        return np.where(finite, moduli, np.inf)

    @cached_property
    def _coefficients(self) -> dict[str, tuple[Callable[..., Any], list[str]]]:
        """Coefficients of each condition, highest power first, as a function of floats and its argument names."""
        compiled = {}
        for kind, condition in self.conditions.items():
            if condition.has(self.variable):
                coefficients = sp.Poly(condition, self.variable).all_coeffs()
                symbols = {str(s): s for c in coefficients for s in c.free_symbols}
                names = sorted(symbols)
                compiled[kind] = (sp.lambdify([symbols[n] for n in names], coefficients, modules="numpy"), names)
        return compiled

    def first_instability(self, point: Mapping[str, float]) -> tuple[str, float]:
        """Return kind and value of the first crossing at one point of the domain.

        Candidates are the positive roots of the exact conditions; the first one beyond which the radius exceeds 1 is
        it. A scan of the radius below it guards against a condition that vanishes identically.

        Returns:
            ``(kind, value)``; ``("", inf)`` when there is none, ``("", 0.0)`` when nothing is stable.
        """
        kind, value, reach = self._first_root(point)
        # value 0: unstable below the first root, from the start or from a crossing without a condition
        whole = _SCAN_ALL if np.isinf(value) else value * _SCAN
        below = whole if value else reach * np.geomspace(1e-13, 1, 131)
        radii = self._radius_at(point, below)
        unstable = radii > 1 + (1e-12 if value == 0 else 1e-9)
        first = int(np.argmax(unstable))
        if not unstable[first] or (value == 0 and not np.any(radii[:first] < 1 - 1e-12)):
            return kind, value
        low, high = (below[first - 1] if first else 0.0), below[first]
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if self._radius_at(point, middle) > 1 + 1e-12 else (middle, high)
        return "complex", float(high)

    def changes_at(self, point: Mapping[str, float], value: float) -> bool:
        """Return whether the radius is at most 1 below `value` and more above (inf: nowhere more)."""
        if np.isinf(value):
            return bool(np.all(self._radius_at(point, _SCAN_ALL) <= 1 + 1e-9))
        if not value > 0:
            return False
        radii = self._radius_at(point, np.append(_SCAN, 1.001) * value)
        return bool(np.all(radii[:-1] <= 1 + 1e-9) and radii[-1] > 1)

    def _first_root(self, point: Mapping[str, float]) -> tuple[str, float, float]:
        """Return kind and value of the first root beyond which the radius exceeds 1, and where it was first probed."""
        found = []
        for kind, (coefficients, names) in self._coefficients.items():
            found += [(root, kind) for root in _positive_roots(coefficients(*(point[n] for n in names)))]
        found.sort()
        beyond = [root for root, _ in found[1:]] + ([2 * found[-1][0] + 1.0] if found else [])
        start = found[0][0] / 2 if found else 1.0
        if self._radius_at(point, start) > 1 + 1e-12:
            return "", 0.0, start
        for (root, kind), following in zip(found, beyond, strict=True):  # nothing crosses between two roots
            if self._radius_at(point, (root + following) / 2) > 1 + 1e-12:
                return kind, root, start
        return "", np.inf, start

    def _radius_at(self, point: Mapping[str, float], value: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.radius({**point, str(self.variable): value})


#: Fractions of a candidate, and curvatures when there is no candidate, at which the radius must not exceed 1.
_SCAN = np.linspace(0.02, 0.98, 25)
_SCAN_ALL = np.geomspace(1e-3, 1e6, 46)


def _positive_roots(coefficients: Sequence[float]) -> list[float]:
    """Return the positive real roots of a polynomial, polished by Newton steps."""
    numbers = np.array(coefficients, dtype=float)
    if not np.isfinite(numbers).all():
        return []
    roots = np.roots(numbers)
    real = roots.real[(np.abs(roots.imag) <= 1e-7 * np.abs(roots)) & (roots.real > 0)]
    derivative = np.polyder(numbers)
    for _ in range(3):
        slope = np.polyval(derivative, real)
        step = np.divide(np.polyval(numbers, real), slope, out=np.zeros_like(real), where=slope != 0)
        real = np.where(np.abs(step) < 1e-3 * real, real - step, real)
    return sorted(float(r) for r in real)
