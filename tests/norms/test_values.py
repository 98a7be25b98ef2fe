"""Values of norms, duals and LMOs by hand and by brute force; what happens at ties."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from eossim.norms import (
    L1,
    L2,
    BlockMax,
    BlockSum,
    Frobenius,
    L2Product,
    Linf,
    Lp,
    Mahalanobis,
    MaxProduct,
    Nuclear,
    Spectral,
    SumProduct,
)

from ..strategies import vectors
from .cases import BLOCKS, P

G = np.array([3.0, -4.0, 12.0])  # N11 of the theory: the sharpness of the rank-one Hessian ggᵀ is the squared dual


@pytest.mark.parametrize(
    ("norm", "squared_dual"), [(L2(), 169), (Linf(), 361), (L1(), 144), (BlockMax([[0, 1], [2]]), 289)], ids=repr
)
def test_duals_by_hand(norm, squared_dual):
    assert norm.dual(G) ** 2 == pytest.approx(squared_dual, rel=1e-15)


def test_lmos_by_hand():
    np.testing.assert_array_equal(Linf().lmo(G), [1, -1, 1])
    np.testing.assert_array_equal(L1().lmo(G), [0, 0, 1])
    np.testing.assert_allclose(L2().lmo(G), G / 13)
    np.testing.assert_allclose(BlockMax([[0, 1], [2]]).lmo(G), [0.6, -0.8, 1])
    np.testing.assert_array_equal(BlockSum([[0, 1], [2]]).lmo(G), [0, 0, 1])
    np.testing.assert_allclose(Mahalanobis([1, 4, 9]).lmo(G), G / [1, 4, 9] / np.sqrt(9 + 4 + 16))
    np.testing.assert_array_equal(Spectral((2, 2)).lmo([3.0, 0, 0, -2]), [1, 0, 0, -1])
    np.testing.assert_array_equal(Nuclear((2, 2)).lmo([3.0, 0, 0, -2]), [1, 0, 0, 0])


def test_ties_take_the_first_and_zeros_stay():
    np.testing.assert_array_equal(Linf().lmo([2.0, 0, -1]), [1, 0, -1])
    np.testing.assert_array_equal(L1().lmo([-2.0, 2, 2]), [-1, 0, 0])
    np.testing.assert_array_equal(Lp(1).lmo([0.0, 2, -2]), [0, 1, 0])
    np.testing.assert_array_equal(BlockSum([[2], [0, 1]]).lmo([0.0, 5, 5]), [0, 0, 1])
    np.testing.assert_array_equal(SumProduct([(L1(), 1), (L2(), 1)]).lmo([-1.0, 1]), [-1, 0])
    np.testing.assert_array_equal(BlockMax([[0], [1]]).lmo([0.0, -7]), [0, -1])


@given(g=vectors(4))
def test_polytopes_by_their_vertices(g):
    signs = np.array(list(itertools.product([-1, 1], repeat=4)))
    assert Linf().dual(g) == pytest.approx((signs @ g).max())
    assert L1().dual(g) == pytest.approx((np.vstack([np.eye(4), -np.eye(4)]) @ g).max())


@pytest.mark.parametrize("p", [1.2, 1.5, 3.0, 7.0])
def test_lp_dual_by_search(p):
    g = np.random.default_rng(0).standard_normal(3)
    starts = np.random.default_rng(1).standard_normal((5, 3))
    best = max(-minimize(lambda d: -(g @ d) / Lp(p).norm(d), s, tol=1e-12).fun for s in starts)
    assert Lp(p).dual(g) == pytest.approx(best, rel=1e-8)


@given(g=vectors(4), p=st.floats(1.001, 1000))
def test_lp_dual_is_the_conjugate_exponent(g, p):
    assert Lp(p).dual(g) == pytest.approx(Lp(p / (p - 1)).norm(g), rel=1e-12)


@given(g=vectors(4))
def test_lp_ends_are_the_limits(g):
    for p, limit in [(1 + 1e-12, L1()), (1e12, Linf()), (2.0, L2())]:
        assert Lp(p).norm(g) == pytest.approx(limit.norm(g), rel=1e-10)
        assert Lp(p).dual(g) == pytest.approx(limit.dual(g), rel=1e-10)


@given(x=vectors(4))
def test_preconditioner(x):
    norm = Mahalanobis(P)
    assert norm.norm(x) == pytest.approx(np.sqrt(x @ P @ x), rel=1e-12)
    assert norm.dual(x) == pytest.approx(np.sqrt(x @ np.linalg.solve(P, x)), rel=1e-12)
    assert Mahalanobis(np.diag([1.0, 2, 4, 8])).dual(x) == pytest.approx(Mahalanobis([1, 2, 4, 8]).dual(x), rel=1e-12)


@given(x=vectors(12))
def test_matrix_norms_by_singular_values(x):
    s = np.linalg.svd(x.reshape(3, 4), compute_uv=False)
    assert Spectral((3, 4)).norm(x) == Nuclear((3, 4)).dual(x) == pytest.approx(s[0], rel=1e-12)
    assert Nuclear((3, 4)).norm(x) == Spectral((3, 4)).dual(x) == pytest.approx(s.sum(), rel=1e-12)
    assert Frobenius().norm(x) == pytest.approx(np.linalg.norm(s), rel=1e-12)


def same(first, second, x):
    for ask in ("norm", "dual", "lmo"):
        np.testing.assert_allclose(getattr(first, ask)(x), getattr(second, ask)(x), rtol=1e-12, atol=1e-14)


@given(x=vectors(6))
def test_blocks_are_products_of_l2(x):
    order = np.concatenate(BLOCKS)
    lengths = [(L2(), len(block)) for block in BLOCKS]
    for blocks, product in [(BlockMax(BLOCKS), MaxProduct(lengths)), (BlockSum(BLOCKS), SumProduct(lengths))]:
        assert blocks.norm(x) == pytest.approx(product.norm(x[order]), rel=1e-13)
        assert blocks.dual(x) == pytest.approx(product.dual(x[order]), rel=1e-13)
        np.testing.assert_allclose(blocks.lmo(x)[order], product.lmo(x[order]), atol=1e-14)


@given(x=vectors(6))
def test_blocks_of_one_and_of_all(x):
    each = [[i] for i in range(6)]
    same(BlockMax(each), Linf(), x)
    same(BlockSum(each), L1(), x)
    same(BlockMax([range(6)]), L2(), x)
    same(L2Product([(L2(), 2), (L2(), 4)]), L2(), x)


@given(x=vectors(9))
def test_layers_are_a_product_of_spectral_norms(x):
    layers = MaxProduct([Spectral((2, 3)), Spectral((3,))], radii=[2.0, 0.5])
    same(Spectral([(2, 3), (3, 1)], radii=[2.0, 0.5]), layers, x)


@given(x=vectors(5))
def test_radii_scale_the_layers(x):
    r = np.array([2.0, 2, 0.5, 0.5, 0.5])
    plain, scaled = (MaxProduct([(L2(), 2), (L1(), 3)], radii) for radii in (None, [2.0, 0.5]))
    assert scaled.norm(x) == pytest.approx(plain.norm(x / r), rel=1e-13)
    assert scaled.dual(x) == pytest.approx(plain.dual(x * r), rel=1e-13)
    np.testing.assert_allclose(scaled.lmo(x), r * plain.lmo(x), atol=1e-14)


@pytest.mark.parametrize("norm", [Linf(), Lp(np.inf)], ids=repr)
def test_signs_of_tiny_coordinates_beside_huge_ones(norm):
    np.testing.assert_array_equal(norm.lmo([1e300, -1e-300, 0, 5e-324]), [1, -1, 0, 1])


def test_layers_of_very_different_magnitude_all_move():
    g = np.array([1e200, 0, 0, 2e200, 1e-200, 0, 0, 3e-200])
    np.testing.assert_allclose(Spectral([(2, 2), (2, 2)]).lmo(g), [1, 0, 0, 1, 1, 0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(BlockMax([[0, 1], [4, 7], [2, 3], [5, 6]]).lmo(g)[[4, 7]], np.array([1, 3]) / 10**0.5)


def test_l2_product_scales_each_layer_by_its_own_dual():
    norm = L2Product([(Linf(), 2), Nuclear((1, 2))])
    value, u = norm.steepest([3.0, -1, 0, 3])  # duals 4 and 3
    assert value == pytest.approx(5, rel=1e-15)
    np.testing.assert_allclose(value * u, [4, -4, 0, 3], rtol=1e-15)
