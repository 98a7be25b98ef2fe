"""Spectral and nuclear norm of one matrix: Hessians with the structure of a product or of a diagonal."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .ball import Nuclear, Spectral
from .found import Found, Unsolved
from .spectrum import Spectrum, leading
from .two_balls import two_balls

#: Columns I, J, K, M: the 2 x 2 identity, quarter turn and two reflections, flattened row-major.
TURNS_AND_REFLECTIONS = np.array([[1.0, 0, 1, 0], [0, -1, 0, 1], [0, 1, 0, 1], [1, 0, -1, 0]])


def one_matrix(ball: Spectral | Nuclear, h: Spectrum) -> Found:
    """Return the largest dᵀHd over the spectral or nuclear sphere, for an H that is not negative semidefinite.

    * H = B ⊗ A, the operator D -> BDA, semidefinite: Σ_{i<=r} λ_i(A)λ_i(B) in the spectral norm, λ1(A)λ1(B) in the
      nuclear norm. For tr(BDADᵀ) <= Σ λ_i(B)λ_i(DADᵀ) and λ_i(DADᵀ) <= λ_i(A) if ‖D‖ <= 1; D = Σ b_ia_iᵀ attains it.
    * H diagonal, Σ h_ij D_ij²: the squares of a contraction have row and column sums of at most 1, so that the best
      assignment of columns to rows, the non-negative h_ij of it, is the maximum in the spectral norm.
    * 2 x 2 matrices: with D = aI + bJ + cK + dM, a pair of rotations and a pair of reflections, the singular values are
      ‖(a, b)‖ + ‖(c, d)‖ and |‖(a, b)‖ - ‖(c, d)‖|. So the spectral norm is a sum of two Euclidean norms, and S the
      larger λ1 of the two diagonal blocks if H is semidefinite; the nuclear norm is twice the larger of the two, see
      `two_balls`.
    * Nuclear norm: never more than λ1, which is attained if the leading eigenvector is a matrix of rank one.

    Raises:
        Unsolved: for other H.
    """
    H, shape = h.H, (ball.rows, ball.columns)
    diagonal = np.diag(H)
    if np.array_equal(H, np.diag(diagonal)):
        if isinstance(ball, Nuclear):
            return Found.at(H, np.eye(len(H))[int(diagonal.argmax())], "largest h_ij of a diagonal Hessian")
        gains = np.maximum(diagonal, 0).reshape(shape)
        D = np.zeros(shape)
        D[linear_sum_assignment(gains, maximize=True)] = 1
        return Found.at(H, (D * (gains > 0)).ravel(), "best assignment, diagonal Hessian")
    factors = _kronecker(H, shape) if h.semidefinite else None
    if factors is not None:
        b, a = (Spectrum(factor).pairs[1][:, ::-1] for factor in factors)
        rank = min(shape) if isinstance(ball, Spectral) else 1
        return Found.at(H, (b[:, :rank] @ a[:, :rank].T).ravel(), "eigenvalues of the factors of H = B ⊗ A")
    if shape == (2, 2) and (h.semidefinite or isinstance(ball, Nuclear)):
        return _two_by_two(ball, H)
    if isinstance(ball, Nuclear):
        U, s, Vt = np.linalg.svd(h.leading.reshape(shape))
        if s[1] <= 1e-12:
            return Found.at(H, np.outer(U[:, 0], Vt[0]).ravel(), "largest eigenvalue: its eigenvector has rank one")
    kind = "spectral" if isinstance(ball, Spectral) else "nuclear"
    small = "semidefinite, or " if shape == (2, 2) else ""
    raise Unsolved(
        f"exact sharpness in the {kind} norm of a {shape[0]} x {shape[1]} matrix needs a Hessian "
        f"that is {small}semidefinite and B ⊗ A (of D -> BDA), diagonal, or of rank one"
    )


def _two_by_two(ball: Spectral | Nuclear, H: np.ndarray) -> Found:
    T = TURNS_AND_REFLECTIONS
    halves = T.T @ H @ T
    if isinstance(ball, Nuclear):
        found = two_balls(0.25 * halves, 2)
        return Found.at(H, 0.5 * T @ found.witness, found.how)
    (turn, u), (reflection, v) = (leading(halves[at, at])[:2] for at in (slice(0, 2), slice(2, 4)))
    if turn >= reflection:
        return Found.at(H, T[:, :2] @ u, "rotations: larger than reflections")
    return Found.at(H, T[:, 2:] @ v, "reflections: larger than rotations")


def _kronecker(H: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return B and A with H = B ⊗ A up to rounding, from the blocks through the largest diagonal entry; or None."""
    rows, columns = shape
    T = H.reshape(rows, columns, rows, columns)
    i, j = divmod(int(np.diag(H).argmax()), columns)
    A, B = T[i, :, i, :], T[:, j, :, j] / T[i, j, i, j]
    close = np.abs(np.kron(B, A) - H).max() <= 64 * np.finfo(float).eps * np.abs(H).max()
    return (B, A) if close else None
