"""Norms by their names, for command lines and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import positive_int, unknown
from .base import Norm, require_norm, validated
from .blocks import BlockMax, BlockSum
from .coordinate import L1, L2, Frobenius, Linf, Lp
from .mahalanobis import Mahalanobis
from .matrix import Nuclear, Spectral

_PLAIN: dict[str, Callable[[], Norm]] = {"l1": L1, "l2": L2, "linf": Linf, "frobenius": Frobenius}
#: Names that `from_name` knows.
NAMES = (*_PLAIN, "lp", "block_sum", "block_max", "spectral", "nuclear", "mahalanobis")


def from_name(
    name: str,
    dim: int,
    *,
    shape: Sequence[Any] | None = None,
    blocks: int | Sequence[ArrayLike] | None = None,
    p: float | None = None,
    P: ArrayLike | None = None,
) -> Norm:
    """Return the norm of vectors of length `dim` that has a name.

    A norm takes what it needs of the arguments and leaves the rest, so that one set serves several names.

    Args:
        name: ``"l1"``, ``"l2"``, ``"linf"``, ``"frobenius"``; ``"lp"`` with `p`, or ``"lp:3"``; ``"block_sum"`` and
            ``"block_max"`` with `blocks`; ``"spectral"`` and ``"nuclear"`` with `shape`; ``"mahalanobis"`` with `P`.
        dim: Number of coordinates.
        shape: Shape of the matrix that the vectors are, row by row; for ``"spectral"`` also those of several layers.
        blocks: Coordinates of each block, or the length of equal blocks one after another.
        p: Exponent, 1 <= p <= ∞.
        P: Symmetric positive definite matrix or its diagonal.

    Raises:
        TypeError: If an argument is of a wrong type.
        ValueError: If the name is not known, what it needs is missing or said twice, or that does not fit `dim`.

    Example:
        >>> from_name("spectral", 64, shape=(8, 8))
        spectral[8x8]
    """
    dim = positive_int("dim", dim)
    kind, exponent = _parse(name)
    if None not in (p, exponent) and p != exponent:
        raise ValueError(f'the norm "{name}" has its exponent in its name, got p={p} besides')
    norm = _make(kind, dim, shape, blocks, p if exponent is None else exponent, P)
    norm.check_dim(dim)
    return norm


def as_norm(norm: Norm | str, dim: int | None = None) -> Norm:
    """Return a norm, or the one of a name that says all of it: ``"l1"``, ``"l2"``, ``"linf"``, ``"lp:3"``.

    Args:
        norm: The norm or its name.
        dim: Number of coordinates, if it is known; the norm is then held against it (`validated`).

    Raises:
        TypeError: If it is neither, or returns no numbers.
        ValueError: If the name is not known or needs more, or the norm does not fit `dim`.
    """
    if not isinstance(norm, str):
        norm = require_norm("norm", norm)
    elif dim is not None:
        norm = from_name(norm, dim)
    else:
        kind, exponent = _parse(norm)
        if kind not in _PLAIN and exponent is None:
            raise ValueError(f'the norm "{norm}" needs more than its name: make it with eossim.norms.from_name')
        norm = _make(kind, 0, None, None, exponent, None)
    return norm if dim is None else validated(norm, dim)


def _parse(name: Any) -> tuple[str, float | None]:
    """Return the kind of a norm and the exponent, if the name has one."""
    kind, _, exponent = name.partition(":") if isinstance(name, str) else (name, "", "")
    if kind not in NAMES or (exponent and kind != "lp"):
        raise unknown("norm", name, NAMES)
    return kind, _exponent(name, exponent) if exponent else None


def _make(kind: str, dim: int, shape: Any, blocks: Any, p: float | None, P: ArrayLike | None) -> Norm:
    if kind in _PLAIN:
        return _PLAIN[kind]()
    if kind == "lp":
        if p is None:
            raise ValueError('the norm "lp" needs its exponent: give p=3, or the name "lp:3"')
        return Lp(p)
    if kind in ("block_sum", "block_max"):
        return (BlockSum if kind == "block_sum" else BlockMax)(_blocks(kind, blocks, dim))
    if kind == "mahalanobis":
        if P is None:
            raise ValueError(f'the norm "mahalanobis" needs P: give P of shape ({dim},) or ({dim}, {dim})')
        return Mahalanobis(P)
    if shape is None:
        rows = max(m for m in range(1, math.isqrt(dim) + 1) if dim % m == 0)
        raise ValueError(
            f'the norm "{kind}" needs the shape of the matrix whose entries the {dim} coordinates are: '
            f"give shape=(m, n) with m n = {dim}, such as shape={(rows, dim // rows)}"
        )
    return Spectral(shape) if kind == "spectral" else Nuclear(shape)


def _blocks(kind: str, blocks: Any, dim: int) -> Sequence[ArrayLike]:
    if blocks is None:
        raise ValueError(
            f'the norm "{kind}" needs blocks of the {dim} coordinates: give their length, such as blocks=1, '
            "or a list of lists of coordinates"
        )
    if isinstance(blocks, list | tuple) or np.ndim(blocks):
        return blocks
    size = positive_int("blocks", blocks)
    if dim % size:
        raise ValueError(f"blocks={size} does not divide the {dim} coordinates: give lists of coordinates instead")
    return [range(first, first + size) for first in range(0, dim, size)]


def _exponent(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f'the exponent of the norm "{name}" must be a number, as in "lp:3"') from None
