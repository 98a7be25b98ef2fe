"""Problems of the tests, and the measures of them in exact arithmetic by going through every ordered batch."""

import itertools
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from eossim.problems import LeastSquares, QuadraticSum

THREE = [[[2, 0], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 4]]]
V2 = QuadraticSum(THREE, [[0, 0], [1, 1], [0, 1]])
V4 = LeastSquares([[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1])
V9 = QuadraticSum([[[3, 0], [0, -1]], [[-1, 0], [0, 3]], [[0, 1], [1, 0]]])


def icosahedron(epsilon: float) -> QuadraticSum:
    phi = (1 + 5**0.5) / 2
    axes = np.array([[0, 1, phi], [0, 1, -phi], [1, phi, 0], [1, -phi, 0], [phi, 0, 1], [-phi, 0, 1]])
    axes /= np.sqrt(1 + phi**2)
    return QuadraticSum(np.eye(3) - (1 - epsilon) * axes[:, :, None] * axes[:, None, :])


class Products:
    """ℓ = (u v x - y)²: a loss that is not quadratic, as a user would write it."""

    dim, n_samples = 2, 3

    def __init__(self, gauss_newton: bool = False) -> None:
        self.x, self.y = np.array([1.0, 2, -1]), np.array([1.0, 1, 0])
        self.gauss_newton = gauss_newton

    def sample_gradients(self, w):
        u, v = w
        r = u * v * self.x - self.y
        return 2 * (r * self.x)[:, None] * np.array([v, u])

    def sample_hvp(self, w, vectors):
        u, v = w
        J = self.x[:, None] * np.array([v, u])
        product = 2 * J * (J * vectors).sum(axis=1, keepdims=True)
        r = u * v * self.x - self.y
        return product + (0 if self.gauss_newton else 2) * (r * self.x)[:, None] * np.asarray(vectors)[:, ::-1]


class Bare:
    """A problem of which only the samples show."""

    def __init__(self, problem) -> None:
        self._problem = problem
        self.dim, self.n_samples = problem.dim, problem.n_samples
        self.calls = 0

    def sample_gradients(self, w):
        return self._problem.sample_gradients(w)

    def sample_hvp(self, w, vectors):
        assert vectors.shape == (self.n_samples, self.dim)
        self.calls += 1
        return self._problem.sample_hvp(w, vectors)


def ordered_batches(n: int, b: int, replacement: bool):
    return itertools.product(range(n), repeat=b) if replacement else itertools.permutations(range(n), b)


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def exact(problem, w, b: int, replacement: bool) -> dict[str, Fraction | None]:
    """Return BS with zero and skip, RM, IAS and GNI of integer data; None for 0/0 or x/0."""
    (H, g), n = integers(problem, w), problem.n_samples
    d = range(len(w))
    full_H = [[sum(H[k][i][j] for k in range(n)) for j in d] for i in d]  # n times it
    full_g = [sum(g[k][i] for k in range(n)) for i in d]
    ratios, own, full, square, count = [], 0, 0, 0, 0  # sums of b³, n b² and b² times the forms
    for batch in ordered_batches(n, b, replacement):
        gB = [sum(g[k][i] for k in batch) for i in d]
        a = sum(dot(gB, [dot(row, gB) for row in H[k]]) for k in batch)
        c = dot(gB, gB)
        count += 1
        own, full, square = own + a, full + dot(gB, [dot(row, gB) for row in full_H]), square + c
        if c:
            ratios.append(Fraction(a, b * c))
    total = sum(ratios, Fraction(0))
    full_square = dot(full_g, full_g) * count
    return {
        "zero": total / count,
        "skip": total / len(ratios) if ratios else None,
        "RM": Fraction(own, b * square) if square else None,
        "IAS": Fraction(full, n * square) if square else None,
        "GNI": Fraction(full * n, b * b * full_square) if full_square else None,
        "zero_share": Fraction(count - len(ratios), count),
    }


def integers(problem, w):
    """Return the Hessians and gradients of samples as Python integers."""
    w = [int(x) for x in w]
    if isinstance(problem, QuadraticSum):
        H = [[[int(x) for x in row] for row in A] for A in problem.hessians]
        d = [[x - int(c) for x, c in zip(w, center, strict=True)] for center in problem.centers]
        return H, [[dot(row, v) for row in A] for A, v in zip(H, d, strict=True)]
    c = int(2 * problem.loss_scale)
    rows = [[int(x) for x in row] for row in problem.X]
    residuals = [dot(row, w) - int(y) for row, y in zip(rows, problem.y, strict=True)]
    H = [[[c * x * y for y in row] for x in row] for row in rows]
    return H, [[c * r * x for x in row] for row, r in zip(rows, residuals, strict=True)]


small = st.integers(-3, 3)


@st.composite
def integer_problems(draw):
    """Problems and points with small integers: interpolating or not, rank-deficient, repeated and zero rows."""
    n, dim = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    vector = st.lists(small, min_size=dim, max_size=dim)
    w = draw(vector)
    if draw(st.booleans()):
        kinds = draw(st.lists(vector, min_size=1, max_size=n))
        rows = np.array(draw(st.lists(st.sampled_from([[0] * dim, *kinds]), min_size=n, max_size=n)))
        y = draw(st.lists(small, min_size=n, max_size=n))
        if draw(st.booleans()):
            y = rows @ draw(vector)
        return LeastSquares(rows, y, loss_scale=draw(st.sampled_from([0.5, 1.0]))), w
    factors = np.array(draw(st.lists(st.lists(small, min_size=dim * dim, max_size=dim * dim), min_size=n, max_size=n)))
    factors = factors.reshape(n, dim, dim)
    H = np.tril(factors) + np.tril(factors, -1).transpose(0, 2, 1)
    if draw(st.booleans()):
        H = factors @ factors.transpose(0, 2, 1)
    centers = draw(st.lists(vector, min_size=n, max_size=n))
    try:
        return QuadraticSum(H, centers), w
    except ValueError:  # no stationary point: with one centre there always is one
        return QuadraticSum(H, np.repeat(centers[:1], n, axis=0)), w


def largest_exact(problem) -> float:
    """Return the largest norm of a sample's Hessian, the scale of every measure."""
    H = integers(problem, [0] * problem.dim)[0]
    return max(float(np.linalg.norm(np.array(A), 2)) for A in H)
