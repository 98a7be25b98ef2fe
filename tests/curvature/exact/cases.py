"""Small Hessians of every kind, norms, and a search that knows nothing but the value of the norm."""

import numpy as np

from eossim.norms import (
    L1,
    L2,
    BlockMax,
    BlockSum,
    L2Product,
    Linf,
    Lp,
    Mahalanobis,
    MaxProduct,
    Nuclear,
    Spectral,
    SumProduct,
)

KINDS = (
    "definite",
    "semidefinite",
    "indefinite",
    "negative",
    "rank one",
    "minus rank one",
    "diagonal",
    "repeated",
    "identity",
    "minus identity",
    "integers",
    "sparse",
    "zero",
)


def hessian(kind, dim, rng):
    A = rng.standard_normal((dim, dim))
    Q = np.linalg.qr(A)[0]
    if kind == "definite":
        H = A @ A.T
    elif kind == "semidefinite":
        half = A[:, : max(1, dim // 2)]
        H = half @ half.T
    elif kind == "indefinite":
        H = A + A.T
    elif kind == "negative":
        H = -A @ A.T
    elif kind == "rank one":
        H = np.outer(A[0], A[0])
    elif kind == "minus rank one":
        H = -np.outer(A[0], A[0])
    elif kind == "diagonal":
        H = np.diag(A[0])
    elif kind == "repeated":
        H = (Q * rng.choice([-1.0, 2.0], dim)) @ Q.T
    elif kind == "identity":
        H = 1.5 * np.eye(dim)
    elif kind == "minus identity":
        H = -0.5 * np.eye(dim)
    elif kind == "integers":
        H = np.round(A + A.T)
    elif kind == "sparse":
        H = (A + A.T) * (np.abs(A * A.T) > 0.5)
    else:
        H = np.zeros((dim, dim))
    return 0.5 * (H + H.T)


#: Norms and the kinds of Hessians that must be solved in them ("all" or some).
P4 = np.array([[2.0, 0.3, 0, 0], [0.3, 1, 0.2, 0], [0, 0.2, 3, 0], [0, 0, 0, 0.5]])
EVERYWHERE = {"negative", "rank one", "minus rank one", "diagonal", "minus identity", "zero"}
CONVEX = EVERYWHERE | {"definite", "semidefinite", "identity"}
NORMS = [
    (L2(), 4, "all"),
    (Mahalanobis([1.0, 2.0, 4.0]), 3, "all"),
    (Mahalanobis(P4), 4, "all"),
    (L1(), 4, "all"),
    (Linf(), 4, "all"),
    (Lp(3.0), 3, EVERYWHERE - {"negative"}),
    (Lp(1.5), 3, EVERYWHERE - {"negative"}),
    (BlockSum([[0, 2], [1, 3, 4]]), 5, CONVEX - {"negative"} | {"negative"}),
    (BlockMax([[0, 3], [1, 2]]), 4, "all"),
    (BlockMax([[4], [1, 2], [3, 0]]), 5, EVERYWHERE | {"identity"}),
    (Spectral([(2, 2)]), 4, CONVEX),
    (Spectral([(2, 3)]), 6, EVERYWHERE - {"negative"} | {"identity"}),
    (Spectral([(2, 2), (2,)], radii=[1.0, 0.5]), 6, EVERYWHERE - {"negative"} | {"identity"}),
    (Spectral([(1, 3), (2, 1)], radii=[2.0, 0.5]), 5, "all"),
    (Nuclear((2, 2)), 4, "all"),
    (Nuclear((3, 2)), 6, EVERYWHERE - {"negative"} | {"identity"}),
    (MaxProduct([(Linf(), 2), (L2(), 2)], radii=[2.0, 0.7]), 4, EVERYWHERE | {"identity"}),
    (SumProduct([(L1(), 2), (Linf(), 2)]), 4, CONVEX - {"negative"}),
    (L2Product([(Linf(), 2), (L1(), 2)]), 4, EVERYWHERE - {"negative"} | {"identity"}),
    (L2Product([Mahalanobis([1.0, 3.0]), (L2(), 2)]), 4, "all"),
]


def searched(norm, hessians, rng, chains=40, steps=120):
    """The largest dᵀHd/‖d‖² that chains of random moves find: a lower bound of S for every Hessian.

    Half of the chains start from LMOs of random vectors; moves are in all coordinates or in one, and shrink.
    """
    H = np.stack(hessians)
    count, dim = len(H), H.shape[-1]
    d = rng.standard_normal((count, chains, dim))
    d[:, ::2] = norm.lmo(d[:, ::2])

    def value(d):
        return np.einsum("kci,kij,kcj->kc", d, H, d) / norm.norm(d) ** 2

    d /= norm.norm(d)[..., None]
    best = value(d)
    for step in range(steps):
        size = 10 ** rng.uniform(-5 * step / steps - 0.5, 0, (count, chains, 1))
        move = size * rng.standard_normal(d.shape)
        if step % 2:
            move *= rng.permuted(np.eye(dim)[rng.integers(dim, size=(count, chains))], axis=-1)
        near = d + move
        near /= norm.norm(near)[..., None]
        new = value(near)
        better = new > best
        best = np.where(better, new, best)
        d[better] = near[better]
        if step == steps // 2:  # the worse half goes on from the best
            top = np.take_along_axis(d, best.argmax(axis=1)[:, None, None], axis=1)
            worse = best < np.median(best, axis=1, keepdims=True)
            d = np.where(worse[..., None], top, d)
            best = np.where(worse, best.max(axis=1, keepdims=True), best)
    return best.max(axis=1)
