"""The exact risk curve: reference values, brute-force iteration, enumeration of noises, properties."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import rules
from eossim.problems import KernelRegression, LeastSquares
from eossim.theory import risk_curve, sure
from tests.strategies import orthogonal_matrices, seeds

NAMES = ("bias2", "variance", "risk", "train_loss", "degrees_of_freedom")


def diagonal(curvature, n=None):
    """Least squares with c = n or 1 whose Hessian is diag(curvature), in the order given."""
    s = np.sqrt(np.asarray(curvature, dtype=float))
    if n is None:
        return LeastSquares(np.diag(s), np.zeros(s.size), normalize=False)
    X = np.zeros((n, s.size))
    np.fill_diagonal(X, s * np.sqrt(n))
    return LeastSquares(X, np.zeros(n))


def with_spectrum(rng, n, dim, singular, **kwargs):
    U = np.linalg.qr(rng.standard_normal((n, n)))[0][:, : singular.size]
    V = np.linalg.qr(rng.standard_normal((dim, dim)))[0][:, : singular.size]
    return LeastSquares((U * singular) @ V.T, rng.standard_normal(n), **kwargs)


def assert_same(curve, other, rtol=1e-9, names=NAMES):
    for name in names:
        scale = np.abs(other[name].values).max()
        np.testing.assert_allclose(curve[name], other[name], rtol=rtol, atol=1e-13 * scale, err_msg=name)


# --- reference values of the note ---

V2 = diagonal([2, 1, 0.25], n=10)
V2_ROWS = [
    (1, 0.0, 5.310625, 0.010125, 5.32075, 11.0425, 0.0065, 2.877875),
    (1, 0.3, 4.464225390625, 0.024004453125, 4.48822984375, 10.3785015625, 0.0141978125, 2.446427421875),
    (7, 0.0, 1.274757846736022, 0.08301734468400149, 1.357775191420024, 4.565780314124889, 0.07304749168218197,
     0.8256899005146993),
    (7, 0.3, 1.097224398046573, 0.09365210051023389, 1.190876498556807, 4.211708958798444, 0.08412160578375106,
     0.7355164786835338),
]  # fmt: skip


@pytest.mark.parametrize(("step", "rho", "bias", "variance", "risk", "bias_w", "variance_w", "train"), V2_ROWS)
@pytest.mark.parametrize("rule", ["usam", "gd"])
def test_columns_of_the_note(rule, step, rho, bias, variance, risk, bias_w, variance_w, train):
    if rule == "gd" and rho:
        return
    method = rules.usam(eta=0.2, rho=rho) if rule == "usam" else rules.gd(eta=0.2)
    truth = {"w_star": [1.0, -2.0, 3.0], "noise_variance": 0.5, "steps": [step]}
    fitted = risk_curve(V2, method, **truth)
    inside = risk_curve(V2, method, **truth, metric="parameter")
    found = [float(c[name][0, 0]) for c, name in [
        (fitted, "bias2"), (fitted, "variance"), (fitted, "risk"), (inside, "bias2"), (inside, "variance"),
        (fitted, "train_loss"), (inside, "train_loss"),
    ]]  # fmt: skip
    np.testing.assert_allclose(found, [bias, variance, risk, bias_w, variance_w, train, train], rtol=1e-12)


def test_limit_of_the_risk_of_the_note():
    curve = risk_curve(V2, rules.gd(eta=0.2), w_star=[1.0, -2.0, 3.0], noise_variance=0.5, steps=[50, 100, 10**6])
    sharp = risk_curve(
        V2, rules.usam(eta=0.2, rho=0.3), w_star=[1.0, -2.0, 3.0], noise_variance=0.5, steps=[50, 100, 10**6]
    )
    np.testing.assert_allclose(curve.risk[0, 2], 0.15, rtol=1e-12)
    np.testing.assert_array_equal(np.sign((sharp.risk - curve.risk).values[0, :2]), [-1, 1])


@pytest.mark.parametrize(("rho", "step"), [(0.5, 9.90307970528525778), (0.0, 15.2755318478222488)])
def test_least_risk_of_one_mode_lies_about_the_real_optimum(rho, step):
    """V3: the least risk over real k is 0.8, so whole steps stay above, and the two next to k* are the best."""
    curve = risk_curve(diagonal([1.0]), rules.usam(eta=0.1, rho=rho), w_star=[2.0], noise_variance=1.0, steps=40)
    risk = curve.risk.values[0]
    assert (risk > 0.8).all()
    assert set(np.argsort(risk)[:2]) == {int(step), int(step) + 1}


@pytest.mark.parametrize(
    ("d", "risks"),
    [((1.0, 1.0), (0.04, 0.25))],
)
def test_counterexample_of_random_design(d, risks):
    problem = diagonal([1.0, 0.5])
    for method, risk in zip((rules.gd(eta=0.4), rules.usam(eta=0.4, rho=1.0)), risks, strict=True):
        curve = risk_curve(
            problem, method, w_star=-np.array(d), noise_variance=0.0, steps=[1], metric=[[1.0, -1.0], [-1.0, 1.0]]
        )
        np.testing.assert_allclose(curve.bias2[0, 0], risk, rtol=1e-12)


def test_counterexamples_of_overshoot():
    problem, methods = diagonal([1.0]), (rules.gd(eta=0.9), rules.usam(eta=0.9, rho=1.0))
    gd, usam = (risk_curve(problem, m, w_star=[1.0], noise_variance=1.0, steps=[1, 2, 3, 4]) for m in methods)
    np.testing.assert_array_equal((usam.variance >= gd.variance).values[0], [True, False, True, False])
    assert (usam.bias2 > gd.bias2).all()


# --- brute force: the literal iteration, as an affine map of targets and start ---


def gradient_of(problem, targets):
    X, factor = problem.features, 2 * problem.loss_factor
    return lambda w: factor * X.T @ (X @ w - targets)


def plain(direction):
    def step(state, g, v):
        (w,) = state
        return (w - v["eta"] * direction(w, g, v),)

    return step


def heavy(direction):
    def step(state, g, v):
        w, m = state
        m = v["beta"] * m + direction(w, g, v)
        return w - v["eta"] * m, m

    return step


def nesterov_step(state, g, v):
    w, m = state
    m = v["beta"] * m + g(w)
    return w - v["eta"] * (g(w) + v["beta"] * m), m


def lookahead_step(state, g, v):
    (w,) = state
    fast = w
    for _ in range(3):
        fast = fast - v["eta"] * g(fast)
    return ((1 - v["alpha"]) * w + v["alpha"] * fast,)


def delayed_step(state, g, v):
    w, w1, w2 = state
    return w - v["eta"] * g(w2), w, w1


def ascended(w, g, v):
    return g(w + v["rho"] * g(w))


#: name: (rule, number of states, which start at w0, literal step, hyper-parameters from the largest curvature and f)
BRUTE = {
    "gd": (rules.gd, [1], plain(lambda w, g, v: g(w)), lambda h, f, r: {"eta": 2 * f / h}),
    "usam": (rules.usam, [1], plain(ascended), lambda h, f, r: {"eta": 2 * f / (h * (1 + r)), "rho": r / h}),
    "heavy_ball": (
        rules.heavy_ball, [1, 0], heavy(lambda w, g, v: g(w)), lambda h, f, r: {"eta": 3.4 * f / h, "beta": 0.7},
    ),
    "nesterov": (
        rules.nesterov, [1, 0], nesterov_step, lambda h, f, r: {"eta": 3.0 * f / (2.0 * h), "beta": 0.5},
    ),
    "usam_heavy_ball": (
        rules.usam_heavy_ball, [1, 0], heavy(ascended),
        lambda h, f, r: {"eta": 3.0 * f / (h * (1 + r)), "rho": r / h, "beta": 0.5},
    ),
    "extragradient": (
        rules.extragradient, [1], plain(lambda w, g, v: g(w - v["eta"] * g(w))), lambda h, f, r: {"eta": f / h},
    ),
    "lookahead": (
        rules.lookahead.member(3), [1], lookahead_step, lambda h, f, r: {"eta": 2 * f / h, "alpha": 0.6},
    ),
    "delayed_gd": (rules.delayed_gd.member(2), [1, 1, 1], delayed_step, lambda h, f, r: {"eta": 0.6 * f / h}),
    "implicit_gd": (rules.implicit_gd, [1], None, lambda h, f, r: {"eta": 10 * f / h}),
}  # fmt: skip


def iterate(name, problem, values, targets, w0, steps):
    """Yield w_k for k = 0, 1, ..., columns of `targets` and `w0` being problems of their own."""
    _, starts, step, _ = BRUTE[name]
    state = tuple(w0.copy() if s else np.zeros_like(w0) for s in starts)
    g = gradient_of(problem, targets)
    X, factor = problem.features, 2 * problem.loss_factor
    implicit = np.linalg.inv(np.eye(problem.dim) + values["eta"] * factor * X.T @ X) if step is None else None
    for k in range(steps + 1):
        if k:
            if step is None:
                state = (implicit @ (state[0] + values["eta"] * factor * X.T @ targets),)
            else:
                state = step(state, g, values)
        yield state[0]


def brute_force(name, problem, values, w_star, noise_variance, w0, steps, root):
    """Bias^2, variance, risk, training loss and degrees of freedom from the recursion w_k = A_k y + B_k w_0.

    The metric is root^T root; forming it would cost digits.
    """
    X, n = problem.features, problem.n_samples
    targets = np.concatenate([np.eye(n), (X @ w_star)[:, None]], axis=1)
    start = np.concatenate([np.zeros((problem.dim, n)), w0[:, None]], axis=1)
    found = np.empty((5, steps + 1))
    for k, w in enumerate(iterate(name, problem, values, targets, start, steps)):
        A, error = w[:, :n], w[:, n] - w_star
        bias, variance = np.sum((root @ error) ** 2), noise_variance * np.sum((root @ A) ** 2)
        rest = np.sum((X @ A - np.eye(n)) ** 2)
        train = problem.loss_factor * (np.sum((X @ error) ** 2) + noise_variance * rest)
        found[:, k] = bias, variance, bias + variance, train, np.trace(X @ A)
    return dict(zip(NAMES, found, strict=True))


def random_problem(rng):
    n, dim = rng.integers(1, 8, 2)
    size = min(n, dim)
    singular = 10 ** rng.uniform(-1.3, 0.5, size)
    if size > 1 and rng.random() < 0.4:
        singular[1] = singular[0]  # a repeated one
    if size > 1 and rng.random() < 0.4:
        singular[-1] = 0.0
    scale, normalize = float(rng.choice([0.5, 1.0, 3.0])), bool(rng.random() < 0.5)
    return with_spectrum(rng, n, dim, singular, normalize=normalize, loss_scale=scale)


@pytest.mark.parametrize("name", BRUTE)
def test_curve_is_that_of_the_literal_iteration(name):
    """112 random problems a rule, 1008 in all."""
    rng = np.random.default_rng([7, *map(ord, name)])
    rule, _, _, choose = BRUTE[name]
    for case in range(112):
        problem = random_problem(rng)
        values = choose(problem.modes.curvature[0], rng.uniform(0.05, 0.95), 10 ** rng.uniform(-2, 1))
        w_star, noise = 2 * rng.standard_normal(problem.dim), float(rng.choice([0.0, 0.01, 2.0]))
        w0 = np.zeros(problem.dim) if rng.random() < 0.3 else rng.standard_normal(problem.dim)
        C = rng.standard_normal((problem.dim, rng.integers(1, problem.dim + 1)))
        kind = case % 3
        metric = ("prediction", "parameter", C @ C.T)[kind]
        root = (problem.features / np.sqrt(problem.n_samples), np.eye(problem.dim), C.T)[kind]
        curve = risk_curve(problem, rule(**values), w_star=w_star, noise_variance=noise, steps=25, w0=w0, metric=metric)
        expected = brute_force(name, problem, values, w_star, noise, w0, 25, root)
        for key in NAMES:
            scale = np.abs(expected[key]).max()
            np.testing.assert_allclose(
                curve[key][0], expected[key], rtol=1e-10, atol=1e-13 * scale + 1e-300, err_msg=f"{key}, case {case}"
            )


# --- brute force: all sign patterns of the noise, in fractions ---


def fractions(array):
    return np.vectorize(Fraction, otypes=[object])(np.asarray(array))


ENUMERATED = [
    ([[1, 0], [0, 2], [1, 1]], True, Fraction(1, 4), Fraction(1, 2)),
    ([[1, 2, 0], [0, 1, 1]], False, Fraction(1, 16), Fraction(1, 8)),
    ([[1, 1], [1, 1], [2, 2], [0, 0]], True, Fraction(1, 4), Fraction(0)),
    ([[1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]], True, Fraction(2), Fraction(1)),
    ([[1, 2], [0, 1], [1, -1], [2, 0], [0, 0], [1, 1], [-1, 1], [1, 0]], True, Fraction(1, 3), Fraction(1, 5)),
]


@pytest.mark.parametrize(("X", "normalize", "eta", "rho"), ENUMERATED, ids=lambda v: str(np.shape(v)))
def test_curve_is_the_mean_over_all_sign_patterns_in_fractions(X, normalize, eta, rho):
    n, dim = np.shape(X)
    sigma, inputs = Fraction(3, 2), fractions(X)
    factor = Fraction(1, n) if normalize else Fraction(1)
    w_star, w0 = fractions(range(1, dim + 1)), fractions([Fraction(1, 2)] * dim)
    patterns = np.array(list(product([-1, 1], repeat=n))).T
    targets = (inputs @ w_star)[:, None] + sigma * fractions(patterns)
    w = np.repeat(w0[:, None], targets.shape[1], axis=1)

    def g(w):
        return factor * (inputs.T @ (inputs @ w - targets))

    expected = []
    for k in range(4):
        w = w - eta * g(w + rho * g(w)) if k else w
        error = w - w_star[:, None]
        mean = error.sum(axis=1) / Fraction(error.shape[1])
        row = []
        for form in (inputs / Fraction(1), None):  # prediction, then parameter
            e, m = (form @ error, form @ mean) if form is not None else (error, mean)
            share = Fraction(1, n) if form is not None else Fraction(1)
            row += [share * (m * m).sum(), share * (e * e).sum() / Fraction(e.shape[1])]
        loss = (inputs @ w - targets) ** 2
        row.append(factor / 2 * loss.sum() / Fraction(loss.shape[1]))
        expected.append([float(x) for x in row])
    problem = LeastSquares(np.array(X, dtype=float), np.zeros(n), normalize=normalize)
    arguments = {"w_star": w_star.astype(float), "noise_variance": 2.25, "steps": 3, "w0": w0.astype(float)}
    method = rules.usam(eta=float(eta), rho=float(rho))
    fitted = risk_curve(problem, method, **arguments)
    inside = risk_curve(problem, method, **arguments, metric="parameter")
    found = np.stack([fitted.bias2, fitted.risk, inside.bias2, inside.risk, fitted.train_loss], axis=-1)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("method", [rules.usam(eta=0.3, rho=0.4), rules.heavy_ball(eta=0.3, beta=0.8)])
@pytest.mark.parametrize("shape", [(6, 3), (3, 5), (5, 5)])
def test_mean_of_sure_over_all_sign_patterns_is_the_risk(method, shape):
    rng = np.random.default_rng(3)
    X, w_star, w0, sigma = rng.standard_normal(shape), rng.standard_normal(shape[1]), rng.standard_normal(shape[1]), 0.7
    X /= np.linalg.norm(X, 2) / np.sqrt(shape[0])
    estimates = []
    for signs in product([-sigma, sigma], repeat=shape[0]):
        problem = LeastSquares(X, X @ w_star + np.array(signs))
        estimates.append(sure(problem, method, noise_variance=sigma**2, steps=8, w0=w0))
    curve = risk_curve(problem, method, w_star=w_star, noise_variance=sigma**2, steps=8, w0=w0)
    np.testing.assert_allclose(np.mean([e.sure for e in estimates], axis=0), curve.risk, rtol=1e-11, atol=1e-13)
    losses = np.mean([e.residual for e in estimates], axis=0)
    np.testing.assert_allclose(losses / 2, curve.train_loss, rtol=1e-11)
    np.testing.assert_allclose(estimates[0].degrees_of_freedom, curve.degrees_of_freedom, rtol=1e-12)


def test_residual_of_sure_is_that_of_a_simulation():
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal((7, 4)), rng.standard_normal(7), normalize=False, loss_scale=0.02)
    method, w0 = rules.nesterov(eta=1.0, beta=0.6), rng.standard_normal(4)
    run = eossim.simulate(problem, method, w0, 30)
    estimate = sure(problem, method, noise_variance=0.3, steps=30, w0=w0)
    np.testing.assert_allclose(0.02 * 7 * estimate.residual[0], run.loss[0], rtol=1e-10)
    np.testing.assert_allclose(
        estimate.sure, estimate.residual + 0.6 * estimate.degrees_of_freedom / 7 - 0.3, rtol=1e-12
    )


# --- metrics ---


@pytest.mark.parametrize("shape", [(9, 4), (4, 9), (5, 5), (1, 3)])
@pytest.mark.parametrize("method", [rules.usam(eta=0.02, rho=0.1), rules.heavy_ball(eta=0.02, beta=0.9)])
def test_covariances_that_are_the_other_metrics(shape, method):
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal(shape), np.zeros(shape[0]))
    arguments = {
        "w_star": rng.standard_normal(shape[1]), "w0": rng.standard_normal(shape[1]), "noise_variance": 0.3,
        "steps": [0, 1, 5, 50, 1000, 10**5],
    }  # fmt: skip
    gram = problem.X.T @ problem.X / shape[0]
    for name, covariance in (("prediction", gram), ("parameter", np.eye(shape[1]))):
        curve = risk_curve(problem, method, **arguments, metric=covariance)
        assert curve.attrs["metric"] == "covariance"
        assert_same(curve, risk_curve(problem, method, **arguments, metric=name))


def test_the_null_space_counts_in_parameter_and_covariance_bias_only():
    problem = LeastSquares([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [0.0, 0.0], normalize=False)
    arguments = {"w_star": [1.0, 2.0, 3.0], "w0": [0.0, 0.0, 1.0], "noise_variance": 1.0, "steps": [0, 1, 10**6]}
    method = rules.gd(eta=0.5)
    inside = risk_curve(problem, method, **arguments, metric="parameter")
    np.testing.assert_allclose(inside.bias2[0], [9, 4 + 5 / 4, 4], rtol=1e-12)
    np.testing.assert_allclose(inside.variance[0], [0, 0.5, 2], rtol=1e-12)
    fitted = risk_curve(problem, method, **arguments)
    np.testing.assert_allclose(fitted.bias2[0], [2.5, 0.625, 0], rtol=1e-12)
    covariance = np.ones((3, 3))  # e = (-1, -2, -2) then (-.5, -1, -2) then (0, 0, -2)
    mixed = risk_curve(problem, method, **arguments, metric=covariance)
    np.testing.assert_allclose(mixed.bias2[0], [25, 3.5**2, 4], rtol=1e-12)


def test_true_values_instead_of_true_parameters():
    rng = np.random.default_rng(1)
    for shape in [(8, 3), (3, 6)]:
        problem = LeastSquares(rng.standard_normal(shape), np.zeros(shape[0]))
        w_star = problem.X.T @ rng.standard_normal(shape[0])  # the shortest that fits
        arguments = {"noise_variance": 0.4, "steps": 40, "w0": rng.standard_normal(shape[1])}
        for metric in ("prediction", "parameter", np.cov(rng.standard_normal((shape[1], 20)))):
            by_values = risk_curve(problem, rules.gd(eta=0.1), f_star=problem.X @ w_star, metric=metric, **arguments)
            assert_same(by_values, risk_curve(problem, rules.gd(eta=0.1), w_star=w_star, metric=metric, **arguments))


def test_misfit_stays_in_the_bias_and_in_the_training_loss():
    rng = np.random.default_rng(2)
    problem = LeastSquares(rng.standard_normal((8, 3)), np.zeros(8), loss_scale=2.0)
    w_star = rng.standard_normal(3)
    outside = rng.standard_normal(8)
    outside -= problem.modes.samples @ (problem.modes.samples.T @ outside)
    arguments = {"noise_variance": 0.4, "steps": [0, 3, 1000]}
    fits = risk_curve(problem, rules.gd(eta=0.02), w_star=w_star, **arguments)
    misfits = risk_curve(problem, rules.gd(eta=0.02), f_star=problem.X @ w_star + outside, **arguments)
    missed = outside @ outside
    np.testing.assert_allclose(misfits.bias2 - fits.bias2, missed / 8, rtol=1e-10)
    np.testing.assert_allclose(misfits.risk - fits.risk, missed / 8, rtol=1e-10)
    np.testing.assert_allclose(misfits.train_loss - fits.train_loss, 2 * missed / 8, rtol=1e-10)
    np.testing.assert_allclose(misfits.variance, fits.variance, rtol=1e-14)
    inside = [
        risk_curve(problem, rules.gd(eta=0.02), metric="parameter", **truth, **arguments)
        for truth in ({"w_star": w_star}, {"f_star": problem.X @ w_star + outside})
    ]
    assert_same(*inside, names=("bias2", "variance", "risk"))


def test_bias_in_a_covariance_is_never_negative():
    """A singular covariance whose error cancels: bias^2 is zero up to rounding, but no square is below zero."""
    rng = np.random.default_rng(5)
    for _ in range(50):
        problem = LeastSquares(rng.standard_normal((3, 5)), np.zeros(3))
        direction = rng.standard_normal(5)
        w_star = rng.standard_normal(5)
        w_star -= direction * (direction @ w_star) / (direction @ direction)
        curve = risk_curve(
            problem, rules.gd(eta=0.1), w_star=w_star, noise_variance=0.0, steps=[0, 1, 10**7],
            metric=np.outer(direction, direction),
        )  # fmt: skip
        assert curve.bias2.min() >= 0


# --- kernels ---


@pytest.mark.parametrize("shape", [(6, 3), (3, 6), (5, 5)])
@pytest.mark.parametrize(
    "method", [rules.gd(eta=0.1), rules.usam(eta=0.05, rho=0.4), rules.nesterov(eta=0.05, beta=0.9)]
)
def test_linear_kernel_is_least_squares(shape, method):
    rng = np.random.default_rng(4)
    X, w_star = rng.standard_normal(shape), rng.standard_normal(shape[1])
    arguments = {"noise_variance": 0.2, "steps": [0, 1, 2, 10, 100, 10**4], "f_star": X @ w_star}
    line = risk_curve(LeastSquares(X, np.zeros(shape[0])), method, **arguments)
    kernel = risk_curve(KernelRegression(X @ X.T, np.zeros(shape[0])), method, **arguments)
    assert_same(kernel, line)
    assert "left_out" not in kernel


def test_kernel_in_the_norm_of_its_functions():
    """Section 6 of the note: bias^2 sum q^2k (u^T f)^2 / (n mu), variance sigma^2/n sum (1 - q^k)^2 / mu."""
    rng = np.random.default_rng(5)
    x = np.sort(rng.uniform(-1, 1, 12))
    K = np.exp(-4 * (x[:, None] - x) ** 2) + 0.1 * np.eye(12)
    problem, f_star = KernelRegression(K, np.zeros(12)), np.sin(3 * x)
    curve = risk_curve(
        problem, rules.usam(eta=0.5, rho=0.3), f_star=f_star, noise_variance=0.3, steps=[0, 1, 20], metric="parameter"
    )
    mu, U = np.linalg.eigh(K / 12)
    q = (1 - 0.5 * mu * (1 + 0.3 * mu))[:, None] ** np.array([0, 1, 20])
    np.testing.assert_allclose(curve.bias2[0], (q**2).T @ ((U.T @ f_star) ** 2 / (12 * mu)), rtol=1e-9)
    np.testing.assert_allclose(curve.variance[0], 0.3 / 12 * ((1 - q) ** 2).T @ (1 / mu), rtol=1e-9, atol=1e-12)


def kernel_with(eigenvalues, seed=0):
    lam = np.asarray(eigenvalues, dtype=float)
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((lam.size, lam.size)))[0]
    K = (Q * lam) @ Q.T
    return (K + K.T) / 2, Q


FAR = [0, 1, 2, 10, 100, 1000, 10**4, 10**5, 10**6, 10**8, 10**10]


@pytest.mark.parametrize(
    "mu",
    [
        np.r_[2.0, 1.0, np.full(98, 1e-4)],
        np.r_[2.0, 1.0, np.geomspace(0.8, 1e-6, 58)],
        np.r_[2.0, 1.0, np.full(28, 1e-7)],
        np.r_[2.0, 1.0, 0.9, np.full(5, 1e-5)],
    ],
    ids=["many-small", "decay", "tiny", "one-large"],
)
@pytest.mark.parametrize(
    "method",
    [rules.gd(eta=0.3), rules.usam(eta=0.1, rho=0.5), rules.heavy_ball(eta=0.3, beta=0.9), rules.gd(eta=0.9)],
    ids=lambda m: repr(m),
)
def test_what_a_truncated_kernel_leaves_out_is_bounded(mu, method):
    n = mu.size
    K, Q = kernel_with(n * mu)
    full, cut = KernelRegression(K, np.zeros(n)), KernelRegression(K, np.zeros(n), eigenpairs=2)
    for f_star, noise in [(np.zeros(n), 1.0), (Q.sum(axis=1), 0.0), (Q[:, 1:5].sum(axis=1), 0.1)]:
        exact, short = (risk_curve(p, method, f_star=f_star, noise_variance=noise, steps=FAR) for p in (full, cut))
        gap = np.abs(exact.risk - short.risk).values[0]
        slack = 1e-9 * np.abs(exact.risk).values[0]
        excess = gap - (1 + 1e-12) * short.left_out.values[0] - slack
        assert excess.max() <= 0, f"at k = {FAR[np.argmax(excess)]} by {excess.max():g}"


def test_bound_of_what_is_left_out_goes_with_unsorted_steps():
    K, _ = kernel_with(np.r_[8.0, 4.0, np.full(6, 1e-2)])
    cut = KernelRegression(K, np.zeros(8), eigenpairs=2)
    arguments = {"f_star": np.ones(8), "noise_variance": 1.0}
    sorted_ = risk_curve(cut, rules.gd(eta=0.5), steps=[0, 5, 50], **arguments)
    mixed = risk_curve(cut, rules.gd(eta=0.5), steps=[50, 0, 5, 50], **arguments)
    for name in [*NAMES, "left_out"]:
        np.testing.assert_array_equal(mixed[name][0], sorted_[name].values[0, [2, 0, 1, 2]])
    assert sorted_.left_out[0, 0] == 0
    assert "left_out" not in risk_curve(cut, rules.gd(eta=0.5), steps=5, metric="parameter", **arguments)


# --- properties of section 12 ---


@st.composite
def cases(draw):
    """A problem, a stable usam, and a truth."""
    rng = np.random.default_rng(draw(seeds))
    n, dim = draw(st.integers(1, 7)), draw(st.integers(1, 6))
    size = min(n, dim)
    s = 10 ** rng.uniform(-2, 1, size)
    if draw(st.booleans()):
        s[-1] = s[0]
    if size > 1 and draw(st.booleans()):
        s[-1] = 0
    problem = with_spectrum(
        rng, n, dim, s, normalize=draw(st.booleans()), loss_scale=draw(st.sampled_from([0.5, 1.0, 2.5]))
    )
    top, share, r = (
        problem.modes.curvature[0],
        draw(st.floats(0.02, 1.9)),
        draw(st.sampled_from([0.0, 0.01, 1.0, 30.0])),
    )
    values = {"eta": share / (top * (1 + r)), "rho": r / top}
    truth = {
        "w_star": rng.standard_normal(dim), "w0": rng.standard_normal(dim),
        "noise_variance": draw(st.sampled_from([0.0, 1e-3, 1.0, 50.0])),
    }  # fmt: skip
    return problem, values, truth


STEPS = [0, 1, 2, 3, 8, 50, 1000, 10**9]


@given(cases())
def test_bias_and_variance_add_up_and_are_not_negative(case):
    problem, values, truth = case
    for metric in ("prediction", "parameter"):
        curve = risk_curve(problem, rules.usam(**values), **truth, steps=STEPS, metric=metric)
        np.testing.assert_allclose(curve.bias2 + curve.variance, curve.risk, rtol=1e-14)
        assert (curve.bias2 >= 0).all()
        assert (curve.variance >= 0).all()
        assert curve.variance[0, 0] == 0
        assert curve.degrees_of_freedom[0, 0] == 0


@given(cases())
def test_bias_knows_no_noise_and_variance_no_truth(case):
    problem, values, truth = case
    method = rules.usam(**values)
    curve = risk_curve(problem, method, **truth, steps=STEPS)
    noisy = risk_curve(problem, method, **truth | {"noise_variance": 7.0}, steps=STEPS)
    np.testing.assert_allclose(noisy.bias2, curve.bias2, rtol=1e-14)
    np.testing.assert_allclose(noisy.variance * truth["noise_variance"], 7 * curve.variance, rtol=1e-12)
    elsewhere = risk_curve(problem, method, w_star=3 * truth["w0"], w0=truth["w_star"], noise_variance=7.0, steps=STEPS)
    np.testing.assert_array_equal(elsewhere.variance, noisy.variance)
    np.testing.assert_array_equal(elsewhere.degrees_of_freedom, curve.degrees_of_freedom)


@given(cases(), st.data())
def test_changes_of_basis_change_nothing(case, data):
    problem, values, truth = case
    left = data.draw(orthogonal_matrices(problem.n_samples))
    right = data.draw(orthogonal_matrices(problem.dim))
    turned = LeastSquares(
        left @ problem.X @ right.T, left @ problem.y, normalize=problem.normalize, loss_scale=problem.loss_scale
    )
    rotated = truth | {"w_star": right @ truth["w_star"], "w0": right @ truth["w0"]}
    for metric in ("prediction", "parameter"):
        one, two = (
            risk_curve(p, rules.usam(**values), **t, steps=[0, 1, 3, 20], metric=metric)
            for p, t in ((problem, truth), (turned, rotated))
        )
        assert_same(one, two, rtol=1e-8)


@given(cases())
def test_duplicated_rows_halve_the_noise(case):
    problem, _, truth = case
    single = LeastSquares(problem.X, problem.y)
    double = LeastSquares(np.concatenate([problem.X] * 2), np.concatenate([problem.y] * 2))
    top = single.modes.curvature[0]
    method = rules.usam(eta=0.5 / top, rho=0.5 / top)
    one, two = (risk_curve(p, method, **truth, steps=[0, 1, 3, 20], metric="parameter") for p in (single, double))
    np.testing.assert_allclose(two.bias2, one.bias2, rtol=1e-8)
    np.testing.assert_allclose(2 * two.variance, one.variance, rtol=1e-8)
    np.testing.assert_allclose(two.degrees_of_freedom, one.degrees_of_freedom, rtol=1e-8)


@given(cases())
def test_other_loss_scale_needs_other_eta_and_rho(case):
    problem, _, truth = case
    n = problem.n_samples
    total = LeastSquares(problem.X, problem.y, normalize=False, loss_scale=problem.loss_scale)
    mean = LeastSquares(problem.X, problem.y, normalize=True, loss_scale=problem.loss_scale)
    top = total.modes.curvature[0]
    eta, rho = 0.7 / top, 0.8 / top
    one = risk_curve(total, rules.usam(eta=eta, rho=rho), **truth, steps=STEPS)
    two = risk_curve(mean, rules.usam(eta=n * eta, rho=n * rho), **truth, steps=STEPS)
    assert_same(one, two, names=("bias2", "variance", "risk", "degrees_of_freedom"))
    np.testing.assert_allclose(two.train_loss * n, one.train_loss, rtol=1e-10)


@given(cases())
def test_no_ascent_is_gradient_descent(case):
    problem, values, truth = case
    one = risk_curve(problem, rules.usam(eta=values["eta"], rho=0.0), **truth, steps=STEPS)
    two = risk_curve(problem, rules.gd(eta=values["eta"]), **truth, steps=STEPS)
    for name in NAMES:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-13)


@given(cases(), st.sampled_from(["prediction", "parameter"]))
def test_monotone_in_rho_where_no_mode_overshoots(case, metric):
    problem, _, truth = case
    top = problem.modes.curvature[0]
    rho = np.array([0.0, 0.01, 0.1, 1.0, 5.0]) / top
    eta = 0.999 / (top * (1 + rho[-1] * top))
    curve = risk_curve(problem, rules.usam(eta=eta, rho=rho), **truth, steps=STEPS, metric=metric)
    for name, sign in (("bias2", -1), ("variance", 1), ("train_loss", -1), ("degrees_of_freedom", 1)):
        change = sign * np.diff(curve[name].values, axis=0)
        assert (change >= -1e-12 * np.abs(curve[name].values[1:])).all(), name
    assert (curve.degrees_of_freedom >= 0).all()
    assert (curve.degrees_of_freedom <= problem.rank * (1 + 1e-12)).all()


@given(cases())
def test_limit_of_many_steps(case):
    problem, _, truth = case
    top = problem.modes.curvature[0]
    curve = risk_curve(problem, rules.gd(eta=1 / top), **truth, steps=[10**9])
    np.testing.assert_allclose(curve.risk, truth["noise_variance"] * problem.rank / problem.n_samples, atol=1e-12)
    np.testing.assert_allclose(curve.degrees_of_freedom, problem.rank, rtol=1e-12)


@given(st.integers(1, 6), st.floats(0.01, 1.9), seeds)
def test_repeated_singular_values_are_the_isotropic_formula(dim, share, seed):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((dim + 2, dim)))[0]
    problem = LeastSquares(3 * Q, np.zeros(dim + 2), normalize=False)
    w_star = rng.standard_normal(dim)
    curve = risk_curve(problem, rules.gd(eta=share / 9), w_star=w_star, noise_variance=0.5, steps=30)
    z = (1 - share) ** np.arange(31)
    B, S = 9 * w_star @ w_star, 0.5 * dim
    np.testing.assert_allclose(curve.risk[0] * (dim + 2), z**2 * B + (1 - z) ** 2 * S, rtol=1e-10)


# --- steps, runs and labels ---


def test_steps_in_any_order_and_repeated():
    problem = diagonal([1.0, 0.1])
    arguments = {"w_star": [1.0, 2.0], "noise_variance": 0.3}
    for method in (rules.gd(eta=0.5), rules.heavy_ball(eta=0.5, beta=0.5)):
        every = risk_curve(problem, method, steps=100, **arguments)
        assert every.step.values.tolist() == list(range(101))
        asked = [70, 3, 3, 0, 100, 70, 1]
        some = risk_curve(problem, method, steps=asked, **arguments)
        assert some.step.values.tolist() == asked
        estimated = sure(problem, method, noise_variance=0.3, steps=asked)
        assert estimated.step.values.tolist() == asked
        for name in NAMES:
            np.testing.assert_allclose(some[name][0], every[name].values[0, asked], rtol=1e-12, atol=1e-300)
        for kind in (np.int32, np.uint8, np.uint64):
            typed = risk_curve(problem, method, steps=np.array(asked, dtype=kind), **arguments)
            np.testing.assert_array_equal(typed.risk, some.risk)
        assert risk_curve(problem, method, steps=0, **arguments).step.values.tolist() == [0]


def test_a_batch_of_runs_is_its_runs():
    problem = diagonal([1.0, 0.1])
    arguments = {"w_star": [1.0, 2.0], "noise_variance": 0.3, "steps": 50}
    batch = risk_curve(problem, rules.usam(eta=0.3, rho=[0.0, 0.5, 2.0]), **arguments)
    assert batch.sizes == {"run": 3, "step": 51}
    assert batch.rho.values.tolist() == [0.0, 0.5, 2.0]
    assert batch.eta.values.tolist() == [0.3] * 3
    assert batch.attrs["rule"] == "usam"
    for run, rho in enumerate((0.0, 0.5, 2.0)):
        single = risk_curve(problem, rules.usam(eta=0.3, rho=rho), **arguments)
        for name in NAMES:
            np.testing.assert_array_equal(batch[name][run], single[name][0])


def test_targets_play_no_part():
    X = np.random.default_rng(0).standard_normal((5, 3))
    arguments = {"w_star": np.ones(3), "noise_variance": 0.3, "steps": 10}
    one, two = (risk_curve(LeastSquares(X, y), rules.gd(eta=0.1), **arguments) for y in (np.zeros(5), np.arange(5.0)))
    for name in NAMES:
        np.testing.assert_array_equal(one[name], two[name])


def test_features_of_rank_zero_learn_nothing():
    problem = LeastSquares(np.zeros((3, 2)), np.ones(3))
    for method in (rules.gd(eta=0.5), rules.heavy_ball(eta=0.5, beta=0.5)):
        curve = risk_curve(problem, method, w_star=[1.0, 2.0], noise_variance=2.0, steps=3, metric="parameter")
        np.testing.assert_array_equal(curve.risk, 5)
        np.testing.assert_allclose(curve.train_loss, 1.0)


@pytest.mark.parametrize(
    ("curvature", "eta"), [((1e9, 1e-11), 1e-9), ((1e3, 1e-14), 1e-3), ((1.0, 1e-20), 1.0), ((1e12, 1e-6), 1e-12)]
)
@pytest.mark.parametrize(
    "method",
    [
        lambda eta: rules.heavy_ball(eta=eta, beta=0.9),
        lambda eta: rules.nesterov(eta=0.5 * eta, beta=0.9),
        lambda eta: rules.delayed_gd.member(1)(eta=0.5 * eta),
        lambda eta: rules.gd(eta=eta),
    ],
    ids=["heavy_ball", "nesterov", "delayed_gd", "gd"],
)
def test_flat_modes_are_stable(curvature, eta, method):
    """A mode whose multiplier rounds to one still goes down, in any units."""
    curve = risk_curve(diagonal(curvature), method(eta), w_star=[1.0, 1.0], noise_variance=1.0, steps=[1, 10])
    assert np.isfinite(curve.risk).all()


# --- bad input ---

PROBLEM = diagonal([2.0, 0.5])
GOOD = {"w_star": [1.0, 1.0], "noise_variance": 1.0, "steps": 3}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_variance": -1.0}, "noise_variance"),
        ({"noise_variance": np.nan}, "noise_variance"),
        ({"noise_variance": np.inf}, "noise_variance"),
        ({"noise_variance": [1.0, 2.0]}, "noise_variance"),
        ({"w_star": [1.0]}, "w_star"),
        ({"w_star": [1.0, np.nan]}, "w_star"),
        ({"w_star": None}, "w_star"),
        ({"f_star": [1.0, 1.0]}, "f_star"),
        ({"w_star": None, "f_star": [1.0]}, "f_star"),
        ({"w0": [1.0, 2.0, 3.0]}, "w0"),
        ({"w0": [np.inf, 2.0]}, "w0"),
        ({"steps": -1}, "steps"),
        ({"steps": []}, "steps"),
        ({"steps": [1, -2]}, "steps"),
        ({"steps": [1.5]}, "steps"),
        ({"steps": [[1]]}, "steps"),
        ({"metric": "predictions"}, 'did you mean "prediction"'),
        ({"metric": np.eye(3)}, "metric"),
        ({"metric": [[1.0, 0.5], [0.2, 1.0]]}, "metric"),
        ({"metric": [[1.0, 2.0], [2.0, 1.0]]}, "metric must be positive semidefinite"),
        ({"metric": [[-1.0, 0.0], [0.0, -1.0]]}, "metric must be positive semidefinite"),
        ({"metric": np.ones(2)}, "metric"),
    ],
)
def test_bad_input_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        risk_curve(PROBLEM, rules.gd(eta=0.1), **GOOD | changes)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: risk_curve(eossim.Quadratic([1.0, 2.0]), rules.gd(eta=0.1), **GOOD), "problem"),
        (lambda: risk_curve(PROBLEM, rules.gd, **GOOD), "method"),
        (lambda: risk_curve(PROBLEM, "gd", **GOOD), "method"),
        (lambda: risk_curve(PROBLEM, rules.gd(eta=0.1), **GOOD | {"steps": 3.0}), "steps"),
        (lambda: risk_curve(PROBLEM, rules.gd(eta=0.1), **GOOD | {"steps": True}), "steps"),
        (lambda: risk_curve(PROBLEM, rules.gd(eta=0.1), **GOOD | {"noise_variance": "1"}), "noise_variance"),
        (lambda: risk_curve(PROBLEM, rules.gd(eta=0.1), **GOOD | {"metric": 3j * np.eye(2)}), "metric"),
        (lambda: sure(PROBLEM, "gd", noise_variance=1.0, steps=3), "method"),
        (lambda: sure(eossim.Quadratic([1.0, 2.0]), rules.gd(eta=0.1), noise_variance=1.0, steps=3), "problem"),
    ],
)
def test_wrong_types_are_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"noise_variance": -1.0}, "noise_variance"),
        ({"noise_variance": [1.0, 2.0]}, "noise_variance"),
        ({"w0": [1.0]}, "w0"),
        ({"steps": [-1]}, "steps"),
    ],
)
def test_bad_input_of_sure_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        sure(PROBLEM, rules.gd(eta=0.1), **{"noise_variance": 1.0, "steps": 3} | changes)


@pytest.mark.parametrize(
    ("method", "name", "values"),
    [
        (rules.gd, "eta", {"eta": 1.2}),
        (rules.usam, "eta", {"eta": 0.9, "rho": 0.5}),
        (rules.usam, "rho", {"eta": 0.9, "rho": 0.5}),
        (rules.heavy_ball, "eta", {"eta": 3.0, "beta": 0.5}),
        (rules.nesterov, "eta", {"eta": 3.0, "beta": 0.5}),
        (rules.usam_heavy_ball, "rho", {"eta": 1.2, "beta": 0.5, "rho": 0.7}),
        (rules.delayed_gd.member(1), "eta", {"eta": 0.8}),
        (rules.extragradient, "eta", {"eta": 0.8}),
    ],
)
def test_instability_names_the_mode_and_the_largest_stable_value(method, name, values):
    with pytest.raises(ValueError, match=f"largest stable {name} is") as raised:
        risk_curve(PROBLEM, method(**values), **GOOD)
    message = str(raised.value)
    assert "unstable on mode 0, curvature 2 " in message
    largest = float(message.split(f"largest stable {name} is ")[1].split()[0].rstrip(",)"))
    assert eossim.edge(method, **values | {name: largest}) == pytest.approx(2.0, rel=1e-5)
    risk_curve(PROBLEM, method(**values | {name: largest * (1 - 1e-5)}), **GOOD)
    with pytest.raises(ValueError, match="unstable"):
        risk_curve(PROBLEM, method(**values | {name: largest * (1 + 1e-5)}), **GOOD)


def test_instability_of_one_run_of_a_batch_is_found():
    with pytest.raises(ValueError, match=r"eta=1\.5.*mode 0"):
        risk_curve(PROBLEM, rules.gd(eta=[0.1, 1.5, 0.2]), **GOOD)


def test_no_rho_saves_a_step_that_is_too_large():
    with pytest.raises(ValueError, match="largest stable eta") as raised:
        risk_curve(PROBLEM, rules.usam(eta=1.5, rho=0.5), **GOOD)
    assert "stable rho" not in str(raised.value)


def test_the_edge_itself_is_refused():
    with pytest.raises(ValueError, match="unstable on mode 0"):
        risk_curve(PROBLEM, rules.gd(eta=1.0), **GOOD)


def test_advice_survives_a_flat_mode():
    """The flat mode's radius is one up to rounding; the advice is about the steep one."""
    with pytest.raises(ValueError, match=r"mode 0, curvature 1 .*largest stable eta is 3\.8"):
        risk_curve(diagonal([1.0, 1e-19]), rules.heavy_ball(eta=5.0, beta=0.9), **GOOD)
    with pytest.raises(ValueError, match=r"mode 0, curvature 1 .*largest stable eta is (1|0\.999)"):
        risk_curve(diagonal([1.0, 1e-20]), rules.delayed_gd.member(1)(eta=1.5), **GOOD)


def test_normalised_rules_are_sent_to_simulation():
    with pytest.raises(ValueError, match="monte_carlo_risk"):
        risk_curve(PROBLEM, rules.sam(eta=0.1, rho=0.1), **GOOD)


# --- exact at a far step ---


def test_a_curve_at_a_billion_steps():
    """Compare the whole curve with 50 digits on modes from 1 to 1e-9."""
    import mpmath as mp

    curvature, steps = np.array([1.0, 0.1, 1e-5, 1e-9]), [0, 1, 10, 10**3, 10**6, 10**9]
    curve = risk_curve(
        diagonal(curvature), rules.usam(eta=0.4, rho=1.0), w_star=np.ones(4), noise_variance=0.1, steps=steps
    )
    s2 = diagonal(curvature).modes.singular ** 2
    with mp.workdps(50):
        for p, k in enumerate(steps):
            z = [(1 - mp.mpf(0.4) * mp.mpf(float(h)) * (1 + mp.mpf(float(h)))) ** k for h in s2]
            bias = sum(mp.mpf(float(s)) * x * x for s, x in zip(s2, z, strict=True)) / 4
            variance = mp.mpf(0.1) / 4 * sum((1 - x) ** 2 for x in z)
            np.testing.assert_allclose(curve.bias2[0, p], float(bias), rtol=1e-11)
            np.testing.assert_allclose(curve.variance[0, p], float(variance), rtol=1e-11)
