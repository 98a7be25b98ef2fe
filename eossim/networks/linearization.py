"""A network at one point: loss, gradient and whatever products of its derivatives are asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array
from . import _samples
from ._architecture import Architecture, Batch
from ._passes import curvature, gradient
from ._threads import over


class Pass:
    """One pass forwards, and backwards if asked for, over all chunks of a batch.

    Args:
        net: The network.
        w: Weights as the passes use them, shape (dim,).
        batch: Samples.
        order: 0 for the loss, 1 for its gradient, 2 for what products with the Hessian need.

    Attributes:
        loss: Their mean loss.
        gradient: Its gradient in w, shape (dim,), if `order` >= 1.
        state: H, slope, bend and D of `_passes`, shape (chunks, 4, rows * width).
    """

    def __init__(self, net: Architecture, w: np.ndarray, batch: Batch, order: int, *, threads: bool = True) -> None:
        self.net, self.w, self.batch = net, w, batch
        chunks = len(batch.chunks)
        self.state = net.take(chunks, 4, net.rows * batch.width)
        parts = net.parts(chunks, net.dim if order else 0)
        losses = np.empty(chunks, net.dtype)

        def task(c: int) -> None:
            X, Y, weight = batch.chunks[c]
            losses[c] = gradient(w, X, Y, weight, net.sizes, net.kind, net.factor, order, self.state[c], parts[c])

        over(task, chunks, self.work if threads else 0)
        self.loss, self.gradient = losses.sum(), net.total(parts)

    def __del__(self) -> None:
        self.net.give_back(self.state)

    @property
    def work(self) -> float:
        """Multiplications of a pass, about."""
        return 3.0 * self.net.dim * self.batch.size

    def outputs(self) -> np.ndarray:
        """Return the outputs, shape (samples, outputs)."""
        net, batch, last = self.net, self.batch, int(self.net.sizes[-1])
        out = np.empty((batch.size, last), net.dtype)
        for c in range(len(batch.chunks)):
            at = (net.rows - last - 1) * batch.width
            _samples.columns(last, batch.width, self.state[c, 0], at, out[batch.part(c)])
        return out

    def curved(self, v: np.ndarray, exact: bool, *, threads: bool = True) -> np.ndarray:
        """Return the Hessian (or the Gauss-Newton matrix) times v, shape (dim,)."""
        net, batch = self.net, self.batch
        chunks = len(batch.chunks)
        parts = net.parts(chunks, net.dim)

        def task(c: int) -> None:
            X, _, weight = batch.chunks[c]
            tangents = net.take(3, net.rows * batch.width)
            curvature(
                self.w, v, X, weight, net.sizes, net.kind, net.factor, int(exact), self.state[c], tangents, parts[c]
            )
            net.give_back(tangents)

        over(task, chunks, 2 * self.work if threads else 0)
        return net.total(parts)

    def sample_gradients(self) -> np.ndarray:
        """Return the gradients of the samples, shape (samples, dim)."""
        net, batch = self.net, self.batch
        out = np.empty((batch.size, net.dim), net.dtype)

        def task(c: int) -> None:
            X, part = batch.chunks[c][0], out[batch.part(c)]
            _samples.gradients(X, net.sizes, net.kind, batch.width, self.state[c], float(batch.size), part)

        over(task, len(batch.chunks), self.work)
        return out

    def sample_curved(self, vectors: np.ndarray) -> np.ndarray:
        """Return the Hessians of the samples, each times its row of `vectors` or all times the only one."""
        net, batch = self.net, self.batch
        out = np.empty((batch.size, net.dim), net.dtype)

        def task(c: int) -> None:
            part = batch.part(c)
            mine = vectors[part] if len(vectors) > 1 else vectors
            X, _, weight = batch.chunks[c]
            _samples.curvatures(
                self.w, mine, X, weight, net.sizes, net.kind, net.factor, self.state[c], float(batch.size), out[part]
            )

        over(task, len(batch.chunks), 2 * self.work)
        return out


def scaled(array: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """Return an array of shape (..., dim) times the scale, or itself without one."""
    if scale is None:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        return array * scale


class Linearization:
    """The second-order model of a network at w: made once, products with it are cheap.

    Args:
        passed: A pass of order 2.
        w: Parameters, shape (dim,).
        scale: Weights as the passes use them over parameters, shape (dim,), or None if they are the same.

    Attributes:
        w: The point, shape (dim,).
        loss: L(w).
        grad: ∇L(w), shape (dim,).
        products: Products made so far.
    """

    def __init__(self, passed: Pass, w: np.ndarray, scale: np.ndarray | None) -> None:
        self._pass, self._scale = passed, scale
        self.w, self.loss = w, passed.loss
        self.grad = scaled(passed.gradient, scale)
        self.products = 0

    def hvp(self, v: ArrayLike) -> np.ndarray:
        """Exact Hessian-vector products H v, of vectors of shape (..., dim)."""
        return self._products(v, exact=True)

    def gauss_newton(self, v: ArrayLike) -> np.ndarray:
        """Products Jᵀ L_f'' J v with the Gauss-Newton matrix, of vectors of shape (..., dim).

        J is the Jacobian of the outputs f in the parameters, L_f'' the Hessian of the loss in the outputs.
        """
        return self._products(v, exact=False)

    def _products(self, v: ArrayLike, *, exact: bool) -> np.ndarray:
        dim = self._pass.net.dim
        vectors = plain("v", v, dim, self._pass.net.dtype)
        rows = vectors.reshape(-1, dim)
        self.products += len(rows)
        rows = scaled(rows, self._scale)
        if len(rows) == 1:
            out = self._pass.curved(rows[0], exact)
        else:
            out = np.empty_like(rows)

            def task(k: int) -> None:
                out[k] = self._pass.curved(rows[k], exact, threads=False)

            over(task, len(rows), 2 * self._pass.work * len(rows))
        return scaled(out, self._scale).reshape(vectors.shape)


def plain(name: str, value: ArrayLike, dim: int, dtype: np.dtype) -> np.ndarray:
    """Return parameters of shape (..., dim) as compiled code wants them; NaN and infinity pass.

    Raises:
        TypeError: If they do not hold real numbers.
        ValueError: If they have another shape.
    """
    known = isinstance(value, np.ndarray) and value.dtype == dtype  # the checks cost as much as a small batch
    array = np.asarray(value) if known else real_array(name, value, dtype=dtype)
    if array.ndim == 0 or array.shape[-1] != dim:
        raise ValueError(f"{name} must have shape (..., {dim}), one number per parameter, got {array.shape}")
    if not (array.flags.c_contiguous and array.flags.writeable and array.flags.aligned):
        return array.copy()
    return array
