"""What an exact oracle gives back, and how it says that it has no answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Found:
    """A maximiser of the quadratic form over the unit sphere of a norm.

    Attributes:
        value: dᵀHd at the witness, which attains it.
        witness: d with ‖d‖ = 1, shape (dim,).
        how: The method, in words.
    """

    value: float
    witness: np.ndarray
    how: str

    @classmethod
    def at(cls, H: np.ndarray, point: np.ndarray, how: str) -> Found:
        """Return what is found at `point`, which has norm 1 already."""
        return cls(float(point @ H @ point), point, how)


#: Part of a value that what rounding left undecided may be.
DECIDED = 1e-9


class Unsolved(Exception):  # noqa: N818  (not an error: `exact_sharpness` answers None)
    """No exact method fits; the text says what it would take."""
