import pickle
import re

import numpy as np
import pytest
import scipy.sparse.linalg
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import pairwise

from eossim import Record, rules, simulate
from eossim.data import load
from eossim.problems import KernelRegression, LeastSquares
from eossim.problems.kernel_regression import _KERNELS
from tests.strategies import batches, orthogonal_matrices, regressions, seeds

ITERATES = Record(what=("grad_norm", "w"))


@st.composite
def kernels(draw: st.DrawFn, max_samples: int = 8) -> np.ndarray:
    """Positive semidefinite matrices with condition number up to 1e4 next to frequent zeros and repeated values."""
    distinct = draw(st.lists(st.floats(0.01, 100), min_size=1, max_size=4))
    lam = draw(st.lists(st.sampled_from([0.0, *distinct]), min_size=1, max_size=max_samples).filter(any))
    Q = draw(orthogonal_matrices(len(lam)))
    K = (Q * np.array(lam)) @ Q.T * draw(st.sampled_from([1e-3, 1.0, 1e3]))
    return (K + K.T) / 2


@st.composite
def problems(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, KernelRegression]:
    K = draw(kernels())
    y = np.random.default_rng(draw(seeds)).standard_normal(len(K))
    return K, y, KernelRegression(K, y)


def close(actual, desired, scale, rtol=1e-11):
    np.testing.assert_allclose(actual, desired, rtol=0, atol=rtol * scale)


def top(K):
    return np.linalg.norm(K, 2)


def fits(problem, method, w0, steps):
    run = simulate(problem, method, w0, steps, record=ITERATES)
    return problem.fitted(run["w"].values[0])


def recursion(K, y, alpha, *, eta, rho, steps, normalized=False):
    """Brute force in the coefficients: fitted values, and the norm of the gradient in function space."""
    values, norms, n = [K @ alpha], [], len(y)
    for _ in range(steps):
        residual = K @ alpha - y
        norms.append(np.sqrt(max(residual @ K @ residual, 0.0)) / n)
        scale = norms[-1] if normalized else 1.0
        ahead = alpha + (rho / n) * residual / scale
        alpha = alpha - (eta / n) * (K @ ahead - y)
        values.append(K @ alpha)
    return np.array(values), np.array(norms)


class TestRuns:
    """Rules of the library act as in the space of functions."""

    @given(problems(), st.floats(0.05, 1.95), st.floats(0, 3), seeds, st.booleans())
    def test_gd_and_usam(self, case, margin, relative, seed, zero):
        K, y, problem = case
        mu = top(K) / len(y)
        rho = relative / mu
        eta = margin / (mu * (1 + rho * mu))  # stable for margin < 2
        alpha = np.zeros(len(y)) if zero else np.random.default_rng(seed).standard_normal(len(y))
        w0 = problem.coordinates(K @ alpha)
        size = np.abs(y).max() + np.abs(K @ alpha).max()
        for method, used in ((rules.usam(eta=eta, rho=rho), rho), (rules.gd(eta=eta), 0.0)):
            expected, _ = recursion(K, y, alpha, eta=eta, rho=used, steps=20)
            close(fits(problem, method, w0, 20), expected, size)

    @given(problems(), st.floats(0.05, 1.9), st.floats(0.01, 1))
    def test_sam_normalises_by_the_norm_of_the_function_space(self, case, margin, relative):
        K, y, problem = case
        mu = top(K) / len(y)
        eta, rho = margin / mu, relative / np.sqrt(mu * len(y))
        expected, norms = recursion(K, y, np.zeros(len(y)), eta=eta, rho=rho, steps=8, normalized=True)
        assume(norms.min() > 1e-4 * norms[0] > 0)  # a direction near a zero gradient is all rounding
        run = simulate(problem, rules.sam(eta=eta, rho=rho), np.zeros(problem.dim), 8, record=ITERATES)
        scale = norms[0] / norms.min()
        close(problem.fitted(run["w"].values[0]), expected, np.abs(expected).max() + np.abs(y).max(), 1e-12 * scale**2)
        close(run["grad_norm"].values[0, :-1], norms, norms.max(), 1e-12 * scale**2)

    @given(regressions(), st.floats(0.05, 1.95), st.floats(0, 3))
    def test_a_linear_kernel_is_least_squares(self, data, margin, relative):
        X, y = data
        assume(X.any())
        line, kernel = LeastSquares(X, y), KernelRegression(X @ X.T, y)
        mu = line.eigenvalues[-1]
        np.testing.assert_allclose(kernel.curvature[0], mu, rtol=1e-12)
        rho = relative / mu
        eta = margin / (mu * (1 + rho * mu))
        for method in (rules.gd(eta=eta), rules.usam(eta=eta, rho=rho)):
            expected = fits(line, method, np.zeros(line.dim), 15)
            close(fits(kernel, method, np.zeros(kernel.dim), 15), expected, np.abs(y).max(), 1e-10)
        close(kernel.offset, line.offset, (y @ y) / len(y), 1e-10)

    def test_the_residual_outside_the_range_stays(self):
        K, y = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([1.0, 3.0])
        problem = KernelRegression(K, y)
        np.testing.assert_allclose(fits(problem, rules.gd(eta=0.5), [0.0], 200)[-1], [2, 2])
        assert problem.offset == pytest.approx(0.5)


class TestFunctions:
    @given(problems())
    def test_spectrum(self, case):
        K, y, problem = case
        lam = np.linalg.eigvalsh(K)[::-1] / len(y)
        assert problem.dim == problem.rank == np.linalg.matrix_rank(K, hermitian=True)
        close(problem.curvature, lam[: problem.dim], lam[0], 1e-13)
        assert (np.diff(problem.curvature) <= 0).all()
        assert problem.is_diagonal
        np.testing.assert_array_equal(problem.modes.coordinates, np.eye(problem.dim))
        assert (problem.loss_factor, problem.normalize) == (0.5 / len(y), True)

    @given(st.data(), problems())
    def test_the_norm_of_the_parameters_is_that_of_the_function(self, data, case):
        K, _, problem = case
        w = data.draw(batches(problem.dim))
        alpha = problem.coefficients(w)
        squared = np.einsum("...i,ij,...j->...", alpha, K, alpha)
        np.testing.assert_allclose(squared, (w * w).sum(axis=-1), rtol=1e-9, atol=1e-300)

    @given(st.data(), problems())
    def test_coefficients(self, data, case):
        K, y, problem = case
        w = data.draw(batches(problem.dim))
        alpha = problem.coefficients(w)
        assert alpha.shape == (*w.shape[:-1], len(y))
        close(alpha @ K, problem.fitted(w), top(K) * np.abs(alpha).max())
        projection = K @ np.linalg.pinv(K, rcond=1e-9)
        close(alpha @ projection, alpha, np.abs(alpha).max(), 1e-10)

    @given(st.data(), problems())
    def test_coordinates(self, data, case):
        K, y, problem = case
        w = data.draw(batches(problem.dim))
        close(problem.coordinates(problem.fitted(w)), w, np.abs(w).max(), 1e-10)
        values = data.draw(batches(len(y)))
        assert problem.coordinates(values).shape == (*values.shape[:-1], problem.dim)
        projected = values @ np.linalg.pinv(K, rcond=1e-9) @ K
        close(problem.fitted(problem.coordinates(values)), projected, np.abs(values).max() * len(y), 1e-10)
        np.testing.assert_allclose(problem.coordinates(y), problem.minimizer, rtol=1e-10, atol=1e-12)

    @given(st.data(), problems())
    def test_prediction_at_the_samples_is_the_fit(self, data, case):
        K, _, problem = case
        w = data.draw(batches(problem.dim))
        alpha = problem.coefficients(w)
        close(problem.predict(w, K), problem.fitted(w), top(K) * np.abs(alpha).max() * len(K))
        some = problem.predict(w, K[:1])
        assert some.shape == (*w.shape[:-1], 1)
        close(some[..., 0], problem.fitted(w)[..., 0], top(K) * np.abs(alpha).max() * len(K))

    @given(problems())
    def test_samples_in_another_order(self, case):
        """Permuting the samples permutes the fits; loss and spectrum stay."""
        K, y, problem = case
        other = KernelRegression(K[::-1, ::-1], y[::-1])
        close(other.curvature, problem.curvature, problem.curvature[0], 1e-13)
        close(other.fitted(other.minimizer), problem.fitted(problem.minimizer)[::-1], np.abs(y).max(), 1e-10)
        close(other.offset, problem.offset, y @ y)


class TestZeros:
    def test_rounding_errors_of_the_matrix_count_as_zero(self):
        """A negative eigenvalue shows how exact K is: positive ones of that size are no modes."""
        assert KernelRegression(np.diag([1.0, 5e-13, -1e-12]), np.ones(3)).dim == 1
        assert KernelRegression(np.diag([1.0, 5e-12, -1e-12]), np.ones(3)).dim == 2
        assert KernelRegression(np.diag([1.0, 5e-13, 0.0]), np.ones(3)).dim == 2
        assert KernelRegression(np.diag([1.0, 5e-16, 0.0]), np.ones(3)).dim == 1

    def test_repeated_samples(self):
        X = np.random.default_rng(0).standard_normal((20, 3))
        once, twice = (KernelRegression.from_data(x, x[:, 0], gamma=1.0) for x in (X, np.concatenate([X, X])))
        assert twice.dim == once.dim == 20
        np.testing.assert_allclose(twice.curvature, once.curvature, rtol=1e-10)

    def test_the_input_is_left_alone(self):
        K = np.array([[2.0, 1.0], [1.0, 2.0]])
        for eigenpairs in (None, 1):
            KernelRegression(K, [1, 2], eigenpairs=eigenpairs)
            np.testing.assert_array_equal(K, [[2, 1], [1, 2]])


def assert_truncates(K, y, count):
    full, n = np.linalg.eigvalsh(K)[::-1] / len(y), len(y)
    problem = KernelRegression(K, y, eigenpairs=count)
    noise = 1e-12 * full[0]
    assert problem.dim == min(count, np.linalg.matrix_rank(K, hermitian=True))
    close(problem.curvature, full[: problem.dim], full[0], 1e-12)
    left = full[problem.dim :]
    if problem.dim < count or count == n:  # all that is left counts as zero
        assert problem.omitted_curvature == problem.omitted_trace == 0
    else:
        assert left.max() <= problem.omitted_curvature
        assert problem.omitted_curvature <= problem.curvature[-1] + noise
        assert problem.omitted_curvature <= problem.omitted_trace + noise
        close(problem.omitted_trace, left.sum(), full[0], 1e-12)


class TestTruncation:
    @given(kernels(), st.data())
    def test_the_largest_are_kept_and_the_rest_is_bounded(self, K, data):
        assert_truncates(K, np.ones(len(K)), data.draw(st.integers(1, len(K))))

    @pytest.mark.parametrize("count", [1, 3, 5, 6, 20])
    def test_repeated_eigenvalues_of_a_large_matrix(self, count):
        """Lanczos iterations see one vector of each eigenspace: the others are rounding or restarts."""
        Q = np.linalg.qr(np.random.default_rng(0).standard_normal((60, 60)))[0]
        K = (Q * np.r_[[5.0] * 5, [1.0] * 55]) @ Q.T
        assert_truncates((K + K.T) / 2, np.ones(60), count)
        assert_truncates(np.kron(np.eye(6), np.ones((10, 10))), np.ones(60), count)

    def test_negative_rounding_errors_do_not_break_the_bound(self):
        problem = KernelRegression(np.diag([1.0, 1.0, -1e-11]), np.ones(3), eigenpairs=1)
        assert problem.omitted_curvature >= 1 / 3

    @pytest.mark.parametrize("count", [1, 10, 40])
    def test_is_the_full_problem_on_the_leading_modes(self, count):
        X = np.random.default_rng(0).standard_normal((80, 2))
        full, part = (KernelRegression.from_data(X, X[:, 0] ** 2, gamma=0.2, eigenpairs=k) for k in (None, count))
        np.testing.assert_allclose(part.curvature, full.curvature[:count], rtol=1e-7)
        np.testing.assert_allclose(part.minimizer[:10], full.minimizer[:count][:10], rtol=1e-6)
        assert full.curvature[count] <= part.omitted_curvature
        assert part.omitted_curvature <= full.curvature[count - 1] + 1e-12 * full.curvature[0]
        np.testing.assert_allclose(part.omitted_trace, full.curvature[count:].sum(), rtol=1e-3, atol=1e-15)

    def test_is_reproducible(self):
        K = np.kron(np.eye(5), np.ones((10, 10)))  # restarts
        first, second = (KernelRegression(K, np.arange(50), eigenpairs=3) for _ in range(2))
        np.testing.assert_array_equal(first.modes.samples, second.modes.samples)

    @pytest.mark.parametrize("fault", ["misses the largest", "does not converge"])
    def test_failures_of_the_iteration_are_noticed(self, fault, monkeypatch):
        def eigsh(K, k, **_):
            if fault == "does not converge":
                raise scipy.sparse.linalg.ArpackNoConvergence("no", np.empty(0), np.empty((0, 0)))
            lam, U = np.linalg.eigh(K)
            return lam[-k - 1 : -1], U[:, -k - 1 : -1]

        monkeypatch.setattr("scipy.sparse.linalg.eigsh", eigsh)
        assert_truncates(np.diag([5.0, 4.0, 3.0, 2.0, 1.0]), np.ones(5), 2)


class TestFromData:
    PARAMETERS = (
        ("rbf", {"gamma": 0.1}),
        ("rbf", {}),
        ("laplacian", {"gamma": 0.1}),
        ("poly", {"degree": 2, "coef0": 2}),
        ("polynomial", {"gamma": 0.5}),
        ("linear", {}),
        ("cosine", {}),
        ("chi2", {"gamma": 0.3}),
    )

    @pytest.mark.parametrize(("kernel", "parameters"), PARAMETERS)
    def test_is_the_problem_of_the_matrix(self, kernel, parameters):
        rng = np.random.default_rng(0)
        X, y, X_new = rng.random((12, 3)), rng.standard_normal(12), rng.random((5, 3))
        frozen, frozen_new = X.copy(), X_new.copy()
        frozen.flags.writeable = frozen_new.flags.writeable = False
        problem = KernelRegression.from_data(frozen, y, kernel, **parameters)
        function = pairwise.PAIRWISE_KERNEL_FUNCTIONS[kernel]
        expected = KernelRegression(function(X, **parameters), y)
        close(problem.curvature, expected.curvature, expected.curvature[0], 1e-13)
        close(problem.fitted(problem.minimizer), expected.fitted(expected.minimizer), np.abs(y).max(), 1e-9)
        np.testing.assert_array_equal(problem.cross_kernel(frozen_new), function(X_new, X, **parameters))
        assert (problem.kernel, problem.kernel_parameters) == (kernel, parameters)

    def test_known_parameters_are_those_of_scikit_learn(self):
        documented = {name: set(names) for name, names in pairwise.KERNEL_PARAMS.items() if name in _KERNELS}
        assert {name: set(names) for name, names in _KERNELS.items()} == documented

    def test_predicts_as_kernel_ridge_without_a_ridge(self):
        data = load("diabetes").standardized()
        train, new = slice(0, 300), slice(300, None)
        problem = KernelRegression.from_data(data.X[train], data.y[train], gamma=0.3)
        ridge = KernelRidge(alpha=1e-12, kernel="rbf", gamma=0.3).fit(data.X[train], data.y[train])
        predicted = problem.predict(problem.minimizer, problem.cross_kernel(data.X[new]))
        np.testing.assert_allclose(predicted, ridge.predict(data.X[new]), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(problem.coefficients(problem.minimizer), ridge.dual_coef_, rtol=1e-6, atol=1e-6)
        assert problem.offset < 1e-20

    def test_digits(self):
        data = load("digits")
        problem = KernelRegression.from_data(data.X, data.y, "rbf", gamma=1e-3, eigenpairs=40)
        K = pairwise.rbf_kernel(data.X, gamma=1e-3)
        assert problem.dim == 40
        assert 0 < problem.omitted_curvature <= problem.curvature[-1] * (1 + 1e-9)
        np.testing.assert_allclose(problem.curvature.sum() + problem.omitted_trace, 1, rtol=1e-12)  # k(x, x) = 1
        U = problem.modes.samples
        close(K @ U, U * problem.curvature * 1797, 1797, 1e-12)
        predicted = problem.predict(problem.minimizer, problem.cross_kernel(data.X[:100]))
        close(predicted, problem.fitted(problem.minimizer)[:100], 10, 1e-9)

    def test_raw_diabetes(self):
        """Large raw numbers: a kernel matrix close to the identity."""
        data = load("diabetes")
        problem = KernelRegression.from_data(data.X, data.y, "laplacian")
        assert problem.dim == problem.n_samples == 442
        close(problem.fitted(problem.minimizer), data.y, np.abs(data.y).max())

    def test_pickle(self):
        problem = KernelRegression.from_data([[1.0], [2.0]], [1.0, 2.0], gamma=1.0)
        copy = pickle.loads(pickle.dumps(problem))
        np.testing.assert_array_equal(copy.cross_kernel([[3.0]]), problem.cross_kernel([[3.0]]))

    @pytest.mark.parametrize(
        ("kwargs", "kind", "message"),
        [
            ({"kernel": "rbfs"}, ValueError, 'unknown kernel "rbfs"; did you mean "rbf"? known: chi2, cosine'),
            ({"kernel": "additive_chi2"}, ValueError, 'unknown kernel "additive_chi2"'),
            ({"kernel": None}, TypeError, "kernel must be a string, got None"),
            ({"gama": 1}, ValueError, 'unknown parameter of the rbf kernel "gama"; did you mean "gamma"? known: gamma'),
            ({"kernel": "linear", "gamma": 1}, ValueError, 'of the linear kernel "gamma"; known: none'),
            ({"gamma": -1.0}, ValueError, "'gamma' parameter of rbf_kernel must be"),
            ({"gamma": "wide"}, ValueError, "'gamma' parameter of rbf_kernel must be"),
            ({"kernel": "poly", "gamma": 1, "coef0": -4}, ValueError, "K must be positive semidefinite"),
            ({"kernel": "chi2", "X": [[-1.0], [2.0]]}, ValueError, "negative"),
            ({"kernel": "sigmoid", "coef0": -1.0}, ValueError, "K must be positive semidefinite"),
            ({"kernel": "linear", "X": [[0.0], [0.0]]}, ValueError, "K must not be zero"),
            ({"X": [1.0, 2.0]}, ValueError, "X must be 2-D"),
            ({"X": [[np.nan], [1.0]]}, ValueError, "X[0, 0] = nan"),
            ({"y": [1.0]}, ValueError, "y must have shape (2,), got (1,)"),
            ({"eigenpairs": 3}, ValueError, "eigenpairs must be at most the number of samples 2, got 3"),
        ],
    )
    def test_bad_input(self, kwargs, kind, message):
        with pytest.raises(kind, match=re.escape(message)):
            KernelRegression.from_data(**{"X": [[1.0], [2.0]], "y": [1.0, 2.0]} | kwargs)

    def test_bad_new_inputs(self):
        problem = KernelRegression.from_data([[1.0], [2.0]], [1.0, 2.0])
        with pytest.raises(ValueError, match=re.escape("X_new must have shape (any, 1), got (1, 2)")):
            problem.cross_kernel([[1.0, 2.0]])
        with pytest.raises(ValueError, match="made from a kernel matrix"):
            KernelRegression(np.eye(2), [1.0, 2.0]).cross_kernel([[1.0]])


@pytest.mark.parametrize(
    ("K", "y", "kwargs", "kind", "message"),
    [
        ([1.0], [1.0], {}, ValueError, "K must be 2-D, got shape (1,)"),
        (np.empty((0, 0)), [], {}, ValueError, "K must not be empty"),
        ([[1, 0]], [1], {}, ValueError, "K must be square, got shape (1, 2)"),
        ([[1, 2], [0, 1]], [1, 1], {}, ValueError, "K must be symmetric, got K[0, 1] = 2.0 and K[1, 0] = 0.0"),
        ([[np.inf]], [1], {}, ValueError, "K[0, 0] = inf"),
        ([["a"]], [1], {}, TypeError, "K must hold real numbers"),
        (np.zeros((2, 2)), [1, 1], {}, ValueError, "K must not be zero"),
        ([[1e200]], [1], {}, ValueError, "K is too large: its squares overflow, max |K| = 1e+200"),
        (np.diag([2, -1]), [1, 1], {}, ValueError, "K must be positive semidefinite, smallest eigenvalue -1"),
        (-np.eye(2), [1, 1], {}, ValueError, "K must be positive semidefinite, smallest eigenvalue -1"),
        (np.diag([2, -1]), [1, 1], {"eigenpairs": 1}, ValueError, "semidefinite, smallest eigenvalue -1"),
        (-np.eye(2), [1, 1], {"eigenpairs": 1}, ValueError, "semidefinite, smallest eigenvalue -1"),
        (np.diag([1, 1, -1e-9]), [1, 1, 1], {}, ValueError, "smallest eigenvalue -1e-09"),
        (np.diag([1, 1, -1e-9]), [1, 1, 1], {"eigenpairs": 1}, ValueError, "smallest eigenvalue -1e-09"),
        (np.eye(2), [1], {}, ValueError, "y must have shape (2,), got (1,)"),
        (np.eye(2), [1, np.nan], {}, ValueError, "y[1] = nan"),
        (np.eye(2), [1, 1], {"eigenpairs": 0}, ValueError, "eigenpairs must be an integer >= 1, got 0"),
        (np.eye(2), [1, 1], {"eigenpairs": 1.0}, TypeError, "eigenpairs must be an integer >= 1, got 1.0"),
        (np.eye(2), [1, 1], {"eigenpairs": 3}, ValueError, "eigenpairs must be at most the number of samples 2"),
    ],
)
def test_bad_construction(K, y, kwargs, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        KernelRegression(K, y, **kwargs)


@pytest.mark.parametrize(
    ("method", "args", "message"),
    [
        ("fitted", ([1, 2, 3],), "w must have shape (..., 2), got (3,)"),
        ("coefficients", ([1, 2, 3],), "w must have shape (..., 2), got (3,)"),
        ("coordinates", ([1, 2, 3],), "values must have shape (..., 2), got (3,)"),
        ("coordinates", (1.0,), "values must have shape (..., 2), got ()"),
        ("predict", ([1, 2], [1, 2]), "K_new must have shape (any, 2), got (2,)"),
        ("predict", ([1, 2], [[1, 2, 3]]), "K_new must have shape (any, 2), got (1, 3)"),
        ("predict", ([1, 2], [[1, np.nan]]), "K_new[0, 1] = nan"),
    ],
)
def test_bad_arguments(method, args, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(KernelRegression(np.eye(2), [1, 2]), method)(*args)


def test_repr():
    assert repr(KernelRegression(np.eye(3), [1, 2, 3], eigenpairs=2)) == "KernelRegression(n_samples=3, dim=2)"
    made = KernelRegression.from_data([[1], [2]], [1, 2], gamma=1.0)
    assert repr(made) == "KernelRegression(n_samples=2, dim=2, kernel='rbf', gamma=1.0)"
