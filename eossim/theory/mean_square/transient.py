"""Exact mean and second moment along a run of SGD or heavy ball (derived), step by step or by powers of one matrix."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..moment_step import orbit
from .dynamics import Dynamics
from .packing import DENSE_UP_TO, Packing, written_out

Moments = tuple[np.ndarray, np.ndarray]


def moments(dynamics: Dynamics, deviation: np.ndarray, points: np.ndarray) -> Iterator[Moments]:
    """Yield m (r,) and S (r, r) of the position at each of the increasing steps `points`.

    Args:
        dynamics: The step.
        deviation: Start minus minimizer, at rest, shape (r,).
        points: Step numbers.
    """
    m, S = dynamics.start(deviation)
    size = dynamics.parts * dynamics.samples.rank
    if size * (size + 1) // 2 + size < DENSE_UP_TO:
        yield from _leaps(dynamics, m, S, points)
        return
    done = 0
    for point in points:
        for _ in range(done, point):
            m, S = dynamics.advance_mean(m), dynamics.advance(m, S)
        done = point
        yield m[0], S[0, 0]


def _leaps(dynamics: Dynamics, m: np.ndarray, S: np.ndarray, points: np.ndarray) -> Iterator[Moments]:
    """Yield moments by powers of the matrix that acts on (S, m, 1)."""
    parts, r = m.shape
    packing = Packing(parts * r)

    def vector(m: np.ndarray, S: np.ndarray, unit: float) -> np.ndarray:
        square = S.transpose(0, 2, 1, 3).reshape(parts * r, parts * r)
        return np.concatenate([packing.pack(square), m.ravel(), [unit]])

    def split(state: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        square = packing.unpack(state[: packing.size])
        S = square.reshape(parts, r, parts, r).transpose(0, 2, 1, 3)
        return state[packing.size : -1].reshape(parts, r), S, float(state[-1])

    def step(state: np.ndarray) -> np.ndarray:
        m, S, unit = split(state)
        return vector(dynamics.advance_mean(m), dynamics.advance(m, S, unit), unit)

    begin = vector(m, S, 1.0)
    for state in orbit(written_out(step, len(begin)), begin, points):
        m, S, _ = split(state)
        yield m[0], S[0, 0]
