"""Check what a rule declares against what its update uses."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from ..domain import Interval
from .vocabulary import parameter, state

#: Symbols of the linearisation, which no rule may declare.
_RESERVED = {"h", "z", "grad_norm"}


def validated(
    name: str, domain: Mapping[str, Interval], update: Mapping[sp.Symbol, sp.Expr]
) -> dict[sp.Symbol, sp.Expr]:
    """Return the update in canonical symbols, ``w`` first.

    Symbols are matched by name, so that a user's ``Symbol("eta")`` is the library's.

    Raises:
        ValueError: naming the undeclared symbol, the unused hyper-parameter or the missing iterate.
    """
    states = [str(key) for key in update]
    if "w" not in states:
        raise ValueError(f"rule {name}: the update must say what becomes of w, got {states}")
    reserved = sorted({*states, *domain} & _RESERVED)
    if reserved:
        raise ValueError(f"rule {name}: {reserved} stand for curvature, multiplier and gradient norm; use other names")
    clash = set(states) & set(domain)
    if clash:
        raise ValueError(f"rule {name}: {sorted(clash)} declared both as state and as hyper-parameter")
    canonical = {p: parameter(p, interval) for p, interval in domain.items()}
    canonical |= {s: state(s) for s in states}
    result = {}
    for key, value in update.items():
        expression = sp.sympify(value)
        undeclared = {str(s) for s in expression.free_symbols} - set(canonical)
        if undeclared:
            raise ValueError(
                f"rule {name}: the update of {key} uses undeclared symbol(s) {sorted(undeclared)}; "
                f"declared are hyper-parameters {list(domain)} and state {states}"
            )
        result[state(str(key))] = expression.subs(
            {s: canonical[str(s)] for s in expression.free_symbols if s != canonical[str(s)]}
        )
    used = {str(s) for expression in result.values() for s in expression.free_symbols}
    unused = [p for p in domain if p not in used]
    if unused:
        raise ValueError(f"rule {name}: declared hyper-parameter(s) {unused} never appear in the update")
    ordered = sorted(result, key=lambda s: str(s) != "w")
    return {s: result[s] for s in ordered}
