"""What the problems of every library share: flat NumPy vectors outside, one point at a time inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from .._check import real_array
from ..problems.finite_sum import single_point, vector_per_sample

#: Numbers in an array of one vector per sample that are worked on at once.
_NUMBERS = 1 << 24
#: Samples that are looked at to see whether a loss is a mean over samples; values of targets that get one each.
SAMPLES_CHECKED, _VALUES_CHECKED = 16, 128


class FlatProblem(ABC):
    """A loss L(w) of another library, on flat vectors w of the floating type of its parameters.

    Leading axes of w and v are a batch of points, gone through one by one. NaN and infinity pass.

    Args:
        names: Names of the parameters.
        layers: Their shapes.
        dtype: Their floating type.

    Attributes:
        dim: Number of parameters.
        names: Their names, in the order in which they lie in w, each row-major.
        layers: Their shapes, in the same order.
        dtype: float32 or float64: what w and v are converted to, and what comes back.
    """

    def __init__(self, names: list[str], layers: list[tuple[int, ...]], dtype: DTypeLike) -> None:
        self.names, self.layers = tuple(names), tuple(layers)
        self.dtype = np.dtype(dtype)
        self.sizes = [prod(shape) for shape in layers]
        self.dim = sum(self.sizes)

    @property
    @abstractmethod
    def w(self) -> np.ndarray:
        """The parameters of the model, shape (dim,): a copy."""

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss L(w), shape (...), at w of shape (..., dim)."""
        points = self._points("w", w)
        values = [self._loss(point) for point in points.reshape(-1, self.dim)]
        return np.array(values, dtype=self.dtype).reshape(points.shape[:-1])[()]

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient ∇L(w), shape (..., dim), at w of shape (..., dim)."""
        points = self._points("w", w)
        rows = [self._grad(point) for point in points.reshape(-1, self.dim)]
        return np.array(rows, dtype=self.dtype).reshape(points.shape)

    def hvp(self, w: ArrayLike, v: ArrayLike) -> np.ndarray:
        """Exact Hessian-vector product ∇²L(w) v; both of shape (..., dim), leading axes broadcast.

        Many vectors at one point share what depends on the point alone.
        """
        point, vector = self._points("w", w), self._points("v", v)
        try:
            shape = np.broadcast_shapes(point.shape, vector.shape)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {point.shape}, got {vector.shape}") from None
        rows = np.broadcast_to(vector, shape).reshape(-1, self.dim)
        if point.size == self.dim:
            products = self._products(point.reshape(self.dim), rows)
        else:
            points = np.broadcast_to(point, shape).reshape(-1, self.dim)
            pairs = zip(points, rows, strict=True)
            products = np.array([self._products(one, row[None])[0] for one, row in pairs], dtype=self.dtype)
        return products.reshape(shape)

    def sample_gradients(self, w: ArrayLike) -> np.ndarray:
        """Gradients ∇ℓᵢ(w) of the single samples, shape (n, dim), at w of shape (dim,); their mean is grad(w)."""
        n = self._samples()
        point = single_point(w, self.dim).astype(self.dtype)
        out = np.empty((n, self.dim), dtype=self.dtype)
        for piece in self._pieces(n):
            out[piece] = self._sample_gradients(point, piece)
        return out

    def sample_hvp(self, w: ArrayLike, vectors: ArrayLike) -> np.ndarray:
        """Products ∇²ℓᵢ(w) vᵢ, shape (n, dim), of vectors of shape (n, dim), or (dim,) for the same in every sample."""
        n = self._samples()
        point = single_point(w, self.dim).astype(self.dtype)
        each = vector_per_sample(vectors, n, self.dim)
        out = np.empty((n, self.dim), dtype=self.dtype)
        for piece in self._pieces(n):
            out[piece] = self._sample_products(point, each[piece].astype(self.dtype), piece)
        return out

    def _points(self, name: str, value: ArrayLike) -> np.ndarray:
        array = real_array(name, value, dtype=self.dtype)
        if array.ndim == 0 or array.shape[-1] != self.dim:
            raise ValueError(f"{name} must have shape (..., {self.dim}), got {array.shape}")
        return array

    def _pieces(self, n: int) -> list[slice]:
        """Return the samples in pieces that fit into memory."""
        step = min(self._at_once(), max(1, _NUMBERS // self.dim))
        return [slice(first, min(first + step, n)) for first in range(0, n, step)]

    def _at_once(self) -> int:
        """Return how many samples may be evaluated at once."""
        return _NUMBERS

    @abstractmethod
    def _samples(self) -> int:
        """Return the number of samples, or raise ValueError if the loss has no gradients of single samples."""

    @abstractmethod
    def _loss(self, w: np.ndarray) -> float: ...

    @abstractmethod
    def _grad(self, w: np.ndarray) -> np.ndarray: ...

    @abstractmethod
    def _products(self, w: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return H v of every row, shape (rows, dim), at one point."""

    @abstractmethod
    def _sample_gradients(self, w: np.ndarray, samples: slice) -> np.ndarray: ...

    @abstractmethod
    def _sample_products(self, w: np.ndarray, vectors: np.ndarray, samples: slice) -> np.ndarray: ...


def some_samples(n: int) -> list[int]:
    """Return a few samples, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, n - 1, min(n, SAMPLES_CHECKED))})


def samples_of_every_value(targets: np.ndarray) -> list[int]:
    """Return a sample for every integer that is a target, the rarest included: a loss may ignore or weight some.

    They are spread over the values, from the lowest to the highest, where there are too many.
    """
    if targets.dtype.kind not in "iu":
        return []
    first = np.unique(targets.reshape(-1), return_index=True)[1] // (targets.size // len(targets))
    picked = np.linspace(0, len(first) - 1, min(len(first), _VALUES_CHECKED)).astype(int)
    return sorted(set(first[picked].tolist()))


def is_mean(together: float, singles: list[float], dtype: DTypeLike) -> bool:
    """Whether the loss of some samples together is the mean of their single losses, up to rounding.

    An infinite mean is as good as a loss that is not finite. NaN is no loss of a sample.
    """
    tolerance = 1e-9 if np.dtype(dtype) == np.float64 else 5e-3  # the latter leaves room for reduced precision on a GPU
    with np.errstate(all="ignore"):
        mean, size = float(np.mean(singles)), float(np.mean(np.abs(singles)))
    if not np.isfinite(size):
        return not np.isnan(size) and not np.isfinite(together)
    return abs(together - mean) <= tolerance * size
