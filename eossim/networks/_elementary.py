"""exp and tanh that LLVM vectorises, for compiled code: no branches, and NaN passes.

exp(y) - 1 = 2ᵏ(1 + p) - 1 with k = round(y / log 2), p = exp(y - k log 2) - 1 by its Taylor series; tanh follows
without cancellation: tanh x = e / (e + 2) for x >= 0 with e = exp(2x) - 1.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import overload, register_jitable

from ._simd import bits, fma, from_bits

_LOG2E = 1 / math.log(2)
#: log 2 in two parts; k times the first is exact. In double precision as in fdlibm, in single as in Cephes.
_HIGH, _LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_HIGH32, _LOW32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
#: Adding 1.5 · 2⁵² (2²³ in single precision) rounds to an integer and leaves it in the lowest bits.
_ROUND, _ROUND32 = 1.5 * 2**52, np.float32(1.5 * 2**23)
#: tanh is 1 to rounding from half of these on.
_FLAT, _FLAT32 = 44.0, np.float32(20.0)
#: exp is flushed to zero below these.
_TINY, _TINY32 = -708.0, np.float32(-87.0)
_LOG2E32, _ONE32, _TWO32 = np.float32(_LOG2E), np.float32(1), np.float32(2)
_C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9, _C10, _C11, _C12, _C13 = (1 / math.factorial(k) for k in range(2, 14))
_S2, _S3, _S4, _S5, _S6, _S7, _S8 = (np.float32(1 / math.factorial(k)) for k in range(2, 9))


def _reduced(y: Any) -> Any:
    """Return 2ᵏ and p, for compiled code; |y| at most 708 (87 in single precision), or NaN."""


@register_jitable
def _reduced64(y):  # type: ignore[no-untyped-def]
    shifted = fma(y, _LOG2E, _ROUND)
    k = shifted - _ROUND
    r = fma(k, -_LOW, fma(k, -_HIGH, y))
    s = fma(r, fma(r, fma(r, fma(r, _C13, _C12), _C11), _C10), _C9)
    s = fma(r, fma(r, fma(r, fma(r, s, _C8), _C7), _C6), _C5)
    s = fma(r, fma(r, fma(r, s, _C4), _C3), _C2)
    return from_bits((bits(shifted) << np.int64(52)) + np.int64(0x3FF0000000000000)), fma(r * r, s, r)


@register_jitable
def _reduced32(y):  # type: ignore[no-untyped-def]
    shifted = fma(y, _LOG2E32, _ROUND32)
    k = shifted - _ROUND32
    r = fma(k, -_LOW32, fma(k, -_HIGH32, y))
    s = fma(r, fma(r, fma(r, fma(r, _S8, _S7), _S6), _S5), _S4)
    s = fma(r, fma(r, s, _S3), _S2)
    return from_bits(np.int32((bits(shifted) << np.int32(23)) + np.int32(0x3F800000))), fma(r * r, s, r)


@overload(_reduced, strict=False)
def _reduced_by_type(y: Any) -> Any:
    return (lambda y: _reduced64(y)) if y == types.float64 else (lambda y: _reduced32(y))


def _limits(x: Any) -> Any:
    """Return 1, 2, the flat and the tiny limit in the type of x, for compiled code."""


@overload(_limits, strict=False)
def _limits_by_type(x: Any) -> Any:
    if x == types.float64:
        return lambda x: (1.0, 2.0, _FLAT, _TINY)
    return lambda x: (_ONE32, _TWO32, _FLAT32, _TINY32)


@register_jitable
def tanh(x):  # type: ignore[no-untyped-def]
    """Return tanh x, at most 3 ulp off."""
    one, two, flat, _ = _limits(x)
    y = two * abs(x)
    scale, p = _reduced(flat if y > flat else y)
    e = fma(scale, p, scale - one)
    return np.copysign(e / (e + two), x)


@register_jitable
def exp(x):  # type: ignore[no-untyped-def]
    """Return exp x of x <= 0, at most 3 ulp off, and 0 below the smallest normal number."""
    one, _, _, tiny = _limits(x)
    scale, p = _reduced(tiny if x < tiny else x)
    return one - one if x < tiny else fma(scale, p, scale)
