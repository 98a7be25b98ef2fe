"""The four regimes of training on one small network at four step sizes."""

from pathlib import Path

from eossim.experiments import regimes
from eossim.plot import network_regimes, save

if __name__ == "__main__":
    result = regimes.run()
    print(result)
    figure, numbers = network_regimes(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
