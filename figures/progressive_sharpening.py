"""D and S against 2/eta while a small network is fitted: in each norm its own sharpness rises to its own edge."""

from pathlib import Path

import numpy as np

from eossim.networks import MLP
from eossim.norms import L2, Linf, Spectral
from eossim.plot import progressive_sharpening, save

if __name__ == "__main__":
    x = np.linspace(-1, 1, 20)
    chebyshev = np.cos(6 * np.arccos(x))
    network = MLP((1, 30, 20, 1), "tanh", "mse", x[:, None], chebyshev[:, None])
    runs = {
        "ℓ$_2$: gradient descent": (L2(), 0.2),
        "ℓ$_∞$ descent": (Linf(), 0.0015),
        "spectral descent": (Spectral(network.layers), 0.045),
    }
    figure, numbers = progressive_sharpening(network, runs, network.initial(0), 2000, every=25)
    save(figure, Path(__file__).with_suffix(""), numbers)
