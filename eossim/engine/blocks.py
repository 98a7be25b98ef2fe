"""Step blocks of runs, each on its own thread, each the same whatever its neighbours are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from .modes import LANES

#: Coordinates of a run kept between two measurements, so that one sees the same stretch of a run whatever its block.
_KEPT_COORDINATES = 4096
#: Bytes of state that a block may hold: it should stay in the second cache. Wider blocks save more in loop overheads
#: than the first cache would.
_BLOCK_BYTES = 256 << 10


def block_width(dim: int, states: int, itemsize: int, share: int, *, dense: bool) -> int:
    """Return the number of runs in a block, a multiple of the lanes of one product.

    Args:
        dim: Coordinates.
        states: State arrays.
        itemsize: Bytes of a number.
        share: Runs for each thread, which are cut evenly: narrower blocks rather than idle threads.
        dense: Whether a block is one matrix product, whose shape must not depend on the number of runs.
    """
    if dense:
        return 2 * LANES
    lanes = LANES * (8 // itemsize)
    widest = lanes * int(np.clip(_BLOCK_BYTES // (itemsize * dim * states * lanes), 1, 8))
    blocks = -(-share // widest)
    return lanes * -(-share // (blocks * lanes))


def over_blocks(task: Callable[[int, int], None], runs: int, width: int, threads: int) -> None:
    """Call ``task(first, last)`` for every block of runs; linear algebra inside stays on its own thread."""
    blocks = [(first, min(first + width, runs)) for first in range(0, runs, width)]
    workers = min(threads, len(blocks))
    with threadpool_limits(limits=1, user_api="blas"):
        if workers == 1:
            for block in blocks:
                task(*block)
            return
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(lambda block: task(*block), blocks):
                pass


def load_product_library() -> None:
    """Load the library behind compiled matrix products: only a library that is loaded can be kept to one thread."""
    import scipy.linalg.cython_blas  # noqa: F401


class Stepper:
    """One block of runs on its way: state arrays [coordinate, run] and the function that advances them.

    Args:
        advance: Called as ``advance(states, stops, kept)``; steps in place and keeps the iterate at each stop.
        states: State arrays, the iterate first.
    """

    def __init__(self, advance: Callable[..., None], states: list[np.ndarray]) -> None:
        self.advance, self.states = advance, states
        self.done = 0
        self.diverged_at = np.full(states[0].shape[1], -1, dtype=np.int64)

    def visit(self, stops: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Step to each of `stops` in turn and yield ``(position of the first, iterates [stop, coordinate, run])``."""
        iterate = self.states[0]
        chunk = max(1, _KEPT_COORDINATES // iterate.shape[0])
        for first in range(0, stops.size, chunk):
            ahead = stops[first : first + chunk]
            before = [s.copy() for s in self.states]
            kept = np.empty((ahead.size, *iterate.shape), iterate.dtype)
            self.advance(self.states, ahead - self.done, kept)
            if not np.isfinite(self.states[0]).all():
                self._locate_divergence(before, int(ahead[-1]))
            self.done = int(ahead[-1])
            yield first, kept

    def _locate_divergence(self, states: list[np.ndarray], last: int) -> None:
        """Repeat the stretch step by step and note each run's first non-finite step (what is lost stays lost)."""
        open_runs = (self.diverged_at < 0) & np.asarray(~np.isfinite(self.states[0]).all(axis=0))
        position = self.done
        while open_runs.any() and position < last:
            stops = np.arange(1, min(64, last - position) + 1)
            kept = np.empty((stops.size, *states[0].shape), states[0].dtype)
            self.advance(states, stops, kept)
            lost = np.asarray(~np.isfinite(kept).all(axis=1))
            for run in np.flatnonzero(open_runs & lost[-1]):
                self.diverged_at[run] = position + 1 + int(np.argmax(lost[:, run]))
            open_runs = open_runs & ~lost[-1]
            position += stops.size


def compiled(kernel: Any, curvature: np.ndarray, linear: np.ndarray, hyper: list[np.ndarray]) -> Callable[..., None]:
    """Return the fused kernel as an `advance` function."""
    loop = kernel.dense if curvature.ndim == 2 else kernel.diagonal

    def advance(states: list[np.ndarray], stops: np.ndarray, kept: np.ndarray) -> None:
        loop(*states, curvature, linear, *hyper, stops, kept)

    return advance
