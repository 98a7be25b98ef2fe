import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eossim.data import Data, load
from eossim.problems import KernelRegression, LeastSquares
from tests.strategies import regressions


@pytest.mark.parametrize(("name", "shape"), [("digits", (1797, 64)), ("diabetes", (442, 10))])
def test_named_data(name, shape):
    data = load(name)
    assert data.name == name
    assert data.X.shape == shape
    assert data.y.shape == shape[:1]
    assert data.X.dtype == data.y.dtype == np.float64


def test_named_data_are_raw():
    assert load("digits").X.max() == 16
    assert load("diabetes").X[:, 0].min() == 19  # age in years


@given(case=regressions())
def test_npz_round_trip(case, tmp_path_factory):
    X, y = case
    path = tmp_path_factory.mktemp("data") / "mine.npz"
    np.savez(path, X=X, y=y, extra=[1])
    for name in (path, str(path)):
        data = load(name)
        np.testing.assert_array_equal(data.X, X)
        np.testing.assert_array_equal(data.y, y)
        assert data.name == "mine"


def test_integers_in_a_file_become_floats(tmp_path):
    np.savez(tmp_path / "ints.npz", X=[[1], [2]], y=np.array([0, 1], np.uint8))
    data = load(tmp_path / "ints.npz")
    assert data.X.dtype == data.y.dtype == np.float64


def test_least_squares():
    problem = Data([[1, 2], [3, 4]], [1, 2], "tiny").least_squares(normalize=False, loss_scale=1.0)
    assert isinstance(problem, LeastSquares)
    assert (problem.normalize, problem.loss_scale) == (False, 1.0)


def test_kernel_regression():
    X, y = [[1, 2], [3, 4], [5, 0]], [1, 2, 3]
    problem = Data(X, y, "tiny").kernel_regression("laplacian", gamma=0.5, eigenpairs=2)
    expected = KernelRegression.from_data(X, y, "laplacian", gamma=0.5, eigenpairs=2)
    assert repr(problem) == repr(expected)
    np.testing.assert_array_equal(problem.curvature, expected.curvature)
    assert Data(X, y, "tiny").kernel_regression().kernel == "rbf"


class TestStandardized:
    @given(regressions(), st.floats(-1e6, 1e6))
    def test_moments_and_dropped_columns(self, case, shift):
        X, y = case
        keep = np.ptp(X + shift, axis=0) > 0
        assume(keep.any())
        X = np.column_stack([X + shift, np.full(len(X), 0.1)])  # 0.1 is no binary fraction: its mean may differ
        data = Data(X, y + shift, "mine").standardized()
        assert data.X.shape == (len(X), keep.sum())
        np.testing.assert_allclose(data.X.mean(axis=0), 0, atol=1e-14)
        np.testing.assert_allclose(data.X.var(axis=0), 1, rtol=1e-13)
        np.testing.assert_allclose(data.y.mean(), 0, atol=1e-14 * np.abs(data.y).max())
        np.testing.assert_allclose(np.subtract.outer(data.y, data.y), np.subtract.outer(y, y), atol=1e-9)

    def test_is_affine_in_every_column(self):
        data = load("diabetes")
        slope = (data.standardized().X / (data.X - data.X.mean(axis=0)))[0]
        np.testing.assert_allclose(data.standardized().X, (data.X - data.X.mean(axis=0)) * slope, atol=1e-11)
        assert (slope > 0).all()
        assert data.standardized().name == "diabetes (standardized)"

    def test_the_intercept_is_known(self):
        """Least squares without an intercept fits as one with it."""
        data = load("diabetes")
        problem = data.standardized().least_squares()
        columns = np.column_stack([np.ones(len(data.y)), data.X])
        expected = columns @ np.linalg.lstsq(columns, data.y, rcond=None)[0]
        np.testing.assert_allclose(problem.fitted(problem.minimizer) + data.y.mean(), expected, rtol=1e-10)

    def test_digits_lose_their_blank_pixels(self):
        data = load("digits")
        assert (data.X.max(axis=0) == 0).sum() == 3
        assert data.standardized().X.shape == (1797, 61)

    def test_spread_far_below_the_mean(self):
        data = Data([[1e9 + 0.25], [1e9 + 0.75], [1e9 + 0.5]], [0, 0, 0], "far").standardized()
        np.testing.assert_allclose(data.X[:, 0], np.array([-1, 1, 0]) * np.sqrt(1.5), atol=1e-15)

    @pytest.mark.parametrize("scale", [1e-300, 1e300])
    def test_extreme_units(self, scale):
        data = Data([[scale], [-scale]], [0, 1], "units").standardized()
        np.testing.assert_array_equal(data.X, [[1], [-1]])

    @pytest.mark.parametrize("X", [[[1.0, 2.0]], [[3.0, 4.0], [3.0, 4.0]]])
    def test_nothing_left(self, X):
        with pytest.raises(ValueError, match="every column of X is constant"):
            Data(X, np.ones(len(X)), "flat").standardized()


def test_data_is_frozen_and_short_to_print():
    data = load("diabetes")
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "other"
    assert repr(data) == "Data('diabetes', X(442, 10), y(442,))"


@pytest.mark.parametrize("name", ["digit", "Digits", "digits.csv"])
def test_unknown_name(name):
    with pytest.raises(ValueError, match=r'unknown data set ".*"; did you mean "digits"\? known: digits'):
        load(name)


@pytest.mark.parametrize("name", [None, 3, ["digits"]])
def test_wrong_type(name):
    with pytest.raises(TypeError, match="name must be a string or a path"):
        load(name)


@pytest.mark.parametrize("name", ["nowhere.npz", "no/such/folder/data.npz", "no/such/folder"])
def test_missing_file(name):
    with pytest.raises(FileNotFoundError, match="no data file .*" + name.rsplit("/", 1)[-1]):
        load(name)


def test_not_an_npz_file(tmp_path):
    text = tmp_path / "text.npz"
    text.write_text("X, y")
    for path in (text, tmp_path):
        with pytest.raises(ValueError, match=r"is not an \.npz file, or it is damaged"):
            load(path)


def test_damaged_file(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.ones((50, 2)), y=np.ones(50))
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])  # cut off
    with pytest.raises(ValueError, match="damaged"):
        load(path)
    content[300] ^= 0xFF  # one byte changed inside X: the checksum notices
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        load(path)


def test_python_objects_are_not_unpickled(tmp_path):
    path = tmp_path / "objects.npz"
    np.savez(path, X=np.array([[object()]]), y=np.ones(1))
    with pytest.raises(ValueError, match="holds Python objects"):
        load(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": [[1.0]]}, "must hold arrays X and y; missing: y"),
        ({"a": [1.0]}, "missing: X, y"),
        ({"X": [1.0], "y": [1.0]}, "X must be 2-D"),
        ({"X": [[1.0]], "y": [1.0, 2.0]}, r"y must have shape \(1,\), got \(2,\)"),
        ({"X": [[np.nan]], "y": [1.0]}, r"X must be finite, got X\[0, 0\] = nan"),
        ({"X": [[1.0]], "y": [np.inf]}, "y must be finite"),
        ({"X": [["a"]], "y": [1.0]}, "X must hold real numbers"),
        ({"X": np.empty((0, 2)), "y": []}, "X must not be empty"),
    ],
)
def test_bad_arrays(tmp_path, arrays, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=r"bad\.npz.*" + message):
        load(path)


def test_import_is_light():
    """scikit-learn is imported when a data set of its own is asked for, not before."""
    heavy = ("sklearn", "xarray", "sympy", "matplotlib")
    code = f"import sys, eossim.data; print(*[m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_data_come_back_as_they_are():
    mine = Data([[1.0], [2.0]], [0.0, 1.0], "mine")
    assert load(mine) is mine
