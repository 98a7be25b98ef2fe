"""Phase portrait of SGD's second moment below and above the critical step: exact paths and simulated runs."""

from pathlib import Path

from eossim.plot import save, second_moment_portrait

if __name__ == "__main__":
    figure, numbers = second_moment_portrait()
    save(figure, Path(__file__).with_suffix(""), numbers)
