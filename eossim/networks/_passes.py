"""Passes over one chunk of samples: forwards, backwards, and the same for tangents (the R-operator), compiled.

Parameters lie layer by layer, weights (n_in, n_out) row by row, then biases: with a bias, a layer is one matrix with
n_in + 1 rows whose last input is 1. Activations stand as [feature, sample] with a row more than features in every layer
for that 1; `X` holds the inputs, H the layers from the first on. E.g. H of the sizes (10, 32, 32, 1): 33 + 33 + 2 rows.

Names: H activations, D = ∂L/∂z, slope φ'(z) and bend φ''(z) ∂L/∂h where they do not follow from H and D; TZ, TH, TD the
tangents of z, H and D.
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel
from ._activations import activate, pull_back, pull_tangent, push_tangent
from ._losses import loss_of, tangent_of
from ._products import outer, product
from ._simd import VECTOR

#: Typed, since Numba compiles a function anew for every literal that it is called with.
_NONE, _UNIT = np.int64(0), np.int64(1)


@kernel
def forward(
    w: np.ndarray,
    X: np.ndarray,
    sizes: np.ndarray,
    bias: int,
    width: int,
    activation: int,
    order: int,
    H: np.ndarray,
    slope: np.ndarray,
    bend: np.ndarray,
) -> int:
    """Fill H; return where the outputs start in it."""
    lanes = VECTOR // w.itemsize
    source, at, row, at_w = X, _NONE, _NONE, _NONE
    last = len(sizes) - 2
    for layer in range(last + 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        to = row * width
        product(H, to, n_out, width, lanes, w, source, n_in + bias, w, source, _NONE, at_w, _UNIT, n_out, at)
        if layer < last:
            part = slice(to, to + n_out * width)
            activate(activation, order, H[part], slope[part], bend[part])
            H[part.stop : part.stop + width] = 1
        source, at = H, to
        row += n_out + 1
        at_w += (n_in + bias) * n_out
    return int(at)


@kernel
def gradient(
    w: np.ndarray,
    X: np.ndarray,
    Y: np.ndarray,
    weight: np.ndarray,
    sizes: np.ndarray,
    kind: np.ndarray,
    factor: float,
    order: int,
    state: np.ndarray,
    out: np.ndarray,
) -> float:
    """Return the loss of a chunk; write its gradient to `out` if `order` >= 1, and what tangents need if it is 2.

    `kind` holds bias, activation and loss; `state` is room for H, slope, bend and D.
    """
    bias, activation, loss = kind
    H, slope, bend, D = state[0], state[1], state[2], state[3]
    lanes, width, last = VECTOR // w.itemsize, len(weight), len(sizes) - 2
    at = forward(w, X, sizes, bias, width, activation, order, H, slope, bend)
    value = loss_of(loss, factor, sizes[-1], H[at:], Y, weight, D[at:], bend[at:])
    if order == 0:
        return value
    at_w = np.int64(len(w))
    for layer in range(last, -1, -1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        at_w -= (n_in + bias) * n_out
        if layer == 0:
            outer(out, at_w, n_in + bias, n_out, X, _NONE, D, at, X, D, width, _NONE)
            break
        before = at - (n_in + 1) * width
        outer(out, at_w, n_in + bias, n_out, H, before, D, at, H, D, width, _NONE)
        product(D, before, n_in, width, lanes, w, D, n_out, w, D, _NONE, at_w, n_out, _UNIT, at)
        part = slice(before, before + n_in * width)
        pull_back(activation, order, H[part], slope[part], bend[part], D[part])
        at = before
    return value


@kernel
def curvature(
    w: np.ndarray,
    v: np.ndarray,
    X: np.ndarray,
    weight: np.ndarray,
    sizes: np.ndarray,
    kind: np.ndarray,
    factor: float,
    exact: int,
    state: np.ndarray,
    tangents: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the Hessian of a chunk (exact = 1) or its Gauss-Newton matrix (exact = 0) times v to `out`.

    `state` is what `gradient` left with order 2, `tangents` room for TZ, TH and TD.
    """
    bias, activation, loss = kind
    H, slope, bend, D = state[0], state[1], state[2], state[3]
    TZ, TH, TD = tangents[0], tangents[1], tangents[2]
    lanes, width, last = VECTOR // w.itemsize, len(weight), len(sizes) - 2
    at, row, at_w = _NONE, _NONE, _NONE
    for layer in range(last + 1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        to = row * width
        if layer == 0:
            product(TZ, to, n_out, width, lanes, v, X, n_in + bias, w, TH, _NONE, at_w, _UNIT, n_out, _NONE)
        else:
            product(TZ, to, n_out, width, lanes, v, H, n_in + bias, w, TH, n_in, at_w, _UNIT, n_out, at)
        if layer < last:
            count = n_out * width
            part = slice(to, to + count)
            push_tangent(activation, H[part], slope[part], TZ[part], TH[part])
            TH[to + count : to + count + width] = 0  # of the input that is 1
        at = to
        row += n_out + 1
        at_w += (n_in + bias) * n_out
    tangent_of(loss, factor, sizes[-1], weight, bend[at:], TZ[at:], TD[at:])
    for layer in range(last, -1, -1):
        n_in, n_out = sizes[layer], sizes[layer + 1]
        at_w -= (n_in + bias) * n_out
        if layer == 0:
            outer(out, at_w, n_in + bias, n_out, X, _NONE, TD, at, X, TD, width, _NONE)
            break
        before = at - (n_in + 1) * width
        outer(out, at_w, n_in + bias, n_out, H, before, TD, at, TH, D, width, exact)
        product(TD, before, n_in, width, lanes, w, TD, n_out, v, D, n_out * exact, at_w, n_out, _UNIT, at)
        part = slice(before, before + n_in * width)
        pull_tangent(activation, exact, H[part], slope[part], bend[part], D[part], TZ[part], TD[part])
        at = before
