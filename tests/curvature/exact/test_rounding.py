"""What rounding and unfinished iterations must not do: thresholds from both sides, coordinates of any size."""

import numpy as np
import pytest

from eossim.curvature.bounds import upper_bound
from eossim.curvature.exact import exact_sharpness, two_balls
from eossim.curvature.exact.found import Unsolved
from eossim.curvature.exact.spectrum import lanczos
from eossim.curvature.generalized import generalized_sharpness
from eossim.curvature.operator import Operator
from eossim.norms import L1, L2, BlockMax, BlockSum, Linf, Mahalanobis, MaxProduct, Norm, Nuclear, Spectral
from eossim.norms.base import Traits


def sharpness(H, norm):
    return exact_sharpness(norm, Operator.of_matrix(H), demanded=True).value


def path(v):
    """The Laplacian of a path: its largest eigenvalues crowd below 4."""
    return 2 * v - np.append(v[1:], 0) - np.append(0, v[:-1])


@pytest.mark.parametrize(
    "norm", [L2(), Mahalanobis(np.full(6000, 0.5)), BlockSum([range(3000), range(3000, 6000)])], ids=lambda n: n.name
)
def test_lanczos_that_does_not_converge_is_no_answer(norm):
    operator = Operator.of(path, dim=6000, semidefinite=True)
    assert exact_sharpness(norm, operator) is None
    assert operator.products <= 330
    with pytest.raises(ValueError, match="did not converge"):
        exact_sharpness(norm, operator, demanded=True)
    assert upper_bound(norm, operator) == (np.inf, "none")


def test_large_matrices_are_solved_where_lanczos_does_not_converge():
    dim = 600
    H = np.stack([path(row) for row in np.eye(dim)])
    assert sharpness(H, L2()) == pytest.approx(2 + 2 * np.cos(np.pi / (dim + 1)), rel=1e-13)


def test_products_that_are_not_symmetric_leave_a_residual():
    turn = np.triu(np.ones((100, 100))) / 10
    with pytest.raises(Unsolved):
        lanczos(lambda v: turn @ v, 100)


@pytest.mark.parametrize(
    ("H", "expected"),
    [
        ([[1, 0, 1], [0, 4, 0], [1, 0, 2]], 4),
        ([[3, 0, 1], [0, 5, 0], [1, 0, 2]], 5),
        ([[3, 0, -3], [0, 8, 0], [-3, 0, 3]], 8),
    ],
)
def test_matrices_that_fall_into_blocks(H, expected):
    """LAPACK's search for some eigenvalues finds none of these."""
    assert sharpness(np.array(H, dtype=float), L2()) == pytest.approx(expected, rel=1e-14)
    assert sharpness(np.kron(np.eye(2), H), BlockMax([range(3), range(3, 6)])) == pytest.approx(2 * expected, rel=1e-13)
    assert upper_bound(BlockMax([range(3)]), Operator.of_matrix(H))[0] == pytest.approx(expected, rel=1e-12)


LARGE = [1.0, 1e6, 1.1e12, 1e16, 1e30]


@pytest.mark.parametrize("s", LARGE)
def test_a_coordinate_of_another_size(s):
    """A large negative H_00 keeps d_0 near 0: S is that of the rest, up to the coupling squared over s."""
    small = np.array([0, 1e-3, 1e-3])
    for rest, norm, expected in (
        ([[1.0, 0.3], [0.3, -1.0]], Linf(), 1.09),
        ([[-1.0, 3.0], [3.0, -1.0]], L1(), 1.0),
        ([[-2.0, -0.5], [-0.5, -1.0]], Linf(), -0.875),
        ([[-2.0, -0.5], [-0.5, -1.0]], L1(), -0.4375),
    ):
        H = np.diag([-s, 0, 0])
        H[0] += small
        H[:, 0] += small
        H[1:, 1:] = rest
        slack = 1e-5 if s < 10 else 3e-6 if s < 1e7 else 1e-9
        if s > 10 or norm.name == "linf":  # in l1, d_0 takes part if s is small
            assert sharpness(H, norm) == pytest.approx(expected, abs=slack)
        assert sharpness(H[::-1, ::-1], norm) == pytest.approx(sharpness(H, norm), rel=1e-12)


@pytest.mark.parametrize("delta", [1e-2, 1e-4, 1e-6, 1e-9])
def test_nearly_flat_directions_inside_the_cube(delta):
    """q = -d₀² - d₁² + 2(1 - δ)d₀d₁ + δ(d₀ + d₁)d₂ is largest at d₀ = d₁ = d₂/2: δ/2; with any of them at 1 it is 0."""
    H = np.array([[-1, 1 - delta, delta / 2], [1 - delta, -1, delta / 2], [delta / 2, delta / 2, 0]])
    assert sharpness(H, Linf()) == pytest.approx(delta / 2, rel=1e-5 if delta < 1e-8 else 1e-9)


@pytest.mark.parametrize("delta", [1e-2, 1e-4, 1e-6, 1e-10])
def test_nearly_flat_faces_of_the_cross_polytope(delta):
    """H = [[1, 1 + δ], [1 + δ, 1]]: the middle of the face has 1 + δ/2, its ends 1."""
    H = np.array([[1, 1 + delta], [1 + delta, 1]])
    assert sharpness(H, L1()) == pytest.approx(1 + delta / 2, rel=1e-14)


@pytest.mark.parametrize(
    ("norm", "H"),
    [
        (Linf(), [[-1, 1, 1e-9], [1, -1, 1e-9], [1e-9, 1e-9, 0]]),
        (L1(), [[-1, -1, 1e-9], [-1, -1, 1e-9], [1e-9, 1e-9, 0]]),
    ],
    ids=["linf", "l1"],
)
def test_what_rounding_decides_is_not_called_exact(norm, H):
    """A direction that is flat up to rounding against a value of 1e-9."""
    with pytest.raises(ValueError, match="rounding decides"):
        sharpness(np.array(H), norm)


@pytest.mark.parametrize("coupling", [0.9, 1.0, 1.01, 1.03, 1.2])
def test_a_free_block_at_the_boundary_of_its_ball(coupling):
    """d₀² + 2c d₀d₂ - d₂² - d₁²: with |d₂| <= 1 it is 1 + c² for c <= 1 and 2c beyond."""
    H = np.array([[1, 0, coupling], [0, -1, 0], [coupling, 0, -1]])
    expected = 1 + coupling**2 if coupling <= 1 else 2 * coupling
    assert sharpness(H, BlockMax([[0, 1], [2]])) == pytest.approx(expected, rel=1e-12)
    order = [2, 0, 1]
    assert sharpness(H[np.ix_(order, order)], BlockMax([[0], [1, 2]])) == pytest.approx(expected, rel=1e-12)


def test_two_blocks_that_do_not_meet_their_bound_are_no_answer(monkeypatch):
    A = np.random.default_rng(0).standard_normal((5, 5))
    H, norm = A @ A.T, BlockMax([[0, 1], [2, 3, 4]])
    S = sharpness(H, norm)
    monkeypatch.setattr(two_balls, "_HALVINGS", 14)
    answer = exact_sharpness(norm, Operator.of_matrix(H))
    assert answer is None or answer.value == pytest.approx(S, rel=2e-11)
    monkeypatch.setattr(two_balls, "_AGREEMENT", 1.0)  # what is refused there is off by little
    rough = sharpness(H, norm)
    assert 1e-11 < 1 - rough / S < 1e-2


@pytest.mark.parametrize("off", [1e-2, 1e-4, 1e-8])
def test_nearly_a_product_is_not_one(off):
    rng = np.random.default_rng(1)
    A, B, noise = (x @ x.T for x in (rng.standard_normal((size, size)) for size in (3, 2, 6)))
    H, norm = np.kron(B, A), Spectral((2, 3))
    assert exact_sharpness(norm, Operator.of_matrix(H)) is not None
    assert exact_sharpness(norm, Operator.of_matrix(H + off * H.max() / noise.max() * noise)) is None


@pytest.mark.parametrize("second", [0.05, 1e-3, 1e-8])
def test_an_eigenvector_that_is_nearly_of_rank_one_is_not_a_maximiser(second):
    rng = np.random.default_rng(2)
    u, v = np.zeros((2, 3)), rng.standard_normal((6, 2))
    u[0, 0], u[1, 1] = 1, second
    u = u.ravel() / np.linalg.norm(u)
    v -= np.outer(u, u @ v)
    H = 30 * np.outer(u, u) + v @ v.T
    assert np.linalg.eigvalsh(H)[-1] == pytest.approx(30)
    assert exact_sharpness(Nuclear((2, 3)), Operator.of_matrix(H)) is None
    u[4] = 0
    v -= np.outer(u, u @ v) / (u @ u)
    exact = 30 * np.outer(u, u) + v @ v.T
    assert sharpness(exact, Nuclear((2, 3))) == pytest.approx(30 * (u @ u), rel=1e-12)


class Rough(Norm):
    """ℓ∞ with an LMO that falls short."""

    @property
    def traits(self):
        return Traits(exact_lmo=False)

    def norm(self, d):
        return np.abs(d).max(axis=-1)

    def lmo(self, g):
        return np.tanh(3 * np.asarray(g))


def test_an_approximate_lmo_is_not_exact():
    H = np.outer([1.0, 0.1], [1.0, 0.1])
    assert exact_sharpness(Rough(), Operator.of_matrix(H)) is None
    with pytest.raises(ValueError, match="exact LMO"):
        exact_sharpness(Rough(), Operator.of_matrix(H), demanded=True)


@pytest.mark.parametrize("size", [1e-200, 1e200, 1e-300, 5e-320])
@pytest.mark.parametrize(
    "norm",
    [L2(), L1(), Linf(), BlockMax([[0, 1], [2, 3]]), BlockSum([[0, 1], [2, 3]]), MaxProduct([(L2(), 2), (L1(), 2)])],
)
def test_entries_of_any_size(norm, size):
    A = np.random.default_rng(0).standard_normal((4, 4))
    for H in (A @ A.T, -A @ A.T - np.eye(4)):
        entries = np.round(H * 2**10) if size < 1e-310 else H
        expected, found = generalized_sharpness(entries, norm), generalized_sharpness(entries * size, norm)
        # entries that are not normal numbers have few digits
        close = pytest.approx(expected.value, rel=1e-12 if size > 1e-310 else 0.05)
        assert found.value / size == close
        assert found.upper_bound >= found.value
        assert found.exact == expected.exact


def test_a_bound_below_what_was_attained_proves_nothing(monkeypatch):
    H = Operator.of_matrix(np.array([[2, 1, 1.0], [1, 2, -1], [1, -1, 2]]))
    monkeypatch.setattr("eossim.curvature.generalized.upper_bound", lambda *_: (1.0, "wrong"))
    found = generalized_sharpness(H, Linf(), method="estimate")
    assert not found.exact
    assert (found.upper_bound, found.bound_name) == (np.inf, "none")
