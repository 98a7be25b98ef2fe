import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from eossim.curvature.directional import directional_smoothness
from eossim.engine.adaptive import CONSTANTS, STEPS, adaptive_descent
from eossim.engine.first_root import first_root
from eossim.problems import LeastSquares, MatrixFactorization, Quadratic
from tests.curvature.losses import LOG_COSH, LOGISTIC, ONE_MINUS_COSINE, QUARTIC, ridge_sum, scalar, without_hvp
from tests.strategies import seeds


def one(method, problem, w):
    """The step size at one point."""
    w = np.atleast_2d(np.asarray(w, dtype=float))
    return float(method.step_size(problem, w, problem.grad(w))[0])


def steps_along(method, problem, w, count):
    """The step sizes of a run."""
    w, found = np.atleast_2d(np.asarray(w, dtype=float)), []
    for _ in range(count):
        g = problem.grad(w)
        eta = method.step_size(problem, w, g)
        w = w - eta[:, None] * g
        found.append(float(eta[0]))
    return np.array(found)


@pytest.mark.parametrize(
    ("step", "spectrum", "limit", "count"),
    [
        ("dai_yang", [10.0, 4.0, 1.0], 2 / 11, 300),
        ("half_dai_yang", [10.0, 4.0, 1.0], 2 / 11, 1200),
        ("strongly_adapted", [10.0, 4.0, 1.0], 2 / 11, 1200),
        ("dai_yang", [2.0, 1.5, 1.0], 2 / 3, 500),
        ("half_dai_yang", [2.0, 1.5, 1.0], 0.5, 300),
        ("strongly_adapted", [2.0, 1.5, 1.0], 0.5, 300),
    ],
)
def test_limits_on_quadratics(step, spectrum, limit, count):  # R8, R9
    found = steps_along(adaptive_descent(step), Quadratic(spectrum), np.ones(3), count)
    assert found[-1] == pytest.approx(limit, rel=1e-9)


def test_cauchy_steps_alternate():  # R8
    found = steps_along(adaptive_descent("cauchy"), Quadratic([10.0, 4.0, 1.0]), np.ones(3), 400)
    np.testing.assert_allclose(found[-4:-2], found[-2:], rtol=1e-9)
    assert (1 / found[-2:]).sum() == pytest.approx(11, rel=1e-9)


@pytest.mark.parametrize("curvature", [1e-6, 1.0, 7.0, 1e6])
@pytest.mark.parametrize(("constant", "root"), [("corrected", 0.5), ("code", 1), ("printed", np.sqrt(2)), ("text", 2)])
def test_strongly_adapted_on_a_parabola(constant, root, curvature):  # R11
    method = adaptive_descent("strongly_adapted", constant=constant)
    assert one(method, Quadratic([curvature]), [3.0]) * curvature == pytest.approx(root, rel=1e-12)


def test_strongly_adapted_on_the_logistic_loss():  # R12
    pointwise = one(adaptive_descent("strongly_adapted"), LOGISTIC, [0.0])
    assert pointwise == pytest.approx(2.19722457733622, rel=1e-12)
    assert pointwise == pytest.approx(np.log(9), rel=1e-12)
    signed = adaptive_descent("strongly_adapted_signed")
    for problem in (LOGISTIC, without_hvp(LOGISTIC)):
        assert one(signed, problem, [0.0]) == pytest.approx(4.87502290748805, rel=1e-9)
    # the Armijo equality, solved by scipy
    armijo = brentq(lambda eta: float(LOGISTIC.loss([eta / 2])) - np.log(2) + eta / 8, 1, 10, xtol=1e-14)
    assert one(signed, LOGISTIC, [0.0]) == pytest.approx(armijo, rel=1e-9)


@given(seeds, st.integers(1, 4), st.booleans())
def test_strongly_adapted_steps_solve_their_equations(seed, dim, convex):
    problem = ridge_sum(seed, dim, convex=convex)
    w = np.random.default_rng(seed).standard_normal(dim)
    g = problem.grad(w)
    for constant, ratio in CONSTANTS.items():
        eta = one(adaptive_descent("strongly_adapted", constant=constant), problem, w)
        if eta > 2**25:  # there may be no root: gradients are bounded here
            continue
        steps = eta * np.linspace(0.01, 1, 100)[:, None]
        change = np.linalg.norm(problem.grad(w - steps * g) - g, axis=-1) / np.linalg.norm(g)
        assert change[-1] == pytest.approx(ratio, rel=1e-9, abs=1e-14 * eta)  # w - eta g rounds
        # the smallest root, as far as the geometric grid can tell
        assert change[:50].max() <= ratio * (1 + 1e-9) or not convex
        if constant == "corrected":
            assert 1 / eta == pytest.approx(directional_smoothness(problem, w, w - eta * g, kind="pointwise"), rel=1e-8)
    eta = one(adaptive_descent("strongly_adapted_signed"), problem, w)
    if eta < 2**25:
        fall = float(problem.loss(w) - problem.loss(w - eta * g))
        assert fall == pytest.approx(0.5 * eta * (g @ g), rel=1e-7, abs=1e-12)


def test_the_smallest_root_is_taken():
    # 1 - cos x from x = 2.5: g = sin 2.5, and the gradient comes back to every value once per period.
    g = np.sin(2.5)
    eta = one(adaptive_descent("strongly_adapted"), ONE_MINUS_COSINE, [2.5])
    grid = np.linspace(0, 20, 200001)[1:]
    change = np.abs(np.sin(2.5 - grid * g) - g) - 0.5 * g
    first = grid[np.flatnonzero(change >= 0)[0]]
    assert eta == pytest.approx(first, abs=2e-4)


def test_without_a_root_the_step_is_huge_and_finite():
    slope = scalar(lambda x: 2 * x, lambda x: 2 + 0 * x, lambda x: 0 * x)
    for step in ("strongly_adapted", "strongly_adapted_signed"):
        assert one(adaptive_descent(step), slope, [0.0]) == 2.0**40 / 2  # from a step of length 1
    assert one(adaptive_descent("strongly_adapted", constant="text"), LOGISTIC, [0.0]) > 2.0**30
    assert one(adaptive_descent("cauchy"), slope, [0.0]) == np.inf


def test_cauchy_is_exact_line_search():
    rng = np.random.default_rng(1)
    problem = Quadratic.from_spectrum([1.0, 3.0, 9.0], seed=2, minimizer=rng.standard_normal(3))
    w = rng.standard_normal(3)
    g = problem.grad(w)
    eta = one(adaptive_descent("cauchy"), problem, w)
    assert abs(problem.grad(w - eta * g) @ g) <= 1e-13 * (g @ g)
    # and on a concave parabola there is nothing to find
    assert one(adaptive_descent("cauchy"), Quadratic([-1.0]), [1.0]) == np.inf


def test_closed_forms():
    problem = MatrixFactorization(np.diag([2.0, 1.0]), 2)
    w = np.random.default_rng(0).standard_normal((4, problem.dim))
    g = problem.grad(w)
    Hg, size = problem.hvp(w, g), np.linalg.norm(g, axis=-1)
    expected = {
        "dai_yang": size / np.linalg.norm(Hg, axis=-1),
        "half_dai_yang": size / (2 * np.linalg.norm(Hg, axis=-1)),
        "polyak": problem.loss(w) / size**2,
    }
    for step, eta in expected.items():
        np.testing.assert_allclose(adaptive_descent(step).step_size(problem, w, g), eta, rtol=1e-12)
    method = adaptive_descent("normalized", eta=[0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(method.step_size(problem, w, g) * size, [0.1, 0.2, 0.3, 0.4], rtol=1e-14)
    method = adaptive_descent("polyak", gamma=1.5, f_star=0.25)
    gap = problem.loss(w) - 0.25
    np.testing.assert_allclose(method.step_size(problem, w, g), 1.5 * np.maximum(gap, 0) / size**2, rtol=1e-12)


@pytest.mark.parametrize("dim", [1, 3])
def test_polyak_with_gamma_two_reaches_the_minimum_of_a_parabola(dim):
    problem = Quadratic(np.ones(dim))
    w = np.ones((1, dim))
    eta = adaptive_descent("polyak", gamma=2.0).step_size(problem, w, problem.grad(w))
    np.testing.assert_allclose(w - eta[:, None] * problem.grad(w), 0, atol=1e-15)


def test_polyak_does_not_climb_where_rounding_puts_the_loss_below_its_minimum():
    problem = LeastSquares(np.array([[1.0], [1.0]]), [0.0, 1.0])
    w = problem.minimizer + 1e-9
    method = adaptive_descent("polyak", f_star=float(problem.offset) * (1 + 1e-15))
    assert one(method, problem, w) == 0


EVERY = [adaptive_descent(step, **({"eta": 0.1} if step == "normalized" else {})) for step in STEPS]


@pytest.mark.parametrize("method", EVERY, ids=repr)
def test_a_batch_equals_its_rows(method):
    problem = MatrixFactorization(np.diag([2.0, 1.0]), 2)
    w = np.random.default_rng(3).standard_normal((5, problem.dim)) * np.array([[1e-3], [0.1], [1], [3], [10]])
    g = problem.grad(w)
    rows = [method.step_size(problem, w[i : i + 1], g[i : i + 1])[0] for i in range(5)]
    np.testing.assert_allclose(method.step_size(problem, w, g), rows, rtol=1e-9)


@pytest.mark.parametrize("method", EVERY, ids=repr)
def test_arrived_and_diverged_runs(method):
    w = np.array([[0.0], [1.0], [np.nan], [np.inf], [1e200]])
    eta = method.step_size(QUARTIC, w, QUARTIC.grad(w))
    assert eta[0] == 0  # the gradient is zero: stay
    assert 0 < eta[1] < np.inf
    assert np.isnan(eta[2:]).all()


@pytest.mark.parametrize("step", ["cauchy", "dai_yang", "half_dai_yang", "strongly_adapted", "strongly_adapted_signed"])
def test_steps_do_not_depend_on_how_close_the_minimum_is(step):
    problem, method = Quadratic([3.0, 1.0]), adaptive_descent(step)
    far = one(method, problem, [1.0, 1.0])
    for scale in (1e-8, 1e-150, 1e-200, 1e-300):
        assert one(method, problem, [scale, scale]) == pytest.approx(far, rel=1e-9)


@pytest.mark.parametrize("step", ["strongly_adapted", "strongly_adapted_signed"])
@given(scale=st.floats(1e-12, 1e12), x=st.floats(-3, 3).filter(lambda x: abs(x) > 0.1))
def test_steps_scale_with_the_inverse_of_the_loss(step, scale, x):
    scaled = scalar(
        lambda w: scale * LOG_COSH.loss(w)[..., None],
        lambda w: scale * LOG_COSH.grad(w),
        lambda w: scale / np.cosh(w) ** 2,
    )
    method = adaptive_descent(step)
    assert one(method, scaled, [x]) * scale == pytest.approx(one(method, LOG_COSH, [x]), rel=1e-7)


def test_first_root_is_found_in_few_evaluations():
    calls = []

    def ratio(eta):
        calls.append(1)
        return eta**3

    target = np.array([1e-9, 1.0, 8.0, 1e9])
    np.testing.assert_allclose(first_root(ratio, target, np.ones(4)), np.cbrt(target), rtol=1e-14)
    assert len(calls) < 60


@pytest.mark.parametrize(
    ("ratio", "root"),
    [
        (lambda e: np.where(e < 0.3, e, np.inf), 0.3),  # overflow counts as beyond
        (lambda e: np.where(e < 0.3, e, np.nan), 0.3),
        (lambda e: np.where(e < 5, 0.2 * e, 7.0), 5.0),  # a jump over the target
        (lambda e: 0.4 * e**40, 2.5 ** (1 / 40)),  # steep
        (np.tan, np.pi / 4),
    ],
)
def test_first_root_of_awkward_functions(ratio, root):
    with np.errstate(all="ignore"):
        assert first_root(ratio, np.ones(1), np.ones(1))[0] == pytest.approx(root, rel=1e-12)


@pytest.mark.parametrize("start", [0.5, 2.5, 3.0, 2 * np.pi + 0.7])
def test_first_root_from_a_start_beyond_it(start):
    """1.2 |sin| comes back below the target behind its first root, where the search may begin."""
    root = first_root(lambda e: 1.2 * np.abs(np.sin(e)), np.ones(1), np.array([start]))[0]
    assert root == pytest.approx(np.arcsin(1 / 1.2), rel=1e-12)


def test_a_method_is_data():
    method = adaptive_descent("polyak", gamma=[1.0, 1.5])
    assert method.runs == 2
    assert method.name == "polyak"
    assert method.values["gamma"].tolist() == [1.0, 1.5]
    assert repr(method) == "polyak[gamma=1..1.5, f_star=0]"
    assert repr(adaptive_descent("strongly_adapted", constant="code")) == "strongly_adapted[constant=code]"
    assert adaptive_descent("cauchy").runs == 1
    with pytest.raises(AttributeError):
        method.name = "other"


def test_bad_input():
    with pytest.raises(ValueError, match='unknown adaptive step size "polyack"; did you mean "polyak"'):
        adaptive_descent("polyack")
    with pytest.raises(TypeError, match="step must be one of 'cauchy'"):
        adaptive_descent(3)
    with pytest.raises(ValueError, match='unknown option of the step size cauchy "eta"; known: none'):
        adaptive_descent("cauchy", eta=0.1)
    with pytest.raises(ValueError, match='unknown option of the step size polyak "fstar"; did you mean "f_star"'):
        adaptive_descent("polyak", fstar=1.0)
    with pytest.raises(ValueError, match="normalized needs eta"):
        adaptive_descent("normalized")
    with pytest.raises(ValueError, match="eta"):
        adaptive_descent("normalized", eta=-0.1)
    with pytest.raises(ValueError, match="gamma"):
        adaptive_descent("polyak", gamma=np.inf)
    with pytest.raises(ValueError, match="gamma must be 0-D or 1-D"):
        adaptive_descent("polyak", gamma=np.ones((2, 2)))
    with pytest.raises(ValueError, match="different numbers of runs"):
        adaptive_descent("polyak", gamma=[1.0, 1.5], f_star=[0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="constant must be one of 'corrected', 'code'"):
        adaptive_descent("strongly_adapted", constant="codes")
    with pytest.raises(TypeError, match="f_star must hold real numbers"):
        adaptive_descent("polyak", f_star="zero")
    for step in ("cauchy", "dai_yang", "half_dai_yang"):
        with pytest.raises(TypeError, match=f"{step} needs a problem with hvp"):
            one(adaptive_descent(step), without_hvp(QUARTIC), [1.0])
