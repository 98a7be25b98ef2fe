"""Means over batches: over all of them, or over random ones until the error is small enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._check import choice, in_interval, positive_int
from .batches import BatchStream, all_batches, number_of_batches
from .point import Forms, Point

ZERO_GRADIENT = ("zero", "skip", "error")
#: Batches, and multiplications in all, up to which "auto" looks at all of them.
_FEW, _CHEAP = 200_000, 2e9
#: Batches that "all" accepts at most.
_MOST = 5_000_000
#: What "auto" aims at.
_RTOL = 0.005
#: Batches before Monte Carlo looks at its error for the first time, and the most it grows by between two looks: few
#: batches may miss a sample that carries the mean.
_FIRST, _GROWTH = 1000, 4.0


@dataclass(frozen=True)
class Plan:
    """Which batches to look at.

    Args:
        size: b.
        replacement: Whether a sample may occur several times.
        batches: "auto", "all", or a number of random batches (with an rtol: at most that many).
        rtol: Relative standard error at which Monte Carlo stops; by default 0.005 for "auto", else none.
        confidence: Probability of intervals.
        zero_gradient: "zero", "skip" or "error".
        seed: Seed of the random batches.
    """

    size: int
    replacement: bool
    batches: str | int
    rtol: float | None
    confidence: float
    zero_gradient: str
    seed: int

    def __post_init__(self) -> None:
        if isinstance(self.batches, str):
            choice("batches", self.batches, ("auto", "all"))
        else:
            positive_int("batches", self.batches, minimum=2)
        if self.rtol is not None:
            one_number("rtol", in_interval("rtol", self.rtol, 0, 1, open_low=True, open_high=True))
        one_number("confidence", in_interval("confidence", self.confidence, 0, 1, open_low=True, open_high=True))
        choice("zero_gradient", self.zero_gradient, ZERO_GRADIENT)
        positive_int("seed", self.seed, minimum=0)

    def looks_at_all(self, point: Point, cost: float) -> bool:
        """Whether every batch is looked at.

        Raises:
            ValueError: If all of them are asked for and they are too many.
        """
        count = number_of_batches(point.n_samples, self.size, self.replacement)
        if self.batches == "all" and count > _MOST:
            raise ValueError(
                f'batches="all" would look at {_count(count)} batches, more than {_MOST}; '
                'use "auto" or a number of random batches'
            )
        few = count <= point.n_samples or (count <= _FEW and count * cost <= _CHEAP)
        return self.batches == "all" or (self.batches == "auto" and few)


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error and the number of terms behind it."""

    value: float
    error: float
    terms: int


@dataclass(frozen=True)
class Seen:
    """The batches that were looked at, and what came out.

    Attributes:
        forms: Numerators, denominators and which of these are zero.
        weights: Probabilities; None for random batches.
        estimate: What follows from them.
    """

    forms: Forms
    weights: np.ndarray | None
    estimate: Estimate

    @property
    def zero_share(self) -> float:
        """Probability of a zero denominator."""
        zero = self.forms.zero
        return float(zero.mean() if self.weights is None else self.weights[zero].sum())

    @property
    def shares(self) -> np.ndarray:
        """Probabilities, equal ones for random batches."""
        count = len(self.forms.zero)
        return np.full(count, 1 / count) if self.weights is None else self.weights

    def words(self, confidence: float) -> dict[str, Any]:
        """Return the fields of a `Measurement`."""
        found, exact = self.estimate, self.weights is not None
        half = 0.0
        if not exact and found.error:
            from scipy.stats import t

            half = float(t.ppf(0.5 + confidence / 2, found.terms - 1)) * found.error if found.terms > 1 else np.inf
        return {
            "value": found.value,
            "error": found.error,
            "interval": (found.value - half, found.value + half),
            "confidence": float(confidence),
            "batches": len(self.forms.zero),
            "exact": exact,
            "zero_gradients": int(self.forms.zero.sum()),
            "zero_share": self.zero_share,
        }


def look(
    point: Point,
    plan: Plan,
    forms: Callable[[np.ndarray], Forms],
    summary: Callable[[Forms, np.ndarray | None], Estimate],
    cost: float,
) -> Seen:
    """Look at batches by the plan; Monte Carlo stops when the error of the summary is small enough.

    Batches without any spread say nothing about their error: they are no reason to stop.
    """
    sizes = (point.n_samples, plan.size, plan.replacement)
    if plan.looks_at_all(point, cost):
        parts, weights = zip(*((forms(some), w) for some, w in all_batches(*sizes)), strict=True)
        seen, shares = _joined(list(parts)), np.concatenate(weights)
        return Seen(seen, shares, summary(seen, shares))
    stream = BatchStream(*sizes, plan.seed)
    auto = isinstance(plan.batches, str)
    limit = point.patience if auto else int(plan.batches)
    rtol = _RTOL if auto and plan.rtol is None else plan.rtol
    drawn, wanted = 0, limit if rtol is None else min(_FIRST, limit)
    kept: list[Forms] = []
    while True:
        while drawn < wanted:
            some = min(wanted - drawn, max(1, (1 << 20) // plan.size))
            kept.append(forms(stream.draw(some)))
            drawn += some
        seen = _joined(kept)
        found = summary(seen, None)
        target = 0.0 if rtol is None else rtol * abs(found.value)
        if drawn >= limit or rtol is None or 0 < found.error <= target:
            return Seen(seen, None, found)
        growth = (found.error / target) ** 2 if target else np.inf
        wanted = min(limit, int(np.ceil(drawn * min(max(1.05 * growth, 1.1), _GROWTH))))


def mean_of_ratios(forms: Forms, weights: np.ndarray | None, zero_gradient: str) -> Estimate:
    """Return the mean of numerator/denominator, with the standard error sd/√N for random batches.

    Zero denominators give 0 ("zero"), are left out ("skip"), or raise.

    Raises:
        ValueError: If a zero denominator is an error, or nothing else is left.
    """
    _refuse_zeros(forms.zero, zero_gradient)
    ratios = forms.numerator / np.where(forms.zero, 1.0, forms.denominator)
    if zero_gradient == "skip":
        kept = ~forms.zero
        if not kept.any():
            raise ValueError(f"all {len(kept)} batches have zero gradient: zero_gradient='skip' leaves none")
        ratios = ratios[kept]
        weights = None if weights is None else weights[kept]
    else:
        ratios = np.where(forms.zero, 0.0, ratios)
    if weights is not None:
        return Estimate(float((weights * ratios).sum() / weights.sum()), 0.0, len(ratios))
    count = len(ratios)
    error = float(ratios.std(ddof=1)) / count**0.5 if count > 1 else np.inf
    return Estimate(float(ratios.mean()), error, count)


def ratio_of_means(forms: Forms, weights: np.ndarray | None, zero_gradient: str) -> Estimate:
    """Return mean numerator a over mean denominator c, with the error of the delta method for random batches.

    SE² = (1/N)(s_aa/c² - 2 s_ac a/c³ + s_cc a²/c⁴) with sample covariances. Zero gradients add nothing to either mean;
    the ratio is 0 if all are zero.

    Raises:
        ValueError: If a zero denominator is an error, or nothing else is left.
    """
    _refuse_zeros(forms.zero, zero_gradient)
    if forms.zero.all():
        if zero_gradient == "skip":
            raise ValueError(f"all {len(forms.zero)} batches have zero gradient: zero_gradient='skip' leaves none")
        return Estimate(0.0, 0.0, len(forms.zero))
    if weights is not None:
        return Estimate(float((weights @ forms.numerator) / (weights @ forms.denominator)), 0.0, len(weights))
    count, low = len(forms.numerator), forms.denominator.mean()
    ratio = float(forms.numerator.mean() / low)
    rest = forms.numerator - ratio * forms.denominator  # its variance over c² is SE² N
    error = float(np.sqrt((rest * rest).sum() / (count - 1) / count) / abs(low)) if count > 1 else np.inf
    return Estimate(ratio, error, count)


def one_number(name: str, array: np.ndarray) -> float:
    """Return the number in a 0-d array.

    Raises:
        ValueError: If the array has an axis.
    """
    if array.ndim:
        raise ValueError(f"{name} must be a single number, got shape {array.shape}")
    return float(array)


def _refuse_zeros(zero: np.ndarray, zero_gradient: str) -> None:
    if zero_gradient == "error" and zero.any():
        raise ValueError(
            f"{int(zero.sum())} of {len(zero)} batches have zero gradient, where the ratio is 0/0; "
            "zero_gradient='zero' counts it as 0, 'skip' leaves it out"
        )


def _joined(parts: list[Forms]) -> Forms:
    names = ("numerator", "denominator", "zero")
    return Forms(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _count(number: int) -> str:
    return str(number) if number < 10**12 else f"about 10^{len(str(number)) - 1}"
