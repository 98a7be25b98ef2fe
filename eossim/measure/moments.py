"""What needs no batch: second and third moments of batch gradients and Hessians in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..problems import FiniteSum
from .factors import checked_flag, population_factors
from .measurement import Measurement, closed_form
from .point import FLOOR, Point, at


def _sampling(replacement: bool) -> str:
    return "with" if checked_flag("replacement", replacement) else "without"


@dataclass(frozen=True)
class GradientMoments:
    """Expectations over batches at a point.

    Attributes:
        own_curvature: E[g_Bᵀ H_B g_B].
        full_curvature: E[g_Bᵀ H g_B], H the full Hessian.
        grad_square: E‖g_B‖².
        full_grad_square: ‖g‖², g the full gradient; 0 if it is zero up to rounding.
        ratio_of_means: RM = E[g_Bᵀ H_B g_B] / E‖g_B‖²; 0 if every gradient vanishes.
        interaction_aware_sharpness: IAS = E[g_Bᵀ H g_B] / E‖g_B‖²; 0 if every gradient vanishes.
        gradient_noise_interaction: GNI = E[g_Bᵀ H g_B] / ‖g‖²; infinite where g alone vanishes, 0 if every gradient
            does.
        vanishes: Whether the gradient of every batch is zero up to rounding.
    """

    own_curvature: float
    full_curvature: float
    grad_square: float
    full_grad_square: float
    ratio_of_means: float
    interaction_aware_sharpness: float
    gradient_noise_interaction: float
    vanishes: bool


def gradient_moments(
    problem: FiniteSum, w: ArrayLike, batch_size: int, *, sampling: str = "without"
) -> GradientMoments:
    """Return expectations of quadratic forms of batch gradients, exact for any loss, point and batch size.

    With Δgᵢ = gᵢ - g, ΔHᵢ = Hᵢ - H, ⟨⟩ the mean over the samples and p, κ₃ of `population_factors`:

    * E‖g_B‖² = ‖g‖² + p ⟨‖Δgᵢ‖²⟩
    * E[g_Bᵀ H g_B] = gᵀ H g + p ⟨Δgᵢᵀ H Δgᵢ⟩
    * E[g_Bᵀ H_B g_B] = gᵀ H g + p ⟨2 gᵀ ΔHᵢ Δgᵢ + Δgᵢᵀ H Δgᵢ⟩ + κ₃ ⟨Δgᵢᵀ ΔHᵢ Δgᵢ⟩

    and for Poisson sampling the same with gᵢ and Hᵢ in place of Δgᵢ and ΔHᵢ. Cost: n gradients, two Hessian products
    per sample, and the full Hessian times n vectors.

    Args:
        problem: A finite sum, as in `batch_sharpness`.
        w: The point, shape (dim,).
        batch_size: b.
        sampling: As in `population_factors`.

    Raises:
        TypeError: If an argument has a wrong type or the problem does not show its samples.
        ValueError: If an argument is out of its domain, or w has a wrong shape or is not finite.

    Source: derived.
    """
    return moments_at(at(problem, w), batch_size, sampling)


def interaction_aware_sharpness(
    problem: FiniteSum, w: ArrayLike, batch_size: int, *, replacement: bool = False
) -> Measurement:
    """Return IAS = E_B[g_Bᵀ H g_B] / E_B‖g_B‖² = tr(H S_b)/tr(S_b) with S_b = E[g_B g_Bᵀ], in closed form.

    The curvature of the full loss along the gradients of batches. It is at most λ_max(H), equal to the other notions at
    b = n, and 0 where every gradient vanishes.

    Args:
        problem: A finite sum, as in `batch_sharpness`.
        w: The point, shape (dim,).
        batch_size: b.
        replacement: Whether a sample may occur several times in a batch.

    Raises:
        TypeError: As `gradient_moments`.
        ValueError: As `gradient_moments`.

    Source: name from Lee and Jang (ICLR 2023); closed form derived.
    """
    return closed_form(moments_at(at(problem, w), batch_size, _sampling(replacement)).interaction_aware_sharpness)


def gradient_noise_interaction(
    problem: FiniteSum, w: ArrayLike, batch_size: int, *, replacement: bool = False
) -> Measurement:
    """Return GNI = E_B[g_Bᵀ H g_B] / ‖g‖², the full gradient below, in closed form.

    GNI = IAS · E‖g_B‖² / ‖g‖². On a quadratic, one step of SGD changes the full loss by -eta ‖g‖² (1 - eta GNI/2) on
    average. At stationarity of SGD with independent batches on a quadratic the ratio of the expectations is 2/eta
    whatever eta is: it tells an oscillation, not an edge. Along a run average numerator and denominator separately
    (`gradient_moments`). It is infinite where the full gradient vanishes (up to rounding) and those of batches do not,
    and 0 where all vanish.

    Args:
        problem: A finite sum, as in `batch_sharpness`.
        w: The point, shape (dim,).
        batch_size: b.
        replacement: Whether a sample may occur several times in a batch.

    Raises:
        TypeError: As `gradient_moments`.
        ValueError: As `gradient_moments`.

    Source: public code of arXiv:2412.20553 (definition); closed form derived.
    """
    return closed_form(moments_at(at(problem, w), batch_size, _sampling(replacement)).gradient_noise_interaction)


def moments_at(point: Point, batch_size: int, sampling: str) -> GradientMoments:
    """Return the moments of `gradient_moments`."""
    factors = population_factors(point.n_samples, batch_size, sampling)
    p, kappa = factors.p, factors.kappa_3
    with np.errstate(over="ignore"):  # of moments that are infinite
        gradients, unit = point.gradients, np.square(np.float64(point.unit))
    g = gradients.mean(axis=0)
    deviations = gradients - g if factors.centered else gradients
    grad_square, noise = g @ g, (deviations * deviations).sum(axis=1).mean()
    size = FLOOR * point.sizes.mean()
    if np.sqrt(grad_square) <= size:
        grad_square = 0.0
    mean_square = grad_square + p * noise
    curved_g = point.full_products(g[None])[0]
    curved = point.full_products(deviations)
    along_g = point.sample_products(g)
    along = point.sample_products(deviations)
    if factors.centered:
        along_g, along = along_g - curved_g, along - curved
    full = (deviations * curved).sum(axis=1).mean()
    mixed = (deviations * along_g).sum(axis=1).mean()
    third = (deviations * along).sum(axis=1).mean()
    start = g @ curved_g
    own, total = start + p * (2 * mixed + full) + kappa * third, start + p * full
    vanishes = bool(np.sqrt(mean_square) <= size)
    pairs = ((own, mean_square), (total, mean_square), (total, grad_square))
    ratios = [0.0 if vanishes else _ratio(*pair) for pair in pairs]
    return GradientMoments(
        own_curvature=float(own * unit),
        full_curvature=float(total * unit),
        grad_square=float(mean_square * unit),
        full_grad_square=float(grad_square * unit),
        ratio_of_means=ratios[0],
        interaction_aware_sharpness=ratios[1],
        gradient_noise_interaction=ratios[2],
        vanishes=vanishes,
    )


def _ratio(numerator: float, denominator: float) -> float:
    """Return the ratio, infinite or 0 over a zero denominator."""
    if denominator:
        return float(numerator / denominator)
    return float(np.copysign(np.inf, numerator)) if numerator else 0.0
