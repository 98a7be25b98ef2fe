"""The normal numbers that torch draws on a CPU, without torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from .._check import positive_int

#: Numbers that torch makes together; fewer are drawn one by one in another way.
_GROUP = 16
#: Bits of a uniform number.
_BITS = {np.dtype(np.float32): 24, np.dtype(np.float64): 53}


class TorchNormal:
    """``torch.Generator().manual_seed(seed)`` as a source of normal numbers.

    Both have the Mersenne Twister. Numbers come in sixteens: eight uniform ones u make radii √(-2 log(1 - u)), the next
    eight make angles; first the cosines, then the sines. What exceeds a multiple of sixteen is no part of a group: the
    last sixteen numbers are drawn anew. Fewer than sixteen are cosine and sine of one pair after the other, in double
    precision, and a sine that is left over is the first number of the next such draw.

    Numbers agree with torch to rounding, about 1e-6 in float32 and 1e-14 in float64: torch has its own log and cos.

    Args:
        seed: 0 to 2³² - 1.

    Raises:
        TypeError: If the seed is no integer.
        ValueError: If it is out of range.
    """

    def __init__(self, seed: int) -> None:
        number = positive_int("seed", seed, minimum=0)
        if number >= 1 << 32:
            raise ValueError(f"seed must be below 2**32, got {number}")
        self._rng = np.random.RandomState(number)
        self._left: float | None = None

    def randn(self, *shape: int, dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return ``torch.randn(*shape, dtype=dtype, generator=...)``, float32 or float64."""
        real, count = np.dtype(dtype), int(np.prod(shape))
        if count < _GROUP:
            return np.array([self._single() for _ in range(count)]).astype(real).reshape(shape)
        uniform = self._uniform(count, real)
        numbers = _groups(uniform[: count - count % _GROUP])
        if count % _GROUP:
            last = _groups(self._uniform(_GROUP, real))
            numbers = np.concatenate([numbers[: count - _GROUP], last])
        return numbers.astype(real).reshape(shape)

    def _uniform(self, count: int, dtype: np.dtype) -> np.ndarray:
        """Return uniform numbers in [0, 1), float64, with as many bits as torch gives the type."""
        bits = _BITS[dtype]
        words = self._rng.randint(0, 1 << 32, size=(count, 1 + bits // 32), dtype=np.uint32).astype(np.uint64)
        number = words[:, 0] if bits < 32 else words[:, 0] << np.uint64(32) | words[:, 1]
        return (number & np.uint64((1 << bits) - 1)) * 2.0**-bits

    def _single(self) -> float:
        if self._left is not None:
            number, self._left = self._left, None
            return number
        angle, radius = self._uniform(2, np.dtype(np.float64))
        length = np.sqrt(-2 * np.log1p(-radius))
        self._left = float(length * np.sin(2 * np.pi * angle))
        return float(length * np.cos(2 * np.pi * angle))


def _groups(uniform: np.ndarray) -> np.ndarray:
    first, second = uniform.reshape(-1, 2, _GROUP // 2).swapaxes(0, 1)
    radius, angle = np.sqrt(-2 * np.log1p(-first)), 2 * np.pi * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
