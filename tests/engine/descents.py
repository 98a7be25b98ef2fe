"""What the tests of steepest descent share: norms of every kind, steps written out, problems."""

import numpy as np

from eossim.norms import (
    L1,
    L2,
    BlockMax,
    BlockSum,
    L2Product,
    Linf,
    Lp,
    Mahalanobis,
    MaxProduct,
    Norm,
    Nuclear,
    Spectral,
    SumProduct,
)

H2 = np.array([[2.0, 1.0], [1.0, 2.0]])
H3 = np.array([[2, 0.5, 0.3], [0.5, 1.5, -0.4], [0.3, -0.4, 1]])
H4 = np.array([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])


class Weighted(Norm):
    """A norm of one's own, max |d_i| (i + 1): nothing but what the base class asks for."""

    def norm(self, d):
        return (np.abs(d) * np.arange(1, np.shape(d)[-1] + 1)).max(axis=-1)

    def lmo(self, g):
        return np.sign(g) / np.arange(1, np.shape(g)[-1] + 1)


class Stretched(Norm):
    """alpha times another norm."""

    def __init__(self, of, alpha):
        self.of, self.alpha, self.dim = of, alpha, of.dim

    def norm(self, d):
        return self.alpha * self.of.norm(d)

    def lmo(self, g):
        return self.of.lmo(g) / self.alpha


#: Norms on 6 coordinates.
NORMS = {
    "l2": L2(),
    "l1": L1(),
    "linf": Linf(),
    "l3": Lp(3),
    "mahalanobis": Mahalanobis(np.diag([1.0, 2, 3, 4, 5, 6]) + 0.3),
    "block_sum": BlockSum([[0, 3], [1], [2, 4, 5]]),
    "block_max": BlockMax([[0, 3], [1], [2, 4, 5]]),
    "spectral": Spectral([(2, 3)]),
    "layers": Spectral([(2, 2), (2,)], radii=[1.0, 2.0]),
    "nuclear": Nuclear((2, 3)),
    "max_product": MaxProduct([(L2(), 2), (Linf(), 4)]),
    "sum_product": SumProduct([Spectral([(2, 2)]), (L1(), 2)]),
    "l2_product": L2Product([Spectral([(2, 2)]), (L2(), 2)]),
    "own": Weighted(),
}
COMPILED = ("l2", "l1", "linf", "block_sum", "block_max")


def hessian(rng, dim=6):
    """A random positive definite Hessian with a trace of about dim."""
    root = rng.standard_normal((dim, dim))
    return root @ root.T / dim + 0.1 * np.eye(dim)


def literal(problem, method, w0, steps):
    """Iterates of one run by the definition, shape (steps + 1, dim)."""
    w, seen = np.array(w0, float), [np.array(w0, float)]
    for _ in range(steps):
        dual, u = method.norm.steepest(problem.grad(w))
        w = w - float(method.eta) * (1.0 if method.normalized else dual) * u
        seen.append(w)
    return np.array(seen)
