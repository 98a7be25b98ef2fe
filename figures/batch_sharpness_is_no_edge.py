"""Stable SGD with eta times batch sharpness above 2, and unstable SGD with it below 2."""

from pathlib import Path

from eossim.plot import save, sharpness_counterexample

if __name__ == "__main__":
    figure, numbers = sharpness_counterexample()
    save(figure, Path(__file__).with_suffix(""), numbers)
