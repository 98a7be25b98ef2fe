"""Grids: every cell once, and clear errors for what is no grid."""

import functools
import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.sweeps.grid import cell_key, check_names, make_grid

plain = st.one_of(
    st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.none(), st.tuples(st.integers())
)
axes = st.dictionaries(
    st.sampled_from(["a", "b", "c", "eta"]), st.lists(plain, min_size=1, max_size=4, unique=True), min_size=1
)


@given(axes)
def test_cells_are_the_product_in_order(values):
    grid = make_grid(values)
    assert [grid.cell(k) for k in range(len(grid))] == [
        dict(zip(values, row, strict=True)) for row in itertools.product(*values.values())
    ]
    assert grid.shape == tuple(len(v) for v in values.values())


@given(axes)
def test_different_cells_have_different_keys(values):
    grid = make_grid(values)
    assert len({cell_key(grid.cell(k)) for k in range(len(grid))}) == len(grid)


def test_the_key_of_a_cell_does_not_depend_on_the_grid():
    assert cell_key({"b": 1, "a": 0.1}) == cell_key({"a": 0.1, "b": 1})
    assert len({cell_key({"a": v}) for v in (1, 1.0, True, "1", None, "None", (1,), math.inf)}) == 8
    value = 0.1 + 0.2
    assert json.loads(cell_key({"a": value}))["a"] == value


def test_names_that_go_together_make_one_dimension():
    grid = make_grid({"a": [1, 2], ("eta", "beta"): [(0.1, 0), (0.2, 0.9), (0.3, 0.5)]}, seeds=2)
    assert grid.dims == ("a", "eta_beta", "seed")
    assert grid.shape == (2, 3, 2)
    assert grid.cell(3) == {"a": 1, "eta": 0.2, "beta": 0.9, "seed": 1}
    coordinates = grid.axes[1].coordinates()
    np.testing.assert_array_equal(coordinates["eta"], [0.1, 0.2, 0.3])
    np.testing.assert_array_equal(coordinates["beta"], [0, 0.9, 0.5])


def test_values_reach_the_function_as_plain_python():
    some = (np.float32(x) for x in (1, 2))
    grid = make_grid({"a": np.array([0.1, 0.2]), "b": np.arange(2), "c": some, "d": range(1)})
    assert [type(value) for value in grid.cell(0).values()] == [float, int, float, int]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], "b"),
        ([1, 2], "i"),
        ([1, 2.5], "f"),
        ([math.inf, 1.0], "f"),
        (["x", "y"], "U"),
        ([None, 1], "U"),
        ([(1, 2), (3,)], "U"),
        ([2**70, 1], "U"),
        ([1.5, 2**60], "U"),
    ],
)
def test_coordinates_are_labels(values, kind):
    labels = make_grid({"a": values}).axes[0].coordinates()["a"]
    assert labels.dtype.kind == kind
    assert len(set(labels.tolist())) == len(values)


@pytest.mark.parametrize(
    ("grid", "seeds", "message"),
    [
        ({}, None, "grid is empty"),
        ({"a": []}, None, r"grid\['a'\] is empty"),
        ({"a": [1, 2, 1]}, None, r"grid\['a'\] has the value 1 twice, at 0 and 2"),
        ({"a": [1, 1.0]}, None, "twice"),
        ({("a", "b"): [(1, 2), (1, 2)]}, None, r"has the value \(1, 2\) twice"),
        ({"a": [1], ("a", "b"): [(1, 2)]}, None, "the name 'a' twice"),
        ({("a", "a"): [(1, 2)]}, None, "the name 'a' twice"),
        ({("a", "b"): [(1, 2)], "a_b": [1]}, None, "the name 'a_b' twice"),
        ({"seed": [1]}, 3, "the name 'seed' twice .seeds make"),
        ({("a", "b"): [(1, 2, 3)]}, None, r"grid\[\('a', 'b'\)\]\[0\] must be 2 values"),
        ({("a", "b"): ["xy"]}, None, "must be 2 values"),
        ({("a",): [(1,)]}, None, "two or more"),
        ({"failed": [1]}, None, "must not have the name 'failed'"),
        ({"not a name": [1]}, None, "names of parameters"),
        ({"a": [math.nan]}, None, "NaN"),
        ({"a": [1]}, 0, "seeds must be an integer >= 1"),
        ({"a": [1]}, [], "seeds is empty"),
        ({"a": [1]}, [1, 1], "seeds must differ"),
        ({"a": [1]}, [-1], "seeds.0. must be an integer >= 0"),
    ],
)
def test_what_is_no_grid_is_refused(grid, seeds, message):
    with pytest.raises(ValueError, match=message):
        make_grid(grid, seeds)


@pytest.mark.parametrize(
    ("grid", "seeds", "message"),
    [
        ([("a", [1])], None, "grid must map names"),
        ({1: [1]}, None, "must be strings"),
        ({"a": 0.1}, None, r"grid\['a'\] must be a sequence of values .a constant is bound with functools.partial"),
        ({"a": "text"}, None, "must be a sequence"),
        ({"a": {1, 2}}, None, "in an order"),
        ({"a": [[1, 2], [3, 4]]}, None, r"grid\['a'\]\[0\] must be one of .*write a list as a tuple; got \[1, 2\]"),
        ({"a": [print]}, None, r"grid\['a'\]\[0\] must be one of numbers"),
        ({"a": [np.datetime64("2020")]}, None, "must be one of numbers"),
        ({"a": [1]}, 1.5, "seeds must be an integer"),
        ({"a": [1]}, "12", "seeds must be an integer"),
    ],
)
def test_what_is_of_another_kind_is_refused(grid, seeds, message):
    with pytest.raises(TypeError, match=message):
        make_grid(grid, seeds)


def function(eta, rho, *, beta=0.0):
    return eta, rho, beta


def test_names_must_be_those_of_the_function():
    check_names(function, ["eta", "rho"])
    check_names(function, ["beta", "rho", "eta"])
    check_names(functools.partial(function, rho=1), ["eta"])
    check_names(functools.partial(function, 0.1), ["rho"])
    check_names(lambda **anything: 0, ["x", "y"])
    with pytest.raises(ValueError, match='unknown parameter of the function "bata"; did you mean "beta"'):
        check_names(function, ["eta", "rho", "bata"])
    with pytest.raises(ValueError, match="takes no parameter 'seed'; it takes eta, rho, beta"):
        check_names(function, ["eta", "rho", "seed"])
    with pytest.raises(TypeError, match="needs 'rho': put it in the grid or bind it"):
        check_names(function, ["eta"])
    with pytest.raises(ValueError, match="'rho' is in the grid and bound to 1 as well"):
        check_names(functools.partial(function, rho=1), ["eta", "rho"])
    with pytest.raises(TypeError, match="by position only"):
        check_names(lambda x, /: x, [])


@pytest.mark.parametrize("grid", [{"a": ["1", 1]}, {("a", "b"): [("1", 0), (1, 0)]}, {"a": ["x", "x\0"]}])
def test_values_that_look_alike_are_refused(grid):
    with pytest.raises(ValueError, match=r"has two values that are one as text, .*: write them in two ways"):
        make_grid(grid)
    make_grid({("a", "b"): [("1", 0), (1, 1)]})
