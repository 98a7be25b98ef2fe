"""Passes over orbits, compiled: lost runs, displacements, the range of a quantity and its histogram."""

from __future__ import annotations

import numpy as np

from .._jit import kernel


@kernel
def count(
    points: np.ndarray, rows: np.ndarray, low: float, scale: float, counts: np.ndarray, outside: np.ndarray
) -> None:
    """Add points to the bins of their rows.

    Args:
        points: Finite numbers, shape (times, runs).
        rows: Row of each run, ascending, shape (runs,).
        low: Lower end of the first bin.
        scale: Bins per unit.
        counts: Shape (rows, bins); added to.
        outside: Points of each row in no bin, shape (rows,); added to.
    """
    bins = counts.shape[1]
    for t in range(points.shape[0]):
        for r in range(points.shape[1]):
            at = (points[t, r] - low) * scale
            if at >= 0 and at < bins:
                counts[rows[r], int(at)] += 1
            elif at == bins:  # the upper end belongs to the last bin
                counts[rows[r], bins - 1] += 1
            else:
                outside[rows[r]] += 1


@kernel
def note_lost(states: np.ndarray, bound: float, lost: np.ndarray) -> None:
    """Mark each run with a number of states, shape (times, dim, runs), that is beyond `bound` or not a number."""
    for t in range(states.shape[0]):
        for i in range(states.shape[1]):
            for r in range(states.shape[2]):
                lost[r] |= not abs(states[t, i, r]) <= bound


@kernel
def displacements(window: np.ndarray, moved: np.ndarray) -> None:
    """Write the largest displacement by 1, 2, ... steps from any state of the first half of a window.

    Args:
        window: Finite states, shape (2 reach + 1, dim, runs).
        moved: Shape (reach, runs); row p - 1 is for p steps.
    """
    reach, runs = moved.shape
    for p in range(1, reach + 1):
        for r in range(runs):
            moved[p - 1, r] = 0.0
        for t in range(reach):
            for i in range(window.shape[1]):
                for r in range(runs):
                    moved[p - 1, r] = max(moved[p - 1, r], abs(window[t + p, i, r] - window[t, i, r]))


@kernel
def reach(points: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    """Return the smallest and largest of `ends` and of points, shape (times, runs)."""
    low, high = ends
    for t in range(points.shape[0]):
        for r in range(points.shape[1]):
            low = min(low, points[t, r])
            high = max(high, points[t, r])
    return low, high


def span(points: np.ndarray, ends: tuple[float, float]) -> tuple[float, float]:
    """Return `ends` widened to hold points, shape (times, runs)."""
    return reach(points, ends) if points.size else ends
