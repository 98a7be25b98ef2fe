"""Norms made of norms: φ(N₁(d₁)/r₁, N₂(d₂)/r₂, ...) with φ = ℓ1, ℓ2 or ℓ∞.

As φ grows with every argument, the dual is φ*(r₁ N₁*(g₁), r₂ N₂*(g₂), ...), and the LMO that of every part times rᵢ
times the weight that the LMO of φ gives the part.
"""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import in_interval
from .base import Norm
from .coordinate import Linf
from .scaled import Immutable


class Composite(Immutable):
    """A norm of the norms of parts; every part is brought to a moderate magnitude by itself.

    Duals of subnormal parts have few digits, and so have weights made of them; where they overflow, the LMO is NaN.

    Attributes:
        outer: φ.
        radii: rᵢ, shape (parts,): the unit ball of part i has the radius rᵢ when the others are zero.
    """

    outer: Norm
    radii: np.ndarray
    dim: int
    #: The part that each coordinate belongs to, shape (dim,).
    _part: np.ndarray

    @abstractmethod
    def _norms(self, d: np.ndarray) -> np.ndarray:
        """Norms of the parts, shape (..., parts)."""

    @abstractmethod
    def _duals(self, g: np.ndarray) -> np.ndarray:
        """Dual norms of the parts, shape (..., parts)."""

    @abstractmethod
    def _ascents(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What the LMOs of the parts attain, shape (..., parts), and they themselves, shape (..., dim)."""

    def norm(self, d: ArrayLike) -> np.ndarray:
        d = self.vectors("d", d)
        with np.errstate(all="ignore"):
            return self.outer.norm(self._norms(d) / self.radii.astype(d.dtype))

    def dual(self, g: ArrayLike) -> np.ndarray:
        g = self.vectors("g", g)
        with np.errstate(all="ignore"):
            return self.outer.dual(self._duals(g) * self.radii.astype(g.dtype))

    def steepest(self, g: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        g = self.vectors("g", g)
        radii = self.radii.astype(g.dtype)
        with np.errstate(all="ignore"):
            values, directions = self._ascents(g)
            value, weights = self.outer.steepest(values * radii)
            return value, directions * (weights * radii)[..., self._part]

    def lmo(self, g: ArrayLike) -> np.ndarray:
        return self.steepest(g)[1]

    def _shared_squared_length(self, lengths: Sequence[float | None]) -> float | None:
        """`squared_length` from those of the parts: all take part in an extreme point for ℓ∞, one of them for ℓ1."""
        known = [length * float(r) ** 2 for length, r in zip(lengths, self.radii, strict=True) if length is not None]
        if len(known) < len(lengths):
            return None
        if isinstance(self.outer, Linf):
            return sum(known)
        return known[0] if len(set(known)) == 1 else None


class Partwise(Composite):
    """Parts that are norms themselves, laid out one after another.

    Attributes:
        parts: The norms.
        sizes: Their numbers of coordinates.
    """

    parts: tuple[Norm, ...]
    sizes: tuple[int, ...]

    def __init__(self, parts: Sequence[Norm], sizes: Sequence[int], radii: ArrayLike | None) -> None:
        self.parts, self.sizes = tuple(parts), tuple(sizes)
        self.dim = sum(self.sizes)
        self.radii = _radii(radii, len(self.parts))
        self._part = np.repeat(np.arange(len(self.parts)), self.sizes)
        self._ends = np.cumsum(self.sizes)

    def squared_length(self, dim: int) -> float | None:
        pairs = zip(self.parts, self.sizes, strict=True)
        return self._shared_squared_length([part.squared_length(size) for part, size in pairs])

    def _split(self, x: np.ndarray) -> list[tuple[Norm, np.ndarray]]:
        return list(zip(self.parts, np.split(x, self._ends[:-1], axis=-1), strict=True))

    def _norms(self, d: np.ndarray) -> np.ndarray:
        return np.stack([part.norm(x) for part, x in self._split(d)], axis=-1)

    def _duals(self, g: np.ndarray) -> np.ndarray:
        return np.stack([part.dual(x) for part, x in self._split(g)], axis=-1)

    def _ascents(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, directions = zip(*(part.steepest(x) for part, x in self._split(g)), strict=True)
        return np.stack(values, axis=-1), np.concatenate(directions, axis=-1)

    def _text(self, names: Sequence[str]) -> str:
        """The parts by their names, and the radii if they are not all one."""
        radii = "" if (self.radii == 1).all() else f"; radii {_shortened([f'{r:g}' for r in self.radii])}"
        return _shortened(names) + radii


def _shortened(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{names[0]}, {names[1]}, ... {len(names)} in all"


def _radii(radii: Any, count: int) -> np.ndarray:
    if radii is None:
        radii = np.ones(count)
    array = in_interval("radii", radii, 0, float("inf"), open_low=True, open_high=True).astype(np.float64)
    if array.shape != (count,):
        raise ValueError(f"radii must be {count} numbers, one per part, got shape {array.shape}")
    array.flags.writeable = False
    return array
