"""Truth and noise from the targets alone, where nobody knows them: what real data are studied with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems import Regression
from .truth import checked_problem, checked_variance


@dataclass(frozen=True, eq=False)
class EstimatedTruth:
    """An estimated truth to put in the place of the unknown one.

    Attributes:
        w_star: Parameters, shape (dim,).
        noise_variance: sigma^2.
        how: How both were had, in words.
    """

    w_star: np.ndarray
    noise_variance: float
    how: str


def estimate_truth(problem: Regression, *, noise_variance: Any = None) -> EstimatedTruth:
    """Return truth and noise estimated from the targets of a problem.

    Noise: the residual of the least-squares solution, sigma^2 = |y - U U^T y|^2 / (n - r), unbiased when the model is
    right; one less than n - r where features and targets are centred, which fits a mean. Truth: the least-squares
    coefficient of each mode, shrunk to the energy that the noise does not explain,
    (u^T y) sqrt(max(0, 1 - sigma^2 / (u^T y)^2)) / s, since E (u^T y)^2 = (s b)^2 + sigma^2 (derived).

    Args:
        problem: The problem with its targets.
        noise_variance: sigma^2, where it is known.

    Raises:
        ValueError: if sigma^2 is not given and the features fit the targets exactly (n = r), so that no residual is
            left.
    """
    checked_problem(problem)
    modes = problem.modes
    inside = modes.samples.T @ problem.y
    if noise_variance is not None:
        variance = checked_variance(problem, noise_variance)
        how = f"noise variance {variance:.4g} as given"
    else:
        free = problem.n_samples - problem.rank - _centred(problem)
        if free < 1:
            raise ValueError(
                f"noise_variance cannot be estimated: {problem.rank} modes fit {problem.n_samples} samples exactly, no "
                "residual is left; give noise_variance"
            )
        variance = float(np.sum((problem.y - modes.samples @ inside) ** 2)) / free
        how = f"noise variance {variance:.4g} from the least-squares residual, {free} degrees of freedom"
    energy = np.maximum(inside**2 - variance, 0.0)
    coefficients = np.sign(inside) * np.sqrt(energy) / modes.singular
    kept = int(np.count_nonzero(energy))
    how += (
        f"; truth from the least-squares coefficients of {kept} of {modes.curvature.size} modes, less the noise in them"
    )
    return EstimatedTruth(modes.coordinates @ coefficients, variance, how)


def _centred(problem: Regression) -> bool:
    """Whether features and targets have mean zero over the samples: noise then lives in n - 1 dimensions."""
    samples, y = problem.modes.samples, problem.y
    small = 1e-9 * np.sqrt(problem.n_samples)
    return bool(np.all(np.abs(samples.sum(axis=0)) <= small) and abs(y.sum()) <= small * np.linalg.norm(y))
