"""Bisection for the parameter at which behaviour changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eossim import Quadratic, UVModel, rules
from eossim.dynamics import edge_bisection, lyapunov_exponent, method_map, period
from eossim.maps import SHIPPED
from tests.dynamics.systems import delayed_logistic, logistic


@given(edges=st.lists(st.floats(0.011, 0.989), min_size=1, max_size=5), tolerance=st.sampled_from([1e-3, 1e-9, 1e-14]))
def test_each_run_finds_its_own_edge(edges, tolerance):
    found = edge_bisection(lambda x, at: x >= at, "x", 0.01, 0.99, at=edges, tolerance=tolerance)
    assert found.edge.dims == ("at",)
    assert (found.below < np.array(edges)).all()
    assert (found.above >= np.array(edges)).all()
    width = np.maximum(tolerance * found.above, np.spacing(found.above))
    assert ((found.above - found.below) <= 1.01 * width).all()


def test_the_first_of_several_changes_is_found():
    found = edge_bisection(lambda x: (x > 0.3) & (x < 0.5) | (x > 0.8), "x", 0.0, 1.0)
    assert float(found.edge) == pytest.approx(0.3, abs=1e-9)
    window = edge_bisection(lambda x: (x > 0.3) & (x < 0.5), "x", 0.0, 1.0)  # both ends behave alike
    assert float(window.edge) == pytest.approx(0.3, abs=1e-9)
    falling = edge_bisection(lambda x: x < 0.7, "x", 0.0, 1.0)
    assert float(falling.edge) == pytest.approx(0.7, abs=1e-9)


@settings(max_examples=4)
@given(top=st.floats(0.5, 20))
def test_gradient_descent_on_a_quadratic_loses_stability_at_two_over_lambda(top):
    system = method_map(rules.gd, Quadratic([0.3, top]))
    expands = edge_bisection(
        system,
        "eta",
        0.1 / top,
        5 / top,
        starts=[1.0, 1.0],
        behaviour="expands",
        steps=50,
        rate=0,
        scan=7,
        tolerance=1e-11,
    )
    assert float(expands.edge) == pytest.approx(2 / top, rel=1e-10)
    diverges = edge_bisection(system, "eta", 0.1 / top, 5 / top, starts=[1.0, 1.0], steps=500)
    late = np.log(1e8) / 500  # growth rate of what passes 1e8 in 500 steps
    assert float(diverges.edge) == pytest.approx((1 + np.exp(late)) / top, rel=1e-6)


def test_heavy_ball_on_a_quadratic():
    system = method_map(rules.heavy_ball, Quadratic([1.0, 3.0]))
    beta = np.array([0.0, 0.5, 0.9])
    call = dict(starts=[1.0, 1.0], behaviour="expands", beta=beta, steps=500, rate=0, scan=7, tolerance=1e-7)
    found = edge_bisection(system, "eta", 0.1, 3.0, **call)
    np.testing.assert_allclose(found.edge, 2 * (1 + beta) / 3, rtol=1e-6)


@settings(max_examples=3)
@given(top=st.floats(0.5, 20), steps=st.sampled_from([200, 500]))
def test_by_default_what_expands_is_told_from_rounding(top, steps):
    # η λ - 1 reaches exp(ln(1/ε)/steps); the direction without curvature has exponent zero throughout.
    system = method_map(rules.gd, Quadratic([0.0, top]))
    options = dict(behaviour="expands", steps=steps, scan=7, tolerance=1e-5)
    found = edge_bisection(system, "eta", 0.1 / top, 5 / top, starts=[1.0, 1.0], **options)
    assert float(found.edge) == pytest.approx((1 + 2 ** (52 / steps)) / top, rel=1e-3)


def test_a_line_of_minima_does_not_expand():
    # Every run ends on the line of minima, and beyond Y = 1 in a stable cycle: chaos begins at 1.302.
    starts = [[2.0, 1.0], [3.0, 0.5], [1.0, 2.0], [2.5, 0.1]]
    found = edge_bisection(SHIPPED["uv"], "Y", 0.3, 1.5, starts=starts, behaviour="expands")
    for start, below, above in zip(starts, found.below.values, found.above.values, strict=True):
        around = lyapunov_exponent(SHIPPED["uv"], start, steps=20_000, Y=[0.5, 0.9, below - 2e-3, above + 2e-3])
        assert (around.lyapunov[:3] < 1e-3).all()
        assert around.lyapunov[3] > 0.05


def test_gradient_descent_on_the_uv_model_expands_nowhere_before_chaos():
    problem = UVModel(3, y=1.0)
    w = problem.initial(0)
    with pytest.raises(ValueError, match=r"largest Lyapunov exponent is above 0.036 does not change .* it is false"):
        edge_bisection(method_map(rules.gd, problem), "eta", 0.02, 1.5, starts=w, behaviour="expands", steps=1000)


@settings(max_examples=5)
@given(x=st.floats(0.3, 0.6), y=st.floats(0.3, 0.6))
def test_a_circle_does_not_expand(x, y):
    with pytest.raises(ValueError, match=r"does not change between r = 1\.5 and 2\.1"):
        edge_bisection(delayed_logistic, "r", 1.5, 2.1, starts=[x, y], behaviour="expands", steps=1000)


def test_period_doublings_of_the_uv_model():
    uv_balanced = SHIPPED["uv_balanced"]

    def longer(Y, than):
        return period(uv_balanced, 0.5, Y=np.unique(Y)).period.values[np.unique(Y, return_inverse=True)[1]] > than

    found = edge_bisection(longer, "Y", 0.9, 1.295, than=[1, 2, 4], tolerance=1e-10)
    np.testing.assert_allclose(found.edge, [1, np.sqrt(5) - 1, 1.288031754], atol=2e-9)


def test_the_uv_model_on_its_balanced_manifold_diverges_beyond_two():
    starts = np.linspace(0.2, 1.2, 200)[:, None]
    found = edge_bisection(SHIPPED["uv_balanced"], "Y", 1.5, 2.5, starts=starts, steps=20_000, scan=15)
    assert found.edge.dims == ("start",)
    assert float(found.edge.min()) == pytest.approx(2, abs=1e-4)  # beyond, some start escapes through the tips
    assert (found.above >= 2).all()


def test_runs_without_a_change_have_no_edge():
    found = edge_bisection(logistic, "r", 3.5, 4.5, starts=[[0.3], [0.0]], steps=500)
    assert float(found.edge[0]) == pytest.approx(4, abs=0.05)
    assert np.isnan(found.edge[1])
    assert np.isnan(found.above[1])


def test_bad_input():
    with pytest.raises(ValueError, match="diverges does not change between r = 2 and 3: it is false throughout"):
        edge_bisection(logistic, "r", 2.0, 3.0, starts=[0.3])
    with pytest.raises(ValueError, match="low < high required"):
        edge_bisection(logistic, "r", 3.0, 3.0, starts=[0.3])
    with pytest.raises(ValueError, match="high must be finite"):
        edge_bisection(logistic, "r", 3.0, np.inf, starts=[0.3])
    with pytest.raises(ValueError, match='unknown parameter of logistic "R"; did you mean "r"'):
        edge_bisection(logistic, "R", 3.0, 5.0, starts=[0.3])
    with pytest.raises(TypeError, match="need starts"):
        edge_bisection(logistic, "r", 3.0, 5.0)
    with pytest.raises(ValueError, match="behaviour must be one of 'diverges', 'expands'"):
        edge_bisection(logistic, "r", 3.0, 5.0, starts=[0.3], behaviour="explodes")
    with pytest.raises(ValueError, match="0 <= rate < inf required"):
        edge_bisection(logistic, "r", 3.0, 5.0, starts=[0.3], behaviour="expands", rate=-1.0)
    with pytest.raises(ValueError, match='rate belongs to a system and behaviour="expands"'):
        edge_bisection(logistic, "r", 3.0, 5.0, starts=[0.3], rate=0.1)
    with pytest.raises(TypeError, match="or a predicate"):
        edge_bisection("logistic", "r", 3.0, 5.0)
    with pytest.raises(ValueError, match="must return booleans of shape"):
        edge_bisection(lambda x: 1.0 * (x > 1), "x", 0.0, 2.0)
    with pytest.raises(ValueError, match="scan must be an integer >= 1"):
        edge_bisection(lambda x: x > 1, "x", 0.0, 2.0, scan=0)
