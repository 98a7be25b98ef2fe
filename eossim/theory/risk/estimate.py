"""Truth and noise from the targets alone, where nobody knows them: what real data are studied with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._check import finite_array
from ...problems import Regression
from .truth import centred, checked_problem, checked_variance


@dataclass(frozen=True, eq=False)
class EstimatedTruth:
    """An estimated truth to put in the place of the unknown one.

    Attributes:
        w_star: Parameters, shape (dim,).
        noise_variance: sigma^2.
        given: sigma^2 where it was given, else None.
        how: How both were had, in words.
    """

    w_star: np.ndarray
    noise_variance: float
    given: float | None
    how: str


def estimate_truth(problem: Regression, *, noise_variance: Any = None, y: Any = None) -> EstimatedTruth:
    """Return truth and noise estimated from the targets of a problem.

    Noise: the residual of the least-squares solution, sigma^2 = |y - U U^T y|^2 / (n - r), unbiased when the model is
    right; one less than n - r where features and targets are centred, which fits a mean. Truth: the least-squares
    coefficient of each mode, shrunk to the energy that the noise does not explain,
    (u^T y) sqrt(max(0, 1 - sigma^2 / (u^T y)^2)) / s, since E (u^T y)^2 = (s b)^2 + sigma^2 (derived). Cutting at zero
    leaves some signal where there is none: 0.48 sigma^2 of energy on average in a mode without signal.

    Args:
        problem: The problem with its targets.
        noise_variance: sigma^2, where it is known.
        y: Targets instead of those of the problem, shape (n,).

    Raises:
        ValueError: if sigma^2 is not given and the features fit the targets exactly (n = r), so that no residual is
            left.
    """
    checked_problem(problem)
    modes = problem.modes
    targets = problem.y if y is None else finite_array("y", y, shape=(problem.n_samples,), dtype=np.float64)
    inside = modes.samples.T @ targets
    given = None
    if noise_variance is not None:
        given = variance = checked_variance(problem, noise_variance)
        how = f"noise variance {variance:.4g} as given"
    else:
        free = problem.n_samples - problem.rank - centred(problem, targets)
        if free < 1:
            raise ValueError(
                f"noise_variance cannot be estimated: {problem.rank} modes fit {problem.n_samples} samples exactly, no "
                "residual is left; give noise_variance"
            )
        variance = float(np.sum((targets - modes.samples @ inside) ** 2)) / free
        how = f"noise variance {variance:.4g} from the least-squares residual, {free} degrees of freedom"
    energy = np.maximum(inside**2 - variance, 0.0)
    coefficients = np.sign(inside) * np.sqrt(energy) / modes.singular
    kept = int(np.count_nonzero(energy))
    how += (
        f"; truth from the least-squares coefficients of {kept} of {modes.curvature.size} modes, less the noise in them"
    )
    return EstimatedTruth(modes.coordinates @ coefficients, variance, given, how)
