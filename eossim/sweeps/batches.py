"""Cells in batches: single where they are slow, many where sending one costs more than running it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

#: Seconds that a batch should take; what a killed sweep may lose on each worker.
_TARGET = 0.05
_LARGEST = 1000


class Batches:
    """Hands out cells and learns from how long they took.

    Args:
        pending: Numbers of the cells.
        jobs: Workers; towards the end each still gets some.
    """

    def __init__(self, pending: Sequence[int], jobs: int) -> None:
        self._pending, self._jobs = pending, jobs
        self._next, self._size = 0, 1
        self._lock = threading.Lock()  # joblib asks from a thread of its own
        self.open: set[int] = set()

    def __iter__(self) -> Iterator[list[int]]:
        while batch := self.take():
            yield batch

    def take(self) -> list[int]:
        """Return the next cells; empty at the end."""
        with self._lock:
            left = len(self._pending) - self._next
            size = max(1, min(self._size, left // (2 * self._jobs)))
            batch = [*self._pending[self._next : self._next + size]]
            self._next += len(batch)
            self.open.update(batch)
            return batch

    def done(self, cells: Sequence[int], seconds: float) -> None:
        """Note that cells came back."""
        with self._lock:
            self.open.difference_update(cells)
            fitting = int(_TARGET * len(cells) / max(seconds, 1e-9))
            self._size = max(1, min(fitting, 4 * len(cells), _LARGEST))

    def rest(self) -> list[int]:
        """Return the cells that were not handed out."""
        return [*self._pending[self._next :]]
