"""Where normalised SAM ends on least squares: a 2-cycle about the solution, hence a floor in loss and risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...engine.method import Method
from ...problems import Regression
from ..queries import two_cycle_amplitude
from .curve import labelled
from .truth import checked_problem

if TYPE_CHECKING:
    import xarray as xr


def noise_floor(problem: Regression, method: Method) -> xr.Dataset:
    """Return what the final 2-cycle of normalised SAM costs beyond the least-squares solution.

    Almost every start ends on w_OLS +- a v_1 with a = eta rho lambda_1 / (2 - eta lambda_1), on eta lambda_1 < 2 and a
    simple lambda_1: the mean of two consecutive iterates is w_OLS, the training loss exceeds its least by
    lambda_1 a^2 / 2, the prediction risk averaged over the two exceeds that of w_OLS by s_1^2 a^2 / n (derived; on the
    range of the features). In floating point the component along v_1 may be lost to zero first: such a run ends on the
    cycle of a later mode.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: ``sam`` with bound hyper-parameters; arrays make a batch of runs.

    Returns:
        Dataset over ``run`` with ``amplitude, train_loss_excess, risk_excess``.

    Raises:
        ValueError: for another rule, eta lambda_1 >= 2, or a repeated largest curvature.
    """
    if not isinstance(method, Method) or method.rule.name != "sam":
        raise ValueError(f"method must be sam with bound hyper-parameters, got {method!r}")
    checked_problem(problem)
    curvature, singular = problem.modes.curvature, problem.modes.singular
    if curvature.size == 0 or (curvature.size > 1 and curvature[1] > curvature[0] * (1 - 1e-12)):
        raise ValueError(
            "the largest curvature must be positive and simple: on a repeated one the cycle has no fixed axis"
        )
    eta, rho = (np.broadcast_to(method.values[n], (method.runs,)) for n in ("eta", "rho"))
    if np.any(eta * curvature[0] >= 2):
        raise ValueError(f"eta * lambda_1 < 2 required, got {float(np.max(eta * curvature[0])):.6g}: SAM diverges")
    amplitude = np.zeros(method.runs)
    moved = rho > 0
    if moved.any():
        top = np.full(int(moved.sum()), curvature[0])
        amplitude[moved] = two_cycle_amplitude("sam", top, eta=eta[moved], rho=rho[moved])
    return labelled(
        {
            "amplitude": amplitude,
            "train_loss_excess": curvature[0] * amplitude**2 / 2,
            "risk_excess": singular[0] ** 2 * amplitude**2 / problem.n_samples,
        },
        method,
    )
