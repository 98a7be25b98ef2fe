"""Sums over the modes of a memoryless method at many steps: the inner loop of a risk curve.

For q = 1 - u in (0, 1) and a sorted list of steps k, powers q^k come from tables of their base-64 digits, one product a
digit. Modes that have hardly moved (k l < 0.01, l = -log q) are summed by their moments; modes that are learned to the
last bit (k l > 354) are counted. What lies between is summed mode by mode. Modes with q <= 0 are few and take the
plain way.
"""

from __future__ import annotations

import math

import numpy as np

from ..._jit import summing
from .filters import rates

_RADIX_BITS = 6
_RADIX = 1 << _RADIX_BITS
_SMALL, _GONE = 0.01, 354.0
_MOMENTS = 10


def curve_sums(u: np.ndarray, weights: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return, for each step, sums over modes of a z^2, b z^2, c y^2 and y, with z = (1 - u)^k and y = 1 - z.

    Args:
        u: 1 - q of each mode, 0 < u <= 2, shape (modes,).
        weights: a, b, c, shape (3, modes), non-negative.
        steps: Increasing step numbers, shape (steps,).

    Returns:
        Shape (4, steps).
    """
    rate, odd = rates(u)
    plain = np.flatnonzero(u < 1)
    plain = plain[np.argsort(rate[plain], kind="stable")]
    rest = np.flatnonzero(u >= 1)
    sums = np.zeros((4, steps.size))
    _plain_sums(rate[plain], np.ascontiguousarray(weights[:, plain]), steps, sums)
    _alternating_sums(rate[rest], odd[rest], np.ascontiguousarray(weights[:, rest]), steps, sums)
    return sums


@summing
def _alternating_sums(
    rate: np.ndarray, odd: np.ndarray, weights: np.ndarray, steps: np.ndarray, sums: np.ndarray
) -> None:
    for p in range(steps.size):
        k = steps[p]
        for i in range(rate.size):
            exponent = -k * rate[i] if k else 0.0
            z, y = math.exp(exponent), -math.expm1(exponent)
            if odd[i] and k & 1:
                z, y = -z, 1.0 + z
            sums[0, p] += weights[0, i] * z * z
            sums[1, p] += weights[1, i] * z * z
            sums[2, p] += weights[2, i] * y * y
            sums[3, p] += y


@summing
def _plain_sums(rate: np.ndarray, weights: np.ndarray, steps: np.ndarray, sums: np.ndarray) -> None:
    """Add the modes 0 < q < 1, slowest first: [0, live) by moments, [live, gone) one by one, [gone, modes) by count."""
    modes = rate.size
    if modes == 0:
        return
    levels = 1
    while levels < 11 and steps[-1] >> (_RADIX_BITS * levels):  # a shift of 64 bits or more is none
        levels += 1
    table = _digit_powers(rate, levels)
    moments, learned = _moments(rate, weights)
    product = np.ones((levels + 1, modes))  # of the powers of the digits from level j up
    live, gone, last = modes, modes, -1
    for p in range(steps.size):
        k = steps[p]
        before = live
        while live > 0 and k * rate[live - 1] >= _SMALL:
            live -= 1
        while gone > 0 and k * rate[gone - 1] > _GONE:
            gone -= 1
        for j in range(levels - 1, 0, -1):
            shift = _RADIX_BITS * j
            if last < 0 or live < before or k >> shift != last >> shift:
                row = table[j, (k >> shift) & (_RADIX - 1), live:gone]
                renewed, higher = product[j, live:gone], product[j + 1, live:gone]
                for i in range(row.size):
                    renewed[i] = higher[i] * row[i]
        last = k
        # slices: an index that might be negative would keep the loop from being vectorised
        row, higher = table[0, k & (_RADIX - 1), live:gone], product[1, live:gone]
        a, b, c = weights[0, live:gone], weights[1, live:gone], weights[2, live:gone]
        s0 = s1 = s2 = s3 = 0.0
        for i in range(row.size):
            z = higher[i] * row[i]
            y = 1.0 - z
            s0 += a[i] * (z * z)
            s1 += b[i] * (z * z)
            s2 += c[i] * (y * y)
            s3 += y
        series = moments[live]
        m0 = m1 = m2 = m3 = 0.0
        for j in range(_MOMENTS - 1, -1, -1):
            m0 = series[j, 0] - k * m0
            m1 = series[j, 1] - k * m1
            m2 = series[j, 2] - k * m2
            m3 = series[j, 3] - k * m3
        sums[0, p] += s0 + m0
        sums[1, p] += s1 + m1
        sums[2, p] += s2 + m2 + learned[gone]
        sums[3, p] += s3 + m3 + (modes - gone)


@summing
def _digit_powers(rate: np.ndarray, levels: int) -> np.ndarray:
    """Return q^(d 64^j), shape (levels, 64, modes)."""
    table = np.empty((levels, _RADIX, rate.size))
    for j in range(levels):
        for i in range(rate.size):
            table[j, 0, i] = 1.0
            table[j, 1, i] = math.exp(-(2.0 ** (_RADIX_BITS * j)) * rate[i])
        for d in range(2, _RADIX):
            for i in range(rate.size):
                table[j, d, i] = table[j, d // 2, i] * table[j, d - d // 2, i]
    return table


@summing
def _moments(rate: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the series in -k of the four sums over the first i modes, and the sum of c over all but the first i.

    With x = k l: z^2 = exp(-2 x), y^2 = 1 - 2 exp(-x) + exp(-2 x), y = 1 - exp(-x).
    """
    moments = np.zeros((rate.size + 1, _MOMENTS, 4))
    learned = np.zeros(rate.size + 1)
    for i in range(rate.size):
        factor, double = 1.0, 1.0  # l^j / j!, 2^j
        for j in range(_MOMENTS):
            moments[i + 1, j, 0] = moments[i, j, 0] + weights[0, i] * factor * double
            moments[i + 1, j, 1] = moments[i, j, 1] + weights[1, i] * factor * double
            if j:
                moments[i + 1, j, 2] = moments[i, j, 2] + weights[2, i] * factor * (double - 2.0)
                moments[i + 1, j, 3] = moments[i, j, 3] - factor
            factor *= rate[i] / (j + 1.0)
            double *= 2.0
    for i in range(rate.size - 1, -1, -1):
        learned[i] = learned[i + 1] + weights[2, i]
    return moments, learned
