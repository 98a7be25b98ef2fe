"""Bifurcation diagrams against a plain loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim import Quadratic, rules
from eossim.dynamics import bifurcation_diagram, method_map
from eossim.maps import SHIPPED
from tests.dynamics.systems import henon, logistic

uv_balanced = SHIPPED["uv_balanced"]


def plain_points(r, starts, steps, keep):
    """Last states of the logistic map, shape (values, starts, keep), one step after another."""
    points = np.empty((len(r), len(starts), keep))
    for i, value in enumerate(r):
        for j, x in enumerate(starts):
            for t in range(steps):
                x = logistic.step([x], r=value)[0]
                if t >= steps - keep:
                    points[i, j, t - steps + keep] = x
    return points


R, X0 = np.array([2.8, 3.3, 3.9]), np.array([0.2, 0.35, 0.6])
EXPECTED = plain_points(R, X0, 60, 12)


def test_points_are_the_last_states():
    found = bifurcation_diagram(logistic, "r", R, starts=X0[:, None], steps=60, keep=12, bins=None)
    np.testing.assert_array_equal(found.points, EXPECTED)
    np.testing.assert_array_equal(found.step, np.arange(49, 61))
    assert found.points.dims == ("r", "start", "step")
    assert (found.diverged == 0).all()


@settings(max_examples=20)
@given(bins=st.integers(1, 50), low=st.floats(0, 0.5), width=st.floats(0.05, 1), free=st.booleans())
def test_density_is_the_histogram_of_the_points(bins, low, width, free):
    bounds = None if free else (low, low + width)
    found = bifurcation_diagram(logistic, "r", R, starts=X0[:, None], steps=60, keep=12, bins=bins, bounds=bounds)
    ends = (EXPECTED.min(), EXPECTED.max()) if free else bounds
    for row, points in zip(found.density, EXPECTED, strict=True):
        inside = points[(points >= ends[0]) & (points <= ends[1])]
        # numpy bins by comparing with the edges: a point at an edge to rounding may fall on either side.
        place = np.clip(((inside - ends[0]) * (bins / (ends[1] - ends[0]))).astype(int), 0, bins - 1)
        np.testing.assert_allclose(row, np.bincount(place, minlength=bins) / points.size, atol=1e-15)
    np.testing.assert_allclose(found.density.sum("bin") + found.outside, 1)
    edges = np.linspace(*ends, bins + 1)
    np.testing.assert_allclose(found.bin, (edges[1:] + edges[:-1]) / 2)


def test_diverged_starts_are_counted_and_not_shown():
    starts = np.array([[0.5], [-0.1], [1.2], [0.3]])
    found = bifurcation_diagram(logistic, "r", [2.0, 3.0, 4.5], starts=starts, steps=200, keep=10)
    np.testing.assert_array_equal(found.diverged, [0.5, 0.5, 1.0])
    np.testing.assert_allclose(found.density.sum("bin"), [1, 1, 0])
    shown = bifurcation_diagram(logistic, "r", [2.0, 4.5], starts=starts, steps=200, keep=10, bins=None)
    np.testing.assert_array_equal(np.isnan(shown.points).all("step")[0], [False, True, True, False])


def test_what_diverges_in_the_last_steps_is_not_shown():
    # From 2.2, x → x(1 + Y - x²) has left in a few steps.
    found = bifurcation_diagram(uv_balanced, "Y", [1.0], starts=[[2.2], [0.5]], steps=20, keep=20)
    np.testing.assert_array_equal(found.diverged, [0.5])
    assert found.bin.max() < 2


def test_two_cycle_of_the_uv_model():
    # f / y = ((1 + Y) ± √((1 + Y)² - 4)) / 2Y (derived); X² = Y f / y.
    Y = np.array([1.05, 1.1, 1.2])
    root = np.sqrt((1 + Y) ** 2 - 4)
    expected = np.stack([(1 + Y) - root, (1 + Y) + root], axis=1) / (2 * Y[:, None])
    np.testing.assert_allclose(expected[0], [0.7619047619, 1.1904761905], atol=1e-10)
    found = bifurcation_diagram(
        uv_balanced, "Y", Y, starts=[0.5], steps=3000, keep=2, bins=None, quantity=lambda x, Y: x[..., 0] ** 2 / Y
    )
    np.testing.assert_allclose(np.sort(found.points, axis=-1)[:, 0], expected, rtol=1e-9)


def test_quantities_are_states_observables_or_functions():
    uv = SHIPPED["uv"]
    call = dict(starts=[4.5, 0.3], steps=50, keep=5, bins=None)
    both = np.stack([bifurcation_diagram(uv, "Y", [0.9, 1.1], quantity=n, **call).points for n in ("P", "Q")], axis=-1)
    first = bifurcation_diagram(uv, "Y", [0.9, 1.1], **call)
    np.testing.assert_array_equal(first.points, both[..., 0])
    assert first.attrs["quantity"] == "P"
    trace = bifurcation_diagram(uv, "Y", [0.9, 1.1], quantity="trace", **call)
    np.testing.assert_allclose(trace.points, both.sum(axis=-1) / 2, rtol=1e-13)
    by_function = bifurcation_diagram(uv, "Y", [0.9, 1.1], quantity=lambda x, Y: x[..., 1] + Y, **call)
    np.testing.assert_array_equal(by_function.points[:, 0], both[:, 0, :, 1] + np.array([[0.9], [1.1]]))


def test_results_do_not_depend_on_the_blocks(monkeypatch):
    call = dict(starts=np.linspace(0.1, 0.9, 20)[:, None], steps=80, keep=30, bins=40)
    whole = bifurcation_diagram(logistic, "r", np.linspace(2.5, 4.2, 30), **call)
    monkeypatch.setattr("eossim.dynamics._batch.BLOCK_NUMBERS", 700)
    assert whole.identical(bifurcation_diagram(logistic, "r", np.linspace(2.5, 4.2, 30), **call))


def test_a_method_on_a_problem():
    system = method_map(rules.gd, Quadratic([1.0, 3.0]))
    found = bifurcation_diagram(system, "eta", [0.1, 0.5, 0.7], starts=[1.0, 1.0], steps=500, keep=1, bound=10.0)
    np.testing.assert_array_equal(found.diverged, [0, 0, 1])


def test_a_grid_of_a_fixed_parameter_is_refused_and_other_bad_input():
    call = dict(starts=[0.1, 0.1], steps=10, keep=1)
    with pytest.raises(ValueError, match='unknown parameter of henon "aa"'):
        bifurcation_diagram(henon, "aa", [1.0, 1.4], b=0.3, **call)
    with pytest.raises(ValueError, match="henon needs a value for b"):
        bifurcation_diagram(henon, "a", [1.0, 1.4], **call)
    with pytest.raises(ValueError, match="b must be one number beside a"):
        bifurcation_diagram(henon, "a", [1.0, 1.4], b=[0.2, 0.3], **call)
    with pytest.raises(ValueError, match=r"values must increase, got 1\.4 before 1\.4"):
        bifurcation_diagram(henon, "a", [1.0, 1.4, 1.4], b=0.3, **call)
    with pytest.raises(ValueError, match="values must be finite"):
        bifurcation_diagram(henon, "a", [1.0, np.inf], b=0.3, **call)
    with pytest.raises(ValueError, match="keep must be at most steps = 10, got 11"):
        bifurcation_diagram(henon, "a", [1.0], b=0.3, starts=[0.1, 0.1], steps=10, keep=11)
    with pytest.raises(ValueError, match="starts must have shape"):
        bifurcation_diagram(henon, "a", [1.0], b=0.3, starts=[0.1], steps=10, keep=1)
    with pytest.raises(ValueError, match='unknown quantity "z"'):
        bifurcation_diagram(henon, "a", [1.0], b=0.3, quantity="z", **call)
    with pytest.raises(ValueError, match="bounds must increase"):
        bifurcation_diagram(henon, "a", [1.0], b=0.3, bounds=(1.0, 0.0), **call)
    with pytest.raises(ValueError, match=r"quantity\(x\) must return shape"):
        bifurcation_diagram(henon, "a", [1.0], b=0.3, quantity=lambda x, a, b: x, **call)
