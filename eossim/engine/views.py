"""Problems as a block of runs sees them: in the coordinates of the steps, each row as if it were alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from .modes import Modes

#: Rows of one product: a fixed shape, so that no row depends on how many there are.
_ROWS = 16


def is_quadratic(problem: Any) -> bool:
    """Return whether a problem is a quadratic; anything else runs on its gradient alone.

    Raises:
        TypeError: If it is neither.
    """
    if all(hasattr(problem, name) for name in ("dim", "minimizer", "hessian", "is_diagonal")):
        return True
    if all(hasattr(problem, name) for name in ("dim", "loss", "grad")):
        return False
    raise TypeError(
        "problem must be a quadratic (Quadratic, LeastSquares) or have dim, loss(w) and grad(w), "
        f"got {type(problem).__name__}"
    )


def rows_times(matrix: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return rows, shape (..., dim), times a matrix, shape (dim, dim), in products of a fixed shape."""
    dim = rows.shape[-1]
    return (filled(rows) @ matrix).reshape(-1, dim)[: rows.size // dim].reshape(rows.shape)


def filled(rows: np.ndarray) -> np.ndarray:
    """Return rows, shape (..., dim), in batches of a fixed number, the last one filled up with zeros."""
    flat = rows.reshape(-1, rows.shape[-1])
    filled = np.zeros((-(-len(flat) // _ROWS), _ROWS, flat.shape[1]))
    filled.reshape(-1, flat.shape[1])[: len(flat)] = flat
    return filled


class Centred:
    """A quadratic with its stationary point at the origin: smallness of x and of H x is not lost in w = w* + x.

    Args:
        problem: The quadratic.
    """

    def __init__(self, problem: Any) -> None:
        self.problem, self.dim, self.is_diagonal = problem, problem.dim, problem.is_diagonal
        self.origin, self.minimizer = np.asarray(problem.minimizer, dtype=float), np.zeros(problem.dim)
        self.curvature = np.asarray(problem.curvature if problem.is_diagonal else problem.hessian(), dtype=float)
        self.modes = Modes(self.curvature, self.minimizer, self.origin, None, None, orthogonal=True)

    def loss(self, x: np.ndarray) -> np.ndarray:
        """Loss, shape (...), at x of shape (..., dim)."""
        return self.problem.offset + 0.5 * (x * self.grad(x)).sum(axis=-1)

    def grad(self, x: np.ndarray) -> np.ndarray:
        """Gradient H x, shape (..., dim)."""
        return x * self.curvature if self.curvature.ndim == 1 else rows_times(self.curvature, x)

    def hvp(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Product H v, shape (..., dim)."""
        return self.grad(v)

    def __repr__(self) -> str:
        return repr(self.problem)


class OneByOne:
    """A problem whose products are those of single points, however many come in one call.

    Args:
        problem: Any problem with ``dim``, ``loss(w)`` and ``grad(w)``; ``hvp(w, v)`` is passed on if there is one.
    """

    def __init__(self, problem: Any) -> None:
        self.problem, self.dim, self.origin = problem, problem.dim, np.zeros(problem.dim)
        if hasattr(problem, "hvp"):
            self.hvp = self._hvp

    def loss(self, w: np.ndarray) -> np.ndarray:
        """Loss, shape (...), at w of shape (..., dim)."""
        return np.asarray(self.problem.loss(w[..., None, :]), dtype=float)[..., 0]

    def grad(self, w: np.ndarray) -> np.ndarray:
        """Gradient, shape (..., dim)."""
        return np.asarray(self.problem.grad(w[..., None, :]), dtype=float)[..., 0, :]

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Hessian-vector product, shape (..., dim)."""
        w, v = np.broadcast_arrays(w, v)
        return np.asarray(self.problem.hvp(w[..., None, :], v[..., None, :]), dtype=float)[..., 0, :]

    def __repr__(self) -> str:
        return repr(self.problem)


def view_of(problem: Any) -> Centred | OneByOne:
    """Return how the steps see a problem."""
    return Centred(problem) if is_quadratic(problem) else OneByOne(problem)
