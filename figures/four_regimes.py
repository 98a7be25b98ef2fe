"""One run through the four regimes: a catapult, saturation, progressive sharpening, the edge of stability."""

from pathlib import Path

from eossim.experiments import regimes
from eossim.plot import four_regimes, save

if __name__ == "__main__":
    figure, numbers = four_regimes(regimes.run().runs["eta = 0.4169"])
    save(figure, Path(__file__).with_suffix(""), numbers)
