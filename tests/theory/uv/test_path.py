"""Runs of many steps: gradient flow, starts of zero output, waiting time, peaks and barriers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from eossim.engine.iterate import extremes, orbit
from eossim.maps import uv as uv_map
from eossim.maps import uv_function
from eossim.problems import UVModel
from eossim.theory import uv
from tests.strategies import seeds


def test_gradient_flow_reference():
    assert uv.gradient_flow_end(-1.0, 1.5, 0.25, 2.0) == pytest.approx(2.29128785, rel=1e-8)
    end = orbit(uv_function, [-1.0, 1.5], 20_000, eta=0.001, kappa=0.25, y=2.0)[0, 0]
    assert end[1] == pytest.approx(2.29081, abs=5.1e-6)


@given(seeds, st.sampled_from([0.5, -1.5]))
def test_gradient_flow_against_an_integrator(seed, y):
    problem = UVModel(2, y=y)
    w = problem.initial(seed)
    run = solve_ivp(lambda t, w: -problem.grad(w), (0, 60), w, method="LSODA", rtol=1e-9, atol=1e-11)
    end = run.y[:, -1]
    if problem.loss(end) > 1e-12:  # still on its way past the saddle
        return
    expected = uv.gradient_flow_end(problem.function(w), problem.ntk(w), problem.kappa, y)
    assert problem.ntk(end) == pytest.approx(expected, rel=1e-5)
    assert problem.sharpness(end) == pytest.approx(expected, rel=1e-5)


@given(seeds, st.integers(1, 9), st.sampled_from([0.7, -1.5, 0.0]))
def test_flow_on_the_balanced_manifold(seed, width, y):
    """u = ±v stays so: f = ±|u|²/√w falls to 0, the saddle, unless it has the sign of y."""
    problem = UVModel(width, y=y)
    v = np.random.default_rng(seed).standard_normal(width)
    for sign in (1, -1):
        w = problem.join(sign * v[:, None], v)
        found = uv.gradient_flow_end(problem.function(w), problem.ntk(w), problem.kappa, y)
        ends_at_minimum = sign * y > 0
        assert found == pytest.approx(2 * np.sqrt(problem.kappa) * abs(y) if ends_at_minimum else 0, rel=1e-9)
    eta = 0.02 / max(problem.ntk(w), 1)
    P, Q, Y = problem.unit_free(problem.join(v[:, None] * -np.sign(y), v), eta)
    if y:
        first = [0.0, Q[()]] if y > 0 else [P[()], 0.0]
        after = orbit(uv_map, first, 20_000, Y=Y)[0, 0].sum() / (2 * eta)
        assert after < 1e-3 * problem.ntk(w)


def test_zero_output_reference():
    assert uv.zero_output_c_loss(1.0, 1 / 8, 1.5) == pytest.approx(2.457737973711325, rel=1e-14)
    assert uv.zero_output_c_loss(1.0, 1 / 8, 0.0) == 2
    assert np.isnan(uv.zero_output_c_loss(0.0, 1.0, 1.0))


@given(seeds, st.integers(1, 20), st.floats(-3, 3).filter(lambda y: abs(y) > 0.01))
def test_a_start_of_zero_output(seed, width, y):
    problem = UVModel(width, y=y)
    w = problem.initial(seed)
    w[width:] = 0
    c = uv.zero_output_c_loss(problem.ntk(w), problem.kappa, y)
    for factor, rises in ((1 - 1e-9, False), (1 + 1e-9, True)):
        eta = factor * c / problem.sharpness(w)
        after = w - eta * problem.grad(w)
        assert (problem.loss(after) > problem.loss(w)) == rises
        expected = problem.ntk(w) * (1 + eta**2 * problem.kappa * y**2)
        assert problem.ntk(after) == pytest.approx(expected, rel=1e-11)


def test_critical_step():
    assert uv.eta_critical(4.0, -0.25) == 2
    assert uv.eta_critical(1.0, 0.0) == np.inf
    assert np.isnan(uv.eta_critical(-1.0, 1.0))


def test_waiting_time():
    # While the output is small it grows by k - 1 a step, so it passes a tenth by ln(10)/ln(k - 1) steps earlier.
    k = np.repeat([2.5, 3.0, 3.5], 3)
    s = np.tile([1e-6, 1e-9, 1e-12], 3)
    x = k[:, None] * np.stack([1 + 2 * np.sqrt(s), 1 - 2 * np.sqrt(s)], -1)
    arrived = np.zeros(len(k))
    for t in range(1, 100):
        x = uv_map.step(x, Y=0.0)
        arrived = np.where((arrived == 0) & (np.abs(x[:, 0] - x[:, 1]) / 4 > 0.1), t, arrived)
    earlier = np.log(10) / np.log(k - 1)
    late = arrived - (uv.waiting_time(k, s) - earlier)
    assert (late > -0.05).all()
    assert (late < 1.05).all()
    assert np.isnan(uv.waiting_time([2.0, 1.0, 3.0, 3.0], [0.1, 0.1, 0.0, 0.3])).all()
    assert uv.waiting_time(3.99, 0.25) == 0


def test_the_peak():
    eta, kappa = 1.5, 1 / 1024
    assert uv.peak_bound(eta, kappa) == pytest.approx(910.2, abs=0.06)
    start = eta * np.array([2 + 2 * kappa**0.5, 2 - 2 * kappa**0.5])
    peak = extremes(uv_map, start, 200, Y=0.0)["loss"].peak[0] / (eta**2 * kappa)
    assert peak == pytest.approx(189.328, abs=6e-4)


@given(st.floats(2, 3.9999), st.floats(1e-6, 0.249))
def test_no_peak_passes_the_bound(k, s):
    peak = extremes(uv_map, k * np.array([1 + 2 * s**0.5, 1 - 2 * s**0.5]), 300, Y=0.0)["loss"].peak[0]
    assert peak < uv.peak_bound(1.0, 1.0)


# --- the loss on the segment ---


@given(seeds, st.integers(1, 4), st.sampled_from([0.0, 0.8]), st.integers(1, 4), st.floats(0.1, 3))
def test_loss_on_the_segment_between_parameters(seed, width, y, steps, k):
    problem = UVModel(width, [0.6, 1.1], y)
    first = problem.initial(seed)
    eta = k / problem.ntk(first)
    last = first
    for _ in range(steps):
        last = last - eta * problem.grad(last)
    if not np.abs(last).max() < 100:
        return
    tau = np.linspace(0, 1, 201)
    unit = eta**2 * problem.kappa
    literal = unit * problem.loss(first + tau[:, None] * (last - first))
    P, Q, Y = problem.unit_free(first, eta)
    A, B = uv.segment_products(P, Q, Y, steps)
    np.testing.assert_allclose(uv.segment_loss(tau, P, Q, A, B, Y), literal, rtol=1e-8, atol=1e-9 * literal.max())
    peak = uv.segment_peak(P, Q, A, B, Y)
    assert peak >= literal.max() * (1 - 1e-9)
    assert peak <= literal.max() * 1.01 + 1e-12
    if abs(literal.max() / literal[0] - 1) > 0.02:
        assert uv.raises_barrier(P, Q, A, B, Y) == (literal.max() > literal[0])


def smallest_barrier(s, steps, raises=uv.raises_barrier):
    """Smallest c with a barrier by a scan upward and bisection; infinite if there is none below c_max."""
    C = uv.conversion(s)

    def barrier(c):
        k = 2 * np.asarray(c) / C
        P, Q = k * (1 + 2 * np.sqrt(s)), k * (1 - 2 * np.sqrt(s))
        return raises(P, Q, *uv.segment_products(P, Q, 0.0, steps))

    grid = np.linspace(0.1, uv.c_max(s) * (1 - 1e-6), 1001)
    found = barrier(grid)
    if not found.any():
        return np.inf
    low, high = grid[found.argmax() - 1], grid[found.argmax()]
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if barrier(middle) else (middle, high)
    return high


def seen_at_4001_points(*segment):
    loss = uv.segment_loss(np.linspace(0, 1, 4001), *(np.asarray(v)[..., None] for v in segment))
    return (loss > loss[..., :1]).any(-1)


def test_reference_barriers():
    # The values of two steps are those that 4001 points of the segment show; the barrier begins earlier, next to τ = 0.
    assert smallest_barrier(1 / 64, 1) == pytest.approx(2.159459797, rel=1e-9)
    assert smallest_barrier(1 / 64, 2, seen_at_4001_points) == pytest.approx(2.2397610309, rel=1e-9)
    assert smallest_barrier(0.05, 2, seen_at_4001_points) == pytest.approx(3.1300893690, rel=1e-9)
    assert smallest_barrier(0.1, 2) == smallest_barrier(0.1, 2, seen_at_4001_points) == np.inf


@pytest.mark.parametrize("s", [1 / 64, 0.05])
def test_a_barrier_of_two_steps_begins_where_the_first_slope_vanishes(s):
    r = 2 * np.sqrt(s)

    def slope(k):  # of f² at τ = 0, with f = (p - q)/4: -(p (1 - A) - q (1 - B)), by hand for two steps
        first = k * r / 2
        after = k * ((1 + r) * (1 - first) ** 2 - (1 - r) * (1 + first) ** 2) / 4
        return (1 + r) * (1 - (1 - first) * (1 - after)) - (1 - r) * (1 - (1 + first) * (1 + after))

    c = smallest_barrier(s, 2)
    k = brentq(slope, 0.99 * 2 * c / uv.conversion(s), 1.01 * 2 * c / uv.conversion(s), xtol=1e-14)
    assert c == pytest.approx(k * uv.conversion(s) / 2, rel=1e-9)


@given(st.floats(0.001, 0.12))
def test_one_step_has_a_barrier_from_c_loss_on(s):
    assert smallest_barrier(s, 1) == pytest.approx(uv.c_loss(s), rel=1e-7)


def test_bad_input():
    with pytest.raises(ValueError, match="steps must be an integer >= 0, got -1"):
        uv.segment_products(1.0, 1.0, 0.0, -1)
    with pytest.raises(TypeError, match="Q must hold real numbers"):
        uv.segment_products(1.0, "a", 0.0, 1)
    products = uv.segment_products([np.nan, 1e200], [1.0, 1.0], 0.0, 5)
    assert np.isnan(products)[:, 0].all()
    assert uv.raises_barrier([np.nan, 1e200], [1.0, 1.0], *products).tolist() == [False, True]
    assert uv.peak_bound([0.0, 1.0], 1.0)[1] == 2
