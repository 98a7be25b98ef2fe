"""Gradient descent of one network from one start at growing step sizes, up to the first that diverges.

Runs help each other: the eigenvectors of a run are close to those of its neighbour in c at the same step, even at the
first steps, where they turn by a right angle, so that a search for the sharpness takes four or five products, and half
as many again to twice as many where it has collapsed. A run waits at each step for its neighbour, whatever the number
of threads, and results do not depend on it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from threading import Condition

import numpy as np

from ._network_runs import Descent, Run

#: Distance in log2 c of neighbours where the loss alone is looked at: 0.54 %.
SPACING = 2.0**-7


class Sweep:
    """Runs at growing c.

    Args:
        descent: Where and how they run.
        c: Grid.
        sharpness: Whether the sharpness is asked for at every step.
        barrier: Whether the barrier is.
        rise: Relative rise of the sharpness that counts.
        threads: Runs at the same time.

    Attributes:
        runs: All up to the first that diverged, that included.
        barrier: Position of the first that has a barrier, or None.
        nearest: `pairs` of the first whose sharpness rises, or of the last that does not diverge.
        rise: As given.
    """

    def __init__(
        self, descent: Descent, c: np.ndarray, *, sharpness: bool, barrier: bool, rise: float, threads: int
    ) -> None:
        self._descent, self._sharpness, self._barrier = descent, sharpness, barrier
        self.rise = rise
        self._all = [Run(each, descent.start, descent.steps) for each in c]
        self._at, self._last, self._changed = [0] * len(c), len(c) - 1, Condition()
        self.barrier: int | None = None
        self._risen: Run | None = None
        with ThreadPoolExecutor(threads) as pool:
            try:
                for _ in pool.map(self._run, range(len(c))):
                    pass
            except BaseException:
                self._note(0, 0, last=-1)  # lets those go who wait
                raise
        self.runs = self._all[: self._last + 1]
        finished = [run for run in self.runs if not run.diverged]
        self.nearest = (self._risen or finished[-1]).pairs if finished else []

    def _run(self, k: int) -> None:
        run = self._all[k]
        if self._complete(k) and self._barrier and (self.barrier is None or k < self.barrier):
            found = self._descent.barrier(run.w)
            with self._changed:
                if found and (self.barrier is None or k < self.barrier):
                    self.barrier = k
        del run.w, run.gradient  # as large as the network, and not needed any more

    def _complete(self, k: int) -> bool:
        """Run to the end; return False if this or an earlier run diverged."""
        run, steps = self._all[k], self._descent.steps
        neighbour = self._all[k - 1] if k and self._sharpness else None
        for t in range(1, steps + 1):
            if not self._may_go(k, t):
                return False
            self._descent.step(run, t, sharpness=self._sharpness, near=neighbour.pairs if neighbour else None)
            if run.diverged:
                self._note(k, t, last=k)
                return False
            if t == steps and self._risen is None and run.sharpness_rises(self.rise):
                self._risen = run
            self._note(k, t)
        if neighbour is not None and neighbour is not self._risen:
            neighbour.pairs = []
        return True

    def _may_go(self, k: int, t: int) -> bool:
        """Wait for the neighbour to reach step t; return False if an earlier run diverged."""
        if not (k and self._sharpness):
            return self._last >= k
        with self._changed:
            self._changed.wait_for(lambda: self._last < k or self._at[k - 1] >= t)
            return self._last >= k

    def _note(self, k: int, t: int, last: int | None = None) -> None:
        """Tell the others that a run has reached step t, or is the last that counts."""
        with self._changed:
            self._at[k] = t
            if last is not None:
                self._last = min(self._last, last)
            self._changed.notify_all()


def scan(descent: Descent, runs: list[Run], pool: ThreadPoolExecutor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return c of runs and of others between them, and whether the loss rises there and diverges, each of shape (c,).

    Neighbours are at most `SPACING` apart, and the first that diverges is the last. A rise or a divergence on an
    interval of c that is narrower may be missed.

    Args:
        descent: How they run.
        runs: At growing c, those of a sweep.
        pool: Where they run.
    """
    found = [(run.c, run.loss_rises, run.diverged) for run in runs[:1]]
    for before, after in pairwise(runs):
        if found[-1][2]:
            break
        low, high = np.log2([before.c, after.c])
        between = 2.0 ** np.linspace(low, high, int(np.ceil((high - low) / SPACING - 1e-9)) + 1)[1:-1]
        each = [*pool.map(lambda c: descent.follow(c, lambda run: False), between), after]
        end = next((k for k, run in enumerate(each) if run.diverged), len(each) - 1)
        found += [(run.c, run.loss_rises, run.diverged) for run in each[: end + 1]]
    c, rises, diverged = zip(*found, strict=True)
    return np.array(c), np.array(rises), np.array(diverged)
