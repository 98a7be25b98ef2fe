import numpy as np
import pytest

from eossim.experiments import Result

ROWS = [
    {"run": "GD", "edge": 20.0, "range": (0.5, 0.6), "reached": False, "T4": None},
    {"run": "SAM", "edge": np.float64(3.56213), "range": (0.99, 1.0), "reached": np.True_, "T4": 12},
]


@pytest.fixture
def result():
    return Result("two runs", ROWS, {}, {"steps": 100, "eta": 0.10})


def test_a_table_to_read(result):
    assert repr(result).splitlines() == [
        "two runs: steps = 100, eta = 0.1",
        "",
        "run  edge   range       reached  T4",
        "-----------------------------------",
        "GD   20     [0.5, 0.6]  no       -",
        "SAM  3.562  [0.99, 1]   yes      12",
    ]
    assert "<td>[0.5, 0.6]</td>" in result._repr_html_()


def test_rows_and_columns_by_name(result):
    assert result.column("edge") == [20.0, 3.56213]
    assert result.row(run="SAM", T4=12)["reached"]
    with pytest.raises(KeyError, match="no column 'edges'; there are run, edge, range"):
        result.column("edges")
    with pytest.raises(KeyError, match="USAM"):
        result.row(run="USAM")


def test_nothing_at_all():
    empty = Result("nothing", [], {})
    assert repr(empty) == "nothing"
    assert empty.columns == []


def test_rows_must_agree():
    with pytest.raises(ValueError, match="same keys"):
        Result("two", [{"a": 1}, {"b": 1}], {})
