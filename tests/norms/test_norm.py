"""What makes a norm, its dual and its LMO, on every norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.norms import L1, L2, Linf, Lp, Mahalanobis, Nuclear, Spectral

from ..strategies import seeds, vectors
from .cases import each_norm

RTOL = 1e-13
data = st.data()


@each_norm
@given(data=data)
def test_triangle_inequality_and_homogeneity(norm, dim, data):
    x, y = data.draw(vectors(dim)), data.draw(vectors(dim))
    assert norm.norm(x + y) <= (norm.norm(x) + norm.norm(y)) * (1 + RTOL)
    assert norm.norm(-3 * x) == pytest.approx(3 * norm.norm(x), rel=RTOL)
    assert (norm.norm(x) > 0) == x.any()


@each_norm
@given(data=data)
def test_lmo_has_norm_one_and_attains_the_dual(norm, dim, data):
    g = data.draw(vectors(dim))
    value, u = norm.steepest(g)
    np.testing.assert_array_equal(u, norm.lmo(g))
    assert value == pytest.approx(norm.dual(g), rel=RTOL)
    assert g @ u == pytest.approx(value, rel=RTOL)
    assert norm.norm(u) == pytest.approx(1.0 if g.any() else 0.0, rel=RTOL)


@each_norm
@given(data=data, seed=seeds)
def test_nothing_attains_more_than_the_dual(norm, dim, data, seed):
    g = data.draw(vectors(dim))
    rng = np.random.default_rng(seed)
    others = norm.lmo(rng.standard_normal((200, dim)))  # extreme points of the ball
    near = norm.lmo(g) + 0.1 * rng.standard_normal((200, dim))
    d = np.concatenate([others, near])
    assert (d @ g <= norm.norm(d) * norm.dual(g) * (1 + RTOL)).all()


@each_norm
@pytest.mark.parametrize("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_any_magnitude(norm, dim, scale):
    g = np.random.default_rng(0).integers(-3, 4, dim).astype(float)
    value, u = norm.steepest(g * scale)
    np.testing.assert_allclose(u, norm.lmo(g), rtol=1e-12, atol=1e-14)
    assert value / scale == pytest.approx(norm.dual(g), rel=1e-12)
    assert norm.norm(g * scale) / scale == pytest.approx(norm.norm(g), rel=1e-12)


@pytest.mark.parametrize("norm", [L2(), Linf(), L1(), Lp(3), Spectral((2, 3)), Nuclear((2, 3))], ids=repr)
def test_subnormal_vectors_have_the_lmo_of_their_digits(norm):
    g = np.array([3.0, -1, 0, 2, 5, -4])
    np.testing.assert_allclose(norm.lmo(g * 5e-324), norm.lmo(g), atol=1e-14)
    assert norm.dual(g * 5e-324) == np.round(norm.dual(g)) * 5e-324


@each_norm
def test_a_batch_is_its_rows(norm, dim):
    x = np.random.default_rng(1).standard_normal((2, 3, dim))
    value, u = norm.steepest(x)
    assert value.shape == norm.norm(x).shape == norm.dual(x).shape == (2, 3)
    assert norm.lmo(np.empty((0, dim))).shape == (0, dim)
    for i, j in np.ndindex(2, 3):
        assert norm.norm(x)[i, j] == pytest.approx(norm.norm(x[i, j]), rel=RTOL)
        assert value[i, j] == pytest.approx(norm.dual(x[i, j]), rel=RTOL)
        np.testing.assert_allclose(u[i, j], norm.lmo(x[i, j]), rtol=1e-12, atol=1e-14)


@each_norm
@pytest.mark.filterwarnings("error")
def test_lost_rows_leave_the_others_alone(norm, dim):
    x = np.random.default_rng(2).standard_normal((4, dim))
    x[1, 0], x[2, -1] = np.nan, np.inf
    sizes, (values, u) = norm.norm(x), norm.steepest(x)
    for result in (sizes, values, norm.dual(x)):
        assert not np.isfinite(result[[1, 2]]).any()
    assert np.isnan(u[[1, 2]]).all()
    for i in (0, 3):
        assert sizes[i] == pytest.approx(norm.norm(x[i]), rel=RTOL)
        np.testing.assert_allclose(u[i], norm.lmo(x[i]), rtol=1e-12, atol=1e-14)


@each_norm
@pytest.mark.filterwarnings("error")
def test_zero(norm, dim):
    with np.errstate(all="raise"):
        assert norm.norm(np.zeros(dim)) == norm.dual(np.zeros(dim)) == 0
        assert not norm.lmo(np.zeros(dim)).any()


@each_norm
def test_float32_stays(norm, dim):
    g = np.random.default_rng(3).standard_normal((3, dim)).astype(np.float32)
    value, u = norm.steepest(g)
    assert value.dtype == u.dtype == norm.norm(g).dtype == norm.dual(g).dtype == np.float32
    np.testing.assert_allclose(value, norm.dual(g.astype(float)), rtol=1e-5)
    np.testing.assert_allclose(norm.norm(u), 1, rtol=1e-5)
    assert norm.norm(np.ones(dim, dtype=int)).dtype == norm.norm(np.ones(dim, dtype=np.float16)).dtype == np.float64


@each_norm
def test_extreme_points_have_the_squared_length_that_is_said(norm, dim):
    length = norm.squared_length(dim)
    if length is not None:
        u = norm.lmo(np.random.default_rng(4).standard_normal((50, dim)))
        np.testing.assert_allclose((u**2).sum(axis=1), length, rtol=1e-12)


@each_norm
def test_traits_hold(norm, dim):
    rng = np.random.default_rng(5)
    Q, x = np.linalg.qr(rng.standard_normal((dim, dim)))[0], rng.standard_normal((20, dim))
    rotates = np.allclose(norm.norm(x @ Q), norm.norm(x))
    assert norm.traits.rotation_equivariant == rotates
    if norm.traits.polyhedral:  # finitely many extreme points: a small change of g does not move the best one
        np.testing.assert_array_equal(norm.lmo(x + 1e-9), norm.lmo(x))


@given(data=data, seed=seeds)
@pytest.mark.parametrize("norm", [L1(), L2(), Linf(), Lp(3), Lp(1.2)], ids=repr)
def test_coordinate_norms_see_neither_order_nor_signs(norm, data, seed):
    x = data.draw(vectors(5))
    rng = np.random.default_rng(seed)
    moved = rng.choice([-1.0, 1.0], 5) * x[rng.permutation(5)]
    assert norm.norm(moved) == pytest.approx(norm.norm(x), rel=RTOL)
    assert norm.dual(moved) == pytest.approx(norm.dual(x), rel=RTOL)


@pytest.mark.parametrize("norm", [Spectral((3, 4)), Nuclear((3, 4))], ids=repr)
def test_matrix_norms_see_no_rotation_of_rows_or_columns(norm):
    rng = np.random.default_rng(6)
    G = rng.standard_normal((3, 4))
    Q, R = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (3, 4))
    assert norm.norm((Q @ G @ R).ravel()) == pytest.approx(norm.norm(G.ravel()), rel=RTOL)
    turned = Q @ norm.lmo(G.ravel()).reshape(3, 4) @ R
    np.testing.assert_allclose(norm.lmo((Q @ G @ R).ravel()), turned.ravel(), atol=1e-13)


@each_norm
def test_norms_do_not_change(norm, dim):
    for attribute in vars(norm):
        with pytest.raises(AttributeError, match="does not change"):
            setattr(norm, attribute, None)


def test_preconditioner_of_very_different_units():
    norm = Mahalanobis([1e-250, 1.0, 1e250])
    g = np.array([1e-125, 1.0, 1e125])
    assert norm.dual(g) == pytest.approx(np.sqrt(3), rel=RTOL)
    np.testing.assert_allclose(norm.lmo(g), np.array([1e125, 1, 1e-125]) / np.sqrt(3), rtol=RTOL)
    assert norm.norm(np.array([1e125, 1.0, 1e-125])) == pytest.approx(np.sqrt(3), rel=RTOL)
