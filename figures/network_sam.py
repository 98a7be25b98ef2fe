"""SAM, USAM and GD on a network of 141 parameters: sharpness at each method's own edge."""

from pathlib import Path

from eossim.experiments import sam_table
from eossim.plot import network_sam, save

if __name__ == "__main__":
    result = sam_table.run()
    print(result)
    figure, numbers = network_sam(result)
    save(figure, Path(__file__).with_suffix(""), numbers)
