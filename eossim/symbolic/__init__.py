"""Methods as mathematics: the words of a rule, its linearisation, its edge, and what is emitted from it (sympy)."""

from .._rule import Family, Rule, rule
from .edge import Edge
from .linearize import Linearization
from .vocabulary import (
    beta,
    clip,
    eta,
    grad,
    grad_norm,
    h,
    m,
    norm,
    nu,
    parameter,
    precond,
    rho,
    state,
    tau,
    upcoming,
    w,
    weight_decay,
    z,
)

__all__ = [
    "Edge",
    "Family",
    "Linearization",
    "Rule",
    "beta",
    "clip",
    "eta",
    "grad",
    "grad_norm",
    "h",
    "m",
    "norm",
    "nu",
    "parameter",
    "precond",
    "rho",
    "rule",
    "state",
    "tau",
    "upcoming",
    "w",
    "weight_decay",
    "z",
]
