"""Draw batches inside compiled code, for runs side by side, each from its own stream."""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from .streams import below_each

#: Numbers of the kinds of sampling, as in `sampling.SAMPLINGS`.
WITHOUT_REPLACEMENT, IID, RESHUFFLE = 0, 1, 2


@kernel
def draw_batch(sampling: int, states: np.ndarray, order: np.ndarray, begin: int, batch: np.ndarray) -> int:
    """Fill `batch`, shape (size, runs), with sample numbers, and return the place in the epoch after it.

    Batches without replacement are the beginning of a Fisher-Yates shuffle of 0 ... n - 1. An epoch of reshuffling is
    one such shuffle, done batch by batch, of the order that the last epoch left.

    Args:
        sampling: One of the numbers above.
        states: Streams, shape (4, runs).
        order: Samples 0 ... n - 1, shape (1, n), put back before return; for reshuffling that of each run, (runs, n).
        begin: Place in the epoch, for reshuffling; otherwise 0.
        batch: Where the numbers go.
    """
    size, runs = batch.shape
    n = order.shape[1]
    for t in range(size):
        below_each(states, n if sampling == IID else n - begin - t, batch, t)
    if sampling == RESHUFFLE:
        for r in range(runs):
            for t in range(size):
                chosen = begin + t + batch[t, r]
                batch[t, r] = order[r, chosen]
                order[r, chosen] = order[r, begin + t]
                order[r, begin + t] = batch[t, r]
    elif sampling == WITHOUT_REPLACEMENT and size > 1:  # one of n is itself
        for r in range(runs):
            for t in range(size):
                chosen = t + batch[t, r]
                batch[t, r] = order[0, chosen]
                order[0, chosen] = order[0, t]
                order[0, t] = batch[t, r]
            for t in range(size):  # whatever was moved began in a place below `size`, or at its number
                order[0, t] = t
                order[0, batch[t, r]] = batch[t, r]
    return begin + size if sampling == RESHUFFLE and begin + 2 * size <= n else 0
