"""Norms of matrices and of layers of matrices: spectral and nuclear."""

# ruff: noqa: D102 (what overrides a method of Norm is documented there)
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import choice, positive_int
from .base import Traits, require_list
from .composite import Partwise
from .coordinate import Linf, euclidean, normalised
from .polar import METHODS, leading, newton_schulz, polar_and_sum, singular_values
from .scaled import ScaledNorm

Shape = tuple[int, int]


class _MatrixNorm(ScaledNorm):
    """A norm of one matrix, flattened row by row.

    Attributes:
        shape: (m, n).
    """

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.dim = shape[0] * shape[1]
        self._rank = min(shape)

    def _matrices(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:-1], *self.shape)

    def _singular_values(self, x: np.ndarray) -> np.ndarray:
        return euclidean(x)[..., None] if self._rank == 1 else singular_values(self._matrices(x))


class MatrixSpectral(_MatrixNorm):
    """σ_max of one matrix, see `Spectral`."""

    def __init__(self, shape: Shape, polar: str = "svd", steps: int = 5) -> None:
        super().__init__(shape)
        self.polar, self.steps = polar, steps

    @property
    def name(self) -> str:
        return f"spectral[{shape_text(self.shape)}]"

    @property
    def traits(self) -> Traits:
        return Traits(rotation_equivariant=self._rank == 1, exact_lmo=self._rank == 1 or self.polar == "svd")

    def squared_length(self, dim: int) -> float:
        return float(self._rank)

    def _norm(self, d: np.ndarray) -> np.ndarray:
        return self._singular_values(d)[..., 0]

    def _dual(self, g: np.ndarray) -> np.ndarray:
        return self._singular_values(g).sum(axis=-1)

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._rank == 1:
            return normalised(g)
        if self.polar == "newton_schulz":
            direction = newton_schulz(self._matrices(g), self.steps).reshape(g.shape)
            return (g * direction).sum(axis=-1), direction
        value, factor = polar_and_sum(self._matrices(g))
        return value, factor.reshape(g.shape)


class Spectral(Partwise):
    """max σ_max(D_l)/r_l over layers, with the dual Σ r_l ‖G_l‖_nuc; the LMO is r_l U_l V_lᵀ in every layer.

    Normalised steepest descent is Muon without momentum. Layers stand one after another, each flattened row by row.

    Args:
        shapes: Shapes (m, n) of the layers, or a single one; vectors (n,) count as n x 1, where σ_max is the length.
        radii: r_l > 0, one per layer; all 1 by default.
        polar: How U Vᵀ is computed (see `polar_factor`): ``"svd"``, or ``"newton_schulz"`` in 5 steps. The
            direction u of that one is no maximiser: ‖u‖ is up to 1.124, and `steepest` returns the <g, u> that it
            attains, by which with ‖u‖ a step is to be measured. `norm` and `dual` are exact all the same.

    Attributes:
        shapes: Shapes of the layers, all of two numbers.
        radii: r_l, shape (layers,).
        polar: ``"svd"`` or ``"newton_schulz"``.
        parts: The norms of the layers without their radii.

    Raises:
        TypeError: If shapes are not pairs of integers.
        ValueError: If a number is not positive, or the radii are not one per layer.
    """

    outer = Linf()

    def __init__(self, shapes: Sequence[Any], radii: ArrayLike | None = None, polar: str = "svd") -> None:
        self.shapes = _shapes(shapes)
        self.polar = choice("polar", polar, METHODS)
        super().__init__([MatrixSpectral(s, self.polar) for s in self.shapes], [m * n for m, n in self.shapes], radii)

    @property
    def name(self) -> str:
        iteration = "" if self.polar == "svd" else f"; {self.polar}"
        return f"spectral[{self._text([shape_text(s) for s in self.shapes])}{iteration}]"

    @property
    def traits(self) -> Traits:
        return Traits(
            rotation_equivariant=len(self.shapes) == 1 and min(self.shapes[0]) == 1,
            exact_lmo=all(part.traits.exact_lmo for part in self.parts),
            exact_sharpness="one matrix: semidefinite H if 2 x 2, H of D -> BDA, diagonal H; H of rank one",
        )


class Nuclear(_MatrixNorm):
    """Sum of the singular values of a matrix, with the dual σ_max(G); the LMO is u₁v₁ᵀ.

    Args:
        shape: (m, n); a vector (n,) counts as n x 1.

    Raises:
        TypeError: If the shape is not one or two integers.
        ValueError: If a number is not positive.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__(_shape("shape", shape))

    @property
    def name(self) -> str:
        return f"nuclear[{shape_text(self.shape)}]"

    @property
    def traits(self) -> Traits:
        return Traits(
            rotation_equivariant=self._rank == 1,
            exact_sharpness="any H if 2 x 2; H of D -> BDA, diagonal H, H of rank one",
        )

    def squared_length(self, dim: int) -> float:
        return 1.0

    def _norm(self, d: np.ndarray) -> np.ndarray:
        return self._singular_values(d).sum(axis=-1)

    def _dual(self, g: np.ndarray) -> np.ndarray:
        return self._singular_values(g)[..., 0]

    def _steepest(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self._rank == 1:
            return normalised(g)
        value, direction = leading(self._matrices(g))
        return value, direction.reshape(g.shape)


def shape_text(shape: Shape) -> str:
    """A shape as in "8x8"."""
    return "x".join(map(str, shape))


def _shapes(shapes: Any) -> tuple[Shape, ...]:
    if not isinstance(require_list("shapes", shapes, "a shape (m, n) or a list of shapes")[0], list | tuple):
        return (_shape("shapes", shapes),)
    return tuple(_shape(f"shapes[{i}]", shape) for i, shape in enumerate(shapes))


def _shape(name: str, shape: Any) -> Shape:
    entries = require_list(name, shape, "(m, n), or (n,) for a vector")
    sizes = tuple(positive_int(f"{name}[{i}]", size) for i, size in enumerate(entries))
    if len(sizes) > 2:
        flat = (sizes[0], math.prod(sizes[1:]))
        raise ValueError(f"{name} must be (m, n), got {sizes}: give a convolution as (out, rest) = {flat}")
    return (sizes[0], sizes[1] if len(sizes) == 2 else 1)
