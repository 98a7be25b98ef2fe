"""Second-order regression, the four-parameter example and self-stabilisation: predictions against runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.engine.iterate import orbit
from eossim.maps import minimalist as minimalist_map
from eossim.maps import second_order as second_order_map
from eossim.maps import self_stabilization as self_stabilization_map
from eossim.problems import FourParameter, SelfStabilization
from eossim.theory import minimalist, second_order, self_stabilization

# --- second-order regression ---


def test_second_order_limit():
    np.testing.assert_allclose(second_order.limit([1e-300, 0.01, 0.2]), [2, 1.995, 1.9], rtol=1e-15)
    assert np.isnan(second_order.limit([-0.1, 0.0, 1.1, np.nan])).all()


@pytest.mark.parametrize(("epsilon", "end"), [(0.001, 1.99950), (0.003, 1.99849), (0.03, 1.98421)])
def test_second_order_runs_end_there(epsilon, end):
    z, T = orbit(second_order_map, [0.1, 2.5], int(400 / epsilon), eps=epsilon, E=0.0)[0, 0]
    assert abs(z) < 1e-3
    assert pytest.approx(end, abs=5.1e-6) == T
    assert pytest.approx(second_order.limit(epsilon), abs=epsilon**2) == T


def test_second_order_without_negative_curvature_does_not_end():
    run = orbit(second_order_map, [0.1, 2.5], 100_001, at=[99_999, 100_000, 100_001], eps=0.0, E=0.0)[:, 0]
    np.testing.assert_allclose(run[2], run[0], rtol=1e-9)  # a 2-cycle, no limit
    assert np.abs(run[1] - run[0]).min() > 0.5


@pytest.mark.parametrize("epsilon", [0.001, 0.003])
def test_second_order_needs_a_start_well_above_the_line(epsilon):
    """From T = 2 + 2z + 10ε runs end within ε² of the limit, from a tenth of the distance they do not."""
    z = np.array([0.02, 0.05, 0.1, 0.2])
    for above, near in ((10, True), (1, False)):
        starts = np.stack([z, 2 + 2 * z + above * epsilon], -1)
        end = orbit(second_order_map, starts, int(400 / epsilon), eps=epsilon, E=0.0)[0, :, 1]
        assert np.all((np.abs(end - second_order.limit(epsilon)) < 2 * epsilon**2) == near)


# --- the four-parameter example ---


@given(st.floats(0.2, 5))
def test_sharpness_at_minima(x):
    assert minimalist.sharpness(x) == pytest.approx(
        np.linalg.eigvalsh(FourParameter().hessian([x, x, 1 / x, 1 / x]))[-1]
    )
    assert minimalist.sharpness(x) >= 4 * (1 - 1e-15)


@given(st.floats(1e-6, 0.5))
def test_the_minimum_at_the_edge(eta):
    x = minimalist.edge_minimum(eta)
    assert minimalist.sharpness(x) == pytest.approx(2 / eta, rel=1e-13)
    assert x >= 1
    if eta < 0.4:
        assert np.sqrt(x**2 - 1 / x**2) == pytest.approx((eta**-2 - 4) ** 0.25, rel=1e-10)


@pytest.mark.parametrize(("eta", "gap", "steps"), [(0.1, 0.461, 20_000), (0.05, 0.490, 40_000), (0.02, 0.498, 400_000)])
def test_runs_end_a_little_below_the_edge(eta, gap, steps):
    x = minimalist.edge_minimum(eta) * np.array([1.02, 1.1])
    starts = np.stack([x, 0.97 / x], -1)
    end = orbit(minimalist_map, starts, steps, eta=eta)[0]
    np.testing.assert_allclose(end.prod(-1), 1, rtol=1e-6)
    found = minimalist.sharpness(end[:, 0])
    np.testing.assert_allclose((2 / eta - found) / eta, gap, atol=6e-4)
    np.testing.assert_allclose(found, minimalist.limit(eta), atol=5 * eta**3)


def test_minimalist_outside_the_domain():
    assert np.isnan(minimalist.sharpness([0.0, -1.0])).all()
    assert np.isnan(minimalist.edge_minimum([0.0, 0.51, -0.1])).all()
    assert minimalist.edge_minimum(0.5) == 1
    assert np.isnan(minimalist.limit([0.0, 0.51, -0.1, np.nan])).all()


# --- self-stabilisation ---


def test_period_and_mean_square():
    eta, alpha = 0.01, 0.3
    problem = SelfStabilization(eta, alpha)
    size = self_stabilization.delta(alpha, 1.0)
    assert size == pytest.approx(np.sqrt(0.6), rel=1e-15)
    steps = np.arange(4001)
    run = orbit(self_stabilization_map, [1.01 * size, 0.0], 4000, at=steps, eta=eta, alpha=alpha, beta=1.0)[:, 0]
    w = np.array([1.01 * size, 0.0])
    for point in run[1:20]:
        w = w - eta * problem.grad(w)
        np.testing.assert_allclose(point, w, rtol=1e-12, atol=1e-14)
    assert (run[:, 0] ** 2).mean() / size**2 == pytest.approx(1, abs=0.01)
    excess = run[:, 1]
    rising = np.flatnonzero((excess[:-1] < 0) & (excess[1:] >= 0))
    crossings = rising - excess[rising] / (excess[rising + 1] - excess[rising])
    assert np.diff(crossings).mean() == pytest.approx(self_stabilization.period(eta, alpha), rel=1e-3)


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.1, 2), st.floats(0.1, 2))
def test_the_invariant_is_that_of_the_flow(x, y, alpha, beta):
    if abs(x) < 0.05:
        return
    eta = 1e-4  # |x| moves by ηy|x| and y by η(α - ½βx²): the first order in η vanishes
    after = self_stabilization_map.step([x, y], eta=eta, alpha=alpha, beta=beta)
    change = self_stabilization.invariant(*after, alpha, beta) - self_stabilization.invariant(x, y, alpha, beta)
    scale = (1 + y**2) * (1 + alpha + beta * x**2) ** 2
    assert abs(change) < 2 * eta**2 * scale


def test_the_invariant_drifts_outward_in_steps():
    start, values = [0.05, -1.0], {"eta": 0.01, "alpha": 0.3, "beta": 2.0}
    run = orbit(self_stabilization_map, start, 6000, at=[0, 1, 2, 6000], **values)[:, 0]
    np.testing.assert_allclose(run[1], [-0.0495, -0.997025], rtol=1e-13)
    np.testing.assert_allclose(run[2], [0.049006472625, -0.9940495025], rtol=1e-12)
    drift = self_stabilization.invariant(run[[0, 3], 0], run[[0, 3], 1], 0.3, 2.0)
    assert drift == pytest.approx([1.40, 1.72], abs=0.006)


def test_self_stabilisation_outside_the_domain():
    assert np.isnan(self_stabilization.delta([-1.0, 1.0], [1.0, 0.0])).all()
    assert np.isnan(self_stabilization.period([0.0, 1.0], [1.0, -1.0])).all()
    assert np.isnan(self_stabilization.invariant(1.0, 1.0, 0.0, 1.0))
    assert self_stabilization.invariant(0.0, 1.0, 1.0, 1.0) == np.inf
    assert self_stabilization.period(0.01, [0.3, 0.3]).shape == (2,)
