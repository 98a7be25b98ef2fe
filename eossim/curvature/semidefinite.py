"""The semidefinite bound over products of Euclidean balls, certified whatever the solver did."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .exact.ball import independent
from .mixing import mix

#: Multiplications that the solver may spend: seconds.
_WORK = 3e9
_SWEEPS = 30_000


def semidefinite_bound(H: np.ndarray, sizes: list[int], p: float = np.inf) -> float:
    """Return an upper bound of dᵀHd over ‖(‖d₁‖₂, ‖d₂‖₂, ...)‖_p = 1, p >= 2, for symmetric H.

    Any y with diag(y_b I) - H positive semidefinite gives dᵀHd <= Σ y_b‖d_b‖², hence at p = inf the bound
    Σ max(y_b, 0). The best one is min {Σ y_b} = max {<H, X> : X >= 0, tr X_bb <= 1}, solved through X = VVᵀ with more
    columns than a solution needs; y is then made feasible by the shift λ_max(H - diag(y)) and its rounding, so that the
    bound holds also where the solver stopped early. Single coordinates: Goemans-Williamson, at most π/2 times the
    maximum for H >= 0.

    Args:
        H: Shape (dim, dim).
        sizes: Coordinates of every block.
        p: How the norms of the blocks are combined; the multipliers are those of p = inf.
    """
    d, starts = len(H), np.concatenate([[0], np.cumsum(sizes)])
    rank = int(np.ceil(np.sqrt(2 * len(sizes)))) + 1
    shifts = (
        np.diag(H).copy()
        if len(sizes) == d
        else np.array([np.linalg.eigvalsh(H[a:b, a:b])[0] for a, b in pairwise(starts)])
    )
    V = np.random.default_rng(0).standard_normal((d, rank))
    V /= np.repeat(np.sqrt(np.add.reduceat((V * V).sum(axis=1), starts[:-1])), sizes)[:, None]
    H = np.ascontiguousarray(H)
    sweeps = int(np.clip(_WORK / (d * d * rank), 8, _SWEEPS))
    y = mix(H, starts, shifts, V, sweeps, 1e-13)
    values = np.linalg.eigvalsh(H - np.diag(np.repeat(y, sizes)))
    shift = float(values[-1] + d * np.finfo(float).eps * np.abs(values).max())
    return independent(p, y + shift)[0] if p < np.inf else float(np.maximum(y + shift, 0).sum())
