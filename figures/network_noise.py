"""Which noise keeps λ_max below 2/eta: that of batches, not Gaussian noise on the gradient."""

from pathlib import Path

from eossim.experiments import noise_controls
from eossim.plot import network_noise, save

if __name__ == "__main__":
    result = noise_controls.run()
    print(result)
    figure, numbers = network_noise(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
