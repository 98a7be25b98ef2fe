"""Real roots of sums of exponentials, all of them: by bounds on intervals, not by a grid.

A sum is f(k) = sum_j c_j exp(-r_j k) (1 - exp(-d_j k)), k > 0; d_j = inf makes a term a plain exponential, and a
finite d_j keeps the difference of two that are close exact. A term is a falling factor times a rising one: on [a, b] it
lies between products of the factors at the ends, which bounds f and f'. An interval on which the bounds of f exclude
zero holds no root, one on which those of f' do holds at most one; any other is cut, until f is zero within rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

#: Relative width at which an interval is cut no further.
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
        return math.fsum(self.coefficients * (_falling(self.rates, k) * _rising(self.gaps, k)))

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
        up, down = np.maximum(self.coefficients, 0), np.minimum(self.coefficients, 0)
        for part in self._pieces(a.size):
            left, right = a[part, None], b[part, None]
            least = _falling(self.rates, right) * _rising(self.gaps, left)
            most = _falling(self.rates, left) * _rising(self.gaps, right)
            slack = _ROUNDING * (most @ (up - down))
            low[part] = least @ up + most @ down - slack
            high[part] = most @ up + least @ down + slack
        return low, high

    def values(self, k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return f at each k, and how far rounding may put it off, shape of `k`."""
        found, slack = np.empty(k.size), np.empty(k.size)
        for part in self._pieces(k.size):
            terms = _falling(self.rates, k[part, None]) * _rising(self.gaps, k[part, None])
            found[part], slack[part] = terms @ self.coefficients, _ROUNDING * (terms @ np.abs(self.coefficients))
        return found, slack

    def _pieces(self, count: int) -> list[slice]:
        width = max(1, _PIECE // max(1, self.rates.size))
        return [slice(first, first + width) for first in range(0, count, width)]

    def slowed(self) -> ExponentialSum:
        """Return f times exp(r_min k): the same roots, and no underflow where they lie."""
        return ExponentialSum(self.coefficients, self.rates - self.rates.min(), self.gaps)

    def tail(self) -> tuple[float, float]:
        """Return a k beyond which f has no root, and its sign there: the slowest term outweighs all others.

        In plain exponentials, equal rates put together, C exp(-r k) is the slowest with a coefficient that is not zero
        by rounding. |C| > sum over the others of |c| exp(-(r' - r) k) holds from some k on: the right side falls.
        """
        close = np.isfinite(self.gaps)
        rates = np.concatenate([self.rates, (self.rates + self.gaps)[close]])
        coefficients = np.concatenate([self.coefficients, -self.coefficients[close]])
        distinct, where = np.unique(rates, return_inverse=True)
        summed = np.bincount(where, coefficients, distinct.size)
        size = np.bincount(where, np.abs(coefficients), distinct.size)
        kept = np.flatnonzero(np.abs(summed) > _ROUNDING * size)
        if kept.size == 0:
            limit = self.coefficients[close] * self.gaps[close]  # pairs closer than rounding: c d k exp(-r k)
            return ExponentialSum.plain(limit, self.rates[close]).tail() if limit.any() else (0.0, 0.0)
        first, others = kept[0], kept[1:]
        gaps = distinct[others] - distinct[first]
        k = 1.0 / max(distinct[-1], np.finfo(float).tiny)
        while abs(summed[first]) <= np.abs(summed[others]) @ _falling(gaps, k) and k < 1e300:
            k *= 2
        return k, float(np.sign(summed[first]))

    def roots(self) -> np.ndarray:
        """Return every k > 0 at which f changes its sign, increasing.

        Where f is zero within rounding over a stretch (a root of even order, several close ones), the stretch counts as
        one root if the signs before and after it differ, as none if they do not.
        """
        scale = np.abs(self.coefficients).max(initial=0.0)
        kept = np.abs(self.coefficients) > 1e-300 * scale
        if not kept.any():
            return np.empty(0)
        f = ExponentialSum(self.coefficients[kept] / scale, self.rates[kept], self.gaps[kept])
        end, sign = f.tail()
        return _sign_changes(f.slowed(), end, sign) if sign else np.empty(0)


def _falling(rates: np.ndarray, k: float | np.ndarray) -> np.ndarray:
    with np.errstate(under="ignore", over="ignore"):
        return np.exp(-rates * k)


def _rising(gaps: np.ndarray, k: float | np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", under="ignore", over="ignore"):
        return np.where(np.isinf(gaps), 1.0, -np.expm1(-gaps * k))


def _sign_changes(f: ExponentialSum, end: float, last: float) -> np.ndarray:
    """Return the sign changes of f on (0, end]; `last` is its sign beyond."""
    points = _resolved(f, end)
    values, slack = f.values(points)
    signs = np.where(np.abs(values) > slack, np.sign(values), 0.0)
    points, signs = np.append(points, 2 * end), np.append(signs, last)
    known = np.flatnonzero(signs)
    changes = np.flatnonzero(np.diff(signs[known]))
    found = []
    for i in changes:
        a, b = points[known[i]], points[known[i + 1]]
        if np.sign(f(a)) * np.sign(f(b)) < 0:  # the product of values underflows
            found.append(brentq(f, a, b, xtol=1e-300, rtol=8.9e-16, maxiter=500))
    return np.array(found)


def _resolved(f: ExponentialSum, end: float) -> np.ndarray:
    """Return increasing points from 0 to `end` between which f has no root, or one, or is zero within rounding.

    The first cuts are geometric, down to where the fastest term has hardly begun.
    """
    slope = f.derivative
    fastest = max(f.rates.max(), np.max(f.gaps[np.isfinite(f.gaps)], initial=0.0), 1.0 / end)
    start = min(1e-3 / fastest, end / 2)
    cuts = np.concatenate([[0.0], np.geomspace(start, end, max(2, int(8 * np.log10(end / start)) + 2))])
    points = [cuts]
    a, b = cuts[:-1], cuts[1:]
    while a.size:
        low, high = f.bounds(a, b)
        open_ = ~((low > 0) | (high < 0))
        a, b = a[open_], b[open_]
        low, high = slope.bounds(a, b)
        middle = np.where(a > 0, np.sqrt(a) * np.sqrt(b), b / 16)
        value, slack = f.values(middle)
        reach = np.maximum(b - middle, middle - a) * np.maximum(np.abs(low), np.abs(high))
        clear = np.abs(value) > reach + slack  # by the mean value theorem
        flat = np.abs(value) + reach <= 4 * slack
        narrow = (b - a <= _NARROW * b) | (b < start * 1e-12)
        done = (low > 0) | (high < 0) | clear | flat | narrow
        a, b, middle = a[~done], b[~done], middle[~done]
        points.append(middle)
        a, b = np.concatenate([a, middle]), np.concatenate([middle, b])
    return np.unique(np.concatenate(points))
