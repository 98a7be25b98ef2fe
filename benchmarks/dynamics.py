"""Dynamics tools on a solvable map: a bifurcation diagram, periods and Lyapunov exponents of a million runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmarks.harness import Row, alternate, median
from eossim.dynamics import bifurcation_diagram, lyapunov_exponent, period
from eossim.maps import SHIPPED


def dynamics(quick: bool) -> Iterator[Row]:
    """The balanced uv model from Y = 0.9 to 2."""
    values, number = (200, 500) if quick else (2000, 500)
    Y, starts = np.linspace(0.9, 2, values), np.linspace(0.1, 1.2, number)[:, None]
    system, size = SHIPPED["uv_balanced"], f"{values} x {number} runs"
    cases: dict[str, tuple[Callable[[], object], float | None]] = {
        "bifurcation diagram, 2000 steps": (partial(bifurcation_diagram, system, "Y", Y, starts=starts), 2.0),
        "periods, 2000 steps": (partial(period, system, starts, Y=Y, transient=2000), None),
        "Lyapunov exponents, 2000 steps": (
            partial(lyapunov_exponent, system, starts, Y=Y, steps=2000, burn_in=0),
            None,
        ),
    }
    for name, (call, target) in cases.items():
        timings = alternate({"eossim": call}, 3)["eossim"]
        detail = f"{median(timings, 'cpu'):.2f} s of processor time"
        yield Row(f"{name}, {size}", median(timings, "wall"), "s", target, at_most=True, detail=detail)
