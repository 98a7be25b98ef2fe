"""The norms that every property is tested on, with the length of their vectors."""

import numpy as np
import pytest

from eossim.norms import (
    L1,
    L2,
    BlockMax,
    BlockSum,
    Frobenius,
    L2Product,
    Linf,
    Lp,
    Mahalanobis,
    MaxProduct,
    Norm,
    Nuclear,
    Spectral,
    SumProduct,
)

BLOCKS = [[4, 0], [2], [5, 1, 3]]
P = np.array([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])
NORMS: list[tuple[Norm, int]] = [
    (L2(), 5),
    (Frobenius(), 4),
    (L1(), 5),
    (Linf(), 5),
    (Lp(1), 4),
    (Lp(1.01), 4),
    (Lp(1.5), 4),
    (Lp(3), 4),
    (Lp(40), 4),
    (Lp(np.inf), 4),
    (Mahalanobis([1.0, 2.0, 4.0]), 3),
    (Mahalanobis(P), 4),
    (BlockSum(BLOCKS), 6),
    (BlockMax(BLOCKS), 6),
    (Spectral((2, 2)), 4),
    (Spectral((3, 4)), 12),
    (Spectral((5,)), 5),
    (Spectral([(2, 2), (4, 3), (3,)], radii=[1.0, 0.5, 3.0]), 19),
    (Nuclear((2, 2)), 4),
    (Nuclear((4, 3)), 12),
    (MaxProduct([(Linf(), 3), Nuclear((2, 2))], radii=[2.0, 0.25]), 7),
    (SumProduct([(L1(), 2), Spectral((2, 3)), (L2(), 2)]), 10),
    (L2Product([(Linf(), 2), Spectral((3, 2)), (Lp(3), 3)]), 11),
]
each_norm = pytest.mark.parametrize(("norm", "dim"), NORMS, ids=[norm.name for norm, _ in NORMS])
