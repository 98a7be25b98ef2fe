"""What a cell returned, as bytes and back: to the bit."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from eossim.experiments import Result
from eossim.sweeps.payload import pack, unpack_head

arrays = npst.arrays(
    st.one_of(
        npst.boolean_dtypes(),
        npst.integer_dtypes(endianness="?"),
        npst.floating_dtypes(endianness="?"),
        npst.complex_number_dtypes(),
        npst.unicode_string_dtypes(max_len=4),
        npst.datetime64_dtypes(),
    ),
    npst.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
)


def unpack(payload):
    head, _, body = payload.partition(b"\n")
    return {field.name: (field, field.read(body)) for field in unpack_head(head)}


names = st.text(min_size=1, max_size=6).filter(lambda name: name not in ("eta", "failed", "error") and "_" not in name)


@given(st.dictionaries(names, arrays, max_size=4))
def test_arrays_come_back_to_the_bit(values):
    found = unpack(pack(values, {"eta": 0.1}, ["eta"]))
    assert list(found) == list(values)
    for name, array in values.items():
        field, back = found[name]
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tobytes() == array.tobytes()
        assert field.dims == tuple(f"{name}_{k}" for k in range(array.ndim))


@pytest.mark.parametrize("value", [1, 2.5, True, "text", 1j, np.float32(0.1), np.int8(3)])
def test_a_number_or_text_is_called_value(value):
    _, back = unpack(pack(value, {}, ()))["value"]
    assert back.shape == ()
    assert back == value
    assert back.dtype == np.asarray(value).dtype


def test_labelled_arrays_keep_dimensions_coordinates_and_notes():
    line = xr.DataArray(
        [1.0, 2.0], dims="step", coords={"step": [0, 5], "at": 3.0}, name="loss", attrs={"units": "nats", "f": print}
    )
    found = unpack(pack(line, {}, ()))
    assert {(f.name, f.coordinate, f.dims, f.index) for f, _ in found.values()} == {
        ("loss", False, ("step",), False),
        ("step", True, ("step",), True),
        ("at", True, (), False),
    }
    assert found["loss"][0].attrs == {"units": "nats"}
    assert set(unpack(pack(line.rename(None), {}, ()))) == {"value", "step", "at"}
    assert set(unpack(pack({"a": line, "b": line, "c": 1}, {}, ()))) == {"a", "b", "c", "step", "at"}
    assert set(unpack(pack(line.to_dataset(), {}, ()))) == {"loss", "step", "at"}


def test_nothing_is_a_missing_value():
    assert unpack(pack(None, {}, ())) == {}
    assert list(unpack(pack({"a": None, "b": 1}, {}, ()))) == ["b"]


def test_rows_of_a_result_become_columns():
    rows = [
        {"name": "sam", "ratio": 1.5, "late": None, "range": (0.0, 1.0), "fine": True, "at": 3, "note": None},
        {"name": "gd", "ratio": 2, "late": 0.5, "range": None, "fine": False, "at": 4, "note": "x"},
    ]
    found = {name: back for name, (_, back) in unpack(pack(Result("r", rows, {}), {}, ())).items()}
    assert list(found) == ["row", "name", "ratio", "late", "range_low", "range_high", "fine", "at", "note"]
    assert found["name"].tolist() == ["sam", "gd"]
    np.testing.assert_array_equal(found["late"], [np.nan, 0.5])
    np.testing.assert_array_equal(found["range_high"], [1.0, np.nan])
    assert found["fine"].dtype == bool
    assert found["at"].dtype.kind == "i"
    assert found["note"].tolist() == ["", "x"]


def test_what_repeats_the_cell_is_left_out():
    cell = {"eta": 0.1, "method": "gd"}
    assert list(unpack(pack({"eta": 0.1, "method": "gd", "loss": 1.0}, cell, ["eta", "method"]))) == ["loss"]
    run = xr.Dataset({"loss": ("run", [1.0, 2.0])}, {"eta": ("run", [0.1, 0.1])})
    assert list(unpack(pack(run, cell, ["eta"]))) == ["loss"]
    with pytest.raises(ValueError, match="variable 'eta', which belongs to the grid: rename it"):
        pack({"eta": 0.2}, cell, ["eta"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (xr.DataArray([1, 2], dims="eta"), "dimension 'eta', which belongs to the grid"),
        (xr.DataArray([1, 2], dims="eta_beta"), "dimension 'eta_beta'"),
        ({"failed": 1}, "variable 'failed'"),
        ({"error": 1}, "variable 'error'"),
        (xr.Dataset({"a": xr.DataArray([1], dims="error")}), "dimension 'error'"),
        ({"a": [1, 2], "a_0": 1}, "'a_0' both as a variable and as a dimension"),
        ({"x": xr.DataArray([1, 2], dims="x")}, "'x' both as a variable and as a dimension|'x' twice"),
    ],
)
def test_names_of_the_grid_are_taken(value, message):
    with pytest.raises(ValueError, match=message):
        pack(value, {"eta": 0.1, "beta": 0}, ["eta_beta"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), "a cell must return a number, .* of type object"),
        (print, "a cell must return"),
        ({"a": object()}, "'a' is of dtype object"),
        ({"a": [1, None]}, "'a' is of dtype object"),
        ({1: 2}, "names of results must be strings"),
        (b"bytes", r"dtype \|S5"),
    ],
)
def test_what_cannot_be_kept_is_refused(value, message):
    with pytest.raises(TypeError, match=message):
        pack(value, {}, ())


def test_a_payload_holds_no_code():
    """Numbers and JSON only: no pickle opcode runs anything when a store is read."""
    payload = pack({"a": np.arange(3), "b": "x"}, {}, ())
    head, _, body = payload.partition(b"\n")
    assert head.startswith(b"[[")
    assert len(body) == 3 * 8 + 4


def test_masked_values_are_missing():
    masked = np.ma.masked_array([1.0, -999.0], [False, True])
    for value in ({"a": masked, "b": [masked, masked]}, {"a": masked, "b": np.ma.stack([masked, masked])}):
        found = {name: back for name, (_, back) in unpack(pack(value, {}, ())).items()}
        np.testing.assert_array_equal(found["a"], [1.0, np.nan])
        np.testing.assert_array_equal(found["b"], [[1.0, np.nan]] * 2)
    _, back = unpack(pack(np.ma.masked_array([1, 2], False), {}, ()))["value"]
    assert back.tolist() == [1, 2]
    assert back.dtype == np.int64
    assert np.isnan(unpack(pack(np.ma.masked, {}, ()))["value"][1])
    with pytest.raises(TypeError, match="'value' is masked in part, and int64 has no NaN"):
        pack(np.ma.masked_array([1, 2], [False, True]), {}, ())


def test_tables_of_pandas_keep_their_labels():
    series = pd.Series([1.0, 2.0], index=pd.Index(["p", "q"], name="part"))
    table = pd.DataFrame({"x": [1, 2], "y": [3.0, 4.0]}, index=[10, 20])
    for value in (series, {"value": series}):
        found = unpack(pack(value, {}, ()))
        assert found["value"][0].dims == ("part",)
        assert found["part"][1].tolist() == ["p", "q"]
    found = unpack(pack(table, {}, ()))
    assert {name: (field.dims, back.tolist()) for name, (field, back) in found.items()} == {
        "x": (("index",), [1, 2]),
        "y": (("index",), [3.0, 4.0]),
        "index": (("index",), [10, 20]),
    }
    with pytest.raises(TypeError, match="'t' is a table: return it by itself"):
        pack({"t": table}, {}, ())
