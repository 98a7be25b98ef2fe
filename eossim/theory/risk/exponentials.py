"""Real roots of sums of exponentials, all of them: by bounds on intervals, not by a grid.

A sum is f(k) = sum_j c_j exp(-r_j k) (1 - exp(-d_j k)), k > 0; d_j = inf makes a term a plain exponential, and a finite
d_j keeps the difference of two that are close exact. A term is a falling factor times a rising one: its values on [a,
b] lie between those of the factors' ends, which bounds f and f' on the interval. An interval on which the bounds of f
exclude zero holds no root, one on which those of f' do holds at most one; any other is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

#: Relative width at which an interval is given up: a root of even order, or one that rounding hides.
_NARROW = 1e-9
_ROUNDING = 64 * np.finfo(float).eps
#: Numbers that one evaluation at many points may hold.
_PIECE = 1 << 21


@dataclass(frozen=True, eq=False)
class ExponentialSum:
    """f(k) = sum_j c_j exp(-r_j k) (1 - exp(-d_j k)) on k > 0; at k = 0 its limit from the right.

    Attributes:
        coefficients: c, shape (terms,).
        rates: r >= 0, shape (terms,).
        gaps: d > 0, shape (terms,); inf for a plain exponential.
    """

    coefficients: np.ndarray
    rates: np.ndarray
    gaps: np.ndarray

    @classmethod
    def plain(cls, coefficients: np.ndarray, rates: np.ndarray) -> ExponentialSum:
        """Return a sum of plain exponentials."""
        return cls(coefficients, rates, np.full(rates.shape, np.inf))

    def __call__(self, k: float) -> float:
        """Return f(k), k >= 0."""
        return float(self.coefficients @ (_falling(self.rates, k) * _rising(self.gaps, k)))

    @property
    def derivative(self) -> ExponentialSum:
        """f', a sum of the same kind: c d exp(-(r + d) k) and -c r exp(-r k) (1 - exp(-d k))."""
        close = np.isfinite(self.gaps)
        c, r, d = self.coefficients[close], self.rates[close], self.gaps[close]
        return ExponentialSum(
            np.concatenate([-self.coefficients * self.rates, c * d]),
            np.concatenate([self.rates, r + d]),
            np.concatenate([self.gaps, np.full(c.size, np.inf)]),
        )

    def bounds(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a lower and an upper bound of f on each interval [a, b], shape of `a`; rounding included."""
        low, high = np.empty(a.size), np.empty(a.size)
        width = max(1, _PIECE // max(1, self.rates.size))
        up, down = np.maximum(self.coefficients, 0), np.minimum(self.coefficients, 0)
        for first in range(0, a.size, width):
            part = slice(first, first + width)
            left, right = a[part, None], b[part, None]
            least = _falling(self.rates, right) * _rising(self.gaps, left)
            most = _falling(self.rates, left) * _rising(self.gaps, right)
            slack = _ROUNDING * (most @ (up - down))
            low[part] = least @ up + most @ down - slack
            high[part] = most @ up + least @ down + slack
        return low, high

    def slowed(self) -> ExponentialSum:
        """Return f times exp(r_min k): the same roots, and no underflow where they lie."""
        return ExponentialSum(self.coefficients, self.rates - self.rates.min(), self.gaps)

    def settled_after(self) -> float:
        """Return a k beyond which f has no root: the slowest terms outweigh all others from there on.

        With r_min = 0 taken out, C the sum of the slowest coefficients: |C| > sum over the slowest |c| exp(-d k) +
        sum over the others |c| exp(-r k), and the right side falls.
        """
        slow = self.rates <= self.rates.min() * (1 + 1e-13)
        size = np.abs(self.coefficients)
        whole = abs(self.coefficients[slow].sum())
        if whole <= _ROUNDING * size[slow].sum():
            return np.inf
        gaps, rates = self.gaps[slow], self.rates[~slow] - self.rates.min()
        k = 1.0 / max(self.rates.max(), np.finfo(float).tiny)
        while whole <= size[slow] @ _falling(gaps, k) + size[~slow] @ _falling(rates, k) and k < 1e300:
            k *= 2
        return k

    def roots(self) -> np.ndarray:
        """Return every k > 0 at which f changes its sign, increasing.

        Two roots closer than a relative 1e-9, at which f only touches zero, do not count.
        """
        scale = np.abs(self.coefficients).max(initial=0.0)
        kept = np.abs(self.coefficients) > 1e-300 * scale
        if not kept.any():
            return np.empty(0)
        f = ExponentialSum(self.coefficients[kept] / scale, self.rates[kept], self.gaps[kept]).slowed()
        end = f.settled_after()
        if not np.isfinite(end):
            end = 745.0 / max(np.min(f.rates[f.rates > 0], initial=np.inf), 1e-300)
        fastest = max(f.rates.max(), np.max(f.gaps[np.isfinite(f.gaps)], initial=0.0), 1.0 / end)
        return _isolate(f, min(1e-3 / fastest, end / 2), end)


def _falling(rates: np.ndarray, k: float | np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", under="ignore"):
        return np.exp(-rates * k)


def _rising(gaps: np.ndarray, k: float | np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", under="ignore"):
        return np.where(np.isinf(gaps), 1.0, -np.expm1(-gaps * k))


def _isolate(f: ExponentialSum, start: float, end: float) -> np.ndarray:
    """Return the sign changes of f on (0, end]; the first cuts are at geometric points from `start`."""
    slope = f.derivative
    cuts = np.concatenate([[0.0], np.geomspace(start, end, max(2, int(8 * np.log10(end / start)) + 2))])
    a, b = cuts[:-1], cuts[1:]
    single: list[tuple[float, float]] = []
    while a.size:
        low, high = f.bounds(a, b)
        open_ = ~((low > 0) | (high < 0))
        a, b = a[open_], b[open_]
        low, high = slope.bounds(a, b)
        narrow = (b - a <= _NARROW * b) | (b < start * 1e-12)
        done = (low > 0) | (high < 0) | narrow
        single += list(zip(a[done], b[done], strict=True))
        a, b = a[~done], b[~done]
        middle = np.where(a > 0, np.sqrt(a * b), b / 16)
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    found = []
    for left, right in sorted(single):
        first, last = f(left), f(right)
        if first * last < 0:
            found.append(brentq(f, left, right, xtol=1e-300, rtol=8.9e-16, maxiter=500))
        elif last == 0 and first != 0 and f(right * (1 + 1e-9)) * first < 0:
            found.append(right)
    return np.array(found)
