"""GD, USAM and SAM below, between and above their edges."""

from pathlib import Path

from eossim.plot import save, trajectories

if __name__ == "__main__":
    figure, numbers = trajectories()
    save(figure, Path(__file__).with_suffix(""), numbers)
