"""When to stop, and where risks cross: reference values, brute force over whole steps, and the hard cases."""

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import rules
from eossim.problems import KernelRegression, LeastSquares
from eossim.theory import crossings, optimal_stopping, risk_curve
from tests.limits import within
from tests.strategies import seeds


def diagonal(curvature):
    """Least squares with Hessian diag(curvature); the prediction risk is 1/dim of the sum over modes."""
    s = np.sqrt(np.asarray(curvature, dtype=float))
    return LeastSquares(np.diag(s), np.zeros(s.size), normalize=False)


def truth(curvature, B, S):
    """Truth with signal B_i and noise S by mode in the prediction risk of `diagonal(curvature)`."""
    B, lam = np.asarray(B, dtype=float), np.asarray(curvature, dtype=float)
    return {"w_star": np.sqrt(lam.size * B / lam), "noise_variance": lam.size * S}


def numbers(found, *names):
    return [float(found[n][0]) for n in names]


def whole_risks(problem, method, arguments, last):
    return risk_curve(problem, method, steps=last, **arguments).risk.values[0]


# --- reference values of the note ---

ONE = diagonal([1.0])
V3 = truth([1.0], [4.0], 1.0)


def test_one_mode_of_the_note():
    for rho, best in [(0.5, 9.90307970528525778), (0.0, 15.2755318478222488)]:
        found = optimal_stopping(ONE, rules.usam(eta=0.1, rho=rho), **V3)
        np.testing.assert_allclose(numbers(found, "real_step", "real_risk"), [best, 0.8], rtol=1e-12)
        assert found.step[0] in (np.floor(best), np.ceil(best))
        np.testing.assert_allclose(numbers(found, "start_risk", "limit_risk"), [4, 1], rtol=1e-13)
    np.testing.assert_allclose(9.90307970528525778 / 15.2755318478222488, 0.648296884451659018, rtol=1e-14)


def test_crossing_of_one_mode_of_the_note():
    found = crossings(ONE, rules.gd(eta=0.1), rules.usam(eta=0.1, rho=0.5), **V3)
    np.testing.assert_allclose(found.real, [12.4813841575443304], rtol=1e-12)
    assert found.bound == 1
    assert found.spans == ((1, 12, "usam"), (13, np.inf, "gd"))
    assert found.integer == [13]
    k = mp.mpf(12.4813841575443304)
    q = mp.mpf("0.9") ** k
    assert float(q**2 * 4 + (1 - q) ** 2) == pytest.approx(0.823435379969802259, rel=1e-12)


def test_three_crossings_of_the_note():
    arguments = truth([1.0, 0.01], [5.0, 50.0], 1.0)
    problem, a, b = diagonal([1.0, 0.01]), rules.gd(eta=0.2), rules.usam(eta=0.2, rho=2.0)
    found = crossings(problem, a, b, **arguments)
    np.testing.assert_allclose(found.real, [5.1962508859771717, 15.412187741109336, 1944.8571090507302], rtol=1e-12)
    assert found.bound == 3
    assert found.spans == ((1, 5, "usam"), (6, 15, "gd"), (16, 1944, "usam"), (1945, np.inf, "gd"))
    assert found.integer == [6, 16, 1945]
    assert np.isinf(found.searched)
    swapped = crossings(problem, b, a, **arguments)
    np.testing.assert_allclose(swapped.real, found.real, rtol=1e-13)
    assert swapped.spans == found.spans
    assert "16 to 1944" in repr(found)
    assert "at most 3" in repr(found)
    assert found._repr_html_().count("<tr>") == 5


I20 = np.arange(1, 21)
TABLE = [
    (I20**-3.0, 1, (61, 0.142948), (16, 0.104274), (4, 0.100145), 0.097505, (45, 32)),
    (np.ones(20), 10, (728, 0.312811), (584, 0.316558), (370, 0.320487), 0.304951, (607, 520)),
    (I20**1.5, 1, (250, 40.7036), (206, 43.1051), (129, 45.0609), 29.9087, (17, 87)),
]


@pytest.mark.parametrize(
    ("beta2", "snr", "gd", "four", "sixteen", "oracle", "worse"), TABLE, ids=["steep", "flat", "up"]
)
def test_table_of_optimal_stopping_of_the_note(beta2, snr, gd, four, sixteen, oracle, worse):
    lam = 1 / I20
    B = lam * beta2
    S = B.sum() / (20 * snr)
    problem, arguments = diagonal(lam), truth(lam, B, S)
    found = optimal_stopping(problem, rules.usam(eta=1 / 34, rho=[0.0, 4.0, 16.0]), **arguments)
    digits = [f"{r:.6g}" for r in found.risk.values]
    assert digits == [f"{r:.6g}" for _, r in (gd, four, sixteen)]
    assert found.step.values.tolist() == [gd[0], four[0], sixteen[0]]
    assert np.sum(B * S / (B + S)) == pytest.approx(oracle, rel=5e-6)
    assert (found.risk >= oracle * (1 - 1e-5)).all()
    plain = optimal_stopping(problem, rules.gd(eta=1 / 34), **arguments)
    np.testing.assert_allclose(numbers(plain, "step", "risk"), [gd[0], found.risk[0]], rtol=1e-12)
    for rho, first in zip((4.0, 16.0), worse, strict=True):
        crossed = crossings(problem, rules.gd(eta=1 / 34), rules.usam(eta=1 / 34, rho=rho), **arguments)
        assert next(start for start, _, name in crossed.spans if name == "gd") == first


def test_risks_of_the_v2_table_cross_once_between_50_and_100():
    X = np.zeros((10, 3))
    np.fill_diagonal(X, np.sqrt(10 * np.array([2, 1, 0.25])))
    problem = LeastSquares(X, np.zeros(10))
    found = crossings(
        problem, rules.gd(eta=0.2), rules.usam(eta=0.2, rho=0.3), w_star=[1.0, -2.0, 3.0], noise_variance=0.5
    )
    assert found.real.size == 1
    assert 50 < found.real[0] < 100


# --- optimal stopping against brute force ---


def random_case(rng, dim=None):
    n, dim = rng.integers(1, 8), dim or rng.integers(1, 6)
    problem = LeastSquares(rng.standard_normal((n, dim)) * 10 ** rng.uniform(-0.7, 0.3, dim), np.zeros(n))
    arguments = {
        "w_star": rng.standard_normal(dim) * 10 ** rng.uniform(-1, 1, dim), "w0": rng.standard_normal(dim),
        "noise_variance": 10 ** rng.uniform(-3, 1.5),
    }  # fmt: skip
    return problem, problem.modes.curvature[0], arguments


def metric_of(rng, name, dim):
    C = rng.standard_normal((dim, dim))
    return C @ C.T if name == "covariance" else name


@pytest.mark.parametrize("metric", ["prediction", "parameter", "covariance"])
def test_best_step_against_all_whole_steps(metric):
    rng = np.random.default_rng([1, len(metric)])
    for _ in range(60):
        problem, top, arguments = random_case(rng)
        arguments["metric"] = metric_of(rng, metric, problem.dim)
        rho = 10 ** rng.uniform(-2, 1) / top
        method = rules.usam(eta=rng.uniform(0.1, 0.99) / (top * (1 + rho * top)), rho=rho)
        with within(5):
            found = optimal_stopping(problem, method, **arguments)
        risk = whole_risks(problem, method, arguments, 2000)
        step, least, bias2, variance, real, real_risk = numbers(
            found, "step", "risk", "bias2", "variance", "real_step", "real_risk"
        )
        scale = risk.max()
        assert least <= risk.min() + 1e-12 * scale
        assert least == pytest.approx(bias2 + variance, rel=1e-12)
        if step <= 2000:
            np.testing.assert_allclose(least, risk[int(step)], rtol=1e-12)
        if np.isinf(step):
            assert least == pytest.approx(float(found.limit_risk[0]), rel=1e-12)
        assert real_risk <= least + 1e-13 * scale
        np.testing.assert_allclose(found.start_risk[0], risk[0], rtol=1e-10)
        assert np.isinf(found.searched[0])
        if 0 < real < 1e7:  # stationary: whole steps away in a finer clock make it worse
            assert abs(real - step) < 1 or np.isinf(step) or least - real_risk <= abs(risk.max() - real_risk)


@pytest.mark.parametrize(
    ("method", "edge"), [("heavy_ball", 2 * 1.7), ("usam", 2.0), ("nesterov", 2 * 1.7 / 2.4), ("gd", 2.0)]
)
def test_best_whole_step_where_steps_are_not_real(method, edge):
    rng = np.random.default_rng(2)
    for case in range(20):
        problem, top, arguments = random_case(rng)
        arguments["metric"] = metric_of(rng, ("prediction", "parameter", "covariance")[case % 3], problem.dim)
        values = {"eta": rng.uniform(0.6, 0.97) * edge / top}
        if method in ("heavy_ball", "nesterov"):
            values["beta"] = 0.7
        if method == "usam":
            values = {"eta": values["eta"] / 1.5, "rho": 0.5 / top}
        bound = rules.CATALOGUE[method](**values)
        found = optimal_stopping(problem, bound, **arguments, max_steps=500)
        risk = whole_risks(problem, bound, arguments, 500)
        assert found.searched[0] == 500
        assert np.isnan(found.real_step[0])
        assert found.step[0] == np.argmin(risk)
        np.testing.assert_allclose(found.risk[0], risk.min(), rtol=1e-10)


def real_risk_exactly(curvature, eta, rho, B, S, k):
    with mp.workdps(40):
        total = mp.mpf(0)
        for h, b in zip(curvature, B, strict=True):
            q = 1 - mp.mpf(eta) * mp.mpf(float(h)) * (1 + mp.mpf(rho) * mp.mpf(float(h)))
            z = q ** mp.mpf(k)
            total += z * z * mp.mpf(float(b)) + (1 - z) ** 2 * mp.mpf(S)
        return total


@given(seeds, st.floats(0.05, 0.98))
def test_real_step_is_stationary(seed, share):
    rng = np.random.default_rng(seed)
    lam, B, S = 10 ** rng.uniform(-3, 0, 3), 10 ** rng.uniform(-2, 2, 3), 10 ** rng.uniform(-2, 1)
    rho = rng.uniform(0, 3)
    eta = share / (lam.max() * (1 + rho * lam.max()))
    with within(5):
        found = optimal_stopping(diagonal(lam), rules.usam(eta=eta, rho=rho), **truth(lam, B, S))
    k = float(found.real_step[0])
    if k == 0 or np.isinf(k):
        return
    here, before, after = (real_risk_exactly(lam, eta, rho, B, S, k * f) for f in (1, 1 - 1e-5, 1 + 1e-5))
    assert here < before
    assert here < after
    np.testing.assert_allclose(found.real_risk[0], float(here), rtol=1e-11)


@given(st.floats(0.01, 0.99), st.floats(1e-6, 1e6))
def test_one_mode_is_the_closed_form(share, snr):
    found = optimal_stopping(ONE, rules.gd(eta=share), **truth([1.0], [snr], 1.0))
    best, least = numbers(found, "real_step", "real_risk")
    exact = float(mp.log1p(mp.mpf(snr)) / -mp.log1p(-mp.mpf(share)))
    np.testing.assert_allclose(best, exact, rtol=1e-9)
    np.testing.assert_allclose(least, snr / (1 + snr), rtol=1e-12)


def test_no_noise_is_never_stopped():
    for curvature in ([1.0], [1.0, 1.0], [1.0, 0.1, 1e-6]):
        ones = np.ones(len(curvature))
        for metric in ("prediction", "parameter", np.diag(ones)):
            found = optimal_stopping(
                diagonal(curvature), rules.usam(eta=0.3, rho=0.5), w_star=ones, noise_variance=0.0, metric=metric
            )
            assert found.step[0] == found.real_step[0] == np.inf
            assert found.risk[0] == found.real_risk[0] == found.bias2[0] == found.variance[0] == 0


def test_pure_noise_is_not_started():
    for curvature in ([1.0], [1.0, 1.0], [1.0, 0.1, 1e-6]):
        ones = np.ones(len(curvature))
        for metric in ("prediction", "parameter"):
            with within(3):
                found = optimal_stopping(
                    diagonal(curvature), rules.gd(eta=0.3), w_star=ones, w0=ones, noise_variance=1.0, metric=metric
                )
            assert found.step[0] == found.real_step[0] == found.risk[0] == found.real_risk[0] == 0


def test_nothing_to_learn_and_no_noise():
    found = optimal_stopping(diagonal([1.0, 0.5]), rules.gd(eta=0.3), w_star=[0.0, 0.0], noise_variance=0.0)
    assert found.risk[0] == found.limit_risk[0] == found.start_risk[0] == 0


def test_the_null_space_does_not_move_the_optimum():
    X = np.array([[1.0, 0.0, 0.0], [0.0, 0.3, 0.0]])
    wide, narrow = LeastSquares(X, [0.0, 0.0]), LeastSquares(X[:, :2], [0.0, 0.0])
    method = rules.gd(eta=0.3)
    one = optimal_stopping(wide, method, w_star=[1.0, 2.0, 5.0], noise_variance=0.7, metric="parameter")
    two = optimal_stopping(narrow, method, w_star=[1.0, 2.0], noise_variance=0.7, metric="parameter")
    np.testing.assert_allclose(one.real_step, two.real_step, rtol=1e-12)
    for name in ("risk", "real_risk", "bias2", "start_risk", "limit_risk"):
        np.testing.assert_allclose(one[name], two[name] + 25, rtol=1e-12)


@pytest.mark.parametrize("w_star", [(2.0, 0.0), (0.0, 2.0), (1.0, 1.0), (2.0, 2.0), (10.0, 1.0), (0.1, 0.1)])
@pytest.mark.parametrize("method", [rules.gd(eta=1.0), rules.usam(eta=0.5, rho=1.0)], ids=repr)
def test_a_mode_that_is_learned_in_one_step(w_star, method):
    """With q = 0 on a mode the risk jumps after step 0: step 1 is a candidate of its own."""
    problem, arguments = diagonal([1.0, 0.5]), {"w_star": w_star, "noise_variance": 1.0}
    found = optimal_stopping(problem, method, **arguments)
    risk = whole_risks(problem, method, arguments, 500)
    assert found.step[0] == np.argmin(risk)
    np.testing.assert_allclose(found.risk[0], risk.min(), rtol=1e-12)


@pytest.mark.parametrize("flat", [1e-6, 1e-12, 1e-16, 1e-18, 1e-20, 1e-25])
def test_an_optimum_that_is_far_away(flat):
    """One mode learned at once, one of curvature `flat` with SNR e - 1: k* = 1 / (eta flat)."""
    curvature = [1.0, flat]
    found = optimal_stopping(diagonal(curvature), rules.gd(eta=0.5), **truth(curvature, [1e6, np.e - 1], 1.0))
    np.testing.assert_allclose(found.real_step[0], 2 / flat, rtol=1e-5)
    np.testing.assert_allclose(found.step[0], 2 / flat, rtol=1e-5)
    np.testing.assert_allclose(found.risk[0], 1 + (np.e - 1) / np.e, rtol=1e-9)


def test_isotropic_problem_in_a_metric_that_sees_nothing():
    """Sigma = (1, -1)(1, -1)^T, and an error along (1, 1): zero bias at every step."""
    problem = LeastSquares(np.eye(2), np.zeros(2), normalize=False)
    sigma = [[1.0, -1.0], [-1.0, 1.0]]
    with within(3):
        still = optimal_stopping(problem, rules.gd(eta=0.5), w_star=[1.0, 1.0], noise_variance=0.0, metric=sigma)
        noisy = optimal_stopping(problem, rules.gd(eta=0.5), w_star=[1.0, 1.0], noise_variance=1.0, metric=sigma)
    assert still.risk[0] == 0
    assert noisy.step[0] == 0
    assert noisy.limit_risk[0] == pytest.approx(2.0)


def test_kernel_regression_stops_where_least_squares_does():
    rng = np.random.default_rng(3)
    X, w_star = rng.standard_normal((8, 3)), rng.standard_normal(3)
    arguments = {"f_star": X @ w_star, "noise_variance": 2.0}
    for method in (rules.gd(eta=0.1), rules.heavy_ball(eta=0.1, beta=0.5)):
        line, kernel = (
            optimal_stopping(p, method, max_steps=500, **arguments)
            for p in (LeastSquares(X, np.zeros(8)), KernelRegression(X @ X.T, np.zeros(8)))
        )
        for name in ("step", "risk", "real_step"):
            np.testing.assert_allclose(kernel[name], line[name], rtol=1e-8)


# --- crossings against brute force ---


def spans_cover(found, unit, last):
    """Leader at every k = unit, 2 unit, ..., last by the spans."""
    leader = {}
    for first, stop, name in found.spans:
        for k in range(first, int(min(stop, last)) + 1, unit):
            assert k not in leader
            leader[k] = name
    return leader


def assert_leads(found, names, risks, unit=1):
    """Compare the spans with the risks at k = unit, 2 unit, ... of both methods."""
    one, two = risks
    leader = spans_cover(found, unit, unit * one.size)
    for p, (x, y) in enumerate(zip(one, two, strict=True)):
        k = unit * (p + 1)
        if abs(x - y) > 1e-9 * max(x, y) and k <= found.searched:
            assert leader[k] == names[int(x > y)], f"k = {k}"


@pytest.mark.parametrize("metric", ["prediction", "parameter", "covariance"])
@pytest.mark.parametrize("same_eta", [True, False])
def test_crossings_against_all_whole_steps(metric, same_eta):
    rng = np.random.default_rng([3, len(metric), same_eta])
    for _ in range(30):
        problem, top, arguments = random_case(rng)
        arguments["metric"] = metric_of(rng, metric, problem.dim)
        rho = 10 ** rng.uniform(-2, 1) / top
        eta = rng.uniform(0.05, 0.99) / (top * (1 + rho * top))
        a, b = rules.gd(eta=eta if same_eta else rng.uniform(0.05, 0.99) / top), rules.usam(eta=eta, rho=rho)
        with within(5):
            found = crossings(problem, a, b, **arguments)
        assert found.real.size <= found.bound
        assert (np.diff(found.real) > 0).all()
        if metric != "covariance" and same_eta:
            assert found.real.size % 2 == 1
            assert found.spans[-1][2] == "gd"
        assert_leads(found, ("gd", "usam"), [whole_risks(problem, m, arguments, 2000)[1:] for m in (a, b)])


@pytest.mark.parametrize(
    "pair",
    [
        (rules.gd(eta=1.5), rules.usam(eta=0.5, rho=0.5)),
        (rules.heavy_ball(eta=0.3, beta=0.8), rules.gd(eta=0.3)),
        (rules.gd(eta=0.9), rules.usam(eta=0.9, rho=1.0)),
        (rules.nesterov(eta=0.3, beta=0.5), rules.usam_heavy_ball(eta=0.3, beta=0.5, rho=0.4)),
    ],
    ids=lambda p: " ".join(map(repr, p)),
)
def test_crossings_where_steps_are_not_real(pair):
    rng = np.random.default_rng(4)
    for _ in range(10):
        lam = np.r_[1.0, 10 ** rng.uniform(-2, 0, 2)]
        problem, arguments = diagonal(lam), truth(lam, 10 ** rng.uniform(-1, 2, 3), 1.0)
        found = crossings(problem, *pair, **arguments, max_steps=300)
        assert found.real is None
        assert found.bound is None
        assert found.searched <= 300
        risks = [whole_risks(problem, m, arguments, 300)[1:] for m in pair]
        assert_leads(found, tuple(m.rule.name for m in pair), risks)


@pytest.mark.parametrize(("a", "b"), [("gd", "usam"), ("usam", "gd"), ("gd", "runge_kutta_2"), ("extragradient", "gd")])
def test_equal_gradients_against_a_direct_comparison(a, b):
    cost = {"gd": 1, "usam": 2, "runge_kutta_2": 2, "extragradient": 2}
    rng = np.random.default_rng(5)
    for _ in range(15):
        lam = np.r_[1.0, 10 ** rng.uniform(-2, 0, 2)]
        problem, arguments = diagonal(lam), truth(lam, 10 ** rng.uniform(-1, 2, 3), 1.0)
        methods = [
            rules.usam(eta=0.3, rho=rng.uniform(0, 2)) if n == "usam" else rules.CATALOGUE[n](eta=rng.uniform(0.1, 0.9))
            for n in (a, b)
        ]
        found = crossings(problem, *methods, **arguments, budget="gradients")
        assert found.budget == "gradients"
        risks = [
            whole_risks(problem, m, arguments, 2000)[2 // cost[n] :: 2 // cost[n]][:900]
            for n, m in zip((a, b), methods, strict=True)
        ]
        assert_leads(found, (a, b), risks, unit=2)
        assert all(first % 2 == 0 for first, _, _ in found.spans)
        steps = crossings(problem, *methods, **arguments, budget="steps")
        assert steps.budget == "steps"


def test_equal_gradients_with_momentum():
    problem, arguments = diagonal([1.0, 0.1]), truth([1.0, 0.1], [5.0, 3.0], 1.0)
    pair = rules.heavy_ball(eta=0.1, beta=0.5), rules.usam(eta=0.1, rho=1.0)
    found = crossings(problem, *pair, **arguments, budget="gradients", max_steps=401)
    assert found.real is None
    risks = [whole_risks(problem, pair[0], arguments, 400)[2::2], whole_risks(problem, pair[1], arguments, 200)[1:]]
    assert_leads(found, ("heavy_ball", "usam"), risks, unit=2)


@pytest.mark.parametrize(
    ("eta", "rho", "leader"),
    [
        (0.1, 0.85, "gd"), (0.1, 0.95, "usam"), (0.3, 0.6, "gd"), (0.3, 0.75, "usam"), (0.01, 0.98, "gd"),
        (0.01, 1.0, "usam"),
    ],
)  # fmt: skip
def test_bias_at_equal_gradients_flips_where_eta_plus_rho_is_one_over_h(eta, rho, leader):
    found = crossings(
        ONE, rules.gd(eta=eta), rules.usam(eta=eta, rho=rho), w_star=[1.0], noise_variance=1e-300, budget="gradients"
    )
    assert found.spans[0] == (2, found.spans[0][1], leader)
    assert found.spans[0][1] > 100


@pytest.mark.parametrize("noise_variance", [0.0, 1e-12])
@pytest.mark.parametrize("curvature", [[1.0], [1.0, 1.0], [1.0, 0.5], [1.0, 0.3, 0.01]], ids=str)
def test_without_noise_usam_leads_throughout(curvature, noise_variance):
    ones = np.ones(len(curvature))
    with within(3):
        found = crossings(
            diagonal(curvature), rules.gd(eta=0.3), rules.usam(eta=0.3, rho=0.5), w_star=ones,
            noise_variance=noise_variance,
        )  # fmt: skip
    assert found.spans[0][::2] == (1, "usam")
    if noise_variance == 0:
        assert found.spans == ((1, np.inf, "usam"),)
        assert found.real.size == 0


@pytest.mark.parametrize("curvature", [[1.0], [1.0, 1.0], [1.0, 0.5], [1.0, 0.3, 0.01]], ids=str)
def test_pure_noise_is_learned_slower_by_gd(curvature):
    ones = np.ones(len(curvature))
    with within(3):
        found = crossings(
            diagonal(curvature), rules.gd(eta=0.3), rules.usam(eta=0.3, rho=0.5), w_star=ones, w0=ones,
            noise_variance=1.0,
        )  # fmt: skip
    assert found.spans == ((1, np.inf, "gd"),)
    assert found.real.size == 0


@pytest.mark.parametrize("snr", [1e-2, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-14])
def test_little_signal(snr):
    """One mode crosses where q_S^k + q_G^k = 2 / (1 + SNR), about 2 SNR / (rate_S + rate_G)."""
    with within(3):
        found = crossings(diagonal([1.0]), rules.gd(eta=0.3), rules.usam(eta=0.3, rho=0.5), **truth([1.0], [snr], 1.0))
    with mp.workdps(40):
        q, p, r = 1 - mp.mpf(0.3), 1 - mp.mpf(0.3) * mp.mpf(1.5), mp.mpf(snr)
        exact = mp.findroot(lambda k: q**k + p**k - 2 / (1 + r), 2 * r / -(mp.log(q) + mp.log(p)))
    assert found.spans == ((1, np.inf, "gd"),)
    if snr >= 1e-12:  # a crossing at 1e-14 steps may be lost
        np.testing.assert_allclose(found.real, [float(exact)], rtol=1e-3)


@pytest.mark.parametrize("off", [0.0, 1e-14, -1e-14, 1e-12, 1e-10, -1e-10, 1e-8, 1e-4])
def test_two_methods_that_start_with_the_same_slope(off):
    """Gd is faster on one mode, usam on the other, with signals tuned so that the risks part at second order."""
    curvature = np.array([1.0, 0.25])
    problem, a, b = diagonal(curvature), rules.gd(eta=0.5), rules.usam(eta=0.4, rho=0.5)
    gaps = np.log1p(-0.5 * curvature) - np.log1p(-0.4 * curvature * (1 + 0.5 * curvature))
    B = [1.0 + off, -gaps[0] / gaps[1]]
    with within(3):
        found = crossings(problem, a, b, **truth(curvature, B, 0.05))
    arguments = truth(curvature, B, 0.05)
    assert_leads(found, ("gd", "usam"), [whole_risks(problem, m, arguments, 500)[1:] for m in (a, b)])


@pytest.mark.parametrize("rho", [1e-2, 1e-4, 1e-6, 1e-8])
def test_tiny_ascent(rho):
    """As rho -> 0 the crossing tends to the root of the small-rho law, k* of gd on one mode."""
    found = crossings(ONE, rules.gd(eta=0.1), rules.usam(eta=0.1, rho=rho), **V3)
    with mp.workdps(40):
        q, p = 1 - mp.mpf(0.1), 1 - mp.mpf(0.1) * (1 + mp.mpf(rho))
        exact = float(mp.findroot(lambda k: q**k + p**k - mp.mpf(2) / 5, 15.2))
    np.testing.assert_allclose(found.real, [exact], rtol=1e-12 + 1e-16 / rho)


@given(seeds, st.floats(0.05, 0.99), st.floats(0.01, 10))
def test_one_mode_crosses_once_between_the_best_steps(seed, share, rho):
    snr = 10 ** np.random.default_rng(seed).uniform(-2, 3)
    eta = share / (1 + rho)
    arguments = truth([1.0], [snr], 1.0)
    a, b = rules.gd(eta=eta), rules.usam(eta=eta, rho=rho)
    found = crossings(ONE, a, b, **arguments)
    assert found.bound == found.real.size == 1
    early, late = (float(optimal_stopping(ONE, m, **arguments).real_step[0]) for m in (b, a))
    assert early * (1 - 1e-12) < found.real[0] < late * (1 + 1e-12)


@given(seeds, st.integers(2, 6))
def test_number_of_crossings_is_odd_and_bounded(seed, modes):
    rng = np.random.default_rng(seed)
    lam = 10 ** rng.uniform(-4, 0, modes)
    rho = 10 ** rng.uniform(-2, 2)
    eta = rng.uniform(0.05, 0.99) / (lam.max() * (1 + rho * lam.max()))
    arguments = truth(lam, 10 ** rng.uniform(-2, 3, modes), 1.0)
    with within(3):
        found = crossings(diagonal(lam), rules.gd(eta=eta), rules.usam(eta=eta, rho=rho), **arguments)
    assert found.real.size % 2 == 1
    assert found.real.size <= found.bound
    assert found.bound % 2 == 1
    rates = [-np.log1p(-eta * lam), -np.log1p(-eta * lam * (1 + rho * lam))]
    snr = arguments["w_star"] ** 2 * lam / modes
    assert found.real[0] >= np.min(np.log1p(snr) / rates[1]) * (1 - 1e-9)
    assert found.real[-1] <= np.max(np.log1p(snr) / rates[0]) * (1 + 1e-9)


def test_equal_methods_are_equal_throughout():
    for pair in [
        (rules.gd(eta=0.3), rules.usam(eta=0.3, rho=0.0)),
        (rules.gd(eta=0.3), rules.gd(eta=0.3)),
        (rules.gd(eta=1.3), rules.usam(eta=1.3, rho=0.0)),
    ]:
        found = crossings(diagonal([1.0, 0.2]), *pair, w_star=[1.0, 2.0], noise_variance=1.0)
        assert found.spans[0][::2] == (1, "")
        assert len(found.spans) == 1
        assert found.integer == []
        assert "equal" in repr(found)
        if found.real is not None:
            assert found.real.size == found.bound == 0


def test_two_runs_of_one_rule_are_told_apart():
    found = crossings(ONE, rules.gd(eta=0.1), rules.gd(eta=0.2), **V3)
    assert found.names == ("gd[eta=0.1]", "gd[eta=0.2]")
    assert {name for _, _, name in found.spans} == set(found.names)


@pytest.mark.parametrize(("B", "S"), [(5.0, 3.0), (5.0 / 3, 1.0), (10.0, 6.0)])
def test_a_crossing_at_a_whole_step_is_in_the_spans(B, S):
    """Q = 1/2 and 1/4, SNR = 5/3: the risks are equal at k = 1, so the spans start there."""
    found = crossings(ONE, rules.gd(eta=0.5), rules.usam(eta=0.5, rho=0.5), **truth([1.0], [B], S))
    np.testing.assert_allclose(found.real, [1.0], rtol=1e-12)
    assert found.spans[0][0] == 1  # its leader is in rounding
    assert found.spans[-1][1:] == (np.inf, "gd")


def test_spans_leave_no_step_out():
    rng = np.random.default_rng(6)
    for _ in range(50):
        lam = 10 ** rng.uniform(-3, 0, 4)
        rho = 10 ** rng.uniform(-1, 2)
        eta = 0.9 / (lam.max() * (1 + rho * lam.max()))
        found = crossings(
            diagonal(lam), rules.gd(eta=eta), rules.usam(eta=eta, rho=rho), **truth(lam, rng.uniform(0, 9, 4), 1.0)
        )
        assert found.spans[0][0] == 1
        assert found.spans[-1][1] == np.inf
        for (_, last, name), (first, _, other) in zip(found.spans, found.spans[1:], strict=False):
            assert first == last + 1
            assert name != other


def test_crossings_in_a_metric_that_sees_nothing():
    problem = LeastSquares(np.eye(2), np.zeros(2), normalize=False)
    pair, sigma = (rules.gd(eta=0.5), rules.usam(eta=0.5, rho=0.5)), [[1.0, -1.0], [-1.0, 1.0]]
    with within(3):
        still = crossings(problem, *pair, w_star=[1.0, 1.0], noise_variance=0.0, metric=sigma)
        noisy = crossings(problem, *pair, w_star=[1.0, 1.0], noise_variance=1.0, metric=sigma)
    assert still.real.size == noisy.real.size == 0
    assert noisy.spans == ((1, np.inf, "gd"),)


def test_features_of_rank_zero_have_no_crossings_and_no_optimum():
    problem = LeastSquares(np.zeros((3, 2)), np.ones(3))
    arguments = {"w_star": [1.0, 2.0], "noise_variance": 1.0, "metric": "parameter"}
    found = crossings(problem, rules.gd(eta=0.5), rules.usam(eta=0.5, rho=0.1), **arguments)
    assert found.spans == ((1, np.inf, ""),)
    assert found.bound == 0
    best = optimal_stopping(problem, rules.gd(eta=0.5), **arguments)
    np.testing.assert_allclose(numbers(best, "risk", "start_risk", "limit_risk"), 5)


def test_a_search_shorter_than_a_round_of_gradients():
    found = crossings(
        diagonal([1.0]), rules.gd(eta=1.5), rules.usam(eta=0.5, rho=0.5), **V3, budget="gradients", max_steps=1
    )
    assert found.spans == ()


# --- bad input ---


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"noise_variance": -1.0}, ValueError, "noise_variance"),
        ({"w_star": [1.0, 2.0]}, ValueError, "w_star"),
        ({"w_star": None}, ValueError, "w_star"),
        ({"f_star": [1.0]}, ValueError, "f_star"),
        ({"w0": [1.0, 1.0]}, ValueError, "w0"),
        ({"metric": "risk"}, ValueError, "metric"),
        ({"max_steps": 0}, ValueError, "max_steps"),
        ({"max_steps": 10.0}, TypeError, "max_steps"),
    ],
)
def test_bad_input_is_named(changes, error, message):
    good = {"w_star": [1.0], "noise_variance": 1.0}
    with pytest.raises(error, match=message):
        optimal_stopping(ONE, rules.gd(eta=0.1), **good | changes)
    with pytest.raises(error, match=message):
        crossings(ONE, rules.gd(eta=0.1), rules.gd(eta=0.2), **good | changes)


@pytest.mark.parametrize(
    ("pair", "changes", "error", "message"),
    [
        ((rules.gd(eta=[0.1, 0.2]), rules.gd(eta=0.1)), {}, ValueError, "method_a must be a single run, got 2"),
        ((rules.gd(eta=0.1), rules.gd(eta=[0.1, 0.2])), {}, ValueError, "method_b must be a single run, got 2"),
        ((rules.gd(eta=0.1), rules.gd(eta=2.5)), {}, ValueError, "unstable on mode 0.*largest stable eta is 2"),
        ((rules.gd(eta=0.1), rules.sam(eta=0.1, rho=0.1)), {}, ValueError, "sam has no closed form"),
        ((rules.gd(eta=0.1), "usam"), {}, TypeError, "method"),
        ((rules.gd(eta=0.1), rules.gd(eta=0.2)), {"budget": "gradient"}, ValueError, "budget"),
        ((rules.gd(eta=0.1), rules.gd(eta=0.2)), {"budget": 2}, TypeError, "budget"),
    ],
)
def test_bad_methods_and_budgets_are_named(pair, changes, error, message):
    with pytest.raises(error, match=message):
        crossings(ONE, *pair, **V3 | changes)


def test_bad_method_and_problem_of_stopping_are_named():
    with pytest.raises(ValueError, match="largest stable eta"):
        optimal_stopping(ONE, rules.gd(eta=2.5), **V3)
    with pytest.raises(TypeError, match="method"):
        optimal_stopping(ONE, "gd", **V3)
    with pytest.raises(TypeError, match="problem"):
        optimal_stopping(eossim.Quadratic([1.0]), rules.gd(eta=0.1), **V3)
