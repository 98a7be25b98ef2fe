"""An estimate from below of generalised sharpness, for any norm and any symmetric H."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..norms import Linf
from ..norms.base import Norm
from .ascent import Climbers
from .frank_wolfe import frank_wolfe
from .local_search import search_cube
from .negative import below_zero
from .operator import Operator

__all__ = ["Estimate", "estimate", "frank_wolfe"]

#: Steps with a matrix: of each start that was asked for. Without one, where products are the cost: of each start, of
#: the best two of them, and of the best one.
_STEPS, _FEW, _MORE, _LAST = 200, 10, 25, 60
#: With a matrix: random starts beyond those asked for, at most that many and that much work, and the kicks after them.
_EXTRA, _WORK, _KICKS, _ROUNDS = 200, 2e7, 24, 4
#: Steps of all these, how many of them go on to as many as the others, and steps of the best one of all.
_FIRST, _BEST, _FINAL = 15, 8, 1000


@dataclass(frozen=True)
class Estimate:
    """What the search came to.

    Attributes:
        witness: The best direction, of norm 1, shape (dim,); NaN if no product was finite.
        frank_wolfe: Largest value of the published Frank–Wolfe estimator over its starts; NaN if it was not run.
        spread: (max - min)/|max| over the starts that were asked for, each after its ascent.
        how: The search in words.
    """

    witness: np.ndarray
    frank_wolfe: float
    spread: float
    how: str


def estimate(
    operator: Operator, norm: Norm, starts: np.ndarray, *, restarts: int, iterations: int, published: bool, seed: int
) -> Estimate:
    """Search for the largest q(d) with norm(d) = 1.

    With a matrix, `restarts` Gaussian starts go through the published Frank–Wolfe, and from there and from the given
    starts the ascent of `ascent.Climbers` runs until it stands. Then follow, for ℓ∞, a local search from these and from
    random sign vectors, for other norms the ascent from random starts and from random kicks of the best points, and for
    H <= 0 the ascent in the dual norm.

    Without a matrix the cost are products: each start takes 10 steps of the ascent, the best two 25 more, the best one
    up to 60 more. That is at most 11 products per start and 110.

    Args:
        operator: H.
        norm: The norm.
        starts: Starts of any length but zero, shape (count, dim), count >= 0.
        restarts: Number of Gaussian starts besides.
        iterations: Steps of the published Frank–Wolfe.
        published: Whether to run it in any case; without a matrix it is not otherwise.
        seed: Seed of all random numbers.
    """
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((restarts, operator.dim))
    highest, words = np.nan, []
    if restarts and (published or operator.matrix is not None):
        values, ends = frank_wolfe(operator, norm, rows, iterations)
        good = np.isfinite(values)
        rows[good] = ends[good]
        highest = float(values[good].max()) if good.any() else np.nan
        words.append("Frank–Wolfe")
    rows = np.concatenate([rows, starts])
    words.append(f"ascent from {len(rows)} start" + "s" * (len(rows) > 1))
    climbers = Climbers.at(operator, norm, rows)
    if operator.matrix is None:
        witness = _few_products(operator, norm, climbers)
    else:
        climbers.climb(operator, norm, _STEPS)
        witness, word = _with_matrix(operator, operator.matrix, norm, climbers, rng)
        words.append(word)
    asked = climbers.values[:restarts] if restarts else climbers.values
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.ptp(asked) / np.abs(asked.max()) if np.ptp(asked) else 0.0
    if not np.isfinite(climbers.values).any():
        witness = np.full(operator.dim, np.nan)
    return Estimate(witness, highest, float(spread), ", ".join(words))


def _few_products(operator: Operator, norm: Norm, climbers: Climbers) -> np.ndarray:
    climbers.climb(operator, norm, _FEW)
    climbers.climb(operator, norm, _MORE, climbers.top(2))
    climbers.climb(operator, norm, _LAST, climbers.top(1))
    return climbers.points[climbers.top(1)[0]]


def _with_matrix(
    operator: Operator, H: np.ndarray, norm: Norm, climbers: Climbers, rng: np.random.Generator
) -> tuple[np.ndarray, str]:
    """Return the best direction found from climbers that stand, with a matrix, and what was done."""
    dim = operator.dim
    lam, V = np.linalg.eigh(H)
    if lam[-1] <= 1e-14 * np.abs(lam).max():
        return below_zero(H, norm, climbers.points[climbers.top(1)[0]]), "dual ascent"
    extra = rng.standard_normal((int(min(_EXTRA, _WORK / dim**2)), dim))
    extra = np.concatenate([extra, V.T[-3:]])
    if isinstance(norm, Linf):
        d = search_cube(H, np.concatenate([climbers.points, np.sign(extra)]), rng)
        found, word = _joined(climbers, operator, norm, d[None]), "local search on the cube"
    else:
        found, word = _kicked(operator, norm, _joined(climbers, operator, norm, extra), rng), "kicks"
    return found.points[found.top(1)[0]], word


def _joined(climbers: Climbers, operator: Operator, norm: Norm, starts: np.ndarray) -> Climbers:
    """Return climbers with those from more starts after them."""
    more = Climbers.at(operator, norm, starts).climb(operator, norm, _FIRST)
    return climbers.joined(more.climb(operator, norm, _STEPS, more.top(_BEST)))


def _kicked(operator: Operator, norm: Norm, found: Climbers, rng: np.random.Generator) -> Climbers:
    """Kick the best points, and go on as long as that helps."""
    for _ in range(_ROUNDS):
        before = found.values.max()
        best = found.points[found.top(4)]
        near = np.repeat(best, _KICKS // len(best), axis=0)
        noise = rng.standard_normal(near.shape)
        noise *= rng.uniform(0.1, 1.5, (len(near), 1)) / norm.norm(noise)[:, None]
        found = _joined(found, operator, norm, np.concatenate([near + noise, norm.lmo(best)]))
        if found.values.max() <= before * (1 + 1e-9):
            break
    return found.climb(operator, norm, _FINAL, found.top(1))
