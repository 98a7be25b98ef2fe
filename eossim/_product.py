"""The product of a matrix with a block of runs, inside compiled code: a run's result must not depend on its lane.

In double precision that is BLAS, whose lanes round alike. In single precision they do not (OpenBLAS sums some lanes in
another order), and there the sum runs from the first coordinate to the last, four at a time to spare memory traffic.
That has about half the speed of BLAS in single precision, the speed of BLAS in double.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import overload

from ._jit import kernel


def product(matrix: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    """Write ``matrix @ columns`` to `out`; C-ordered arrays of one dtype. Compiled code calls it, nothing else."""
    raise TypeError("product is for compiled code")


@kernel
def _in_order(matrix: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    dim, runs = columns.shape
    tail = dim - dim % 4
    out[:] = 0
    for i in range(dim):
        for k in range(0, tail, 4):
            a, b, c, d = matrix[i, k], matrix[i, k + 1], matrix[i, k + 2], matrix[i, k + 3]
            for r in range(runs):
                out[i, r] = (
                    (out[i, r] + a * columns[k, r])
                    + b * columns[k + 1, r]
                    + c * columns[k + 2, r]
                    + d * columns[k + 3, r]
                )
        for k in range(tail, dim):
            a = matrix[i, k]
            for r in range(runs):
                out[i, r] += a * columns[k, r]


@overload(product, strict=False)
def _product(matrix: Any, columns: Any, out: Any) -> Any:
    if columns.dtype == types.float64:
        return lambda matrix, columns, out: np.dot(matrix, columns, out)
    return lambda matrix, columns, out: _in_order(matrix, columns, out)
