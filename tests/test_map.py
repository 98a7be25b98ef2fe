"""A map as it is declared: symbols, evaluation with NumPy, and errors that name what is wrong."""

import pickle
import subprocess
import sys

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from eossim._map import Map
from eossim.maps import SHIPPED, self_stabilization, uv

LOGISTIC = Map("logistic", state="x", parameters="r", update={"x": "r*x*(1 - x)"}, observables={"height": "x"})
HENON = Map("henon", state="x y", parameters="a, b", update={"x": "1 - a*x**2 + y", "y": "b*x"})
#: A kink of each kind, a square root, a quotient and a chain of abbreviations.
KINKED = Map(
    "kinked",
    state=("u", "v"),
    parameters=("a", "b"),
    where={"d": "u - b*v", "s": "sqrt(d**2 + 1) + abs(v)", "top": "max(d, v, a)"},
    update={"u": "a*d/s - min(u, v)/3", "v": "sign(d)*v/(1 + v**2) + top/4"},
    observables={"gap": "d", "mean": "(u + v)/2"},
)
#: Binary fractions: what is equal exactly is so in floating point, and every kink is met.
eighths = st.integers(-24, 24).map(lambda n: n / 8)


def in_many_digits(map_, expressions):
    """Return a function of coordinates and parameters that evaluates expressions with 30 digits."""
    function = sp.lambdify([*map_.symbols.values()], list(expressions), "mpmath")

    def evaluate(*values):
        with mpmath.workdps(30):
            return [float(v) for v in function(*map(mpmath.mpf, values))]

    return evaluate


EXACT = [in_many_digits(KINKED, e) for e in (KINKED.update, KINKED.observables.values(), KINKED.jacobian)]


def test_strings_and_sympy_declare_the_same_map():
    x, r = sp.symbols("x r")
    spelled = Map("logistic", state=[x], parameters=[r], update={x: r * x * (1 - x)}, observables={"height": x})
    assert spelled.update == LOGISTIC.update
    assert spelled.states == LOGISTIC.states == (sp.Symbol("x", real=True),)
    assert (spelled.dim, spelled.parameters) == (1, ("r",))
    assert spelled.observables == LOGISTIC.observables


def test_abbreviations_are_written_out():
    P, Q, Y = (uv.symbols[n] for n in "PQY")
    e = (P - Q) / 4 - Y
    assert sp.expand(uv.update[0] - P * (1 - e) ** 2) == 0
    assert sp.expand(uv.update[1] - Q * (1 + e) ** 2) == 0
    assert sp.expand(uv.observables["loss"] - e**2 / 2) == 0


@given(u=eighths, v=eighths, a=eighths, b=eighths)
def test_step_observables_and_jacobian_are_those_of_the_expressions(u, v, a, b):
    update, observables, jacobian = (function(u, v, a, b) for function in EXACT)
    np.testing.assert_allclose(KINKED.step([u, v], a=a, b=b), update, rtol=1e-14, atol=1e-14)
    seen = KINKED.observe([u, v], a=a, b=b)
    assert list(seen) == ["gap", "mean"]
    assert [*seen.values()] == observables
    np.testing.assert_allclose(KINKED.jacobian_at([u, v], a=a, b=b).ravel(), jacobian, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("map_", [*SHIPPED.values(), HENON, KINKED], ids=lambda m: m.name)
def test_jacobian_is_the_slope_of_the_step(map_):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.3, 1.5, (20, map_.dim))
    values = {n: rng.uniform(0.2, 1.0, 20) for n in map_.parameters}
    jacobian = map_.jacobian_at(x, **values)
    assert jacobian.shape == (20, map_.dim, map_.dim)
    for j in range(map_.dim):
        aside = 1e-6 * np.eye(map_.dim)[j]
        slope = (map_.step(x + aside, **values) - map_.step(x - aside, **values)) / 2e-6
        np.testing.assert_allclose(jacobian[:, :, j], slope, rtol=1e-6, atol=1e-7)


def test_a_kink_has_the_mean_slope():
    kink = Map("kink", state="x y z", update={"x": "abs(x)", "y": "max(y, 0)", "z": "min(z, 2*z)"})
    np.testing.assert_array_equal(kink.jacobian_at([0.0, 0.0, 0.0]), np.diag([0.0, 0.5, 1.5]))
    np.testing.assert_array_equal(kink.jacobian_at([-1.0, -1.0, -1.0]), np.diag([-1.0, 0.0, 2.0]))


def test_states_and_parameters_broadcast():
    x, r = np.linspace(0, 1, 4)[:, None, None], np.array([2.0, 3.0, 4.0])
    assert LOGISTIC.step(x, r=r).shape == (4, 3, 1)
    assert LOGISTIC.jacobian_at(x, r=r).shape == (4, 3, 1, 1)
    np.testing.assert_array_equal(LOGISTIC.observe(x, r=r)["height"], np.broadcast_to(x[..., 0], (4, 3)))
    np.testing.assert_array_equal(LOGISTIC.step(x, r=r)[2, 1], LOGISTIC.step(x[2, 0], r=3.0))


def test_jacobians_at_kinks():
    two = Map("two", state="x", update={"x": "max(x, 2*x)"})
    three = Map("three", state="x", update={"x": "max(x, 2*x, 3*x)"})
    np.testing.assert_array_equal(two.jacobian_at([[-1.0], [0.0], [1.0]]).ravel(), [1, 1.5, 2])
    np.testing.assert_array_equal(three.jacobian_at([[-1.0], [0.0], [1.0]]).ravel(), [1, 3, 3])  # half of 1 + 2 + 3


def test_float32_is_kept_and_integers_become_float64():
    assert LOGISTIC.step(np.ones((2, 1), np.float32), r=0.3).dtype == np.float32
    assert LOGISTIC.step([[1], [2]], r=1).dtype == np.float64


def test_what_is_not_finite_stays():
    shrinking = Map("shrinking", state="x y", update={"x": "1/x", "y": "y + 1"})
    np.testing.assert_array_equal(
        shrinking.step([[np.inf, 1.0], [0.5, np.nan], [0.0, 1.0], [0.5, 1.0]]),
        [[np.inf, 1.0], [0.5, np.nan], [np.inf, 2.0], [2.0, 2.0]],
    )


def test_shipped_maps_are_used_without_computer_algebra():
    code = (
        "import sys; from eossim.maps import uv; uv.step([1.0, 0.5], Y=0.1); uv.observe([1.0, 0.5], Y=0.1);"
        "assert uv.dim == 2 and 'sympy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_maps_can_be_pickled_after_use():
    LOGISTIC.step([0.5], r=3.0)
    again = pickle.loads(pickle.dumps(LOGISTIC))
    assert again.update == LOGISTIC.update
    np.testing.assert_array_equal(again.step([0.5], r=3.0), [0.75])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "my map"}, "Python identifier"),
        ({"state": ""}, "must name a coordinate"),
        ({"state": "x x"}, "must differ"),
        ({"state": "r"}, "must differ"),
        ({"parameters": "steps"}, "'steps' cannot be used as a name"),
        ({"state": "lambda"}, "'lambda' cannot be used"),
        ({"state": "x_"}, "does not end in an underscore"),
        ({"parameters": ""}, 'the update of x: unknown symbol "r"'),
        ({"parameters": "r mu"}, r"parameter\(s\) \['mu'\] appear neither"),
        ({"parameters": "rate", "update": {"x": "rat*x"}}, 'unknown symbol "rat"; did you mean "rate"'),
        ({"update": {"x": "sqr(r)*x"}}, 'unknown function "sqr"; did you mean "sqrt"'),
        ({"update": {"y": "r*x"}}, r"what becomes of each of \['x'\], got \['y'\]"),
        ({"update": {"x": "r*x*("}}, "the update of x is no expression: 'r"),
        ({"update": {"x": "r*x^2"}}, r"no expression: 'r\*x\^2' \(powers are written with \*\*\)$"),
        ({"update": {"x": "2x*r"}}, r"'2x\*r' \(products are written with \*\)$"),
        ({"update": {"x": "r*x(1 - x)"}}, r"\(products are written with \*\)$"),
        ({"update": {"x": "(1 - x)(r)"}}, r"\(products are written with \*\)$"),
        ({"update": {"x": "r x"}}, r"\(products are written with \*\)$"),
        ({"update": {"x": "sqrt(r)*1e-3*x*"}}, r"1e-3\*x\*'$"),
        ({"update": {"x": "r*x > 1"}}, "is no expression"),
        ({"where": {"x": "r"}}, "x is declared twice"),
        ({"where": {"a": "b", "b": "r"}}, 'map logistic: a: unknown symbol "b"'),
        ({"observables": {"a b": "x"}}, "'a b' cannot be used"),
        ({"observables": {"height": "z"}}, 'observable height: unknown symbol "z"'),
    ],
)
def test_wrong_declarations_fail_where_they_are_written(changes, message):
    right = {"name": "logistic", "state": "x", "parameters": "r", "update": {"x": "r*x*(1 - x)"}}
    Map(**right)
    with pytest.raises(ValueError, match=message):
        Map(**right | changes)


@pytest.mark.parametrize("argument", ["update", "where", "observables"])
def test_expressions_come_with_their_names(argument):
    right = {"name": "logistic", "state": "x", "parameters": "r", "update": {"x": "r*x*(1 - x)"}}
    with pytest.raises(TypeError, match=f"map logistic: {argument} must be a mapping such as .*, got 'r\\*x'"):
        Map(**right | {argument: "r*x"})


@pytest.mark.parametrize(
    ("x", "values", "message"),
    [
        ([0.5], {"R": 3.0}, 'unknown parameter of logistic "R"; did you mean "r"'),
        ([0.5], {}, "logistic needs a value for r"),
        (0.5, {"r": 3.0}, r"x must have shape \(\.\.\., 1\), got \(\) \(x\[:, None\] is one run a number\)"),
        ([0.5, 0.6], {"r": 3.0}, r"x must have shape \(\.\.\., 1\), got \(2,\)"),
        ([[0.5], [0.6]], {"r": [1.0, 2.0, 3.0]}, r"must broadcast with the states, shape \(2,\), got \{'r': \(3,\)\}"),
    ],
)
def test_wrong_arguments_of_a_step(x, values, message):
    with pytest.raises(ValueError, match=message):
        LOGISTIC.step(x, **values)


def test_words_about_a_map():
    assert repr(uv) == "Map(uv; P, Q; Y)"
    assert self_stabilization.reference == "arXiv:2209.15594"
