"""The uv model: a linear network of two layers on one example."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..._check import finite_array, in_interval, positive_int, real_array
from ...maps import uv
from ..quadratic import _frozen
from ._flat import FlatProblem


class UVModel(FlatProblem):
    """The loss L = ½(f - y)² of f = v·Ux/√m on one example (x, y), with U of shape (n, d) and v of shape (n,).

    Parameters are the entries of U, row after row, then those of v. Gradient descent closes in the output f and the
    tangent kernel λ = ‖∇f‖² = (‖Ux‖² + ‖x‖²‖v‖²)/m, which is also the trace of the Hessian: see `maps.uv` and
    `theory.uv`. Only κ = ‖x‖²/m and y enter their dynamics. Sources: arXiv:2003.02218, arXiv:2302.12250 (d = 1, x = 1,
    y = 0, m = n), arXiv:2311.02076 (with a target).

    Args:
        width: n.
        x: Input, shape (d,) or a number for d = 1; not zero.
        y: Target.
        m: Scale of the output, m > 0; by default n, the NTK parametrisation. With m = 1 it is the standard one, with
            m = n² the mean-field one.

    Attributes:
        width: As given.
        x: Input, shape (d,), read-only.
        y: As given.
        m: Scale of the output.
        kappa: κ = ‖x‖²/m.
        layers: Shapes of U and v, ((n, d), (n,)).
        dim: Number of parameters, n(d + 1).

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If the width is below 1, x is zero or not finite, y is not finite or m is not positive.

    Example:
        >>> problem = UVModel(2, y=0.3)
        >>> w = problem.join([[1.0], [2.0]], [0.5, -1.0])
        >>> float(problem.sharpness(w))
        3.755740149429126
    """

    def __init__(self, width: int, x: ArrayLike = 1.0, y: float = 0.0, *, m: float | None = None) -> None:
        self.width = positive_int("width", width)
        self.x = _frozen(np.atleast_1d(finite_array("x", x, ndim=(0, 1), dtype=np.float64)))
        self.y = float(finite_array("y", y, ndim=0))
        scale = real_array("m", self.width if m is None else m)
        if scale.ndim:
            raise ValueError(f"m must be a number, got shape {scale.shape}")
        self.m = float(in_interval("m", scale, 0, np.inf, open_low=True, open_high=True))
        self._length = float(np.linalg.norm(self.x))
        self.kappa = self._length**2 / self.m
        if not 0 < self.kappa < np.inf:
            raise ValueError(f"x must give 0 < ‖x‖²/m < inf, got ‖x‖ = {self._length:g} and m = {self.m:g}")
        d = self.x.size
        self.layers = ((self.width, d), (self.width,))
        self.dim = self.width * (d + 1)

    def initial(self, seed: int | np.random.Generator = 0) -> np.ndarray:
        """Parameters at the start, shape (dim,): entries N(0, 1), first those of U.

        Args:
            seed: Seed of `numpy.random.default_rng`, or such a generator, which goes on from where it is.
        """
        rng = seed if isinstance(seed, np.random.Generator) else np.random.default_rng(positive_int("seed", seed, 0))
        return rng.standard_normal(self.dim)

    def split(self, w: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """Return U, shape (..., n, d), and v, shape (..., n), of parameters w of shape (..., dim)."""
        return self._blocks(self.points("w", w))

    def join(self, U: ArrayLike, v: ArrayLike) -> np.ndarray:
        """Return the parameters, shape (..., dim), of U, shape (..., n, d), and v, shape (..., n)."""
        first, second = real_array("U", U, dtype=np.float64), real_array("v", v, dtype=np.float64)
        for name, array, shape in (("U", first, self.layers[0]), ("v", second, self.layers[1])):
            if array.shape[-len(shape) :] != shape:
                raise ValueError(f"{name} must have shape (..., {', '.join(map(str, shape))}), got {array.shape}")
        return self._joined(first, second)

    def function(self, w: ArrayLike) -> np.ndarray:
        """Output f, shape (...), of parameters w of shape (..., dim)."""
        with np.errstate(all="ignore"):
            h, v = self._hidden(self.points("w", w))
            return self._output(h, v)

    def ntk(self, w: ArrayLike) -> np.ndarray:
        """Tangent kernel λ = ‖∇f‖², shape (...); equal to the trace of the Hessian."""
        with np.errstate(all="ignore"):
            h, v = self._hidden(self.points("w", w))
            return ((h**2).sum(-1) + self._length**2 * (v**2).sum(-1)) / self.m

    def sharpness(self, w: ArrayLike) -> np.ndarray:
        """Largest eigenvalue of the Hessian, shape (...), of parameters w of shape (..., dim), in closed form.

        ½[λ + √(λ² + 4κ(2fΔ + Δ²))] with Δ = f - y (derived).
        """
        P, Q, Y = self.unit_free(w, 1.0)
        return uv.observe(np.stack([P, Q], -1), Y=Y)["sharpness"]

    def unit_free(self, w: ArrayLike, eta: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (P, Q, Y), the state and the parameter of `maps.uv`, each of the broadcast shape (...).

        P = η(λ + 2√κ f) = η‖Ux + ‖x‖v‖²/m, Q likewise with a minus, Y = η√κ y.

        Args:
            w: Parameters, shape (..., dim).
            eta: Step size η, broadcast against the leading axes of w.
        """
        step = real_array("eta", eta, dtype=np.float64)
        with np.errstate(all="ignore"):
            h, v = self._hidden(self.points("w", w))
            P, Q = (((h + sign * self._length * v) ** 2).sum(-1) / self.m for sign in (1, -1))
            return step * P, step * Q, step * np.sqrt(self.kappa) * self.y + np.zeros_like(P)

    def _loss(self, w: np.ndarray) -> np.ndarray:
        return 0.5 * (self._output(*self._hidden(w)) - self.y) ** 2

    def _grad(self, w: np.ndarray) -> np.ndarray:
        h, v = self._hidden(w)
        slope = ((self._output(h, v) - self.y) / np.sqrt(self.m))[..., None]
        return self._joined((slope * v)[..., None] * self.x, slope * h)

    def _hvp(self, w: np.ndarray, v: np.ndarray) -> np.ndarray:
        h, outer = self._hidden(w)
        dh, d_outer = self._hidden(v)
        residual = (self._output(h, outer) - self.y)[..., None]
        change = ((d_outer * h + outer * dh).sum(-1) / np.sqrt(self.m))[..., None]
        first = (change * outer + residual * d_outer) / np.sqrt(self.m)
        return self._joined(first[..., None] * self.x, (change * h + residual * dh) / np.sqrt(self.m))

    def _output(self, h: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (h * v).sum(-1) / np.sqrt(self.m)

    def _hidden(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Ux and v, each of shape (..., n)."""
        U, v = self._blocks(w)
        return U @ self.x, v

    def _blocks(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cut = self.width * self.x.size
        return w[..., :cut].reshape(*w.shape[:-1], *self.layers[0]), w[..., cut:]

    def _joined(self, U: np.ndarray, v: np.ndarray) -> np.ndarray:
        return np.concatenate([U.reshape(*U.shape[:-2], -1), v], axis=-1)

    def __repr__(self) -> str:
        return f"UVModel(width={self.width}, d={self.x.size}, y={self.y:g}, m={self.m:g})"
