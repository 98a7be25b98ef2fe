"""Sharpness and what else needs the top eigenvalues of the Hessian, followed from point to point."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...curvature.operator import Operator
from ...curvature.top_eigenvalue import TopEigenvalues, exponent, top_eigenvalues
from .base import Tracker
from .point import Point, Points

#: Every so many points the eigenvalues are searched for as thoroughly as at the first one.
_AFRESH = 25
#: Eigenvalues whose eigenvectors alignment looks at, and the part of the largest that they have to reach.
_NEAR, _SHARE = 4, 0.9


class Spectrum:
    """The top eigenvalues along a run: each search starts from the eigenvectors of the one before.

    Args:
        points: The points of the run.
        count: How many eigenvalues, at least; raise it before the first point.
        operator: From a point to the matrix; the Hessian by default.
    """

    def __init__(self, points: Points, count: int, operator: Callable[[Point], Operator] | None = None) -> None:
        self.points, self.count = points, count
        self._operator = operator or (lambda point: point.hessian)
        self._kept: np.ndarray | None = None
        self._searches = 0

    def at(self, point: Point) -> TopEigenvalues:
        """Return the top eigenvalues at a point; once found, they cost nothing there."""
        found: TopEigenvalues | None = point.memo.get(self)
        if found is None:
            found = point.memo[self] = top_eigenvalues(
                self._operator(point),
                self.count,
                start=self._kept,
                afresh=self._searches % _AFRESH == 0,
                seed=self.points.stream(point.t),
            )
            self._searches += 1
            if np.isfinite(found.kept).all():
                self._kept = found.kept
        return found

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        kept = {} if self._kept is None else {"kept": self._kept}
        return {"searches": self._searches, **kept}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self._searches, self._kept = int(state["searches"]), state.get("kept")


class SpectrumTracker(Tracker):
    """A tracker that reads off a spectrum, which others may share: whoever looks first at a point pays.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        long_names: Columns.
        spectrum: The spectrum.
    """

    def __init__(self, name: str, points: Points, long_names: Mapping[str, str], spectrum: Spectrum) -> None:
        super().__init__(name, points, long_names)
        self.spectrum = spectrum

    def found(self, point: Point) -> TopEigenvalues:
        """Return the top eigenvalues at a point."""
        fresh = self.spectrum not in point.memo
        found = self.spectrum.at(point)
        self.products += fresh * found.products
        return found

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        return super().state() | self.spectrum.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        super().restore(state)
        self.spectrum.restore(state)


class Sharpness(SpectrumTracker):
    """The largest eigenvalues λ₁ >= ... >= λ_k of a Hessian, with the largest residual and the products.

    Columns ``name`` (λ₁), ``name_2`` to ``name_k``, ``name_residual``: max ‖H u - λ u‖, and ``name_hvps``: products
    spent here, 0 where another tracker had found them.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        spectrum: The spectrum.
        column: Name of the first column.
        count: k.
        matrix: What the eigenvalues are of, in words.
    """

    def __init__(
        self, name: str, points: Points, spectrum: Spectrum, column: str, count: int, matrix: str = "the Hessian"
    ) -> None:
        self._eigenvalues = [column, *(f"{column}_{k}" for k in range(2, count + 1))]
        order = ["largest", *(f"{k}-th largest" for k in range(2, count + 1))]
        long_names = {c: f"{o} eigenvalue of {matrix}" for c, o in zip(self._eigenvalues, order, strict=True)}
        self._residual, self._hvps = f"{column}_residual", f"{column}_hvps"
        residual = "residual of that eigenvalue" if count == 1 else "largest residual of these eigenvalues"
        long_names |= {self._residual: residual, self._hvps: "Hessian-vector products spent on it"}
        super().__init__(name, points, long_names, spectrum)

    def values(self, point: Point) -> dict[str, float]:
        """Return the columns."""
        before = self.products
        found = self.found(point)
        count = len(self._eigenvalues)
        values = dict(zip(self._eigenvalues, found.values[:count].tolist(), strict=True))
        return values | {self._residual: float(found.residuals[:count].max()), self._hvps: self.products - before}


class Alignment(SpectrumTracker):
    """‖P g‖/‖g‖: the norm fraction of the gradient in the span of the eigenvectors with λᵢ >= 0.9 λ₁, at most four.

    Where several eigenvalues are at the edge they swap ranks, and the cosine with the first eigenvector says little.
    NaN where the gradient is zero.

    Args:
        name: What it was asked for as.
        points: The points of the run.
        spectrum: The spectrum; it is made to follow as many eigenvalues as needed.
    """

    def __init__(self, name: str, points: Points, spectrum: Spectrum) -> None:
        super().__init__(name, points, {name: "norm fraction of the gradient in the top eigenspaces"}, spectrum)
        spectrum.count = max(spectrum.count, min(_NEAR, points.problem.dim))

    def values(self, point: Point) -> dict[str, float]:
        """Return the column."""
        found = self.found(point)
        near = found.values >= _SHARE * found.values[0]
        near[0], near[_NEAR:] = True, False  # below zero, the largest alone
        g = np.ldexp(point.grad, -exponent(point.grad))  # its square may be too large for a float
        return {self.name: float(np.linalg.norm(found.vectors[near] @ g) / np.linalg.norm(g))}


def preconditioned(method: Any) -> Callable[[Point], Operator]:
    """Return the map from a point to P^(-1/2) H P^(-1/2), with P of the step that leaves the point.

    Args:
        method: A method with ``preconditioner(state, g)``, the diagonal of P.
    """

    def operator(point: Point) -> Operator:
        P = np.asarray(method.preconditioner(point.state, point.grad), dtype=np.float64)
        root = np.where(np.isfinite(P), 1 / np.sqrt(P), np.nan)  # an infinite P is an overflow, no flat direction
        return Operator(point.problem.dim, lambda v: root * point.hessian(root * v))

    return operator
