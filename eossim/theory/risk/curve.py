"""The exact risk of a linear method on least squares and kernels, along its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._check import finite_array, positive_int
from ..._cores import available_cores
from ...engine.blocks import over_blocks
from ...engine.method import Method
from ...problems import Regression
from .filters import Filters, filters_of
from .stability import check_stable
from .sums import curve_sums
from .truth import Truth, centred, checked_problem, checked_variance, truth_of

if TYPE_CHECKING:
    import xarray as xr

#: Largest last step up to which all steps are kept.
_ALL_STEPS = 10_000_000
#: Numbers that one piece of a curve may hold while it is summed.
_PIECE = 1 << 20


def risk_curve(
    problem: Regression,
    method: Method,
    *,
    w_star: Any = None,
    noise_variance: float,
    steps: Any,
    w0: Any = None,
    metric: Any = "prediction",
    f_star: Any = None,
) -> xr.Dataset:
    """Return bias, variance and risk of a linear method at every step asked for, exactly and without iterating.

    The targets are y = Phi w* + noise, noise of mean 0 and covariance sigma^2 I; ``problem.y`` plays no part. With z
    = q^k the part of a mode's error left after k steps (q = 1 - eta h for GD, 1 - eta h (1 + rho h) for USAM; for a
    method with memory e_1^T A^k t) and d the start minus the truth, in modes::

        prediction  bias2 = 1/n sum s^2 z^2 d^2        variance = sigma^2/n sum (1 - z)^2
        parameter   bias2 = sum z^2 d^2 + null space   variance = sigma^2 sum (1 - z)^2 / s^2
        covariance  bias2 = e^T Sigma e, e = V z d     variance = sigma^2 tr(Sigma V diag((1 - z)^2 / s^2) V^T)
        train_loss  E c |Phi w_k - y|^2                degrees_of_freedom = sum (1 - z)

    Source: derived (`eossim derive bias_variance`); the question is that of arXiv:2302.11836.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: A rule with bound hyper-parameters that is linear in the gradient (gd, usam, heavy_ball, ...); arrays
            make a batch of runs.
        w_star: True parameters w*, shape (dim,).
        noise_variance: sigma^2 >= 0 of the targets.
        steps: Last step (all from 0 on are kept), or step numbers, shape (steps,), up to 10^9 and beyond.
        w0: Start, shape (dim,); zero by default.
        metric: ``"prediction"`` (mean squared error of the fitted values at the samples), ``"parameter"`` (squared
            Euclidean distance to w*; the RKHS norm for a kernel), or a covariance matrix of new inputs, (dim, dim).
        f_star: True values at the samples, shape (n,), instead of `w_star`. Their part outside the range of the
            features stays in the bias of the prediction; w* is then the shortest vector that fits the rest.

    Returns:
        Dataset with ``bias2, variance, risk, train_loss, degrees_of_freedom`` over (run, step), and the
        hyper-parameters as coordinates of ``run``. A kernel cut to its largest eigenpairs also has ``left_out``: a
        bound on the error of the prediction risk.

    Raises:
        ValueError: for a method that is unstable on some mode (it names the mode and the largest stable eta), one
            without a closed form (normalised, clipped, decayed, preconditioned), a negative variance, or shapes that
            do not fit.

    Example:
        >>> problem = eossim.data.load("diabetes").standardized().least_squares()
        >>> curve = risk_curve(problem, eossim.rules.usam(eta=0.1, rho=[0.0, 0.5]), w_star=problem.minimizer,
        ...                    noise_variance=2900.0, steps=1000)
    """
    truth = truth_of(problem, w_star=w_star, f_star=f_star, noise_variance=noise_variance, w0=w0, metric=metric)
    filters = stable_filters(problem, method)
    numbers, order = step_numbers(steps)
    curves = np.empty((5, method.runs, numbers.size))

    def fill(first: int, last: int) -> None:
        for run in range(first, last):
            curves[:, run] = one_curve(truth, filters, run, numbers)

    over_blocks(fill, method.runs, 1, available_cores())
    names = ("bias2", "variance", "risk", "train_loss", "degrees_of_freedom")
    if order.size != numbers.size or np.any(np.diff(order) < 0):
        curves, numbers = curves[:, :, order], numbers[order]
    found = labelled(dict(zip(names, curves, strict=True)), method, numbers)
    found.attrs |= truth.attrs
    if problem.omitted_curvature and truth.metric.name == "prediction":
        found["left_out"] = ("run", "step"), _left_out(truth, method, numbers)
    return found


def sure(problem: Regression, method: Method, *, noise_variance: float, steps: Any, w0: Any = None) -> xr.Dataset:
    """Return Stein's unbiased estimate of the prediction risk from the targets of the problem, without the truth.

    SURE_k = |y - Phi w_k|^2 / n + 2 sigma^2 df_k / n - sigma^2, df_k = sum_i (1 - z_i): its mean over the noise is the
    prediction risk (derived; for noise of covariance sigma^2 I). Where features and targets are centred the noise has
    n - 1 dimensions, and the last term is sigma^2 (n - 1) / n.

    Args:
        problem: The problem with its targets.
        method: As for `risk_curve`.
        noise_variance: sigma^2, known or estimated (`eossim.theory.estimate_truth`).
        steps: As for `risk_curve`.
        w0: Start, shape (dim,); zero by default.

    Returns:
        Dataset with ``sure, residual, degrees_of_freedom`` over (run, step).
    """
    variance = checked_variance(problem, noise_variance)
    start = np.zeros(problem.dim) if w0 is None else finite_array("w0", w0, shape=(problem.dim,), dtype=np.float64)
    filters = stable_filters(problem, method)
    numbers, order = step_numbers(steps)
    n = problem.n_samples
    away = problem.y - problem.fitted(start)
    inside = problem.modes.samples.T @ away
    outside = float(np.sum((away - problem.modes.samples @ inside) ** 2))
    weights = np.stack([inside**2, np.zeros_like(inside), np.zeros_like(inside)])
    residual, freedom = np.empty((2, method.runs, numbers.size))
    for run in range(method.runs):
        sums = _sums(filters, run, weights, numbers)
        residual[run], freedom[run] = (sums[0] + outside) / n, sums[3]
    values = {
        "sure": residual + variance * (2 * freedom - (n - centred(problem, problem.y))) / n,
        "residual": residual,
        "degrees_of_freedom": freedom,
    }
    return labelled({k: v[:, order] for k, v in values.items()}, method, numbers[order])


def stable_filters(problem: Regression, method: Method) -> Filters:
    """Return the filters of a method that is stable on every mode of a problem, or raise ValueError."""
    checked_problem(problem)
    if not isinstance(method, Method):
        raise TypeError(f"method must be a rule with bound hyper-parameters, such as gd(eta=0.1), got {method!r}")
    filters = filters_of(method, problem.modes.curvature)
    check_stable(method, filters, problem.modes.curvature)
    return filters


def step_numbers(steps: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct step numbers in order, and where each step asked for stands among them."""
    if np.ndim(steps) == 0:
        last = positive_int("steps", steps, minimum=0)
        if last > _ALL_STEPS:
            raise ValueError(
                f"steps={last} asks for every step up to it; give the steps wanted, such as steps=[{last}]"
            )
        wanted = np.arange(last + 1)
    else:
        given = np.asarray(steps)
        if given.ndim != 1 or given.size == 0 or not np.issubdtype(given.dtype, np.integer):
            raise ValueError(f"steps must be an integer or a non-empty list of integers, got {steps!r:.80}")
        if given.min() < 0:
            raise ValueError(f"steps must be >= 0, got {given.min()}")
        wanted = given.astype(np.int64)
    return np.unique(wanted, return_inverse=True)


def one_curve(truth: Truth, filters: Filters, run: int, steps: np.ndarray) -> np.ndarray:
    """Return bias2, variance, risk, train_loss and degrees of freedom of one run, shape (5, steps)."""
    problem = truth.problem
    residuals = (problem.modes.singular * truth.start) ** 2 + truth.noise_variance
    sums = _sums(filters, run, np.stack([truth.signal, residuals, truth.noise]), steps)
    bias2 = sums[0] + truth.metric.constant
    if truth.metric.matrix is not None:
        bias2 = np.empty(steps.size)
        for part in _pieces(steps.size, truth.start.size):
            bias2[part] = truth.bias2(filters.respond(run, steps[part])[0])
    return np.stack([bias2, sums[2], bias2 + sums[2], problem.loss_factor * (sums[1] + truth.residual), sums[3]])


def _sums(filters: Filters, run: int, weights: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return the sums of a z^2, b z^2, c y^2 and y over modes, shape (4, steps)."""
    down = filters.steps_down
    if down is not None:
        return curve_sums(down[run], weights, steps)
    sums = np.empty((4, steps.size))
    for part in _pieces(steps.size, weights.shape[1]):
        z, y = filters.respond(run, steps[part])
        sums[:2, part] = weights[:2] @ (z * z).T
        sums[2, part], sums[3, part] = (y * y) @ weights[2], y.sum(axis=1)
    return sums


def _pieces(steps: int, modes: int) -> list[slice]:
    width = max(1, _PIECE // max(1, modes))
    return [slice(first, first + width) for first in range(0, steps, width)]


def _left_out(truth: Truth, method: Method, steps: np.ndarray) -> np.ndarray:
    """Return a bound on |prediction risk - what the kept modes give| of a truncated kernel, shape (runs, steps).

    A left-out mode of curvature h <= h_max has learned y(h) of its misfit and of its noise: |y| <= y_max, and
    |y| <= h max(|y|/h), of which the sum of the left-out h is known. Both maxima are taken over a grid of h that is
    dense at either end, where they lie for gd and usam while eta h (1 + rho h) <= 1.
    """
    problem, n = truth.problem, truth.problem.n_samples
    grid = problem.omitted_curvature * np.append(np.geomspace(1e-14, 0.1, 27), np.linspace(0.125, 1, 32))
    filters = filters_of(method, grid)
    bound = np.empty((method.runs, steps.size))
    for run in range(method.runs):
        z, y = (np.abs(v) for v in filters.respond(run, steps))
        most, gain = y.max(axis=1), (y / grid).max(axis=1)
        freedom = np.minimum((n - problem.rank) * most, gain * problem.omitted_trace)
        change = np.maximum(1 - z.min(axis=1) ** 2, z.max(axis=1) ** 2 - 1)
        bound[run] = (truth.misfit**2 * np.maximum(change, 0) + truth.noise_variance * most * freedom) / n
    return bound


def labelled(values: dict[str, np.ndarray], method: Method, steps: np.ndarray | None = None) -> xr.Dataset:
    """Return arrays over (run, step), or (run,), with the hyper-parameters as coordinates."""
    import xarray as xr

    dims = ("run",) if steps is None else ("run", "step")
    coords: dict[str, Any] = {"run": np.arange(method.runs)}
    coords |= {n: ("run", np.broadcast_to(v, (method.runs,)).copy()) for n, v in method.values.items()}
    if steps is not None:
        coords["step"] = steps
    return xr.Dataset({n: (dims, v) for n, v in values.items()}, coords, {"rule": method.rule.name})
