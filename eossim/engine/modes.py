"""The coordinates in which a run is stepped: the eigenbasis where the rule allows it, else the problem's own.

A point is w = origin + basis x. Rules that commute with rotations run in the eigenbasis, where the Hessian is diagonal;
frozen preconditioners are taken in by y = P^1/2 w, where the rule is a plain one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

#: Runs per matrix product: a fixed shape, so that no result depends on how many runs there are.
LANES = 64


@dataclass(frozen=True)
class Modes:
    """Coordinates of a quadratic.

    Attributes:
        curvature: Diagonal of the Hessian, shape (dim,), or the Hessian, shape (dim, dim).
        linear: Gradient is curvature * x - linear, shape (dim,); zero unless the rule distinguishes the origin.
        origin: w at x = 0, shape (dim,).
        basis: w = origin + basis x, shape (dim, dim), or (dim,) for a diagonal basis; None for the identity.
        inverse: Inverse of `basis`, same form.
        orthogonal: Whether lengths of gradients are the same in these coordinates.
    """

    curvature: np.ndarray
    linear: np.ndarray
    origin: np.ndarray
    basis: np.ndarray | None
    inverse: np.ndarray | None
    orthogonal: bool

    @cached_property
    def sharpness(self) -> float:
        """Largest curvature."""
        return float(self.curvature.max() if self.curvature.ndim == 1 else np.linalg.eigvalsh(self.curvature)[-1])

    def enter(self, points: np.ndarray) -> np.ndarray:
        """Return points, shape (runs, dim), as coordinates, shape (dim, runs)."""
        return _apply(self.inverse, np.ascontiguousarray((points - self.origin).T))

    def leave(self, coordinates: np.ndarray) -> np.ndarray:
        """Return coordinates, shape (..., dim, runs), as points, shape (..., runs, dim)."""
        points = _apply(self.basis, coordinates.astype(np.float64, copy=False))
        return np.moveaxis(points, -2, -1) + self.origin


def _apply(matrix: np.ndarray | None, columns: np.ndarray) -> np.ndarray:
    """Return matrix times columns, in products of a fixed width."""
    if matrix is None:
        return columns
    if matrix.ndim == 1:
        return matrix[:, None] * columns
    runs = columns.shape[-1]
    padded = np.zeros((*columns.shape[:-1], -(-runs // LANES) * LANES))
    padded[..., :runs] = columns
    result = np.empty_like(padded)
    for start in range(0, padded.shape[-1], LANES):
        lanes = np.ascontiguousarray(padded[..., start : start + LANES])
        result[..., start : start + LANES] = matrix @ lanes
    return result[..., :runs]


def modes_of(problem: Any, kernel: Any, preconditioner: np.ndarray | None, shift: float, *, dense: bool) -> Modes:
    """Return the coordinates for one problem and rule.

    Args:
        problem: A quadratic (``Quadratic``, ``LeastSquares``).
        kernel: Module of the rule's step, for its flags.
        preconditioner: P, or None.
        shift: Decay inside the preconditioned gradient.
        dense: Keep the Hessian as a matrix instead of rotating.
    """
    minimizer = np.asarray(problem.minimizer, dtype=float)
    root = None if preconditioner is None else _square_roots(preconditioner, problem.dim)
    if root is None and not dense:
        return _rotated(problem, kernel, minimizer)
    hessian = problem.hessian()
    if shift:
        hessian = hessian + shift * np.eye(problem.dim)
        minimizer = np.linalg.solve(hessian, problem.hessian() @ minimizer)
    forth, back = (None, None) if root is None else root
    if forth is not None:
        hessian = _sandwich(forth, hessian)
    if dense:
        basis, inverse, curvature = forth, back, np.ascontiguousarray(hessian)
    elif _is_diagonal(hessian) and forth is not None and forth.ndim == 1:
        basis, inverse, curvature = forth, back, np.diag(hessian).copy()
    else:
        curvature, vectors = np.linalg.eigh(hessian)
        basis, inverse = _times(forth, vectors), _times(back, vectors).T
    start = minimizer if inverse is None else _plain_apply(inverse, minimizer)
    return _placed(kernel, curvature, minimizer, start, basis, inverse, orthogonal=root is None)


def _rotated(problem: Any, kernel: Any, minimizer: np.ndarray) -> Modes:
    if problem.is_diagonal:
        curvature, basis = np.asarray(problem.curvature, dtype=float), None
        return _placed(kernel, curvature, minimizer, minimizer, None, None, orthogonal=True)
    basis = np.asarray(problem.eigenvectors)
    inverse = np.ascontiguousarray(basis.T)
    curvature = np.asarray(problem.eigenvalues)
    return _placed(kernel, curvature, minimizer, inverse @ minimizer, basis, inverse, orthogonal=True)


def _placed(
    kernel: Any,
    curvature: np.ndarray,
    minimizer: np.ndarray,
    minimizer_inside: np.ndarray,
    basis: np.ndarray | None,
    inverse: np.ndarray | None,
    *,
    orthogonal: bool,
) -> Modes:
    """Put the origin at the minimiser; for a rule that distinguishes the origin, leave it and carry the linear term."""
    zero = np.zeros(minimizer.shape)
    if not kernel.CENTRED:
        return Modes(curvature, zero, minimizer, basis, inverse, orthogonal)
    linear = curvature * minimizer_inside if curvature.ndim == 1 else curvature @ minimizer_inside
    return Modes(curvature, linear, zero, basis, inverse, orthogonal)


def _square_roots(preconditioner: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
    """Return P^-1/2 and P^1/2, as diagonals or matrices."""
    if preconditioner.shape[0] != dim:
        raise ValueError(f"the preconditioner has {preconditioner.shape[0]} coordinates, the problem {dim}")
    if preconditioner.ndim == 1:
        return 1 / np.sqrt(preconditioner), np.sqrt(preconditioner)
    values, vectors = np.linalg.eigh(preconditioner)
    return (vectors / np.sqrt(values)) @ vectors.T, (vectors * np.sqrt(values)) @ vectors.T


def _sandwich(root: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    if root.ndim == 1:
        return root[:, None] * hessian * root[None, :]
    product = root @ hessian @ root
    return (product + product.T) / 2


def _times(root: np.ndarray | None, vectors: np.ndarray) -> np.ndarray:
    if root is None:
        return vectors
    return root[:, None] * vectors if root.ndim == 1 else root @ vectors


def _plain_apply(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return matrix * vector if matrix.ndim == 1 else matrix @ vector


def _is_diagonal(matrix: np.ndarray) -> bool:
    return not np.any(matrix - np.diag(np.diag(matrix)))
