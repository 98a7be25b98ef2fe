"""Maps from Python functions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.dynamics import FunctionMap
from tests.dynamics.systems import henon

function_henon = FunctionMap(
    lambda x, a, b: np.stack([1 - a * x[..., 0] ** 2 + x[..., 1], b * x[..., 0]], axis=-1), 2, ("a", "b")
)
coordinates = st.floats(-3, 3)


@given(x=st.tuples(coordinates, coordinates), a=st.floats(0.1, 2), b=st.floats(-1, 1))
def test_steps_and_derivatives_are_those_of_the_same_map_in_symbols(x, a, b):
    np.testing.assert_allclose(function_henon.step(x, a=a, b=b), henon.step(x, a=a, b=b), rtol=1e-14, atol=1e-14)
    difference = function_henon.jacobian_at(x, a=a, b=b) - henon.jacobian_at(x, a=a, b=b)
    assert np.abs(difference).max() < 1e-10


def test_parameters_have_one_value_for_each_run():
    a = np.array([0.5, 1.0, 1.5])
    together = function_henon.step([0.3, 0.1], a=a, b=0.3)
    apart = [function_henon.step([0.3, 0.1], a=value, b=0.3) for value in a]
    np.testing.assert_array_equal(together, apart)


@given(exponent=st.floats(-9, 9), centre=st.floats(-100, 100), at=st.floats(-3, 3))
def test_derivatives_at_any_scale(exponent, centre, at):
    length = 10**exponent
    x = centre * length + at * length
    step = FunctionMap(lambda x: x - length / 2 * np.tanh(x / length - centre), 1, scale=length)
    exact = 1 - 0.5 / np.cosh(x / length - centre) ** 2
    assert step.jacobian_at([x])[0, 0] == pytest.approx(exact, abs=2e-10)


@given(scales=st.tuples(st.floats(-6, 6), st.floats(-6, 6)))
def test_each_coordinate_has_its_scale(scales):
    a, b = 10.0 ** np.array(scales)
    turned = FunctionMap(
        lambda x: np.stack([a * np.sin(x[..., 1] / b), b * np.cos(x[..., 0] / a)], -1), 2, scale=[a, b]
    )
    exact = [[0, a / b * np.cos(0.5)], [-b / a * np.sin(0.3), 0]]
    np.testing.assert_allclose(
        turned.jacobian_at([0.3 * a, 0.5 * b]), exact, rtol=1e-10, atol=1e-11 * max(a / b, b / a)
    )


def test_a_given_jacobian_is_used():
    doubling = FunctionMap(lambda x: 2 * x, 1, jacobian=lambda x: np.full((*x.shape, 1), 7.0))
    np.testing.assert_array_equal(doubling.jacobian_at([1.0]), [[7.0]])


def test_default_names():
    assert FunctionMap(lambda x: x, 1).states == ("x",)
    assert FunctionMap(lambda x: x, 2).states == ("x_1", "x_2")


def test_bad_input():
    with pytest.raises(TypeError, match="step must be a function"):
        FunctionMap(3, 1)
    with pytest.raises(TypeError, match="jacobian must be a function"):
        FunctionMap(lambda x: x, 1, jacobian=3)
    with pytest.raises(ValueError, match="dim must be an integer >= 1"):
        FunctionMap(lambda x: x, 0)
    with pytest.raises(ValueError, match="distinct names"):
        FunctionMap(lambda x, a: x, 1, ("a", "a"))
    with pytest.raises(ValueError, match="states must be 2 distinct names"):
        FunctionMap(lambda x: x, 2, states=("x",))
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 2\)"):
        function_henon.step([1.0, 2.0, 3.0], a=1.0, b=1.0)
    for scale in (0.0, -1.0, [1.0, 2.0]):
        with pytest.raises(ValueError, match="scale must be positive, one number or 1, got"):
            FunctionMap(lambda x: x, 1, scale=scale)
    with pytest.raises(ValueError, match="scale must be finite"):
        FunctionMap(lambda x: x, 1, scale=np.inf)
    wrong = FunctionMap(lambda x: x[..., 0], 2)
    with pytest.raises(ValueError, match=r"step\(x\) must return shape \(3, 2\)"):
        wrong.step(np.zeros((3, 2)))
