"""A number with what it is worth: standard error, interval, batches behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """A mean over mini-batches; ``float(m)`` is its value.

    Attributes:
        value: The quantity.
        error: Its standard error; 0 if exact or if random batches showed no spread, infinite if one batch was left.
        interval: Student-t interval (low, high); the value twice if exact. It covers less often than stated where few
            samples carry the mean (digits, b = 2: 86 % at 500 batches, 93 % at 5000), and slightly less where Monte
            Carlo stops by its own error.
        confidence: Probability that the interval is meant to cover.
        batches: Batches that were looked at, those with zero gradient included; 0 for a closed form.
        exact: Whether every batch was looked at, or none was needed: up to rounding.
        zero_gradients: How many of these batches have a zero gradient, the mean of ratios being 0/0 there. A closed
            form does not count them.
        zero_share: Their share in probability; an estimate unless exact.
    """

    value: float
    error: float = 0.0
    interval: tuple[float, float] = (float("nan"), float("nan"))
    confidence: float = 0.95
    batches: int = 0
    exact: bool = True
    zero_gradients: int = 0
    zero_share: float = 0.0

    def __float__(self) -> float:
        return self.value

    def __repr__(self) -> str:
        words = [f"{self.value:.6g}"]
        if self.exact:
            words[0] += ", exact"
        else:
            low, high = self.interval
            words[0] += f" ± {self.error:.2g}"
            words.append(f"{100 * self.confidence:g} % in [{low:.6g}, {high:.6g}]")
        words.append(f"{self.batches} batch{'es' * (self.batches != 1)}" if self.batches else "closed form")
        if self.zero_gradients:
            words.append(f"{self.zero_gradients} of them with zero gradient")
        words += self._more()
        return f"{type(self).__name__}({', '.join(words)})"

    def _more(self) -> list[str]:
        return []


@dataclass(frozen=True, repr=False)
class MomentumMeasurement(Measurement):
    """A mean of ratios whose denominators can have either sign: its median belongs to it.

    A mean of such ratios need not exist in the limit of many samples, and a Monte Carlo error of it then says little.

    Attributes:
        median: Median of the ratios, by probability (the upper one of two).
        negative_share: Share of batches with a negative denominator, in probability.
    """

    median: float = float("nan")
    negative_share: float = 0.0

    def _more(self) -> list[str]:
        return [f"median {self.median:.6g}", f"{100 * self.negative_share:.3g} % of denominators negative"]


def closed_form(value: float, confidence: float = 0.95) -> Measurement:
    """Return a measurement that no batch was needed for."""
    return Measurement(float(value), 0.0, (float(value), float(value)), confidence)
