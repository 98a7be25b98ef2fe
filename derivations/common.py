"""What derivations share: the claim of an edge in its textbook form, and the Jury conditions below an edge."""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from eossim._rule import Family, Rule
from eossim.domain import Interval
from eossim.symbolic import h, parameter, z
from eossim.symbolic.claim import Claim
from eossim.symbolic.derivation import Derivation
from eossim.symbolic.latex import plain

#: A fraction of an edge: 0 < s < 1 below it.
s = sp.Symbol("s", positive=True)
POSITIVE = Interval(0.0)


def at(expression: sp.Expr, *values: tuple[sp.Symbol, sp.Expr]) -> sp.Subs:
    """Return `expression` at values of its symbols, not yet evaluated: a step then shows what is inserted where."""
    symbols, points = zip(*values, strict=True)
    return sp.Subs(expression, symbols, points)


def by_name(expression: sp.Expr, domain: Mapping[str, Interval]) -> sp.Expr:
    """Return `expression` in the symbols of a domain: the same names, the assumptions of its intervals."""
    return expression.xreplace({x: parameter(x.name, domain[x.name]) for x in expression.free_symbols})


def edge_claim(
    d: Derivation,
    rule: Rule | Family,
    textbook: sp.Expr,
    *,
    structure: int = 0,
    narrowed: Mapping[str, Interval] | None = None,
) -> Claim:
    """Add the claim that `textbook` is the edge of `rule`, on the domain that its derivation found.

    Args:
        d: The derivation.
        rule: The rule, or the family of which `structure` names a member.
        textbook: The edge as the literature writes it, in the symbols of the rule.
        structure: Integer of the member of a family.
        narrowed: Intervals that replace those of the derived edge where the textbook form needs it.
    """
    member = rule.member(structure) if isinstance(rule, Family) else rule
    edge = member.edge
    domain = {**edge.domain, **(narrowed or {})}
    which = f", {rule.structure} = {structure}," if isinstance(rule, Family) else ""
    formula = plain(textbook if edge.expression is None else edge.expression)
    return d.claim(
        id=f"{rule.name}.edge" + (f".{structure}" if isinstance(rule, Family) else ""),
        statement=f"{rule.name}{which} first loses stability at h = {formula}",
        kind="edge",
        left=by_name(sp.sympify(textbook), domain),
        domain=domain,
        rule=rule.name,
        structure=structure,
        where=tuple(by_name(c, domain) for c in edge.conditions),
        tight=edge.tight,
        reference=member.reference,
    )


def experiment_claim(d: Derivation, name: str, measured_by: str, statement: str) -> Claim:
    """Add the claim that what theory predicts of regression problems is what stepped methods show."""
    return d.claim(id=name, statement=statement, kind="experiment", left=None, domain={}, measured_by=measured_by)


def jury(d: Derivation, rule: Rule, edge: sp.Expr, at_plus: sp.Expr, at_minus: sp.Expr, inner: sp.Expr) -> None:
    """Show that a root of z^2 - T z + D reaches the unit circle first at z = -1, where h = `edge`.

    Both roots lie inside the circle iff p(1) = 1 - T + D, p(-1) = 1 + T + D and 1 - D are positive (so is 1 + D, half
    the sum of the first two). At h = s * edge the three are products and sums of positive factors for 0 < s < 1.
    """
    p = rule.linearization.charpoly
    below = (h, s * edge)
    d.say(
        "Jury: both roots of p(z) = z^2 - T z + D lie inside the unit circle iff p(1), p(-1) and 1 - D are positive. "
        "We write the three at h = s times the edge, 0 < s < 1."
    )
    d.equal("p(1) stays positive: no root reaches +1", at(p, (z, 1), below), at_plus)
    d.equal("p(-1) is positive below the edge and vanishes at it, s = 1", at(p, (z, -1), below), at_minus)
    d.equal("1 - D stays positive: no complex pair reaches the circle", 1 - at(p, (z, 0), below), inner)
    d.say("So p(-1) is the first to vanish: the edge is a period-2 instability.")
