"""What a norm is here: its value, its dual norm, and the direction of steepest ascent in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import positive_int, real_array


@dataclass(frozen=True)
class Traits:
    """What is known of a norm beyond its values.

    Attributes:
        rotation_equivariant: Whether ‖Qd‖ = ‖d‖ for every orthogonal Q: the norm is a multiple of the Euclidean one.
        polyhedral: Whether the unit ball is a polytope.
        exact_lmo: Whether the LMO is a maximiser up to rounding; False where an iteration stops short of it.
        exact_sharpness: For which Hessians the generalised sharpness is known exactly, in words.
    """

    rotation_equivariant: bool = False
    polyhedral: bool = False
    exact_lmo: bool = True
    exact_sharpness: str = "H of rank one"


class Norm(ABC):
    """A norm ‖d‖ on R^dim with its dual ‖g‖* = max {<g, d> : ‖d‖ <= 1} and a maximiser, the LMO.

    A norm of one's own is a subclass with `norm` and `lmo`; `dual` follows (override it where it is cheaper or more
    accurate), and `eossim.norms.check` holds all three against the axioms. Vectors have shape (..., dim): leading axes
    are a batch, and every result broadcasts over them. float32 gives float32, all else float64. NaN and infinity give
    NaN or infinity back and leave the other vectors of the batch alone.

    Attributes:
        dim: Number of coordinates, or None for a norm of vectors of any length.
    """

    dim: int | None = None

    @property
    def name(self) -> str:
        """What the norm is called in tables: the name of the class in lower case unless overridden."""
        return type(self).__name__.lower()

    @property
    def traits(self) -> Traits:
        """What is known of the norm; by default what is true of every norm."""
        return Traits()

    def squared_length(self, dim: int) -> float | None:
        """‖d‖₂² of the extreme points of the unit ball in R^dim if all share one (ℓ∞: dim), else None.

        A shift H + κI then leaves the maximiser of dᵀHd over them where it is.
        """
        return None

    @abstractmethod
    def norm(self, d: ArrayLike) -> np.ndarray:
        """Norm ‖d‖, shape (...), of vectors of shape (..., dim)."""

    @abstractmethod
    def lmo(self, g: ArrayLike) -> np.ndarray:
        """A maximiser of <g, d> over the unit ball, shape (..., dim): the direction of steepest *ascent*.

        Its norm is 1 where g is not zero; the maximiser for g = 0 is taken to be 0.
        """

    def dual(self, g: ArrayLike) -> np.ndarray:
        """Dual norm ‖g‖*, shape (...)."""
        return self.steepest(g)[0]

    def steepest(self, g: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return (<g, u>, u) with u = LMO(g); override it where the two share work.

        The first is ‖g‖*, or what an approximate LMO attains of it (`traits.exact_lmo` is False).
        """
        g = self.vectors("g", g)
        u = self.lmo(g)
        with np.errstate(over="ignore", invalid="ignore"):
            return (g * u).sum(axis=-1), u

    def vectors(self, name: str, value: ArrayLike) -> np.ndarray:
        """Return an array of vectors of this norm, shape (..., dim); NaN and infinity pass.

        Raises:
            TypeError: If it does not hold real numbers.
            ValueError: If its last axis is not one of vectors of this norm.
        """
        array = real_array(name, value)
        if array.ndim == 0 or array.shape[-1] != (self.dim or array.shape[-1]) or not array.shape[-1]:
            wanted = "dim" if self.dim is None else self.dim
            raise ValueError(f"{name} must have shape (..., {wanted}) for the norm {self.name}, got {array.shape}")
        return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)

    def check_dim(self, dim: int) -> None:
        """Raise ValueError unless the norm is one of vectors of length `dim`, TypeError if its own is no integer."""
        if self.dim is not None and positive_int(f"dim of the norm {self.name}", self.dim) != dim:
            raise ValueError(f"the norm {self.name} is for {self.dim} coordinates, the problem has {dim}")

    def __repr__(self) -> str:
        return self.name


def require_norm(name: str, value: Any) -> Norm:
    """Return `value` if it is a norm.

    Raises:
        TypeError: If it is not; the message says how to make one.
    """
    if isinstance(value, Norm):
        return value
    if isinstance(value, type) and issubclass(value, Norm):
        raise TypeError(f"{name} must be a norm, got the class {value.__name__}: write {value.__name__}(...)")
    got = f'"{value}": eossim.norms.from_name makes norms from names' if isinstance(value, str) else repr(value)
    raise TypeError(f"{name} must be a norm such as eossim.norms.Linf(), got {got}")


def validated(norm: Norm, dim: int) -> Norm:
    """Return the norm if it, or a part of it, that is a user's own answers a batch of two vectors as `Norm` says.

    Raises:
        TypeError: If an answer holds no real numbers.
        ValueError: If the norm is for vectors of another length, an answer has a wrong shape, or a method fails; the
            message says which method, and for what.
    """
    norm.check_dim(dim)
    for part, size in zip(getattr(norm, "parts", ()), getattr(norm, "sizes", ()), strict=False):
        validated(part, size)
    if type(norm).__module__.startswith(__name__.partition(".")[0] + "."):
        return norm
    x = np.random.default_rng(0).standard_normal((2, dim))
    for method in ("norm", "lmo", "dual", "steepest"):
        asked = f"{method} of the norm {norm.name}, asked with shape {x.shape},"
        hint = f"; eossim.norms.check(norm, {dim}) tells more"
        given = x.copy()
        try:
            answer = getattr(norm, method)(given)
        except Exception as error:
            alone = "" if norm.dim else "; if it is for vectors of one length only, give it the attribute dim"
            raise ValueError(f"{asked} raised {type(error).__name__}: {error}{alone}{hint}") from error
        shapes = {"norm": [(2,)], "dual": [(2,)], "lmo": [x.shape], "steepest": [(2,), x.shape]}[method]
        parts = [answer] if len(shapes) == 1 else answer
        if not isinstance(parts, list | tuple) or len(parts) != len(shapes):
            raise TypeError(f"{asked} must return a value and a direction, got {answer!r}{hint}")
        for part, shape in zip(parts, shapes, strict=True):
            try:
                got = real_array(f"what {asked} returns", part).shape
            except (TypeError, ValueError) as error:
                raise type(error)(f"{error}{hint}") from None
            if got != shape:
                raise ValueError(f"{asked} must return shape {shape}, got {got}: leading axes are a batch{hint}")
        if not np.array_equal(given, x):
            raise ValueError(f"{asked} must not write into its argument: work on a copy{hint}")
    return norm


def require_list(name: str, value: Any, wanted: str) -> Sequence[Any]:
    """Return `value` if it is a list or tuple that is not empty; an array as a list.

    Raises:
        TypeError: If it is none; the message says what is `wanted`.
        ValueError: If it is empty.
    """
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    if not value:
        raise ValueError(f"{name} must be {wanted}, got none")
    return value
