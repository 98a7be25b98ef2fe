"""Targets of a network from what a user has."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._check import finite_array, positive_int


def one_hot(labels: ArrayLike, classes: int) -> np.ndarray:
    """Return the rows of the identity that belong to integer labels 0 to classes - 1, shape (n, classes).

    Raises:
        TypeError: If the labels are not integers.
        ValueError: If a label is out of range or they are not one row.
    """
    k = positive_int("classes", classes)
    array = np.asarray(labels)
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, got dtype {array.dtype}")
    if array.ndim != 1 or not array.size:
        raise ValueError(f"labels must have shape (n,), n >= 1, got {array.shape}")
    bad = np.flatnonzero((array < 0) | (array >= k))
    if len(bad):
        raise ValueError(f"labels must be 0 to {k - 1}, got labels[{bad[0]}] = {array[bad[0]]}")
    return np.eye(k)[array]


def regression_targets(y: ArrayLike, n: int, outputs: int, dtype: DTypeLike) -> np.ndarray:
    """Return targets of the mean square, shape (n, outputs).

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If they have another shape or are not finite.
    """
    array = finite_array("y", y, ndim=(1, 2), dtype=dtype)
    if array.ndim == 1 and outputs == 1:
        array = array[:, None]
    if array.shape != (n, outputs):
        allowed = f"({n}, {outputs})" + (f" or ({n},)" if outputs == 1 else "")
        labels = np.asarray(y).dtype.kind in "iu" and array.shape == (n,)
        hint = "; for labels use one_hot(y, classes)" if labels else ""
        raise ValueError(f"y must have shape {allowed}, one row per row of X, got {array.shape}{hint}")
    return array


def class_targets(y: ArrayLike, n: int, outputs: int) -> np.ndarray:
    """Return one-hot targets of cross-entropy, shape (n, outputs), from labels or one-hot rows.

    Raises:
        TypeError: If y holds neither integers nor rows of numbers.
        ValueError: If y has a wrong shape, a label is out of range or a row is not one-hot.
    """
    if outputs < 2:
        raise ValueError(f"cross-entropy needs at least 2 outputs, one per class, got sizes[-1] = {outputs}")
    array = np.asarray(y)
    if array.ndim == 2:
        rows = finite_array("y", y, shape=(n, outputs), dtype=np.float64)
        bad = np.flatnonzero(~(((rows == 0) | (rows == 1)).all(axis=1) & (rows.sum(axis=1) == 1)))
        if len(bad):
            raise ValueError(f"rows of y must be one-hot (one 1, else 0), got y[{bad[0]}] = {rows[bad[0]]}")
        return rows
    if array.shape != (n,):
        raise ValueError(f"y must have shape ({n},), integer labels, or ({n}, {outputs}), one-hot; got {array.shape}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"labels y must be integers 0 to {outputs - 1}, got dtype {array.dtype}")
    bad = np.flatnonzero((array < 0) | (array >= outputs))
    if len(bad):
        raise ValueError(
            f"labels y must be 0 to {outputs - 1} for {outputs} outputs, got y[{bad[0]}] = {array[bad[0]]}"
        )
    return np.eye(outputs)[array]
