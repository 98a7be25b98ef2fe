"""Periods of cycles: known windows, the neighbourhood of bifurcations, chaos, curves, divergence."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eossim import Quadratic, rules
from eossim._map import Map
from eossim.dynamics import FunctionMap, method_map, period
from eossim.dynamics._settle import Options, settle
from eossim.maps import SHIPPED
from tests.dynamics.systems import area_preserving, circle, delayed_logistic, logistic, turn

SECOND = 1 + np.sqrt(6)  # where the 2-cycle of the logistic map loses stability
# Not a preimage of a fixed point.
starts = st.floats(0.05, 0.95).filter(lambda x: min(abs(x - y) for y in (1 / 3, 0.5, 2 / 3)) > 1e-2)
closeness = st.floats(-8, -1.3).map(lambda exponent: 10**exponent)


def period_at(system, x0, **parameters):
    return int(period(system, x0, **parameters).period)


@settings(max_examples=25)
@given(distance=closeness, transient=st.sampled_from([500, 2000, 20_000]))
@example(distance=1e-8, transient=500)
def test_both_sides_of_a_period_doubling_at_any_distance(distance, transient):
    for edge, before in ((3.0, 1), (SECOND, 2)):
        assert period_at(logistic, 0.3, r=edge - distance, transient=transient) == before
        assert period_at(logistic, 0.3, r=edge + distance, transient=transient) == 2 * before


@settings(max_examples=25)
@given(x0=starts, distance=closeness, transient=st.sampled_from([500, 2000, 20_000]))
def test_a_period_that_is_given_is_right_from_any_start(x0, distance, transient):
    # A start close to the cycle that has just lost its stability leaves it slowly: no period is given until it has.
    for edge, before in ((3.0, 1), (SECOND, 2)):
        assert period_at(logistic, x0, r=edge - distance, transient=transient) in (before, 0)
        assert period_at(logistic, x0, r=edge + distance, transient=transient) in (2 * before, 0)


@given(x0=starts, transient=st.sampled_from([1000, 30_000, 3_000_000]))
def test_at_a_bifurcation_the_period_is_that_of_the_limit(x0, transient):
    # Convergence is algebraic: after n steps the run still swings by n^-1/2 about its fixed point, and displaces by
    # n^-3/2 in two steps, which looks like a 2-cycle.
    assert period_at(logistic, x0, r=3.0, transient=transient) == 1


def test_slow_convergence_is_marked_until_the_tolerance_is_met():
    assert period(logistic, 0.3, r=3.0, transient=1000).slow
    assert not period(logistic, 0.3, r=3.0, transient=3_000_000).slow


def test_windows_of_the_logistic_map():
    r = [0.5, 1.0, 2.0, 3.2, 3.5, 3.55, 3.83, 3.74, 3.9, 4.0, 4.1]
    # 3.74 lies in the window of period 5, 3.83 in that of period 3.
    np.testing.assert_array_equal(period(logistic, 0.3, r=r).period, [1, 1, 1, 2, 4, 8, 3, 5, 0, 0, -1])


@pytest.mark.parametrize("name", ["uv_balanced", "uv_residual"])
def test_period_doubling_of_the_uv_model(name):
    # Edges 1, √5 - 1 and 1.288031754; chaos beyond about 1.3023; divergence beyond 2 (arXiv:2311.02076, derived).
    Y = [0.5, 0.99, 1.01, 1.2, np.sqrt(5) - 1 - 1e-7, np.sqrt(5) - 1 + 1e-7, 1.288031754 - 1e-7, 1.288031754 + 1e-7]
    expected = [1, 1, 2, 2, 2, 4, 4, 8, 0, 0, -1]
    x0 = 0.7 if name == "uv_balanced" else -0.3
    np.testing.assert_array_equal(period(SHIPPED[name], x0, Y=[*Y, 1.31, 1.99, 2.1]).period, expected)


@settings(max_examples=20)
@given(q=st.integers(1, 30), turns=st.integers(1, 200))
def test_rational_rotations_have_the_period_of_their_denominator(q, turns):
    smallest = q // np.gcd(q, turns)
    assert period_at(turn, [1.0, 0.5], angle=2 * np.pi * turns / q, factor=1.0, transient=100) == smallest


def test_irrational_rotations_have_no_period_and_slow_spirals_have_that_of_their_centre():
    golden = np.pi * (3 - np.sqrt(5))
    found = period(turn, [1.0, 0.5], angle=golden, factor=[1.0, 1 - 1e-6, 0.99], transient=2000)
    np.testing.assert_array_equal(found.period, [0, 1, 1])
    np.testing.assert_array_equal(found.slow, [False, True, False])


# Rotations with no small denominator nearby: |q θ/(2π) - n| > 1e-6 up to q = 64.
angles = st.floats(0.01, np.pi - 0.01).filter(
    lambda angle: np.abs((q := np.arange(1, 65)) * angle / (2 * np.pi) - np.round(q * angle / (2 * np.pi))).min() > 1e-6
)


@settings(max_examples=5)
@given(angle=st.lists(angles, min_size=50, max_size=50), transient=st.sampled_from([100, 1000, 3000]))
def test_pure_rotations_have_no_period(angle, transient):
    found = period(turn, [1.0, 0.3], angle=angle, factor=1.0, transient=transient)
    assert (found.period == 0).all()
    assert not found.slow.any()


@settings(max_examples=5)
@given(angle=st.lists(angles, min_size=100, max_size=100), mu=st.sampled_from([1e-5, 4e-5, 1e-4, 1e-3]))
def test_circles_that_have_just_been_born_have_no_period(angle, mu):
    # Each angle with its own cosine and sine: not a product of axes, as `period` would make of them.
    values = {"c": np.cos(angle), "s": np.sin(angle), "mu": np.full(len(angle), mu)}
    starts = np.tile([1.1 * np.sqrt(mu), 0.0], (len(angle), 1))
    found = settle(circle, starts, values, Options.checked(int(8 / mu), 64, 1e-9, 1e8))
    assert (found.period == 0).all()


@settings(max_examples=15)
@given(angle=angles, amplitude=st.floats(0.01, 0.08), transient=st.sampled_from([1000, 10_000]))
def test_curves_of_a_map_that_preserves_area_are_never_slow(angle, amplitude, transient):
    # No run approaches anything: what does not repeat already never will.
    values = {"c": np.cos([angle]), "s": np.sin([angle])}
    options = Options.checked(transient, 64, 1e-9, 1e8)
    assert not settle(area_preserving, np.array([[amplitude, 0.0]]), values, options).slow.any()


@pytest.mark.parametrize("transient", [1000, 10_000])
def test_a_two_cycle_that_repels_weakly_is_none(transient):
    # Its multipliers are complex of modulus 1.00006.
    found = period(SHIPPED["self_stabilization"], [0.55, 0.0], eta=0.01, alpha=0.3, beta=2.0, transient=transient)
    assert found.period == 0


@settings(max_examples=10)
@given(factor=st.floats(-6, -3).map(lambda e: 1 - 10**e), angle=angles)
def test_slow_spirals_reach_their_centre(factor, angle):
    # The centre is the only cycle.
    assert period_at(turn, [1.0, 0.3], angle=angle, factor=factor, transient=1000) in (0, 1)


#: The logistic map in units of a, and what it drives in units of b.
driven = Map("driven", state="x y", parameters="r a b", update={"x": "r*x*(1 - x/a)", "y": "b*(x/a)**2 + y/2"})
fading = Map("fading", state="x y", parameters="r q", update={"x": "r*x*(1 - x)", "y": "q*y"})


@settings(max_examples=20)
@given(units=st.tuples(st.floats(-12, 12), st.floats(-12, 12)), r=st.sampled_from([3.2, 3.5, 3.83, 3.9]))
def test_periods_do_not_depend_on_the_units_of_the_coordinates(units, r):
    a, b = 10.0 ** np.array(units)
    expected = {3.2: 2, 3.5: 4, 3.83: 3, 3.9: 0}[r]
    assert period_at(driven, [0.3 * a, 0.5 * b], r=r, a=a, b=b, transient=2000, bound=1e20) == expected


@settings(max_examples=20)
@given(start=st.floats(-5, 12), rate=st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_a_coordinate_that_fades_does_not_hide_the_others(start, rate):
    found = period(fading, [0.3, 10**start], r=[3.2, 3.9], q=rate, transient=3000, bound=1e20)
    np.testing.assert_array_equal(found.period, [2, 0])
    still = period(fading, [0.3, 10**start], r=[3.2, 3.9], q=1.0, transient=3000, bound=1e20)
    np.testing.assert_array_equal(still.period, [2, 0])


def test_a_fixed_point_that_turns_into_a_closed_curve():
    found = period(delayed_logistic, [0.4, 0.5], r=[1.9, 1.999, 2.05], transient=500)
    np.testing.assert_array_equal(found.period, [1, 1, 0])


def test_chaos_is_never_taken_for_a_cycle():
    many = np.random.default_rng(0).uniform(0.01, 0.99, (2000, 1))
    for r in (3.7, 3.9, 4.0):
        assert (period(logistic, many, r=r, transient=500).period == 0).all()


def test_slow_departure_from_an_unstable_cycle_is_no_cycle():
    # 1e-9 beside the unstable fixed point of r = 3.001, whose multiplier is -1.001.
    unstable = 1 - 1 / 3.001
    assert period_at(logistic, unstable + 1e-6, r=3.001, transient=1000) == 0
    assert period_at(logistic, unstable + 1e-6, r=3.001, transient=100_000) == 2


def test_small_numbers_are_small_against_the_start():
    # The run shrinks by the same factor for ever; it is at its fixed point when that cannot be seen from the start.
    assert period_at(FunctionMap(lambda x: 0.9 * x, 1), 1.0, transient=1000) == 1


def test_without_a_derivative_slow_convergence_is_not_resolved():
    class Plain:
        dim, parameters = 1, ("r",)

        def step(self, x, r):
            return r[..., None] * x * (1 - x)

    found = period(Plain(), 0.3, r=[2.5, 3.0, 3.2], transient=1000)
    np.testing.assert_array_equal(found.period, [1, 0, 2])
    assert not found.slow.any()


def test_heavy_ball_at_its_edge():
    system = method_map(rules.heavy_ball, Quadratic([1.0, 2.0]))
    found = period(system, [1.0, 1.0], eta=[0.1, 1.8999, 1.91], beta=0.9, transient=5000)
    np.testing.assert_array_equal(found.period, [1, 1, -1])


def test_axes_and_attributes():
    found = period(logistic, [[0.2], [0.3]], r=[2.0, 3.2, 3.5], transient=2000)
    assert found.period.dims == ("r", "start")
    np.testing.assert_array_equal(found.period, [[1, 1], [2, 2], [4, 4]])
    assert found.period.attrs["long_name"]
    assert found.attrs["transient"] == 2000
    np.testing.assert_array_equal(found.x0, [[0.2], [0.3]])


def test_results_do_not_depend_on_the_blocks(monkeypatch):
    r = np.linspace(2.9, 4.0, 200)
    whole = period(logistic, [[0.2], [0.3]], r=r, transient=500)
    monkeypatch.setattr("eossim.dynamics._batch.BLOCK_NUMBERS", 5000)
    assert whole.identical(period(logistic, [[0.2], [0.3]], r=r, transient=500))


def test_bad_input():
    with pytest.raises(ValueError, match="max_period must be an integer >= 1"):
        period(logistic, 0.3, r=3.0, max_period=0)
    with pytest.raises(ValueError, match=r"0 < tolerance < 1 required"):
        period(logistic, 0.3, r=3.0, tolerance=0.0)
    with pytest.raises(ValueError, match='unknown parameter of logistic "rr"; did you mean "r"'):
        period(logistic, 0.3, rr=3.0)
    with pytest.raises(ValueError, match="logistic needs a value for r"):
        period(logistic, 0.3)
    with pytest.raises(ValueError, match="r must be finite"):
        period(logistic, 0.3, r=[3.0, np.nan])
    with pytest.raises(ValueError, match=r"starts must have shape \(1,\) or \(starts, 1\)"):
        period(logistic, [[0.1, 0.2]], r=3.0)
    with pytest.raises(ValueError, match=r"starts must be points, not how many: .* random_starts\(low, high, 500\)"):
        period(logistic, 500, r=3.0)
    with pytest.raises(ValueError, match="starts must be finite"):
        period(logistic, [np.inf], r=3.0)
    with pytest.raises(TypeError, match="system must be"):
        period(lambda x: x, [0.1])
    with pytest.raises(ValueError, match="0 < eta < inf required"):
        period(method_map(rules.gd, Quadratic([1.0])), 0.3, eta=-1.0)
    with pytest.raises(ValueError, match="cannot be called 'start'"):
        period(FunctionMap(lambda x, start: x, 1, ("start",)), 0.3, start=1.0)


def test_in_one_dimension_several_numbers_are_several_starts():
    many = period(logistic, [0.1, 0.2, 0.3], r=3.2)
    assert many.identical(period(logistic, [[0.1], [0.2], [0.3]], r=3.2))
    assert many.sizes["start"] == 3
