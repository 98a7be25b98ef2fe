"""SAM's edge against the gradient norm, and simulated runs that settle on it."""

from pathlib import Path

from eossim.plot import edge_against_grad_norm, save

if __name__ == "__main__":
    figure, numbers = edge_against_grad_norm()
    save(figure, Path(__file__).with_suffix(""), numbers)
