"""A network as its compiled passes see it, and the samples in their order."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ._samples import gather
from ._simd import VECTOR

#: Vectors of samples in a chunk, at most: its activations stay in the second cache. Odd, since rows whose length is a
#: power of two crowd into few lines of a cache.
_WIDEST = 33
#: Vectors in a chunk up to which rows are short enough not to crowd.
_NARROW = 8
#: Sizes of arrays that are kept for the next pass.
_SIZES_KEPT = 8


@dataclass(frozen=True, eq=False)
class Architecture:
    """Sizes and kinds of a network.

    Attributes:
        sizes: Units of every layer, inputs first, int64.
        kind: 1 with biases, else 0, and the numbers of activation and loss in `_activations` and `_losses`; int64.
        factor: Factor of the mean square.
        dtype: Type of its numbers.
    """

    sizes: np.ndarray
    kind: np.ndarray
    factor: float
    dtype: np.dtype
    _free: dict[int, list[np.ndarray]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        """Return what the network is, without spare memory."""
        return {**vars(self), "_free": {}}

    @cached_property
    def dim(self) -> int:
        """Number of parameters."""
        return int(((self.sizes[:-1] + self.kind[0]) * self.sizes[1:]).sum())

    @cached_property
    def rows(self) -> int:
        """Rows of activations: every layer but the first, each with a row of ones."""
        return int((self.sizes[1:] + 1).sum())

    def take(self, *shape: int) -> np.ndarray:
        """Return an uninitialised array that starts at a multiple of the length of a vector, for `give_back`.

        Fresh memory costs as much as a pass: pages that are touched for the first time.
        """
        size = math.prod(shape)
        free = self._free.get(size)
        try:
            return free.pop().reshape(shape) if free else self._fresh(size).reshape(shape)
        except IndexError:  # another thread was faster
            return self._fresh(size).reshape(shape)

    def give_back(self, array: np.ndarray) -> None:
        """Keep an array of `take` that nobody uses any more for the next one who needs its size."""
        if len(self._free) > _SIZES_KEPT:
            self._free.clear()
        self._free.setdefault(array.size, []).append(array)

    def parts(self, chunks: int, size: int) -> np.ndarray:
        """Return room for what chunks contribute to a result, shape (chunks, size), for `total`."""
        return np.empty((1, size), self.dtype) if chunks == 1 else self.take(chunks, size)

    def total(self, parts: np.ndarray) -> np.ndarray:
        """Return the sum of what chunks contribute, in their order."""
        if len(parts) == 1:
            return parts[0]
        result = parts.sum(axis=0)
        self.give_back(parts)
        return result

    def _fresh(self, size: int) -> np.ndarray:
        memory = np.empty(size + VECTOR // self.dtype.itemsize, self.dtype)
        first = (-memory.ctypes.data % VECTOR) // self.dtype.itemsize
        return memory[first : first + size]


class Batch:
    """Samples in chunks of whole vectors.

    Args:
        net: The network.
        inputs: Inputs of all samples, shape (n, n_in).
        targets: Targets of all samples, shape (n, outputs).
        indices: Which samples, shape (b,), int64.

    Attributes:
        size: b.
        width: Samples of a chunk, those included that fill up the last vector.
        chunks: For every chunk inputs, shape (rows * width,), a row of ones last; targets, shape (outputs * width,);
            and weights, shape (width,): 1/b for samples, 0 for what fills up.
        inputs, weights: Those of all chunks, shapes (chunks, rows * width) and (chunks, width).
    """

    def __init__(self, net: Architecture, inputs: np.ndarray, targets: np.ndarray, indices: np.ndarray) -> None:
        lanes = VECTOR // net.dtype.itemsize
        self.size = len(indices)
        chunks, groups = _division(-(-self.size // lanes))
        self.width = width = lanes * groups
        n_in, n_out = inputs.shape[1], targets.shape[1]
        self._net = net
        self._memory = net.take(chunks * (n_in + n_out + 2) * width)
        ends = np.cumsum([(n_in + 1) * width, n_out * width, width]) * chunks
        X, Y, weight = (part.reshape(chunks, -1) for part in np.split(self._memory, ends[:-1]))
        gather(inputs, targets, indices, X, Y, weight)
        self.inputs, self.weights = X, weight
        self.chunks = list(zip(X, Y, weight, strict=True))

    def __del__(self) -> None:
        self._net.give_back(self._memory)

    def part(self, chunk: int) -> slice:
        """Return the range of the samples of a chunk."""
        return slice(min(chunk * self.width, self.size), min((chunk + 1) * self.width, self.size))


def _division(groups: int) -> tuple[int, int]:
    """Return into how many chunks of how many vectors samples are cut.

    What is filled up should be little, and an even number of chunks suits an even number of threads.
    """
    fewest = -(-groups // _WIDEST)
    if fewest == 1:
        return 1, groups | 1 if groups > _NARROW else groups
    options = [(chunks, -(-groups // chunks) | 1) for chunks in range(fewest, 2 * fewest + 1)]
    return min(options, key=lambda option: option[0] * option[1] * (1 + 0.05 * (option[0] % 2)))
