"""Curvature of mini-batches along their own steps."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, finite_array, in_interval
from ..problems import FiniteSum
from .estimate import Plan, look, mean_of_ratios, one_number, ratio_of_means
from .factors import checked_batch_size, checked_flag
from .measurement import Measurement, MomentumMeasurement, closed_form
from .moments import moments_at
from .point import Point, at

ESTIMATORS = ("mean_of_ratios", "ratio_of_means")


def batch_sharpness(
    problem: FiniteSum,
    w: ArrayLike,
    batch_size: int,
    *,
    replacement: bool = False,
    estimator: str = "mean_of_ratios",
    batches: str | int = "auto",
    rtol: float | None = None,
    confidence: float = 0.95,
    zero_gradient: str = "zero",
    seed: int = 0,
) -> Measurement:
    """Return the expected curvature of mini-batches along their own gradients.

    With g_B and H_B the gradient and Hessian of a batch B of b samples and r_B = g_Bᵀ H_B g_B / ‖g_B‖²:

    * ``"mean_of_ratios"``: BS = E_B[r_B], the batch sharpness of arXiv:2412.20553. It has no closed form.
    * ``"ratio_of_means"``: RM = E_B[g_Bᵀ H_B g_B] / E_B‖g_B‖², another quantity, on either side of BS; the first public
      code of that paper computed this one. Its closed form (see `gradient_moments`) holds for every b and loss.

    For every symmetric H_B, BS <= E_B[λ_max(H_B)] (unless zero gradients count as 0 beside negative λ_max), and BS = RM
    at b = n. On a quadratic, eta RM <= 2 exactly if the loss of a batch does not grow on average in the step along its
    own gradient. eta BS > 2 says that one step enlarges the gradient of its own batch on average. Neither decides
    whether a run converges: on quadratics the critical step of mean-square stability does.

    Args:
        problem: A finite sum: ``LeastSquares``, ``KernelRegression``, ``QuadraticSum``, or anything with ``dim``,
            ``n_samples``, ``sample_gradients`` and ``sample_hvp``.
        w: The point, shape (dim,).
        batch_size: b, from 1 to n (beyond n with replacement only).
        replacement: Whether a sample may occur several times in a batch.
        estimator: One of the two above.
        batches: ``"auto"``: the closed form where there is one; else all batches if they are at most 200 000 cheap ones
            or at most n; else random ones. ``"all"``: all batches, C(n, b) subsets or C(n+b-1, b) multisets with their
            probabilities. A number: that many random batches, or at most that many if `rtol` is given.
        rtol: Stop when the standard error of the value is below this part of it: looks after 64 batches, and after at
            most four times as many each. By default 0.005 with ``"auto"`` (at most 100 000 random batches, 1000 for a
            problem with many parameters); with a number of batches none.
        confidence: Probability of the Student-t interval.
        zero_gradient: Where g_B = 0 the ratio is 0/0. ``"zero"`` counts it as 0, ``"skip"`` leaves the batch out,
            ``"error"`` raises; they give different means of ratios. The ratio of means takes no harm from such a batch
            and is 0 if all gradients vanish. In floats, g_B counts as zero if ‖g_B‖ is at most 1e-12 of what its terms
            would give without cancellation (for regression: those inside a residual included).
        seed: Seed of the random batches, in a stream that no run of training has.

    Returns:
        The value with its standard error, interval, number of batches and how many of them had a zero gradient.

    Raises:
        TypeError: If an argument has a wrong type or the problem does not show its samples.
        ValueError: If an argument is out of its domain, w has a wrong shape or is not finite, all batches are asked
            for and are more than 5 000 000, or a zero gradient is met that is an error.

    Source: arXiv:2412.20553 (definition); exact evaluation and errors derived.
    """
    ratio_first = choice("estimator", estimator, ESTIMATORS) == "mean_of_ratios"
    point = at(problem, w)
    plan = _plan(point, batch_size, replacement, batches, rtol, confidence, zero_gradient, seed)
    if not ratio_first and plan.batches == "auto":
        moments = moments_at(point, plan.size, "with" if plan.replacement else "without")
        if zero_gradient != "zero" and moments.vanishes:
            raise ValueError("every batch has zero gradient: the ratio of means is 0/0")
        return closed_form(moments.ratio_of_means, confidence)
    summary = partial(mean_of_ratios if ratio_first else ratio_of_means, zero_gradient=plan.zero_gradient)
    seen = look(point, plan, point.forms, summary, point.cost(plan.size))
    return Measurement(**seen.words(plan.confidence))


def momentum_batch_sharpness(
    problem: FiniteSum,
    w: ArrayLike,
    velocity: ArrayLike,
    beta: float,
    batch_size: int,
    *,
    replacement: bool = False,
    batches: str | int = "auto",
    rtol: float | None = None,
    confidence: float = 0.95,
    zero_gradient: str = "zero",
    seed: int = 0,
) -> MomentumMeasurement:
    """Return the expected curvature of mini-batches along the step of heavy ball.

    E_B[sᵀ H_B s / (sᵀ g_B)] with s = beta v + g_B, the step being w' = w - eta s. It is `batch_sharpness` for v = 0 or
    beta = 0, and 2/eta for every beta on a full-batch oscillation w' = -w. Denominators can vanish (counted as zero
    gradients, by the rule of `batch_sharpness`) or be negative, so the median and the share of negative ones come with
    it.

    Args:
        problem: As in `batch_sharpness`.
        w: The point, shape (dim,).
        velocity: v before the step, shape (dim,), in the convention v' = beta v + g_B.
        beta: Momentum, 0 <= beta < 1.
        batch_size: b.
        replacement: As in `batch_sharpness`, and so are all that follow.
        batches: ``"auto"``, ``"all"`` or a number.
        rtol: Relative standard error to stop at.
        confidence: Probability of the interval.
        zero_gradient: What to do where sᵀ g_B = 0.
        seed: Seed of the random batches.

    Raises:
        TypeError: As in `batch_sharpness`.
        ValueError: As in `batch_sharpness`, and for a velocity of a wrong shape or beta out of its domain.

    Source: public code of arXiv:2412.20553 and arXiv:2604.14108 (definition).
    """
    point = at(problem, w)
    plan = _plan(point, batch_size, replacement, batches, rtol, confidence, zero_gradient, seed)
    v = finite_array("velocity", velocity, shape=(point.dim,), dtype=np.float64)
    shift = one_number("beta", in_interval("beta", beta, 0, 1, open_high=True)) * v
    summary = partial(mean_of_ratios, zero_gradient=plan.zero_gradient)
    seen = look(point, plan, partial(point.forms, shift=shift), summary, point.cost(plan.size))
    zero, low = seen.forms.zero, seen.forms.denominator
    ratios = np.where(zero, 0.0, seen.forms.numerator / np.where(zero, 1.0, low))
    kept = ~zero if plan.zero_gradient == "skip" else np.full(len(zero), True)
    return MomentumMeasurement(
        **seen.words(plan.confidence),
        median=_median(ratios[kept], seen.shares[kept]),
        negative_share=float(seen.shares[(low < 0) & ~zero].sum()),
    )


def _plan(
    point: Point,
    batch_size: int,
    replacement: bool,
    batches: str | int,
    rtol: float | None,
    confidence: float,
    zero_gradient: str,
    seed: int,
) -> Plan:
    again = checked_flag("replacement", replacement)
    size = checked_batch_size(batch_size, point.n_samples, replacement=again)
    return Plan(size, again, batches, rtol, confidence, zero_gradient, seed)


def _median(values: np.ndarray, shares: np.ndarray) -> float:
    """Return the upper median of values by probability."""
    order = np.argsort(values)
    below = np.cumsum(shares[order])
    # Rounding of the sums must not decide between the two middle values.
    return float(values[order][min(np.searchsorted(below, below[-1] / 2 * (1 + 1e-12), "right"), len(values) - 1)])
