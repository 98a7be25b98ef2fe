"""The generalised sharpness of least squares on digits and diabetes in eight norms, beside the largest eigenvalue."""

from pathlib import Path

from eossim import data
from eossim.measure import generalized_sharpness
from eossim.norms import L1, L2, BlockMax, BlockSum, Linf, Lp, Nuclear, Spectral
from eossim.plot import save, sharpness_by_norm

if __name__ == "__main__":
    panels = {}
    for name, shape in (("digits", (8, 8)), ("diabetes", (2, 5))):
        problem = data.load(name).least_squares()
        rows, columns = shape
        blocks = [range(i * columns, (i + 1) * columns) for i in range(rows)]
        norms = (L2(), L1(), Linf(), Lp(3), BlockSum(blocks), BlockMax(blocks), Spectral(shape), Nuclear(shape))
        found = [generalized_sharpness(problem, norm) for norm in norms]
        panels[f"{name}, {rows} x {columns}"] = (norms, found, float(problem.eigenvalues[-1]))
    figure, numbers = sharpness_by_norm(panels)
    save(figure, Path(__file__).with_suffix(""), numbers)
