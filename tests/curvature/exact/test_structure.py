"""Invariances, Hessians without entries, dimensions, and what is said where nothing fits."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.curvature.exact import exact_sharpness
from eossim.curvature.operator import Operator
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
    Norm,
    Nuclear,
    Spectral,
    SumProduct,
)
from tests.strategies import orthogonal_matrices, seeds, symmetric_matrices

from .cases import KINDS, NORMS, hessian


def sharpness(H, norm):
    found = exact_sharpness(norm, Operator.of_matrix(H), demanded=True)
    assert norm.norm(found.witness) == pytest.approx(1, abs=1e-12)
    return found.value


def close(value, H):
    return pytest.approx(value, rel=1e-9, abs=1e-10 * max(np.abs(H).max(), 1e-300) * len(H))


@given(symmetric_matrices(), seeds)
def test_signs_and_order_of_coordinates_do_not_matter(H, seed):
    rng = np.random.default_rng(seed)
    order, sigma = rng.permutation(len(H)), rng.choice([-1.0, 1.0], len(H))
    other = (sigma[:, None] * H * sigma)[np.ix_(order, order)]
    for norm in (Linf(), L1(), L2()):
        assert sharpness(other, norm) == close(sharpness(H, norm), H)


@given(symmetric_matrices(), st.floats(0.01, 100))
def test_scales(H, c):
    """S(cH) = cS(H), and S/r² for the norm times r."""
    for norm in (Linf(), L1(), L2()):
        assert sharpness(c * H, norm) == close(c * sharpness(H, norm), c * H)
        longer = MaxProduct([(norm, len(H))], radii=[c])
        assert sharpness(H, longer) == close(c * c * sharpness(H, norm), c * c * H)


@given(st.data(), seeds, st.sampled_from(["definite", "semidefinite", "rank one"]))
def test_rotations_of_rows_and_columns_do_not_matter(data, seed, kind):
    H = hessian(kind, 4, np.random.default_rng(seed))
    Q, R = data.draw(orthogonal_matrices(2)), data.draw(orthogonal_matrices(2))
    both = np.kron(Q, R)
    turned = both @ H @ both.T
    for norm in (Spectral((2, 2)), Nuclear((2, 2))):
        assert sharpness(turned, norm) == close(sharpness(H, norm), H)


@given(symmetric_matrices(max_dim=5))
def test_norms_that_coincide(H):
    """Every norm that is another one in disguise has its sharpness."""
    dim = len(H)
    singletons = [[i] for i in range(dim)]
    layers, rows = Spectral([(1, 1)] * dim), Spectral((1, dim))
    for norms in (
        (L2(), Frobenius(), Lp(2), Mahalanobis(np.ones(dim)), Mahalanobis(np.eye(dim)), BlockSum([range(dim)])),
        (L2(), BlockMax([range(dim)]), rows, Spectral((dim, 1)), Nuclear((1, dim)), L2Product([(L2(), dim)])),
        (L2(), SumProduct([(L2(), dim)]), L2Product([(L2(), 1)] * dim), L2Product([Spectral((1, 1))] * dim)),
        (L1(), Lp(1), BlockSum(singletons), SumProduct([(L2(), 1)] * dim), SumProduct([(L1(), dim)])),
        (Linf(), Lp(np.inf), BlockMax(singletons), layers, MaxProduct([(Linf(), dim)]), MaxProduct([layers])),
    ):
        values = [sharpness(H, norm) for norm in norms]
        for value in values[1:]:
            assert value == close(values[0], H)


@given(seeds, st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_uncoupled_parts(seed, first, second):
    """Max-product of uncoupled layers: the sum of the positive sharpnesses; sums and ℓ2-products: the larger one."""
    rng = np.random.default_rng(seed)
    A, B = hessian(first, 3, rng), hessian(second, 4, rng)
    H = np.zeros((7, 7))
    H[:3, :3], H[3:, 3:] = A, B
    a, b = sharpness(A, Linf()), sharpness(B, L1())
    parts = [(Linf(), 3), (L1(), 4)]
    positive = max(a, b) if max(a, b) < 0 else max(a, 0) + max(b, 0)
    assert sharpness(H, MaxProduct(parts)) == close(positive, H)
    assert sharpness(H, L2Product(parts)) == close(max(a, b), H)
    both = 1 / (1 / a + 1 / b) if max(a, b) < 0 else max(a, b)
    assert sharpness(H, SumProduct(parts)) == close(both, H)


@pytest.mark.parametrize("norm", [Linf(), L1(), BlockMax([[0, 1], [2, 3]]), Spectral((2, 2)), Nuclear((2, 2))])
def test_layers_are_bounded_by_isolated_ones(norm):
    """ΣS_l <= S of the max-product (any H); <= (Σ√S_l)² if H is semidefinite. Blocks in two layers of ℓ∞."""
    rng = np.random.default_rng(1)
    for kind in ("definite", "semidefinite", "indefinite"):
        for _ in range(20):
            H = hessian(kind, 8, rng)
            isolated = np.array([sharpness(H[at, at], Linf()) for at in (slice(0, 4), slice(4, 8))])
            joint = sharpness(H, MaxProduct([(Linf(), 4), (Linf(), 4)]))
            assert isolated.sum() <= joint + 1e-10
            if kind != "indefinite":
                assert joint <= np.sqrt(isolated).sum() ** 2 + 1e-10
                assert sharpness(H, SumProduct([(norm, 4), (Linf(), 4)])) == close(
                    max(sharpness(H[:4, :4], norm), isolated[1]), H
                )


@pytest.mark.parametrize("kind", ["definite", "semidefinite", "indefinite"])
def test_linf_of_22_coordinates(kind):
    """All 2^21 sign vectors in halves a and b: aᵀAa + 2aᵀCb + bᵀBb is one matrix product."""
    rng = np.random.default_rng(22)
    H = hessian(kind, 22, rng)
    if kind == "indefinite":
        np.fill_diagonal(H, np.abs(np.diag(H)))  # then a sign vector is best
    half = np.array(list(product((-1.0, 1.0), repeat=11)))
    a, b = half[: len(half) // 2], half
    own = [((x @ part) * x).sum(axis=1) for x, part in ((a, H[:11, :11]), (b, H[11:, 11:]))]
    best = (own[0][:, None] + 2 * (a @ H[:11, 11:]) @ b.T + own[1]).max()
    assert sharpness(H, Linf()) == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize(("norm", "dim", "solved"), NORMS, ids=lambda x: getattr(x, "name", ""))
def test_products_give_what_entries_give(norm, dim, solved):
    rng = np.random.default_rng(dim)
    for kind in KINDS:
        H = hessian(kind, dim, rng)
        by_entries = exact_sharpness(norm, Operator.of_matrix(H))
        operator = Operator.of(lambda v, H=H: H @ v, dim=dim)
        by_products = exact_sharpness(norm, operator)
        assert (by_entries is None) == (by_products is None)
        if by_products is not None:
            assert by_products.value == close(by_entries.value, H)
            assert operator.products <= dim + 3 + 1  # its entries, and three to see that it is symmetric


def test_lanczos_finds_the_largest_algebraic_eigenvalue():
    """Not the largest in magnitude, which is negative."""
    rng = np.random.default_rng(0)
    Q, lam = np.linalg.qr(rng.standard_normal((700, 3)))[0], np.array([3.0, 2.0, -50.0])
    operator = Operator.of(lambda v: Q @ (lam * (Q.T @ v)) + 0.5 * v, dim=len(Q))
    found = exact_sharpness(L2(), operator, demanded=True)
    assert found.value == pytest.approx(3.5, rel=1e-10)
    assert abs(found.witness @ Q[:, 0]) == pytest.approx(1, abs=1e-6)
    assert "Lanczos" in found.how
    P = rng.uniform(1, 4, len(Q))
    found = exact_sharpness(Mahalanobis(P), Operator.of(lambda v: P * v, dim=len(Q)), demanded=True)
    assert found.value == pytest.approx(1, rel=1e-10)
    negative = exact_sharpness(L2(), Operator.of(lambda v: -2 * v, dim=600), demanded=True)
    assert negative.value == pytest.approx(-2)
    assert exact_sharpness(L2(), Operator.of(lambda v: 0 * v, dim=600), demanded=True).value == 0


def test_lanczos_in_sums_of_blocks():
    rng = np.random.default_rng(0)
    blocks = np.split(rng.permutation(300), [1, 100, 250])
    root = rng.standard_normal((300, 40))
    norm = BlockSum(blocks)
    operator = Operator.of(lambda v: root @ (root.T @ v), dim=300, semidefinite=True)
    expected = max(np.linalg.eigvalsh(root[b] @ root[b].T)[-1] for b in blocks)
    found = exact_sharpness(norm, operator, demanded=True)
    assert found.value == pytest.approx(expected, rel=1e-10)
    assert norm.norm(found.witness) == pytest.approx(1)
    unknown = Operator.of(lambda v: root @ (root.T @ v), dim=300)
    assert exact_sharpness(norm, unknown) is None
    with pytest.raises(ValueError, match="semidefinite=True"):
        exact_sharpness(norm, unknown, demanded=True)


@pytest.mark.parametrize("dim", [3, 100])
def test_products_that_are_not_finite_give_nan(dim):
    found = exact_sharpness(L2(), Operator.of(lambda v: np.full_like(v, np.inf), dim=dim))
    assert np.isnan(found.value)


class Skewed(Norm):
    """Max(|d_1|, 2|d_2|): a norm of the user's own."""

    dim = 2

    def norm(self, d):
        return np.abs(np.asarray(d) * [1, 2]).max(axis=-1)

    def lmo(self, g):
        return np.sign(g) * [1, 0.5]


def test_own_norms():
    a = np.array([1.0, -3])
    found = exact_sharpness(Skewed(), Operator.of_matrix(np.outer(a, a)), demanded=True)
    assert found.value == pytest.approx(2.5**2)
    assert exact_sharpness(Skewed(), Operator.of_matrix(np.diag([1.0, 2]))) is None
    with pytest.raises(ValueError, match="rank one"):
        exact_sharpness(Skewed(), Operator.of_matrix(np.diag([1.0, 2])), demanded=True)


class LouderLinf(Linf):
    """A subclass may change anything: it must not be taken for ℓ∞."""

    def norm(self, d):
        return 2 * super().norm(d)

    def lmo(self, g):
        return super().lmo(g) / 2


def test_subclasses_are_norms_of_their_own():
    assert exact_sharpness(LouderLinf(), Operator.of_matrix(np.diag([1.0, 2.0, 3.0]))) is None
    ones = Operator.of_matrix(np.ones((3, 3)))
    assert exact_sharpness(LouderLinf(), ones).value == pytest.approx(9 / 4)


def frustrated(dim, seed=0):
    A = np.random.default_rng(seed).standard_normal((dim, dim))
    return A @ A.T


@pytest.mark.parametrize(
    ("norm", "H", "message"),
    [
        (Linf(), frustrated(60), r"exact sharpness in linf needs dim <= 26, got 60.*method='estimate'.*upper_bound"),
        (Linf(), frustrated(30) - 20 * np.eye(30), "negative diagonal"),
        (L1(), frustrated(24) - 60 * np.eye(24), "too many faces"),
        (Lp(3), frustrated(5), "p = 3"),
        (Lp(1.5), frustrated(4), "rank one"),
        (BlockSum([[0, 1], [2, 3]]), frustrated(4) - 3 * np.eye(4), "positive semidefinite"),
        (BlockMax([[0, 1], [2, 3], [4]]), frustrated(5), "two Euclidean blocks"),
        (Spectral((2, 3)), frustrated(6), "B ⊗ A"),
        (Nuclear((2, 3)), frustrated(6), "nuclear norm of a 2 x 3"),
        (L2Product([(Linf(), 2), (L1(), 2)]), frustrated(4), "couples"),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_why_there_is_no_answer(norm, H, message):
    operator = Operator.of_matrix(H)
    assert exact_sharpness(norm, operator) is None
    with pytest.raises(ValueError, match=message):
        exact_sharpness(norm, operator, demanded=True)


def test_wrong_dimension():
    with pytest.raises(ValueError, match="3 coordinates"):
        exact_sharpness(Mahalanobis(np.ones(3)), Operator.of_matrix(np.eye(2)))
