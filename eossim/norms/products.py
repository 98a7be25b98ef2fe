"""Norms of vectors laid out in parts, each with a norm of its own: the layers of a network."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from .._check import positive_int
from .base import Norm, Traits, require_list, require_norm
from .composite import Partwise
from .coordinate import L1, L2, Linf


class MaxProduct(Partwise):
    """max Nᵢ(dᵢ)/rᵢ with the dual Σ rᵢ Nᵢ*(gᵢ); the LMO is that of every part times rᵢ: all parts move.

    Args:
        parts: Norms with a known number of coordinates, or pairs (norm, dim) for those of any length.
        radii: rᵢ > 0, one per part; all 1 by default. Scaling rᵢ multiplies the step of part i.

    Raises:
        TypeError: If a part is no norm.
        ValueError: If the length of a part is not known, or the radii are not positive numbers, one per part.
    """

    outer = Linf()

    def __init__(self, parts: Sequence[Norm | tuple[Norm, int]], radii: ArrayLike | None = None) -> None:
        super().__init__(*_parts(parts), radii)

    @property
    def name(self) -> str:
        return f"max_product[{self._text([part.name for part in self.parts])}]"

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=_polyhedral(self.parts), exact_lmo=_exact(self.parts))


class SumProduct(Partwise):
    """Σ Nᵢ(dᵢ) with the dual max Nᵢ*(gᵢ); the LMO is that of the part of the largest dual, the first of several.

    Args:
        parts: As in `MaxProduct`.
    """

    outer = L1()

    def __init__(self, parts: Sequence[Norm | tuple[Norm, int]]) -> None:
        super().__init__(*_parts(parts), None)

    @property
    def name(self) -> str:
        return f"sum_product[{self._text([part.name for part in self.parts])}]"

    @property
    def traits(self) -> Traits:
        return Traits(polyhedral=_polyhedral(self.parts), exact_lmo=_exact(self.parts))


class L2Product(Partwise):
    """√(Σ Nᵢ(dᵢ)²) with the dual √(Σ Nᵢ*(gᵢ)²); the LMO is that of every part times Nᵢ*(gᵢ)/‖g‖*.

    In steepest descent each part is scaled by its own dual norm, without the others.

    Args:
        parts: As in `MaxProduct`.
    """

    outer = L2()

    def __init__(self, parts: Sequence[Norm | tuple[Norm, int]]) -> None:
        super().__init__(*_parts(parts), None)

    @property
    def name(self) -> str:
        return f"l2_product[{self._text([part.name for part in self.parts])}]"

    @property
    def traits(self) -> Traits:
        euclidean = (
            all(part.traits.rotation_equivariant for part in self.parts) and self.squared_length(self.dim) is not None
        )
        return Traits(rotation_equivariant=euclidean, exact_lmo=_exact(self.parts))


def _polyhedral(parts: Sequence[Norm]) -> bool:
    return all(part.traits.polyhedral for part in parts)


def _exact(parts: Sequence[Norm]) -> bool:
    return all(part.traits.exact_lmo for part in parts)


def _parts(parts: Any) -> tuple[list[Norm], list[int]]:
    norms, sizes = [], []
    for i, part in enumerate(require_list("parts", parts, "a list of norms, or of pairs (norm, dim)")):
        norm, dim = part if isinstance(part, tuple) and len(part) == 2 else (part, None)
        norm = require_norm(f"parts[{i}]", norm)
        dim = norm.dim if dim is None else positive_int(f"the length of parts[{i}]", dim)
        if dim is None:
            raise ValueError(f"parts[{i}] ({norm.name}) is for vectors of any length: give it as ({norm.name}, dim)")
        if norm.dim not in (None, dim):
            raise ValueError(f"parts[{i}] ({norm.name}) is for {norm.dim} coordinates, got ({norm.name}, {dim})")
        norms.append(norm)
        sizes.append(dim)
    return norms, sizes
