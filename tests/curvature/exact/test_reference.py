"""Reference values of the theory note and closed forms."""

import numpy as np
import pytest

from eossim.curvature.exact import exact_sharpness
from eossim.curvature.operator import Operator
from eossim.norms import L1, L2, BlockMax, BlockSum, Linf, Lp, Mahalanobis, Nuclear, Spectral

from .cases import searched

H2 = np.array([[2.0, 1], [1, 2]])
H3 = np.array([[2, 0.5, 0.3], [0.5, 1.5, -0.4], [0.3, -0.4, 1]])
H4 = np.array([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])
SWAP = np.array([[0.0, 1], [1, 0]])
CORNER = np.array([1.0, 0, 0, 0])
A11 = np.array([3.0, -4, 12])

REFERENCE = [
    ("N1", np.diag([3.0, 1]), L2(), 3),
    ("N1", np.diag([3.0, 1]), L1(), 3),
    ("N1", np.diag([3.0, 1]), Linf(), 4),
    ("N1", np.diag([3.0, 1]), Lp(3), 28 ** (1 / 3)),
    ("N2", H2, L2(), 3),
    ("N2", H2, Linf(), 6),
    ("N2", H2, L1(), 2),
    ("N2", H2, Lp(3), 3 * 2 ** (1 / 3)),
    ("N3", H3, L2(), 2.31086774162037),
    ("N3", H3, L1(), 2),
    ("N3", H3, Linf(), 5.7),
    ("N3", H3, Mahalanobis([1.0, 2.0, 4.0]), 2.09957524705922),
    ("N4", SWAP, L2(), 1),
    ("N4", SWAP, Linf(), 2),
    ("N4", SWAP, L1(), 0.5),
    ("N5", -np.eye(2), L2(), -1),
    ("N5", -np.eye(2), Linf(), -1),
    ("N6", 1.5 * np.eye(3) - 0.5, L2(), 1.5),
    ("N6", 1.5 * np.eye(3) - 0.5, Linf(), 4),
    ("N7", np.diag([1.0, -1]), Linf(), 1),
    ("N8", np.outer(CORNER, CORNER) + 0.1 * np.eye(4), Spectral((2, 2)), 1.2),
    ("N9", np.kron(np.diag([2.0, 1]), np.diag([3.0, 1])), Spectral((2, 2)), 7),
    ("N10", H4, Spectral((2, 2)), 7 + 2 * np.sqrt(5)),
    ("N10", H4, Nuclear((2, 2)), 5.43510667622525),
    ("N10", H4, Linf(), 18),
    ("N11", np.outer(A11, A11), L2(), 169),
    ("N11", np.outer(A11, A11), Linf(), 361),
    ("N11", np.outer(A11, A11), L1(), 144),
    ("N12", np.array([[1, 0.9], [0.9, 1]]), BlockMax([[0], [1]]), 3.8),
    ("N12", np.array([[1, 0.9], [0.9, 1]]), L2(), 1.9),
]


def sharpness(H, norm):
    return exact_sharpness(norm, Operator.of_matrix(H), demanded=True)


@pytest.mark.parametrize(("number", "H", "norm", "expected"), REFERENCE, ids=lambda x: getattr(x, "name", None))
def test_reference_values(number, H, norm, expected):
    found = sharpness(H, norm)
    assert found.value == pytest.approx(expected, abs=1e-9), number
    assert found.witness @ H @ found.witness == pytest.approx(expected, abs=1e-9)
    assert norm.norm(found.witness) == pytest.approx(1, abs=1e-12)


def test_reference_witnesses():
    np.testing.assert_allclose(np.prod(sharpness(H3, Linf()).witness[:2]), 1)
    np.testing.assert_allclose(np.prod(sharpness(H3, Linf()).witness[1:]), -1)
    np.testing.assert_allclose(sharpness(SWAP, L1()).witness, sharpness(SWAP, L1()).witness[0] * np.ones(2))
    np.testing.assert_allclose(np.abs(sharpness(np.diag([1.0, -1]), Linf()).witness), [1, 0])


@pytest.mark.parametrize(
    ("norm", "dim", "largest", "smallest"),
    [
        (L2(), 5, 1, 1),
        (L1(), 5, 1, 1 / 5),
        (Linf(), 5, 5, 1),
        (Lp(4), 5, np.sqrt(5), 1),
        (Lp(1.5), 5, 1, 5 ** (-1 / 3)),
        (BlockMax([[0, 1], [2], [3, 4]]), 5, 3, 1),
        (BlockSum([[0, 1], [2], [3, 4]]), 5, 1, 1 / 3),
        (Spectral((3, 4)), 12, 3, 1),
        (Spectral([(3, 4), (2, 2), (3,)]), 19, 6, 1),
        (Spectral([(3, 4), (2, 2)], radii=[2.0, 3.0]), 16, 3 * 4 + 2 * 9, 4),
        (Nuclear((3, 4)), 12, 1, 1 / 3),
        (Mahalanobis([1.0, 4.0]), 2, 1, 1 / 4),
    ],
    ids=lambda x: getattr(x, "name", None),
)
def test_multiples_of_the_identity(norm, dim, largest, smallest):
    """S(cI) = c max ‖d‖₂² for c > 0 and c min ‖d‖₂² for c < 0 (section 3)."""
    if not isinstance(norm, Mahalanobis):
        assert sharpness(-2.5 * np.eye(dim), norm).value == pytest.approx(-2.5 * smallest, rel=1e-12)
    assert sharpness(2.5 * np.eye(dim), norm).value == pytest.approx(2.5 * largest, rel=1e-12)
    assert sharpness(np.zeros((dim, dim)), norm).value == 0


@pytest.mark.parametrize("shape", [(2, 2), (2, 3), (4, 3), (5, 5)])
def test_two_sided_products(shape):
    """D -> BDA: spectral Σ λ_i(A)λ_i(B), nuclear λ1(A)λ1(B); B = I and m >= n: tr A."""
    m, n = shape
    rng = np.random.default_rng(m)
    A, B = rng.standard_normal((n, n)), rng.standard_normal((m, m - 1))
    A, B = A @ A.T, B @ B.T
    r = min(shape)
    a, b = np.linalg.eigvalsh(A)[::-1][:r], np.linalg.eigvalsh(B)[::-1][:r]
    assert sharpness(np.kron(B, A), Spectral(shape)).value == pytest.approx(a @ b, rel=1e-12)
    assert sharpness(np.kron(B, A), Nuclear(shape)).value == pytest.approx(a[0] * b[0], rel=1e-12)
    assert sharpness(np.kron(np.eye(m), A), Spectral(shape)).value == pytest.approx(a.sum(), rel=1e-12)
    negative = -np.kron(
        B + np.eye(m), A + np.eye(n)
    )  # smallest of tr(DᵀBDA), σ_max = 1: rank one, smallest eigenvalues
    low = np.linalg.eigvalsh(B)[0] + 1, np.linalg.eigvalsh(A)[0] + 1
    assert sharpness(negative, Spectral(shape)).value == pytest.approx(-low[0] * low[1], rel=1e-9)


@pytest.mark.parametrize(
    "norm", [Linf(), L1(), Lp(3), Lp(1.2), Spectral((2, 3)), Nuclear((2, 3)), BlockMax([[0, 1], [2, 3, 4, 5]])]
)
def test_rank_one_is_the_dual_norm_squared(norm):
    a = np.array([3.0, -4, 0, 1, 0.5, -2])
    assert sharpness(np.outer(a, a), norm).value == pytest.approx(float(norm.dual(a)) ** 2, rel=1e-12)
    assert abs(sharpness(-np.outer(a, a), norm).value) <= 1e-12


def test_rank_one_plus_identity():
    a = np.array([3.0, -4, 0, 1, 0.5, -2])
    H = np.outer(a, a) + 0.3 * np.eye(6)
    assert sharpness(H, Spectral((2, 3))).value == pytest.approx(float(Spectral((2, 3)).dual(a)) ** 2 + 0.6, rel=1e-12)
    assert sharpness(H, Linf()).value == pytest.approx(np.abs(a).sum() ** 2 + 1.8, rel=1e-12)
    two = Spectral([(2, 2), (2,)])
    assert sharpness(H, two).value == pytest.approx(float(two.dual(a)) ** 2 + 0.3 * 3, rel=1e-12)


def test_diagonal_hessians():
    h = np.array([3.0, -1, 0.5, 2, -4, 1])
    assert sharpness(np.diag(h), Linf()).value == pytest.approx(6.5)
    assert sharpness(h, Lp(6)).value == pytest.approx(np.sum(np.maximum(h, 0) ** 1.5) ** (2 / 3))
    assert sharpness(np.diag(h), Lp(1.5)).value == pytest.approx(3)
    assert sharpness(np.diag(h), Spectral((2, 3))).value == pytest.approx(4)  # 3 in (0, 0) and 1 in (1, 2)
    assert sharpness(np.diag(h), Nuclear((2, 3))).value == pytest.approx(3)
    assert sharpness(-np.array([1.0, 2, 4]), L1()).value == pytest.approx(-1 / (1 + 1 / 2 + 1 / 4))


def test_no_frustration_at_any_dimension():
    rng = np.random.default_rng(0)
    sigma = rng.choice([-1.0, 1.0], 80)
    H = sigma[:, None] * np.abs(rng.standard_normal((80, 80))) * sigma
    H = H + H.T
    assert sharpness(H, Linf()).value == pytest.approx(np.abs(H).sum(), rel=1e-12)
    found = sharpness(H, Lp(3))
    d, g = np.abs(found.witness), np.abs(H @ found.witness)
    np.testing.assert_allclose(
        g, found.value * d**2, rtol=1e-9
    )  # stationary, and positive: there is only one such point


@pytest.mark.parametrize("p", [2.05, 3.0, 8.0])
def test_positive_hessians_in_lp(p):
    rng = np.random.default_rng(1)
    hessians = [A + A.T for A in rng.uniform(0, 1, (20, 3, 3)) ** 3]
    seen = searched(Lp(p), hessians, rng)
    values = [sharpness(H, Lp(p)).value for H in hessians]
    np.testing.assert_array_less(seen, np.array(values) * (1 + 1e-12))
    np.testing.assert_allclose(seen, values, rtol=0.02)


def test_layers_have_cross_terms():
    """Two scalar layers: isolated 1 + 1, joint 3.8 (section 7)."""
    H = np.array([[1, 0.9], [0.9, 1]])
    assert sharpness(H, Spectral([(1, 1), (1, 1)])).value == pytest.approx(3.8)
