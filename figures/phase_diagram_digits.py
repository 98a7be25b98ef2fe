"""The phase diagram of ReLU networks on digits; finished cells are kept beside it while it runs."""

from pathlib import Path

from eossim import phase_diagram
from eossim.plot import phase_diagram as draw
from eossim.plot import save

STEM = Path(__file__).with_suffix("")

if __name__ == "__main__":
    store = STEM.with_suffix(".store")
    found = phase_diagram("mlp", depth=(2, 4, 8), width=(32, 64, 128), seeds=3, data="digits", store=store)
    figure, numbers = draw(found)
    save(figure, STEM, numbers)
    store.unlink()
