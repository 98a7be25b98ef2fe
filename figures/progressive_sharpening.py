"""D and S against 2/eta while a factorised matrix is fitted: each norm's own sharpness rises to its own edge."""

from pathlib import Path

import numpy as np

from eossim.norms import L2, Linf, Spectral
from eossim.plot import progressive_sharpening, save
from eossim.problems import MatrixFactorization

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    target = np.diag([4.0, 2.0, 1.0]) + 0.3 * rng.standard_normal((3, 3))
    problem = MatrixFactorization(target, 3)
    start = 0.1 * rng.standard_normal(problem.dim)
    runs = {
        "ℓ$_2$: gradient descent": (L2(), 0.27),
        "ℓ$_∞$ descent": (Linf(), 0.03),
        "spectral descent": (Spectral(problem.layers), 0.06),
    }
    figure, numbers = progressive_sharpening(problem, runs, start, 400)
    save(figure, Path(__file__).with_suffix(""), numbers)
