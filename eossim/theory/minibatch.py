"""Mini-batch SAM on least squares: exact moments, fixed points and mean-square stability (derived).

A step of un-normalised SAM is affine in the iterate, so that mean and second moment over the batches follow exact
linear recursions (setting: arXiv:2302.11836): those of `moment_step`, for b = (w - w_ls, 1) with w_ls the least-squares
solution. The loss of a batch is the mean over its samples, scaled so that its mean over all batches is the loss of the
problem. For kernel regression, X stands for the features and w for coordinates in function space.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import choice, finite_array, positive_int, real_array
from ..domain import NON_NEGATIVE
from ..engine.minibatch import ASCENTS, checked_batch, rule_of, samples_of
from .moment_step import MomentStep, orbit

if TYPE_CHECKING:
    import xarray as xr

    from ..engine.method import Method
    from ..problems import Regression


def minibatch_moments(
    problem: Regression,
    method: Method,
    *,
    batch_size: int,
    steps: int | Sequence[int] | np.ndarray,
    replacement: bool = False,
    ascent: str = "same",
    w0: Any = None,
    w_star: Any = None,
) -> xr.Dataset:
    """Return mean, variance and expected loss of mini-batch gradient descent or USAM, step by step.

    Exact up to rounding, at any step size. Up to 31 coordinates, steps are leapt over by matrix powers: step 10^9 costs
    thirty matrix products (and loses nine digits where a moment neither grows nor decays). Beyond, each step is taken.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: ``gd`` or ``usam`` with bound hyper-parameters; arrays give a leading dimension ``run``.
        batch_size: b, samples in a batch; a fresh batch at every step.
        steps: A number for all steps from 0 to it, or increasing step numbers.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` takes ascent and descent on one batch, ``"independent"`` on two.
        w0: Start, shape (dim,); the origin by default.
        w_star: True parameters, shape (dim,), for the prediction risk.

    Returns:
        Dataset of expectations over the batches, given the data, along ``step``: the iterate ``w`` (step, coord),
        ``variance`` = tr Cov(w), ``loss`` = E[c ‖X w - y‖²] and, given `w_star`, ``risk`` = E‖X (w - w*)‖²/n. What
        overflows is infinite (in ``w``: infinite or NaN).

    Raises:
        TypeError: for a problem, method or number of a wrong type.
        ValueError: for another rule (normalised SAM has no closed recursion), a batch larger than the samples allow, or
            shapes and steps that do not fit.
    """
    eta, rho, values = _hyper(method)
    X, y, scale = samples_of(problem)
    points = _points(steps)
    centre = problem.minimizer  # deviations from it keep the digits of a loss that goes to zero
    start = np.zeros(problem.dim) if w0 is None else finite_array("w0", w0, shape=(problem.dim,), dtype=np.float64)
    residuals = np.column_stack([X, X @ centre - y])
    step = _step(np.column_stack([scale * X, np.zeros(len(X))]), residuals, batch_size, replacement, ascent)
    measures = {"loss": (scale / (2 * len(X)), residuals)}
    if w_star is not None:
        truth = finite_array("w_star", w_star, shape=(problem.dim,), dtype=np.float64)
        measures["risk"] = (1 / len(X), np.column_stack([X, X @ (centre - truth)]))

    shape = (eta.size, points.size)
    found = {"w": np.empty((*shape, problem.dim))} | {name: np.empty(shape) for name in ("variance", *measures)}
    begin = np.append(start - centre, 1.0)
    with np.errstate(all="ignore"):
        for run, (e, r) in enumerate(zip(eta, rho, strict=True)):
            means = orbit(np.eye(step.dim) - e * step.drift(r), begin, points)
            moments = step.orbit(np.outer(begin, begin), e, r, points)
            for k, (mean, S) in enumerate(zip(means, moments, strict=True)):
                found["w"][run, k] = centre + mean[:-1]
                found["variance"][run, k] = np.trace(S[:-1, :-1]) - mean[:-1] @ mean[:-1]
                for name, (factor, rows) in measures.items():
                    found[name][run, k] = factor * np.sum((rows @ S) * rows)
        for name in ("variance", *measures):  # expectations of squares: rounding makes them negative, overflow NaN
            found[name] = np.where(np.isfinite(found[name]), np.maximum(found[name], 0.0), np.inf)

    import xarray as xr

    runs, dims = _per_run(values), ("run", "step", "coord")
    data = {name: array if runs else array[0] for name, array in found.items()}
    hyper = {name: ("run", np.broadcast_to(v, eta.shape)) if runs else v for name, v in values.items()}
    skip = 0 if runs else 1
    return xr.Dataset(
        {name: (dims[skip : skip + array.ndim], array) for name, array in data.items()}, {"step": points, **hyper}
    )


def minibatch_fixed_point(
    problem: Regression, method: Method, *, batch_size: int, replacement: bool = False, ascent: str = "same"
) -> np.ndarray:
    """Return the point where the expected step of `gd` or `usam` is zero, shape (dim,), or (runs, dim) for arrays.

    It does not depend on the step size. For gd, for independent batches and for b = n without replacement it is the
    least-squares solution; for usam with b = 1 the weighted one, with weights 1 + 2 c n rho ‖x_i‖². Of several (inputs
    of rank below dim) it is the one of least norm.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: ``gd`` or ``usam`` with bound hyper-parameters.
        batch_size: b, samples in a batch.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` or ``"independent"`` batches for ascent and descent.

    Raises:
        TypeError: as `minibatch_moments`.
        ValueError: as `minibatch_moments`.
    """
    _, rho, values = _hyper(method)
    X, y, scale = samples_of(problem)
    centre, basis = problem.minimizer, problem.modes.coordinates
    Z, residual = X @ basis, X @ centre - y
    step = _step(
        np.column_stack([scale * Z, np.zeros(len(X))]), np.column_stack([Z, residual]), batch_size, replacement, ascent
    )
    drifts = np.array([step.drift(r) for r in rho])  # on (z, 1): G z + g, in coordinates z of the row space
    points = centre - np.linalg.solve(drifts[:, :-1, :-1], drifts[:, :-1, -1:])[..., 0] @ basis.T
    return points if _per_run(values) else points[0]


def expected_gradient(
    problem: Regression, w: Any, *, rho: float, batch_size: int, replacement: bool = False, ascent: str = "same"
) -> np.ndarray:
    """Return the expected gradient of a USAM step, E[g_B(w + rho g_A(w))] over batches, shape (..., dim).

    With g the gradient, H the Hessian, s = 2 c n, r = X w - y and D = (s²/n) Σ ‖x_i‖² r_i x_i it is g + rho times

    * D/b + (1 - 1/b) H g for one batch with replacement,
    * D/b + (b-1)/(b(n-1)) (n H g - D) for one batch without,
    * H g for independent batches.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        w: Parameters, shape (..., dim).
        rho: Ascent step, at least 0.
        batch_size: b, samples in a batch.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` or ``"independent"`` batches for ascent and descent.

    Raises:
        TypeError: as `minibatch_moments`.
        ValueError: as `minibatch_moments`, and for a rho that is negative or an array.
    """
    X, y, scale = samples_of(problem)
    n, b = len(X), checked_batch(batch_size, len(X), replacement)
    radius = _single_rho(rho)
    g = problem.grad(w)
    ascended = problem.hvp(w, g)
    if choice("ascent", ascent, ASCENTS) == "same":
        with np.errstate(over="ignore", invalid="ignore"):
            residual = real_array("w", w, dtype=np.float64) @ X.T - y
            D = scale**2 / n * ((X * X).sum(axis=1) * residual) @ X
            others = (1 - 1 / b) * ascended if replacement else (b - 1) / (b * max(n - 1, 1)) * (n * ascended - D)
            ascended = D / b + others
    return g + radius * ascended


def mean_square_radius(
    problem: Regression, method: Method, *, batch_size: int, replacement: bool = False, ascent: str = "same"
) -> Any:
    """Return the spectral radius of S -> E[T S Tᵀ], T the linear part of a step, on the row space of the inputs.

    Second moments converge if it is below 1; above 1 they grow by this factor a step. Outside the row space nothing
    ever moves; without any (all inputs zero) the radius is 0.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        method: ``gd`` or ``usam`` with bound hyper-parameters.
        batch_size: b, samples in a batch.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` or ``"independent"`` batches for ascent and descent.

    Returns:
        A float, or an array of shape (runs,) if `method` holds arrays.

    Raises:
        TypeError: as `minibatch_moments`.
        ValueError: as `minibatch_moments`.
    """
    eta, rho, values = _hyper(method)
    step = _linear_step(problem, batch_size, replacement, ascent)
    radii = np.array([step.radius(e, r) if step.dim else 0.0 for e, r in zip(eta, rho, strict=True)])
    return radii if _per_run(values) else float(radii[0])


def mean_square_critical_step(
    problem: Regression, *, rho: float = 0.0, batch_size: int, replacement: bool = False, ascent: str = "same"
) -> float:
    """Return eta* such that the second moments of USAM converge for 0 < eta < eta*, and grow for eta > eta*.

    Exact: 1/eta* is the largest eigenvalue of S -> L⁻¹(E[U S Uᵀ]), L(S) = G S + S G, where T = I - eta U and G = E[U].
    With rho = 0 (SGD) it is the threshold of arXiv:2306.07850; at b = n without replacement 2/h_max, h the curvatures
    lambda (1 + rho lambda). Infinite if all inputs are zero.

    Args:
        problem: ``LeastSquares`` or ``KernelRegression``.
        rho: Ascent step, at least 0; 0 is gradient descent.
        batch_size: b, samples in a batch.
        replacement: Whether a sample may occur several times in a batch (else b <= n).
        ascent: ``"same"`` or ``"independent"`` batches for ascent and descent.

    Raises:
        TypeError: as `minibatch_moments`.
        ValueError: as `minibatch_moments`, and for a rho that is negative or an array.
    """
    radius = _single_rho(rho)
    step = _linear_step(problem, batch_size, replacement, ascent)
    return step.critical_step(radius) if step.dim else np.inf


def _hyper(method: Any) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return eta and rho of every run (rho = 0 for gd), shape (runs,), and the values as they were given."""
    rule_of(method, ("gd", "usam"))
    eta, rho = np.broadcast_arrays(np.atleast_1d(method.values["eta"]), method.values.get("rho", 0.0))
    return eta, rho, method.values


def _per_run(values: dict[str, np.ndarray]) -> bool:
    return any(value.ndim for value in values.values())


def _single_rho(rho: Any) -> float:
    value = NON_NEGATIVE.check("rho", rho)
    if value.ndim:
        raise ValueError(f"rho must be a single number, got shape {value.shape}")
    return float(value)


def _points(steps: Any) -> np.ndarray:
    if np.ndim(steps) == 0:
        return np.arange(positive_int("steps", steps) + 1)
    points = np.asarray(steps)
    if points.ndim != 1 or points.size == 0 or points.dtype.kind not in "iu":
        raise ValueError(f"steps must be an integer or a non-empty list of integers, got {steps!r:.80}")
    if points[0] < 0 or np.any(points[1:] <= points[:-1]):
        raise ValueError(f"steps must increase from 0 or later, got {list(steps)!r:.80}")
    return points.astype(np.int64)


def _step(P: np.ndarray, Q: np.ndarray, batch_size: Any, replacement: Any, ascent: Any) -> MomentStep:
    size = checked_batch(batch_size, len(P), replacement)
    return MomentStep(P, Q, size, bool(replacement), choice("ascent", ascent, ASCENTS) == "independent")


def _linear_step(problem: Any, batch_size: Any, replacement: Any, ascent: Any) -> MomentStep:
    """Return the homogeneous part of a step, in coordinates of the row space."""
    X, _, scale = samples_of(problem)
    Z = X @ problem.modes.coordinates
    return _step(scale * Z, Z, batch_size, replacement, ascent)
