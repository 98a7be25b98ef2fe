"""All batches of a size with their probabilities, and streams of random ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from .._jit import kernel
from ..engine.streams import below

#: Indices in an array of batches.
_CHUNK = 1 << 20
#: Marks streams of measures, so that a measure with the seed of a run does not see the batches of that run.
_STREAM = 0x6D656173


def number_of_batches(n_samples: int, size: int, replacement: bool) -> int:
    """Return the number of subsets, or of multisets, of that size."""
    return math.comb(n_samples + size - 1, size) if replacement else math.comb(n_samples, size)


def all_batches(n_samples: int, size: int, replacement: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield arrays of batches, shape (some, size), with their probabilities, shape (some,).

    A subset has probability 1/C(n, b), a multiset with multiplicities m_j b!/(Π m_j! n^b).
    """
    samples = range(n_samples)
    draw = itertools.combinations_with_replacement if replacement else itertools.combinations
    rest: Iterator[tuple[int, ...]] = draw(samples, size)
    total = math.comb(n_samples, size)
    while some := list(itertools.islice(rest, max(1, _CHUNK // size))):
        batches = np.array(some, dtype=np.int64)
        yield batches, _multinomial(batches, n_samples) if replacement else np.full(len(batches), 1 / total)


def _multinomial(batches: np.ndarray, n_samples: int) -> np.ndarray:
    """Return b!/(Π m_j! n^b) of sorted multisets: Π_k k/(n run_k), run_k the place of k among its equals."""
    place = np.arange(1.0, batches.shape[1] + 1)
    new = np.ones(batches.shape, dtype=bool)
    new[:, 1:] = batches[:, 1:] != batches[:, :-1]
    run = place - np.maximum.accumulate(np.where(new, place, 0), axis=1) + 1
    return np.exp(np.log(place / (n_samples * run)).sum(axis=1))


class BatchStream:
    """Random batches, the same ones in the same order however many are asked for at a time.

    Args:
        n_samples: n.
        size: b.
        replacement: Whether a sample may occur several times.
        seed: Seed; the stream differs from every stream of training with this seed.
    """

    def __init__(self, n_samples: int, size: int, replacement: bool, seed: int) -> None:
        self._state = np.random.SeedSequence(seed, spawn_key=(_STREAM, 0)).generate_state(4, np.uint64)
        self._order = np.arange(n_samples)
        self._size, self._replacement = size, replacement

    def draw(self, count: int) -> np.ndarray:
        """Return the next batches, shape (count, size)."""
        batches = np.empty((count, self._size), dtype=np.int64)
        _draw(self._state, self._order, self._replacement, batches)
        return batches


@kernel
def _draw(state: np.ndarray, order: np.ndarray, replacement: bool, batches: np.ndarray) -> None:
    """Fill rows with independent draws, or with the start of a shuffle of `order`, which may be in any order before."""
    n = len(order)
    for k in range(batches.shape[0]):
        for j in range(batches.shape[1]):
            if replacement:
                batches[k, j] = below(state, n)
            else:
                other = j + below(state, n - j)
                order[j], order[other] = order[other], order[j]
                batches[k, j] = order[j]
