"""Norms of blocks of coordinates, each measured by its ℓ2 length."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array
from .base import Traits, require_list
from .composite import Composite
from .coordinate import L1, Linf, nonzero


class _Blocks(Composite):
    """A norm of the ℓ2 lengths of blocks.

    Attributes:
        blocks: The coordinates of each block, a partition of range(dim).
    """

    blocks: tuple[np.ndarray, ...]

    def __init__(self, blocks: Sequence[ArrayLike]) -> None:
        self.blocks = _partition(blocks)
        sizes = [len(block) for block in self.blocks]
        self.dim = sum(sizes)
        self.radii = np.ones(len(sizes))
        self._order = np.concatenate(self.blocks)
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._part = np.empty(self.dim, dtype=np.intp)
        self._part[self._order] = np.repeat(np.arange(len(sizes)), sizes)

    def squared_length(self, dim: int) -> float | None:
        return self._shared_squared_length([1.0] * len(self.blocks))

    def _norms(self, d: np.ndarray) -> np.ndarray:
        return self._ascents(d)[0]

    def _duals(self, g: np.ndarray) -> np.ndarray:
        return self._ascents(g)[0]

    def _ascents(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = np.maximum.reduceat(np.abs(g)[..., self._order], self._starts, axis=-1)
        t = g / nonzero(top)[..., self._part]  # of every block its own magnitude
        length = np.sqrt(np.add.reduceat(np.square(t)[..., self._order], self._starts, axis=-1))
        return top * length, t / nonzero(length)[..., self._part]


class BlockSum(_Blocks):
    """Σ‖d_b‖₂ with the dual max‖g_b‖₂; the LMO is g_b/‖g_b‖₂ of the block where it is largest, the first of several.

    Steepest descent is greedy block coordinate descent.

    Args:
        blocks: The coordinates of each block; together every one from 0 to dim - 1 once.

    Raises:
        TypeError: If the blocks are not lists of integers.
        ValueError: If they overlap, leave a coordinate out or are empty.
    """

    outer = L1()

    @property
    def name(self) -> str:
        return f"block_sum[{len(self.blocks)} blocks]"

    @property
    def traits(self) -> Traits:
        return Traits(
            rotation_equivariant=len(self.blocks) == 1,
            polyhedral=len(self.blocks) == self.dim,
            exact_sharpness="semidefinite H",
        )


class BlockMax(_Blocks):
    """max‖d_b‖₂ with the dual Σ‖g_b‖₂; the LMO is g_b/‖g_b‖₂ in every block.

    Args:
        blocks: As in `BlockSum`.
    """

    outer = Linf()

    @property
    def name(self) -> str:
        return f"block_max[{len(self.blocks)} blocks]"

    @property
    def traits(self) -> Traits:
        return Traits(
            rotation_equivariant=len(self.blocks) == 1,
            polyhedral=len(self.blocks) == self.dim,
            exact_sharpness="any H of two blocks; H of rank one",
        )


def _partition(blocks: Any) -> tuple[np.ndarray, ...]:
    wanted = "lists of coordinates, such as [[0, 1], [2, 3]]"
    lists = [_indices(f"blocks[{b}]", block) for b, block in enumerate(require_list("blocks", blocks, wanted))]
    home: dict[int, int] = {}
    for b, block in enumerate(lists):
        for i in block.tolist():
            if i in home:
                both = f"blocks[{home[i]}] and blocks[{b}]" if home[i] != b else f"blocks[{b}] twice"
                raise ValueError(f"blocks must not overlap: coordinate {i} is in {both}")
            home[i] = b
    missing = next((i for i in range(len(home)) if i not in home), None)
    if missing is not None:
        raise ValueError(
            f"blocks must hold every coordinate up to {max(home)}, the largest one, but {missing} is in none of them: "
            "add it, alone in a block if need be"
        )
    return tuple(lists)


def _indices(name: str, block: Any) -> np.ndarray:
    array = real_array(name, block)
    if array.ndim != 1:
        raise TypeError(f"{name} must be a list of coordinates, got shape {array.shape}")
    if not len(array):
        raise ValueError(f"{name} must not be empty")
    if np.asarray(block).dtype.kind not in "iu":
        raise TypeError(f"{name} must hold integers, got {block!r}")
    if array.min() < 0:
        raise ValueError(f"{name} must hold coordinates from 0 on, got {int(array.min())}")
    indices = array.astype(np.intp)
    indices.flags.writeable = False
    return indices
