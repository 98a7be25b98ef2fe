"""Local search for the maximum of dᵀ H d over the cube [-1, 1]^dim: the generalised sharpness of ℓ∞."""

from __future__ import annotations

import numpy as np

from .._jit import kernel

#: Chains of a search; its work in additions, roughly, and the most rounds of it.
_CHAINS, _WORK, _ROUNDS = 20, 3e8, 2000
#: Most sweeps of one ascent: they end by themselves unless free coordinates converge slowly.
_SWEEPS = 500


def search_cube(matrix: np.ndarray, starts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the best direction that coordinate ascent finds: from `starts`, then in chains of random flips.

    A chain goes from its best point to one with some coordinates flipped, climbs, and stays if that is no worse. Chains
    that share the starts are followed by one from the best of their ends.

    One coordinate at a time goes to its maximum over [-1, 1] with the others held: to ±1 where H_ii >= 0 (the 1-flip
    search of Max-Cut), else to the top of a parabola, so that maximisers inside the cube are reached as well.

    Args:
        matrix: H, shape (dim, dim).
        starts: Points of the cube, shape (count, dim).
        rng: Where the flips come from.

    Returns:
        d, shape (dim,); a vertex or a point with max |d_i| = 1, unless q(d) <= 0 everywhere in the cube.
    """
    H, dim = np.ascontiguousarray(matrix), len(matrix)
    chains = min(_CHAINS, len(starts))
    rounds = int(np.clip(_WORK / dim**2, _CHAINS, _ROUNDS)) // (chains + 1)
    ends: list[np.ndarray] = []
    for k in range(chains + 1):
        rate = np.maximum(1 / dim, rng.uniform(0, 0.5, (rounds, 1)) ** 2)
        ends.append(_chain(H, starts[k::chains] if k < chains else np.array(ends), rng.random((rounds, dim)) < rate))
    return ends[-1]


@kernel
def _chain(H: np.ndarray, starts: np.ndarray, flips: np.ndarray) -> np.ndarray:
    best, top = starts[0].copy(), -np.inf
    for r in range(len(starts) + len(flips)):
        d = starts[r].copy() if r < len(starts) else best.copy()
        if r >= len(starts):
            for i in range(len(d)):
                if flips[r - len(starts), i]:
                    d[i] = -d[i] if d[i] != 0 else 1.0
        q = _climb(H, d)
        if q >= top:
            best, top = d, q
    return best


@kernel
def _climb(H: np.ndarray, d: np.ndarray) -> float:
    """Move d to where no coordinate raises q, and return q."""
    g = H @ d
    q = d @ g
    for _ in range(_SWEEPS):
        before = q
        for i in range(len(d)):
            h = H[i, i]
            rest = g[i] - h * d[i]
            if h < 0:
                new = min(1.0, max(-1.0, -rest / h))
            elif rest > 0 or (rest == 0 and d[i] >= 0):
                new = 1.0
            else:
                new = -1.0
            rise = (new - d[i]) * (h * (new + d[i]) + 2 * rest)
            if rise > 1e-14 * abs(q):
                step = new - d[i]
                d[i] = new
                q += rise
                for j in range(len(d)):
                    g[j] += step * H[i, j]
        if q - before <= 1e-13 * abs(q):
            break
    return q
