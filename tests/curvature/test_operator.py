"""Hessians as operators: where they come from, what is known of them, how products are counted."""

import numpy as np
import pytest
from hypothesis import given
from scipy.sparse.linalg import aslinearoperator

from eossim.curvature.operator import Operator, is_semidefinite
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
    assert operator.products == 0
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
    ],
)
def test_sources_that_are_none(make, error, message):
    with pytest.raises(error, match=message):
        make()
