"""The paper's Frank-Wolfe and our estimator of the generalised sharpness against the exact value."""

from pathlib import Path

from eossim.plot import estimator_quality, save

if __name__ == "__main__":
    figure, numbers = estimator_quality()
    save(figure, Path(__file__).with_suffix(""), numbers)
