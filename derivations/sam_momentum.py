"""SAM and USAM with momentum or decay: the ascent step turns curvature h into h (1 + r h), r = rho / G or rho."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim._rule import Rule
from eossim.symbolic import beta, eta, grad_norm, h, weight_decay, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim
from .sam_edge import NARROW, positive_rho, rho

G, lam = grad_norm, weight_decay

#: Base method, its edge, and what it is composed with.
BASES = {
    "heavy_ball": (rules.heavy_ball, (2 + 2 * beta) / eta),
    "ema": (rules.ema_momentum, (2 + 2 * beta) / ((1 - beta) * eta)),
    "nesterov": (rules.nesterov, (2 + 2 * beta) / ((1 + 2 * beta) * eta)),
}


def derive() -> list[Derivation]:
    """Return the composition rule and the edges of the compositions."""
    composed = [
        _composed(getattr(rules, f"{ascent}_{name}"), base, edge, rho / G if ascent == "sam" else rho)
        for ascent in ("sam", "usam")
        for name, (base, edge) in BASES.items()
    ]
    return [_composition(), *composed, _decoupled_decay()]


def textbook(base: sp.Expr, r: sp.Expr) -> sp.Expr:
    """Return the positive root of h (1 + r h) = base as it is usually written."""
    return (sp.sqrt(1 + 4 * r * base) - 1) / (2 * r)


def _composition() -> Derivation:
    d = Derivation(
        "sam_composition",
        "SAM on top of a linear method that leaves at z = -1",
        "the gradient h w is replaced by h (1 + r h) w; base edge H",
    )
    r, base = sp.symbols("r H", positive=True)
    d.say(
        "In every mode the perturbed gradient is that of curvature h (1 + r h), which increases from 0: the edge "
        "is where it is H."
    )
    root = textbook(base, r)
    d.equal("The positive root of h (1 + r h) = H", at(h * (1 + r * h), (h, root)), base)
    d.equal("without cancellation", root, 2 * base / (1 + sp.sqrt(1 + 4 * r * base)))
    d.equal("r -> 0 gives the base edge", at(2 * base / (1 + sp.sqrt(1 + 4 * r * base)), (r, 0)), base)
    d.equal("The edge is below it by", base - root, r * root**2)
    d.say(
        "With r = rho (USAM) the method is linear and this is its divergence boundary, whatever the kind of crossing. "
        "With r = rho / G (SAM) it holds on a period-2 orbit, on which G is constant, so for a base that leaves at "
        "z = -1; with momentum other orbits coexist (see sam_momentum_cycle)."
    )
    return d


def _composed(rule: Rule, base: Rule, base_edge: sp.Expr, r: sp.Expr) -> Derivation:
    d = Derivation(rule.name, rule.summary, f"{base.summary} with the gradient h (1 + r h) w, r = {r}", rule.reference)
    p = positive_rho(rule.linearization.charpoly)
    d.equal(
        "The polynomial of the base method at curvature h (1 + r h)",
        p,
        base.linearization.charpoly.subs(h, h * (1 + r * h)),
    )
    root = textbook(base_edge, r)
    d.equal("It has the root -1 at the edge", at(p, (z, -1), (h, root)), 0)
    d.equal("equal to the derived one", positive_rho(rule.edge.expression), root)
    edge_claim(d, rule, root, narrowed=NARROW)
    return d


def _decoupled_decay() -> Derivation:
    rule = rules.sam_decoupled_decay
    d = Derivation(
        "sam_decoupled_decay",
        "SAM with decay beside the gradient",
        "w+ = (1 - eta lambda) w - eta grad L(w + rho g / G)",
    )
    m = positive_rho(rule.linearization.multiplier)
    d.equal("The multiplier", m, 1 - eta * lam - eta * h * (1 + rho * h / G))
    root = textbook((2 - eta * lam) / eta, rho / G)
    d.equal("is -1 where h (1 + rho h / G) = (2 - eta lambda) / eta", at(m, (h, root)), -1)
    d.say("Decay inside the SAM gradient would add to the curvature and to G instead.")
    edge_claim(d, rule, root, narrowed=NARROW)
    return d
