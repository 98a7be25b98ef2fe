"""Polar factors: exact ones, ranks that fall short, and the error of the iteration."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.norms import Nuclear, Spectral, polar_error, polar_factor

from ..strategies import orthogonal_matrices, vectors

SHAPES = [(2, 2), (3, 3), (3, 5), (5, 3), (1, 4), (4, 1), (2, 3)]


def matrix(shape, singular_values, seed=0):
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in shape)
    r = len(singular_values)
    return (U[:, :r] * singular_values) @ V[:, :r].T, U[:, :r] @ V[:, :r].T


@pytest.mark.parametrize("shape", SHAPES)
def test_full_rank(shape):
    G, factor = matrix(shape, np.array([3.0, 1.0, 0.2])[: min(shape)])
    np.testing.assert_allclose(polar_factor(G), factor, atol=1e-14)
    assert polar_error(polar_factor(G)) < 1e-14


@pytest.mark.parametrize("shape", SHAPES)
def test_of_a_rank_that_falls_short_only_the_range_is_kept(shape):
    G, factor = matrix(shape, np.array([2.0]))
    np.testing.assert_allclose(polar_factor(G), factor, atol=1e-14)
    assert polar_error(polar_factor(G)) < 1e-14
    assert Spectral(shape).dual(G.ravel()) == pytest.approx(2.0, rel=1e-14)


@given(x=vectors(4))
def test_closed_form_of_2_by_2_against_the_svd(x):
    X = x.reshape(2, 2)
    U, s, Vt = np.linalg.svd(X)
    assert Spectral((2, 2)).norm(x) == pytest.approx(s[0], rel=1e-14)
    assert Spectral((2, 2)).dual(x) == pytest.approx(s.sum(), rel=1e-14)
    if s[1] > 1e-9 * s[0]:  # below, the sign of the determinant is a matter of rounding
        np.testing.assert_allclose(polar_factor(X), U @ Vt, atol=1e-14 * s[0] / s[1] + 1e-14)
    if s[0] - s[1] > 1e-6 * s[0]:
        u1v1 = np.outer(U[:, 0], Vt[0])
        np.testing.assert_allclose(Nuclear((2, 2)).lmo(x), u1v1.ravel(), atol=1e-14 * s[0] / (s[0] - s[1]) + 1e-14)


@given(Q=orthogonal_matrices(2), c=st.floats(1e-3, 1e3))
def test_multiples_of_orthogonal_2_by_2_matrices(Q, c):
    np.testing.assert_allclose(polar_factor(c * Q), Q, atol=1e-15)
    u = Nuclear((2, 2)).lmo((c * Q).ravel())  # any rank-one u vᵀ with v = Qᵀu
    assert u @ Q.ravel() == pytest.approx(1, rel=1e-14)
    assert Nuclear((2, 2)).norm(u) == pytest.approx(1, rel=1e-14)


def test_formula_of_the_theory_for_2_by_2():
    X = np.array([[2.0, -1.0], [0.5, 3.0]])
    cofactors = np.array([[X[1, 1], -X[1, 0]], [-X[0, 1], X[0, 0]]])
    det = np.linalg.det(X)
    nuclear = np.sqrt((X**2).sum() + 2 * abs(det))
    np.testing.assert_allclose(polar_factor(X), (X + np.sign(det) * cofactors) / nuclear, rtol=1e-14)
    assert Nuclear((2, 2)).norm(X.ravel()) == pytest.approx(nuclear, rel=1e-14)


@pytest.mark.parametrize(
    ("steps", "low", "high"),
    [(5, 0.840, 1.124), (6, 0.993, 1.002), (7, 1 - 1.1e-5, 1 + 1.1e-5), (8, 1 - 1e-13, 1 + 1e-13)],
)
@pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
def test_iteration_keeps_singular_vectors_and_its_promise(shape, steps, low, high):
    sigma = np.geomspace(1, 1.2e-3 * np.sqrt(40), 40)  # down to 1e-3 of the Frobenius norm, which is below sqrt(40)
    sigma[1:] *= 0.5
    sigma = sigma[sigma > 1e-3 * np.linalg.norm(sigma)]
    G, factor = matrix(shape, sigma)
    U = polar_factor(G, "newton_schulz", steps)
    values = np.linalg.svd(U, compute_uv=False)[: len(sigma)]
    assert values.min() > low
    assert values.max() < high
    V = factor.T @ U  # symmetric on the range if the singular vectors are kept
    np.testing.assert_allclose(V, V.T, atol=1e-10)
    assert polar_error(U) == pytest.approx((values * np.abs(values**2 - 1)).max(), rel=1e-6, abs=1e-13)


def test_iteration_leaves_what_is_lost_small():
    G, _ = matrix((4, 4), np.array([1.0, 0.5, 1e-5, 1e-8]))
    values = np.linalg.svd(polar_factor(G, "newton_schulz"), compute_uv=False)
    assert values[2] < 0.011
    np.testing.assert_array_equal(polar_factor(np.zeros((3, 2)), "newton_schulz"), 0)


def test_steepest_says_what_an_approximate_direction_attains():
    norm = Spectral([(4, 3), (3,)], radii=[1.0, 2.0], polar="newton_schulz")
    g = np.random.default_rng(0).standard_normal(15)
    value, u = norm.steepest(g)
    assert value == pytest.approx(g @ u, rel=1e-13)
    assert norm.dual(g) == pytest.approx(Spectral([(4, 3), (3,)], radii=[1.0, 2.0]).dual(g), rel=1e-13)
    assert abs(value / norm.dual(g) - 1) > 1e-6
    assert abs(norm.norm(u) - 1) > 1e-6
    np.testing.assert_allclose(u[12:], 2 * g[12:] / np.linalg.norm(g[12:]))  # vectors are exact
    assert not norm.traits.exact_lmo
    assert norm.name == "spectral[4x3, 3x1; radii 1, 2; newton_schulz]"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["svd", "newton_schulz"])
def test_batches_of_any_magnitude_with_lost_matrices(method):
    G = np.random.default_rng(0).standard_normal((2, 3, 4, 3))
    expected = polar_factor(G, method, 8)
    G[0, 1] *= 1e250
    G[0, 2] *= 1e-250
    G[1, 0, 2, 1] = np.nan
    U = polar_factor(G, method, 8)
    assert np.isnan(U[1, 0]).all()
    assert np.isnan(polar_error(U)[1, 0])
    U[1, 0] = expected[1, 0]
    np.testing.assert_allclose(U, expected, atol=1e-12)
    assert polar_factor(G[0, :1].astype(np.float32)).dtype == np.float32


def test_error_of_what_is_no_partial_isometry():
    assert polar_error(np.diag([1.0, 0.5])) == pytest.approx(0.5 * 0.75)
    assert polar_error(np.diag([1.0, 0.0])) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.ones(3),), ValueError, r"G must have shape \(\.\.\., m, n\), got \(3,\)"),
        ((np.eye(2), "newton"), ValueError, "method must be one of 'svd', 'newton_schulz'"),
        ((np.eye(2), "newton_schulz", 0), ValueError, "steps must be an integer >= 1"),
        ((["a"],), TypeError, "G must hold real numbers"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        polar_factor(*arguments)
