"""A network on its data as a problem: losses and derivatives in flat parameter vectors, on all samples or batches."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, real_array
from ._architecture import Architecture, Batch
from ._threads import over
from .linearization import Linearization, Pass, plain, scaled


class Network:
    """The loss of a network on data, L(w) = (1/n) Σ ℓ(f(xᵢ; w), yᵢ), and its derivatives.

    Leading axes of `w` are networks of one architecture; the result for one does not depend on the others, nor on the
    number of threads. A diverged network is a result: NaN and infinity in `w` give NaN or infinity back.

    Args:
        net: The architecture.
        inputs: Inputs, shape (n, n_in), C-contiguous and finite.
        targets: Targets, shape (n, outputs), likewise.
        scale: What parameters are multiplied by in the network, shape (dim,), or None.

    Attributes:
        dim: Number of parameters.
        n_samples: n.
        dtype: Type of parameters and results.
    """

    def __init__(self, net: Architecture, inputs: np.ndarray, targets: np.ndarray, scale: np.ndarray | None) -> None:
        self.dim, self.n_samples, self.dtype = net.dim, len(inputs), net.dtype
        self._net, self._inputs, self._targets, self._scale = net, inputs, targets, scale
        self._latest: Linearization | None = None

    def loss(self, w: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Loss, shape (...), at parameters of shape (..., dim).

        Args:
            w: Parameters.
            batch: Indices of samples, shape (b,) for all networks or (..., b) for each; repeated ones count as often.
                The loss is their mean. All samples by default.
        """
        return self._evaluate(w, batch, 0)[0]

    def grad(self, w: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Gradient of the loss, shape (..., dim), at parameters of shape (..., dim); `batch` as in `loss`."""
        return self._evaluate(w, batch, 1)[1]

    def loss_and_grad(self, w: ArrayLike, *, batch: ArrayLike | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Loss, shape (...), and gradient, shape (..., dim), for the price of the gradient; `batch` as in `loss`."""
        return self._evaluate(w, batch, 1)

    def linearize(self, w: ArrayLike, *, batch: ArrayLike | None = None, threads: bool = True) -> Linearization:
        """The second-order model at one point w of shape (dim,), on the samples `batch`, shape (b,), or on all.

        Args:
            w: Parameters.
            batch: Indices of samples.
            threads: Whether the pass may use all cores; without it several threads can linearize at once.
        """
        point = self._points("w", w)
        if point.ndim != 1:
            raise ValueError(f"w must be one point of shape ({self.dim},), got {point.shape}")
        point = point.copy()
        passed = Pass(self._net, scaled(point, self._scale), self._batch(batch), 2, threads=threads)
        return Linearization(passed, point, self._scale)

    def hvp(self, w: ArrayLike, v: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Exact Hessian-vector products, shape (..., dim); leading axes of w and v broadcast.

        Many products at one point cost little more than the products: the model of `linearize` is kept.
        """
        return self._curved(w, v, batch, Linearization.hvp)

    def gauss_newton(self, w: ArrayLike, v: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Products with the Gauss-Newton matrix, shape (..., dim), as `hvp`; see `Linearization.gauss_newton`."""
        return self._curved(w, v, batch, Linearization.gauss_newton)

    def sample_gradients(self, w: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Gradients of the losses of single samples, shape (n, dim) or (b, dim), at w of shape (dim,)."""
        return scaled(self._linear(w, batch)._pass.sample_gradients(), self._scale)

    def weighted_grad(self, w: ArrayLike, weights: ArrayLike) -> np.ndarray:
        """Gradient of Σ weightsᵢ ℓᵢ, shape (dim,), at w of shape (dim,); weights, of any sign, have shape (n,)."""
        point, each = self._points("w", w), finite_array("weights", weights, shape=(self.n_samples,))
        batch = self._gathered(np.arange(self.n_samples))
        for k, (_, _, weight) in enumerate(batch.chunks):
            part = batch.part(k)
            weight[: part.stop - part.start] = each[part]
        return self._gradient(Pass(self._net, scaled(point, self._scale), batch, 1))

    def sample_hvp(self, w: ArrayLike, vectors: ArrayLike, *, batch: ArrayLike | None = None) -> np.ndarray:
        """Hessians of the losses of single samples, each times a vector: shape (n, dim) or (b, dim).

        Args:
            w: Parameters, shape (dim,).
            vectors: One vector for each sample, shape (n, dim) or (b, dim), or (dim,) for the same in every sample.
            batch: Indices of samples, shape (b,).
        """
        linear = self._linear(w, batch)
        size = linear._pass.batch.size
        each = real_array("vectors", vectors, dtype=self.dtype)
        if each.shape == (size, self.dim) and each.strides[0] == 0:
            each = each[0]
        if each.shape not in ((size, self.dim), (self.dim,)):
            raise ValueError(f"vectors must have shape ({size}, {self.dim}) or ({self.dim},), got {each.shape}")
        rows = plain("vectors", np.atleast_2d(each), self.dim, self.dtype)
        return scaled(linear._pass.sample_curved(scaled(rows, self._scale)), self._scale)

    def predict(self, w: ArrayLike, X: ArrayLike | None = None) -> np.ndarray:
        """Outputs, shape (..., samples, outputs), of parameters of shape (..., dim), at rows of X or at the data."""
        points = self._points("w", w)
        if X is None:
            batch = self._all
        else:
            inputs = finite_array("X", X, shape=(None, self._inputs.shape[1]), dtype=self.dtype)
            inputs, targets = np.array(inputs, order="C"), np.zeros((len(inputs), self._targets.shape[1]), self.dtype)
            batch = Batch(self._net, inputs, targets, np.arange(len(inputs)))
        rows = points.reshape(-1, self.dim)
        out = np.stack([Pass(self._net, scaled(row, self._scale), batch, 0).outputs() for row in rows])
        return out.reshape(points.shape[:-1] + out.shape[1:])

    def __getstate__(self) -> dict[str, Any]:
        """Return what makes the problem, without what it keeps for speed."""
        return {**{k: v for k, v in vars(self).items() if k != "_all"}, "_latest": None}

    @cached_property
    def _all(self) -> Batch:
        return Batch(self._net, self._inputs, self._targets, np.arange(self.n_samples))

    def _batch(self, batch: ArrayLike | None) -> Batch:
        return self._all if batch is None else self._gathered(self._indices(batch, 1)[-1])

    def _gathered(self, indices: np.ndarray) -> Batch:
        return Batch(self._net, self._inputs, self._targets, indices)

    def _indices(self, batch: ArrayLike, networks: int) -> np.ndarray:
        """Return indices of samples, shape (networks, b)."""
        array = np.asarray(batch)
        if array.dtype.kind not in "iu":
            raise TypeError(f"batch must hold indices of samples (integers), got dtype {array.dtype}")
        if array.ndim == 0 or not array.size:
            raise ValueError(f"batch must hold at least one index in a row, got shape {array.shape}")
        low, high = array.min(), array.max()
        if low < 0 or high >= self.n_samples:
            raise ValueError(f"batch must hold indices 0 to {self.n_samples - 1}, got {low if low < 0 else high}")
        rows = np.ascontiguousarray(array, np.int64).reshape(-1, array.shape[-1])
        if len(rows) not in (1, networks):
            raise ValueError(f"batch must be one row of indices or one for each network, got shape {array.shape}")
        return np.repeat(rows, networks, axis=0) if len(rows) < networks else rows

    def _evaluate(self, w: ArrayLike, batch: ArrayLike | None, order: int) -> tuple[np.ndarray, np.ndarray]:
        points = self._points("w", w)
        if points.ndim == 1:
            passed = Pass(self._net, scaled(points, self._scale), self._batch(batch), order)
            return passed.loss, self._gradient(passed)
        rows = points.reshape(-1, self.dim)
        indices = None if batch is None else self._indices(batch, len(rows))
        losses, grads = np.empty(len(rows), self.dtype), np.empty((len(rows), self.dim if order else 0), self.dtype)
        everything = self._all

        def task(k: int) -> None:
            mine = everything if indices is None else self._gathered(indices[k])
            passed = Pass(self._net, scaled(rows[k], self._scale), mine, order, threads=False)
            losses[k], grads[k] = passed.loss, self._gradient(passed)

        size = self.n_samples if indices is None else indices.shape[1]
        over(task, len(rows), 3.0 * self.dim * size * len(rows))
        return losses.reshape(points.shape[:-1]), grads.reshape((*points.shape[:-1], -1))

    def _curved(
        self,
        w: ArrayLike,
        v: ArrayLike,
        batch: ArrayLike | None,
        product: Callable[[Linearization, np.ndarray], np.ndarray],
    ) -> np.ndarray:
        points, vectors = self._points("w", w), self._points("v", v)
        if points.ndim == 1:
            return product(self._linear(points, batch), vectors)
        try:
            shape = np.broadcast_shapes(points.shape, vectors.shape)
        except ValueError:
            raise ValueError(f"v must broadcast against w of shape {points.shape}, got {vectors.shape}") from None
        rows, each = (np.broadcast_to(a, shape).reshape(-1, self.dim) for a in (points, vectors))
        indices = None if batch is None else self._indices(batch, len(rows))
        out = [
            product(self.linearize(row, batch=None if indices is None else indices[k]), np.array(each[k]))
            for k, row in enumerate(rows)
        ]
        return np.stack(out).reshape(shape)

    def _linear(self, w: ArrayLike, batch: ArrayLike | None) -> Linearization:
        """Return the model at one point, the latest one if it is the same point and all samples are asked for."""
        latest = self._latest
        if batch is not None:
            return self.linearize(w, batch=batch)
        if latest is None or not np.array_equal(latest.w, w):
            latest = self._latest = self.linearize(w)
        return latest

    def _gradient(self, passed: Pass) -> np.ndarray:
        return scaled(passed.gradient, self._scale) if passed.gradient.size else passed.gradient

    def _points(self, name: str, value: ArrayLike) -> np.ndarray:
        return plain(name, value, self.dim, self.dtype)
