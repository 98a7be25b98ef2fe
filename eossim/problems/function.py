"""A problem from functions of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import positive_int, real_array

#: A loss, a gradient or a Hessian-vector product.
_Callable = Callable[..., Any]


class Function:
    """The loss that functions of points w, shape (..., dim), give; leading axes are a batch.

    They are called with float64 arrays and may answer in float32; NaN and infinity come in when a run diverges. What
    they return is checked for its shape at every call.

    Args:
        dim: Number of parameters.
        loss: Function w -> L(w), shape (...).
        grad: Function w -> ∇L(w), shape (..., dim).
        hvp: Function (w, v) -> ∇²L(w) v, shape (..., dim), of w and v of equal shape. Without it the problem has no
            attribute `hvp`, so that ``hasattr`` tells.

    Raises:
        TypeError: If dim is no integer or a function cannot be called.
        ValueError: If dim < 1, and when called if w or what a function returns has a wrong shape.

    Example:
        >>> quartic = Function(1, lambda w: (w**4).sum(-1) / 4, lambda w: w**3, lambda w, v: 3 * w**2 * v)
    """

    def __init__(self, dim: int, loss: _Callable, grad: _Callable, hvp: _Callable | None = None) -> None:
        self._dim = positive_int("dim", dim)
        for name, function in (("loss", loss), ("grad", grad), ("hvp", hvp)):
            if not callable(function) and not (name == "hvp" and function is None):
                raise TypeError(f"{name} must be a function, got {function!r}")
        self._loss, self._grad, self._hvp = loss, grad, hvp

    @property
    def dim(self) -> int:
        """Number of parameters."""
        return self._dim

    def loss(self, w: ArrayLike) -> np.ndarray:
        """Loss L(w), shape (...), of parameters w of shape (..., dim)."""
        point = self._points("w", w)
        with np.errstate(all="ignore"):
            return self._checked("loss(w)", self._loss(point), point.shape[:-1], point.shape)

    def grad(self, w: ArrayLike) -> np.ndarray:
        """Gradient ∇L(w), shape (..., dim), at parameters w of shape (..., dim)."""
        point = self._points("w", w)
        with np.errstate(all="ignore"):
            return self._checked("grad(w)", self._grad(point), point.shape, point.shape)

    @property
    def hvp(self) -> Callable[[ArrayLike, ArrayLike], np.ndarray]:
        """Hessian-vector product (w, v) -> ∇²L(w) v; both of shape (..., dim), leading axes broadcast.

        Raises:
            AttributeError: If none was given.
        """
        if self._hvp is None:
            raise AttributeError(
                "this problem was made without a Hessian-vector product: Function(dim, loss, grad, hvp)"
            )
        return self._product

    def _product(self, w: ArrayLike, v: ArrayLike) -> np.ndarray:
        assert self._hvp is not None
        point, vector = self._points("w", w), self._points("v", v)
        try:
            point, vector = np.broadcast_arrays(point, vector)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {point.shape}, got {vector.shape}") from None
        with np.errstate(all="ignore"):
            return self._checked("hvp(w, v)", self._hvp(point, vector), point.shape, point.shape)

    def _points(self, name: str, value: ArrayLike) -> np.ndarray:
        array = real_array(name, value, dtype=np.float64)
        if array.ndim == 0 or array.shape[-1] != self._dim:
            raise ValueError(f"{name} must have shape (..., {self._dim}), got {array.shape}")
        return array

    @staticmethod
    def _checked(name: str, value: Any, shape: tuple[int, ...], of: tuple[int, ...]) -> np.ndarray:
        array = real_array(name, value)
        if array.shape != shape:
            raise ValueError(f"{name} must return shape {shape} for w of shape {of}, got {array.shape}")
        return array

    def __repr__(self) -> str:
        return f"Function(dim={self._dim}{'' if self._hvp else ', no hvp'})"
