"""Symmetric matrices as vectors, and the largest eigenvalue of a symmetric operator on them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

Operator = Callable[[np.ndarray], np.ndarray]

#: Operators on up to this many numbers are written out as matrices.
DENSE_UP_TO = 300
#: Lanczos vectors kept at a time: few where one takes as much memory as the data, more where products are cheap.
_FEW, _MANY, _LARGE = 12, 20, 100_000
#: Error bound of an eigenvalue from Lanczos iterations, relative.
_LANCZOS = 1e-12


class Packing:
    """The isometry between symmetric r x r matrices and vectors of length r(r+1)/2.

    Args:
        r: Rows of the matrices.
    """

    def __init__(self, r: int) -> None:
        self.r = r
        rows, columns = np.triu_indices(r)
        self._upper, self._lower = rows * r + columns, columns * r + rows
        self._weights = np.where(rows == columns, 1.0, np.sqrt(2.0))

    @property
    def size(self) -> int:
        """Length of the vectors."""
        return len(self._weights)

    @property
    def is_small(self) -> bool:
        """Whether operators are written out as matrices."""
        return self.size <= DENSE_UP_TO

    def pack(self, S: np.ndarray) -> np.ndarray:
        """Return the vector of a symmetric matrix."""
        return S.ravel()[self._upper] * self._weights

    def unpack(self, vector: np.ndarray) -> np.ndarray:
        """Return the symmetric matrix of a vector."""
        S = np.empty(self.r * self.r)
        S[self._upper] = S[self._lower] = vector / self._weights
        return S.reshape(self.r, self.r)

    def packed(self, operator: Operator) -> Operator:
        """Return an operator on symmetric matrices as one on vectors."""
        return lambda vector: self.pack(operator(self.unpack(np.asarray(vector).ravel())))

    def matrix(self, operator: Operator) -> np.ndarray:
        """Return the matrix of an operator on symmetric matrices, in packed coordinates."""
        return written_out(self.packed(operator), self.size)

    def largest(self, operator: Operator, start: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the largest eigenvalue and its eigenmatrix of a self-adjoint operator on symmetric matrices.

        Args:
            operator: Maps symmetric (r, r) to symmetric (r, r).
            start: Where Lanczos iterations begin, shape (r, r).
        """
        if self.is_small:
            values, vectors = np.linalg.eigh(self.matrix(operator))
            return float(values[-1]), self.unpack(vectors[:, -1])
        from scipy.sparse.linalg import eigsh

        width = min(_FEW if self.size > _LARGE else _MANY, self.size)
        fixed: dict[str, Any] = {"v0": self.pack(start), "tol": _LANCZOS, "ncv": width}
        if "rng" in inspect.signature(eigsh).parameters:  # newer versions of SciPy draw restarts
            fixed["rng"] = 0
        values, vectors = eigsh(self.linear(operator), k=1, which="LA", **fixed)
        return float(values[0]), self.unpack(vectors[:, 0])

    def linear(self, operator: Operator) -> Any:
        """Return the operator in packed coordinates for SciPy."""
        from scipy.sparse.linalg import LinearOperator

        return LinearOperator((self.size, self.size), matvec=self.packed(operator), dtype=np.float64)


def written_out(operator: Operator, size: int) -> np.ndarray:
    """Return the matrix of a linear operator on vectors of length `size`."""
    return np.column_stack([operator(unit) for unit in np.eye(size)])
