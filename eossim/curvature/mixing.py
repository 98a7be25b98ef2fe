"""Coordinate ascent on the low-rank form of a semidefinite program (the mixing method)."""

from __future__ import annotations

import numpy as np

from .._jit import summing


@summing
def mix(
    H: np.ndarray, starts: np.ndarray, shifts: np.ndarray, V: np.ndarray, sweeps: int, tolerance: float
) -> np.ndarray:
    """Raise <H, VVᵀ> over ‖V_b‖_F <= 1 block by block, V in place; return the multiplier of every block.

    With s_b <= λ_min(H_bb) the form in V_b alone, the rest fixed, is <V_b, (H_bb - s_b)V_b> + s_b‖V_b‖² + 2<V_b, ...>;
    its first term is convex, so that V_b = G/max(‖G‖, -s_b) with G = (HV)_b - s_bV_b does not lower it. For single
    coordinates this is the exact maximum. The multiplier is y_b = max(‖G‖ + s_b, 0).

    Args:
        H: Shape (dim, dim).
        starts: First coordinate of every block, then dim, shape (blocks + 1,).
        shifts: s_b, shape (blocks,).
        V: Shape (dim, rank).
        sweeps: Largest number of sweeps.
        tolerance: Change of V in a sweep, relative to its size, at which it stops.
    """
    d, rank = V.shape
    blocks = len(starts) - 1
    y = np.zeros(blocks)
    G = np.zeros((d, rank))
    for _ in range(sweeps):
        change, size = 0.0, 0.0
        for b in range(blocks):
            square = 0.0
            for i in range(starts[b], starts[b + 1]):
                for c in range(rank):
                    G[i, c] = -shifts[b] * V[i, c]
                for j in range(d):
                    h = H[i, j]
                    if h != 0.0:
                        for c in range(rank):
                            G[i, c] += h * V[j, c]
                for c in range(rank):
                    square += G[i, c] * G[i, c]
            length = np.sqrt(square)
            y[b] = max(length + shifts[b], 0.0)
            scale = max(length, -shifts[b])
            if scale > 0.0:
                for i in range(starts[b], starts[b + 1]):
                    for c in range(rank):
                        new = G[i, c] / scale
                        change += (new - V[i, c]) ** 2
                        size += new * new
                        V[i, c] = new
        if change <= tolerance * tolerance * size:
            break
    return y
