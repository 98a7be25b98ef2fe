"""Spectral radius of a rule on one mode, in floating point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp


class Spectrum:
    """The step matrix A(h, hyper-parameters) and one variable of it.

    Args:
        matrix: Step matrix, shape (states, states).
        variable: The symbol that grows (curvature or step size).
    """

    def __init__(self, matrix: sp.Matrix, variable: sp.Symbol) -> None:
        self.matrix, self.variable = matrix, variable

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
        return np.max(np.abs(np.linalg.eigvals(matrices)), axis=-1)

    def first_instability(self, point: Mapping[Any, Any], conditions: Mapping[str, sp.Expr]) -> tuple[str, float]:
        """Return kind and value of the first crossing at one point of the domain.

        Candidates are the positive roots of the exact conditions; the first one beyond which the radius exceeds 1 is
        it.

        Returns:
            ``(kind, value)``; ``("", inf)`` when there is none, ``("", 0.0)`` when nothing is stable.
        """
        values = {str(k): float(v) for k, v in point.items()}
        substitution = {s: v for s, v in point.items()}
        found = []
        for kind, condition in conditions.items():
            if not condition.has(self.variable):
                continue
            coefficients = sp.Poly(condition.subs(substitution), self.variable).all_coeffs()
            found += [(root, kind) for root in _positive_roots([float(c) for c in coefficients])]
        previous = 0.0
        for root, kind in sorted(found):
            probes = np.array([0.5 * (previous + root), root * (1 + 1e-5)])
            before, after = self.radius({**values, str(self.variable): probes})
            if before > 1 + 1e-12:
                return "", previous
            if after > 1 + 1e-9:
                return kind, root
            previous = root
        tail = self.radius({**values, str(self.variable): 2 * previous + 1.0})
        return ("", np.inf) if tail <= 1 else ("", previous)


def _positive_roots(coefficients: list[float]) -> list[float]:
    """Return the positive real roots of a polynomial, polished by Newton steps."""
    roots = np.roots(coefficients)
    real = roots.real[(np.abs(roots.imag) <= 1e-7 * np.abs(roots)) & (roots.real > 0)]
    derivative = np.polyder(np.poly1d(coefficients))
    for _ in range(3):
        slope = derivative(real)
        step = np.where(slope != 0, np.polyval(coefficients, real) / np.where(slope != 0, slope, 1), 0)
        real = np.where(np.abs(step) < 1e-3 * real, real - step, real)
    return sorted(float(r) for r in real)
