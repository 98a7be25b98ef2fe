"""The two-step criterion: sympy, the known maps, and simulated 2-cycles."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from eossim.maps import uv_residual
from eossim.theory import two_step

derivatives = st.floats(-5, 5)


@given(st.floats(0.2, 5), derivatives, derivatives)
def test_the_coefficient_is_that_of_two_steps(f2, f3, f4):
    # Two literal steps on the quartic with these derivatives, as polynomials.
    x = np.polynomial.Polynomial([0, 1])
    slope = np.polynomial.Polynomial([0, f2, f3 / 2, f4 / 6])
    once = x - 2 / f2 * slope
    twice = once(once)
    found = np.append(twice.coef, [0, 0])[:4]
    size = 1 + np.abs(once.coef).max() ** 4
    np.testing.assert_allclose(found[:3], [0, 1, 0], atol=1e-13 * size)
    assert two_step.coefficient(f2, f3, f4) == pytest.approx(found[3], rel=1e-9, abs=1e-12 * size)


@given(st.floats(0.2, 5), derivatives, derivatives)
def test_loss_and_map_agree(f2, f3, f4):
    # g = x - 2 f'/f'' has g'' = -2 f'''/f'' and g''' = -2 f''''/f''.
    if abs(3 * f3**2 - f2 * f4) < 1e-6:
        return
    born = two_step.two_cycle_is_born(f2, f3, f4)
    assert born == (3 * f3**2 > f2 * f4)
    assert born == two_step.two_cycle_of_map_is_born(-2 * f3 / f2, -2 * f4 / f2)


@pytest.mark.parametrize(("f3", "f4"), [(0.0, -1.0), (1.0, 0.0), (1.0, 2.5), (0.0, 1.0), (0.5, 1.5), (2.0, -3.0)])
def test_simulated_steps_just_above_the_edge(f3, f4):
    x, eta = 1e-3, 2 * (1 + 1e-5)
    for _ in range(400_000 // 8):
        for _ in range(8):
            x -= eta * (x + f3 * x**2 / 2 + f4 * x**3 / 6)
        if abs(x) > 0.2:
            break
    born = two_step.two_cycle_is_born(1.0, f3, f4)
    assert born == (abs(x) < 0.05)
    if born:  # x² = 4·1e-5/|coefficient| from x(1 + 4 * 1e-5) + coefficient x³ = x
        assert abs(x) == pytest.approx(np.sqrt(4e-5 / abs(two_step.coefficient(1.0, f3, f4))), rel=0.02)


def test_reference():
    e, Y = uv_residual.states[0], uv_residual.symbols["Y"]
    step = uv_residual.update[0].subs(Y, 1)
    g1, g2, g3 = (sp.diff(step, e, order).subs(e, 0) for order in (1, 2, 3))
    assert (g1, g2, g3) == (-1, -2, 6)
    assert sp.Rational(1, 2) * g2**2 + sp.Rational(1, 3) * g3 == 4
    assert two_step.two_cycle_of_map_is_born(float(g2), float(g3))
    assert two_step.two_cycle_is_born(1.0, 0.0, -1.0)  # sub-quadratic
    assert not two_step.two_cycle_is_born(1.0, 0.0, 1.0)
    assert not two_step.two_cycle_is_born(-1.0, 1.0, 1.0)
    assert np.isnan(two_step.coefficient([-1.0, 0.0], 1.0, 1.0)).all()
    assert two_step.two_cycle_is_born([1.0, 1.0], [1.0, 0.0], [2.9, 3.1]).tolist() == [True, False]


@given(st.floats(0.2, 5), derivatives, derivatives, st.integers(-150, 150), st.integers(-200, 200))
def test_units_of_loss_and_x_do_not_matter(f2, f3, f4, loss, x):
    # f → a f(x/b): derivatives of order n are multiplied by a/bⁿ, the coefficient by 1/b².
    f3, f4 = (v if abs(v) > 1e-3 else 0.0 for v in (f3, f4))
    scaled = [float(np.ldexp(v, loss - n * x)) for n, v in ((2, f2), (3, f3), (4, f4))]
    assert two_step.two_cycle_is_born(*scaled) == two_step.two_cycle_is_born(f2, f3, f4)
    assert two_step.coefficient(*scaled) == np.ldexp(two_step.coefficient(f2, f3, f4), -2 * x)
    g2, g3 = (-2 * v for v in (f3, f4))
    of_map = two_step.two_cycle_of_map_is_born(np.ldexp(g2, -x), np.ldexp(g3, -2 * x))
    assert of_map == two_step.two_cycle_of_map_is_born(g2, g3)


def test_tiny_derivatives():
    assert two_step.two_cycle_is_born(1e-170, 1e-170, 0.0)
    assert two_step.two_cycle_is_born(1.0, 1e-170, 0.0)
    assert not two_step.two_cycle_is_born(1e-170, 0.0, 1e-170)
    assert two_step.two_cycle_is_born(1e-170, 0.0, -1e-300)
    assert not two_step.two_cycle_is_born(1.0, 0.0, 0.0)
    assert two_step.two_cycle_of_map_is_born(1e-170, 0.0)
    assert two_step.coefficient(1e200, 1e200, 1.0) == pytest.approx(-2, rel=1e-15)


def test_losses_of_one_variable():
    found = two_step.at_minimum(lambda x: sp.log(sp.cosh(x)), 0)
    assert (found.f2, found.f3, found.f4, found.eta) == (1, 0, -2, 2)
    assert found.coefficient == pytest.approx(-4 / 3, rel=1e-15)
    assert found.two_cycle_is_born
    z = sp.Symbol("z")
    double_well = two_step.at_minimum((z**2 - 1) ** 2 / 4, 1)
    assert (double_well.f2, double_well.f3, double_well.f4) == (2, 6, 6)
    assert two_step.at_minimum(sp.cosh(z), 0.0).two_cycle_is_born is False
    assert two_step.at_minimum(z * sp.log(z) - z, 1).f3 == -1
    assert two_step.at_minimum((z**2 - 2) ** 2, sp.sqrt(2)).f2 == pytest.approx(16, rel=1e-14)
    assert two_step.at_minimum((z**2 - 2) ** 2, 2**0.5).f2 == pytest.approx(16, rel=1e-14)


def test_bad_input():
    z, t = sp.symbols("z t")
    with pytest.raises(TypeError, match=r"loss must be an expression of exactly one symbol, got t\*z"):
        two_step.at_minimum(z * t, 0)
    with pytest.raises(TypeError, match="loss must be an expression of exactly one symbol, got 3"):
        two_step.at_minimum(lambda x: 3, 0)
    with pytest.raises(ValueError, match="minimum must have a positive curvature, got -2 at 0"):
        two_step.at_minimum(-(z**2), 0)
    with pytest.raises(ValueError, match="minimum must be a critical point of the loss, got the slope 2 at 1"):
        two_step.at_minimum(z**2, 1)
    with pytest.raises(ValueError, match="the derivatives of the loss at -1 are not real numbers"):
        two_step.at_minimum(sp.log(z) ** 2, -1)
