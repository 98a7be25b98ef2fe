"""Samples of a chunk: put in SIMD order, and their gradients and Hessian products one by one; compiled.

Names and layout as in `_passes`. A sample's column of a chunk is a chunk of width 1.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from ._activations import pull_tangent, push_tangent
from ._losses import tangent_of


@kernel
def gather(
    inputs: np.ndarray, targets: np.ndarray, indices: np.ndarray, X: np.ndarray, Y: np.ndarray, weight: np.ndarray
) -> None:
    """Fill chunks with samples, shape (chunks, rows * width), and their weights 1/b.

    What remains of the last vectors repeats the last sample with weight 0: it cannot be worse than that sample.
    """
    chunks, width = weight.shape
    b, n_in, n_out = len(indices), inputs.shape[1], targets.shape[1]
    share, none = weight.dtype.type(1 / b), weight.dtype.type(0)
    for c in range(chunks):
        for s in range(width):
            k = c * width + s
            sample = indices[min(k, b - 1)]
            weight[c, s] = share if k < b else none
            for i in range(n_in):
                X[c, i * width + s] = inputs[sample, i]
            X[c, n_in * width + s] = 1
            for o in range(n_out):
                Y[c, o * width + s] = targets[sample, o]


@kernel
def columns(rows: int, width: int, F: np.ndarray, at: int, out: np.ndarray) -> None:
    """Write rows of a chunk from `at` on to `out`, shape (samples, rows)."""
    for s in range(len(out)):
        for o in range(rows):
            out[s, o] = F[at + o * width + s]


@kernel
def gradients(
    X: np.ndarray,
    sizes: np.ndarray,
    kind: np.ndarray,
    width: int,
    state: np.ndarray,
    scale: float,
    out: np.ndarray,
) -> None:
    """Write `scale` times the gradients of a chunk's first samples to `out`, shape (samples, dim)."""
    bias, H, D = kind[0], state[0], state[3]
    factor, d = out.dtype.type(scale), np.empty(sizes.max(), out.dtype)
    for s in range(len(out)):
        source, at, row, at_w = X, 0, 0, 0
        for layer in range(len(sizes) - 1):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            to = row * width
            for o in range(n_out):
                d[o] = factor * D[to + o * width + s]
            for i in range(n_in + bias):
                h = source[at + i * width + s]
                part = out[s, at_w + i * n_out : at_w + (i + 1) * n_out]
                for o in range(part.size):
                    part[o] = h * d[o]
            source, at = H, to
            row += n_out + 1
            at_w += (n_in + bias) * n_out


@kernel
def _layer(matrix: np.ndarray, h: np.ndarray, z: np.ndarray) -> None:
    """Add hᵀ times a matrix of len(z) columns to z."""
    for i in range(h.size):
        part, a = matrix[i * z.size : (i + 1) * z.size], h[i]
        for o in range(z.size):
            z[o] += a * part[o]


@kernel
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    """Return the inner product: four sums side by side, whose order is fixed."""
    p = q = r = t = a.dtype.type(0)
    body = a.size - a.size % 4
    for k in range(0, body, 4):
        p += a[k] * b[k]
        q += a[k + 1] * b[k + 1]
        r += a[k + 2] * b[k + 2]
        t += a[k + 3] * b[k + 3]
    for k in range(body, a.size):
        p += a[k] * b[k]
    return (p + q) + (r + t)


@kernel
def curvatures(
    w: np.ndarray,
    vectors: np.ndarray,
    X: np.ndarray,
    weight: np.ndarray,
    sizes: np.ndarray,
    kind: np.ndarray,
    factor: float,
    state: np.ndarray,
    scale: float,
    out: np.ndarray,
) -> None:
    """Write `scale` times the Hessians of a chunk's first samples, each times its vector, to `out` (samples, dim)."""
    bias, activation, loss = kind
    exact = bias * 0 + 1  # no literal, for which Numba would compile anew
    width, last, real = len(weight), len(sizes) - 2, w.dtype
    rows = state.shape[1] // width
    x, times = np.empty(sizes[0] + 1, real), real.type(scale)
    mine = np.empty((4, rows), real)
    h, slope, bend, d = mine[0], mine[1], mine[2], mine[3]
    TZ, TH, TD = np.zeros(rows, real), np.zeros(rows, real), np.zeros(rows, real)
    for s in range(len(out)):
        for i in range(len(x)):
            x[i] = X[i * width + s]
        for which in range(4):
            for i in range(rows):
                mine[which, i] = state[which, i * width + s]
        v = vectors[s if len(vectors) > 1 else 0]
        TZ[:] = 0
        source, at, row, at_w = x, 0, 0, 0
        for layer in range(last + 1):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            z = TZ[row : row + n_out]
            _layer(v[at_w:], source[at : at + n_in + bias], z)
            if layer:
                _layer(w[at_w:], TH[at : at + n_in], z)
            if layer < last:
                part = slice(row, row + n_out)
                push_tangent(activation, h[part], slope[part], z, TH[part])
            source, at = h, row
            row += n_out + 1
            at_w += (n_in + bias) * n_out
        tangent_of(loss, factor, sizes[-1], weight[s : s + 1], bend[at:], TZ[at:], TD[at:])
        for layer in range(last, -1, -1):
            n_in, n_out = sizes[layer], sizes[layer + 1]
            at_w -= (n_in + bias) * n_out
            before = at - n_in - 1
            d_here, t_here = d[at : at + n_out], TD[at : at + n_out]
            for i in range(n_in + bias):
                here = slice(at_w + i * n_out, at_w + (i + 1) * n_out)
                row_out = out[s, here]
                left = times * (x[i] if layer == 0 else h[before + i])
                right = times * TH[before + i] if layer and i < n_in else times * 0
                for o in range(row_out.size):
                    row_out[o] = left * t_here[o] + right * d_here[o]
                if layer and i < n_in:
                    TD[before + i] = _dot(w[here], t_here) + _dot(v[here], d_here)
            if layer:
                part = slice(before, before + n_in)
                pull_tangent(activation, exact, h[part], slope[part], bend[part], d[part], TZ[part], TD[part])
            at = before
