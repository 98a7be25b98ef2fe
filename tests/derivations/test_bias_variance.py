"""Bias and variance on least squares: reference values and enumerations, from the expressions of the derivations."""

from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from derivations.bias_variance import (
    GD,
    USAM,
    VALUES,
    X,
    Y,
    estimation,
    iterates,
    prediction,
    risk,
    spectral,
    step,
    train_loss,
)
from derivations.bias_variance_kernel import kernel_step
from derivations.bias_variance_ordering import K, risk_slope
from derivations.bias_variance_stochastic import (
    DISTINCT,
    REPLACED,
    batch,
    batches,
    direction,
    hessian,
    mean_gradient,
    n,
    weighted,
)
from derivations.bias_variance_stopping import (
    BEST,
    CROSSING,
    CURVATURES,
    SIGNALS,
    SNR,
    best_step,
    excess,
    exponentials,
    relative_risk,
    sign_changes,
)
from derivations.bias_variance_stopping import VALUES as THREE
from derivations.sam_cycle import AMPLITUDE
from derivations.sam_edge import rho as rho_positive
from eossim import rules
from eossim.symbolic import eta, h, rho

ORIGIN = sp.zeros(2, 1)
small = st.integers(-3, 3)
fractions = st.fractions(Fraction(1, 20), Fraction(19, 20), max_denominator=20)


def rational(*numbers: str) -> sp.Matrix:
    return sp.Matrix([sp.Rational(x) for x in numbers])


def q_of(rule: sp.Expr, eta_, rho_, h_) -> sp.Expr:
    return rule.subs({eta: sp.nsimplify(eta_), rho: sp.nsimplify(rho_), h: sp.nsimplify(h_)})


# --- the closed form (V1) and the tables (V2) ---


@pytest.mark.parametrize(
    ("rule", "multiplier", "expected"),
    [
        (rules.usam, USAM, ["13/24 9/8", "325/432 2207/1728"]),
        (rules.gd, GD, ["1/3 7/12", "9/16 43/48", "419/576 305/288", "1471/1728 7883/6912"]),
    ],
)
def test_three_observations(rule, multiplier, expected):
    values = {name: VALUES[name] for name in rule.hyper}
    path = iterates(rule, X, Y, ORIGIN, 4, 3, **values)
    assert path[1 : len(expected) + 1] == [rational(*row.split()) for row in expected]
    q = multiplier.subs({eta: VALUES["eta"], rho: VALUES["rho"]})
    for steps in range(5):
        assert spectral(q, X, Y, ORIGIN, steps, 3).applyfunc(sp.expand) == path[steps]
    assert (X.T * X).inv() * X.T * Y == rational("13/9", "10/9")


V2 = [
    (1, GD, 5.310625, 0.010125, 11.0425, 0.0065, 2.877875),
    (1, USAM, 4.464225390625, 0.024004453125, 10.3785015625, 0.0141978125, 2.446427421875),
    (7, GD, 1.274757846736022, 0.08301734468400149, 4.565780314124889, 0.07304749168218197, 0.8256899005146993),
    (7, USAM, 1.097224398046573, 0.09365210051023389, 4.211708958798444, 0.08412160578375106, 0.7355164786835338),
]


def tables(steps: int, rule: sp.Expr) -> list[sp.Expr]:
    """Return bias^2 and variance of prediction and parameters, and the expected training loss, three modes of ten."""
    count, noise, totals = sp.Integer(10), sp.Rational(1, 2), [sp.Integer(0)] * 5
    for curvature, truth in ((2, 1), (1, -2), (sp.Rational(1, 4), 3)):
        z, s2 = q_of(rule, sp.Rational(1, 5), sp.Rational(3, 10), curvature) ** steps, count * curvature
        row = (
            *prediction(z, s2, -truth, count, noise),
            *estimation(z, s2, -truth, noise),
            train_loss(z, s2, -truth, count, noise),
        )
        totals = [a + b for a, b in zip(totals, row, strict=True)]
    totals[4] += 7 * train_loss(sp.Integer(1), 0, 0, count, noise)
    return totals


@pytest.mark.parametrize(("steps", "rule", "expected"), [(row[0], row[1], row[2:]) for row in V2])
def test_table_of_three_modes(steps, rule, expected):
    assert [float(x) for x in tables(steps, rule)] == pytest.approx(list(expected), rel=1e-14)


def test_the_table_crosses_once_between_50_and_100_and_ends_at_sigma2_r_over_n():
    gaps = [float(sum(tables(k, USAM)[:2]) - sum(tables(k, GD)[:2])) for k in (0, 1, 25, 50, 100, 200)]
    assert np.sign(gaps).tolist() == [0, -1, -1, -1, 1, 1]
    assert float(sum(tables(2000, GD)[:2])) == pytest.approx(0.15, rel=1e-12)


# --- enumeration of signs ---


@settings(max_examples=8)
@given(
    a=small, f=small, m=st.integers(1, 2), c=st.sampled_from([1, 3]), truth=st.tuples(small, small),
    start=st.tuples(small, small), rho_=st.fractions(0, 1, max_denominator=6), usam=st.booleans(), data=st.data(),
)  # fmt: skip
def test_enumeration_of_signs(a, f, m, c, truth, start, rho_, usam, data):
    """Orthogonal columns and a third observation without inputs: modes are rational, the residual has a dimension."""
    assume(a * a + f * f > 0)
    steps, noise, count = data.draw(st.integers(1, 3)), sp.Rational(1, 2), sp.Integer(3)
    inputs = sp.Matrix([[a, -m * f], [f, m * a], [0, 0]])
    true, begin = sp.Matrix(truth), sp.Matrix(start)
    rule, multiplier = (rules.usam, USAM) if usam else (rules.gd, GD)
    given_values = {"eta": sp.Rational(1, 7), "rho": sp.Rational(rho_)}
    values = {name: given_values[name] for name in rule.hyper}
    s2 = [sp.Integer(a * a + f * f), sp.Integer(m * m * (a * a + f * f))]
    z = [multiplier.subs({h: x / c, **{{"eta": eta, "rho": rho}[k]: v for k, v in given_values.items()}}) ** steps
         for x in s2]  # fmt: skip
    d = list(begin - true)
    formulas = [
        sum(sum(prediction(zi, s, di, count, noise**2)) for zi, s, di in zip(z, s2, d, strict=True)),
        sum(sum(estimation(zi, s, di, noise**2)) for zi, s, di in zip(z, s2, d, strict=True)),
        sum(train_loss(zi, s, di, c, noise**2) for zi, s, di in zip(z, s2, d, strict=True))
        + train_loss(1, 0, 0, c, noise**2),
    ]
    found, sure = [sp.Integer(0)] * 3, sp.Integer(0)
    for signs in product((1, -1), repeat=3):
        y = inputs * true + noise * sp.Matrix(signs)
        end = iterates(rule, inputs, y, begin, steps, sp.Integer(c), **values)[-1]
        error, residual = end - true, y - inputs * end
        own = (inputs * error).dot(inputs * error) / count, error.dot(error), residual.dot(residual) / (2 * c)
        found = [x + y / 8 for x, y in zip(found, own, strict=True)]
        df = sum(1 - zi for zi in z)
        sure += (residual.dot(residual) / count + 2 * noise**2 * df / count - noise**2) / 8
    assert found == formulas
    assert sure == formulas[0]


# --- order, counterexamples, budget ---


@given(a=fractions, t=fractions, steps=st.integers(1, 12))
def test_order_where_the_condition_holds(a, t, steps):
    """eta h = a, eta h (1 + rho h) = a + t (1 - a) <= 1."""
    gd, usam = q_of(GD, a, 0, 1) ** steps, q_of(USAM, a, t * (1 - a) / a, 1) ** steps
    assert 0 < usam < gd < 1
    (bias_s, var_s), (bias_g, var_g) = (prediction(z, 1, 1, 1, 1) for z in (usam, gd))
    assert bias_s < bias_g
    assert var_s > var_g
    assert train_loss(usam, 1, 1, 1, 1) < train_loss(gd, 1, 1, 1, 1)


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_order_fails_where_it_does_not(steps):
    gd, usam = q_of(GD, "9/10", 1, 1) ** steps, q_of(USAM, "9/10", 1, 1) ** steps
    (bias_s, var_s), (bias_g, var_g) = (prediction(z, 1, 1, 1, 1) for z in (usam, gd))
    assert (var_s >= var_g) == (steps % 2 == 1)
    assert bias_s > bias_g


@given(a=fractions, t=fractions, steps=st.integers(2, 20))
def test_equal_gradients(a, t, steps):
    radius = t * (1 - a) / a
    assume(a + radius != 1)
    usam, gd = q_of(USAM, a, radius, 1) ** steps, q_of(GD, a, 0, 1) ** (2 * steps)
    assert (usam < gd) == (a + radius > 1)
    assert q_of(USAM, a, 1 - a, 1) == q_of(GD, a, 0, 1) ** 2


@given(a=fractions, steps=st.integers(1, 8), signal=st.integers(1, 40))
def test_a_little_sam_helps_by_the_sign_of_the_slope(a, steps, signal):
    slope = risk_slope(USAM, steps, sp.Integer(signal), sp.Integer(1)).subs({eta: sp.Rational(a), h: 1})
    tiny = sp.Rational(1, 10**12)
    gap = risk(q_of(USAM, a, tiny, 1) ** steps, signal, 1) - risk(q_of(GD, a, 0, 1) ** steps, signal, 1)
    assume(slope != 0)
    assert float(gap / tiny / slope) == pytest.approx(1, rel=1e-6)


# --- stopping and crossing ---

V3 = {eta: sp.Rational(1, 10), rho: sp.Rational(1, 2), h: 1, SNR: 4}


def root(expression: sp.Expr, near: float) -> mpmath.mpf:
    with mpmath.workdps(40):
        return mpmath.findroot(sp.lambdify(K, expression, "mpmath"), mpmath.mpf(near))


def test_one_mode():
    first, last = (float(best_step(q).subs(V3)) for q in (USAM, GD))
    assert first == pytest.approx(9.90307970528525778, rel=1e-15)
    assert last == pytest.approx(15.2755318478222488, rel=1e-15)
    assert first / last == pytest.approx(0.648296884451659018, rel=1e-15)
    crossing = root(CROSSING.subs(V3), 12)
    assert float(crossing) == pytest.approx(12.4813841575443304, rel=1e-15)
    assert first < crossing < last
    for q in (USAM, GD):
        at_crossing = relative_risk(q, K).subs(V3).subs(K, sp.Float(str(crossing), 30))
        assert float(at_crossing) == pytest.approx(0.823435379969802259, rel=1e-14)
    assert risk(BEST, 4, 1).subs(SNR, 4) == sp.Rational(4, 5)


def test_three_crossings():
    roots = [float(root(excess(K), near)) for near in (5, 15, 1940)]
    assert roots == pytest.approx([5.1962508859771717, 15.412187741109336, 1944.8571090507302], rel=1e-15)
    signs = [int(sp.sign(excess(k))) for k in (1, 2, 3, 4, 5, 6, 15, 16, 100, 1944, 1945, 4000)]
    assert signs == [-1] * 5 + [1] * 2 + [-1] * 3 + [1] * 2
    terms = exponentials(CURVATURES, SIGNALS, sp.Integer(1), THREE)
    assert sign_changes([c for _, c in terms]) == 4


@settings(max_examples=25)
@given(modes=st.lists(st.tuples(st.floats(-3, 0), st.floats(-2, 2)), min_size=1, max_size=4), a=fractions, t=fractions)
def test_windows_and_number_of_crossings(modes, a, t):
    """The excess is negative up to the first best step, positive from the last on, and changes sign an odd time."""
    curvatures = np.array([1.0, *(10.0**x for x, _ in modes[1:])])
    snr = 10.0 ** np.array([y for _, y in modes])
    radius = float(t * (1 - a) / a)  # eta h (1 + rho h) < 1 at h = 1, the largest
    fast = {name: sp.lambdify([eta, rho, h], q, "numpy") for name, q in (("usam", USAM), ("gd", GD))}
    usam, gd = (fast[x](float(a), radius, curvatures) + 0 * curvatures for x in ("usam", "gd"))
    first, last = np.min(np.log1p(snr) / -np.log(usam)), np.max(np.log1p(snr) / -np.log(gd))

    def gap(k: float) -> float:
        return float(np.sum(risk(usam**k, snr, 1.0) - risk(gd**k, snr, 1.0)))

    assert gap(first) < 1e-12
    assert gap(last) > -1e-12
    grid = np.geomspace(first, last, 400)
    signs = np.sign([gap(k) for k in grid])
    crossings = int(np.count_nonzero(np.diff(signs[signs != 0])))
    exact = {eta: sp.Rational(a), rho: sp.nsimplify(radius, rational=True)}
    terms = exponentials([sp.nsimplify(x, rational=True) for x in curvatures],
                         [sp.nsimplify(x, rational=True) for x in snr], sp.Integer(1), exact)  # fmt: skip
    assert crossings % 2 == 1 or abs(gap(first)) < 1e-12 or abs(gap(last)) < 1e-12
    assert crossings <= sign_changes([c for _, c in terms]) - 1


@pytest.mark.parametrize(
    ("power", "snr", "expected"),
    [
        (-3.0, 1.0, [(0, 61, 0.142948), (4, 16, 0.104274), (16, 4, 0.100145)]),
        (0.0, 10.0, [(0, 728, 0.312811), (4, 584, 0.316558), (16, 370, 0.320487)]),
        (1.5, 1.0, [(0, 250, 40.7036), (4, 206, 43.1051), (16, 129, 45.0609)]),
    ],
)
def test_who_wins_when_each_stops_at_its_best(power, snr, expected):
    i = np.arange(1, 21.0)
    signal = (1 / i) * i**power
    noise = signal.sum() / (20 * snr)
    q = sp.lambdify([eta, rho, h], USAM, "numpy")
    for radius, steps, value in expected:
        risks = [float(np.sum(risk(q(1 / 34, radius, 1 / i) ** k, signal, noise))) for k in range(1500)]
        assert int(np.argmin(risks)) == steps
        assert min(risks) == pytest.approx(value, rel=5e-6)


# --- kernels ---


@settings(max_examples=15)
@given(entries=st.lists(small, min_size=6, max_size=6), y=st.lists(small, min_size=3, max_size=3))
def test_a_linear_kernel_is_least_squares(entries, y):
    inputs, targets = sp.Matrix(3, 2, entries), sp.Matrix(y)
    path = iterates(rules.usam, inputs, targets, ORIGIN, 3, sp.Integer(3), **VALUES)
    alpha = sp.zeros(3, 1)
    for b in path[1:]:
        alpha = kernel_step(alpha, inputs * inputs.T, targets, sp.Integer(3), **VALUES)
        assert inputs * inputs.T * alpha == inputs * b


def test_null_directions_grow_and_do_not_matter():
    gram, y, alpha = sp.ones(2, 2), sp.Matrix([3, 1]), sp.zeros(2, 1)
    for k in range(1, 6):
        alpha = kernel_step(alpha, gram, y, sp.Integer(2), **VALUES)
        assert alpha[0] - alpha[1] == k * VALUES["eta"] * (y[0] - y[1]) / 2
        fit = gram * alpha
        assert fit[0] == fit[1] == (1 - USAM.subs({eta: VALUES["eta"], rho: VALUES["rho"], h: 1}) ** k) * 2


# --- minibatches ---

GRADIENTS = [lambda x, i=i: X[i, :].T * (X[i, :] * x - Y[i : i + 1, :]) for i in range(3)]


@pytest.mark.parametrize(("size", "expected"), [(1, "-5/2 -6"), (2, "-9/4 -39/8"), (3, "-13/6 -9/2")])
def test_expected_gradients_of_batches(size, expected):
    half = sp.Rational(1, 2)
    found = direction(GRADIENTS, ORIGIN, batches(3, size, replacement=False), rho=half)
    assert found == rational(*expected.split())
    slope = X.T * (X * ORIGIN - Y) / 3
    D = sum((X[i, :].dot(X[i, :]) * GRADIENTS[i](ORIGIN) for i in range(3)), sp.zeros(2, 1)) / 3
    for formula, replacement in ((DISTINCT, False), (REPLACED, True)):
        found = direction(GRADIENTS, ORIGIN, batches(3, size, replacement=replacement), rho=half)
        for i in (0, 1):
            parts = {mean_gradient: slope[i], hessian: (X.T * X / 3 * slope)[i] / slope[i], weighted: D[i]}
            assert formula.subs({batch: size, n: 3, rho: half, **parts}) == found[i]


def test_single_observations_end_at_weighted_least_squares():
    end, half = rational("23/15", "16/15"), sp.Rational(1, 2)
    assert direction(GRADIENTS, end, batches(3, 1, replacement=False), rho=half) == ORIGIN
    assert direction(GRADIENTS, end, batches(3, 3, replacement=False), rho=half) != ORIGIN
    W = sp.diag(*(1 + half * X[i, :].dot(X[i, :]) for i in range(3)))
    assert list(W.diagonal()) == [sp.Rational(3, 2), 3, 2]
    assert (X.T * W * X).inv() * X.T * W * Y == end


def test_the_recursion_of_second_moments_in_two_dimensions():
    rate, radius, start = VALUES["eta"], VALUES["rho"], rational("1", "-2")

    def move(x: sp.Matrix, i: int) -> sp.Matrix:
        return step(rules.usam, x, gradient=GRADIENTS[i], **VALUES)[0]

    ends = [move(move(start, i), j) for i, j in product(range(3), repeat=2)]
    mean, square = start, start * start.T
    M = [sp.eye(2) - rate * (1 + radius * X[i, :].dot(X[i, :])) * X[i, :].T * X[i, :] for i in range(3)]
    c = [rate * (1 + radius * X[i, :].dot(X[i, :])) * Y[i] * X[i, :].T for i in range(3)]
    for _ in range(2):
        square = sum((Mi * square * Mi + Mi * mean * ci.T + ci * mean.T * Mi + ci * ci.T
                      for Mi, ci in zip(M, c, strict=True)), sp.zeros(2, 2)) / 3  # fmt: skip
        mean = sum((Mi * mean + ci for Mi, ci in zip(M, c, strict=True)), sp.zeros(2, 1)) / 3
    assert sum(ends, sp.zeros(2, 1)) / 9 == mean
    assert sum((e * e.T for e in ends), sp.zeros(2, 2)) / 9 == square


# --- the floor of normalised SAM ---


def test_the_floor_of_normalised_sam():
    values = np.linalg.eigvalsh(np.array(X.T * X, dtype=float) / 3)
    assert values == pytest.approx([0.565741454089335118, 1.76759187924399822], rel=1e-14)
    at = {eta: VALUES["eta"], rho_positive: VALUES["rho"], h: sorted((X.T * X / 3).eigenvals())[-1]}
    amplitude = float(AMPLITUDE.subs(at))
    assert amplitude == pytest.approx(0.141806493172143731, rel=1e-14)
    assert float((h * AMPLITUDE**2 / 2).subs(at)) == pytest.approx(0.0177723245843373015, rel=1e-14)
    assert float((h * AMPLITUDE**2).subs(at)) == pytest.approx(0.035544649168674603, rel=1e-14)  # c = n
    inputs, targets = np.array(X, dtype=float), np.array(Y, dtype=float).ravel()
    ols, path = np.array([13 / 9, 10 / 9]), [np.zeros(2)]
    for _ in range(400):
        path += step(rules.sam, path[-1], gradient=lambda x: inputs.T @ (inputs @ x - targets) / 3,
                     norm=np.linalg.norm, eta=0.25, rho=0.5)  # fmt: skip
    assert np.linalg.norm(path[-1] - ols) == pytest.approx(amplitude, rel=1e-10)
    assert (path[-1] + path[-2]) / 2 == pytest.approx(ols, rel=1e-10)
    excess_loss = [np.sum((inputs @ (x - ols)) ** 2) / 6 for x in path[-2:]]
    assert excess_loss == pytest.approx([0.0177723245843373015] * 2, rel=1e-9)
