"""Descent in norms on digits: S in each method's own norm at its edge, λ_max far below it."""

from pathlib import Path

from eossim.experiments import norm_edges
from eossim.plot import network_norms, save

if __name__ == "__main__":
    result = norm_edges.run()
    print(result)
    figure, numbers = network_norms(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
