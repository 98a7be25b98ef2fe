"""Closed forms on arrays, NaN outside their domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array


def inside(formula: Callable[..., Any], domain: Callable[..., Any], **values: ArrayLike) -> Any:
    """Return formula(**values) where domain(**values) holds and NaN elsewhere.

    Args:
        formula: Function of keywords, elementwise.
        domain: Condition on the same keywords.
        **values: Numbers or arrays; they broadcast.

    Returns:
        A float64 number, or an array of the broadcast shape.

    Raises:
        TypeError: If a value is not real.
        ValueError: If shapes do not broadcast.
    """
    arrays = {name: real_array(name, value, dtype=np.float64) for name, value in values.items()}
    try:
        broadcast = np.broadcast_arrays(*arrays.values())
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ValueError(f"shapes do not broadcast: {shapes}") from None
    arguments = dict(zip(arrays, broadcast, strict=True))
    with np.errstate(all="ignore"):
        return np.where(domain(**arguments), formula(**arguments), np.nan)[()]
