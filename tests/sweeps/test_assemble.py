"""One dataset from the results of all cells, against what xarray makes of them."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from eossim.sweeps.assemble import Assembly
from eossim.sweeps.grid import make_grid
from eossim.sweeps.payload import pack


def assembled(grid, results, order=None):
    """Dataset of results by the number of the cell; an exception stands for a failure."""
    assembly = Assembly(grid)
    for index in range(len(grid)) if order is None else order:
        if isinstance(results[index], Exception):
            assembly.fail(index, str(results[index]))
        elif results[index] is not Ellipsis:
            assembly.add(index, pack(results[index], grid.cell(index), grid.dims))
    return assembly.dataset({})


GRID = make_grid({"b": ["y", "x"], "a": [3, 1, 2]})


@given(st.permutations(range(6)))
def test_the_order_of_the_grid_stays_whatever_comes_first(order):
    found = assembled(GRID, [10.0 * k for k in range(6)], order)
    assert found.value.dims == ("b", "a")
    np.testing.assert_array_equal(found.value, [[0, 10, 20], [30, 40, 50]])
    assert found.b.values.tolist() == ["y", "x"]
    assert found.a.values.tolist() == [3, 1, 2]
    assert not found.failed.any()


labels = st.lists(st.integers(0, 8), min_size=0, max_size=5, unique=True)


@given(st.lists(labels, min_size=6, max_size=6), st.booleans())
def test_alignment_agrees_with_xarray(all_labels, ordered):
    all_labels = [sorted(some) if ordered else some for some in all_labels]
    lines = [xr.DataArray(np.array(s, float) + 100 * k, dims="t", coords={"t": np.array(s, int)}, name="v")
             for k, s in enumerate(all_labels)]  # fmt: skip
    found = assembled(GRID, lines).v
    expected = xr.concat([line.reset_coords(drop=True) for line in lines], "cell", join="outer")
    assert set(found.t.values) == set().union(*all_labels)
    if ordered:
        assert sorted(found.t.values) == found.t.values.tolist()
    np.testing.assert_array_equal(found.sel(t=expected.t).values.reshape(expected.shape), expected.values)


def test_failed_and_missing_cells_are_marked():
    found = assembled(GRID, [1, RuntimeError("no"), 2, 3, ..., 4])
    assert found.value.dtype == np.float64
    np.testing.assert_array_equal(found.value, [[1, np.nan, 2], [3, np.nan, 4]])
    np.testing.assert_array_equal(found.failed, [[False, True, False], [False, True, False]])
    assert found.error.values.tolist() == [["", "no", ""], ["", "", ""]]


def test_types_are_kept_where_nothing_is_missing():
    results = [{"n": k, "yes": k > 2, "word": "x" * k, "x": np.float32(k), "z": k * 1j} for k in range(6)]
    full = assembled(GRID, results)
    assert [full[name].dtype.str for name in ("n", "yes", "word", "x", "z")] == ["<i8", "|b1", "<U5", "<f4", "<c16"]
    part = assembled(GRID, [*results[:5], ValueError("no")])
    assert part.yes.dtype == bool
    assert part.n.dtype == np.float64
    assert part.word.values[1, 2] == ""
    assert np.isnan(part.x.values[1, 2])
    assert part.x.dtype == np.float32


def test_kinds_of_numbers_mix_and_others_do_not():
    mixed = assembled(GRID, [1, 2.5, np.float32(1), True, 5, 6])
    assert mixed.value.dtype == np.float64
    with pytest.raises(ValueError, match=r"'value' has text and numbers, at \(b='y', a=1\) and at \(b='y', a=3\)"):
        assembled(GRID, [1.0, "text", 1, 1, 1, 1])


def test_arrays_of_different_lengths_need_coordinates():
    with pytest.raises(ValueError, match=r"lengths 4 and 3 along 'value_0'.* at \(b='y', a=1\) and at \(b='y', a=3\)"):
        assembled(GRID, [np.zeros(3), np.zeros(4), 0, 0, 0, 0])
    with pytest.raises(ValueError, match=r"has dimensions \(value_0\) as a variable and no dimension as a v"):
        assembled(GRID, [0.0, np.zeros(4), 0, 0, 0, 0])
    with_labels = xr.DataArray(np.zeros(3), dims="t", coords={"t": [0, 1, 2]}, name="v")
    with pytest.raises(ValueError, match="with and without coordinate"):
        assembled(GRID, [with_labels, with_labels.drop_vars("t"), 0, 0, 0, 0])
    twice = xr.DataArray(np.zeros(2), dims="t", coords={"t": [1, 1]}, name="v")
    with pytest.raises(ValueError, match="cannot be aligned on 't': it has a label twice"):
        assembled(GRID, [with_labels, twice, ..., ..., ..., ...])


def test_coordinates_of_results_are_shared_or_follow_the_grid():
    def result(k):
        return xr.Dataset({"v": ("t", [k, 2.0 * k])}, {"t": [0, 1], "time": ("t", [0.0, 0.1]), "eta": 0.1 * k})

    found = assembled(GRID, [*(result(k) for k in range(5)), ValueError("no")])
    assert found.time.dims == ("t",)
    assert found.eta.dims == ("b", "a")
    assert "eta" in found.coords
    assert found.eta.values[0, 2] == 0.2
    assert found.v.dims == ("b", "a", "t")


def test_notes_that_agree_are_kept():
    def result(k):
        return {"v": xr.DataArray(float(k), attrs={"units": "nats", "k": k})}

    assert assembled(GRID, [result(k) for k in range(6)]).v.attrs == {"units": "nats"}


def test_a_dataset_without_any_result():
    found = assembled(GRID, [ValueError("no")] * 6)
    assert set(found.data_vars) == {"failed", "error"}
    assert found.failed.all()


def test_zipped_axes_have_all_their_coordinates(tmp_path):
    grid = make_grid({("eta", "beta"): [(0.1, 0), (0.2, 1)]}, seeds=2)
    found = assembled(grid, [0, 1, 2, ValueError("no")])
    assert found.value.dims == ("eta_beta", "seed")
    assert found.eta.dims == found.beta.dims == ("eta_beta",)
    found.to_netcdf(tmp_path / "found.nc")
    xr.testing.assert_identical(xr.load_dataset(tmp_path / "found.nc"), found)


def lines(*labels):
    """A labelled line for each cell; its values are 10 times the number of the cell, and then one more each."""
    return [
        xr.DataArray(10.0 * k + np.arange(len(some)), dims="t", coords={"t": some}, name="v")
        for k, some in enumerate(labels)
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.array([4607182418800017408]), np.array([1.0])),  # the bytes of 1.0
        (np.array([1], "M8[s]"), np.array([1], "M8[ns]")),
        (np.array(["ab"]), np.array(["a", "b"])),
        (np.array([0, 1], "i4"), np.array([1 << 32])),
        (np.zeros(0, "i8"), np.array([1, 2])),
        (np.array([0.1], "f4"), np.array([0.1])),
    ],
)
def test_labels_of_other_types_are_other_labels(first, second):
    grid = make_grid({"a": [0, 1]})
    found = assembled(grid, lines(first, second)).v
    assert found.sizes["t"] == len(first) + len(second)
    for k, some in enumerate((first, second)):
        np.testing.assert_array_equal(found.sel(a=k, t=some), 10.0 * k + np.arange(len(some)))
        assert np.isfinite(found.sel(a=k)).sum() == len(some)


def test_equal_labels_of_other_types_are_one():
    grid = make_grid({"a": [0, 1]})
    for first, second in (([1, 2], [1.0, 2.0]), (np.array([1, 2], "i4"), [2, 1]), (["a"], ["a", "bc"])):
        found = assembled(grid, lines(first, second)).v
        assert found.sizes["t"] == 2
        np.testing.assert_array_equal(found.sel(a=1, t=second), [10.0, 11.0])


def test_labels_that_cannot_be_told_apart_are_refused():
    grid = make_grid({"a": [0, 1]})
    with pytest.raises(ValueError, match="cannot be aligned on 't': float64 does not hold all labels exactly"):
        assembled(grid, lines([2**53 + 1], [0.5]))
