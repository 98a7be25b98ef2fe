"""Unit balls of six norms and steepest descent in each, below and above its edge, on one quadratic in the plane."""

from pathlib import Path

from eossim.plot import descent_in_norms, save

if __name__ == "__main__":
    figure, numbers = descent_in_norms()
    save(figure, Path(__file__).with_suffix(""), numbers)
