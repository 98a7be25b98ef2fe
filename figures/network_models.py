"""Quadratic models of a network diverge at the edge of descent in a norm, and not before."""

from pathlib import Path

from eossim.experiments import taylor_swap
from eossim.plot import network_models, save

if __name__ == "__main__":
    result = taylor_swap.run()
    print(result)
    figure, numbers = network_models(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
