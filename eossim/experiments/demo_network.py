"""A small network whose start any program can draw: that of a demonstration in the browser (rfangit)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..networks import MLP

_MASK = 0xFFFFFFFF


def mulberry32(seed: int) -> Iterator[float]:
    """Yield uniform numbers in [0, 1) of the 32-bit generator of that name."""
    state = seed
    while True:
        state = (state + 0x6D2B79F5) & _MASK
        t = (state ^ (state >> 15)) * (state | 1) & _MASK
        t = (t + ((t ^ (t >> 7)) * (t | 61) & _MASK) & _MASK) ^ t
        yield ((t ^ (t >> 14)) & _MASK) / 2**32


def demo_network(seed: int = 0) -> tuple[MLP, np.ndarray]:
    """Return the network 1-30-20-1 with tanh on the Chebyshev polynomial T₆ at 20 points, and its start.

    Weights are N(0, 1/n_in), one cosine of a Box-Muller pair each, drawn for all inputs of one unit after another.
    """
    x = -1 + 2 * np.arange(20) / 19
    problem = MLP((1, 30, 20, 1), "tanh", "mse", x[:, None], np.cos(6 * np.arccos(x)))
    uniform, blocks = mulberry32(seed), []
    for shape in problem.layers:
        block = np.zeros(shape)
        if block.ndim == 2:
            for unit in block.T:
                for k in range(unit.size):
                    radius, angle = math.sqrt(-2 * math.log(next(uniform))), 2 * math.pi * next(uniform)
                    unit[k] = radius * math.cos(angle) / math.sqrt(unit.size)
        blocks.append(block)
    return problem, problem.flatten(blocks)
