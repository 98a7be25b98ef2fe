"""A network at one point: loss, gradient and whatever products of its derivatives are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .._check import real_array
from . import _samples
from ._architecture import Architecture, Batch
from ._passes import curvature, gradient
from ._threads import over
from ._top import top_pairs

#: Vectors in the subspace of a search for eigenvalues before it is cut back, and products at most.
_WIDEST, _MOST = 24, 200
#: Products with a probe and with what became of it.
_PROBED = 4


@dataclass(frozen=True)
class Sharpness:
    """The largest (algebraic) eigenvalue λ of a Hessian H; NaN if a product was not finite.

    Attributes:
        value: λ.
        vectors: Unit vectors close to the eigenvectors u of λ and of the next one, shape (2, dim).
        residual: ‖H u - λ u‖: an eigenvalue of H lies within it of λ.
        products: Hessian-vector products that it took.
    """

    value: float
    vectors: np.ndarray
    residual: float
    products: int


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

    def top(
        self,
        starts: np.ndarray,
        scale: np.ndarray | None,
        gradient: np.ndarray,
        tolerance: float,
        floor: float,
        probe: np.ndarray,
        below: float,
    ) -> Sharpness:
        """Return the largest eigenvalue of the Hessian in parameters that `scale` makes weights of, on one thread."""
        net, batch = self.net, self.batch
        tangents = net.take(3, net.rows * batch.width)
        factors = np.empty(0, net.dtype) if scale is None else scale
        parts = (batch.inputs, batch.weights, net.sizes, net.kind, net.factor, self.state, tangents)
        room = net.take(2 * max(_WIDEST, len(starts) + 1) + 2, net.dim)
        vectors = np.empty((min(2, net.dim), net.dim), net.dtype)
        value, residual, products = top_pairs(
            (self.w, factors, *parts), gradient, starts, tolerance, floor, probe, below, _PROBED, _MOST, room, vectors
        )
        net.give_back(tangents)
        net.give_back(room)
        return Sharpness(value, vectors, residual, products)

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

    def sharpness(
        self,
        starts: ArrayLike,
        *,
        tolerance: float = 3e-5,
        floor: float = 0.0,
        probe: ArrayLike | None = None,
        below: float = np.inf,
    ) -> Sharpness:
        """The largest eigenvalue of the Hessian, on one thread, for runs that follow it from step to step.

        Rayleigh-Ritz in the span of `starts`, then of the residual with a part of the gradient, then of residuals. It
        stops when ‖r‖² / (λ - μ) is below `tolerance` of λ, μ being the largest curvature outside of what is tracked:
        two eigenvectors, so that a crossing of two eigenvalues is no surprise; an eigenvector orthogonal to all of
        these is missed. In single precision an eigenvalue is good to 1e-6 of the largest one in absolute value; the
        tolerance has to be larger. `eossim.curvature.top_eigenvalue` searches more thoroughly, in double precision.

        Args:
            starts: Rows close to eigenvectors, shape (rows, dim) or (dim,): `vectors` at a point nearby, or several
                random ones.
            tolerance: Relative error to stop at.
            floor: Eigenvalue below which errors are relative to this.
            probe: Direction of a Krylov space, shape (dim,), that is looked at as well where the eigenvalue found so
                is less than `below`: a random one has a part in every eigenvector.
            below: Eigenvalue.
        """
        rows = plain("starts", np.atleast_2d(starts), self._pass.net.dim, self._pass.net.dtype)
        direction = rows[0] if probe is None else plain("probe", probe, rows.shape[1], rows.dtype)
        below = -np.inf if probe is None else float(below)
        found = self._pass.top(rows, self._scale, self.grad, tolerance, floor, direction, below)
        self.products += found.products
        return found

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
