"""Random integers inside compiled code, one stream per run.

The generator is xoshiro256++ (Blackman and Vigna, prng.di.unimi.it; period 2^256 - 1), seeded with 256 bits of NumPy's
``SeedSequence(seed, spawn_key=(run,))``: a run draws the same numbers whatever the threads, blocks and other runs are.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel

# uint64 with int64 is float64 in compiled code: every constant beside a state word is a uint64.
_U17, _U23, _U32, _U45, _U64 = (np.uint64(k) for k in (17, 23, 32, 45, 64))
_LOW = np.uint64(0xFFFFFFFF)
_TWO32 = np.uint64(1 << 32)


def stream(seed: int, run: int) -> np.ndarray:
    """Return the state at the start of a run's stream, shape (4,), uint64."""
    return np.random.SeedSequence(seed, spawn_key=(run,)).generate_state(4, np.uint64)


@kernel
def next_word(state: np.ndarray) -> np.uint64:
    """Advance the state and return 64 random bits."""
    a, b, c, d = state[0], state[1], state[2], state[3]
    word = a + d
    word = ((word << _U23) | (word >> (_U64 - _U23))) + a
    c ^= a
    d ^= b
    state[0] = a ^ d
    state[1] = b ^ c
    state[2] = c ^ (b << _U17)
    state[3] = (d << _U45) | (d >> (_U64 - _U45))
    return word


@kernel
def below(state: np.ndarray, bound: int) -> np.int64:
    """Return an integer that is uniform on 0 .. bound - 1, 1 <= bound < 2^32.

    Lemire's method on the upper 32 bits of a word (arXiv:1805.10941): unbiased, and almost never a second draw.
    """
    limit = np.uint64(bound)
    scaled = (next_word(state) >> _U32) * limit
    if scaled & _LOW < limit:
        biased = (_TWO32 - limit) % limit
        while scaled & _LOW < biased:
            scaled = (next_word(state) >> _U32) * limit
    return np.int64(scaled >> _U32)
