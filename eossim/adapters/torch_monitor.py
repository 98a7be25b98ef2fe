"""Diagnostics of the edge of stability in an ordinary torch training loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .._check import in_interval, positive_int
from ..curvature.operator import Operator
from ..curvature.top_eigenvalue import top_eigenvalue
from ..measure.batches import number_of_batches
from ..measure.estimate import Plan, look, mean_of_ratios
from ..measure.factors import checked_batch_size
from ..measure.measurement import Measurement
from ..measure.point import Forms
from ..theory import edge
from .torch_problem import TorchProblem, from_torch

if TYPE_CHECKING:
    import xarray as xr

#: Mini-batches behind a batch sharpness.
_BATCHES = 100
#: Every so many measurements Lanczos starts afresh.
_COLD = 10

_MEANING = {
    "loss": "loss of all samples",
    "grad_norm": "norm of its gradient G",
    "sharpness": "largest eigenvalue of its Hessian",
    "sharpness_residual": "residual of that eigenvalue",
    "hvps": "Hessian-vector products spent on it",
    "gd_edge": "edge of gradient descent at eta",
    "sam_edge": "edge of SAM at eta, rho and G",
    "batch_sharpness": "mean curvature of mini-batches along their own gradients",
    "batch_sharpness_error": "its standard error",
    "eta": "step size",
}


class TorchMonitor:
    """Records loss, sharpness and the edges it is to be compared with while a torch module trains.

    ``step()`` once per training step measures at steps 0, 1, every, every + 1, 2 every, ...: at the edge the state
    alternates, and two neighbouring steps see both of its sides. Training goes on bit for bit as without it:
    parameters, gradients, buffers, modes and random numbers are left alone. Everything is that of all `inputs`, in the
    mode that `from_torch` describes.

    Args:
        module: As in `from_torch`, and so are loss_fn, inputs and targets.
        loss_fn: (outputs, targets) -> mean loss over samples.
        inputs: What the loss is measured on, the first argument of the module.
        targets: Second argument of the loss.
        eta: Step size of the training; assign to ``monitor.eta`` when it changes. While it is 0, edges are NaN.
        rho: Radius of SAM, for its edge; without it that is NaN.
        batch_size: Size b of mini-batches, for the batch sharpness; without it that is NaN.
        every: Steps from one pair of measurements to the next, at least 2; 1 for every step.
        at_once: Most samples to evaluate at once (`batch_size` of `from_torch`).

    Attributes:
        problem: The `TorchProblem` that it measures.
        eta: The step size that the next measurement uses.

    Raises:
        TypeError: As `from_torch`.
        ValueError: As `from_torch`, and for a step size, radius or batch size out of its domain.

    Example:
        ``monitor = TorchMonitor(model, loss_fn, x, y, eta=0.1, rho=0.05)`` before the loop, ``monitor.step()`` in it,
        ``monitor.dataset()`` after it.

    Source: SAM edge arXiv:2309.12488, batch sharpness arXiv:2412.20553.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        loss_fn: Callable[[Any, Any], Any],
        inputs: Any,
        targets: Any,
        *,
        eta: float,
        rho: float | None = None,
        batch_size: int | None = None,
        every: int = 50,
        at_once: int | None = None,
    ) -> None:
        self.eta = float(in_interval("eta", eta, 0, open_low=True, open_high=True))
        self._rho = None if rho is None else float(in_interval("rho", rho, 0, open_high=True))
        self._every = positive_int("every", every)
        self.problem = from_torch(module, loss_fn, inputs, targets, batch_size=at_once)
        n = self.problem.n_samples
        self._batch_size = None if batch_size is None else checked_batch_size(batch_size, n, replacement=False)
        self._rows: list[dict[str, float]] = []
        self._step = 0
        self._top: np.ndarray | None = None

    def step(self) -> None:
        """Count a training step, before or after it is made; measure if it is time to."""
        if self._step % self._every in (0, 1):
            with np.errstate(all="ignore"):
                self._rows.append({"step": self._step, **self._measure()})
        self._step += 1

    def dataset(self) -> xr.Dataset:
        """Return what was measured, with the dimension ``step``.

        Variables: loss, grad_norm, sharpness with sharpness_residual and hvps, gd_edge, sam_edge, batch_sharpness with
        batch_sharpness_error, eta. What was not asked for, and what a diverged run no longer has, is NaN.
        """
        import xarray as xr

        from .. import __version__

        columns = {
            name: ("step", np.array([row[name] for row in self._rows]), {"long_name": meaning})
            for name, meaning in _MEANING.items()
        }
        given = {"rho": self._rho, "batch_size": self._batch_size}
        versions = {"eossim": __version__, "torch": str(torch.__version__), "dtype": str(self.problem.dtype)}
        steps = np.array([row["step"] for row in self._rows], dtype=np.int64)
        sizes = {"dim": self.problem.dim, "n_samples": self.problem.n_samples}
        attrs = {name: value for name, value in given.items() if value is not None} | sizes | versions
        return xr.Dataset(columns, {"step": steps}, attrs)

    def _measure(self) -> dict[str, float]:
        w = self.problem.w
        norm = float(np.linalg.norm(self.problem.grad(w).astype(np.float64)))
        row = dict.fromkeys(_MEANING, np.nan) | {"loss": float(self.problem.loss(w)), "grad_norm": norm, "hvps": 0}
        row["eta"] = self.eta
        moves = 0 < self.eta < np.inf  # a schedule may begin or end with 0: no edge
        if moves:
            row["gd_edge"] = edge("gd", eta=self.eta)
        if not np.isfinite([row["loss"], norm]).all():
            return row
        if self._rho is not None and norm > 0 and moves:
            row["sam_edge"] = edge("sam", eta=self.eta, rho=self._rho, grad_norm=norm)
        linear = self.problem.linearize(w)
        operator = Operator(self.problem.dim, lambda v: _each(linear, v))
        warm = None if len(self._rows) % _COLD == 0 else self._top
        found = top_eigenvalue(operator, start=warm, seed=self._step)
        self._top = found.kept
        row |= {"sharpness": found.value, "sharpness_residual": found.residual, "hvps": found.products}
        if self._batch_size is not None:
            batch = batch_sharpness_by_batches(self.problem, w, self._batch_size, seed=self._step)
            row |= {"batch_sharpness": batch.value, "batch_sharpness_error": batch.error}
        return row


def _each(linear: Callable[[np.ndarray], np.ndarray], v: np.ndarray) -> np.ndarray:
    """Return the products of one vector or of rows, in float64."""
    rows = [linear(row) for row in v.reshape(-1, v.shape[-1])]
    return np.array(rows, dtype=np.float64).reshape(v.shape)


class _Batches:
    """A problem at a point, one batch at a time: no array of a gradient per sample, so any size of model will do."""

    patience = _BATCHES

    def __init__(self, problem: TorchProblem, w: np.ndarray) -> None:
        self.n_samples = problem.n_samples
        self._problem, self._w = problem, w

    def forms(self, batches: np.ndarray) -> Forms:
        numerator, denominator = np.array([self._problem.batch_forms(self._w, batch) for batch in batches]).T
        return Forms(numerator, denominator, denominator == 0)


def batch_sharpness_by_batches(problem: TorchProblem, w: np.ndarray, batch_size: int, *, seed: int) -> Measurement:
    """Return the batch sharpness E_B[g_Bᵀ H_B g_B / ‖g_B‖²] from a product for each of some random batches.

    It takes all batches if they are few.
    """
    point: Any = _Batches(problem, w)
    few = number_of_batches(problem.n_samples, batch_size, False) <= _BATCHES
    plan = Plan(batch_size, False, "all" if few else _BATCHES, None, 0.95, "zero", seed)
    seen = look(point, plan, point.forms, lambda forms, weights: mean_of_ratios(forms, weights, "zero"), 0.0)
    return Measurement(**seen.words(plan.confidence))
