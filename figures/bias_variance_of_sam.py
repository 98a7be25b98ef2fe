"""Bias, variance and risk of GD and USAM where the signal sits on large, on all and on small curvatures."""

from pathlib import Path

from eossim.plot import bias_variance_by_alignment, save

if __name__ == "__main__":
    figure, numbers = bias_variance_by_alignment()
    save(figure, Path(__file__).with_suffix(""), numbers)
