"""ℓ1: the largest dᵀHd over the cross-polytope, face by face."""

from __future__ import annotations

import numpy as np

from ..._jit import kernel
from .found import DECIDED, Found, Unsolved

#: Multiplications after which the search gives up, about a second. All faces, 3^dim / 2, take as many at dim 14.
_MAX_WORK = 500_000_000


def cross_polytope(H: np.ndarray) -> Found:
    """Return the largest dᵀHd over Σ|d_i| = 1 for a symmetric H that is not negative semidefinite.

    A point is a support F with signs s and weights x > 0, Σx = 1; there q = xᵀAx with A_ij = s_is_jH_ij. At a maximiser
    with the smallest support A is strictly negative definite on {Σ = 0}, as the form would otherwise not fall along
    some line in the face up to its boundary; then x is the only stationary point of its face. The condition passes on
    to smaller supports: faces are reached by adding one signed coordinate at a time, as long as it holds. Two of them
    pass with equal or opposite signs only if H_ii + H_jj < 2|H_ij|, which leaves few faces of most Hessians.

    Coordinates are taken in the order of |H_ii|: entries of a face are compared with its smallest one.

    Raises:
        Unsolved: if there are too many such faces, or if rounding decides which of them count, and it matters.
    """
    order = np.argsort(np.abs(np.diag(H)), kind="stable")
    members, signs, x, faces, doubt = _best_face(np.ascontiguousarray(H[np.ix_(order, order)]), _MAX_WORK)
    if not faces:
        raise Unsolved(f"exact sharpness in l1 of an indefinite Hessian of dim {len(H)} has too many faces to search")
    d = np.zeros(len(H))
    d[order[members]] = signs * x
    if doubt > DECIDED * (d @ H @ d):
        raise Unsolved(f"rounding decides which faces can hold a maximum, which is worth up to {doubt:.1e}")
    how = f"all {faces} faces that can hold a maximum"
    return Found.at(H, d / np.abs(d).sum(), how)


@kernel
def _best_face(H: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, float]:
    """Search depth first; L holds the Cholesky rows of minus the form on {Σ = 0}, in the basis s_je_j - s_0e_0.

    The last result is what faces that are singular up to rounding may be worth.
    """
    d = len(H)
    members, signs = np.zeros(d, dtype=np.int64), np.ones(d)
    state = np.zeros(d, dtype=np.int64)  # 2 * coordinate + (sign is -1) that comes next at each depth
    L, z, x = np.zeros((d, d)), np.zeros(d), np.zeros(d)
    best, size = -np.inf, 1
    best_members, best_signs, best_x = members.copy(), signs.copy(), np.ones(d)
    faces, work, doubt = 0, 0, 0.0
    depth = 0
    while depth >= 0:
        if depth == d or state[depth] >= 2 * d:
            depth -= 1
            continue
        j, s = state[depth] >> 1, 1.0 - 2.0 * (state[depth] & 1)
        state[depth] += 2 if depth == 0 else 1  # the first sign is fixed: d and -d are the same
        members[depth], signs[depth] = j, s
        work += (depth + 1) * (depth + 1)
        if work > limit:
            return best_members[:0], best_signs[:0], best_x[:0], 0, doubt
        if depth > 0:
            o = members[0]
            b = s * signs[0] * H[j, o] - H[o, o]
            square = -(H[j, j] - 2.0 * s * signs[0] * H[j, o] + H[o, o])
            total = b
            for k in range(1, depth):
                i = members[k]
                entry = -(s * signs[k] * H[j, i] - s * signs[0] * H[j, o] - signs[k] * signs[0] * H[i, o] + H[o, o])
                for c in range(1, k):
                    entry -= L[depth, c] * L[k, c]
                entry /= L[k, k]
                L[depth, k] = entry
                square -= entry * entry
                total -= entry * z[k]
            rounding = 1e-14 * d * (abs(H[j, j]) + 2.0 * abs(H[j, o]) + abs(H[o, o]))
            if square <= rounding:
                if square > -rounding:
                    doubt = max(doubt, 2.0 * rounding)
                continue
            L[depth, depth] = np.sqrt(square)
            z[depth] = total / L[depth, depth]
        faces += 1
        value = H[members[0], members[0]]
        for k in range(1, depth + 1):
            value += z[k] * z[k]  # the maximum is A_00 + bᵀ(-M)⁻¹b
        if value > best:
            inside, left = True, 1.0
            for k in range(depth, 0, -1):
                x[k] = z[k]
                for c in range(k + 1, depth + 1):
                    x[k] -= L[c, k] * x[c]
                x[k] /= L[k, k]
                left -= x[k]
                inside = inside and x[k] >= 0.0
            x[0] = left
            if inside and left >= 0.0:
                best, size = value, depth + 1
                best_members[:], best_signs[:], best_x[:] = members, signs, x
        if depth + 1 < d:
            state[depth + 1] = 2 * (j + 1)
            depth += 1
    return best_members[:size], best_signs[:size], best_x[:size], faces, doubt
