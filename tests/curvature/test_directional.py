import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from eossim.curvature.directional import KINDS, directional_smoothness, signed_smoothness
from eossim.norms import L1, L2, Linf, Lp, Mahalanobis, Norm
from eossim.problems import Function, LeastSquares, MatrixFactorization, Quadratic
from tests.curvature.losses import (
    COSINE,
    LOG_COSH,
    LOGISTIC,
    ONE_DIMENSIONAL,
    ONE_MINUS_COSINE,
    QUARTIC,
    ridge_sum,
    scalar,
    without_hvp,
)
from tests.strategies import orthogonal_matrices, seeds, spectra

R5 = 4 / np.pi**2
REFERENCE = [
    (QUARTIC, 1, 0, {"pointwise": 2, "pathwise": 3, "secant": 1, "signed": 1.5, "rayleigh": 3, "strong_convexity": 1}),
    (QUARTIC, 0, 1, {"pointwise": 2, "pathwise": 1, "secant": 1, "signed": 0.5, "rayleigh": 0, "strong_convexity": 0}),
    (LOGISTIC, 0, 2, {"pointwise": 0.380797077977882, "signed": 0.216890415241514}),
    (COSINE, 0, 1, {"pathwise": -0.841470984807897, "secant": -0.841470984807897, "signed": -0.919395388263721}),
    (COSINE, 0, 1, {"optimal": 0.919395388263721}),
    (ONE_MINUS_COSINE, 0, np.pi, {"pointwise": 0, "pathwise": 1, "secant": 0, "signed": R5, "optimal": R5}),
    (LOG_COSH, 0, 1, {"pointwise": 1.52318831191153, "pathwise": 1, "secant": 0.761594155955765}),
    (LOG_COSH, 0, 1, {"signed": 0.867561660966054}),
    (LOG_COSH, 1, 0, {"signed": 0.655626650945475}),
    (LOG_COSH, -1, 0.5, {"signed": 0.736644}),
]
CASES = [(f, x, y, kind, value) for f, x, y, values in REFERENCE for kind, value in values.items()]


@pytest.mark.parametrize(("problem", "x", "y", "kind", "value"), CASES)
def test_reference_values(problem, x, y, kind, value):
    tolerance = 5e-7 if value == 0.736644 else 1e-9  # six digits are known of the last one
    assert directional_smoothness(problem, [x], [y], kind=kind) == pytest.approx(value, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize(("problem", "x", "y", "kind", "value"), CASES)
def test_reference_values_from_gradients_alone(problem, x, y, kind, value):
    if kind in ("pathwise", "rayleigh", "strong_convexity"):
        with pytest.raises(TypeError, match=f"{kind}.*hvp"):
            directional_smoothness(without_hvp(problem), [x], [y], kind=kind)
        return
    tolerance = 5e-7 if value == 0.736644 else 1e-9
    got = directional_smoothness(without_hvp(problem), [x], [y], kind=kind)
    assert got == pytest.approx(value, rel=tolerance, abs=1e-12)


@pytest.mark.parametrize(("nodes", "error"), [(2, -2.1e-2), (3, 1.7e-3), (4, -1.1e-4), (6, -3e-7)])
def test_errors_of_gauss_legendre_on_log_cosh(nodes, error):
    exact = directional_smoothness(LOG_COSH, [-1.0], [0.5])
    got = directional_smoothness(LOG_COSH, [-1.0], [0.5], nodes=nodes) - exact
    assert got == pytest.approx(error, rel=0.05 if nodes < 6 else 0.2)


@given(st.floats(-3, 3), st.floats(-3, 3).filter(lambda d: abs(d) > 0.01))
def test_two_nodes_are_exact_for_a_quartic(x, d):
    y = x + d
    exact = (y**4 / 4 - x**4 / 4 - x**3 * (y - x)) / (0.5 * (y - x) ** 2)  # = x² + ½ (x + y)² expanded below
    expanded = 0.5 * (3 * x**2 + 2 * x * y + y**2)
    assert exact == pytest.approx(expanded, rel=1e-6, abs=1e-9)
    assert directional_smoothness(QUARTIC, [x], [y], nodes=2) == pytest.approx(expanded, rel=1e-12, abs=1e-14)


def test_gradient_steps_on_a_quadratic_see_the_rayleigh_quotient():
    problem, w = Quadratic([10.0, 4.0, 1.0]), np.ones(3)
    for eta in (1e-9, 0.1, 3.0):
        y = w - eta * problem.grad(w)
        for kind in ("signed", "optimal", "pathwise", "strong_convexity", "rayleigh"):
            got = directional_smoothness(problem, w, y, kind=kind)
            assert got == pytest.approx(9.10256410256410, rel=1e-13 / min(eta, 1) if eta < 1e-3 else 1e-13)
        assert directional_smoothness(problem, w, y, kind="secant") == pytest.approx(1065 / 117, rel=1e-6)


points_1d = st.tuples(st.floats(-3, 3), st.floats(-3, 3)).filter(lambda p: abs(p[0] - p[1]) > 1e-3)


@given(st.sampled_from(range(len(ONE_DIMENSIONAL))), points_1d)
def test_kinds_against_independent_integration_and_minimisation(index, points):
    problem, (x, y) = ONE_DIMENSIONAL[index], points

    def slope(t):
        return float(problem.grad(np.array([x + t * (y - x)]))[0])

    def curvature(t):
        return float(problem.hvp(np.array([x + t * (y - x)]), np.ones(1))[0])

    def average(t):
        return (slope(t) - slope(0)) / (t * (y - x)) if t * abs(y - x) > 1e-5 else curvature(0)

    def value(kind):
        return directional_smoothness(problem, [x], [y], kind=kind, rtol=1e-12)

    signed = 2 * quad(lambda s: (1 - s) * curvature(s), 0, 1, epsabs=1e-13)[0]
    assert value("signed") == pytest.approx(signed, rel=1e-9, abs=1e-11)
    assert value("optimal") == abs(value("signed"))
    assert value("secant") == pytest.approx(quad(curvature, 0, 1, epsabs=1e-13)[0], rel=1e-9, abs=1e-10)
    assert value("pointwise") == pytest.approx(2 * abs(slope(1) - slope(0)) / abs(y - x), rel=1e-9, abs=1e-12)
    assert value("rayleigh") == pytest.approx(curvature(0), rel=1e-12)
    grid = np.linspace(0, 1, 65)
    heights = [average(t) for t in grid]
    for kind, sign in (("pathwise", 1), ("strong_convexity", -1)):
        k = int(np.argmax(sign * np.array(heights)))
        bounds = grid[max(k - 1, 0)], grid[min(k + 1, 64)]
        refined = minimize_scalar(lambda t, sign=sign: -sign * average(t), bounds=bounds, method="bounded")
        best = sign * max(sign * heights[k], -refined.fun)
        assert value(kind) == pytest.approx(best, rel=1e-9, abs=1e-9)


@given(seeds, st.integers(1, 4), st.booleans())
def test_signed_is_the_weighted_mean_of_the_averages(seed, dim, convex):
    problem = ridge_sum(seed, dim, convex=convex)
    x, y = np.random.default_rng(seed).standard_normal((2, dim))

    def secant(t):
        return directional_smoothness(problem, x, x + t * (y - x), kind="secant") if t else 0.0

    expected = quad(lambda t: 2 * t * secant(t), 0, 1, epsabs=1e-12)[0]
    assert directional_smoothness(problem, x, y) == pytest.approx(expected, rel=1e-9, abs=1e-10)


def norms(dim: int) -> list[Norm]:
    P = np.eye(dim) + np.ones((dim, dim))
    return [L2(), L1(), Linf(), Lp(3), Mahalanobis(P)]


@given(seeds, st.integers(1, 5), st.booleans(), st.integers(0, 4))
def test_the_definition_and_the_relations_in_any_norm(seed, dim, convex, which):
    problem, norm = ridge_sum(seed, dim, convex=convex), norms(dim)[which]
    x, y = np.random.default_rng(seed).standard_normal((2, dim))
    value = {k: directional_smoothness(problem, x, y, kind=k, norm=norm) for k in KINDS}
    square = float(norm.norm(y - x)) ** 2
    gap = float(problem.loss(y) - problem.loss(x) - problem.grad(x) @ (y - x))
    # rounding of the losses and of the inner product, in units of the smoothness
    slack = 1e-13 * (1 + 10 * float(np.abs(problem.loss(x)) + np.abs(problem.grad(x)) @ np.abs(y - x))) / square
    slack += 1e-9 * value["optimal"]
    assert abs(value["signed"] - gap / (0.5 * square)) <= slack
    assert value["strong_convexity"] - slack <= value["signed"] <= value["pathwise"] + slack
    assert value["strong_convexity"] - slack <= value["secant"] <= value["pathwise"] + slack
    assert value["strong_convexity"] <= value["rayleigh"] <= value["pathwise"]
    assert 2 * value["secant"] <= value["pointwise"] + slack
    if convex:
        assert 0 <= value["signed"] <= 2 * value["secant"] + slack
    # another norm rescales all kinds but pointwise
    ratio = float((y - x) @ (y - x)) / square
    for kind in ("signed", "pathwise", "secant", "rayleigh", "strong_convexity"):
        euclidean = directional_smoothness(problem, x, y, kind=kind)
        assert value[kind] == pytest.approx(ratio * euclidean, rel=1e-8, abs=1e-10 * ratio * abs(value["pathwise"]))


@given(seeds, st.integers(1, 4), st.sampled_from(KINDS), st.sampled_from([0.001, 3.0, 1e6]))
def test_scale_rules(seed, dim, kind, scale):
    problem = ridge_sum(seed, dim, convex=False)
    rng = np.random.default_rng(seed)
    (x, y, slope, shift), P = rng.standard_normal((4, dim)), 1 + rng.random(dim)
    scaled = Function(
        dim,
        lambda w: scale * problem.loss(w),
        lambda w: scale * problem.grad(w),
        lambda w, v: scale * problem.hvp(w, v),
    )
    tilted = Function(dim, lambda w: problem.loss(w) + w @ slope, lambda w: problem.grad(w) + slope, problem.hvp)
    moved = Function(
        dim,
        lambda w: problem.loss(w - shift),
        lambda w: problem.grad(w - shift),
        lambda w, v: problem.hvp(w - shift, v),
    )
    value = directional_smoothness(problem, x, y, kind=kind, norm=Mahalanobis(P))
    close = pytest.approx(value, rel=1e-7, abs=1e-9)
    assert directional_smoothness(scaled, x, y, kind=kind, norm=Mahalanobis(P)) / scale == close
    assert directional_smoothness(tilted, x, y, kind=kind, norm=Mahalanobis(P)) == close
    assert directional_smoothness(moved, x + shift, y + shift, kind=kind, norm=Mahalanobis(P)) == close
    assert directional_smoothness(problem, x, y, kind=kind, norm=Mahalanobis(9 * P)) * 9 == close
    order = rng.permutation(dim)
    back = np.argsort(order)
    permuted = Function(
        dim,
        lambda w: problem.loss(w[..., back]),
        lambda w: problem.grad(w[..., back])[..., order],
        lambda w, v: problem.hvp(w[..., back], v[..., back])[..., order],
    )
    assert directional_smoothness(permuted, x[order], y[order], kind=kind, norm=Mahalanobis(P[order])) == close


@given(spectra(max_dim=5), st.data())
def test_on_a_quadratic_signed_lies_between_the_extreme_eigenvalues(spectrum, data):
    Q = data.draw(orthogonal_matrices(spectrum.size))
    problem = Quadratic((Q * spectrum) @ Q.T)
    x, y = np.random.default_rng(data.draw(seeds)).standard_normal((2, spectrum.size))
    signed = directional_smoothness(problem, x, y)
    slack = 1e-12 * np.abs(spectrum).max()
    assert spectrum.min() - slack <= signed <= spectrum.max() + slack
    assert 2 * directional_smoothness(problem, x, y, kind="secant") == pytest.approx(2 * signed, abs=100 * slack)
    assert 2 * abs(signed) <= directional_smoothness(problem, x, y, kind="pointwise") + 100 * slack


def test_the_two_in_pointwise_cannot_be_removed():
    previous = 0.0
    for eps in (1e-1, 1e-2, 1e-3):
        hyperbola = scalar(
            lambda x, e=eps: np.sqrt(x**2 + e**2),
            lambda x, e=eps: x / np.sqrt(x**2 + e**2),
            lambda x, e=eps: e**2 / (x**2 + e**2) ** 1.5,
        )
        signed = directional_smoothness(hyperbola, [0.0], [1.0])
        assert signed == pytest.approx(2 * (np.sqrt(1 + eps**2) - eps), rel=1e-8)
        assert signed > previous
        assert directional_smoothness(hyperbola, [0.0], [1.0], kind="pointwise") <= 2
        previous = signed
    assert previous > 1.99


def test_curvature_that_jumps():
    huber = scalar(  # ½ x² up to 1
        lambda x: np.where(np.abs(x) < 1, 0.5 * x**2, np.abs(x) - 0.5),
        lambda x: np.clip(x, -1, 1),
        lambda x: (np.abs(x) < 1) * 1.0,
    )
    expected = (2.5 - 0) / (0.5 * 9)  # from 0 to 3
    assert directional_smoothness(huber, [0.0], [3.0]) == pytest.approx(expected, rel=1e-6)
    assert directional_smoothness(without_hvp(huber), [0.0], [3.0]) == pytest.approx(expected, rel=1e-6)
    kink = scalar(np.abs, np.sign, lambda x: 0 * x)  # the jump of the gradient is not in f''
    for problem in (kink, without_hvp(kink)):
        assert directional_smoothness(problem, [-1.0], [3.0]) == pytest.approx((3 - 1 + 4) / 8, rel=1e-6)
    assert np.isnan(directional_smoothness(kink, [-1.0], [3.0], kind="pathwise"))


@pytest.mark.parametrize("far", [1e2, 1e4, 1e8])
def test_a_step_far_beyond_the_curved_part(far):
    # log cosh from -far to 2 far; rules with few nodes see no curvature at all
    exact = 2 * (2 * far - far + 3 * far) / (3 * far) ** 2
    assert directional_smoothness(LOG_COSH, [-far], [2 * far]) == pytest.approx(exact, rel=1e-6)
    assert directional_smoothness(without_hvp(LOG_COSH), [-far], [2 * far]) == pytest.approx(exact, rel=1e-6)
    pathwise = directional_smoothness(LOG_COSH, [-far], [2 * far], kind="pathwise")
    assert np.isnan(pathwise) or pathwise >= exact


def test_a_narrow_peak_of_curvature_is_found():
    width = 1e-3
    step = scalar(
        lambda x: width * log_cosh_at(x, width),
        lambda x: np.tanh((x - 0.3) / width),
        lambda x: np.cosh(np.clip((x - 0.3) / width, -300, 300)) ** -2 / width,
    )
    exact = float(step.loss([1.0]) - step.loss([0.0]) - step.grad([0.0])[0]) / 0.5
    assert directional_smoothness(step, [0.0], [1.0]) == pytest.approx(exact, rel=1e-8)
    assert directional_smoothness(without_hvp(step), [0.0], [1.0]) == pytest.approx(exact, rel=1e-8)


def log_cosh_at(x, width):
    z = (x - 0.3) / width
    return np.logaddexp(z, -z)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", [None, Linf()])
def test_a_batch_equals_its_rows(kind, norm):
    problem = MatrixFactorization(np.diag([2.0, 1.0]), 2)
    x, y = np.random.default_rng(0).standard_normal((2, 2, 3, problem.dim))
    y[0] *= 1e-3
    value = directional_smoothness(problem, x, y, kind=kind, norm=norm)
    assert value.shape == (2, 3)
    one = [
        [directional_smoothness(problem, a, b, kind=kind, norm=norm) for a, b in zip(p, q, strict=True)]
        for p, q in zip(x, y, strict=True)
    ]
    np.testing.assert_allclose(value, one, rtol=1e-12)
    assert isinstance(one[0][0], float)
    fixed = directional_smoothness(problem, x[0, 0], y, kind=kind, norm=norm)
    np.testing.assert_allclose(fixed[1, 2], directional_smoothness(problem, x[0, 0], y[1, 2], kind=kind, norm=norm))


def test_divergence_is_nan_and_leaves_the_other_rows_alone():
    x = np.array([[1.0], [np.nan], [1.0], [np.inf], [1.0], [1e200]])
    y = np.array([[0.0], [0.0], [np.inf], [0.0], [1.0], [-1e200]])
    for kind in KINDS:
        value = directional_smoothness(QUARTIC, x, y, kind=kind)
        assert value[0] == directional_smoothness(QUARTIC, [1.0], [0.0], kind=kind)
        assert not np.isfinite(value[1:]).any()
        assert np.isnan(value[1:5]).all()
    assert np.isnan(directional_smoothness(Quadratic([1.0]), [np.inf], [0.0]))
    assert np.isnan(directional_smoothness(without_hvp(QUARTIC), [np.inf], [0.0]))


def test_tiny_steps_do_not_underflow():
    problem = Quadratic([3.0, 1.0])
    w = 1e-200 * np.ones(2)
    for norm, expected in ((L2(), 2.8), (Linf(), 3 + 1 / 9), (L1(), (27 + 1) / 16)):
        y = w - 0.1 * problem.grad(w)
        assert directional_smoothness(problem, w, y, norm=norm) == pytest.approx(expected, rel=1e-12)
        assert signed_smoothness(problem, np.ones(2), -0.1 * problem.grad(w), norm) == pytest.approx(expected)


def test_no_false_edge_near_convergence():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 3))
    problem = LeastSquares(X, 1e3 + rng.standard_normal(8))  # the loss stays near 1e6
    eta = 0.1 / np.linalg.eigvalsh(problem.hessian()).max()
    w = problem.minimizer + 1e-7 * rng.standard_normal(3)
    g = problem.hessian() @ (w - problem.minimizer)
    exact = float(g @ problem.hessian() @ g / (g @ g))
    naive = float(problem.loss(w - eta * g) - problem.loss(w) + eta * g @ g) / (0.5 * eta**2 * (g @ g))
    assert abs(naive - exact) > 0.1 * exact
    d = (w - eta * g) - w  # the step that is left once the point has been rounded
    rounded = float(d @ problem.hessian() @ d / (d @ d))
    assert directional_smoothness(problem, w, w - eta * g) == pytest.approx(rounded, rel=1e-12)
    assert signed_smoothness(problem, w, -eta * g) == pytest.approx(exact, rel=1e-12)


def float32_bowl(*, hvp: bool) -> Function:
    """R15: 1 + ½ wᵀ diag(3, 1) w, evaluated in float32."""
    h = np.array([3, 1], dtype=np.float32)
    single = np.float32
    return Function(
        2,
        lambda w: single(1) + single(0.5) * (single(1) * w.astype(single) ** 2 * h).sum(axis=-1),
        lambda w: h * w.astype(single),
        (lambda w, v: h * v.astype(single)) if hvp else None,
    )


@pytest.mark.parametrize("hvp", [True, False])
@pytest.mark.parametrize(("scale", "naive"), [(1e-4, 20.0), (1e-3, 3.31)])
def test_no_false_edge_in_single_precision(hvp, scale, naive):
    problem, eta = float32_bowl(hvp=hvp), 0.1
    w = scale * np.ones(2)
    g = problem.grad(w).astype(float)
    after = w - eta * g
    fake = (float(problem.loss(after)) - float(problem.loss(w)) + eta * g @ g) / (0.5 * eta**2 * (g @ g))
    assert fake == pytest.approx(naive, rel=2e-3)  # the trap is there
    assert directional_smoothness(problem, w, after) == pytest.approx(2.8, rel=1e-5)


def test_products_are_few():
    products, gradients = [], []

    def grad(w):
        gradients.append(1)
        return w**3

    counted = Function(1, QUARTIC.loss, grad, lambda w, v: products.append(1) or QUARTIC.hvp(w, v))
    directional_smoothness(counted, np.ones((50, 1)), np.zeros((50, 1)))
    assert (len(products), len(gradients)) == (3 + 6, 2)
    directional_smoothness(counted, [1.0], [0.0], nodes=2)
    assert (len(products), len(gradients)) == (3 + 6 + 2, 2)
    directional_smoothness(Function(1, QUARTIC.loss, grad), [1.0], [0.0])
    assert len(gradients) == 2 + 1 + 3 + 6


def test_a_norm_by_its_name():
    problem, x, y = Quadratic([10.0, 4.0, 1.0]), [1.0, 1.0, 1.0], [0.0, 0.6, 0.9]
    for name, norm in (("linf", Linf()), ("lp:3", Lp(3))):
        assert directional_smoothness(problem, x, y, norm=name) == directional_smoothness(problem, x, y, norm=norm)


def test_bad_input():
    problem = Quadratic([1.0, 2.0])
    x, y = [0.0, 0.0], [1.0, 0.0]
    with pytest.raises(ValueError, match="x and y must differ"):
        directional_smoothness(problem, x, x)
    with pytest.raises(ValueError, match=r"kind must be one of .*'signed'"):
        directional_smoothness(problem, x, y, kind="sign")
    with pytest.raises(TypeError, match=r"norm must be a norm such as eossim\.norms"):
        directional_smoothness(problem, x, y, norm=3)
    with pytest.raises(ValueError, match='unknown norm "linff"'):
        directional_smoothness(problem, x, y, norm="linff")
    with pytest.raises(TypeError, match=r"problem must have dim and grad\(w\), got ndarray: wrap a Hessian H as Quad"):
        directional_smoothness(np.eye(2), x, y)
    with pytest.raises(ValueError, match="for 3 coordinates, the problem has 2"):
        directional_smoothness(problem, x, y, norm=Mahalanobis([1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"y must have shape \(\.\.\., 2\), got \(3,\)"):
        directional_smoothness(problem, x, [1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="y must broadcast"):
        directional_smoothness(problem, np.zeros((2, 2)), np.ones((3, 2)))
    with pytest.raises(TypeError, match="x must hold real numbers"):
        directional_smoothness(problem, ["a", "b"], y)
    with pytest.raises(ValueError, match="nodes is for"):
        directional_smoothness(problem, x, y, kind="pathwise", nodes=4)
    with pytest.raises(ValueError, match="nodes must be an integer >= 1"):
        directional_smoothness(problem, x, y, nodes=0)
    for rtol in (0, 1, np.nan):
        for kind in ("signed", "pathwise", "secant"):
            with pytest.raises(ValueError, match="rtol"):
                directional_smoothness(problem, x, y, kind=kind, rtol=rtol)


def test_at_the_rounding_level_of_the_gradient_products_decide():
    # A minimiser up to rounding: the gradient is noise there, the curvature is not.
    problem = MatrixFactorization(np.diag([2.0, 1.0]), 2)
    w = problem.join(np.diag(np.sqrt([2.0, 1.0])), np.diag(np.sqrt([2.0, 1.0])))
    d = 1e-16 * np.random.default_rng(0).standard_normal((20, problem.dim))
    exact = (d * problem.hvp(w, d)).sum(-1) / (d * d).sum(-1)
    np.testing.assert_allclose(signed_smoothness(problem, w, d), exact, rtol=1e-12)
    # gradients alone cannot tell, and there are few of them
    calls = []
    plain = Function(problem.dim, problem.loss, lambda w: calls.append(1) or problem.grad(w))
    signed_smoothness(plain, w, d)
    assert len(calls) < 100
