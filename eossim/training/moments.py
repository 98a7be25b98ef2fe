"""Adam and RMSProp with their running moments, as data that `train` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._check import finite_array, in_interval


@dataclass(frozen=True, eq=False)
class Moments:
    """Adam or RMSProp (made by `adam` and `rmsprop`).

    Attributes:
        name: ``"adam"`` or ``"rmsprop"``.
        values: ``eta``, ``beta1`` (Adam), ``beta2`` and ``eps``, each of shape () or (runs,).
    """

    name: str
    values: dict[str, np.ndarray]

    @property
    def runs(self) -> int:
        """Number of runs that the values describe."""
        return max(v.size for v in self.values.values())

    def start(self, w: np.ndarray) -> dict[str, Any]:
        """Return moments before the first step: ``v``, of Adam also ``m``, and how many gradients are in them."""
        zeros = np.zeros_like(w)
        return {"m": zeros, "v": zeros, "count": 0} if self.name == "adam" else {"v": zeros, "count": 0}

    def update(self, state: Mapping[str, Any], g: np.ndarray) -> tuple[np.ndarray, dict[str, Any]]:
        """Return what a step subtracts from w, and the moments after it.

        Args:
            state: Moments before the step.
            g: Gradient at w.
        """
        values = {name: float(value.item()) for name, value in self.values.items()}
        count = state["count"] + 1
        v = values["beta2"] * state["v"] + (1 - values["beta2"]) * (g * g)
        moments: dict[str, Any] = {"v": v, "count": count}
        first = g
        if self.name == "adam":
            moments["m"] = values["beta1"] * state["m"] + (1 - values["beta1"]) * g
            first = moments["m"] / (1 - values["beta1"] ** count)
            v = v / (1 - values["beta2"] ** count)
        return values["eta"] * (first / (np.sqrt(v) + values["eps"])), moments

    def preconditioner(self, state: Mapping[str, Any], g: np.ndarray | None = None) -> np.ndarray:
        """Return the diagonal P = sqrt(v̂) + eps, shape (dim,), of the step that leaves a state.

        With Adam's v̂ = v/(1 - beta2^t), and times 1 - beta1^t for its bias-corrected first moment: the step is
        eta P⁻¹ m. It is what the edge of `adam_frozen` and `rmsprop_frozen` is about: the largest eigenvalue of
        P^(-1/2) H P^(-1/2).

        Args:
            state: State of the run.
            g: Gradient at ``state["w"]``, which goes into v before the step. Without it P is that of the step that led
                here, and NaN at the start of the run.

        Source: arXiv:2207.14484.
        """
        beta2, eps = (float(self.values[n].item()) for n in ("beta2", "eps"))
        count, v = state["count"], state["v"]
        if g is not None:
            count, v = count + 1, beta2 * v + (1 - beta2) * (g * g)
        if count == 0:
            return np.full_like(v, np.nan)
        if self.name == "rmsprop":
            return np.sqrt(v) + eps
        return (1 - float(self.values["beta1"].item()) ** count) * (np.sqrt(v / (1 - beta2**count)) + eps)

    def __repr__(self) -> str:
        shown = (
            f"{n}={v.item():g}" if v.size == 1 else f"{n}={v.min():g}..{v.max():g}" for n, v in self.values.items()
        )
        return f"{self.name}[{', '.join(shown)}]"


def adam(*, eta: Any, beta1: Any = 0.9, beta2: Any = 0.999, eps: Any = 1e-8) -> Moments:
    """Return Adam on the full gradient g, for `train`.

    With m ← beta1 m + (1 - beta1) g, v ← beta2 v + (1 - beta2) g² and their corrections m̂ = m/(1 - beta1^t) and
    v̂ = v/(1 - beta2^t) it steps w ← w - eta m̂/(sqrt(v̂) + eps).

    Args:
        eta: Step size, positive; like the others a number, or an array with one entry per run.
        beta1: Memory of the gradient, 0 <= beta1 < 1.
        beta2: Memory of its square, 0 <= beta2 < 1.
        eps: What is added to the root, not negative.

    Raises:
        TypeError: If a value is not a real number.
        ValueError: If a value is not allowed.

    Source: arXiv:1412.6980.

    Example:
        >>> adam(eta=1e-3)
        adam[eta=0.001, beta1=0.9, beta2=0.999, eps=1e-08]
    """
    return _bound("adam", eta=eta, beta1=beta1, beta2=beta2, eps=eps)


def rmsprop(*, eta: Any, beta2: Any = 0.99, eps: Any = 1e-8) -> Moments:
    """Return RMSProp on the full gradient g, for `train`: v ← beta2 v + (1 - beta2) g², w ← w - eta g/(sqrt(v) + eps).

    Args:
        eta: Step size, positive; like the others a number, or an array with one entry per run.
        beta2: Memory of the squared gradient, 0 <= beta2 < 1.
        eps: What is added to the root, not negative.

    Raises:
        TypeError: If a value is not a real number.
        ValueError: If a value is not allowed.
    """
    return _bound("rmsprop", eta=eta, beta2=beta2, eps=eps)


def _bound(method: str, **values: Any) -> Moments:
    checked = {}
    for name, value in values.items():
        array = finite_array(name, value, ndim=(0, 1), dtype=np.float64)
        checked[name] = in_interval(
            name, array, 0, 1 if name.startswith("beta") else np.inf, open_low=name == "eta", open_high=True
        )
    lengths = {n: v.size for n, v in checked.items() if v.size != 1}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"hyper-parameters of {method} describe different numbers of runs: {lengths}")
    return Moments(method, checked)
