"""Losses of one variable, and smooth ones of several, with what is known of them."""

import numpy as np

from eossim.problems import Function


def scalar(loss, grad, hessian=None) -> Function:
    """A problem of dimension 1 from f, f' and f''; without a Hessian-vector product if f'' is missing."""
    hvp = None if hessian is None else (lambda w, v: hessian(w) * v)
    return Function(1, lambda w: loss(w)[..., 0], grad, hvp)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_cosh(x):
    return np.logaddexp(x, -x) - np.log(2)


QUARTIC = scalar(lambda x: x**4 / 4, lambda x: x**3, lambda x: 3 * x**2)
LOGISTIC = scalar(lambda x: np.logaddexp(0, -x), lambda x: -sigmoid(-x), lambda x: sigmoid(x) * sigmoid(-x))
COSINE = scalar(np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x))
ONE_MINUS_COSINE = scalar(lambda x: 1 - np.cos(x), np.sin, np.cos)
LOG_COSH = scalar(log_cosh, np.tanh, lambda x: np.cosh(x) ** -2)
ONE_DIMENSIONAL = [QUARTIC, LOGISTIC, COSINE, ONE_MINUS_COSINE, LOG_COSH]


def without_hvp(problem) -> Function:
    """The same problem with gradients only."""
    return Function(problem.dim, problem.loss, problem.grad)


def ridge_sum(seed: int, dim: int, *, convex: bool, ridges: int = 5) -> Function:
    """Σ φ(aᵢᵀw + bᵢ) with random ridges: φ = log cosh, or sine where the loss is not to be convex."""
    rng = np.random.default_rng(seed)
    A, b = rng.standard_normal((ridges, dim)), rng.standard_normal(ridges)
    phi, first, second = (
        (log_cosh, np.tanh, lambda z: np.cosh(z) ** -2) if convex else (np.sin, np.cos, lambda z: -np.sin(z))
    )
    return Function(
        dim,
        lambda w: phi(w @ A.T + b).sum(axis=-1),
        lambda w: first(w @ A.T + b) @ A,
        lambda w, v: (second(w @ A.T + b) * (v @ A.T)) @ A,
    )
