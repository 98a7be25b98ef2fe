"""When to stop: the step of least risk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..._check import positive_int
from ...engine.method import Method
from ...problems import Regression
from .curve import labelled, one_curve, stable_filters
from .exponentials import ExponentialSum
from .filters import Filters, rates
from .truth import Truth, truth_of

if TYPE_CHECKING:
    import xarray as xr


def optimal_stopping(
    problem: Regression,
    method: Method,
    *,
    w_star: Any = None,
    noise_variance: float,
    w0: Any = None,
    metric: Any = "prediction",
    f_star: Any = None,
    max_steps: int = 100_000,
) -> xr.Dataset:
    """Return the step of least risk, over all steps.

    For a method without memory and multiplier 0 <= q < 1 on every mode the risk is a sum of exponentials in a real k;
    all its stationary points are found, and the best of them, of k = 0 and of k = infinity is the answer. On one mode
    it is k* = ln(1 + SNR) / (-ln q), with risk B S / (B + S) (derived). Any other linear method is searched over the
    whole steps up to `max_steps`.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: As for `risk_curve`; arrays make a batch of runs.
        w_star: True parameters, shape (dim,).
        noise_variance: sigma^2 >= 0.
        w0: Start, shape (dim,); zero by default.
        metric: As for `risk_curve`.
        f_star: True values at the samples, instead of `w_star`.
        max_steps: Last step of the search where k is not real.

    Returns:
        Dataset over ``run``: ``step`` (best whole step; inf if the risk falls for ever), its ``risk``, ``bias2`` and
        ``variance``; ``real_step`` and ``real_risk`` (nan where k is not real); ``start_risk`` and ``limit_risk``
        (k = 0 and infinity). Where only whole steps up to `max_steps` were searched, ``searched`` says how many (else
        inf): a best step at that end is no optimum.
    """
    truth = truth_of(problem, w_star=w_star, f_star=f_star, noise_variance=noise_variance, w0=w0, metric=metric)
    last = positive_int("max_steps", max_steps)
    filters = stable_filters(problem, method)
    rows = [_best(truth, filters, run, last) for run in range(method.runs)]
    names = ("step", "risk", "bias2", "variance", "real_step", "real_risk", "searched")
    found = dict(zip(names, np.array(rows).T, strict=True))
    found |= {"start_risk": np.full(method.runs, truth.at_start), "limit_risk": np.full(method.runs, truth.at_end)}
    return labelled(found, method)


def _best(truth: Truth, filters: Filters, run: int, last: int) -> tuple[float, ...]:
    real = real_rates(filters, run)
    if real is None:
        risk = one_curve(truth, filters, run, np.arange(last + 1))[2]
        found = int(np.argmin(risk))
        bias2, variance, least = one_curve(truth, filters, run, np.array([found]))[:3, 0]
        return found, least, bias2, variance, np.nan, np.nan, last
    turns = _derivative(truth, real).roots()
    # the first step besides: a mode with q = 0 jumps there
    whole = np.unique(np.concatenate([[0.0, 1.0], np.floor(turns), np.ceil(turns), [np.inf]]))
    parts = [_parts(truth, real, k) for k in whole]
    step, (bias2, variance) = min(zip(whole, parts, strict=True), key=lambda found: sum(found[1]))
    real_steps = np.concatenate([[0.0], turns, [np.inf]])
    real_risks = [sum(_parts(truth, real, k)) for k in real_steps]
    best = int(np.argmin(real_risks))
    return float(step), bias2 + variance, bias2, variance, real_steps[best], real_risks[best], np.inf


def _parts(truth: Truth, rate: np.ndarray, k: float) -> tuple[float, float]:
    """Return bias^2 and variance at a real k >= 0, infinity included."""
    exponent = -rate * k if 0 < k < np.inf else np.full(rate.shape, -k if k else 0.0)
    y = -np.expm1(exponent)
    return float(truth.bias2(np.exp(exponent)[None])[0]), float(truth.noise @ (y * y))


def real_rates(filters: Filters, run: int) -> np.ndarray | None:
    """Return -ln q of every mode where 0 <= q < 1 throughout, so that a step number may be real; else None."""
    down = filters.steps_down
    if down is None or not np.all((down[run] > 0) & (down[run] <= 1)):
        return None
    return rates(down[run])[0]


def bias_terms(truth: Truth, rate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and rates of the squared bias as a sum of exponentials, its constant left out."""
    form = truth.metric
    if form.matrix is None:
        return truth.signal, 2 * rate
    pairs = np.triu_indices(rate.size)
    double = np.where(pairs[0] == pairs[1], 1.0, 2.0)
    crossed = double * form.matrix[pairs] * truth.start[pairs[0]] * truth.start[pairs[1]]
    return (
        np.concatenate([crossed, 2 * form.linear * truth.start]),
        np.concatenate([rate[pairs[0]] + rate[pairs[1]], rate]),
    )


def _derivative(truth: Truth, rate: np.ndarray) -> ExponentialSum:
    """Return dR/dk: bias terms, and S (1 - z)^2 = S - 2 S z + S z^2."""
    coefficients, speeds = bias_terms(truth, rate)
    noise = truth.noise
    sizes, speeds = np.concatenate([coefficients, noise, -2 * noise]), np.concatenate([speeds, 2 * rate, rate])
    lasting = np.isfinite(speeds)  # q = 0: learned in the first step
    return ExponentialSum.plain(-speeds[lasting] * sizes[lasting], speeds[lasting])
