"""`generalized_sharpness`: reference values, what it says of its number, and what it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator

from eossim import Quadratic
from eossim.curvature.generalized import METHODS, generalized_sharpness
from eossim.curvature.operator import Operator
from eossim.norms import L1, L2, BlockMax, Linf, Lp, Mahalanobis, MaxProduct, Norm, Nuclear, Spectral
from tests.strategies import seeds, symmetric_matrices

H2 = np.array([[2.0, 1.0], [1.0, 2.0]])
H3 = np.array([[2, 0.5, 0.3], [0.5, 1.5, -0.4], [0.3, -0.4, 1]])
H4 = np.array([[4.0, 1, 0, 1], [1, 3, 1, 0], [0, 1, 2, -1], [1, 0, -1, 5]])
A = np.array([3.0, -4.0, 12.0])
CORNER = np.array([1.0, 0, 0, 0])

#: Notes N1 to N12: Hessian, norm, S.
REFERENCES = [
    (np.array([3.0, 1.0]), L2(), 3),
    (np.array([3.0, 1.0]), L1(), 3),
    (np.array([3.0, 1.0]), Linf(), 4),
    (np.array([3.0, 1.0]), Lp(3), 28 ** (1 / 3)),
    (H2, L2(), 3),
    (H2, Linf(), 6),
    (H2, L1(), 2),
    (H2, Lp(3), 3 * 2 ** (1 / 3)),
    (H3, L2(), 2.31086774162037),
    (H3, L1(), 2),
    (H3, Linf(), 5.7),
    (H3, Lp(3), 2.93643207852700),
    (H3, Mahalanobis([1.0, 2.0, 4.0]), 2.09957524705922),
    (np.array([[0.0, 1.0], [1.0, 0.0]]), L2(), 1),
    (np.array([[0.0, 1.0], [1.0, 0.0]]), Linf(), 2),
    (np.array([[0.0, 1.0], [1.0, 0.0]]), L1(), 0.5),
    (np.array([-1.0, -1.0]), L2(), -1),
    (np.array([-1.0, -1.0]), Linf(), -1),
    (1.5 * np.eye(3) - 0.5, L2(), 1.5),
    (1.5 * np.eye(3) - 0.5, Linf(), 4),
    (np.array([1.0, -1.0]), Linf(), 1),
    (np.outer(CORNER, CORNER) + 0.1 * np.eye(4), Spectral((2, 2)), 1.2),
    (np.kron(np.diag([2.0, 1.0]), np.diag([3.0, 1.0])), Spectral((2, 2)), 7),
    (H4, Spectral((2, 2)), 7 + 2 * 5**0.5),
    (H4, Nuclear((2, 2)), 5.43510667622525),
    (H4, Linf(), 18),
    (np.outer(A, A), L2(), 169),
    (np.outer(A, A), Linf(), 361),
    (np.outer(A, A), L1(), 144),
    (np.array([[1.0, 0.9], [0.9, 1.0]]), BlockMax([[0], [1]]), 3.8),
    (np.array([[1.0, 0.9], [0.9, 1.0]]), L2(), 1.9),
]


@pytest.mark.parametrize("method", ["auto", "estimate", "frank_wolfe"])
@pytest.mark.parametrize(("hessian", "norm", "expected"), REFERENCES)
def test_reference_values(hessian, norm, expected, method):
    found = generalized_sharpness(hessian, norm, method=method)
    assert float(found) == found.value == pytest.approx(expected, rel=1e-9)
    assert found.value - 1e-12 <= expected * (1 + 1e-12) + 1e-12
    H = np.diag(hessian) if hessian.ndim == 1 else hessian
    assert norm.norm(found.witness) == pytest.approx(1, rel=1e-12)
    assert found.witness @ H @ found.witness == pytest.approx(found.value, rel=1e-12)
    assert found.upper_bound >= expected * (1 - 1e-9) - 1e-9
    if expected > 0:  # a maximiser of the sphere is then stationary
        assert 0 <= found.gap <= 1e-5 * found.value


@pytest.mark.parametrize("method", ["auto", "exact"])
def test_an_exact_value_says_so(method):
    found = generalized_sharpness(H3, Linf(), method=method)
    assert found.exact
    assert (found.upper_bound, found.bound_name) == (found.value, "exact")
    assert np.isnan(found.frank_wolfe)
    assert np.isnan(found.spread)
    np.testing.assert_allclose(np.abs(found.witness @ [1, 1, -1]), 3, rtol=1e-12)
    assert repr(found).startswith("GeneralizedSharpness(5.7, exact; ")


def test_an_estimate_says_so():
    found = generalized_sharpness(H3, Linf(), method="estimate")
    assert not found.exact
    assert found.value <= found.upper_bound == pytest.approx(5.78166660, rel=1e-6)  # the semidefinite program
    assert found.frank_wolfe <= found.value
    assert found.spread >= 0
    assert repr(found).startswith("GeneralizedSharpness(at least 5.7; at most 5.78")
    assert "\n" not in repr(found)
    loose = generalized_sharpness(H3, Linf(), method="estimate", bound=False)
    assert (loose.upper_bound, loose.bound_name, loose.value) == (np.inf, "none", found.value)
    assert "no upper bound known" in repr(loose)
    assert "stationarity gap" in repr(loose)


def test_the_edge_belongs_to_the_value():
    assert generalized_sharpness(H2, "linf").edge == pytest.approx(2 / 6, rel=1e-12)
    assert generalized_sharpness(-H2, "linf").edge == np.inf
    assert generalized_sharpness(0 * H2, "linf").edge == np.inf
    assert np.isnan(generalized_sharpness(lambda v: np.nan * v, "linf", dim=2).edge)


def test_entries_of_functions_make_it_exact():
    rng = np.random.default_rng(5)
    H = np.diag(rng.random(256))
    found = generalized_sharpness(lambda v: H @ v, Lp(3), dim=256)
    assert found.exact
    assert found.products == 256 + 3
    assert found.value == pytest.approx((np.diag(H) ** 3).sum() ** (1 / 3), rel=1e-9)  # Hölder


def test_the_hessian_of_a_problem_is_never_built():
    units = []

    class Watched(Quartic):
        dim = 3

        def hvp(self, w, v):
            units.extend(row for row in np.atleast_2d(v) if np.count_nonzero(row) == 1)
            return super().hvp(w, v)

    found = generalized_sharpness(Watched(), Linf(), [1.0, 2.0, 3.0])
    assert found.value == pytest.approx(14, rel=1e-12)
    assert not units


def test_a_contradiction_is_refused():
    for dim in (80, 400):
        with pytest.raises(ValueError, match="semidefinite=True, but the Hessian has"):
            generalized_sharpness(lambda v: -v, "l1", dim=dim, semidefinite=True)


def test_few_products_where_eigenvalues_crowd():
    """The one-dimensional Laplacian: its largest eigenvalues lie within 1e-6 of one another."""
    calls = []

    def product(v):
        calls.append(1)
        return 2 * v - np.append(v[1:], 0) - np.append(0, v[:-1])

    found = generalized_sharpness(product, Linf(), dim=3000)
    assert found.products == len(calls) <= 600
    assert found.value <= 4 * 3000 <= found.upper_bound


class Answers(Norm):
    """A norm of one's own that answers what it is told to."""

    dim = 3

    def __init__(self, norm=None, lmo=None):
        self._answers = norm or (lambda d: np.abs(d).max(axis=-1)), lmo or np.sign

    def norm(self, d):
        return self._answers[0](d)

    def lmo(self, g):
        return self._answers[1](g)


@pytest.mark.parametrize(
    ("norm", "error", "message"),
    [
        (
            Answers(norm=np.max),
            ValueError,
            r"norm of the norm answers, asked with shape \(2, 3\), must return shape \(2,\)",
        ),
        (Answers(lmo=lambda g: None), TypeError, "what lmo of the norm answers, .* got None of dtype object; .*check"),
        (Answers(lmo=lambda g: g[..., :2]), ValueError, r"lmo of the norm answers, .* must return shape \(2, 3\), got"),
        (
            Answers(lmo=lambda g: g @ np.ones((4, 3))),
            ValueError,
            "lmo of the norm answers, .* raised ValueError: .*check",
        ),
        (
            Answers(lmo=lambda g: np.sign(g, out=g)),
            ValueError,
            "lmo of the norm answers, .* must not write into its arg",
        ),
    ],
)
def test_norms_of_ones_own_that_answer_wrongly(norm, error, message):
    with pytest.raises(error, match=message):
        generalized_sharpness(H3, norm)
    with pytest.raises(error, match=message):
        generalized_sharpness(np.eye(4), MaxProduct([norm, (Linf(), 1)]))


def test_a_norm_without_its_dim():
    norm = Answers(norm=lambda d: np.abs(d * [1, 2, 3]).max(axis=-1))
    norm.dim = None
    with pytest.raises(ValueError, match="for vectors of one length only, give it the attribute dim"):
        generalized_sharpness(np.eye(4), norm)
    norm.dim = 3.5
    with pytest.raises(TypeError, match=r"dim of the norm answers must be an integer >= 1, got 3\.5"):
        generalized_sharpness(np.eye(4), norm)


def test_an_estimate_at_its_upper_bound_is_exact():
    found = generalized_sharpness(np.outer(A, A), Linf(), method="estimate")  # rank one: S = ‖a‖₁²
    assert found.exact
    assert found.value == pytest.approx(361, rel=1e-12)
    assert found.bound_name in found.how


class Weighted(Norm):
    """max |d_i| / r_i, known by its value and its LMO only."""

    dim = 3

    def norm(self, d):
        return np.abs(d / [1.0, 2.0, 4.0]).max(axis=-1)

    def lmo(self, g):
        return np.sign(g) * [1.0, 2.0, 4.0]


def test_a_norm_of_ones_own():
    r = np.array([1.0, 2.0, 4.0])
    found = generalized_sharpness(H3, Weighted())
    assert found.value == pytest.approx(generalized_sharpness(H3 * np.outer(r, r), Linf()).value, rel=1e-12)
    assert not found.exact
    assert found.upper_bound == np.inf


def test_every_kind_of_source():
    values = [
        generalized_sharpness(source, "linf", dim=dim).value
        for source, dim in [
            (H3, None),
            (H3.tolist(), None),
            (Quadratic(H3), None),
            (Operator.of_matrix(H3), None),
            (aslinearoperator(H3), None),
            (lambda v: H3 @ v, 3),
        ]
    ]
    np.testing.assert_allclose(values, 5.7, rtol=1e-12)


class Quartic:
    """L = Σ w_i⁴/12, with the Hessian diag(w_i²)."""

    dim = 100

    def hvp(self, w, v):
        return w**2 * v


def test_a_problem_at_a_point():
    w = np.linspace(-1, 2, 100)
    found = generalized_sharpness(Quartic(), Linf(), w, starts=np.ones(100))
    assert found.value == pytest.approx((w**2).sum(), rel=1e-12)
    with pytest.raises(ValueError, match="w is needed"):
        generalized_sharpness(Quartic(), Linf())


def test_products_are_counted_and_few():
    calls = []

    def product(v):
        calls.append(v)
        return np.arange(1, 401) * v

    found = generalized_sharpness(product, Linf(), dim=400, bound=False)
    assert found.products == len(calls) <= 5 * 11 + 111 + 3
    assert np.isnan(found.frank_wolfe)
    paper = generalized_sharpness(product, Linf(), dim=400, bound=False, method="frank_wolfe", restarts=2, iterations=7)
    assert paper.frank_wolfe <= paper.value * (1 + 1e-12)
    calls.clear()
    small = generalized_sharpness(lambda v: product(np.pad(v, (0, 397)))[:3], Linf(), dim=3)
    assert small.products == len(calls) == 3 + 3  # a trial and its entries, whatever is then done with them


def test_warm_starts():
    rng = np.random.default_rng(0)
    J = rng.standard_normal((50, 400))
    words = {"dim": 400, "bound": False}
    cold = generalized_sharpness(lambda v: (J @ v) @ J, Spectral((20, 20)), **words)
    warm = generalized_sharpness(lambda v: (J @ v) @ J, Spectral((20, 20)), starts=cold.witness, restarts=0, **words)
    mixed = generalized_sharpness(lambda v: (J @ v) @ J, Spectral((20, 20)), starts=[cold.witness, J[0]], **words)
    assert min(warm.value, mixed.value) >= cold.value * (1 - 1e-12)
    assert warm.products < cold.products / 2


def test_the_same_seed_gives_the_same_number():
    H = np.random.default_rng(1).standard_normal((12, 12))
    one, two = (generalized_sharpness(H + H.T, Spectral((3, 4)), seed=7) for _ in range(2))
    assert one.value == two.value
    np.testing.assert_array_equal(one.witness, two.witness)


@pytest.mark.parametrize("dim", [3, 300])
@pytest.mark.parametrize("norm", [Linf(), L2(), Lp(3)])
@pytest.mark.parametrize("method", ["auto", "frank_wolfe"])
def test_a_hessian_that_is_not_finite_gives_nan(dim, norm, method):
    found = generalized_sharpness(lambda v: np.nan * v, norm, dim=dim, method=method, iterations=3)
    assert np.isnan(found.value)
    assert np.isnan(found.witness).all()
    assert not found.exact
    assert repr(found).startswith("GeneralizedSharpness(nan; ")


@pytest.mark.parametrize("method", METHODS)
def test_no_curvature(method):
    found = generalized_sharpness(np.zeros((3, 3)), Linf(), method=method)
    assert (found.value, found.gap, found.exact) == (0, 0, True)


@given(H=symmetric_matrices(), seed=seeds, scale=st.floats(1e-3, 1e3))
def test_invariance(H, seed, scale):
    """Permutations and signs of coordinates leave S in ℓ∞; S is linear in H; ℓ1 <= ℓ2 <= ℓ∞ where S >= 0."""
    dim, rng = len(H), np.random.default_rng(seed)
    turn = np.eye(dim)[rng.permutation(dim)] * rng.choice([-1.0, 1.0], dim)
    S = generalized_sharpness(H, Linf()).value
    tolerance = 1e-9 * np.abs(H).max()
    assert abs(generalized_sharpness(turn @ H @ turn.T, Linf()).value - S) <= tolerance
    assert abs(generalized_sharpness(scale * H, Linf()).value - scale * S) <= scale * tolerance
    if S >= 0:
        assert generalized_sharpness(H, L1()).value <= generalized_sharpness(H, L2()).value + tolerance
        assert generalized_sharpness(H, L2()).value <= S + tolerance


def test_exact_on_demand_says_what_to_do_instead():
    H = np.random.default_rng(2).standard_normal((60, 60))
    with pytest.raises(ValueError, match="method='estimate'"):
        generalized_sharpness(H @ H.T, Linf(), method="exact")


@pytest.mark.parametrize(
    ("error", "message", "words"),
    [
        (TypeError, "norm must be a norm", {"norm": 3}),
        (TypeError, r"write Linf\(\.\.\.\)", {"norm": Linf}),
        (ValueError, 'unknown norm "linff"; did you mean "linf"', {"norm": "linff"}),
        (ValueError, "needs", {"norm": "spectral"}),
        (ValueError, "is for 4 coordinates, the problem has 3", {"norm": Spectral((2, 2))}),
        (ValueError, "method must be one of .*'guess'", {"method": "guess"}),
        (ValueError, "restarts must be an integer >= 0, got -1", {"restarts": -1}),
        (ValueError, "restarts must be at least 1 without starts", {"restarts": 0}),
        (ValueError, "iterations must be an integer >= 1, got 0", {"iterations": 0}),
        (TypeError, "seed must be an integer", {"seed": 0.5}),
        (ValueError, "starts must not be zero", {"starts": np.zeros(3)}),
        (ValueError, r"starts must not be zero, got starts\[1\] = 0", {"starts": [[1.0, 0, 0], [0, 0, 0]]}),
        (ValueError, "starts must be finite", {"starts": [1.0, np.nan, 0]}),
        (ValueError, r"starts must have shape \(3,\) or \(count, 3\), got \(2,\)", {"starts": [1.0, 2.0]}),
    ],
)
def test_bad_input(error, message, words):
    with pytest.raises(error, match=message):
        generalized_sharpness(H3, **{"norm": Linf(), **words})
