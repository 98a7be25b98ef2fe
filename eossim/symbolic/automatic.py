"""The derivation of an edge from the rule alone: what a rule of your own gets without a script."""

from __future__ import annotations

import sympy as sp

from .._rule import Rule
from .derivation import Derivation, load, recorded
from .latex import plain
from .vocabulary import h, z


def derive(rule: str | Rule) -> Derivation:
    """Return a derivation, each of its identities proved.

    Args:
        rule: Name of a recorded derivation, name of a shipped rule (the recorded derivation of its edge), or a rule of
            your own, for which the steps are written from its linearisation.

    Raises:
        ValueError: for an unknown name, with the nearest one.
    """
    if isinstance(rule, Rule):
        return derive_edge(rule)
    rows = recorded()
    if rule not in rows:
        for name, row in rows.items():
            if any(claim["kind"] == "edge" and claim["rule"] == rule for claim in row["claims"]):
                return load([name])[0]
    return load([rule])[0]


def derive_edge(rule: Rule) -> Derivation:
    """Derive the edge of a rule: linear step, characteristic polynomial, crossing condition, closed form."""
    linear, edge = rule.linearization, rule.edge
    update = "; ".join(f"{s} <- {plain(e)}" for s, e in rule.update.items())
    d = Derivation(rule.name, f"The edge of {rule.name}", f"L = h w^2 / 2; {update}", rule.reference or "derived")
    if linear.frozen:
        names = ", ".join(f"{s} = |{plain(e)}|" for s, e in linear.frozen.items())
        d.say(f"Freeze the norms, {names}: the step on one mode is then linear, and the edge depends on the state.")
    if linear.multiplier is not None:
        d.equal("One step multiplies w by", linear.multiplier, linear.matrix[0, 0])
    else:
        d.equal(
            "Characteristic polynomial of the step on the state",
            linear.charpoly,
            (z * sp.eye(len(linear.states)) - linear.matrix).det(),
        )
    for kind in ("-1", "1"):
        d.equal(
            f"A root reaches z = {kind} where this vanishes",
            linear.charpoly.subs(z, int(kind)),
            sp.factor(linear.charpoly.subs(z, int(kind))),
        )
    if edge.expression is None:
        d.say("The first crossing has no closed form: the edge is the first numerical root of these conditions.")
        return d
    if edge.expression == 0:
        d.say("A root is outside the unit circle for every h > 0, however small: nothing is stable.")
        return d
    if edge.expression == sp.oo:
        d.say("No root reaches the unit circle for h > 0: there is no edge.")
        return d
    branches = edge.expression.args if isinstance(edge.expression, sp.Min) else (edge.expression,)
    for branch in branches if not edge.expression.is_Piecewise else [e for e, _ in edge.expression.args]:
        kind = next(k for k, c in edge.spectrum.conditions.items() if sp.simplify(c.subs(h, branch)) == 0)
        where = {
            "complex": "a complex pair is on the unit circle",
            "-1": "z = -1 is a root",
            "+1": "z = +1 is a root",
        }[kind]
        d.equal(
            f"At h = {plain(branch)} {where}: the condition vanishes",
            edge.spectrum.conditions[kind].subs(h, branch),
            0,
        )
    d.say(
        "That this is the first loss of stability is checked against the spectral radius at random points of the "
        "domain."
    )
    return d
