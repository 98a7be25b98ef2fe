"""Does a little SAM help? The risk of USAM to first order in rho."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import catalogue
from ..._check import in_interval
from ...problems import Regression
from .curve import labelled, stable_filters
from .stopping import optimal_stopping, real_rates
from .truth import truth_of

if TYPE_CHECKING:
    import xarray as xr


def rho_slope(
    problem: Regression,
    *,
    eta: float,
    w_star: Any = None,
    noise_variance: float,
    step: float | None = None,
    w0: Any = None,
    metric: Any = "prediction",
    f_star: Any = None,
) -> xr.Dataset:
    """Return dR/drho of USAM at rho = 0 and a real step k: a little SAM helps where it is negative.

    dR/drho = -2 k eta sum_i h_i^2 q_i^(k-1) ((B_i + S_i) q_i^k - S_i), q = 1 - eta h, with B_i the signal and S_i the
    noise of a mode in the metric, on eta h < 1 (derived). At the best step of gd, where dR/dk = 0, it is also the slope
    of the best-stopped risk: its sign then says who wins when each stops at its own best step, for small rho.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        eta: Step size, eta h < 1 on every mode.
        w_star: True parameters, shape (dim,).
        noise_variance: sigma^2 >= 0.
        step: k > 0; the best step of gd by default.
        w0: Start, shape (dim,); zero by default.
        metric: ``"prediction"`` or ``"parameter"``, or a covariance that is diagonal in the modes.
        f_star: True values at the samples, instead of `w_star`.

    Returns:
        Dataset over ``run`` (one) with ``step`` and ``slope``, in squared units of y per unit of rho; zero where the
        best step is 0 or infinite.

    Raises:
        ValueError: for a step size with eta h >= 1 on some mode, or a metric that mixes modes.
    """
    known = {"w_star": w_star, "noise_variance": noise_variance, "w0": w0, "metric": metric, "f_star": f_star}
    truth = truth_of(problem, **known)
    if truth.metric.matrix is not None:
        raise ValueError("metric must be diagonal in the modes: prediction, parameter, or a covariance that commutes")
    for name, value in (("eta", eta), ("step", step)):
        if value is not None and np.ndim(value):
            raise ValueError(f"{name} must be a single number, got {value!r:.60}")
    method = catalogue.lookup("gd")(eta=float(in_interval("eta", eta, 0, np.inf, open_low=True, open_high=True)))
    rate = real_rates(stable_filters(problem, method), 0)
    if rate is None or np.isinf(rate).any():
        most = 1 / float(problem.modes.curvature[0])
        raise ValueError(f"eta * h < 1 required on every mode, got eta = {eta:g}; eta must be below {most:.6g}")
    if step is None:
        step = float(optimal_stopping(problem, method, **known).real_step[0])
    else:
        step = float(in_interval("step", step, 0, np.inf, open_low=True, open_high=True))
    slope = 0.0
    if 0 < step < np.inf:
        z, h = np.exp(-rate * step), problem.modes.curvature
        gain = (truth.signal + truth.noise) * z - truth.noise
        slope = -2 * step * eta * float(np.sum(h**2 * z * np.exp(rate) * gain))
    return labelled({"step": np.array([step]), "slope": np.array([slope])}, method)
