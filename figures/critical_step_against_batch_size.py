"""The exact critical step of SGD, its bounds, and the notions of sharpness against the batch size, on real data."""

from pathlib import Path

from eossim import LeastSquares, data
from eossim.plot import edges_against_batch_size, save

if __name__ == "__main__":
    for name in ("digits", "diabetes"):
        loaded = data.load(name).standardized()
        problem = LeastSquares(loaded.X, loaded.y)
        n = problem.n_samples
        sizes = [2**k for k in range(n.bit_length()) if 2**k < n] + [n]
        figure, numbers = edges_against_batch_size(
            problem, sizes, title=f"least squares on {name} (standardized), n = {n}, d = {problem.dim}"
        )
        save(figure, Path(__file__).with_name(f"critical_step_against_batch_size_{name}"), numbers)
