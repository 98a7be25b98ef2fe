"""What derivations of edges share: the claim, stated in the textbook form."""

from __future__ import annotations

import sympy as sp

from eossim._rule import Rule
from eossim.symbolic.claim import Claim
from eossim.symbolic.derivation import Derivation


def edge_claim(d: Derivation, rule: Rule, textbook: sp.Expr, *, family: str = "", structure: int = 0) -> Claim:
    """Add the claim that `textbook` is the edge of `rule`, with the domain that its derivation found.

    Args:
        d: The derivation.
        rule: The rule, or the member of a family.
        textbook: The edge as the literature writes it, in the symbols of the rule.
        family: Name of the family that `rule` belongs to.
        structure: Integer of the member.
    """
    edge = rule.edge
    name = family or rule.name
    return d.claim(
        id=f"{name}.edge" if not family else f"{name}.edge.{structure}",
        statement=f"{rule.summary or rule.name} first loses stability at h = {edge.text}",
        kind="edge",
        left=textbook,
        domain=edge.domain,
        rule=name,
        structure=structure,
        where=edge.conditions,
        tight=edge.tight,
        reference=rule.reference,
    )
