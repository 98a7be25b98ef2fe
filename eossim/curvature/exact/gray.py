"""Sign vectors in Gray-code order, one flip after another."""

from __future__ import annotations

import numpy as np

from ..._jit import kernel


@kernel
def best_signs(columns: np.ndarray, signs: np.ndarray, bits: int, first: int, last: int) -> tuple[float, int, int]:
    """Return the largest σᵀGσ over sign vectors whose K σ lies in the cube, and which: value, chunk and code.

    Args:
        columns: Columns of [G; K], shape (m, m + f): G symmetric (m, m), K (f, m).
        signs: Scratch, shape (m,); sign m - 1 is kept, the rest is overwritten.
        bits: log2 of the sign vectors in a chunk: signs 0 .. bits - 1 run through the Gray code, the ones behind are
            the binary digits of the number of the chunk. Every chunk starts from exact sums, against rounding.
        first: First chunk.
        last: Last chunk, plus one.

    A flip of sign i changes q = σᵀGσ by -4σ_i(Gσ)_i + 4G_ii and costs one addition of a column.
    """
    m, n = columns.shape
    sums = np.empty(n)
    best, best_chunk, best_code = -np.inf, np.int64(-1), np.int64(0)
    for chunk in range(first, last):
        for i in range(m - 1):
            signs[i] = 1.0 if i < bits or (chunk >> (i - bits)) & 1 == 0 else -1.0
        sums[:] = 0.0
        for i in range(m):
            for j in range(n):
                sums[j] += signs[i] * columns[i, j]
        q = 0.0
        for i in range(m):
            q += signs[i] * sums[i]
        for code in range(np.int64(1) << bits):
            if q > best:
                inside = True
                for j in range(m, n):
                    inside = inside and abs(sums[j]) <= 1.0
                if inside:
                    best, best_chunk, best_code = q, np.int64(chunk), np.int64(code)
            i, rest = 0, code + 1
            while rest & 1 == 0:
                rest >>= 1
                i += 1
            if i < bits:
                s = signs[i]
                q -= 4.0 * (s * sums[i] - columns[i, i])
                for j in range(n):
                    sums[j] -= 2.0 * s * columns[i, j]
                signs[i] = -s
    return best, int(best_chunk), int(best_code)


def signs_of(m: int, bits: int, chunk: int, code: int) -> np.ndarray:
    """Return the sign vector that `best_signs` names, shape (m,)."""
    negative = (code ^ (code >> 1)) | (chunk << bits)
    return np.array([-1.0 if negative >> i & 1 else 1.0 for i in range(m)])
