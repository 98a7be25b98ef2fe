"""Second and third moments of batch means: factors that depend on n, b and the sampling alone (derived)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from .._check import choice, positive_int

SAMPLINGS = ("without", "with", "gaussian", "poisson")


@dataclass(frozen=True)
class PopulationFactors:
    """How moments of batch means follow from moments of the population.

    With population deviations Δaᵢ = aᵢ - a (or aᵢ itself if not `centered`), E[Δa_B Δb_B] = p ⟨Δaᵢ Δbᵢ⟩ and
    E[Δa_B Δb_B Δc_B] = κ₃ ⟨Δaᵢ Δbᵢ Δcᵢ⟩, where ⟨⟩ is the mean over the samples.

    Attributes:
        p: Factor of second moments.
        kappa_3: Factor of third moments.
        centered: Whether ⟨⟩ holds deviations from the mean; false for Poisson sampling only.
    """

    p: float
    kappa_3: float
    centered: bool = True


def population_factors(n_samples: int, batch_size: int, sampling: str = "without") -> PopulationFactors:
    """Return the factors p and κ₃ of a way to draw batches.

    ============  =================================================  ====================  ===========================
    sampling      batch                                              p                     κ₃
    ============  =================================================  ====================  ===========================
    ``without``   b different samples, uniformly                     (n-b)/(b(n-1))        (n-b)(n-2b)/(b²(n-1)(n-2))
    ``with``      b independent draws                                1/b                   1/b²
    ``gaussian``  weights 1/n + (ξᵢ - ξ̄)/√(nb), ξᵢ ~ N(0, 1)          1/b                   0
    ``poisson``   each sample with q = b/n, sum divided by b         (1-q)/b, uncentred    (1-q)(1-2q)/b², uncentred
    ============  =================================================  ====================  ===========================

    Without replacement p = κ₃ = 0 at b = n, and κ₃ = 0 for n = 2. Factors are rounded once.

    Args:
        n_samples: n.
        batch_size: b >= 1; at most n unless ``with`` or ``gaussian``.
        sampling: One of the four above.

    Raises:
        TypeError: If a number is no integer or the sampling no string.
        ValueError: If a number is out of its domain or the sampling unknown.

    Source: derived (finite-population moments; cumulants of independent weights).
    """
    how = choice("sampling", sampling, SAMPLINGS)
    n = positive_int("n_samples", n_samples)
    b = checked_batch_size(batch_size, n, replacement=how in ("with", "gaussian"))
    if how == "with":
        return PopulationFactors(1 / b, float(Fraction(1, b * b)))
    if how == "gaussian":
        return PopulationFactors(1 / b, 0.0)
    if how == "poisson":
        p, kappa = Fraction(n - b, n * b), Fraction((n - b) * (n - 2 * b), (n * b) ** 2)
        return PopulationFactors(float(p), float(kappa), centered=False)
    if b == n:
        return PopulationFactors(0.0, 0.0)
    p = Fraction(n - b, b * (n - 1))
    return PopulationFactors(float(p), 0.0 if n == 2 else float(p * Fraction(n - 2 * b, b * (n - 2))))


def checked_batch_size(batch_size: int, n_samples: int, *, replacement: bool) -> int:
    """Return b, an integer from 1 to n, or beyond with replacement.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is out of that range.
    """
    b = positive_int("batch_size", batch_size)
    if b > n_samples and not replacement:
        raise ValueError(f"batch_size must be at most the number of samples {n_samples} without replacement, got {b}")
    return b


def checked_flag(name: str, value: bool) -> bool:
    """Return a truth value.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return bool(value)
