"""Gradient-noise interaction of stationary SGD on fresh and on reshuffled batches: exact and simulated."""

from pathlib import Path

from eossim import LeastSquares, data
from eossim.plot import gni_fresh_and_reshuffled, save

if __name__ == "__main__":
    rows, y = [[1, 0], [0, 1], [1, 1], [1, -1]], [1, 2, 0, 1]
    diabetes = data.load("diabetes").standardized()
    figure, numbers = gni_fresh_and_reshuffled(
        {
            "four points in the plane, b = 2": (LeastSquares(rows, y), 2),
            "least squares on diabetes, b = 13": (LeastSquares(diabetes.X, diabetes.y), 13),
        }
    )
    save(figure, Path(__file__).with_suffix(""), numbers)
