"""Norms of vectors of any magnitude: written for moderate ones, scaled by powers of two."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .base import Norm


class Immutable(Norm):
    """A norm whose attributes are set once; two of the same class and with the same attributes are equal."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            raise AttributeError(f"the norm {self.name} does not change: make another instead of setting {name}")
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Immutable) and type(self) is type(other) and _frozen(self) == _frozen(other)

    def __hash__(self) -> int:
        return hash((type(self), _frozen(self)))


def _frozen(value: Any) -> Any:
    """What a norm, or one of its attributes, is equal by."""
    if isinstance(value, Immutable):
        return type(value), tuple((name, _frozen(part)) for name, part in sorted(vars(value).items()))
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    return tuple(map(_frozen, value)) if isinstance(value, tuple) else value


class ScaledNorm(Immutable):
    """A norm given by `_norm` and `_steepest` on vectors whose squares neither overflow nor all underflow.

    Vectors beyond that are scaled by a power of two first, which rounds nothing, and those with NaN or infinity are
    kept away: their norm is NaN or infinity, their LMO NaN. A value rounds to zero only below the smallest positive
    float; the LMO of subnormal vectors is as good as their few digits.
    """

    #: Whether squares or other powers are taken; sums need no scaling, which would lose the signs of tiny coordinates.
    _powers = True

    @abstractmethod
    def _norm(self, d: np.ndarray) -> np.ndarray:
        """Norm, shape (...)."""

    @abstractmethod
    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Dual norm, shape (...), and LMO, shape (..., dim); zero for zero vectors."""

    def _dual(self, g: np.ndarray) -> np.ndarray:
        return self._steepest(g)[0]

    def norm(self, d: ArrayLike) -> np.ndarray:
        scale = _Scale(self.vectors("d", d), self._powers)
        with np.errstate(all="ignore"):
            return scale.back(self._norm(scale.vectors))

    def dual(self, g: ArrayLike) -> np.ndarray:
        scale = _Scale(self.vectors("g", g), self._powers)
        with np.errstate(all="ignore"):
            return scale.back(self._dual(scale.vectors))

    def steepest(self, g: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        scale = _Scale(self.vectors("g", g), self._powers)
        with np.errstate(all="ignore"):
            value, direction = self._steepest(scale.vectors)
            return scale.back(value), scale.without_lost(direction)

    def lmo(self, g: ArrayLike) -> np.ndarray:
        return self.steepest(g)[1]


class _Scale:
    """Vectors brought to a moderate magnitude, zero in place of those that are not finite."""

    def __init__(self, x: np.ndarray, powers: bool) -> None:
        limit = 2.0 ** (np.finfo(x.dtype).maxexp // 4) if powers else np.inf
        self._largest = np.abs(x).max(axis=-1)
        moderate = (self._largest == 0) | ((self._largest > 1 / limit) & (self._largest < limit))
        self._exponent: np.ndarray | None = None
        self.vectors = x
        if not moderate.all():
            self._finite = np.isfinite(self._largest)
            self._exponent = np.where(moderate | ~self._finite, 0, np.frexp(self._largest)[1])
            with np.errstate(all="ignore"):
                scaled = np.ldexp(x, -self._exponent[..., None])
            self.vectors = np.where(self._finite[..., None], scaled, 0)

    def back(self, value: np.ndarray) -> np.ndarray:
        """Undo the scaling of a value that is homogeneous of degree one."""
        if self._exponent is None:
            return value
        return np.where(self._finite, np.ldexp(value, self._exponent), self._largest)

    def without_lost(self, direction: np.ndarray) -> np.ndarray:
        """NaN in place of the directions of vectors that are not finite."""
        return direction if self._exponent is None else np.where(self._finite[..., None], direction, np.nan)
