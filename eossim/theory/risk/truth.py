"""What a regression problem is measured against: the truth, the noise, the start, and the metric, in modes.

The error of the iterate is e = V z d + V y (noise / s) + (a constant in the null space), with d = V^T (w0 - w*), z
the part left and y = 1 - z the part learned of each mode. A metric is a quadratic form of that error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._check import choice, finite_array, in_interval, symmetric
from ...problems import Regression

METRICS = ("prediction", "parameter")


@dataclass(frozen=True, eq=False)
class Metric:
    """The quadratic form e -> sum_i weights_i e_i^2, or e^T matrix e + 2 linear . e, plus constant, on modes.

    Attributes:
        weights: Diagonal of the form, shape (r,).
        matrix: The form where it is not diagonal, shape (r, r), else None.
        linear: Half its linear part, from the error in the null space; zero where `matrix` is None.
        constant: What no step changes.
        name: ``"prediction"``, ``"parameter"`` or ``"covariance"``.
    """

    weights: np.ndarray
    matrix: np.ndarray | None
    linear: np.ndarray
    constant: float
    name: str


@dataclass(frozen=True, eq=False)
class Truth:
    """A regression problem with its truth, in modes.

    Attributes:
        problem: The problem.
        start: d = V^T (w0 - w*), shape (r,).
        noise_variance: sigma^2.
        misfit: Norm of the part of the true values outside the range of the features.
        metric: How errors are measured.
    """

    problem: Regression
    start: np.ndarray
    noise_variance: float
    misfit: float
    metric: Metric

    @property
    def signal(self) -> np.ndarray:
        """Bias at the start by mode, B_i = weight_i d_i^2, shape (r,)."""
        return self.metric.weights * self.start**2

    @property
    def noise(self) -> np.ndarray:
        """Variance by mode once all is learned, S_i = weight_i sigma^2 / s_i^2, shape (r,)."""
        return self.metric.weights * self.noise_variance / self.problem.modes.singular**2

    @property
    def residual(self) -> float:
        """Expected squared residual that no step changes: E |(1 - U U^T) y|^2."""
        free = self.problem.n_samples - self.problem.rank
        return self.noise_variance * free + self.misfit**2

    @property
    def attrs(self) -> dict[str, Any]:
        """What a Dataset says of it."""
        return {
            "problem": repr(self.problem),
            "metric": self.metric.name,
            "noise_variance": self.noise_variance,
        }

    @property
    def at_start(self) -> float:
        """Risk before the first step."""
        return float(self.bias2(np.ones((1, self.start.size)))[0])

    @property
    def at_end(self) -> float:
        """Risk once every mode is learned."""
        return float(self.noise.sum()) + self.metric.constant

    def bias2(self, z: np.ndarray) -> np.ndarray:
        """Return the squared bias, shape (steps,), for the parts left `z`, shape (steps, r)."""
        error = z * self.start
        if self.metric.matrix is None:
            return (error * error) @ self.metric.weights + self.metric.constant
        forms = ((error @ self.metric.matrix) * error).sum(axis=1)
        return np.maximum(
            forms + 2 * error @ self.metric.linear + self.metric.constant, 0.0
        )  # a square, but for rounding


def truth_of(
    problem: Any,
    *,
    w_star: Any = None,
    f_star: Any = None,
    noise_variance: Any,
    w0: Any = None,
    metric: Any = "prediction",
) -> Truth:
    """Return the truth in modes, or raise for what does not fit (see `risk_curve` for the arguments)."""
    variance = checked_variance(problem, noise_variance)
    if (w_star is None) == (f_star is None):
        raise ValueError("give the truth as w_star (parameters) or as f_star (values at the samples), one of them")
    modes, dim = problem.modes, problem.dim
    start = np.zeros(dim) if w0 is None else finite_array("w0", w0, shape=(dim,), dtype=np.float64)
    misfit = 0.0
    if f_star is not None:
        values = finite_array("f_star", f_star, shape=(problem.n_samples,), dtype=np.float64)
        inside = modes.samples.T @ values
        misfit = float(np.linalg.norm(values - modes.samples @ inside))
        truth = modes.coordinates @ (inside / modes.singular)
    else:
        truth = finite_array("w_star", w_star, shape=(dim,), dtype=np.float64)
    away = start - truth
    displacement = modes.coordinates.T @ away
    lost = away - modes.coordinates @ displacement if modes.curvature.size < dim else np.zeros(dim)
    form = _metric(problem, metric, lost, misfit)
    return Truth(problem, displacement, variance, misfit, form)


def checked_problem(problem: Any) -> None:
    """Raise TypeError unless the problem has samples and modes."""
    if not isinstance(problem, Regression):
        raise TypeError(f"problem must be LeastSquares or KernelRegression, got {type(problem).__name__}")


def checked_variance(problem: Any, noise_variance: Any) -> float:
    """Return the variance of the noise on a regression problem, or raise for either."""
    checked_problem(problem)
    variance = in_interval("noise_variance", noise_variance, 0, np.inf, open_high=True)
    if variance.ndim:
        raise ValueError(f"noise_variance must be a single number, got shape {variance.shape}")
    return float(variance)


def centred(problem: Regression, targets: np.ndarray) -> bool:
    """Whether features and targets have mean zero over the samples: noise then lives in n - 1 dimensions."""
    samples = problem.modes.samples
    small = 1e-9 * np.sqrt(problem.n_samples)
    return bool(np.all(np.abs(samples.sum(axis=0)) <= small) and abs(targets.sum()) <= small * np.linalg.norm(targets))


def _metric(problem: Regression, metric: Any, lost: np.ndarray, misfit: float) -> Metric:
    modes, n = problem.modes, problem.n_samples
    none = np.zeros(modes.curvature.size)
    if isinstance(metric, str):
        if choice("metric", metric, METRICS) == "prediction":
            return Metric(modes.singular**2 / n, None, none, misfit**2 / n, metric)
        return Metric(np.ones_like(none), None, none, float(lost @ lost), metric)
    covariance = symmetric("metric (a covariance matrix)", metric).astype(np.float64)
    if covariance.shape != (problem.dim, problem.dim):
        raise ValueError(f"metric must have shape ({problem.dim}, {problem.dim}), got {covariance.shape}")
    least, largest = np.linalg.eigvalsh(covariance)[[0, -1]]
    if least < -1e-10 * abs(largest):
        raise ValueError(f"metric must be positive semidefinite, got smallest eigenvalue {least:.3g}")
    form = modes.coordinates.T @ covariance @ modes.coordinates
    pull = modes.coordinates.T @ covariance @ lost
    weights, constant = np.diag(form).copy(), float(lost @ covariance @ lost)
    off = np.abs(form - np.diag(weights)).max(initial=0.0)
    coupled = np.abs(pull).max(initial=0.0) > 1e-14 * np.abs(covariance).max() * np.linalg.norm(lost)
    if off <= 1e-14 * weights.max(initial=0.0) and not coupled:
        return Metric(weights, None, none, constant, "covariance")
    return Metric(weights, form, pull, constant, "covariance")
