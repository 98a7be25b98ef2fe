"""Random numbers inside compiled code, one stream per run.

The generator is xoshiro256++ (Blackman and Vigna, prng.di.unimi.it; period 2^256 - 1), seeded with 256 bits of NumPy's
``SeedSequence(seed, spawn_key=(run,))``: a run draws the same numbers whatever the threads, blocks and other runs are.
States of several runs lie side by side, shape (4, runs), and advance together (`below_each`, `normals`). Only
operations that every machine rounds alike turn words into numbers: the logarithm is not that of the system's library.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import kernel

# uint64 with int64 is float64 in compiled code: every constant beside a state word is a uint64.
_U11, _U17, _U23, _U32, _U45, _U64 = (np.uint64(k) for k in (11, 17, 23, 32, 45, 64))
_LOW = np.uint64(0xFFFFFFFF)
_TWO32 = np.uint64(1 << 32)
#: Constants of NumPy's SeedSequence.
_INIT_A, _MULT_A, _INIT_B, _MULT_B = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
_MIX_L, _MIX_R = 0xCA01F9DD, 0x4973F715
_MASK = 0xFFFFFFFF
_LN2 = math.log(2)
#: Where the tail of the normal density begins, exp(-x²/2) there, and the area of a layer: with these, 256 layers of one
#: area end at height 1 (solved in 40 digits).
_TAIL, _TAIL_HEIGHT, _AREA = 3.6541528853610088, 0.0012602859304985976, 0.0049286732339746554
_LAYER, _SIGN = np.uint64(255), np.uint64(256)
#: 1/(2 k + 1), the coefficients of artanh, as far as they count for |s| <= (sqrt 2 - 1)/(sqrt 2 + 1).
_ARTANH = tuple(1 / (2 * k + 1) for k in range(12))


def stream(seed: int, run: int) -> np.ndarray:
    """Return the state at the start of a run's stream, shape (4,), uint64."""
    return streams(seed, run, run + 1)[:, 0].copy()


def streams(seed: int, first: int, last: int) -> np.ndarray:
    """Return the states at the start of the streams of runs `first` ... `last` - 1, shape (4, runs), uint64.

    They are ``SeedSequence(seed, spawn_key=(run,)).generate_state(4, np.uint64)``, of all runs at once: the key is the
    last word that goes into the pool, so that the pool of the seed alone serves every run.
    """
    pool = np.random.SeedSequence(seed).pool
    key = np.arange(first, last, dtype=np.uint32)
    mixed = 16 + 4 * max(0, -(-seed.bit_length() // 32) - 4)  # words that went into the pool so far
    constant = _INIT_A * pow(_MULT_A, mixed, 1 << 32) & _MASK
    pools = []
    for word in pool:
        hashed = key ^ np.uint32(constant)
        constant = constant * _MULT_A & _MASK
        hashed *= np.uint32(constant)
        hashed ^= hashed >> 16
        entry = np.uint32(int(word) * _MIX_L & _MASK) - hashed * np.uint32(_MIX_R)
        pools.append(entry ^ (entry >> 16))
    words, constant = [], _INIT_B
    for k in range(8):
        word = pools[k % 4] ^ np.uint32(constant)
        constant = constant * _MULT_B & _MASK
        word *= np.uint32(constant)
        words.append((word ^ (word >> 16)).astype(np.uint64))
    return np.array([words[k] | words[k + 1] << _U32 for k in range(0, 8, 2)])


@kernel
def _step(a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64) -> tuple:
    """Return 64 random bits of a state, and the state after them."""
    word = a + d
    word = ((word << _U23) | (word >> (_U64 - _U23))) + a
    shifted = b << _U17
    c ^= a
    d ^= b
    return word, a ^ d, b ^ c, c ^ shifted, (d << _U45) | (d >> (_U64 - _U45))


@kernel
def next_word(state: np.ndarray) -> np.uint64:
    """Advance one state, shape (4,), and return 64 random bits."""
    word, state[0], state[1], state[2], state[3] = _step(state[0], state[1], state[2], state[3])
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


@kernel
def below_each(states: np.ndarray, bound: int, out: np.ndarray, t: int) -> None:
    """Write what `below` returns for each state, shape (4, runs), to ``out[t]``, int64."""
    limit = np.uint64(bound)
    lowest = _TWO32
    for r in range(states.shape[1]):
        word, states[0, r], states[1, r], states[2, r], states[3, r] = _step(
            states[0, r], states[1, r], states[2, r], states[3, r]
        )
        scaled = (word >> _U32) * limit
        lowest = min(lowest, scaled & _LOW)
        out[t, r] = np.int64(scaled)
    if lowest < limit:
        biased = (_TWO32 - limit) % limit
        for r in range(states.shape[1]):
            while np.uint64(out[t, r]) & _LOW < biased:
                word, states[0, r], states[1, r], states[2, r], states[3, r] = _step(
                    states[0, r], states[1, r], states[2, r], states[3, r]
                )
                out[t, r] = np.int64((word >> _U32) * limit)
    for r in range(states.shape[1]):
        out[t, r] = np.int64(np.uint64(out[t, r]) >> _U32)


@kernel
def logarithm(x: float) -> float:
    """Return log x of a positive number, to 2 units in the last place: 2 artanh((m - 1)/(m + 1)) + e log 2."""
    mantissa, exponent = math.frexp(x)
    if mantissa < 0.7071067811865476:
        mantissa *= 2.0
        exponent -= 1
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = _ARTANH[11]
    for k in range(10, -1, -1):
        series = series * z + _ARTANH[k]
    return 2.0 * s * series + exponent * _LN2


def _layers() -> tuple[np.ndarray, np.ndarray]:
    """Return ends and heights of the 256 layers of equal area under exp(-x²/2), each with 257 entries.

    Layer i >= 1 reaches from 0 to ``ends[i]`` and from ``heights[i]`` to ``heights[i + 1]``; layer 0 is the base up to
    the start of the tail, widened to the area of base and tail together.
    """
    ends, heights = np.zeros(257), np.ones(257)
    ends[0], ends[1], heights[0], heights[1] = _AREA / _TAIL_HEIGHT, _TAIL, 0.0, _TAIL_HEIGHT
    for i in range(2, 256):
        heights[i] = heights[i - 1] + _AREA / ends[i - 1]
        ends[i] = math.sqrt(-2 * logarithm.py_func(heights[i]))
    return ends, heights


_ENDS, _HEIGHTS = _layers()


@kernel
def normals(states: np.ndarray, out: np.ndarray) -> None:
    """Fill `out`, shape (count, runs), with independent standard normal numbers, each column from its run's stream.

    The ziggurat of Marsaglia and Tsang (J. Stat. Softw. 5(8), 2000), exact for uniform numbers: 8 bits of a word choose
    the layer, one the sign, and 53 others the place in it; 98.8 % of the numbers need no second word.
    """
    for r in range(states.shape[1]):
        a, b, c, d = states[0, r], states[1, r], states[2, r], states[3, r]
        for t in range(out.shape[0]):
            while True:
                word, a, b, c, d = _step(a, b, c, d)
                layer = np.int64(word & _LAYER)
                x = _ENDS[layer] * _uniform(word)
                if x < _ENDS[layer + 1]:
                    break
                if layer > 0:
                    other, a, b, c, d = _step(a, b, c, d)
                    height = _HEIGHTS[layer] + (_HEIGHTS[layer + 1] - _HEIGHTS[layer]) * _uniform(other)
                    if -2.0 * logarithm(height) > x * x:
                        break
                else:
                    beyond, square = 0.0, -1.0
                    while square <= beyond * beyond:  # Marsaglia's tail: exponential, thinned
                        first, a, b, c, d = _step(a, b, c, d)
                        other, a, b, c, d = _step(a, b, c, d)
                        beyond = -logarithm(1.0 - _uniform(first)) / _TAIL
                        square = -2.0 * logarithm(1.0 - _uniform(other))
                    x = _TAIL + beyond
                    break
            out[t, r] = -x if word & _SIGN else x
        states[0, r], states[1, r], states[2, r], states[3, r] = a, b, c, d


@kernel
def _uniform(word: np.uint64) -> float:
    """Return the upper 53 bits of a word as a multiple of 2^-53 on [0, 1)."""
    return float(word >> _U11) * 2.0**-53
