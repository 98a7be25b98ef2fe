"""Fixed points, the 2-cycle and the bifurcations of the uv model with a target."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from eossim.engine.iterate import lyapunov_exponents, orbit
from eossim.formulas import toy
from eossim.maps import uv as uv_map
from eossim.maps import uv_balanced, uv_function, uv_residual
from eossim.theory import uv

targets = st.floats(0.01, 5)


@given(targets)
def test_fixed_points_and_multipliers_are_those_of_the_map(Y):
    points = uv.fixed_points(Y)
    assert [p.name for p in points] == ["I", "II", "III", "IV"][: 4 if Y < 2 else 3]
    for point in points:
        x = np.array([point.P, point.Q])
        np.testing.assert_allclose(uv_map.step(x, Y=Y), x, rtol=1e-12, atol=1e-12)
        found = np.sort(np.linalg.eigvals(uv_map.jacobian_at(x, Y=Y)))
        np.testing.assert_allclose(found, np.sort(point.multipliers), rtol=1e-9, atol=1e-9)
    characters = {p.name: p.character for p in points}
    assert characters["I"] == ("attracting" if Y < 1 else "repelling" if Y > 1 else "neutral")
    assert characters["II"] == ("saddle" if Y < 2 else "repeller" if Y > 2 else "neutral")
    for point in points[1:]:
        inside, outside = (
            sum(test) for test in zip(*((abs(z) < 1, abs(z) > 1) for z in point.multipliers), strict=True)
        )
        assert point.character == ("saddle" if inside else "repeller" if outside == 2 else "neutral")


@given(targets, st.floats(0, 20))
def test_no_other_fixed_points(Y, Q):
    # P (1 - e)² = P and Q (1 + e)² = Q leave e = 0, or e = 2 with Q = 0, or e = -2 with P = 0, or P = Q = 0.
    x = np.array([Q + 4 * Y, Q])
    np.testing.assert_allclose(uv_map.step(x, Y=Y), x, rtol=1e-13)
    found = np.sort(np.linalg.eigvals(uv_map.jacobian_at(x, Y=Y)))
    np.testing.assert_allclose(found, np.sort([1, 1 - (Q + 2 * Y)]), rtol=1e-8, atol=1e-7)


@pytest.mark.parametrize(
    ("Y", "f", "sharpness"),
    [(1.05, (0.7619047619, 1.1904761905), (1.285714286, 2.571428571)), (1.1, (0.6634943528, 1.2455965562), None)],
)
def test_reference_cycles(Y, f, sharpness):
    cycle = uv.two_cycle(Y)
    assert (cycle.low, cycle.high) == pytest.approx(f, rel=1e-10)
    if sharpness:
        assert (cycle.sharpness_low / Y, cycle.sharpness_high / Y) == pytest.approx(sharpness, rel=1e-9)
    # A run of the model from f = 0.7, λ = 1.5 ends there.
    late = orbit(uv_function, [0.7, 1.5], 4000, at=[3999, 4000], eta=Y, kappa=1.0, y=1.0)[:, 0, 0]
    assert sorted(late) == pytest.approx(f, rel=1e-9)


@given(st.floats(1, 2))
def test_the_cycle_is_one_of_the_map(Y):
    cycle = uv.two_cycle(Y)
    X = np.sqrt(Y * np.array([[cycle.high], [cycle.low]]))
    np.testing.assert_allclose(uv_balanced.step(X, Y=Y), X[::-1], rtol=1e-12)
    np.testing.assert_allclose(X.prod(), 1, rtol=1e-13)
    states = np.stack([4 * X[:, 0] ** 2, 0 * X[:, 0]], -1)
    jacobians = uv_map.jacobian_at(states, Y=Y)
    both = np.linalg.eigvals(jacobians[1] @ jacobians[0])
    np.testing.assert_allclose(np.sort(both), np.sort([cycle.multiplier, cycle.transverse]), rtol=1e-10, atol=1e-11)
    seen = uv_map.observe(states, Y=Y)
    np.testing.assert_allclose(seen["sharpness"], [cycle.sharpness_high, cycle.sharpness_low], rtol=1e-12)
    assert seen["trace"].mean() == pytest.approx(cycle.mean_trace, rel=1e-12)
    assert cycle.mean_trace == pytest.approx(1 + Y, rel=1e-12)
    doubled = np.sqrt(5) - 1 < Y
    if not doubled:
        assert cycle.mean_sharpness == pytest.approx((3 + Y) / 2, rel=1e-12)
    assert cycle.stable == (not doubled and abs(cycle.multiplier) < 1)


def test_cycles_of_arrays():
    cycle = uv.two_cycle([0.5, 1.0, 1.05, 1.3])
    assert np.isnan(cycle.high).tolist() == [True, False, False, False]
    assert cycle.stable.tolist() == [False, False, True, False]
    assert cycle.high[1] == cycle.low[1] == 1


def test_bifurcations_are_exact():
    root2, root3, root5 = sp.sqrt(2), sp.sqrt(3), sp.sqrt(5)
    values = uv.bifurcations()
    assert values == {
        "monotone_until": 2 * root2 - 2,
        "two_cycle": sp.Integer(1),
        "superstable": 3 * root2 / 2 - 1,
        "doubling": root5 - 1,
        "zero_reached": 3 * root3 / 2 - 1,
        "divergence": sp.Integer(2),
    }
    assert sorted(values.values()) == list(values.values())
    assert float(values["superstable"]) == pytest.approx(np.sqrt(4.5) - 1, rel=1e-15)
    for name in ("monotone_limit", "superstable", "doubling", "zero_reached"):
        key = "monotone_until" if name == "monotone_limit" else name
        assert float(values[key]) == pytest.approx(getattr(toy, f"uv_{name}")(), rel=1e-15)


def test_the_dynamics_change_at_the_bifurcations():
    at = {name: float(value) for name, value in uv.bifurcations().items()}
    starts = np.random.default_rng(0).uniform(0.05, 1, (300, 1))

    def rises(Y):
        x = starts * np.sqrt(2 + Y)
        e = x**2 - Y
        return (np.abs(uv_residual.step(e, Y=Y)) > np.abs(e) * (1 + 1e-12)).any()

    assert not rises(at["monotone_until"] - 1e-6)
    assert rises(at["monotone_until"] + 0.01)
    late = {
        Y: orbit(uv_balanced, [0.6], 40_004, at=range(40_000, 40_005), Y=Y)[:, 0, 0]
        for Y in (at["two_cycle"] - 0.003, at["two_cycle"] + 0.003, at["doubling"] - 0.003, at["doubling"] + 0.003)
    }
    for orbit_period, x in zip((1, 2, 2, 4), late.values(), strict=True):
        assert abs(x[4] - x[4 - orbit_period]) < 1e-9
        assert orbit_period == 1 or abs(x[4] - x[4 - orbit_period // 2]) > 1e-3
    turn = np.sqrt((1 + at["zero_reached"]) / 3)
    twice = uv_balanced.step(uv_balanced.step([turn], Y=at["zero_reached"]), Y=at["zero_reached"])
    assert abs(twice[0]) < 1e-14
    assert np.isfinite(orbit(uv_balanced, starts, 2000, Y=at["divergence"] - 1e-9)).all()
    assert not np.isfinite(orbit(uv_balanced, starts, 2000, Y=at["divergence"] + 0.02)).all()
    chaos = lyapunov_exponents(uv_balanced, starts[:50], 4000, burn_in=100, Y=at["divergence"] - 1e-9)
    assert chaos.mean() == pytest.approx(np.log(3), abs=0.01)


def test_bad_input():
    with pytest.raises(ValueError, match="0 < Y < inf required, got Y = 0"):
        uv.fixed_points(0)
    with pytest.raises(ValueError, match=r"Y must be a number, got shape \(2,\)"):
        uv.fixed_points([1.0, 2.0])
    with pytest.raises(TypeError, match="Y must hold real numbers"):
        uv.two_cycle("a")
