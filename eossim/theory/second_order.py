"""Second-order regression: where its edge of stability ends."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..formulas import toy
from ._elementwise import inside


def limit(epsilon: ArrayLike) -> np.ndarray:
    """Return the step times kernel T = 2 - ε/2 + O(ε²) at which runs end that start well above T = 2 + 2z (derived).

    For one datum, a model Hessian of the eigenvalues 1 and -ε, and E = 0 (see `maps.second_order`). Leading order, for
    small z and T - 2 - 2z positive, small and well over ε: such runs come to one slow curve and end where it does.
    Nearer to the line T = 2 + 2z they end elsewhere. Cf. arXiv:2210.04860.

    Args:
        epsilon: ε in (0, 1]; the uv model is ε = 1. At ε = 0 the line is invariant and runs end on a 2-cycle.

    Returns:
        Shape of `epsilon`; NaN outside.
    """
    return inside(toy.second_order_limit, lambda epsilon: (epsilon > 0) & (epsilon <= 1), epsilon=epsilon)
