"""Phases of the uv model: exact boundaries, and 500 Gaussian starts at every width."""

from pathlib import Path

from eossim import phase_diagram
from eossim.plot import save, uv_phase_diagram

WIDTHS = (8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512)

if __name__ == "__main__":
    found = phase_diagram("uv", width=WIDTHS, seeds=500, c_max=8.0, step=0.02)
    figure, numbers = uv_phase_diagram(found)
    save(figure, Path(__file__).with_suffix(""), numbers)
