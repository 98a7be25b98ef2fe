"""The uv model beyond its edge: 2-cycle, period doubling, chaos, with the Lyapunov exponent."""

from pathlib import Path

import numpy as np

from eossim import dynamics, maps
from eossim.plot import bifurcation, save
from eossim.theory import uv

VALUES = np.linspace(0.9, 2.0, 2200)
#: Exact values with their names; that of the onset of chaos is measured.
EXACT = {"two_cycle": "2-cycle\nY = 1", "doubling": "4-cycle\n√5 − 1", "zero_reached": "f = 0\n3√3/2 − 1"}
CHAOS = 1.3023


def output(x: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """Return f/y, X²/Y on the balanced manifold."""
    return x[..., 0] ** 2 / Y


if __name__ == "__main__":
    starts = np.linspace(0.05, 0.95, 50)[:, None]
    runs = {"starts": starts, "steps": 3000, "keep": 300, "bins": 700}
    diagram = dynamics.bifurcation_diagram(maps.uv_balanced, "Y", VALUES, quantity=output, **runs)
    exponent = dynamics.lyapunov_exponent(maps.uv_balanced, starts[::10], steps=5000, Y=VALUES)
    marks = {name: float(uv.bifurcations()[key]) for key, name in EXACT.items()} | {"chaos\n≈ 1.302": CHAOS}
    figure, numbers = bifurcation(diagram, exponent, parameter="Y = η √κ y = η/η$_c$", quantity="f / y", marks=marks)
    save(figure, Path(__file__).with_suffix(""), numbers)
