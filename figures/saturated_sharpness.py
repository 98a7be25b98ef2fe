"""Sharpness after the early transient over that at the start: the uv model, and ReLU networks on digits."""

from pathlib import Path

from eossim.early_training import UVStarts, network_saturation, saturation_grid, uv_saturation
from eossim.plot import saturation, save

WIDTHS, STARTS = (8, 32, 128, 512, 4096), 300
NETWORKS, SEEDS = ((2, 512), (2, 128), (4, 64)), 2

if __name__ == "__main__":
    c = saturation_grid(3.95)
    uv = {f"width {w}": uv_saturation(UVStarts.drawn(w, range(STARTS)), c).ratio for w in WIDTHS}
    networks = {}
    for depth, width in NETWORKS:
        seeds = [network_saturation(depth, width, seed, c=c).ratio for seed in range(SEEDS)]
        networks[f"{depth} layers, width {width}"] = sum(seeds) / SEEDS
    figure, numbers = saturation({"uv model": uv, "ReLU networks on digits": networks})
    save(figure, Path(__file__).with_suffix(""), numbers)
