"""The largest curvature of mini-batches in any direction."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import ThreadpoolController

from ..problems import FiniteSum
from .estimate import Plan, look, mean_of_ratios
from .factors import checked_batch_size, checked_flag
from .measurement import Measurement
from .point import Forms, at


def expected_batch_lambda_max(
    problem: FiniteSum,
    w: ArrayLike,
    batch_size: int,
    *,
    replacement: bool = False,
    batches: str | int = "auto",
    rtol: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Measurement:
    """Return E_B[λ_max(H_B)], λ_max the largest algebraic eigenvalue of the Hessian of a batch.

    It is at least λ_max(H) (Jensen), at least the batch sharpness, and equal to both tr H and the batch sharpness for
    b = 1 on scalar regression without zero residuals. For least squares, λ_max(H_B) comes from the smaller of the Gram
    matrix of the batch and its second-moment matrix. The 2024 version of arXiv:2412.20553 put this at 2/eta; later
    versions the batch sharpness.

    Args:
        problem: As in `batch_sharpness`, and so are all that follow.
        w: The point, shape (dim,).
        batch_size: b.
        replacement: Whether a sample may occur several times in a batch.
        batches: ``"auto"``, ``"all"`` or a number.
        rtol: Relative standard error to stop at.
        confidence: Probability of the interval.
        seed: Seed of the random batches; the same batches as in `batch_sharpness`.

    Raises:
        TypeError: As in `batch_sharpness`.
        ValueError: As in `batch_sharpness`.

    Source: arXiv:2412.20553.
    """
    point = at(problem, w)
    again = checked_flag("replacement", replacement)
    size = checked_batch_size(batch_size, point.n_samples, replacement=again)
    plan = Plan(size, again, batches, rtol, confidence, "zero", seed)

    def forms(some: np.ndarray) -> Forms:
        lam = point.lambda_max(some)
        return Forms(lam, np.ones(len(lam)), np.zeros(len(lam), dtype=bool))

    order = min(size, point.dim)
    cost = point.cost(size) * order + 20.0 * order**3
    with _pools().limit(limits=1, user_api="blas"):  # matrices too small for threads
        seen = look(point, plan, forms, partial(mean_of_ratios, zero_gradient="zero"), cost)
    return Measurement(**seen.words(plan.confidence))


@cache
def _pools() -> ThreadpoolController:
    """Return the thread pools of NumPy and SciPy; finding them takes a millisecond."""
    import scipy.linalg  # noqa: F401

    return ThreadpoolController()
