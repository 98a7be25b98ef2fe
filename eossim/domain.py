"""Where hyper-parameters and frozen quantities live: one interval each, used for checks, assumptions and sampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._check import in_interval, unknown


@dataclass(frozen=True)
class Interval:
    """An interval of the real line, each end open or closed."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = True
    open_high: bool = True

    def check(self, name: str, value: Any) -> np.ndarray:
        """Return `value` as a float array, or raise ValueError naming the first entry outside the interval."""
        return in_interval(name, value, self.low, self.high, open_low=self.open_low, open_high=self.open_high)

    def describe(self, name: str) -> str:
        """Return the interval as a reader writes it, such as ``0 <= beta < 1``."""
        left = "" if math.isinf(self.low) else f"{self.low:g} {'<' if self.open_low else '<='} "
        right = "" if math.isinf(self.high) else f" {'<' if self.open_high else '<='} {self.high:g}"
        if left and not right:
            return f"{name} {'>' if self.open_low else '>='} {self.low:g}"
        return f"{left}{name}{right}" if left or right else f"{name} real"

    @property
    def is_unit(self) -> bool:
        """Whether the interval is [0, 1] up to its end points."""
        return self.low == 0 and self.high == 1

    def to_json(self) -> list[float | str | bool]:
        """Return the interval as plain data; infinite ends as text."""
        ends = [x if math.isfinite(x) else str(x) for x in (self.low, self.high)]
        return [*ends, self.open_low, self.open_high]

    @classmethod
    def from_json(cls, ends: Sequence[Any]) -> Interval:
        """Return the interval written by `to_json`."""
        return cls(float(ends[0]), float(ends[1]), *ends[2:])

    def sample(self, rng: np.random.Generator, *, wide: bool = False) -> float:
        """Return a random interior value.

        Half lines: log-uniform over [0.02, 50], or [1e-4, 1e4] when `wide`. Bounded intervals: uniform, or when `wide`
        half of the time close to an end.
        """
        if math.isfinite(self.low) and math.isfinite(self.high):
            fraction = rng.uniform(0.02, 0.98)
            if wide and rng.uniform() < 0.5:
                near = 10 ** rng.uniform(-4, -1)
                fraction = near if rng.uniform() < 0.5 else 1 - near
            return float(self.low + (self.high - self.low) * fraction)
        reach = (1e-4, 1e4) if wide else (0.02, 50.0)
        if math.isfinite(self.low):
            return float(self.low + np.exp(rng.uniform(*np.log(reach))))
        return float(rng.normal(scale=10.0 if wide else 1.0))


POSITIVE = Interval(0.0)
NON_NEGATIVE = Interval(0.0, open_low=False)
UNIT_OPEN = Interval(0.0, 1.0, open_low=False)
UNIT_CLOSED = Interval(0.0, 1.0, open_low=False, open_high=False)

#: The names that the whole library shares, with where each may lie.
STANDARD: dict[str, Interval] = {
    "eta": POSITIVE,
    "rho": NON_NEGATIVE,
    "beta": UNIT_OPEN,
    "beta1": UNIT_OPEN,
    "mu": UNIT_OPEN,
    "tau": UNIT_OPEN,
    "nu": UNIT_CLOSED,
    "alpha": Interval(0.0, 1.0, open_high=False),
    "weight": NON_NEGATIVE,
    "weight_decay": NON_NEGATIVE,
    "clip": POSITIVE,
    "grad_norm": POSITIVE,
    "curvature": Interval(),
}


def known(name: str) -> bool:
    """Return whether `name` is a shared one; ``eta_2`` is read as ``eta``."""
    return _stem(name) in STANDARD


def standard(name: str) -> Interval:
    """Return the interval of a shared name; a name of the user's own is positive."""
    return STANDARD.get(_stem(name), POSITIVE)


def _stem(name: str) -> str:
    stem, _, index = name.rpartition("_")
    return stem if index.isdigit() else name


def checked_values(
    what: str,
    intervals: Mapping[str, Interval],
    needs: Sequence[str],
    conditions: Sequence[tuple[str, Callable[..., Any], tuple[str, ...]]],
    values: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Return `values` as arrays inside a domain.

    Args:
        what: What needs them, for messages.
        intervals: Interval of every allowed name.
        needs: Names that must be there; other allowed names may be.
        conditions: ``(text, margin, names)``: the margin of those names must be positive.
        values: What the user gave.

    Raises:
        ValueError: for an unknown or missing name, a value outside its interval, or a violated condition.
    """
    checked = {}
    for name, value in values.items():
        if name not in intervals:
            raise unknown(f"parameter of {what}", name, tuple(intervals))
        checked[name] = intervals[name].check(name, value)
    missing = [name for name in needs if name not in checked]
    if missing:
        raise ValueError(f"{what} needs {', '.join(missing)}; got {', '.join(values) or 'nothing'}")
    for text, margin, names in conditions:
        if np.any(margin(**{n: checked[n] for n in names}) <= 0):
            shown = ", ".join(f"{n}={np.array2string(checked[n], threshold=4, precision=6)}" for n in names)
            raise ValueError(f"{what} exists only where {text}; got {shown}")
    return checked
