"""Hessians as operators: where they come from, what is known of them, how products are counted."""

import numpy as np
import pytest
from hypothesis import given
from scipy.sparse import csr_array
from scipy.sparse.linalg import aslinearoperator

from eossim.curvature.operator import Operator, is_semidefinite
from eossim.data import load
from eossim.problems import Quadratic
from tests.strategies import symmetric_matrices

H = np.array([[2.0, 1, 0], [1, 2, -1], [0, -1, 3]])
V = np.array([[1.0, 2, 3], [0, -1, 4]])


class Quartic:
    """Σ w⁴/12: the Hessian is diag(w²)."""

    dim = 3

    def hvp(self, w, v):
        return w * w * v


SOURCES = {
    "matrix": lambda: Operator.of(H),
    "list": lambda: Operator.of(H.tolist()),
    "quadratic": lambda: Operator.of(Quadratic(H)),
    "linear operator": lambda: Operator.of(aslinearoperator(H)),
    "function": lambda: Operator.of(lambda v: H @ v, dim=3),
    "operator": lambda: Operator.of_matrix(H),
}


@pytest.mark.parametrize("source", SOURCES)
def test_products(source):
    operator = SOURCES[source]()
    assert operator.dim == 3
    assert operator.products == (3 if source in ("function", "linear operator") else 0)
    operator.products = 0
    np.testing.assert_allclose(operator(V[0]), H @ V[0])
    assert operator.products == 1
    np.testing.assert_allclose(operator(V), V @ H)
    assert operator.products == 3
    assert operator.quadratic_form(V[1]) == pytest.approx(V[1] @ H @ V[1])
    assert operator.products == 4


def test_a_problem_at_a_point():
    operator = Operator.of(Quartic(), [1.0, 2.0, 3.0], semidefinite=True)
    np.testing.assert_allclose(operator(V), V * [1, 4, 9])
    assert operator.matrix is None
    assert operator.semidefinite is True
    with pytest.raises(ValueError, match="w is needed"):
        Operator.of(Quartic())
    with pytest.raises(ValueError, match="w must"):
        Operator.of(Quartic(), [1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        Operator.of(Quartic(), [1.0, np.nan, 0])


def test_what_is_known():
    diagonal = Operator.of([1.0, 0.0, 2.0])
    np.testing.assert_array_equal(diagonal.diagonal, [1, 0, 2])
    np.testing.assert_array_equal(diagonal.matrix, np.diag([1.0, 0, 2]))
    assert diagonal.semidefinite is True
    assert Operator.of([1.0, -1e-3]).semidefinite is False
    np.testing.assert_array_equal(Operator.of(np.diag([1.0, 2])).diagonal, [1, 2])
    assert Operator.of(H).diagonal is None
    assert Operator.of(H).semidefinite is True
    assert Operator.of(lambda v: v, dim=2).semidefinite is None
    assert Operator.of(lambda v: v, dim=2, semidefinite=False).semidefinite is False


@given(symmetric_matrices())
def test_semidefinite_up_to_rounding(A):
    lam = np.linalg.eigvalsh(A)
    scale = max(np.abs(lam).max(), 1e-300)
    if lam[0] >= 0:
        assert is_semidefinite(A)
    if lam[0] < -1e-12 * scale:
        assert not is_semidefinite(A)
    assert is_semidefinite(A.T @ A)
    assert is_semidefinite(np.outer(A[0], A[0]))
    assert Operator.of(A).semidefinite == is_semidefinite(A)


NOISE = np.random.default_rng(3)
TRIANGLE = np.triu(np.ones((80, 80)))

#: Functions that are no Hessians, and what is said of them.
NO_HESSIANS = {
    "not symmetric": (
        lambda v: TRIANGLE @ v,
        ValueError,
        "v -> H v must be symmetric: <u, Hv> = .* the curvature of H",
    ),
    "not linear": (lambda v: v**2, ValueError, "v -> H v must be linear"),
    "affine": (lambda v: v + 1, ValueError, "v -> H v must be linear"),
    "noisy": (lambda v: v + 1e-2 * NOISE.standard_normal(len(v)), ValueError, "v -> H v must be"),
    "too short": (lambda v: v[:-1], ValueError, r"v -> H v must return shape \(80,\) .* got \(79,\)"),
    "a number": (lambda v: v.sum(), ValueError, r"must return shape \(80,\) .* got \(\)"),
    "nothing": (lambda v: None, TypeError, "what v -> H v returns must hold real numbers .* got None"),
    "complex": (lambda v: 1j * v, TypeError, "what v -> H v returns must hold real numbers .* complex128"),
}


@pytest.mark.parametrize("kind", NO_HESSIANS)
@pytest.mark.parametrize("dim", [80, 400])
def test_functions_that_are_no_hessians(kind, dim):
    function, error, message = NO_HESSIANS[kind]
    wide = function if dim == 80 else lambda v: function(v[:80]) if kind == "nothing" else np.tile(function(v[:80]), 5)
    with pytest.raises(error, match=message if dim == 80 else "v -> H v"):
        Operator.of(wide, dim=dim)


def test_linear_operators_are_tried_too():
    with pytest.raises(ValueError, match="symmetric"):
        Operator.of(aslinearoperator(TRIANGLE))


def test_rounding_passes():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((300, 300))
    S = (root @ root.T).astype(np.float32)
    Operator.of(lambda v: S @ v.astype(np.float32), dim=300)
    w = rng.standard_normal(300)
    Operator.of(lambda v: ((w + 1e-6 * v) ** 3 - (w - 1e-6 * v) ** 3) / 2e-6, dim=300)  # finite differences


class OneVector(Quartic):
    def hvp(self, w, v):
        return (w * w * v).ravel()


def test_products_of_a_problem_have_the_shape_of_a_batch():
    with pytest.raises(
        ValueError, match=r"hvp\(w, v\) must return shape \(2, 3\) .* got \(6,\): leading axes are a batch"
    ):
        Operator.of(OneVector(), [1.0, 2.0, 3.0])(V)


def test_entries_are_computed_of_functions_alone():
    function = Operator.of(lambda v: np.arange(256) * v, dim=256)
    np.testing.assert_array_equal(function.with_entries().matrix, np.diag(np.arange(256)))
    assert function.products == 256 + 3
    for other in (Operator.of(lambda v: v, dim=257), Operator.of(Quartic(), np.ones(3)), Operator(3, lambda v: v)):
        before = other.products
        assert other.with_entries() is other
        assert other.products == before


def test_what_is_said_to_be_semidefinite_is_held_to_it():
    with pytest.raises(TypeError, match="semidefinite must be True, False or None, got 'yes'"):
        Operator.of(H, semidefinite="yes")
    with pytest.raises(ValueError, match="semidefinite=True, but the Hessian has the eigenvalue -1"):
        Operator.of([2.0, -1.0], semidefinite=True)
    with pytest.raises(ValueError, match="semidefinite=True, but the Hessian has the eigenvalue -1"):
        Operator.of(lambda v: -v, dim=3, semidefinite=True).with_entries()
    met = Operator.of(lambda v: -v, dim=400, semidefinite=True)
    met(np.ones(400))
    with pytest.raises(ValueError, match="negative curvature: -1 was met"):
        met.check_semidefinite()
    root = np.random.default_rng(1).standard_normal((400, 2))
    kept = Operator.of(lambda v: root @ (root.T @ v), dim=400, semidefinite=True)
    kept(np.linalg.svd(root)[0].T)  # null vectors too, whose products are rounding
    kept.check_semidefinite()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Operator.of([[1.0, 2], [0, 1]]), ValueError, "symmetric"),
        (lambda: Operator.of([[1.0, 2]]), ValueError, "square"),
        (lambda: Operator.of([[np.nan]]), ValueError, "finite"),
        (lambda: Operator.of("hessian"), TypeError, "matrix, a problem or a function"),
        (lambda: Operator.of(lambda v: v), ValueError, "dim is needed"),
        (lambda: Operator.of(lambda v: v, dim=0), ValueError, "dim must be"),
        (lambda: Operator.of(aslinearoperator(np.ones((2, 3)))), ValueError, "square"),
        (lambda: Operator.of([[1j]]), TypeError, "real"),
        (lambda: Operator.of(csr_array(H)), TypeError, r"sparse matrix: give .*aslinearoperator\(H\), or H.toarray"),
        (lambda: Operator.of(load("diabetes")), TypeError, r"data 'diabetes': give its .least_squares\(\)"),
        (lambda: Operator.of(H, [1.0, 2.0]), ValueError, r"w must have shape \(3,\), got \(2,\)"),
        (lambda: Operator.of(Quadratic(H), np.ones((2, 3))), ValueError, r"w must have shape \(3,\), got \(2, 3\)"),
    ],
)
def test_sources_that_are_none(make, error, message):
    with pytest.raises(error, match=message):
        make()
