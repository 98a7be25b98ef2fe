"""Kernel regression on the digits with a known truth: risk of GD and USAM, and what their filters let through."""

from pathlib import Path

from eossim import data
from eossim.plot import kernel_filters, save

if __name__ == "__main__":
    figure, numbers = kernel_filters(data.load("digits").standardized())
    save(figure, Path(__file__).with_suffix(""), numbers)
