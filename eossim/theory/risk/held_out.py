"""Error on data that were held out, beside what theory expects of it: cross-validation of stopped methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._check import positive_int
from ...data import Data
from ...engine.method import Method
from ...engine.record import Record
from ...engine.simulate import simulate
from ...problems import LeastSquares
from .curve import labelled, risk_curve, step_numbers
from .estimate import estimate_truth
from .filters import filters_of
from .monte_carlo import monte_carlo_risk

if TYPE_CHECKING:
    import xarray as xr

#: Draws of the noise for the expectation of a method without closed form.
_DRAWS = 2000


def held_out_risk(
    data: Data, method: Method, *, steps: Any, folds: int = 5, noise_variance: Any = None, seed: int = 0
) -> xr.Dataset:
    """Return the squared error of linear least squares on held-out samples at every step, and what theory expects.

    Each fold in turn is held out. Columns are centred and scaled, and targets centred, by the rest, on which the method
    then runs from zero, on the real targets. The expectation uses truth and noise estimated from that rest
    (`estimate_truth`): sigma^2 (1 + 1/n), n samples in the rest, plus the exact risk for the second-moment matrix
    X^T X / m of the m held-out inputs; for a method without closed form the risk is simulated.

    Args:
        data: Inputs and targets.
        method: A rule with bound hyper-parameters; arrays make a batch of runs.
        steps: Last step (all are kept), or step numbers.
        folds: Number of folds, at least 2.
        noise_variance: sigma^2, where it is known.
        seed: Seed of the shuffle into folds.

    Returns:
        Dataset over (run, step, fold) with ``held_out`` (mean squared error) and ``expected``, in squared units of y.

    Raises:
        ValueError: for fewer than 2 samples a fold, or a method that is unstable on some fold.
    """
    import xarray as xr
    from sklearn.model_selection import KFold

    if not isinstance(data, Data):
        raise TypeError(f'data must be a Data set, such as eossim.data.load("diabetes"), got {type(data).__name__}')
    samples = len(data.y)
    folds = positive_int("folds", folds, minimum=2)
    if samples < 2 * folds:
        raise ValueError(f"folds must leave 2 samples each, got {folds} folds of {samples} samples")
    numbers, order = step_numbers(steps)
    split = KFold(folds, shuffle=True, random_state=positive_int("seed", seed, minimum=0))
    found = [_fold(data, method, numbers, rest, out, noise_variance, seed) for rest, out in split.split(data.X)]
    values = {n: np.stack([f[n] for f in found], axis=-1)[:, order] for n in ("held_out", "expected")}
    frame = labelled({}, method, numbers[order])
    return frame.assign({n: xr.DataArray(v, dims=("run", "step", "fold")) for n, v in values.items()})


def _fold(
    data: Data, method: Method, steps: np.ndarray, rest: np.ndarray, out: np.ndarray, noise_variance: Any, seed: int
) -> dict[str, np.ndarray]:
    """Return both errors of one fold, each of shape (runs, steps)."""
    X, y = data.X[rest], data.y[rest]
    varying = np.ptp(X, axis=0) > 0
    if not varying.any():
        raise ValueError("every column of X is constant on the samples of a fold")
    mean, scale = X[:, varying].mean(axis=0), X[:, varying].std(axis=0)
    problem = LeastSquares((X[:, varying] - mean) / scale, y - y.mean())
    inputs, targets = (data.X[out][:, varying] - mean) / scale, data.y[out] - y.mean()
    errors = iterates(problem, method, steps) @ inputs.T - targets
    guess = estimate_truth(problem, noise_variance=noise_variance)
    covariance = inputs.T @ inputs / len(out)
    known = {"w_star": guess.w_star, "noise_variance": guess.noise_variance, "steps": steps, "metric": covariance}
    if method.rule.linearization.frozen:
        risk = monte_carlo_risk(problem, method, draws=_DRAWS, seed=seed, **known).risk.values
    else:
        risk = risk_curve(problem, method, **known).risk.values
    fresh = guess.noise_variance * (1 + 1 / len(rest))  # of the held-out targets, and of the mean they are centred by
    return {"held_out": (errors**2).mean(axis=-1), "expected": fresh + risk}


def iterates(problem: LeastSquares, method: Method, steps: np.ndarray) -> np.ndarray:
    """Return the iterates from zero on the targets of a problem, shape (runs, steps, dim): exact, or simulated."""
    if method.rule.linearization.frozen:
        record = Record(at=steps, what=("w",))
        return simulate(problem, method, np.zeros(problem.dim), max(1, int(steps[-1])), record=record).w.values
    modes = problem.modes
    filters = filters_of(method, modes.curvature)
    solution = (modes.samples.T @ problem.y) / modes.singular
    learned = np.stack([filters.respond(run, steps)[1] for run in range(method.runs)])
    return (learned * solution) @ modes.coordinates.T
