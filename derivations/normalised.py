"""Normalised and clipped gradient descent: the step does not shrink with the gradient, so a 2-cycle is the end."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import clip, eta, grad_norm, h
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, edge_claim, s

UNIT = Interval(0.0, 1.0)


def derive() -> list[Derivation]:
    """Return the edges of normalised and clipped gradient descent, and the 2-cycles on them."""
    return [_normalised(), _clipped()]


def _normalised() -> Derivation:
    rule = rules.normalised
    d = Derivation("normalised", "Normalised gradient descent", "w+ = w - eta g / G, G = |g|, g = h w", rule.reference)
    m = rule.linearization.multiplier
    d.equal("With the gradient norm held at G the multiplier is", m, 1 - eta * h / grad_norm)
    d.equal("It reaches -1 at h = 2 G / eta", at(m, (h, 2 * grad_norm / eta)), -1)
    edge_claim(d, rule, 2 * grad_norm / eta)
    d.say(
        "In one dimension w+ = w - eta sgn(w). A point x = s eta, 0 < s < 1, goes to x - eta < 0, and that back to x."
    )
    x = s * eta
    there = x - eta
    d.equal("Two steps of size eta, down and up", there + eta, x)
    d.say(
        "Every start ends on such a cycle, unless it is a multiple of eta and hits 0; it stays on the one that it "
        "reaches: the cycles form a family, one for every s."
    )
    mean = (h * x - h * there) / 2
    d.equal("The gradient norms at the two points have the mean", mean, eta * h / 2)
    at_edge = rule.edge.expression.subs(grad_norm, mean)
    d.equal("at which the edge is the curvature", at_edge, h)
    d.say(
        "So at the mean gradient norm every cycle sits exactly on its edge, whatever the curvature: the edge is "
        "attained."
    )
    d.claim(
        id="normalised.cycle",
        statement="On every 2-cycle of normalised gradient descent the edge at the mean gradient norm is the curvature",
        kind="equality",
        left=(2 / eta) * ((h * s * eta + h * (1 - s) * eta) / 2),
        right=h,
        domain={"eta": POSITIVE, "h": POSITIVE, "s": UNIT},
    )
    return d


def _clipped() -> Derivation:
    rule = rules.clipped_gd
    d = Derivation("clipped_gd", "Clipped gradient descent", "w+ = w - eta min(1, c / G) g, G = |g|, g = h w")
    factor = sp.Min(1, clip / grad_norm)
    m = rule.linearization.multiplier
    d.equal("The step size in effect is eta min(1, c / G)", m, 1 - eta * factor * h)
    d.equal("so the multiplier reaches -1 at twice its inverse", at(m, (h, 2 / (eta * factor))), -1)
    edge_claim(d, rule, 2 / (eta * factor))
    d.say(
        "Above h = 2 / eta gradient descent would diverge. Clipped steps have the fixed length eta c as long as G > c:"
    )
    x = s * eta * clip
    there = x - eta * clip
    d.equal("x = s eta c goes to x - eta c and comes back", there + eta * clip, x)
    d.say("when both points are clipped, s eta h > 1 and (1 - s) eta h > 1. Adding the two gives eta h > 2.")
    mean = (h * x - h * there) / 2
    d.equal("The mean gradient norm on the cycle is", mean, eta * clip * h / 2)
    clipped_edge = 2 * grad_norm / (eta * clip)
    d.equal("and the edge where clipping acts, at this norm, is the curvature", clipped_edge.subs(grad_norm, mean), h)
    d.claim(
        id="clipped_gd.cycle",
        statement="On every 2-cycle of clipped gradient descent (eta h > 2) the edge at the mean gradient norm is the "
        "curvature",
        kind="equality",
        left=(2 / (eta * clip)) * ((h * s * eta * clip + h * (1 - s) * eta * clip) / 2),
        right=h,
        domain={"eta": POSITIVE, "clip": POSITIVE, "h": POSITIVE, "s": UNIT},
        where=(s * eta * h - 1, (1 - s) * eta * h - 1),
    )
    return d
