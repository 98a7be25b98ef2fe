"""The NumPy reference: one step at a time, readable, and equal to the kernels bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def sequential_norm(values: np.ndarray) -> np.ndarray:
    """Return the Euclidean norm over coordinates, shape (runs,); squares are summed from the first to the last."""
    total = np.zeros(values.shape[1], values.dtype)
    for row in values:
        total += row * row
    return np.sqrt(total)


def reference(
    kernel: Any,
    gradient: Callable[[np.ndarray], np.ndarray],
    curvature: np.ndarray | None,
    hyper: list[np.ndarray],
) -> Callable[..., None]:
    """Return the NumPy step as an `advance` function.

    Args:
        kernel: Module of the rule's step.
        gradient: Gradient at coordinates, shape (dim, runs).
        curvature: Diagonal curvature for rules that read it, shape (dim,).
        hyper: Hyper-parameters, each of shape (runs,).
    """
    names = dict(zip(kernel.HYPER, hyper, strict=True))
    if kernel.MODEWISE:
        if curvature is None or curvature.ndim != 1:
            raise ValueError(f"{kernel.__name__} is implicit: it runs on quadratics in their eigenbasis only")
        names["h"] = curvature[:, None]

    def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
        done = 0
        with np.errstate(all="ignore"):
            for p, stop in enumerate(stops):
                for _ in range(done, stop):
                    # A delay hands an old state on as it is: read all of them before the first is written.
                    following = [
                        np.array(v) for v in kernel.step(*states, grad=gradient, norm=sequential_norm, **names)
                    ]
                    for array, value in zip(states, following, strict=True):
                        array[...] = value
                done = stop
                kept[p] = states[0]

    return advance


def quadratic_gradient(
    curvature: np.ndarray, linear: np.ndarray, *, centred: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """Return the gradient in step coordinates, rounded as the kernels round it."""
    if curvature.ndim == 1:
        column, offset = curvature[:, None], linear[:, None]
        return (lambda x: column * x - offset) if centred else (lambda x: column * x)
    multiply = _blas_product if curvature.dtype == np.float64 else _product_in_order
    offset = linear[:, None]

    def gradient(x: np.ndarray) -> np.ndarray:
        product = multiply(curvature, x)
        return product - offset if centred else product

    return gradient


def _blas_product(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    from scipy.linalg import blas  # slow to import, and only the oracle of the dense kernels needs it

    # C-ordered H @ X is the Fortran-ordered X^T H^T: the call that the compiled product makes.
    return blas.dgemm(1.0, np.ascontiguousarray(columns).T, matrix.T).T


def _product_in_order(matrix: np.ndarray, columns: np.ndarray) -> np.ndarray:
    total = np.zeros_like(columns)
    for k, row in enumerate(columns):
        total += matrix[:, k, None] * row
    return total
