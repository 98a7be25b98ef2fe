"""How weights are drawn and what they are multiplied by in a network, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._check import finite_array

PARAMETRIZATIONS = ("standard", "ntk", "mup")


def gains(gain: Any, last_gain: Any, layers: int) -> np.ndarray:
    """Return the gain of every layer, shape (layers,).

    Raises:
        TypeError: If a gain is not a real number.
        ValueError: If a gain is negative or not finite, or there is another number of them.
    """
    each = finite_array("gain", gain, ndim=(0, 1), dtype=np.float64)
    if each.ndim and len(each) != layers:
        raise ValueError(f"gain must be one number or one for each of the {layers} layers, got {len(each)}")
    each = np.broadcast_to(each, (layers,)).copy()
    if last_gain is not None:
        each[-1] = finite_array("last_gain", last_gain, ndim=0, dtype=np.float64)
    if (each < 0).any():
        raise ValueError(f"gains must be at least 0, got {each[each < 0][0]:g}")
    return each


def scales(parametrization: str, sizes: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return multipliers of weights, multipliers of biases and deviations of weights at gain 1, layer by layer."""
    fan_in, fan_out = (np.array(s, dtype=np.float64) for s in (sizes[:-1], sizes[1:]))
    ones = np.ones(len(fan_in))
    if parametrization == "ntk":
        return 1 / np.sqrt(fan_in), ones, ones
    weights, biases = ones.copy(), ones.copy()
    if parametrization == "mup" and len(fan_in) > 1:
        biases[:-1] = np.sqrt(fan_out[:-1])
        weights[0], weights[-1] = np.sqrt(fan_out[0]), 1 / np.sqrt(fan_in[-1])
        return weights, biases, np.concatenate([[1 / np.sqrt(fan_in[0] * fan_out[0])], 1 / np.sqrt(fan_in[1:])])
    return weights, biases, 1 / np.sqrt(fan_in)
