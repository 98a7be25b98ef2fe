"""Certified upper bounds of the generalised sharpness."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.optimize import minimize_scalar

from ..norms.base import Norm
from .exact.ball import Ball, Euclidean, Nuclear, Power, Spectral, independent, longest, shortest
from .exact.found import Unsolved
from .exact.matrix import TURNS_AND_REFLECTIONS
from .exact.reduce import reduce
from .exact.spectrum import DENSE, lanczos, one_thread
from .operator import Operator, is_semidefinite
from .semidefinite import semidefinite_bound

#: Coordinates up to which all eigenvalues and the semidefinite program are affordable.
_MAX_DENSE = 2000
#: Parts of a combination of norms whose pairs are looked at.
_MAX_PARTS = 64


def upper_bound(norm: Norm, operator: Operator) -> tuple[float, str]:
    """Return an upper bound of S = max {dᵀHd : ‖d‖ = 1} and its name; (inf, "none") if there is none.

    The smallest of those that apply; H is any symmetric matrix:

    * ``largest eigenvalue``: λ1 times the largest ‖d‖₂² on the sphere (the smallest, if λ1 < 0): dim for ℓ∞,
      dim^{1-2/p} for ℓp with p >= 2, the number of blocks, Σ r_l for spectral norms, 1 for nuclear norms, ℓ1 and sums.
    * ``parts``: Σ_lk t_lt_k C_lk over ‖t‖_p = 1 with C_lk >= |uᵀH_lkv| over the balls of two parts: Σ|H_ij| for ℓ∞,
      max|H_ij| for ℓ1, Σ‖H_bc‖₂ for blocks; with C_lk <= √(C_ll C_kk) if H is positive semidefinite, which gives
      (Σ√S_l)² for layers under the largest of their norms. A 2 x 2 spectral norm is a sum of two Euclidean ones.
    * ``semidefinite program`` (p >= 2): see `semidefinite_bound`; the rows or columns of a matrix with σ_max <= 1 are
      Euclidean blocks, in the eigenbasis of the part of H that acts on them.
    * ``partial transpose`` (nuclear norm, positive semidefinite H): q(uvᵀ) stays what it is if H is replaced by a
      mixture with its partial transpose (2 x 2: if a multiple of the determinant is added); the smallest λ1 of these.

    Without the entries of H, or beyond 2000 coordinates, the largest eigenvalue comes from Lanczos iterations, with the
    residual added; the name says so, as such a bound holds only if they found the right eigenvalue. There is none if
    they did not converge.

    Args:
        norm: The norm ‖·‖.
        operator: The Hessian H.

    Raises:
        ValueError: if the dimensions differ.

    Source: arXiv:2603.05002 (definition); Goemans and Williamson 1995 (the program for ℓ∞).
    """
    norm.check_dim(operator.dim)
    reduced = reduce(norm, operator.dim)
    ball = reduced.ball
    if longest(ball) is None:
        return np.inf, "none"
    if operator.matrix is not None and ball.size <= _MAX_DENSE:
        with one_thread():
            return min(_bounds(ball, reduced.hessian(operator.matrix)), key=lambda bound: bound[0])
    try:
        pair = lanczos(reduced.product(operator), ball.size)
    except Unsolved:
        return np.inf, "none"
    if np.isnan(pair.value):
        return np.nan, "not finite"
    return _by_length(ball, pair.value + (pair.residual or 0.0)), "largest eigenvalue (Lanczos)"


def _by_length(ball: Ball, top: float) -> float:
    """Return λ1 times the largest or, if it is negative, the smallest squared Euclidean length on the sphere."""
    length = longest(ball) if top > 0 else shortest(ball)
    return np.inf if length is None else top * length


def _bounds(ball: Ball, H: np.ndarray) -> Iterator[tuple[float, str]]:
    """Yield bounds of dᵀHd over the sphere; those after the first one are bounds over the ball as well."""
    values = np.linalg.eigvalsh(H)
    top = float(values[-1] + len(H) * np.finfo(float).eps * np.abs(values).max())
    yield _by_length(ball, top), "largest eigenvalue"
    if top <= 0 or isinstance(ball, Euclidean):
        return
    if isinstance(ball, Power):
        yield _by_parts(ball, H), "parts"
    if ball == Spectral(2, 2):  # a sum of two Euclidean norms, see `one_matrix`
        T = TURNS_AND_REFLECTIONS
        yield _by_parts(Power(1, (Euclidean(2), Euclidean(2))), T.T @ H @ T), "parts"
    if isinstance(ball, Nuclear) and is_semidefinite(H):
        yield _partial_transpose(ball, H), "partial transpose"
    if isinstance(ball, Spectral) or (isinstance(ball, Power) and ball.p >= 2):
        yield _semidefinite(ball, H), "semidefinite program"


def _over_ball(ball: Ball, H: np.ndarray) -> float:
    """Return an upper bound of dᵀHd over the ball, at least 0."""
    return max(0.0, min(value for value, _ in _bounds(ball, H)))


def _by_parts(ball: Power, H: np.ndarray) -> float:
    if ball.scalar:
        C = np.abs(H)
        np.fill_diagonal(C, np.maximum(np.diag(H), 0))
    elif len(ball.parts) > _MAX_PARTS:
        return np.inf
    else:
        C = _pairs(ball, H)
    if is_semidefinite(H):  # so is H + δI, with the same couplings of different parts
        lengths = [1.0 if ball.euclidean else longest(part) or np.inf for part in ball.parts]
        root = np.sqrt(np.diag(C) + _violation(H) * np.array(lengths))
        C = np.minimum(C, np.outer(root, root))
    if ball.p == 1:
        return float(C.max())
    if ball.p <= 2:
        return float(np.linalg.eigvalsh(C)[-1])
    # t_lt_k <= (x_k/x_l t_l² + x_l/x_k t_k²)/2 for any x > 0: Σ y_lt_l² with y = Cx/x, best at the positive fixed point
    used = C.any(axis=1)
    C, x = C[np.ix_(used, used)], np.ones(int(used.sum()))
    for _ in range(0 if ball.p == np.inf else 200):
        x = np.maximum(C @ x, 1e-100) ** (1 / (ball.p - 1))
        x /= x.max()
    return independent(ball.p, C @ x / x)[0] if len(x) else 0.0


def _pairs(ball: Power, H: np.ndarray) -> np.ndarray:
    """Return bounds of |uᵀH_lkv| over the balls of two parts (of uᵀH_llu for one part), shape (parts, parts)."""
    slices, lengths = ball.slices(), [longest(part) or np.inf for part in ball.parts]
    C = np.empty((len(slices), len(slices)))
    for i, a in enumerate(slices):
        C[i, i] = _over_ball(ball.parts[i], H[a, a])
        for k, b in enumerate(slices[:i]):
            C[i, k] = C[k, i] = np.linalg.norm(H[a, b], 2) * np.sqrt(lengths[i] * lengths[k])
    return C


def _violation(H: np.ndarray) -> float:
    """Return δ such that H + δI is positive semidefinite if H is so up to rounding."""
    return 20 * len(H) * np.finfo(float).eps * float(np.abs(H).max())


def _partial_transpose(ball: Nuclear, H: np.ndarray) -> float:
    if len(H) > DENSE:
        return np.inf
    if (ball.rows, ball.columns) == (2, 2):  # all forms that vanish at uvᵀ: multiples of the determinant
        change, ends = np.fliplr(np.diag([1.0, -1, -1, 1])), (-2 * np.abs(H).sum(), 2 * np.abs(H).sum())
    else:
        T = H.reshape(ball.rows, ball.columns, ball.rows, ball.columns)
        change, ends = T.transpose(0, 3, 2, 1).reshape(H.shape) - H, (-1.0, 2.0)

    def top(t: float) -> float:
        return float(np.linalg.eigvalsh(H + t * change)[-1])

    found = minimize_scalar(top, bounds=ends, method="bounded", options={"xatol": 1e-12})
    return float(found.fun) + _violation(H)


def _semidefinite(ball: Spectral | Power, H: np.ndarray) -> float:
    """Return the bound of the semidefinite program over Euclidean balls that hold those of the parts."""
    p, parts = (ball.p, ball.parts) if isinstance(ball, Power) else (np.inf, (ball,))
    if not all(isinstance(part, Euclidean) for part in parts):
        T, sizes = np.zeros_like(H), []
        start = 0
        for part in parts:
            at = slice(start, start + part.size)
            T[at, at], blocks = _relaxed(part, H[at, at], split=p == np.inf)
            sizes += blocks
            start += part.size
        H = T.T @ H @ T
        return semidefinite_bound(0.5 * (H + H.T), sizes, p)
    return semidefinite_bound(H, [part.size for part in parts], p)


def _relaxed(ball: Ball, H: np.ndarray, *, split: bool) -> tuple[np.ndarray, list[int]]:
    """Return T and sizes of Euclidean unit balls whose product holds T⁻¹d for every d in the ball.

    A contraction has rows and columns of norm at most 1, in any orthogonal basis; `split` allows several balls.
    """
    if not (isinstance(ball, Spectral) and split):
        return np.sqrt(longest(ball) or np.inf) * np.eye(ball.size), [ball.size]
    m, n = ball.rows, ball.columns
    tensor = H.reshape(m, n, m, n)
    if m <= n:
        basis = np.linalg.eigh(np.einsum("ijkj->ik", tensor))[1]
        return np.kron(basis, np.eye(n)), [n] * m
    basis = np.linalg.eigh(np.einsum("ijil->jl", tensor))[1]
    by_columns = np.arange(m * n).reshape(m, n).T.ravel()
    return np.kron(np.eye(m), basis)[:, by_columns], [m] * n
