"""A rule with its hyper-parameters bound: what `simulate` runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .._check import finite_array, symmetric
from ..domain import checked_values

if TYPE_CHECKING:
    from .._rule import Rule


@dataclass(frozen=True)
class Method:
    """A rule with values for its hyper-parameters; arrays make a batch of runs.

    Attributes:
        rule: The rule.
        values: One array per hyper-parameter, each of shape () or (runs,).
        preconditioner: P as its diagonal, shape (dim,), or as a matrix, shape (dim, dim); None for a plain rule.
    """

    rule: Rule
    values: dict[str, np.ndarray]
    preconditioner: np.ndarray | None = None

    @property
    def runs(self) -> int:
        """Number of runs that the values describe."""
        return max((v.size for v in self.values.values()), default=1)

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={_short(v)}" for n, v in self.values.items())
        return f"{self.rule.name}[{shown}]"


def bind(rule: Rule, values: Mapping[str, Any]) -> Method:
    """Return `rule` with checked values (see `Rule.__call__`)."""
    given = dict(values)
    preconditioner = _take_preconditioner(rule, given) if rule.kernel.PRECONDITIONED else None
    checked = checked_values(rule.name, rule.domain, rule.hyper, (), rule.spell(given))
    for name, array in checked.items():
        if array.ndim > 1:
            raise ValueError(f"{name} must be a number or a 1-D array (one entry per run), got shape {array.shape}")
    lengths = {n: v.size for n, v in checked.items() if v.size != 1}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"hyper-parameters of {rule.name} describe different numbers of runs: {lengths}")
    return Method(rule, {n: checked[n] for n in rule.hyper}, preconditioner)


def _take_preconditioner(rule: Rule, values: dict[str, Any]) -> np.ndarray:
    """Remove P (or what it is made of) from `values` and return it."""
    if "P" in values:
        return check_preconditioner(values.pop("P"))
    if "nu_hat" in values:
        return second_moment_preconditioner(values.pop("nu_hat"), values.pop("eps", 1e-8))
    if "etas" in values and not rule.hyper:
        steps = finite_array("etas", values.pop("etas"), ndim=1)
        return 1.0 / check_preconditioner(steps, name="etas")
    wanted = "etas (one step per coordinate)" if not rule.hyper else "P, or nu_hat and eps"
    raise ValueError(f"{rule.name} is preconditioned and needs {wanted}")


def check_preconditioner(value: Any, name: str = "P") -> np.ndarray:
    """Return a positive diagonal or a symmetric positive definite matrix, or raise ValueError."""
    array = finite_array(name, value, ndim=(1, 2))
    smallest = array.min() if array.ndim == 1 else np.linalg.eigvalsh(symmetric(name, array))[0]
    if smallest <= 0:
        raise ValueError(f"{name} must be positive definite, got smallest eigenvalue {smallest:.3g}")
    return array


def second_moment_preconditioner(nu_hat: Any, eps: Any) -> np.ndarray:
    """Return the diagonal sqrt(nu_hat) + eps of RMSProp and Adam (bias-corrected nu_hat, eps outside the root)."""
    moment = finite_array("nu_hat", nu_hat, ndim=1)
    if np.any(moment < 0):
        raise ValueError(f"nu_hat must be non-negative, got {moment.min():g}")
    return check_preconditioner(np.sqrt(moment) + float(eps), name="sqrt(nu_hat) + eps")


def _short(values: np.ndarray) -> str:
    return f"{values.item():g}" if values.size == 1 else f"{values.min():g}..{values.max():g}"
