"""The step size at which one step of gradient descent begins to raise the loss, from forward passes alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from .._check import finite_array, has_gradient, in_interval


class _Descended(Protocol):
    @property
    def dim(self) -> int: ...

    def loss(self, w: Any, /) -> Any: ...

    def grad(self, w: Any, /) -> Any: ...


@dataclass(frozen=True)
class CriticalStep:
    """An estimated step size.

    Attributes:
        eta: The step size.
        ratio: Loss after one step with it over the loss before: from 1 to 1 + delta, or below 1 if `eta` is the target.
        passes: Evaluations of the loss that it took.
    """

    eta: float
    ratio: float
    passes: int


def estimate_critical_step(
    problem: _Descended, w: ArrayLike, *, delta: float = 0.1, eta_target: float | None = None, start: float = 1e-4
) -> CriticalStep:
    """Return a step size that raises the loss a little.

    The step is doubled until one step no longer lowers the loss L, then bisected until L(θ - η ∇L) <= (1 + delta) L(θ),
    so that 1 <= L(θ - η ∇L)/L(θ) <= 1 + delta where L is continuous. A loss that is not finite counts as risen. Source:
    arXiv:2406.09405.

    Let η* be the smallest step that raises the loss, that of the one-step c_loss. If `start` is below η*, and all steps
    from η* to 2η* raise the loss, the estimate is at least η* and tends to it with delta: for the uv model with y = 0
    if s <= 1/9 (derived). Otherwise doubling may pass η* unseen and find where the loss rises again.

    Args:
        problem: With dim, loss and grad.
        w: Point, shape (dim,).
        delta: Relative rise that is accepted; 0.1 for gradient descent, 0.01 for Adam.
        eta_target: Largest step size of interest; returned if even it lowers the loss.
        start: First step size tried.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a number is out of range, the loss at w is not positive and finite, the gradient there is 0 or
            not finite, or the loss falls along it without end and there is no `eta_target`.
    """
    has_gradient(problem)
    x = finite_array("w", w, shape=(problem.dim,))
    in_interval("delta", delta, 0.0, open_low=True)
    in_interval("start", start, 0.0, np.inf, open_low=True, open_high=True)
    top = math.inf if eta_target is None else float(in_interval("eta_target", eta_target, 0.0, open_low=True))
    g, before = np.asarray(problem.grad(x)), float(problem.loss(x))
    if not 0 < before < math.inf:
        raise ValueError(f"the loss at w must be positive and finite, got {before}")
    if not np.all(np.isfinite(g)) or not np.any(g):
        raise ValueError("the gradient at w must be finite and not 0")
    passes = 1

    def ratio(eta: float) -> float:
        nonlocal passes
        passes += 1
        with np.errstate(over="ignore", invalid="ignore"):
            return float(problem.loss(x - eta * g)) / before

    low, high = 0.0, min(start, top)
    now = ratio(high)
    while now < 1 and high < top:
        low, high = high, min(2 * high, top)
        if math.isinf(high):
            raise ValueError("the loss falls along the gradient without end: give an eta_target")
        now = ratio(high)
    while not now <= 1 + delta and low < (middle := 0.5 * (low + high)) < high:
        at_middle = ratio(middle)
        if at_middle < 1:
            low = middle
        else:
            high, now = middle, at_middle
    return CriticalStep(high, now, passes)
