"""Hessians without entries: Lanczos iterations, or entries one product at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..operator import Operator
from .ball import Euclidean, Power
from .found import Found, Unsolved
from .reduce import Reduced
from .solve import best_part, solve
from .spectrum import Leading, lanczos, one_thread

#: Coordinates up to which the entries of H are computed, one product each.
_ENTRIES = 64
#: Parts of a sum of norms that are solved one by one.
_PARTS = 1024


def implicit(reduced: Reduced, operator: Operator) -> Found:
    """Return the sharpness of a Hessian that is known by its products alone.

    Raises:
        Unsolved: if that takes its entries and there are many, or it is not known to be semidefinite.
    """
    ball, product = reduced.ball, reduced.product(operator)
    if ball.size <= _ENTRIES:
        return _dense(reduced, operator)
    if isinstance(ball, Euclidean):
        return _found(lanczos(product, ball.size))
    if not (isinstance(ball, Power) and ball.p == 1 and ball.euclidean):
        raise Unsolved(f"exact sharpness in this norm needs the entries of the Hessian at dim {ball.size} > {_ENTRIES}")
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


def _dense(reduced: Reduced, operator: Operator) -> Found:
    rows = operator(np.eye(operator.dim))
    if not np.isfinite(rows).all():
        return Found(np.nan, np.full(operator.dim, np.nan), "not finite")
    with one_thread():
        return solve(reduced.ball, reduced.hessian(0.5 * (rows + rows.T)))
