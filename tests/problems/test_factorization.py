import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.curvature.operator import Operator
from eossim.problems import MatrixFactorization
from tests.strategies import seeds

shapes = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))


def random(seed, shape, lead=(2, 3)):
    m, n, inner = shape
    rng = np.random.default_rng(seed)
    problem = MatrixFactorization(rng.standard_normal((m, n)), inner)
    return problem, *rng.standard_normal((2, *lead, problem.dim))


def dense_hessian(problem, w):
    return Operator.of(problem, w)(np.eye(problem.dim))


def balanced(problem, scale=1.0):
    """A minimiser with UV = A: U = scale Q √S, V = √S Wᵀ/scale."""
    Q, s, Wt = np.linalg.svd(problem.target, full_matrices=False)
    return problem.join(scale * Q * np.sqrt(s), np.sqrt(s)[:, None] * Wt / scale), s[0]


@given(seeds, shapes)
def test_loss_row_by_row_from_its_definition(seed, shape):
    problem, w, _ = random(seed, shape)
    m, n, inner = shape
    for index in np.ndindex(2, 3):
        U, V = w[index][: m * inner].reshape(m, inner), w[index][m * inner :].reshape(inner, n)
        expected = 0.5 * sum((U[i] @ V[:, j] - problem.target[i, j]) ** 2 for i in range(m) for j in range(n))
        assert problem.loss(w)[index] == pytest.approx(expected, rel=1e-12)
        assert problem.loss(w[index]).shape == ()
        np.testing.assert_allclose(problem.grad(w)[index], problem.grad(w[index]), rtol=1e-12, atol=1e-14)


@given(seeds, shapes)
def test_derivatives_are_those_of_the_polynomial(seed, shape):
    # Along a line the loss is a quartic: five values at steps of 1 give its derivatives exactly.
    problem, w, v = random(seed, shape)
    t = np.arange(-2, 3)
    losses = np.stack([problem.loss(w + k * v) for k in t])
    first = np.tensordot([1, -8, 0, 8, -1], losses, 1) / 12
    second = np.tensordot([-1, 16, -30, 16, -1], losses, 1) / 12
    scale = losses.max()
    np.testing.assert_allclose((problem.grad(w) * v).sum(-1), first, rtol=0, atol=1e-12 * scale)
    np.testing.assert_allclose((problem.hvp(w, v) * v).sum(-1), second, rtol=0, atol=1e-12 * scale)


@given(seeds, shapes)
def test_the_hessian_is_symmetric_and_linear(seed, shape):
    problem, w, v = random(seed, shape)
    H = dense_hessian(problem, w[0, 0])
    np.testing.assert_allclose(H, H.T, atol=1e-12 * np.abs(H).max())
    np.testing.assert_allclose(problem.hvp(w[0, 0], v), v @ H, atol=1e-12 * np.abs(H).max() * np.abs(v).max() * len(H))
    assert problem.hvp(w[:, :1], v[0]).shape == w.shape


def test_the_scalar_case():
    problem = MatrixFactorization([[1.0]], 1)
    a, b = 1.5, -0.5
    assert problem.loss([a, b]) == 0.5 * (a * b - 1) ** 2
    assert problem.grad([a, b]).tolist() == [(a * b - 1) * b, (a * b - 1) * a]
    expected = [[b * b, 2 * a * b - 1], [2 * a * b - 1, a * a]]
    assert dense_hessian(problem, [a, b]).tolist() == expected
    assert problem.layers == ((1, 1), (1, 1))


@given(seeds, st.integers(1, 4), st.integers(1, 4), st.floats(0.25, 4))
def test_largest_curvature_at_minimisers(seed, m, n, scale):
    problem = MatrixFactorization(np.random.default_rng(seed).standard_normal((m, n)), min(m, n))
    w, top = balanced(problem)
    assert np.linalg.eigvalsh(dense_hessian(problem, w))[-1] == pytest.approx(2 * top, rel=1e-10)
    w, _ = balanced(problem, scale)
    largest = np.linalg.eigvalsh(dense_hessian(problem, w))[-1]
    U, V = problem.split(w)
    assert largest == pytest.approx(np.linalg.norm(U, 2) ** 2 + np.linalg.norm(V, 2) ** 2, rel=1e-10)
    assert largest >= 2 * top * (1 - 1e-10)
    assert problem.loss(w) <= 1e-25 * (1 + top**2)


def test_split_and_join():
    problem = MatrixFactorization(np.ones((3, 4)), 2)
    assert problem.layers == ((3, 2), (2, 4))
    assert problem.dim == 14
    w = np.arange(28.0).reshape(2, 14)
    U, V = problem.split(w)
    assert U[0].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert V[0].tolist() == [[6, 7, 8, 9], [10, 11, 12, 13]]
    np.testing.assert_array_equal(problem.join(U, V), w)
    with pytest.raises(ValueError, match=r"V must have shape \(\.\.\., 2, 4\), got \(2, 4, 2\)"):
        problem.join(U, np.swapaxes(V, 1, 2))


def test_divergence_passes_without_warnings():
    problem = MatrixFactorization([[1.0]], 1)
    w = np.array([[np.inf, 0.0], [1e200, 1e200], [1.0, 1.0]])
    assert problem.loss(w)[2] == 0
    assert not np.isfinite(problem.loss(w)[:2]).any()
    assert not np.isfinite(problem.grad(w)[:2]).all(axis=-1).any()
    assert not np.isfinite(problem.hvp(w, [1.0, 1.0])[:2]).all(axis=-1).any()


def test_it_keeps_its_own_target():
    A = np.ones((2, 2))
    problem = MatrixFactorization(A, 1)
    A[:] = 0
    assert problem.target.tolist() == [[1, 1], [1, 1]]
    assert not problem.target.flags.writeable
    assert repr(problem) == "MatrixFactorization(2x2, inner=1)"


def test_bad_input():
    with pytest.raises(ValueError, match="target must be 2-D"):
        MatrixFactorization([1.0, 2.0], 1)
    with pytest.raises(ValueError, match="target must be finite"):
        MatrixFactorization([[np.nan]], 1)
    with pytest.raises(ValueError, match="inner must be an integer >= 1, got 0"):
        MatrixFactorization([[1.0]], 0)
    with pytest.raises(TypeError, match="inner must be an integer"):
        MatrixFactorization([[1.0]], 1.5)
    problem = MatrixFactorization([[1.0]], 1)
    with pytest.raises(ValueError, match=r"w must have shape \(\.\.\., 2\), got \(3,\)"):
        problem.loss([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"v must have shape \(\.\.\., 2\), got \(\)"):
        problem.hvp([1.0, 2.0], 1.0)
    with pytest.raises(ValueError, match=r"v must broadcast against w of shape \(2, 2\), got \(3, 2\)"):
        problem.hvp(np.ones((2, 2)), np.ones((3, 2)))
