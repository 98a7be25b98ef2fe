"""SGD on digits with random labels: batch sharpness at 2/eta for every batch size, λ_max below."""

from pathlib import Path

from eossim.experiments import stochastic_edge
from eossim.plot import network_stochastic, save

if __name__ == "__main__":
    result = stochastic_edge.run()
    print(result)
    figure, numbers = network_stochastic(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
