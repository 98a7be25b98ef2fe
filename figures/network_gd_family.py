"""GD, heavy ball and full-batch Adam on the digits: each sharpness settles at the edge of its method."""

from pathlib import Path

from eossim.experiments import gd_family
from eossim.plot import network_gd_family, save

if __name__ == "__main__":
    result = gd_family.run()
    print(result)
    figure, numbers = network_gd_family(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
