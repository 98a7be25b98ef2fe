"""Certified upper bounds: reference values, tables of the theory note, and what they must never undercut."""

import mpmath
import numpy as np
import pytest
from hypothesis import given

from eossim.curvature.bounds import upper_bound
from eossim.curvature.exact import exact_sharpness
from eossim.curvature.operator import Operator
from eossim.curvature.semidefinite import semidefinite_bound
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
)
from tests.strategies import symmetric_matrices

from .exact.cases import hessian, searched

H3 = np.array([[2, 0.5, 0.3], [0.5, 1.5, -0.4], [0.3, -0.4, 1]])
H4 = np.array([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])


def bound(H, norm):
    return upper_bound(norm, Operator.of_matrix(H))[0]


def sharpness(H, norm):
    return exact_sharpness(norm, Operator.of_matrix(H), demanded=True).value


def test_goemans_williamson_of_a_frustrated_triangle():
    """For three vectors, max Σ h_ij <v_i, v_j> is |h₁₂h₁₃/h₂₃| + ... if h₁₂h₁₃h₂₃ < 0: N3, 5.78166..."""
    a, b, c = 0.5, 0.3, -0.4
    expected = np.trace(H3) - (a * b / c + a * c / b + b * c / a)
    assert expected == pytest.approx(5.7816666, abs=1e-6)
    assert semidefinite_bound(H3, [1, 1, 1]) == pytest.approx(expected, abs=1e-9)
    assert upper_bound(Linf(), Operator.of_matrix(H3)) == (pytest.approx(expected, abs=1e-9), "semidefinite program")


@given(symmetric_matrices())
def test_sharpness_is_never_above(H):
    scale = np.abs(H).sum() + 1e-300
    for norm in (Linf(), L1(), L2(), BlockMax([range(len(H))])):
        S = sharpness(H, norm)
        assert bound(H, norm) + 1e-11 * scale >= S
    assert np.trace(H) <= bound(H, Linf()) + 1e-11 * scale
    assert sharpness(H, Linf()) <= np.abs(H).sum() + 1e-11 * scale
    top = np.linalg.eigvalsh(H)[-1]
    for norm in (L2(), L1(), Lp(1.5), BlockSum([[i] for i in range(len(H))])):
        assert bound(H, norm) <= max(top, 0) + 1e-11 * scale


@pytest.mark.parametrize("dim", [3, 6, 9])
def test_semidefinite_program_is_within_pi_over_two(dim):
    """S <= SDP <= (π/2)S for positive semidefinite H; typically 1 % above."""
    rng = np.random.default_rng(dim)
    ratios = []
    for kind in ("definite", "semidefinite", "rank one", "identity", "repeated") * 10:
        H = hessian(kind, dim, rng)
        H = H @ H if kind == "repeated" else H
        ratios.append(semidefinite_bound(H, [1] * dim) / sharpness(H, Linf()))
    assert min(ratios) >= 1 - 1e-11
    assert max(ratios) <= np.pi / 2
    assert np.mean(ratios) < 1.05


def test_tables_of_bounds():
    """λ1 times 1 or more and less than the length of the longest point, for semidefinite H (section 3)."""
    rng = np.random.default_rng(0)
    for _ in range(30):
        H = hessian("definite", 6, rng)
        top = np.linalg.eigvalsh(H)[-1]
        for norm, longest in (
            (Linf(), 6),
            (Lp(4), np.sqrt(6)),
            (Lp(1.2), 1),
            (L1(), 1),
            (Spectral((2, 3)), 2),
            (Spectral([(2, 2), (2,)], radii=[1, 2]), 6),
            (Nuclear((2, 3)), 1),
            (BlockMax([[0, 1], [2, 3, 4], [5]]), 3),
            (BlockSum([[0, 1], [2, 3, 4], [5]]), 1),
        ):
            assert bound(H, norm) <= longest * top * (1 + 1e-12)
        blocks = [slice(0, 2), slice(2, 5), slice(5, 6)]
        pairs = sum(np.linalg.norm(H[a, b], 2) for a in blocks for b in blocks)
        assert bound(H, BlockMax([[0, 1], [2, 3, 4], [5]])) <= pairs * (1 + 1e-12)
        assert bound(H, Spectral((2, 3))) <= semidefinite_bound(H, [1] * 6) * (1 + 1e-9)
        isolated = [bound(H[at, at], Spectral((1, 3))) for at in (slice(0, 3), slice(3, 6))]
        assert bound(H, Spectral([(1, 3), (1, 3)])) <= np.sqrt(isolated).sum() ** 2 * (1 + 1e-12)
        assert bound(H, L1()) == pytest.approx(np.diag(H).max(), rel=1e-12)


@pytest.mark.parametrize(
    "norm",
    [
        Lp(3),
        Lp(1.5),
        BlockMax([[0, 1], [2], [3, 4, 5]]),
        Spectral((2, 3)),
        Spectral((3, 2)),
        Nuclear((2, 3)),
        Spectral([(2, 2), (1, 2)], radii=[0.5, 2]),
        MaxProduct([(Lp(3), 2), (L1(), 2), (Nuclear((2, 1)), 2)], radii=[1, 2, 0.5]),
        L2Product([(Linf(), 3), (L1(), 3)]),
    ],
    ids=lambda norm: norm.name,
)
def test_no_point_is_above_where_nothing_exact_is_known(norm):
    rng = np.random.default_rng(2)
    kinds = ("definite", "semidefinite", "indefinite", "repeated", "negative") * 6
    hessians = [hessian(kind, 6, rng) for kind in kinds]
    seen = searched(norm, hessians, rng)
    bounds = np.array([bound(H, norm) for H in hessians])
    assert (seen <= bounds + 1e-11).all()
    convex = np.array([kind in ("definite", "semidefinite") for kind in kinds])
    assert np.median(bounds[convex] / seen[convex]) < 1.5  # they are worth something


def test_two_blocks_and_small_matrices_are_tight():
    rng = np.random.default_rng(3)
    blocks = BlockMax([[0, 1], [2, 3, 4]])
    for kind in ("definite", "indefinite", "semidefinite") * 10:
        H = hessian(kind, 5, rng)
        assert bound(H, blocks) == pytest.approx(sharpness(H, blocks), rel=1e-6)
    for kind in ("definite", "semidefinite") * 10:
        H = hessian(kind, 4, rng)
        assert bound(H, Spectral((2, 2))) == pytest.approx(sharpness(H, Spectral((2, 2))), rel=1e-9)
        assert bound(H, Nuclear((2, 2))) == pytest.approx(sharpness(H, Nuclear((2, 2))), rel=1e-6)
    assert bound(H4, Nuclear((2, 2))) == pytest.approx(5.43510667622525, abs=1e-6)


def test_an_unfinished_program_is_still_a_bound(monkeypatch):
    rng = np.random.default_rng(4)
    H = hessian("definite", 12, rng)
    S, done = sharpness(H, Linf()), semidefinite_bound(H, [1] * 12)
    monkeypatch.setattr("eossim.curvature.semidefinite._WORK", 0)  # eight sweeps
    rough = semidefinite_bound(H, [1] * 12)
    assert S <= done <= rough * (1 + 1e-12)
    assert rough > done * (1 + 1e-9)


def test_without_entries_the_name_says_lanczos():
    rng = np.random.default_rng(5)
    root = rng.standard_normal((200, 5))
    operator = Operator.of(lambda v: root @ (root.T @ v), dim=200)
    top = np.linalg.norm(root, 2) ** 2
    value, name = upper_bound(Linf(), operator)
    assert (value, name) == (pytest.approx(200 * top, rel=1e-8), "largest eigenvalue (Lanczos)")
    assert upper_bound(Spectral([(10, 19), (10,)]), operator)[0] == pytest.approx(11 * top, rel=1e-8)
    assert upper_bound(Mahalanobis(np.full(200, 2.0)), operator)[0] == pytest.approx(top / 2, rel=1e-8)
    nan = Operator.of(lambda v: v * np.nan, dim=200)
    value, name = upper_bound(Linf(), nan)
    assert np.isnan(value)
    assert name == "not finite"


class Own(Norm):
    def norm(self, d):
        return np.abs(d).max(axis=-1)

    def lmo(self, g):
        return np.sign(g)


def test_norms_of_the_users_own_have_none():
    assert upper_bound(Own(), Operator.of_matrix(H3)) == (np.inf, "none")
    assert upper_bound(MaxProduct([(Own(), 2), (L2(), 1)]), Operator.of_matrix(H3)) == (np.inf, "none")


def test_negative_definite_hessians():
    """The sphere: S < 0, and so is the bound."""
    assert bound(-np.eye(3), Linf()) == pytest.approx(-1)
    assert bound(-np.eye(3), L1()) == pytest.approx(-1 / 3)
    with pytest.raises(ValueError, match="coordinates"):
        upper_bound(Mahalanobis(np.ones(3)), Operator.of_matrix(np.eye(2)))


@pytest.mark.parametrize("dim", [10, 100])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_hessian_that_is_semidefinite_up_to_rounding(dim, part):
    """H_00 = 1, small h beside it and 0 elsewhere: S = 1 + 2Σ|h| in linf, though h_0j² > H_00 H_jj."""
    H = np.zeros((dim, dim))
    H[0, 0] = 1
    h = part * np.sqrt(10 * dim * np.finfo(float).eps / (dim - 1))
    H[0, 1:] = H[1:, 0] = h
    S = 1 + 2 * (dim - 1) * h
    assert bound(H, Linf()) >= S * (1 - 1e-14)
    layers = Spectral([(1, 1), (dim - 1, 1)])  # |d_0| <= 1 and ‖d_1‖₂ <= 1
    assert bound(H, layers) >= (1 + 2 * np.sqrt(dim - 1) * h) * (1 - 1e-14)


@pytest.mark.parametrize("p", [2.5, 4.0, np.inf])
def test_multipliers_that_are_not_feasible_are_shifted_by_all_that_is_missing(monkeypatch, p):
    monkeypatch.setattr("eossim.curvature.semidefinite.mix", lambda H, starts, *_: np.zeros(len(starts) - 1))
    assert semidefinite_bound(2 * np.eye(4), [1] * 4, p) == pytest.approx(2 * 4 ** (1 - 2 / p), rel=1e-12)


def test_rounding_of_an_eigenvalue_is_part_of_the_bound(monkeypatch):
    """λ1 of order 1 beside -1e16: eigenvalues in float64 are wrong by about 1, to either side."""
    monkeypatch.setattr("eossim.curvature.semidefinite.mix", lambda H, starts, *_: np.zeros(len(starts) - 1))
    rng, precise, below = np.random.default_rng(6), mpmath.MPContext(), 0
    precise.dps = 60
    for _ in range(20):
        u = rng.standard_normal(4)
        H = hessian("indefinite", 4, rng) - 1e16 * np.outer(u, u)
        top = float(max(precise.eigsy(precise.matrix(H.tolist()), eigvals_only=True)))
        below += np.linalg.eigvalsh(H)[-1] < top
        assert bound(H, L2()) >= top
        assert semidefinite_bound(H, [1] * 4) >= 4 * top
    assert below > 3
