"""What stands between the layers, on whole layers of a chunk, inside compiled code.

Arrays are flat and hold one layer (LLVM vectorises a loop over all of an array, not one from an offset on). Names: z
before and h = φ(z) after the activation, e the derivative of the loss in h and d = φ'(z) e that in z.
"""

from __future__ import annotations

import math

import numpy as np

from .._jit import kernel
from ._elementary import tanh

IDENTITY, RELU, TANH, GELU = range(4)
ACTIVATIONS = {"tanh": TANH, "relu": RELU, "gelu": GELU, "identity": IDENTITY}

_SQRT_HALF, _DENSITY = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)


@kernel
def activate(activation: int, order: int, H: np.ndarray, slope: np.ndarray, bend: np.ndarray) -> None:
    """Replace z in H by φ(z). For GELU also write φ' (order >= 1) and φ'' (order 2), which do not follow from φ."""
    zero = H.dtype.type(0)
    if activation == TANH:
        for k in range(H.size):
            H[k] = tanh(H[k])
    elif activation == RELU:
        for k in range(H.size):
            H[k] = zero if H[k] <= zero else H[k]
    elif activation == GELU:
        for k in range(H.size):
            z = np.float64(H[k])
            below = 0.5 * math.erfc(-z * _SQRT_HALF)
            density = _DENSITY * math.exp(-0.5 * z * z)
            H[k] = z * below
            if order >= 1:
                slope[k] = below + z * density
            if order >= 2:
                bend[k] = density * (2 - z * z)


@kernel
def pull_back(activation: int, order: int, H: np.ndarray, slope: np.ndarray, bend: np.ndarray, D: np.ndarray) -> None:
    """Replace e in D by d = φ' e; for GELU with order 2 also φ'' in `bend` by φ'' e."""
    zero, one = H.dtype.type(0), H.dtype.type(1)
    if activation == TANH:
        for k in range(H.size):
            D[k] = D[k] * (one - H[k] * H[k])
    elif activation == RELU:
        for k in range(H.size):
            D[k] = D[k] * (zero if H[k] <= zero else one)
    elif activation == GELU:
        for k in range(H.size):
            if order >= 2:
                bend[k] = bend[k] * D[k]
            D[k] = D[k] * slope[k]


@kernel
def push_tangent(activation: int, H: np.ndarray, slope: np.ndarray, TZ: np.ndarray, TH: np.ndarray) -> None:
    """Write the tangent of h, φ' times that of z."""
    zero, one = H.dtype.type(0), H.dtype.type(1)
    if activation == TANH:
        for k in range(H.size):
            TH[k] = (one - H[k] * H[k]) * TZ[k]
    elif activation == RELU:
        for k in range(H.size):
            TH[k] = (zero if H[k] <= zero else one) * TZ[k]
    elif activation == GELU:
        for k in range(H.size):
            TH[k] = slope[k] * TZ[k]
    else:
        TH[:] = TZ


@kernel
def pull_tangent(
    activation: int,
    exact: int,
    H: np.ndarray,
    slope: np.ndarray,
    bend: np.ndarray,
    D: np.ndarray,
    TZ: np.ndarray,
    TD: np.ndarray,
) -> None:
    """Replace the tangent of e in TD by that of d; without `exact`, by its part that is linear in the tangent of e."""
    push_tangent(activation, H, slope, TD, TD)
    if not exact:
        return
    if activation == TANH:  # φ'' e = -2 h φ' e
        for k in range(H.size):
            TD[k] -= (D[k] + D[k]) * H[k] * TZ[k]
    elif activation == GELU:
        for k in range(H.size):
            TD[k] += bend[k] * TZ[k]
