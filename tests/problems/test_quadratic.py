import pickle
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.problems import Quadratic
from tests.strategies import batches, dims, orthogonal_matrices, seeds, spectra, symmetric_matrices, vectors


@st.composite
def quadratics(draw: st.DrawFn) -> Quadratic:
    hessian = draw(st.one_of(spectra(), symmetric_matrices()))
    return Quadratic(hessian, draw(st.one_of(st.none(), vectors(len(hessian)))))


@st.composite
def quadratics_with_points(draw: st.DrawFn, count: int = 1) -> tuple:
    problem = draw(quadratics())
    return problem, *(draw(batches(problem.dim)) for _ in range(count))


def close(actual, desired, scale, rtol=1e-12):
    """Assert |actual - desired| <= rtol * scale: rounding is relative to the terms, not to their sum."""
    np.testing.assert_allclose(actual, desired, rtol=0, atol=rtol * (scale + 1e-300))


def size(problem: Quadratic, *points: np.ndarray) -> float:
    """Scale of H times points: max |H| * dim * (max |points| + max |w*|)."""
    largest = max([np.abs(problem.minimizer).max(), *(np.abs(w).max() for w in points)])
    return problem.dim * np.abs(problem.hessian()).max() * largest


@given(quadratics_with_points())
def test_loss_is_the_quadratic_form(case):
    problem, w = case
    d = w - problem.minimizer
    expected = 0.5 * np.einsum("...i,ij,...j->...", d, problem.hessian(), d)
    assert problem.loss(w).shape == w.shape[:-1]
    close(problem.loss(w), expected, size(problem, w) * problem.dim * (np.abs(d).max() + 1))


@given(quadratics_with_points())
def test_gradient_is_the_central_difference_of_the_loss(case):
    problem, w = case
    # For a quadratic the central difference is exact for every step: take one of the size of the data.
    h = 1.0 + np.abs(w).max() + np.abs(problem.minimizer).max()
    steps = h * np.eye(problem.dim)
    points = w[..., None, :]
    difference = (problem.loss(points + steps) - problem.loss(points - steps)) / (2 * h)
    close(problem.grad(w), difference, problem.dim * np.abs(problem.hessian()).max() * h * problem.dim)


@given(quadratics_with_points(2))
def test_hvp_is_the_hessian_times_the_vector(case):
    problem, w, v = case
    w = w.reshape(-1, problem.dim)[0]
    assert problem.hvp(w, v).shape == v.shape
    close(problem.hvp(w, v), v @ problem.hessian(w), size(problem, v))


@given(quadratics_with_points(2))
def test_hvp_is_the_difference_of_gradients(case):
    problem, w, v = case
    w = w.reshape(-1, problem.dim)[0]
    close(problem.grad(w + v) - problem.grad(w), problem.hvp(w, v), size(problem, w, v) * 4)


def test_hvp_broadcasts_points_and_vectors():
    problem = Quadratic([1.0, 2.0])
    assert problem.hvp(np.zeros((3, 1, 2)), np.ones((4, 2))).shape == (3, 4, 2)
    assert problem.hvp(np.zeros((5, 2)), [1, 1]).flags.writeable


@given(quadratics_with_points())
def test_a_batch_equals_a_loop(case):
    problem, w = case
    flat = w.reshape(-1, problem.dim)
    scale = size(problem, w)
    close(problem.grad(w).reshape(flat.shape), [problem.grad(row) for row in flat], scale)
    reach = np.abs(w).max() + np.abs(problem.minimizer).max()
    close(problem.loss(w).ravel(), [problem.loss(row) for row in flat], scale * problem.dim * reach * 4)


@given(quadratics())
def test_the_minimizer_is_stationary(problem):
    assert problem.loss(problem.minimizer) == problem.offset == 0
    np.testing.assert_array_equal(problem.grad(problem.minimizer), 0)


@given(quadratics())
def test_eigendecomposition(problem):
    lam, Q, H = problem.eigenvalues, problem.eigenvectors, problem.hessian()
    assert (np.diff(lam) >= 0).all()
    close(Q.T @ Q, np.eye(problem.dim), 1, rtol=1e-13 * problem.dim)
    close((Q * lam) @ Q.T, H, np.abs(lam).max() * problem.dim, rtol=1e-13)
    assert problem.eigenvalues is lam  # computed once
    assert problem.eigenvectors is Q


@given(spectra())
def test_a_diagonal_problem(h):
    problem = Quadratic(h)
    assert problem.is_diagonal
    np.testing.assert_array_equal(problem.curvature, h)
    np.testing.assert_array_equal(problem.hessian(), np.diag(h))
    np.testing.assert_array_equal(problem.eigenvalues, np.sort(h))
    np.testing.assert_array_equal(h @ problem.eigenvectors, problem.eigenvalues)  # a permutation
    assert set(problem.eigenvectors.ravel()) <= {0.0, 1.0}


@given(st.data(), spectra())
def test_rotation_equivariance(data, h):
    """Loss is invariant and the gradient rotates when problem and point are rotated together."""
    Q = data.draw(orthogonal_matrices(h.size))
    w, w_star = data.draw(vectors(h.size)), data.draw(vectors(h.size))
    straight, rotated = Quadratic(h, w_star), Quadratic((Q * h) @ Q.T, Q @ w_star)
    reach = np.abs(w).max() + np.abs(w_star).max()
    scale = h.size**2 * np.abs(h).max() * reach
    close(rotated.loss(Q @ w), straight.loss(w), scale * reach * h.size)
    close(rotated.grad(Q @ w), Q @ straight.grad(w), scale)


class TestFromSpectrum:
    @given(spectra(), seeds)
    def test_has_the_spectrum(self, lam, seed):
        problem = Quadratic.from_spectrum(lam, seed=seed)
        assert not problem.is_diagonal
        np.testing.assert_array_equal(problem.eigenvalues, np.sort(lam))
        Q, scale = problem.eigenvectors, np.abs(lam).max() * lam.size
        close((Q * problem.eigenvalues) @ Q.T, problem.hessian(), scale, rtol=1e-14)
        close(np.linalg.eigvalsh(problem.hessian()), np.sort(lam), scale, rtol=1e-13)

    @given(spectra(), seeds)
    def test_is_reproducible(self, lam, seed):
        first, second = (Quadratic.from_spectrum(lam, seed=seed).hessian() for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_basis_is_haar(self):
        """First two moments of the entries under the Haar measure: 0 and 1/dim."""
        dim, count = 3, 4000
        Q = np.array([Quadratic.from_spectrum([1, 2, 3], seed=s).eigenvectors for s in range(count)])
        np.testing.assert_allclose(Q.mean(axis=0), 0, atol=5 / np.sqrt(dim * count))
        np.testing.assert_allclose((Q**2).mean(axis=0), 1 / dim, atol=5 * 0.3 / np.sqrt(count))

    def test_minimizer(self):
        np.testing.assert_array_equal(Quadratic.from_spectrum([1, 2], minimizer=[3, 4]).minimizer, [3, 4])

    @pytest.mark.parametrize(
        ("kwargs", "kind", "message"),
        [
            ({"eigenvalues": []}, ValueError, "eigenvalues must not be empty"),
            ({"eigenvalues": [[1.0]]}, ValueError, "eigenvalues must be 1-D"),
            ({"eigenvalues": [1, np.nan]}, ValueError, "eigenvalues[1] = nan"),
            ({"eigenvalues": [1], "seed": -1}, ValueError, "seed must be an integer >= 0"),
            ({"eigenvalues": [1], "seed": 1.5}, TypeError, "seed must be an integer >= 0"),
        ],
    )
    def test_bad_input(self, kwargs, kind, message):
        with pytest.raises(kind, match=re.escape(message)):
            Quadratic.from_spectrum(**kwargs)


@pytest.mark.parametrize(
    ("args", "kind", "message"),
    [
        (([],), ValueError, "hessian must not be empty"),
        ((3.0,), ValueError, "hessian must be 1-D or 2-D"),
        ((np.ones((2, 2, 2)),), ValueError, "hessian must be 1-D or 2-D"),
        ((np.ones((2, 3)),), ValueError, "hessian must be square"),
        (([[1, 2], [3, 4]],), ValueError, "hessian must be symmetric"),
        (([1, np.nan],), ValueError, "hessian[1] = nan"),
        (([1j],), TypeError, "hessian must hold real numbers"),
        ((["a"],), TypeError, "hessian must hold real numbers"),
        (([1, 2], [1]), ValueError, "minimizer must have shape (2,), got (1,)"),
        (([1, 2], [1, np.inf]), ValueError, "minimizer[1] = inf"),
    ],
)
def test_bad_construction(args, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        Quadratic(*args)


@pytest.mark.parametrize("method", ["loss", "grad", "hessian"])
@pytest.mark.parametrize("w", [0.0, [1.0], np.ones((2, 3)), []])
def test_wrong_trailing_dimension(method, w):
    with pytest.raises(ValueError, match=re.escape("w must have shape (..., 2), got ")):
        getattr(Quadratic([1.0, 2.0]), method)(w)


def test_bad_vectors():
    problem = Quadratic([1.0, 2.0])
    with pytest.raises(ValueError, match=re.escape("v must have shape (..., 2), got (3,)")):
        problem.hvp([0, 0], [1, 2, 3])
    with pytest.raises(ValueError, match="v must broadcast against w"):
        problem.hvp(np.zeros((2, 2)), np.zeros((3, 2)))
    with pytest.raises(TypeError, match="w must hold real numbers"):
        problem.loss([1j, 0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("problem", [Quadratic([1.0, 2.0]), Quadratic(np.eye(2) + 1)])
def test_diverged_points_are_evaluated_without_a_warning(problem):
    w = np.array([[np.nan, 0], [np.inf, -np.inf], [1e300, 1e300], [1, 1]])
    loss, grad = problem.loss(w), problem.grad(w)
    assert not np.isfinite(loss[:3]).any()
    assert np.isnan(grad[0, 0])
    np.testing.assert_allclose(loss[3], problem.loss([1, 1]))


def test_curvature_needs_a_diagonal_problem():
    problem = Quadratic(np.eye(2))
    assert not hasattr(problem, "curvature")
    with pytest.raises(AttributeError, match="diagonal problem only"):
        _ = problem.curvature


@given(dims)
def test_results_and_inputs_are_not_shared(dim):
    h = np.ones(dim)
    problem = Quadratic(h)
    h[:] = 7
    problem.hessian()[:] = 7
    np.testing.assert_array_equal(problem.hessian(), np.eye(dim))
    for array in (problem.minimizer, problem.curvature, problem.eigenvalues, problem.eigenvectors):
        assert not array.flags.writeable


@given(quadratics_with_points())
def test_pickle(case):
    problem, w = case
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(problem)).grad(w), problem.grad(w))


def test_repr():
    assert repr(Quadratic([1, 2])) == "Quadratic(dim=2, diagonal)"
    assert repr(Quadratic(np.eye(3))) == "Quadratic(dim=3, dense)"
