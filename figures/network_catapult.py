"""Raising the step size or shrinking the batch of SGD: a catapult late in the run, none early."""

from pathlib import Path

from eossim.experiments import catapult
from eossim.plot import network_catapult, save

if __name__ == "__main__":
    result = catapult.run()
    print(result)
    figure, numbers = network_catapult(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
