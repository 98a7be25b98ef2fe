"""Everything by going through all batches, without the code under test."""

import itertools

import numpy as np
from hypothesis import strategies as st

from eossim.problems import LeastSquares
from eossim.problems.finite_sum import QuadraticSum
from tests.strategies import seeds

DESIGN = LeastSquares([[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1])  # V4 of stochastic_edge.md
THREE = QuadraticSum([[[2, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 4]]], [[0, 0], [1, 1], [0, 1]])  # V2, V3
LINE = QuadraticSum(np.array([1.0, 2, 3, 6])[:, None, None])  # V7


def icosahedron(epsilon=0.2):
    """V8: six axes along which the curvature is epsilon instead of 1."""
    phi = (1 + np.sqrt(5)) / 2
    axes = np.array([[0, 1, phi], [0, 1, -phi], [1, phi, 0], [1, -phi, 0], [phi, 0, 1], [-phi, 0, 1]])
    axes /= np.sqrt(1 + phi**2)
    return QuadraticSum(np.eye(3) - (1 - epsilon) * np.einsum("ni,nj->nij", axes, axes))


def quadratics(problem):
    """Hessians (n, d, d) and pulls (n, d) of the samples, whose gradients are H_i w - k_i."""
    if isinstance(problem, QuadraticSum):
        return problem.hessians, np.einsum("nij,nj->ni", problem.hessians, problem.centers)
    scale = 2 * problem.loss_factor * problem.n_samples
    X = problem.features
    return scale * np.einsum("ni,nj->nij", X, X), scale * problem.y[:, None] * X


def all_batches(n, b, replacement):
    """Batches of sample numbers, equally likely."""
    return list(itertools.product(range(n), repeat=b) if replacement else itertools.combinations(range(n), b))


def batch_quadratics(problem, b, replacement):
    """Hessians and gradients at the minimizer of all batches, equally likely."""
    H, k = quadratics(problem)
    g = H @ problem.minimizer - k
    batches = np.array(all_batches(problem.n_samples, b, replacement))
    return H[batches].mean(axis=1), g[batches].mean(axis=1)


def matrices(H_B, eta, beta):
    """Steps on the state (d, v) of heavy ball, (d) for SGD, shape (batches, k d, k d)."""
    eye = np.broadcast_to(np.eye(H_B.shape[1]), H_B.shape)
    if not beta:
        return eye - eta * H_B
    return np.block([[eye - eta * H_B, -eta * beta * eye], [H_B, beta * eye]])


def operator(problem, b, replacement, eta, beta=0.0):
    """E[M_B ⊗ M_B]."""
    M = matrices(batch_quadratics(problem, b, replacement)[0], eta, beta)
    return np.mean([np.kron(m, m) for m in M], axis=0)


def radius(problem, b, replacement, eta, beta=0.0):
    return np.abs(np.linalg.eigvals(operator(problem, b, replacement, eta, beta))).max()


def covariance(problem, b, replacement, eta, beta=0.0):
    """Stationary covariance of the position, for a positive definite H."""
    g_B = batch_quadratics(problem, b, replacement)[1]
    kick = np.hstack([-eta * g_B, g_B]) if beta else -eta * g_B
    noise = kick.T @ kick / len(kick)
    Q = operator(problem, b, replacement, eta, beta)
    S = np.linalg.solve(np.eye(len(Q)) - Q, noise.ravel()).reshape(noise.shape)
    return S[: problem.dim, : problem.dim]


@st.composite
def finite_sums(draw, definite=False):
    """Small problems of integers: regressions and sums of rank-deficient quadratics, with repeated and zero samples."""
    rng = np.random.default_rng(draw(seeds))
    n, d = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    if draw(st.booleans()):
        X = rng.integers(-2, 3, (n, d)).astype(float)
        if definite:
            X = np.vstack([X, np.eye(d)])
        return LeastSquares(X, rng.integers(-3, 4, len(X)), loss_scale=draw(st.sampled_from([0.5, 1.0])))
    roots = rng.integers(-1, 2, (n, d, draw(st.integers(1, 2)))).astype(float)
    H = roots @ roots.transpose(0, 2, 1)
    if definite:
        H = np.concatenate([H, np.eye(d)[None]])
    return QuadraticSum(H, rng.integers(-2, 3, (len(H), d)))


@st.composite
def settings_of(draw, problem):
    """Batch size and replacement."""
    replacement = draw(st.booleans())
    return draw(st.integers(1, min(problem.n_samples, 3) if replacement else problem.n_samples)), replacement
