"""Write a norm in standard coordinates: d = T e, with e in one of the balls of `ball`.

Coordinates of blocks are put side by side, radii and preconditioners become a change of coordinates
(S(H, norm) = S(TᵀHT, ball)), and norms that coincide with a simpler one become it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ... import norms
from ...norms.base import Norm
from ..operator import Operator
from .ball import Ball, Euclidean, Nuclear, Own, Spectral, combination


@dataclass(frozen=True)
class Reduced:
    """A norm in standard coordinates.

    Attributes:
        ball: Its unit ball there.
        order: The coordinate of d that each one stands for, shape (dim,).
        changes: Linear maps d = T e on stretches of coordinates: first, last + 1, and T, a matrix, a diagonal or a
            number.
    """

    ball: Ball
    order: np.ndarray
    changes: tuple[tuple[int, int, np.ndarray], ...] = ()

    def point(self, e: np.ndarray) -> np.ndarray:
        """Return d = T e, shape (dim,)."""
        d = np.empty(len(self.order))
        d[self.order] = self._changed(e)
        return d

    def covector(self, g: np.ndarray) -> np.ndarray:
        """Return Tᵀ g, shape (dim,)."""
        return self._changed(g[self.order], transpose=True)

    def hessian(self, H: np.ndarray) -> np.ndarray:
        """Return Tᵀ H T, exactly symmetric, shape (dim, dim)."""
        if not np.array_equal(self.order, np.arange(len(self.order))):
            H = H[np.ix_(self.order, self.order)]
        if not self.changes:
            return H
        H = self._changed(self._changed(H, transpose=True).T, transpose=True)
        return 0.5 * (H + H.T)

    def product(self, operator: Operator) -> Callable[[np.ndarray], np.ndarray]:
        """Return e -> Tᵀ H T e."""
        return lambda e: self.covector(operator(self.point(e)))

    def _changed(self, x: np.ndarray, *, transpose: bool = False) -> np.ndarray:
        """Apply T or Tᵀ along the first axis."""
        x = x.copy() if self.changes else x
        for first, last, T in self.changes:
            stretch = x[first:last]
            if T.ndim < 2:
                x[first:last] = (T * stretch.T).T
            else:
                x[first:last] = (T.T if transpose else T) @ stretch
        return x

    def scaled(self, radius: float) -> Reduced:
        """Return the norm divided by `radius`."""
        if radius == 1:
            return self
        return Reduced(self.ball, self.order, (*self.changes, (0, len(self.order), np.array(radius, dtype=float))))


def reduce(norm: Norm, dim: int) -> Reduced:
    """Return `norm` on R^dim in standard coordinates."""
    rule = _RULES.get(type(norm))  # a subclass may have changed anything: it is a norm of its own
    return Reduced(Own(norm, dim), np.arange(dim)) if rule is None else rule(norm, dim)


def _plain(ball: Ball) -> Reduced:
    return Reduced(ball, np.arange(ball.size))


def _scalars(p: float, dim: int) -> Reduced:
    return _plain(combination(p, [Euclidean(1)] * dim))


def _preconditioned(norm: norms.Mahalanobis, dim: int) -> Reduced:
    """Return P = LLᵀ, d = L⁻ᵀe: dᵀPd = ‖e‖₂²."""
    P = np.asarray(norm.P, dtype=float)
    T = P**-0.5 if P.ndim == 1 else np.linalg.inv(np.linalg.cholesky(P)).T
    return Reduced(Euclidean(dim), np.arange(dim), ((0, dim, T),))


def _blocks(p: float, blocks: Sequence[np.ndarray]) -> Reduced:
    ball = combination(p, [Euclidean(len(block)) for block in blocks])
    return Reduced(ball, np.concatenate(blocks))


def _spectral(rows: int, columns: int) -> Reduced:
    return _plain(Spectral(rows, columns) if min(rows, columns) > 1 else Euclidean(rows * columns))


def _nuclear(norm: norms.Nuclear, dim: int) -> Reduced:
    rows, columns = _matrix_shape(norm.shape)
    return _plain(Nuclear(rows, columns) if min(rows, columns) > 1 else Euclidean(dim))


def _matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Return (rows, columns); a vector is a column."""
    return (int(shape[0]), int(shape[1])) if len(shape) == 2 else (int(shape[0]), 1)


def _combined(p: float, parts: Sequence[Reduced]) -> Reduced:
    """Return the ℓp combination of `parts`, laid out one after another."""
    changes: list[tuple[int, int, np.ndarray]] = []
    first = 0
    for part in parts:
        changes += [(first + a, first + b, T) for a, b, T in part.changes]
        first += len(part.order)
    starts = np.cumsum([0] + [len(part.order) for part in parts[:-1]])
    order = np.concatenate([start + part.order for start, part in zip(starts, parts, strict=True)])
    return Reduced(combination(p, [part.ball for part in parts]), order, tuple(changes))


def _layers(norm: norms.Spectral, dim: int) -> Reduced:
    layers = [_spectral(*_matrix_shape(shape)) for shape in norm.shapes]
    return _combined(np.inf, [layer.scaled(float(r)) for layer, r in zip(layers, norm.radii, strict=True)])


def _product(p: float, norm: norms.MaxProduct | norms.SumProduct | norms.L2Product) -> Reduced:
    parts = [reduce(part, size) for part, size in zip(norm.parts, norm.sizes, strict=True)]
    if isinstance(norm, norms.MaxProduct):
        parts = [part.scaled(float(r)) for part, r in zip(parts, norm.radii, strict=True)]
    return _combined(p, parts)


_RULES: dict[type[Norm], Callable[..., Reduced]] = {
    norms.L2: lambda _, dim: _plain(Euclidean(dim)),
    norms.Frobenius: lambda _, dim: _plain(Euclidean(dim)),
    norms.L1: lambda _, dim: _scalars(1, dim),
    norms.Linf: lambda _, dim: _scalars(np.inf, dim),
    norms.Lp: lambda norm, dim: _scalars(float(norm.p), dim),
    norms.Mahalanobis: _preconditioned,
    norms.BlockSum: lambda norm, _: _blocks(1, norm.blocks),
    norms.BlockMax: lambda norm, _: _blocks(np.inf, norm.blocks),
    norms.Spectral: _layers,
    norms.Nuclear: _nuclear,
    norms.MaxProduct: lambda norm, _: _product(np.inf, norm),
    norms.SumProduct: lambda norm, _: _product(1, norm),
    norms.L2Product: lambda norm, _: _product(2, norm),
}
