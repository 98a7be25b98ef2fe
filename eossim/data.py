"""Small real data sets: two that ship with scikit-learn, and .npz files of one's own."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from eossim._check import finite_array, unknown
from eossim.problems import KernelRegression, LeastSquares


@dataclass(frozen=True, eq=False)
class Data:
    """Inputs and targets of a regression problem.

    Args:
        X: Inputs, shape (n, dim), converted to float64.
        y: Targets, shape (n,), converted to float64.
        name: What the data are called in tables and plots.

    Raises:
        TypeError: If X or y does not hold real numbers.
        ValueError: If X or y has a wrong shape, is empty or not finite.
    """

    X: np.ndarray
    y: np.ndarray
    name: str

    def __post_init__(self) -> None:
        X = finite_array("X", self.X, ndim=2, dtype=np.float64)
        y = finite_array("y", self.y, shape=(len(X),), dtype=np.float64)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)

    def least_squares(self, **kwargs: Any) -> LeastSquares:
        """Return the linear regression problem; `kwargs` go to `LeastSquares`."""
        return LeastSquares(self.X, self.y, **kwargs)

    def kernel_regression(self, kernel: str = "rbf", **kwargs: Any) -> KernelRegression:
        """Return the kernel regression problem; `kwargs` go to `KernelRegression.from_data`."""
        return KernelRegression.from_data(self.X, self.y, kernel, **kwargs)

    def standardized(self) -> "Data":
        """Return the data with columns of mean 0 and variance 1, and y of mean 0; constant columns are dropped.

        Least squares with an intercept then has the intercept 0, known exactly, so that a model without one loses
        nothing: bias, variance and risk are about the other parameters alone. Equal scales make the curvature that
        of the correlations, not of the units of measurement.

        Raises:
            ValueError: If every column of X is constant.
        """
        X = self.X[:, np.ptp(self.X, axis=0) > 0]
        if not X.shape[1]:
            raise ValueError("every column of X is constant")
        Z = X - X.mean(axis=0)
        Z /= np.abs(Z).max(axis=0)
        Z -= Z.mean(axis=0)  # again: a mean much larger than the spread leaves rounding errors of its own size
        Z /= np.sqrt((Z * Z).mean(axis=0))
        y = self.y - self.y.mean()
        return Data(Z, y - y.mean(), f"{self.name} (standardized)")

    def __repr__(self) -> str:
        return f"Data({self.name!r}, X{self.X.shape}, y{self.y.shape})"


def _digits() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_digits  # slow to import

    return load_digits(return_X_y=True)


def _diabetes() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import load_diabetes  # slow to import

    return load_diabetes(return_X_y=True, scaled=False)


_NAMED: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {"digits": _digits, "diabetes": _diabetes}


def load(name: str | PathLike[str] | Data) -> Data:
    """Load a data set by name or from a file.

    Args:
        name: "digits" (1797 images of 8x8 pixels from 0 to 16; the target is the digit), "diabetes"
            (442 patients, 10 raw measurements; the target is disease progression), or the path of an
            .npz file with arrays X of shape (n, dim) and y of shape (n,). A string without a folder and
            without the suffix .npz is taken as a name. `Data` comes back as it is.

    Raises:
        FileNotFoundError: If the path does not exist.
        TypeError: If `name` is neither a string, a path nor `Data`.
        ValueError: If the name is unknown, or the file is damaged, no .npz or lacks valid X and y.
    """
    if isinstance(name, Data):
        return name
    if not isinstance(name, str | PathLike):
        raise TypeError(f"name must be a string or a path, got {name!r}")
    if isinstance(name, str):
        if name in _NAMED:
            return Data(*_NAMED[name](), name)
        if Path(name).suffix != ".npz" and Path(name).name == name:
            raise unknown("data set", name, [*_NAMED, "a path to an .npz file"])
    path = Path(name)
    X, y = _read_npz(path)
    try:
        return Data(X, y, path.stem)
    except (TypeError, ValueError) as error:  # here a TypeError is about the content of a file too
        raise ValueError(f"{path}: {error}") from error


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the arrays X and y without unpickling anything."""
    if not path.exists():
        raise FileNotFoundError(f"no data file {path}")
    if not path.is_file() or not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is not an .npz file, or it is damaged")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("X", "y") if key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or holds Python objects: {error}") from error
    missing = [key for key in ("X", "y") if key not in arrays]
    if missing:
        raise ValueError(f"{path} must hold arrays X and y; missing: {', '.join(missing)}")
    return arrays["X"], arrays["y"]
