"""Methods in words and numbers that a file can hold: what tells one from another."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.adaptive import AdaptiveDescent
from ..engine.sampling import Minibatch
from ..engine.steepest import SteepestDescent
from .gradients import State
from .moments import Moments

#: What random numbers are made of: it goes on when a run changes its method.
_RANDOM = ("rng", "order", "position")


def describe(method: Any) -> dict[str, Any]:
    """Return what a method is, exactly, in words, numbers and lists."""
    if isinstance(method, Minibatch):
        return {**describe(method.method), **method.attributes}
    values = {name: value.tolist() for name, value in method.values.items()}
    if isinstance(method, SteepestDescent):
        # norms of one name may differ in blocks or weights: a value tells
        dim = method.norm.dim or 7
        value = float(method.norm.dual(np.cos(np.arange(dim) * 1.7)))
        return {"rule": method.name, "norm": method.norm.name, "norm_value": round(value, 9), **values}
    if isinstance(method, AdaptiveDescent):
        return {"rule": "adaptive_descent", "step": method.name, "constant": method.constant, **values}
    if isinstance(method, Moments):
        return {"rule": method.name, **values}
    return {"rule": method.rule.name, "update": method.rule.kernel.UPDATE, **values}


def attributes(method: Any) -> dict[str, Any]:
    """Return what a Dataset says of a method beside its hyper-parameters."""
    inner = method.method if isinstance(method, Minibatch) else method
    return {
        name: value for name, value in describe(method).items() if name not in inner.values and name != "norm_value"
    }


def carry_over(state: State, old: State, *, same_rule: bool) -> State:
    """Return the start of another method's run at the point where a run stands.

    Parameters, the count of steps and random numbers go on as they were; buffers only within one rule.

    Args:
        state: Start of the new method at the parameters of `old`.
        old: State of the run that goes on.
        same_rule: Whether both have the same rule, and differ in numbers or batches.
    """
    names = state.keys() & old.keys()
    kept = {name: old[name] for name in names if same_rule or name in _RANDOM}
    return {**state, **kept, "t": old["t"]}
