"""What stands behind the last layer, on a chunk of samples, inside compiled code.

Outputs f and targets y stand as [output, sample]. `weight` is that of every sample in the loss, 0 for the samples that
fill up the last vector; `factor` belongs to the mean square.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import kernel
from ._elementary import exp

MSE, CROSS_ENTROPY = range(2)
LOSSES = {"mse": MSE, "cross-entropy": CROSS_ENTROPY}


@kernel
def loss_of(
    loss: int,
    factor: float,
    outputs: int,
    F: np.ndarray,
    Y: np.ndarray,
    weight: np.ndarray,
    D: np.ndarray,
    state: np.ndarray,
) -> float:
    """Return the loss; write its derivatives in f to D and the probabilities of cross-entropy to `state`.

    Mean square: factor Σ weight (f - y)². Cross-entropy: Σ weight (log Σ exp f - f at the label).
    """
    width = len(weight)
    # A sum for each sample first: its order is fixed, whichever process compiled it, and samples are the lanes.
    each, total = np.zeros_like(weight), F.dtype.type(0)
    if loss == MSE:
        one = F.dtype.type(factor)
        two = one + one
        for o in range(outputs):
            row = o * width
            for s in range(width):
                d = F[row + s] - Y[row + s]
                each[s] += weight[s] * (d * d)
                D[row + s] = two * weight[s] * d
        for s in range(width):
            total += each[s]
        return one * total
    top, partition = np.empty_like(weight), np.zeros_like(weight)
    top[:] = F[:width]
    for o in range(1, outputs):
        row = o * width
        for s in range(width):
            top[s] = top[s] if F[row + s] <= top[s] else F[row + s]
    for o in range(outputs):
        row = o * width
        for s in range(width):
            state[row + s] = exp(F[row + s] - top[s])
            partition[s] += state[row + s]
    for o in range(outputs):
        row = o * width
        for s in range(width):
            y = Y[row + s]
            state[row + s] /= partition[s]
            D[row + s] = weight[s] * (state[row + s] - y)
            each[s] += weight[s] * y * (top[s] - F[row + s])
    for s in range(width):
        total += each[s] + weight[s] * math.log(partition[s])
    return total


@kernel
def tangent_of(
    loss: int,
    factor: float,
    outputs: int,
    weight: np.ndarray,
    state: np.ndarray,
    tangent: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the Hessian of the loss in f times a tangent of f."""
    width = len(weight)
    if loss == MSE:
        one = out.dtype.type(factor)
        two = one + one
        for o in range(outputs):
            row = o * width
            for s in range(width):
                out[row + s] = two * weight[s] * tangent[row + s]
        return
    mean = np.zeros_like(weight)
    for o in range(outputs):
        row = o * width
        for s in range(width):
            mean[s] += state[row + s] * tangent[row + s]
    for o in range(outputs):
        row = o * width
        for s in range(width):
            out[row + s] = weight[s] * state[row + s] * (tangent[row + s] - mean[s])
