"""Norms of the coordinates: ℓ2, ℓ1, ℓ∞ and ℓp."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

import numpy as np

from .._check import in_interval
from .base import Traits
from .scaled import ScaledNorm


def euclidean(x: np.ndarray) -> np.ndarray:
    """‖x‖₂ along the last axis, for moderate magnitudes."""
    return np.sqrt(np.square(x).sum(axis=-1))


def nonzero(x: np.ndarray) -> np.ndarray:
    """`x` with 1 in place of 0, to divide by."""
    return np.where(x == 0, 1, x)


def normalised(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """‖x‖₂ and x/‖x‖₂, for moderate magnitudes; the direction of zero is zero."""
    length = euclidean(x)
    return length, x / nonzero(length)[..., None]


class L2(ScaledNorm):
    """‖d‖₂, its own dual; the LMO is g/‖g‖₂ and steepest descent is gradient descent."""

    @property
    def traits(self) -> Traits:
        return Traits(rotation_equivariant=True, exact_sharpness="any H")

    def squared_length(self, dim: int) -> float:
        return 1.0

    def _norm(self, d: np.ndarray) -> np.ndarray:
        return euclidean(d)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return normalised(g)


class Frobenius(L2):
    """The ℓ2 norm under the name it has for matrices."""


class L1(ScaledNorm):
    """Σ|dᵢ| with the dual max|gᵢ|; the LMO is sign(gᵢ) eᵢ at the largest |gᵢ|, at the first one of several.

    Steepest descent is greedy coordinate descent (the Gauss-Southwell rule).
    """

    _powers = False

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=True, exact_sharpness="semidefinite H; any H of few coordinates")

    def squared_length(self, dim: int) -> float:
        return 1.0

    def _norm(self, d: np.ndarray) -> np.ndarray:
        return np.abs(d).sum(axis=-1)

    def _dual(self, g: np.ndarray) -> np.ndarray:
        return np.abs(g).max(axis=-1)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(g)
        first = size.argmax(axis=-1)[..., None]
        direction = np.zeros_like(g)
        np.put_along_axis(direction, first, np.sign(np.take_along_axis(g, first, axis=-1)), axis=-1)
        return np.take_along_axis(size, first, axis=-1)[..., 0], direction


class Linf(ScaledNorm):
    """max|dᵢ| with the dual Σ|gᵢ|; the LMO is sign(g), with sign(0) = 0; normalised, descent is sign descent."""

    _powers = False

    @property
    def traits(self) -> Traits:
        return Traits(
            polyhedral=True,
            exact_sharpness="any H up to dimension 26, 16 if its diagonal is negative; H without frustration",
        )

    def squared_length(self, dim: int) -> float:
        return float(dim)

    def _norm(self, d: np.ndarray) -> np.ndarray:
        return np.abs(d).max(axis=-1)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.abs(g).sum(axis=-1), np.sign(g)


#: The values of p that have formulas of their own.
_SPECIAL: dict[float, ScaledNorm] = {1.0: L1(), 2.0: L2(), np.inf: Linf()}


class Lp(ScaledNorm):
    """(Σ|dᵢ|ᵖ)^(1/p) for 1 <= p <= ∞, with the dual ℓq, 1/p + 1/q = 1; the LMO is sign(g) (|g|/‖g‖_q)^(q-1).

    Attributes:
        p: The exponent; 1, 2 and inf are the norms `L1`, `L2` and `Linf`.

    Raises:
        TypeError: If p is not a real number.
        ValueError: If p < 1 (the triangle inequality fails) or p is NaN.
    """

    def __init__(self, p: float) -> None:
        exponent = in_interval("p", p, 1)
        if exponent.ndim:
            raise ValueError(f"p must be a single number, got shape {exponent.shape}")
        self.p = float(exponent)
        self._powers = self.p not in (1, np.inf)

    @property
    def name(self) -> str:
        return f"lp[{self.p:g}]"

    @property
    def traits(self) -> Traits:
        return (
            _SPECIAL[self.p].traits
            if self.p in _SPECIAL
            else Traits(exact_sharpness="diagonal H; for p > 2, H without negative entries")
        )

    def squared_length(self, dim: int) -> float | None:
        return _SPECIAL[self.p].squared_length(dim) if self.p in _SPECIAL else None

    def _norm(self, d: np.ndarray) -> np.ndarray:
        if self.p in _SPECIAL:
            return _SPECIAL[self.p]._norm(d)
        top, t = _relative(d)
        return top * (t**self.p).sum(axis=-1) ** (1 / self.p)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.p in _SPECIAL:
            return _SPECIAL[self.p]._steepest(g)
        q = self.p / (self.p - 1)
        top, t = _relative(g)  # powers of it neither overflow nor all underflow, however large q is
        total = (t**q).sum(axis=-1)
        direction = np.sign(g) * t ** (q - 1) / nonzero(total)[..., None] ** (1 / self.p)
        return top * total ** (1 / q), direction


def _relative(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """max|xᵢ| and |x| relative to it."""
    size = np.abs(x)
    top = size.max(axis=-1)
    return top, size / nonzero(top)[..., None]
