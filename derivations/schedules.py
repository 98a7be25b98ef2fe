"""Several step sizes in turn, and inner steps: products of multipliers, where +1 can come before -1."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import eta, h, parameter
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim

a, b = parameter("eta_1"), parameter("eta_2")
alpha = parameter("alpha")


def derive() -> list[Derivation]:
    """Return the edges of alternating and cyclic steps and of lookahead."""
    return [_alternating(), _cyclic(), _lookahead()]


def _alternating() -> Derivation:
    rule = rules.alternating_steps
    d = Derivation(
        "alternating_steps",
        "Two step sizes in turn",
        "w -> (1 - eta_1 h) w -> (1 - eta_2 h)(1 - eta_1 h) w, one step is one round",
    )
    m = (1 - a * h) * (1 - b * h)
    end = 1 / a + 1 / b
    d.equal("The multiplier of one round", rule.linearization.multiplier, m)
    d.equal("equals 1 at h = 0 and at h = 1/eta_1 + 1/eta_2", m - 1, a * b * h * (h - end))
    d.equal("and is a parabola, symmetric about the middle of the two", m.subs(h, end - h), m)
    d.equal("with its minimum there", at(m, (h, end / 2)), -((a - b) ** 2) / (4 * a * b))
    d.equal("which is above -1 by", 1 + m.subs(h, end / 2), -(a**2 - 6 * a * b + b**2) / (4 * a * b))
    ratio = 3 + 2 * sp.sqrt(2)
    d.equal(
        "This vanishes when the step sizes have the ratio 3 + 2 sqrt 2", at(a**2 - 6 * a * b + b**2, (a, ratio * b)), 0
    )
    d.equal("(or its inverse)", ratio * (3 - 2 * sp.sqrt(2)), 1)
    d.say("Closer step sizes: the multiplier stays in (-1, 1) up to h = 1/eta_1 + 1/eta_2, where it passes +1.")
    root = sp.sqrt((a + b) ** 2 - 8 * a * b)
    low, high = (a + b - root) / (2 * a * b), (a + b + root) / (2 * a * b)
    d.equal("Farther apart: it passes -1 first, at the smaller root", at(m, (h, low)), -1)
    d.equal("and comes back at the larger root", at(m, (h, high)), -1)
    d.equal("the mirror image of the first", high, end - low)
    d.say(
        "Between the two roots a round diverges. Above the larger one it is stable again, up to 1/eta_1 + "
        "1/eta_2: the second window of stability is the mirror image of the first. The edge is the end of the "
        "first."
    )
    edge_claim(d, rule, sp.Piecewise((end, sp.Max(a / b, b / a) < ratio), (low, True)))
    return d


def _cyclic() -> Derivation:
    family = rules.cyclic_steps
    d = Derivation(
        "cyclic_steps", "A cycle of n step sizes", "w+ = (1 - eta_n h) ... (1 - eta_1 h) w, one step is one round"
    )
    for n in (1, 2, 3):
        steps = [parameter(f"eta_{i}") for i in range(1, n + 1)]
        product = sp.Mul(*(1 - e * h for e in steps))
        d.equal(f"The multiplier of a round of {n}", family.member(n).linearization.multiplier, product)
        equal = product.subs({e: eta for e in steps})
        d.equal("with equal steps reaches modulus 1 at h = 2 / eta", at(equal, (h, 2 / eta)), (-1) ** n)
    d.say(
        "In general the edge is the first h beyond which the modulus exceeds 1: a root of product = -1 or product "
        "= +1. A root at which the product only touches the value does not count. For n > 2 it is computed "
        "numerically from these two polynomials, so only n = 1 (gradient descent) and n = 2 (alternating steps) "
        "are claimed in closed form."
    )
    edge_claim(d, family, 2 / a, structure=1)
    low = ((a + b) - sp.sqrt((a + b) ** 2 - 8 * a * b)) / (2 * a * b)
    close = sp.Max(a / b, b / a) < 3 + 2 * sp.sqrt(2)
    edge_claim(d, family, sp.Piecewise((1 / a + 1 / b, close), (low, True)), structure=2)
    return d


def _lookahead() -> Derivation:
    family = rules.lookahead
    d = Derivation(
        "lookahead",
        "Lookahead: k inner steps, then slow weights move by alpha",
        "w+ = w + alpha ((1 - eta h)^k w - w), 0 < alpha <= 1",
    )
    for n in (1, 2, 3):
        d.equal(
            f"The multiplier for k = {n}",
            family.member(n).linearization.multiplier,
            1 - alpha + alpha * (1 - eta * h) ** n,
        )
    d.say(
        "Even k: (1 - eta h)^k lies in [0, 1] as long as eta h <= 2, so the multiplier lies in [1 - alpha, 1] and "
        "leaves at +1. Odd k: it decreases from 1 without end and leaves at -1, where (1 - eta h)^k = -(2 - "
        "alpha) / alpha."
    )
    for n in range(1, 7):
        edge = family.closed_form(eta=eta, alpha=alpha, k=sp.Integer(n))
        inserted = at(1 - alpha + alpha * (1 - eta * h) ** n, (h, edge))
        d.equal(f"k = {n}: the closed form puts the multiplier on the circle", inserted, (-1) ** n)
    d.equal("At alpha = 1 odd k is gradient descent", family.closed_form(eta=eta, alpha=1, k=sp.Integer(5)), 2 / eta)
    for n in (1, 2, 3, 5):
        odd = (1 + ((2 - alpha) / alpha) ** sp.Rational(1, n)) / eta
        edge_claim(d, family, odd if n % 2 else 2 / eta, structure=n)
    return d
