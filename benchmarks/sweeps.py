"""Sweeps: what a cell costs beside its function, many cells, and two processes against one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, alternate, median, ratio
from eossim.sweeps import sweep


def trivial(a: int) -> float:
    return 0.5 * a


def busy(a: int) -> float:
    total = 0.0
    for k in range(400_000):
        total += 1.0 / (k + a + 1)
    return total


def sweeps(quick: bool) -> Iterator[Row]:
    """Overhead of a cell with a store, on worker processes; speed-up of two processes on bound cells."""
    for cells in (1000, 10_000 if quick else 100_000):
        with tempfile.TemporaryDirectory() as folder:
            paths = iter(range(100))

            def stored(cells=cells, folder=folder, paths=paths):
                sweep(trivial, {"a": range(cells)}, jobs=2, store=Path(folder) / f"{next(paths)}")

            timings = alternate({"sweep": stored}, 3)["sweep"]
            size = (Path(folder) / "0").stat().st_size / 1e6
        value = 1e3 * median(timings, "wall") / cells
        detail = f"{median(timings, 'wall'):.2f} s in all; store of {size:.1f} MB"
        yield Row(f"overhead of a cell, {cells} cells, two processes", value, "ms", 2.0, at_most=True, detail=detail)

    count = 60 if quick else 300
    found = alternate({str(jobs): lambda jobs=jobs: sweep(busy, {"a": range(count)}, jobs=jobs) for jobs in (1, 2)}, 3)
    detail = f"{median(found['1'], 'wall'):.1f} s against {median(found['2'], 'wall'):.1f} s"
    yield Row("two processes over one, bound cells", ratio(found["1"], found["2"], "wall"), "x", 1.8, detail=detail)
