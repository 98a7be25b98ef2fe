"""Losses and gradients of a problem at single points, the latest kept: who measures where the step begins pays once."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from .._check import has_gradient

#: Samples whose gradients are copied at a time.
_ROWS = 64


class Oracle:
    """A problem as the steps of one network see it.

    Points are told apart by identity: an array that was handed in is never written to.

    Args:
        problem: Anything with ``dim``, ``loss(w)`` and ``grad(w)``; ``loss_and_grad(w)`` saves a pass, and batches need
            ``grad(w, batch=indices)`` or ``sample_gradients(w)``. Gaussian resampling is quicker with
            ``weighted_grad(w, weights)``, the gradient of Σ weightsᵢ ℓᵢ.

    Attributes:
        problem: As given.
        dim: Number of parameters.
        dtype: Of the parameters.
        takes_batch: Whether the gradient of chosen samples can be had without that of all.

    Raises:
        TypeError: If it is no such problem.
    """

    def __init__(self, problem: Any) -> None:
        has_gradient(problem)
        self.problem, self.dim = problem, int(problem.dim)
        kind = np.dtype(getattr(problem, "dtype", np.float64))
        self.dtype = kind if kind == np.float32 else np.dtype(np.float64)
        self._both = getattr(problem, "loss_and_grad", None)
        self.takes_batch = _has_argument(problem.grad, "batch")
        self._at: np.ndarray | None = None
        self._loss: float | None = None
        self._grad: np.ndarray | None = None

    @property
    def samples(self) -> int | None:
        """Number of samples that batches can be drawn from, or None."""
        if not (self.takes_batch or hasattr(self.problem, "sample_gradients")):
            return None
        return getattr(self.problem, "n_samples", None)

    def loss(self, w: np.ndarray) -> float:
        """Loss at w, shape (dim,)."""
        self._move(w)
        if self._loss is None:
            self._loss = float(self.problem.loss(w))
        return self._loss

    def grad(self, w: np.ndarray) -> np.ndarray:
        """Gradient at w, shape (dim,); not to be written to."""
        self._move(w)
        if self._grad is None:
            if self._both is not None:
                loss, grad = self._both(w)
                self._loss = float(loss)
            else:
                grad = self.problem.grad(w)
            self._grad = np.asarray(grad, dtype=self.dtype)
        return self._grad

    def batch_grad(self, w: np.ndarray, batch: np.ndarray) -> np.ndarray:
        """Gradient of the mean loss of the samples `batch`, shape (b,), at w."""
        if self.takes_batch:
            return np.asarray(self.problem.grad(w, batch=batch), dtype=self.dtype)
        return self.problem.sample_gradients(w)[batch].mean(axis=0).astype(self.dtype, copy=False)

    def weighted_grad(self, w: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Gradient of Σ weightsᵢ ℓᵢ at w; weights have shape (n,)."""
        own = getattr(self.problem, "weighted_grad", None)  # saves the gradients of all samples
        if own is not None:
            return np.asarray(own(w, weights), dtype=self.dtype)
        return (weights @ self.problem.sample_gradients(w)).astype(self.dtype, copy=False)

    def variances(self, w: np.ndarray) -> np.ndarray:
        """Variances over samples of each entry of the gradients of their losses, shape (dim,)."""
        each = self.problem.sample_gradients(w)
        mean, total = each.mean(axis=0), np.zeros(self.dim)
        for first in range(0, len(each), _ROWS):
            deviations = each[first : first + _ROWS] - mean
            total += np.einsum("ij,ij->j", deviations, deviations)
        return total / len(each)

    def _move(self, w: np.ndarray) -> None:
        if w is not self._at:
            self._at, self._loss, self._grad = w, None, None


def _has_argument(function: Any, name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
