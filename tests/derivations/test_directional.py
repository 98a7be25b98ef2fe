"""Directional smoothness: reference values, literal steps and limits, from the derivations' expressions."""

from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations.directional_identity import NORMALISED, STEEPEST, D, G, smoothness
from derivations.directional_notions import along, bowl, log_cosh, logistic, pointwise, quartic, secant, signed, t
from derivations.directional_steps import (
    DAI_YANG,
    DAI_YANG_MULTIPLIER,
    INVERSE,
    INVERSE_MULTIPLIER,
    LIMIT,
    a,
    b,
    cauchy,
    following,
    squared_step,
    u,
)
from eossim.symbolic import eta
from eossim.symbolic.derivation import recorded

R = sp.Rational
ONE, ZERO = sp.Integer(1), sp.Integer(0)


def pathwise(f, start, end):
    """Return the largest A_t over a fine grid of 0 < t <= 1."""
    return np.max(sp.lambdify(t, along(f, start, end))(np.geomspace(1e-6, 1, 4001)))


# --- R1-R6: notions on a line ---

NOTIONS = [
    (quartic, 1, 0, (2, 3, 1, R(3, 2))),
    (quartic, 0, 1, (2, 1, 1, R(1, 2))),
    (logistic, 0, 2, (0.380797077977882, None, None, 0.216890415241514)),
    (sp.cos, 0, 1, (None, -0.841470984807897, -0.841470984807897, -0.919395388263721)),
    (bowl, 0, sp.pi, (0, 1, 0, 4 / sp.pi**2)),
    (log_cosh, 0, 1, (1.52318831191153, 1, 0.761594155955765, 0.867561660966054)),
    (log_cosh, 1, 0, (1.52318831191153, None, 0.761594155955765, 0.655626650945475)),
]


@pytest.mark.parametrize(("f", "start", "end", "expected"), NOTIONS)
def test_notions_on_a_line(f, start, end, expected):
    start, end = sp.sympify(start), sp.sympify(end)
    values = [notion(f, start, end) for notion in (pointwise, pathwise, secant, signed)]
    for index, (value, reference) in enumerate(zip(values, expected, strict=True)):
        if reference is not None:
            # the supremum may lie at t -> 0, up to 3 t away on the grid
            assert float(value) == pytest.approx(float(reference), rel=2e-6 if index == 1 else 1e-12, abs=1e-12)


def test_the_printed_orders_that_fail():
    assert pathwise(quartic, ONE, ZERO) > pointwise(quartic, ONE, ZERO) > pathwise(quartic, ZERO, ONE)
    assert abs(signed(sp.cos, ZERO, ONE)) == -signed(sp.cos, ZERO, ONE)  # optimal_abs = +0.919395388263721
    assert pointwise(bowl, ZERO, sp.pi) == 0 < signed(bowl, ZERO, sp.pi)


# --- R7, R13, R14: literal steps ---

H2 = sp.Matrix([[2, 1], [1, 2]])
START = sp.Matrix([1, R(1, 2)])


def linf(H, w, size, *, normalised):
    """Return a run of nine steps: points, losses, dual norms and D from its definition."""
    points, norms = [w], []
    for _ in range(9):
        g = H * points[-1]
        norms.append(sum(map(abs, g)))
        points.append(points[-1] - size * (1 if normalised else norms[-1]) * g.applyfunc(sp.sign))
    losses = [(x.T * H * x)[0] / 2 for x in points]
    slopes = [((H * x).T * (y - x))[0] for x, y in pairwise(points)]
    lengths = [max(map(abs, y - x)) for x, y in pairwise(points)]
    parts = zip(np.diff(np.array(losses, dtype=object)), slopes, lengths, strict=True)
    return points, losses, norms, [smoothness(*x) for x in parts]


def test_linf_descent():
    points, losses, norms, found = linf(H2, START, R(1, 5), normalised=False)
    assert found[:4] == [6, 6, 2, 2]
    assert losses[:5] == [R(7, 4), R(13, 100), R(163, 2500), R(63, 2500), R(27, 2500)]
    assert [list(x) for x in points[1:5]] == [
        [R(1, 10), -R(2, 5)], [R(7, 25), -R(11, 50)], [R(9, 50), -R(3, 25)], [R(3, 25), -R(3, 50)],
    ]  # fmt: skip
    change = [STEEPEST.subs({eta: R(1, 5), D: x, G: g}) for x, g in zip(found, norms, strict=True)]
    assert change == list(np.diff(np.array(losses, dtype=object)))


def test_sign_descent_ends_on_a_cycle():
    points, losses, norms, found = linf(H2, START, R(1, 5), normalised=True)
    assert [list(x) for x in points[5:8]] == [[0, -R(1, 10)], [R(1, 5), R(1, 10)], [0, -R(1, 10)]]
    assert losses[5:7] == [R(1, 100), R(7, 100)]
    assert norms[5:7] == [R(3, 10), R(9, 10)]
    assert found[5:7] == [6, 6]
    assert sum(found[5:7]) / sum(norms[5:7]) == 2 / R(1, 5)
    change = [NORMALISED.subs({eta: R(1, 5), D: x, G: g}) for x, g in zip(found, norms, strict=True)]
    assert change == list(np.diff(np.array(losses, dtype=object)))


@pytest.mark.parametrize("size", [R(1, 100), R(1, 5), R(3)])
def test_d_of_gradient_descent_on_a_quadratic_has_no_step_size(size):
    B, w = sp.diag(10, 4, 1), sp.ones(3, 1)
    v = -size * B * w
    change = ((w + v).T * B * (w + v))[0] / 2 - (w.T * B * w)[0] / 2
    found = smoothness(change, (v.T * B * w)[0], sp.sqrt((v.T * v)[0]))
    assert float(found) == pytest.approx(9.10256410256410, rel=1e-12)


# --- R8-R12: step sizes ---

RULES = {
    "dai_yang": lambda B, g: np.linalg.norm(g) / np.linalg.norm(B * g),
    "inverse": lambda B, g: np.linalg.norm(g) / (2 * np.linalg.norm(B * g)),
    "cauchy": lambda B, g: (g @ g) / (g @ (B * g)),
}


def steps(rule, curvatures, count=2000):
    """Return the sizes of literal steps from w = (1, .., 1); the gradient is rescaled, which changes none of them."""
    B = np.array(curvatures, dtype=float)
    g, sizes = B.copy(), []
    for _ in range(count):
        sizes.append(RULES[rule](B, g))
        g = g - sizes[-1] * B * g
        g /= np.linalg.norm(g)
    return sizes


@pytest.mark.parametrize(
    ("rule", "curvatures", "limit"),
    [
        ("dai_yang", (10, 4, 1), 2 / 11),
        ("inverse", (10, 4, 1), 2 / 11),
        ("inverse", (2, 1.5, 1), 0.5),
        ("dai_yang", (2, 1.5, 1), 2 / 3),
    ],
)
def test_limits_of_step_sizes(rule, curvatures, limit):
    assert steps(rule, curvatures)[-2:] == pytest.approx([limit] * 2, rel=1e-9)


def test_cauchy_steps_alternate():
    found = steps("cauchy", (10, 4, 1))
    assert found[-1] != pytest.approx(found[-2], rel=0.1)
    assert found[-4:-2] == pytest.approx(found[-2:], rel=1e-10)
    assert sum(1 / x for x in found[-2:]) == pytest.approx(11, rel=1e-10)


POINT = {a: 10, b: 1}


@pytest.mark.parametrize(
    ("divisor", "fixed", "slope", "values"),
    [
        (1, DAI_YANG, DAI_YANG_MULTIPLIER, POINT),
        (2, INVERSE, INVERSE_MULTIPLIER, POINT),
        (2, INVERSE, INVERSE_MULTIPLIER, {a: 7, b: 2}),
    ],
)
def test_fixed_points_of_the_maps_of_two_modes(divisor, fixed, slope, values):
    step = sp.sqrt(squared_step(divisor))
    step_map = sp.lambdify(u, sp.log(following(step).subs(values)))
    point = float(fixed.subs(values))
    assert float(step.subs(values).subs(u, point)) == pytest.approx(float(LIMIT.subs(values)), rel=1e-12)
    assert step_map(point) == pytest.approx(np.log(point), abs=1e-12)
    measured = (step_map(point * np.exp(1e-5)) - step_map(point * np.exp(-1e-5))) / 2e-5
    assert measured == pytest.approx(float(slope.subs(values)), rel=1e-7)
    assert abs(measured) < 1


def test_steps_of_one_over_d_below_and_at_their_threshold():
    assert INVERSE.subs({a: R(29, 10), b: 1}) < 0 < INVERSE.subs({a: R(31, 10), b: 1})
    assert sp.simplify(INVERSE_MULTIPLIER.subs({a: 7 + 4 * sp.sqrt(3), b: 1})) == -1


@settings(max_examples=20)
@given(ratio=st.floats(0.01, 100), top=st.floats(1.1, 50))
def test_two_cauchy_steps(ratio, top):
    values = {a: sp.Rational(top), b: 1}
    first = sp.Rational(ratio)
    second = following(cauchy(first), first).subs(values)
    assert second == 1 / first
    assert (1 / cauchy(first) + 1 / cauchy(second)).subs(values) == values[a] + 1


@pytest.mark.parametrize(("size", "limit"), [(0.18082, 1), (0.18282, 10)])
def test_which_mode_fixed_steps_end_on(size, limit):
    B = np.array([10.0, 4, 1])
    rate = np.abs(1 - size * B)
    g = B * (rate / rate.max()) ** 20_000  # the gradient from w = (1, 1, 1), rescaled
    assert g @ (B * g) / (g @ g) == pytest.approx(limit, rel=1e-9)


def test_strongly_adapted_steps_on_the_logistic_loss():
    slope = sp.diff(logistic(t), t)
    at_zero = slope.subs(t, 0)
    size = 2 * sp.log(3)
    assert float(size) == pytest.approx(2.19722457733622, rel=1e-12)
    assert sp.simplify(1 / pointwise(logistic, ZERO, -size * at_zero) - size) == 0
    armijo = 4.87502290748805
    assert float(1 / signed(logistic, ZERO, -armijo * at_zero)) == pytest.approx(armijo, rel=1e-12)


def test_every_claim_is_recorded_once():
    claims = [row["id"] for d in recorded().values() if d["name"].startswith("directional_") for row in d["claims"]]
    assert len(claims) == len(set(claims)) == 24
    assert all(c.startswith("directional.") for c in claims)
    assert {"directional.identities", "directional.adapted_steps", "directional.inverse_stable"} <= set(claims)
