"""The largest eigenvalues of a Hessian from its products alone, followed along a path of Hessians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .operator import Operator

#: Order up to which all products with unit vectors are taken.
_SMALL = 16
#: Vectors that are kept beyond those asked for: an eigenvalue that comes up from below is seen before it crosses.
_GUARDS = 3
#: Products with the images of one another, from a random vector on, that look for an eigenvalue nobody expects; how
#: much of that vector there is beside the residual, which needs a chain as well.
_CHAIN, _FRESH = 4, 0.3
#: Products beyond those with kept vectors that a search makes at least: what convergence leaves of them goes to where
#: an eigenvalue could be largest, value plus residual.
_BEYOND = 6
#: Relative error of the eigenvalues to stop at, and the smallest gap, relative to the largest eigenvalue, counted with.
_TOLERANCE, _GAP = 8e-7, 1e-3
#: Products of a search at most, and vectors in its basis before it is cut back.
_MOST, _WIDEST = 300, 40
#: Part of a vector that has to be new for it to enter the basis.
_NEW = 1e-8
#: Smallest gap of all, in units in which the largest entry of an image is about 1: squares over it do not overflow.
_LEAST = 2.0**-500


@dataclass(frozen=True)
class TopEigenvalues:
    """The largest (algebraic) eigenvalues of H with what they are worth; NaN if a product or they were not finite.

    Attributes:
        values: λ₁ >= λ₂ >= ..., shape (count,).
        vectors: Their unit eigenvectors uᵢ, shape (count, dim).
        residuals: ‖H uᵢ - λᵢ uᵢ‖, shape (count,): an eigenvalue of H lies within it of λᵢ.
        products: Hessian-vector products that it took.
        kept: Rows to start from at a Hessian nearby, shape (any, dim).
    """

    values: np.ndarray
    vectors: np.ndarray
    residuals: np.ndarray
    products: int
    kept: np.ndarray

    @property
    def value(self) -> float:
        """The largest eigenvalue λ₁."""
        return float(self.values[0])

    @property
    def vector(self) -> np.ndarray:
        """Its eigenvector, shape (dim,)."""
        return self.vectors[0]

    @property
    def residual(self) -> float:
        """Its residual."""
        return float(self.residuals[0])


def top_eigenvalue(
    operator: Operator, *, start: np.ndarray | None = None, seed: int | Sequence[int] = 0
) -> TopEigenvalues:
    """Return the largest eigenvalue of a symmetric operator: `top_eigenvalues` with count 1."""
    return top_eigenvalues(operator, start=start, seed=seed)


def top_eigenvalues(
    operator: Operator,
    count: int = 1,
    *,
    start: np.ndarray | None = None,
    afresh: bool = False,
    seed: int | Sequence[int] = 0,
) -> TopEigenvalues:
    """Return the largest eigenvalues of a symmetric operator by Rayleigh-Ritz in a subspace that grows.

    The subspace starts with the rows kept from a Hessian nearby and a short Krylov chain, from the residual with a
    random vector mixed in, so that an eigenvalue which overtook the others while nobody looked shows up too. Without a
    start, and `afresh`, there are several chains from random vectors alone. It grows by what bounds the error most:
    with Ritz values Θ, residuals R and c the largest curvature outside the subspace, the eigenvalues are at most those
    of Θ + RᵀR/(θ - c). The search stops when that leaves a relative error of 8e-7, c being judged by the vectors kept
    as guards.

    Products that are not finite give NaN. H may be of any size: everything is scaled by a power of two.

    Args:
        operator: H.
        count: How many eigenvalues, at most the order of H.
        start: Rows to start from, shape (rows, dim) or (dim,): the `kept` of the last result.
        afresh: Whether to search as thoroughly as without a start.
        seed: Seed of the random vectors.

    Source: generalised Davidson method without preconditioner; bound derived (Schur complement).
    """
    if count > operator.dim:
        raise ValueError(f"count must be at most the order {operator.dim} of the matrix, got {count}")
    before = operator.products
    try:
        with np.errstate(all="ignore"):
            if operator.dim <= max(_SMALL, count + _GUARDS + _CHAIN):
                values, vectors, residuals = _dense(operator)
            else:
                rows = np.zeros((0, operator.dim)) if start is None else np.atleast_2d(start)
                search = _Search(operator, count, np.random.default_rng(seed))
                search.begin(rows[np.isfinite(rows).all(axis=1)], afresh)
                values, vectors, residuals = search.finish()
        if not (np.isfinite(values).all() and np.isfinite(residuals).all()):
            raise _NotFiniteError
    except (_NotFiniteError, np.linalg.LinAlgError):
        values, residuals = np.full((2, count), np.nan)
        vectors = np.full((count, operator.dim), np.nan)
    kept = vectors[: count + _GUARDS].copy()
    return TopEigenvalues(values[:count], kept[:count], residuals[:count], operator.products - before, kept)


class _NotFiniteError(Exception):
    """A product or an eigenvalue is not finite: there is nothing to return."""


def exponent(array: np.ndarray) -> int:
    """Return e such that the largest entry of array / 2^e, in absolute value, is in [0.5, 1); 0 if all are zero."""
    return int(np.frexp(np.abs(array).max())[1])


def _dense(operator: Operator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    H = operator(np.eye(operator.dim))
    if not np.isfinite(H).all():
        raise _NotFiniteError
    size = exponent(H)
    H = np.ldexp(H, -size)
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    values, vectors = values[::-1].copy(), vectors.T[::-1].copy()
    residuals = np.linalg.norm(vectors @ H - values[:, None] * vectors, axis=1)
    return np.ldexp(values, size), vectors, np.ldexp(residuals, size)


class _Search:
    """A subspace with its images, and what Rayleigh-Ritz says of it.

    Attributes:
        basis: Orthonormal rows.
        images: H times them, over 2^size, so that the largest entry so far is about 1.
        inner: Their inner products, basis_i · image_j.
        gram: Those of the images.
    """

    def __init__(self, operator: Operator, count: int, rng: np.random.Generator) -> None:
        self.operator, self.count, self.rng = operator, count, rng
        room = min(operator.dim, _WIDEST + (count + _GUARDS) * (1 + _CHAIN))
        self._rows, self._products = np.empty((2, room, operator.dim))
        self.inner, self.gram = np.zeros((2, 0, 0))
        self.size: int | None = None
        self._spent = operator.products

    @property
    def basis(self) -> np.ndarray:
        return self._rows[: len(self.gram)]

    @property
    def images(self) -> np.ndarray:
        return self._products[: len(self.gram)]

    def begin(self, rows: np.ndarray, afresh: bool) -> None:
        """Fill the subspace with rows and chains from random vectors."""
        for row in rows:
            self._add(row)
        several = afresh or len(self.gram) <= self.count
        for v in self.rng.standard_normal((self.count + _GUARDS if several else 1, self.operator.dim)):
            self._chain(v if several else self._mixed(v))

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Let the subspace grow until the eigenvalues are good enough; return Ritz values, vectors and residuals."""
        while True:
            values, Y = self._ritz()
            growth = self._wanted(values, Y)
            spent = self.operator.products - self._spent
            if not growth and spent < self.count + _GUARDS + _BEYOND:
                highest = values + np.sqrt(np.diag(self._residuals(Y)).clip(0))
                growth = [self._direction(Y[self.count + highest[self.count :].argmax()])]
            if spent >= _MOST or not any([self._add(v) for v in growth]):
                break
        Y, values = Y[: self.count + _GUARDS], values[: self.count + _GUARDS]
        vectors = Y @ self.basis
        residuals = np.linalg.norm(Y @ self.images - values[:, None] * vectors, axis=1)
        size = self.size or 0
        return np.ldexp(values, size), vectors, np.ldexp(residuals, size)

    def _mixed(self, v: np.ndarray) -> np.ndarray:
        """Return a random vector with what the eigenvalues want mixed in."""
        mixed = _FRESH * v / np.linalg.norm(v)
        for direction in self._wanted(*self._ritz()):
            mixed += direction / np.linalg.norm(direction)
        return mixed

    def _chain(self, v: np.ndarray) -> None:
        for _ in range(_CHAIN):
            if not self._add(v):
                return
            v = self.images[-1]

    def _ritz(self) -> tuple[np.ndarray, np.ndarray]:
        """Return Ritz values, largest first, and the coordinates of their vectors; cut a wide subspace back to them."""
        values, Y = np.linalg.eigh((self.inner + self.inner.T) / 2)
        values, Y = values[::-1], Y[:, ::-1].T
        if len(Y) <= _WIDEST + 2 * self.count:
            return values, Y
        Y = Y[: 2 * (self.count + _GUARDS)]
        rows, images = Y @ self.basis, Y @ self.images
        self.inner, self.gram = Y @ self.inner @ Y.T, Y @ self.gram @ Y.T
        self.basis[:], self.images[:] = rows, images
        return values[: len(Y)], np.eye(len(Y))

    def _residuals(self, Y: np.ndarray) -> np.ndarray:
        """Return the inner products of the parts of H u outside the subspace, u the rows with coordinates Y."""
        return Y @ (self.gram - self.inner.T @ self.inner) @ Y.T

    def _direction(self, y: np.ndarray) -> np.ndarray:
        """Return the part of H u outside the subspace, u having the coordinates y."""
        return y @ self.images - (self.inner @ y) @ self.basis

    def _wanted(self, values: np.ndarray, Y: np.ndarray) -> list[np.ndarray]:
        """Return the directions that reduce the error of the eigenvalues that are not good enough."""
        if len(values) < self.count:
            return list(self.rng.standard_normal((self.count - len(values), self.operator.dim)))
        scale = np.abs(values).max()
        outside = values[min(self.count + _GUARDS, len(values)) - 1]
        gram = self._residuals(Y)
        wanted = []
        for k in range(self.count):
            gap = max(values[k] - outside, _GAP * scale, _LEAST)
            above, X = np.linalg.eigh(np.diag(values) + gram / gap)
            if above[-1 - k] - values[k] > _TOLERANCE * scale:
                wanted.append(self._direction(X[:, -1 - k] @ Y))
        return wanted

    def _add(self, v: np.ndarray) -> bool:
        """Add a direction, unless it is in the subspace already."""
        length, size = np.linalg.norm(v), len(self.gram)
        if not length or size == len(self._rows):
            return False
        v = v / length
        for _ in range(2):
            v = v - (self.basis @ v) @ self.basis
        new = np.linalg.norm(v)
        if new < _NEW:
            return False
        v /= new
        v -= (self.basis @ v) @ self.basis
        v /= np.linalg.norm(v)
        image = np.asarray(self.operator(v), dtype=np.float64)
        if not np.isfinite(image).all():
            raise _NotFiniteError
        image = self._scaled(image)
        self._rows[size], self._products[size] = v, image
        self.inner = np.block([[self.inner, (self.basis @ image)[:, None]], [self.images @ v, v @ image]])
        across = self.images @ image
        self.gram = np.block([[self.gram, across[:, None]], [across, image @ image]])
        return True

    def _scaled(self, image: np.ndarray) -> np.ndarray:
        """Return an image in the units of the others; let those grow if it is larger."""
        if image.any():
            size = exponent(image)
            if self.size is None:
                self.size = size
            elif size > self.size:
                down = self.size - size
                self.images[:] = np.ldexp(self.images, down)
                self.inner, self.gram = np.ldexp(self.inner, down), np.ldexp(self.gram, 2 * down)
                self.size = size
        return np.ldexp(image, -(self.size or 0))
