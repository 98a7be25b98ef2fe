"""The smallest positive root of many functions at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

#: Part of the target below which the search starts.
_START = 1 / 16
_HALVINGS, _DOUBLINGS, _REFINEMENTS = 100, 40, 120


def first_root(ratio: Callable[[np.ndarray], np.ndarray], target: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return the smallest eta > 0 with ratio(eta) = target, one per entry of `target`, up to rounding.

    `ratio` is continuous with ratio(0) = 0. The search goes from `start` down to a step where it is below a sixteenth
    of the target, doubles that until the target is reached, at most 40 times, and closes in by regula falsi (Illinois),
    halving where that is slow. What is not finite counts as beyond the target.

    Args:
        ratio: Function of steps, shape (runs,), to values, shape (runs,).
        target: Positive values to reach, shape (runs,).
        start: Steps to begin with, shape (runs,), of any size.

    Returns:
        The roots; where there is none below the last step tried, that step.
    """
    low = start
    value = ratio(low)
    for _ in range(_HALVINGS):
        above = ~(value <= _START * target)
        if not above.any():
            break
        # ratio is nearly linear where it is small: aim at once, but never by less than a half
        factor = np.clip(0.9 * _START * target / value, 2.0**-20, 0.5)
        low = np.where(above, low * np.where(np.isfinite(factor), factor, 0.5), low)
        value = np.where(above, ratio(low), value)
    high, beyond = low, value
    for _ in range(_DOUBLINGS):
        below = beyond < target
        if not below.any():
            break
        low, value = np.where(below, high, low), np.where(below, beyond, value)
        high = np.where(below, 2 * high, high)
        beyond = np.where(below, ratio(high), beyond)
    return _close_in(ratio, target, low, value - target, high, beyond - target)


def _close_in(
    ratio: Callable[[np.ndarray], np.ndarray],
    target: np.ndarray,
    low: np.ndarray,
    below: np.ndarray,
    high: np.ndarray,
    above: np.ndarray,
) -> np.ndarray:
    """Return roots between `low` and `high`, where ratio - target is `below` < 0 and `above` >= 0 or not finite."""
    eps = np.finfo(float).eps
    root = high
    done = (above <= 4 * eps * target) | (high <= low)
    moved = np.zeros(target.shape)  # the end that moved last
    widths = [np.inf * high, np.inf * high]  # of the brackets one and two steps ago
    for _ in range(_REFINEMENTS):
        if done.all():
            break
        point = low - below * (high - low) / (above - below)
        middle = low + 0.5 * (high - low)
        slow = high - low > 0.5 * widths[1]  # as at a jump: halve the bracket
        widths = [high - low, widths[0]]
        point = np.where((point > low) & (point < high) & ~slow, point, middle)
        value = ratio(point) - target
        root = np.where(done, root, point)
        up = ~(value < 0)
        # Illinois: an end that stays twice counts half
        below = np.where(done, below, np.where(up, np.where(moved > 0, 0.5 * below, below), value))
        above = np.where(done, above, np.where(up, value, np.where(moved < 0, 0.5 * above, above)))
        high, low = np.where(done | ~up, high, point), np.where(done | up, low, point)
        moved = np.where(up, 1.0, -1.0)
        done |= (np.abs(value) <= 4 * eps * target) | (high - low <= 2 * eps * high)
    return root
