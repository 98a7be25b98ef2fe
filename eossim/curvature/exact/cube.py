"""ℓ∞: the largest dᵀHd over the cube."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from ..._cores import available_cores
from .found import DECIDED, Found, Unsolved
from .gray import best_signs, signs_of

_MAX_DIM = 26
#: Flips of signs that a search may take, a second on one core; 26 coordinates take 2^25 for every set of free ones. A
#: set costs as much as `_SET_COST` flips beside its own.
_MAX_FLIPS = 1 << 27
_SET_COST = 1 << 13
_BITS = 14
_SERIAL = 1 << 17


def cube(H: np.ndarray) -> Found:
    """Return the largest dᵀHd over max |d_i| = 1 for a symmetric H that is not negative semidefinite.

    The maximum over the sphere is then that over the cube, and positive. In a coordinate with H_ii >= 0 the form is
    convex: an end is at least as good. So at some maximiser only coordinates with H_ii < 0 lie inside, F, and among
    such maximisers take one with the fewest: H_FF is negative definite (along a null direction the form would be
    constant up to the boundary). Given the signs σ of the rest R, the best d_F is -H_FF⁻¹H_FR σ, and the value
    σᵀ(H_RR - H_RF H_FF⁻¹ H_FR)σ. Every F with H_FF negative definite is tried with all σ up to ±, and a value counts if
    its d_F lies in the cube. Supersets of an F that fails fail as well (interlacing). Whether H_FF is definite is asked
    after scaling its diagonal to -1, as coordinates may be of any size.

    If σ_iσ_jH_ij >= 0 for some σ and all i, j (no frustration), S = Σ|H_ij| at any dimension.

    Raises:
        Unsolved: if there are too many of these: beyond 26 coordinates, fewer if many have H_ii < 0; or if rounding
            decides which of them count, and it matters.
    """
    d = len(H)
    negative = np.flatnonzero(np.diag(H) < 0)
    if not len(negative):
        sigma = unfrustrated(H)
        if sigma is not None:
            return Found.at(H, sigma, "sum of |H_ij|: no frustration")
    sets, work, doubt = [], 0, 0.0
    for free, unsure in _free_sets(H, negative):
        doubt = max(doubt, unsure)
        if unsure:
            continue
        sets.append(free)
        work += (1 << (d - len(free))) // 2 + _SET_COST
        if work > _MAX_FLIPS or d > _MAX_DIM:
            among = f", {len(negative)} of them with negative diagonal entries" if len(negative) else ""
            raise Unsolved(f"exact sharpness in linf needs dim <= {_MAX_DIM}, got {d} coupled coordinates{among}")
    best, point = -np.inf, np.zeros(d)
    for free in sets:
        rest = np.setdiff1d(np.arange(d), free)
        root = np.sqrt(-H[free, free])[:, None]
        K = -np.linalg.solve(H[np.ix_(free, free)] / (root * root.T), H[np.ix_(free, rest)] / root) / root
        G = H[np.ix_(rest, rest)] + H[np.ix_(rest, free)] @ K
        value, sigma = _best(np.ascontiguousarray(np.vstack([0.5 * (G + G.T), K]).T))
        if value > best:
            best, point = value, np.zeros(d)
            point[rest], point[free] = sigma, K @ sigma
    if doubt > DECIDED * best:
        raise Unsolved(f"rounding decides which coordinates lie inside the cube, which is worth up to {doubt:.1e}")
    how = f"all sign vectors by Gray code, {d} coordinates"
    return Found.at(H, point, how if len(sets) == 1 else f"{how}, {len(sets)} sets of them free")


def _free_sets(H: np.ndarray, candidates: np.ndarray) -> Iterator[tuple[np.ndarray, float]]:
    """Yield every subset F of `candidates` with H_FF negative definite and 0, the empty one first.

    A set that is singular up to rounding comes with what leaving it out can cost: along its null direction the form
    changes by that at most, up to the boundary.
    """
    root = np.sqrt(-np.diag(H)[candidates])
    M = H[np.ix_(candidates, candidates)] / np.outer(root, root)
    rounding = 10 * len(H) * np.finfo(float).eps
    stack: list[tuple[list[int], int]] = [([], 0)]
    while stack:
        free, start = stack.pop()
        yield candidates[free], 0.0
        for k in range(start, len(candidates)):
            larger = [*free, k]
            top = np.linalg.eigvalsh(M[np.ix_(larger, larger)])[-1]
            if top < -rounding:
                stack.append((larger, k + 1))
            elif top < rounding:
                yield candidates[larger], 8 * len(larger) * rounding * float(root[larger] @ root[larger])


def _best(columns: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the best value over sign vectors and the vector; -inf if none is inside."""
    m = len(columns)
    bits = min(_BITS, m - 1)
    chunks = 1 << (m - 1 - bits)
    workers = 1 if chunks << bits <= _SERIAL else min(chunks, available_cores())
    edges = np.linspace(0, chunks, workers * (1 if workers == 1 else 4) + 1).astype(int)

    def part(k: int) -> tuple[float, int, int]:
        return best_signs(columns, np.ones(m), bits, edges[k], edges[k + 1])

    if workers == 1:
        found = [part(0)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            found = list(pool.map(part, range(len(edges) - 1)))
    value, chunk, code = max(found, key=lambda seen: seen[0])  # the first of equals: the same on any machine
    return value, signs_of(m, bits, max(chunk, 0), code)


def unfrustrated(H: np.ndarray) -> np.ndarray | None:
    """Return σ with σ_iσ_jH_ij >= 0 for all i != j, or None; H couples all coordinates, directly or not.

    Along a spanning tree of the couplings the signs are forced; the other couplings agree with them or none do.
    """
    sigma = np.ones(len(H))
    order, before = breadth_first_order(csr_array(H != 0), 0, directed=False)
    for i in order[1:]:
        sigma[i] = np.sign(H[i, before[i]]) * sigma[before[i]]
    signed = sigma[:, None] * H * sigma
    np.fill_diagonal(signed, 0)
    return sigma if signed.min() >= 0 else None
