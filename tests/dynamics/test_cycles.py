"""Fixed points and 2-cycles: closed forms, completeness against brute force, Newton without elimination."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from eossim import Function, Quadratic, rules
from eossim._map import Map
from eossim.dynamics import FunctionMap, fixed_points, method_map, random_starts, two_cycles
from eossim.maps import SHIPPED
from tests.dynamics.systems import henon, logistic, quartic_1d

cubic = Map("cubic", state="x", parameters="a b c d", update={"x": "a + b*x + c*x**2 + d*x**3"})
coefficients = st.integers(-20, 20).map(lambda n: n / 8)


@settings(max_examples=20)
@given(r=st.floats(3.001, 6))
def test_logistic_map(r):
    origin, other = fixed_points(logistic, r=r)
    np.testing.assert_allclose([origin.points[0, 0], other.points[0, 0]], [0, 1 - 1 / r], atol=1e-14)
    np.testing.assert_allclose([origin.multipliers[0], other.multipliers[0]], [r, 2 - r], rtol=1e-11)
    (cycle,) = two_cycles(logistic, r=r)
    root = np.sqrt((r - 3) * (r + 1))
    np.testing.assert_allclose(
        np.sort(cycle.points[:, 0]), [(r + 1 - root) / (2 * r), (r + 1 + root) / (2 * r)], rtol=1e-11
    )
    assert cycle.multipliers[0].real == pytest.approx(4 + 2 * r - r**2, rel=1e-10, abs=1e-10)
    assert cycle.stable == (r < 1 + np.sqrt(6))


def test_no_two_cycle_up_to_its_birth():
    assert len(two_cycles(logistic, r=3.0)) == len(two_cycles(logistic, r=2.9)) == 0
    assert two_cycles(logistic, r=2.9).complete


@given(a=coefficients, b=coefficients, c=coefficients, d=coefficients)
def test_all_real_fixed_points_and_cycles_of_cubics(a, b, c, d):
    assume(d != 0)
    values = dict(a=a, b=b, c=c, d=d)
    listed = np.array(
        [p.points[0, 0] for p in fixed_points(cubic, **values)]
        + [x for cycle in two_cycles(cubic, **values) for x in cycle.points[:, 0]]
    )
    np.testing.assert_allclose(
        cubic.step(cubic.step(listed[:, None], **values), **values)[:, 0], listed, rtol=1e-6, atol=1e-8
    )
    # Every sign change of F(F(x)) - x on a fine grid is one of them.
    bound = 2 + 2 * max(abs(v) for v in values.values()) / abs(d)
    x = np.linspace(-bound, bound, 20_001)
    twice = cubic.step(cubic.step(x[:, None], **values), **values)[:, 0] - x
    changes = x[:-1][(np.sign(twice[:-1]) * np.sign(twice[1:])) < 0]
    for left in changes:
        assert np.any((listed >= left - 1e-6) & (listed <= left + 2 * bound / 20_000 + 1e-6))


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
@example(seed=14)  # a leading coefficient that vanishes at an irrational root
@example(seed=492)  # solutions at infinity
@example(seed=773)  # the second unknown is zero at an irrational root of the first
def test_all_fixed_points_of_maps_of_the_plane(seed):
    # Eighths and small degrees: factors, curves, double points and vertical lines turn up.
    rng = np.random.default_rng(seed)
    monomials = ["1", "x", "y", "x*y", "x**2", "y**2", "x**2*y"]
    terms = [[f"{n}*{m}" for n, m in zip(rng.integers(-3, 4, 7), monomials, strict=True)] for _ in range(2)]
    chosen = [" + ".join(rng.choice(row, 4, replace=False)) for row in terms]
    plane = Map("plane", state="x y", update={"x": chosen[0], "y": chosen[1]})
    found = fixed_points(plane)
    assert found.complete
    for cycle in found:
        np.testing.assert_allclose(plane.step(cycle.points), cycle.points, rtol=1e-9, atol=1e-9)
    listed = np.concatenate([np.empty((0, 2)), *(c.points for c in found)])
    curves = [sp.lambdify(list(map(str, plane.states)), c) for c in found.curves]
    for cycle in fixed_points(plane, starts=rng.normal(0, 3, (300, 2))):
        point = cycle.points[0]
        on_curve = any(abs(curve(*point)) < 1e-4 * (1 + np.abs(point).max()) ** 3 for curve in curves)
        assert on_curve or np.abs(listed - point).max(axis=1, initial=0).min(initial=np.inf) < 1e-4


def test_henon_map():
    a, b = 1.4, 0.3
    found = fixed_points(henon, a=a, b=b)
    roots = np.roots([a, 1 - b, -1])
    np.testing.assert_allclose(sorted(p.points[0, 0] for p in found), sorted(roots), rtol=1e-12)
    assert found.complete
    assert {p.stability for p in found} == {"saddle"}
    (cycle,) = two_cycles(henon, a=a, b=b)
    # Sum (1-b)/a and product ((1-b)² - a)/a² of the two values of x; the multipliers multiply to b².
    x = cycle.points[:, 0]
    np.testing.assert_allclose([x.sum(), x.prod()], [(1 - b) / a, ((1 - b) ** 2 - a) / a**2], rtol=1e-12)
    assert np.prod(cycle.multipliers).real == pytest.approx(b**2, rel=1e-12)


@settings(max_examples=20)
@given(Y=st.floats(0.05, 1.95).filter(lambda Y: abs(Y - 1) > 1e-3))
def test_fixed_points_of_the_uv_model(Y):
    # The line of zero loss, and (0, 0), (4(Y+2), 0), (0, 4(2-Y)) with their multipliers (derived).
    found = fixed_points(SHIPPED["uv"], Y=Y)
    assert found.complete
    assert len(found.curves) == 1
    expected = [
        ((0, 0), sorted([(1 + Y) ** 2, (1 - Y) ** 2], reverse=True), "saddle"),
        ((0, 4 * (2 - Y)), sorted([9, 5 - 2 * Y], reverse=True), "unstable"),
        ((4 * (Y + 2), 0), sorted([9, 5 + 2 * Y], reverse=True), "unstable"),
    ]
    for cycle, (point, multipliers, stability) in zip(found, expected, strict=True):
        np.testing.assert_allclose(cycle.points[0], point, atol=1e-11)
        np.testing.assert_allclose(cycle.multipliers.real, multipliers, rtol=1e-11)
        assert cycle.stability == stability


@settings(max_examples=20)
@given(Y=st.floats(1.0001, 1.99))
def test_two_cycle_of_the_uv_model(Y):
    # X₁X₂ = 1 and X₁² + X₂² = 1 + Y on the balanced manifold, multiplier 9 - 2(1+Y)² along it and (3-2Y)² across it.
    (in_one,) = [c for c in two_cycles(SHIPPED["uv_balanced"], Y=Y) if (c.points > 0).all()]
    np.testing.assert_allclose([in_one.points.prod(), (in_one.points**2).sum()], [1, 1 + Y], rtol=1e-11)
    assert in_one.multipliers[0].real == pytest.approx(9 - 2 * (1 + Y) ** 2, rel=1e-9, abs=1e-9)
    assert in_one.stable == bool(np.sqrt(5) - 1 > Y)


def test_two_cycles_of_the_uv_model_in_the_plane():
    found = two_cycles(SHIPPED["uv"], Y=1.1)
    assert found.complete
    (balanced,) = [c for c in found if (c.points[:, 1] == 0).all()]
    np.testing.assert_allclose(sorted(balanced.multipliers.real), sorted([9 - 2 * 2.1**2, (3 - 2.2) ** 2]), rtol=1e-10)
    assert balanced.stable
    for cycle in found:
        after = SHIPPED["uv"].step(cycle.points, Y=1.1)
        np.testing.assert_allclose(after, cycle.points[::-1], rtol=1e-12, atol=1e-12)
    # Newton's method from many starts finds none that is not listed.
    starts = np.random.default_rng(0).uniform(0, 14, (3000, 2))
    searched = two_cycles(SHIPPED["uv"], Y=1.1, starts=starts)
    assert not searched.complete
    listed = np.concatenate([c.points for c in found])
    for cycle in searched:
        assert np.abs(listed - cycle.points[0]).max(axis=1).min() < 1e-8


def test_superstable_two_cycle():
    (cycle,) = [c for c in two_cycles(SHIPPED["uv_balanced"], Y=np.sqrt(4.5) - 1) if (c.points > 0).all()]
    assert abs(cycle.multipliers[0]) < 1e-13


@given(f3=st.floats(-2, 2), f4=st.floats(-4, 4), f2=st.floats(0.5, 2))
def test_a_stable_two_cycle_is_born_by_the_two_step_criterion(f2, f3, f4):
    # At a minimum, as the step size passes 2/f'': if and only if 3 f'''² - f'' f'''' > 0 (derived; arXiv:2206.04172).
    criterion = 3 * f3**2 - f2 * f4
    assume(abs(criterion) > 0.5)
    system = method_map(rules.gd, quartic_1d(f2, f3, f4))

    def near(eta):
        found = two_cycles(system, eta=eta, starts=np.linspace(-0.06, 0.06, 25)[:, None])
        return [c for c in found if np.abs(c.points).max() < 0.15]

    above, below = near(2.0005 / f2), near(1.9995 / f2)
    assert any(c.stable for c in above) == (criterion > 0)
    assert bool(below) == (criterion < 0)
    assert not any(c.stable for c in below)


def test_newton_finds_the_minima_of_a_double_well():
    system = FunctionMap(lambda x, eta: x - eta[..., None] * (x**3 - x), 1, ("eta",))
    found = fixed_points(system, eta=0.5)
    np.testing.assert_allclose([p.points[0, 0] for p in found], [-1, 0, 1], atol=1e-12)
    np.testing.assert_allclose([p.multipliers[0].real for p in found], [0, 1.5, 0], atol=1e-9)
    assert [p.stability for p in found] == ["stable", "unstable", "stable"]
    assert not found.complete
    assert "may be incomplete" in repr(found)


def test_a_line_of_minima_is_neutral():
    system = method_map(rules.gd, Quadratic([1.0, 0.0]))
    found = fixed_points(system, eta=0.5, starts=[[1.0, 2.0], [-1.0, 3.0]])
    np.testing.assert_allclose([p.points[0] for p in found], [[0, 2], [0, 3]], atol=1e-14)
    assert {p.stability for p in found} == {"neutral"}


def test_every_point_of_the_identity_is_fixed():
    identity = Map("identity", state="x", update={"x": "x"})
    assert fixed_points(identity).curves == ("0",)
    swap = Map("swap", state="x y", update={"x": "y", "y": "x"})
    assert fixed_points(swap).curves == ("x - y",)
    assert two_cycles(swap).curves == ("0",)


@given(exponent=st.floats(-300, -1))
def test_fixed_points_however_close(exponent):
    # 0 and ±√Y; at such distances every magnitude is small against 1.
    Y = 10**exponent
    found = fixed_points(SHIPPED["uv_balanced"], Y=Y)
    np.testing.assert_allclose([p.points[0, 0] for p in found], [-np.sqrt(Y), 0, np.sqrt(Y)], rtol=1e-15)


@settings(max_examples=20)
@given(exponent=st.floats(-15, -1))
def test_fixed_points_of_the_plane_however_close(exponent):
    Y = 2 - 10**exponent
    found = fixed_points(SHIPPED["uv"], Y=Y)
    assert found.complete
    np.testing.assert_allclose([p.points[0] for p in found], [[0, 0], [0, 4 * (2 - Y)], [4 * (Y + 2), 0]], rtol=1e-14)


@settings(max_examples=20)
@given(y=st.integers(-60, 60), kappa=st.integers(-40, 40), Y=st.sampled_from([0.5, 1.1, 1.7]))
def test_elimination_does_not_depend_on_units(y, kappa, Y):
    # Powers of two: the same numbers in other units, eta √kappa y fixed.
    unit_f, unit_lam = 2.0**y, 2.0 ** (y + kappa)
    values = dict(eta=Y / unit_lam, kappa=4.0**kappa, y=unit_f)
    here = fixed_points(SHIPPED["uv_function"], **values)
    reference = fixed_points(SHIPPED["uv_function"], eta=Y, kappa=1.0, y=1.0)
    assert here.complete
    assert len(here.curves) == len(reference.curves) == 1
    for cycle, other in zip(here, reference, strict=True):
        np.testing.assert_allclose(cycle.points / [unit_f, unit_lam], other.points, rtol=1e-13)


@settings(max_examples=5)
@given(exponent=st.floats(1, 9))
@example(exponent=7.0)
def test_two_cycles_of_the_plane_far_out(exponent):
    # Beyond Y = 3√3/2 - 1, and away from further births below 10, their number stays.
    Y = 10**exponent
    found = two_cycles(SHIPPED["uv"], Y=Y)
    assert found.complete
    assert len(found) == 9
    assert max(np.abs(c.points).max() for c in found) < 4 * Y + 10
    # On the balanced manifold X₁² + X₂² = 1 + Y with X₁X₂ = 1, and the symmetric X² = 2 + Y.
    pair = sorted(c.points[0, 0] for c in two_cycles(SHIPPED["uv_balanced"], Y=Y))
    root = np.sqrt(((1 + Y) + np.sqrt((1 + Y) ** 2 - 4)) / 2)
    np.testing.assert_allclose(pair, [-np.sqrt(2 + Y), -root, 1 / root], rtol=1e-13)


@settings(max_examples=15)
@given(root=st.floats(-3, 3), power=st.sampled_from([2, 3, 4, 5]), factor=st.sampled_from([-0.7, 0.5, 1.0]))
@example(root=0.0, power=3, factor=-1.0)
def test_a_multiple_root_is_one_neutral_fixed_point(root, power, factor):
    system = FunctionMap(lambda x: x + factor * (x - root) ** power, 1)
    (only,) = fixed_points(system)
    # Rounding hides a residual of some ε, and so the root to ε^(1/power).
    assert only.points[0, 0] == pytest.approx(root, abs=10 * (1e-15) ** (1 / power))
    assert only.stability == "neutral"


def test_gradient_descent_on_a_quartic_has_one_neutral_fixed_point():
    quartic = Function(1, lambda w: (w**4).sum(-1) / 4, lambda w: w**3, lambda w, v: 3 * w**2 * v)
    (only,) = fixed_points(method_map(rules.gd, quartic), eta=1.0)
    assert abs(only.points[0, 0]) < 1e-4
    assert only.stability == "neutral"


@settings(max_examples=20)
@given(exponent=st.floats(-15, -3))
def test_newton_beside_a_period_doubling_lists_each_cycle_once(exponent):
    # x (2 + d - x²): 2-cycles (s, -s) with s² = 3 + d, and a pair about ±1 of width √d, which may merge with it.
    d = 10**exponent
    system = FunctionMap(lambda x: x * (2 + d - x * x), 1)
    fixed = [p.points[0, 0] for p in fixed_points(system)]
    np.testing.assert_allclose(fixed, [-np.sqrt(1 + d), 0, np.sqrt(1 + d)], atol=1e-12)
    found = two_cycles(system)
    assert len(found) == 3 or (len(found) == 1 and d < 1e-9)
    np.testing.assert_allclose(np.abs(found[0].points), np.sqrt(3 + d), rtol=1e-12)
    for cycle in found[1:]:
        assert np.ptp(cycle.points) == pytest.approx(np.sqrt(d), rel=0.1)


def test_table():
    text = repr(fixed_points(SHIPPED["uv"], Y=0.5))
    assert text.splitlines()[0] == "fixed points of uv at Y = 0.5: all, by elimination"
    assert "every point with P - Q - 2 = 0" in text
    assert "saddle" in text


def test_bad_input():
    with pytest.raises(ValueError, match='unknown parameter of logistic "R"'):
        fixed_points(logistic, R=3.0)
    with pytest.raises(ValueError, match="r must be 0-D"):
        fixed_points(logistic, r=[3.0, 3.1])
    with pytest.raises(ValueError, match="starts must have shape"):
        two_cycles(logistic, r=3.0, starts=[[0.1, 0.2]])
    with pytest.raises(ValueError, match="0 < eta < inf required"):
        fixed_points(method_map(rules.gd, Quadratic([1.0])), eta=-0.1)
    with pytest.raises(TypeError, match="system must be"):
        fixed_points("logistic", r=3.0)


def test_points_of_a_line_of_minima_are_named():
    """L = (1 - xy)²/2 is least on a hyperbola, every point of which gradient descent stays at."""
    product = Function(2, lambda w: (1 - w[..., 0] * w[..., 1]) ** 2 / 2, _product_gradient, _product_hvp)
    found = fixed_points(method_map(rules.gd, product), starts=random_starts([0.5, 0.5], [2, 2], 20), eta=0.5)
    assert len(found) > 1
    assert "those with a multiplier 1 may be points of a whole line of them" in repr(found)
    assert "whole line" not in repr(fixed_points(FunctionMap(lambda x: x / 2 + 1, 1)))


def _product_gradient(w):
    return -(1 - w[..., :1] * w[..., 1:]) * w[..., ::-1]


def _product_hvp(w, v):
    x, y = w[..., 0], w[..., 1]
    across = 2 * x * y - 1
    return np.stack([y * y * v[..., 0] + across * v[..., 1], across * v[..., 0] + x * x * v[..., 1]], axis=-1)
