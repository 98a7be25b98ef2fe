"""Hessians without entries: Lanczos iterations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..operator import Operator
from .ball import Euclidean, Power
from .found import Found, Unsolved
from .reduce import Reduced
from .solve import best_part
from .spectrum import Leading, lanczos

#: Parts of a sum of norms that are solved one by one.
_PARTS = 1024


def implicit(reduced: Reduced, operator: Operator) -> Found:
    """Return the sharpness of a Hessian that is known by its products alone.

    Raises:
        Unsolved: if that takes its entries, or it is not known to be semidefinite.
    """
    ball, product = reduced.ball, reduced.product(operator)
    if operator.affordable:  # and yet without entries
        return Found(np.nan, np.full(operator.dim, np.nan), "not finite")
    if isinstance(ball, Euclidean):
        return _found(lanczos(product, ball.size))
    if not (isinstance(ball, Power) and ball.p == 1 and ball.euclidean):
        raise Unsolved(
            f"exact sharpness in this norm needs the entries of the Hessian, {ball.size} products with unit vectors: "
            "give them as a matrix"
        )
    if not operator.semidefinite:
        raise Unsolved(
            "exact sharpness in a sum of norms needs a Hessian that is known to be positive semidefinite "
            "(semidefinite=True says so)"
        )
    if len(ball.parts) > _PARTS:
        raise Unsolved(f"exact sharpness in a sum of {len(ball.parts)} > {_PARTS} norms takes too many products")
    found = []
    for part, at in zip(ball.parts, ball.slices(), strict=True):
        found.append(_part(product, part.size, at, ball.size))
    return best_part(ball, found)


def _part(product: Callable[[np.ndarray], np.ndarray], size: int, at: slice, dim: int) -> Found:
    """Return the sharpness of one diagonal block."""

    def masked(v: np.ndarray) -> np.ndarray:
        whole = np.zeros(dim)
        whole[at] = v
        return product(whole)[at]

    return _found(lanczos(masked, size))


def _found(pair: Leading) -> Found:
    return Found(pair.value, pair.vector, pair.how)
