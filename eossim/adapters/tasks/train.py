"""Full-batch GD and SAM in a plain torch loop, with a monitor beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import TorchMonitor
from .task import Task

if TYPE_CHECKING:
    import xarray as xr


def train(
    task: Task,
    *,
    eta: float,
    rho: float,
    steps: int,
    every: int,
    progress: Callable[[int], object] = lambda step: None,
) -> xr.Dataset:
    """Train by full-batch SAM, by GD if rho is 0, and return what the monitor saw; training stops where it diverges.

    The module of the task is trained in place.
    """
    monitor = TorchMonitor(
        task.module, task.loss_fn, task.inputs, task.targets, eta=eta, rho=rho, every=every, at_once=task.at_once
    )
    for step in range(steps):
        monitor.step()
        if not _sam_step(task, eta, rho):
            break
        progress(step)
    return monitor.dataset()


def _sam_step(task: Task, eta: float, rho: float) -> bool:
    """Step by w - eta ∇L(w + rho g/‖g‖), g = ∇L(w); return whether g is finite and not zero."""
    weights = list(task.module.parameters())
    gradient = _gradients(task, weights)
    norm = float(np.linalg.norm([torch.linalg.vector_norm(g).item() for g in gradient]))
    if not (np.isfinite(norm) and norm > 0):
        return False
    before = [p.detach().clone() for p in weights]
    if rho > 0:
        with torch.no_grad():
            for p, g in zip(weights, gradient, strict=True):
                p += rho / norm * g
        gradient = _gradients(task, weights)
    with torch.no_grad():
        for p, old, g in zip(weights, before, gradient, strict=True):
            p.copy_(old - eta * g)
    return True


def _gradients(task: Task, weights: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """Return the gradient of the mean loss of all samples."""
    total = [torch.zeros_like(p) for p in weights]
    for x, y in zip(task.inputs.split(task.at_once), task.targets.split(task.at_once), strict=True):
        loss = task.loss_fn(task.module(x), y) * (len(x) / len(task.inputs))
        for into, g in zip(total, torch.autograd.grad(loss, weights), strict=True):
            into.add_(g)
    return total


def late_ratio(measured: xr.Dataset, edge: str) -> tuple[float, float, float]:
    """Return the late ratio of sharpness to an edge with its quartiles.

    Neighbouring steps t, t + 1 are taken together, (λ_t + λ_{t+1})/(E_t + E_{t+1}), since at the edge the state
    alternates; median and quartiles are over the pairs of the second half.
    """
    steps = measured.step.to_numpy()
    first = np.flatnonzero(np.diff(steps) == 1)
    lam, limit = measured.sharpness.to_numpy(), measured[edge].to_numpy()
    pairs = (lam[first] + lam[first + 1]) / (limit[first] + limit[first + 1])
    late = pairs[len(pairs) // 2 :]
    low, middle, high = np.quantile(late, [0.25, 0.5, 0.75]) if len(late) else [np.nan] * 3
    return float(middle), float(low), float(high)


_COLUMNS = ("method", "eta", "rho", "2/eta", "edge", "sharpness", "ratio", "quartiles", "loss")


def row(method: str | None = None, measured: xr.Dataset | None = None) -> str:
    """Return a line of the table of runs, or its heading: edge and sharpness are medians of the second half."""
    cells: tuple[str, ...] = _COLUMNS
    if method is not None and measured is not None:
        edge = "sam_edge" if method == "sam" else "gd_edge"
        late = measured.isel(step=slice(measured.sizes["step"] // 2, None))
        ratio, low, high = late_ratio(measured, edge)
        values = (measured.eta[-1], measured.attrs["rho"], late.gd_edge[-1], late[edge].median())
        cells = (
            method,
            *(f"{float(x):.4g}" for x in (*values, late.sharpness.median())),
            f"{ratio:.3f}",
            f"{low:.3f} {high:.3f}",
            f"{float(measured.loss[-1]):.4g}",
        )
    return "".join(f"{cell:<14}" if cell == cells[7] else f"{cell:<11}" for cell in cells).rstrip()
