"""Toy models: reference values from the derivations' expressions, and their generated formulas in float64."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from derivations import toy_uv_averages as averages
from derivations import toy_uv_balanced as balanced
from derivations.toy_formulas import toy_formulas
from derivations.toy_minimalist import LIMIT as MINIMALIST_LIMIT
from derivations.toy_minimalist import SHARPNESS as MINIMALIST_SHARPNESS
from derivations.toy_second_order import LIMIT
from derivations.toy_symbols import f, image, kappa, lam, put, s, y
from derivations.toy_two_step import COEFFICIENT
from derivations.toy_uv_hessian import CONVERSION, SHARPNESS
from derivations.toy_uv_model import LAM, OUTPUT, THETA, m, x
from derivations.toy_uv_thresholds import C_MAX, K_LOSS, K_SHARP_CUBIC, k
from eossim import maps
from eossim.formulas import toy
from eossim.symbolic.derivation import recorded
from eossim.symbolic.emit_formula import compile_mpmath

R = sp.Rational
FORMULAS = toy_formulas()


def value(expression, **values):
    """Return an expression at values of its symbols, given by name, as a float."""
    symbols = {str(symbol): symbol for symbol in expression.free_symbols}
    return float(expression.subs({symbols[n]: sp.nsimplify(v) for n, v in values.items() if n in symbols}))


# --- reference values ---


@pytest.mark.parametrize(
    ("size", "k_loss", "k_sharp", "c_loss", "c_sharp", "c_max"),
    [
        ("0", 2, 2.5, 2, 2.5, 4),
        ("0.001", 2.0040160805, 2.5067704597, 2.0100102000, 2.5142683445, 4.0119642144),
        ("1/64", 2.066740905808469, 2.6108960968992156, 2.159459796766838, 2.7280270782581653, 4.1794494717703365),
        ("0.05", 2.2540333076, 2.9054796611, 2.5525924886, 3.2903265154, 4.5298221281),
    ],
)
def test_thresholds(size, k_loss, k_sharp, c_loss, c_sharp, c_max):
    at = R(size)
    assert value(K_LOSS, s=at) == pytest.approx(k_loss, rel=1e-9)
    cubic = sp.lambdify(k, K_SHARP_CUBIC.subs(s, at))
    root = optimize.brentq(cubic, 2, 4.5, xtol=1e-14, rtol=1e-14)
    assert root == pytest.approx(k_sharp, rel=1e-9)
    half = value(CONVERSION, s=at) / 2
    found = half * value(K_LOSS, s=at), half * root, value(C_MAX, s=at)
    assert found == pytest.approx((c_loss, c_sharp, c_max), rel=1e-9)


def test_the_hessian_of_an_example():
    """n = 2, d = 1, x = 1, m = 2, u = (1, 2), v = (1/2, -1), y = 0.3: two of the three units, one of the two inputs."""
    parameters = [1, 0, 2, 0, 0, 0, R(1, 2), -1, 0]
    point = {**dict(zip(THETA, parameters, strict=True)), x[0]: 1, x[1]: 0, m: 2}
    loss = (OUTPUT - R(3, 10)) ** 2 / 2
    hessian = np.array(sp.hessian(loss, THETA).subs(point), dtype=float)
    eigenvalues = np.linalg.eigvalsh(hessian)
    output, trace = OUTPUT.subs(point), LAM.subs(point)
    assert float(output) == pytest.approx(-1.0606601717798212, rel=1e-12)
    assert trace == R(25, 8)
    assert eigenvalues[-1] == pytest.approx(3.755740149429125, rel=1e-12)
    assert eigenvalues[[0, 1, 2, -2]] == pytest.approx([-0.96213203, -0.96213203, -0.63074015, 0.96213203], rel=1e-7)
    closed = SHARPNESS.subs({f: output, lam: trace, kappa: R(1, 2), y: R(3, 10)})
    assert float(closed) == pytest.approx(3.755740149429125, rel=1e-12)


@pytest.mark.parametrize(
    ("start", "parameters", "states", "sharpness"),
    [
        (
            (1, 2),
            {"eta": R(5, 4), "kappa": R(1, 16), "y": 0},
            [(-1.40234375, 1.8828125), (1.62877734774, 1.62984972866)],
            [2.08972473589, 2.06166391066, 1.89266519419],
        ),
        (
            (1, 2),
            {"eta": R(39, 20), "kappa": R(1, 16), "y": 0},
            [],
            [2.08972473589, 2.51603093424, 2.60534153502, 1.56478706187],
        ),
        (
            (-1, R(3, 2)),
            {"eta": R(3, 10), "kappa": R(1, 4), "y": 2},
            [(0.1475, 0.90375), (0.661148203555, 1.0555057435), (1.11176322429, 1.36363002066)],
            [2.82665596573, 1.41390836903],
        ),
    ],
)
def test_trajectories(start, parameters, states, sharpness):
    path = [tuple(map(sp.sympify, start))]
    while len(path) < max(len(states) + 1, len(sharpness)):
        path.append(image(maps.uv_function, f=path[-1][0], lam=path[-1][1], **parameters))
    for found, expected in zip(path[1:], states, strict=False):
        assert list(map(float, found)) == pytest.approx(expected, rel=1e-9)
    for (output, trace), expected in zip(path, sharpness, strict=False):
        inserted = {f: output, lam: trace, kappa: parameters["kappa"], y: parameters["y"]}
        assert float(SHARPNESS.subs(inserted)) == pytest.approx(expected, rel=1e-9)
        seen = put(maps.uv_function, maps.uv_function.observables["sharpness"], f=output, lam=trace, **parameters)
        assert float(seen) == pytest.approx(expected, rel=1e-9)


def test_ends_of_gradient_flow_and_zero_output():
    assert toy.uv_gradient_flow_end(f=-1.0, lam=1.5, kappa=0.25, y=2.0) == pytest.approx(2.29128785, rel=1e-8)
    assert toy.uv_sharpness(f=0.0, lam=1.0, kappa=1 / 8, y=1.5) == pytest.approx(1.2288689868556626, rel=1e-12)
    assert toy.uv_zero_output_c_loss(lam=1.0, kappa=1 / 8, y=1.5) == pytest.approx(2.457737973711325, rel=1e-12)
    after = image(maps.uv_function, f=0, lam=1, eta=R(19, 10), kappa=R(1, 8), y=R(3, 2))
    assert float((after[0] - R(3, 2)) ** 2 / 2) == pytest.approx(0.91125, rel=1e-12)


@pytest.mark.parametrize("width", [1, 4, 16.5, 256])
def test_moments_of_gaussian_starts(width):
    beta = stats.beta(width / 2, width / 2)
    for power, mean in ((1, averages.MEAN_S), (2, averages.MEAN_S2)):

        def weighted(angle, n=power):  # b = sin(angle)^2: smooth for every width
            b = np.sin(angle) ** 2
            return ((1 - 2 * b) ** 2 / 4) ** n * beta.pdf(b) * np.sin(2 * angle)

        moment = integrate.quad(weighted, 0, np.pi / 2, epsabs=1e-13, limit=200, points=[np.pi / 4])[0]
        assert value(mean, w=width) == pytest.approx(moment, rel=1e-7)


def test_first_order_averages():
    found = [value(mean, w=255) for mean in (averages.MEAN_C_LOSS, averages.MEAN_C_SHARP, averages.MEAN_C_MAX)]
    assert found == pytest.approx([2 + 2.5 / 256, 2.5 + 3.5625 / 256, 4 + 3 / 256], rel=1e-12)
    ratio = (1 - k) ** 2 + 2 * (1 - k) * k**2 * averages.MEAN_S + k**4 * averages.MEAN_S2
    at_16 = sp.lambdify(k, ratio.subs({symbol: 16 for symbol in averages.MEAN_S.free_symbols}) - 1)
    assert optimize.brentq(at_16, 1.5, 3) == pytest.approx(2.059070545869509, rel=1e-12)


@pytest.mark.parametrize(
    ("eta_", "outputs", "sharpness"),
    [
        (1.05, (0.7619047619, 1.1904761905), (1.285714286, 2.571428571)),
        (1.1, (0.6634943528, 1.2455965562), None),
    ],
)
def test_the_two_cycle(eta_, outputs, sharpness):
    """kappa = 1, y = 1, from f = 0.7, lam = 1.5: Y = eta."""
    low, high = value(balanced.LOW, Y=eta_), value(balanced.HIGH, Y=eta_)
    assert (low, high) == pytest.approx(outputs, rel=1e-9)
    state = np.array([0.7, 1.5])
    for _ in range(3000):
        state = maps.uv_function.step(state, eta=eta_, kappa=1.0, y=1.0)
    assert min(abs(state[0] - low), abs(state[0] - high)) <= 1e-9
    if sharpness:
        found = [toy.uv_sharpness(f=o, lam=2 * o, kappa=1.0, y=1.0) for o in (low, high)]
        assert found == pytest.approx(sharpness, rel=1e-9)


def test_bifurcations():
    values = [balanced.MONOTONE, balanced.SUPERSTABLE, balanced.DOUBLING, balanced.ZERO_REACHED]
    assert list(map(float, values)) == pytest.approx([0.828427, 1.121320, 1.236068, 1.598076], abs=5e-7)
    generated = [toy.uv_monotone_limit(), toy.uv_superstable(), toy.uv_doubling(), toy.uv_zero_reached()]
    assert generated == pytest.approx(list(map(float, values)), rel=1e-15)


def products(c, s_, steps):
    """Return p, q, A, B of a run with y = 0 and lam = 1 at the start."""
    eta_ = 2 * c / toy.uv_conversion(s=s_)
    p, q, A, B = 1 + 2 * np.sqrt(s_), 1 - 2 * np.sqrt(s_), 1.0, 1.0
    for _ in range(steps):
        residual = eta_ * (p * A**2 - q * B**2) / 4
        A, B = A * (1 - residual), B * (1 + residual)
    return p, q, A, B


def rises(c, s_, steps, points=4001):
    """Return whether a loss at equally spaced points of the segment exceeds that of the start."""
    p, q, A, B = products(c, s_, steps)
    output = toy.uv_segment_output(p=p, q=q, kappa=1.0, A=A, B=B, tau=np.linspace(0, 1, points))
    return bool(np.any(np.abs(output[1:]) > np.abs(output[0])))


@pytest.mark.parametrize(
    ("s_", "steps", "on_grid", "exact"),
    [
        (1 / 64, 1, 2.159459797, None),  # at the end of the segment: c_loss
        (1 / 64, 2, 2.2397610309, 2.2397602215351),  # at its beginning, so that a grid finds it late
        (0.05, 2, 3.1300893690, 3.1300301090454),
    ],
)
def test_the_first_barrier(s_, steps, on_grid, exact):
    low = high = 2.0
    while not rises(high, s_, steps):
        low, high = high, high + 0.01
    before, after = low, high
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if rises(middle, s_, steps) else (middle, high)
    assert high == pytest.approx(on_grid, rel=1e-9)
    if exact:

        def slope(c):
            p, q, A, B = products(c, s_, steps)
            return p * (1 - A) - q * (1 - B)

        assert slope(before) > 0 > slope(after)
        assert optimize.brentq(slope, before, after, xtol=1e-14) == pytest.approx(exact, rel=1e-12)


def test_no_barrier_at_a_tenth():
    c_max = toy.uv_c_max(s=0.1)
    assert not any(rises(c, 0.1, 2) for c in np.arange(2.0, c_max, 0.02))


def test_second_order_regression():
    state = R(1, 10), R(5, 2)
    for expected in ((-0.137615, 2.0293723), (0.1606548604528532, 2.6195734284254923)):
        state = image(maps.second_order, z=state[0], T=state[1], eps=R(1, 100), E=0)
        assert list(map(float, state)) == pytest.approx(expected, rel=1e-6 if expected[0] < 0 else 1e-12)
    for epsilon, measured in ((0.001, 1.99950), (0.003, 1.99849), (0.03, 1.98421)):
        assert value(LIMIT, epsilon=epsilon) == pytest.approx(measured, abs=epsilon**2 + 5e-6)


def test_the_four_parameter_example():
    state, products = (sp.Integer(5), R(19, 100)), []
    for _ in range(6):
        products.append(float((state[0] * state[1]) ** 2))
        state = image(maps.minimalist, x=state[0], y=state[1], eta=R(1, 20))
    expected = [0.9025, 1.136289512799, 0.781510152531, 1.267403480885, 0.560739998181, 1.346000877342]
    assert products == pytest.approx(expected, rel=1e-11)
    for eta_, measured in ((0.05, 0.490), (0.02, 0.498)):
        assert (2 / eta_ - value(MINIMALIST_LIMIT, eta=eta_)) / eta_ == pytest.approx(measured, abs=0.011)
    assert value(MINIMALIST_SHARPNESS, x=1) == 4


def test_self_stabilisation():
    state = R(1, 20), sp.Integer(-1)
    for expected in ((-0.0495, -0.997025), (0.049006472625, -0.9940495025)):
        state = image(
            maps.self_stabilization, x=state[0], y=state[1], eta=R(1, 100), alpha=R(3, 10), beta=sp.Integer(2)
        )
        assert list(map(float, state)) == pytest.approx(expected, rel=1e-12)
    assert toy.self_stabilization_delta(alpha=0.3, beta=2.0) == pytest.approx(np.sqrt(0.3), rel=1e-15)
    assert toy.self_stabilization_period(eta=0.01, alpha=0.3) == pytest.approx(200 * np.pi / np.sqrt(0.6), rel=1e-15)


@pytest.mark.parametrize(
    ("loss", "stable"),
    [
        (lambda t: 1 - sp.cos(t), True),  # sub-quadratic
        (lambda t: t**2 + t**4, False),
        (lambda t: (t**2 - 1) ** 2 / 4, True),  # f''' = 6, f'''' = 6, f'' = 2 at t = 1
        (lambda t: sp.exp(t) - t, True),
        (lambda t: sp.log(sp.cosh(t)), True),
    ],
)
def test_the_two_step_criterion(loss, stable):
    t = sp.Symbol("t", real=True)
    at = 1 if loss(t).subs(t, 1) == 0 else 0
    curvature, third, fourth = (sp.diff(loss(t), t, n).subs(t, at) for n in (2, 3, 4))
    coefficient = value(COEFFICIENT, f2=curvature, f3=third, f4=fourth)
    assert (coefficient < 0) is stable
    step = t - 2 * sp.diff(loss(t), t) / curvature
    h = mpmath.mpf("1e-12")
    with mpmath.workdps(80):
        once = sp.lambdify(t, step, "mpmath")
        moved = [(once(once(at + side * h)) - at) / h**3 - side / h**2 for side in (1, -1)]
        assert float((moved[0] - moved[1]) / 2) == pytest.approx(coefficient, rel=1e-9)


# --- the generated formulas ---

positive = st.floats(-3, 3).map(lambda e: 10.0**e)
RANGES = {
    "s": st.floats(0, 0.124),
    "k": st.floats(0.1, 3.9),
    "Y": st.floats(1 + 1e-9, 1.999),
    "w": positive,
    "tau": st.floats(0, 1),
    "epsilon": st.floats(0, 1),
    **dict.fromkeys(("lam", "kappa", "eta", "alpha", "beta", "x", "p", "q", "f2"), positive),
    **dict.fromkeys(("y", "A", "B", "f3", "f4"), st.floats(-3, 3)),
}
#: Their value can vanish: float64 then keeps the digits of the largest term.
VANISHING = {
    "uv_s", "uv_loss_ratio", "uv_trace_ratio", "uv_k_sharp_cubic", "uv_waiting_time", "uv_two_cycle_multiplier",
    "uv_two_cycle_transverse", "uv_segment_output", "two_step_coefficient",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMULAS))
@settings(max_examples=25)
@given(data=st.data())
def test_generated_formulas_keep_their_digits(name, data):
    expression, arguments = FORMULAS[name]
    values = {n: data.draw(RANGES[n], label=n) for n in arguments if n != "f"}
    if "f" in arguments:  # within |f| <= lam / (2 sqrt kappa)
        share = data.draw(st.floats(-0.999, 0.999), label="share")
        values["f"] = share * values["lam"] / (2 * np.sqrt(values["kappa"]))
    if name == "uv_waiting_time":
        assume(values["k"] > 2.01 and values["s"] > 1e-9)
    if name == "uv_eta_critical":
        assume(values["y"] != 0)
    found = float(getattr(toy, name)(**values))
    with mpmath.workdps(60):
        symbols = [next((t for t in expression.free_symbols if str(t) == n), sp.Symbol(n)) for n in arguments]
        exact = float(compile_mpmath(symbols, [expression])(*(mpmath.mpf(values[n]) for n in arguments))[0])
    if name in VANISHING:
        size = max(1.0, *(abs(v) for v in values.values())) ** 4
        assert found == pytest.approx(exact, rel=1e-12, abs=1e-13 * size)
    else:
        assert found == pytest.approx(exact, rel=1e-12)


def test_every_claim_is_recorded_once():
    prefixes = ("uv.", "second_order.", "minimalist.", "self_stabilization.", "two_step.", "phase_diagram.")
    claims = [c["id"] for d in recorded().values() for c in d["claims"] if c["id"].startswith(prefixes)]
    assert len(claims) == len(set(claims)) == 42
    last = ("k_loss", "edge", "edge", "scaling", "cycle", "c_crit")
    assert {p + n for p, n in zip(prefixes, last, strict=True)} <= set(claims)
