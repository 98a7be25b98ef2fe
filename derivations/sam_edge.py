"""The SAM edge, which depends on the gradient norm, and the USAM edge, which does not."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import eta, grad_norm, h, parameter
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, edge_claim

G = grad_norm
rho = parameter("rho", POSITIVE)  # the textbook form divides by it; the rules allow rho = 0
DOMAIN = {"eta": POSITIVE, "rho": POSITIVE, "grad_norm": POSITIVE}
NARROW = {"rho": POSITIVE}

TEXTBOOK = G / (2 * rho) * (sp.sqrt(1 + 8 * rho / (eta * G)) - 1)
STABLE = (4 / eta) / (1 + sp.sqrt(1 + 8 * rho / (eta * G)))


def positive_rho(expression: sp.Expr) -> sp.Expr:
    """Return an expression of a rule, whose rho may be zero, in the positive symbol of these derivations."""
    return expression.subs(parameter("rho"), rho)


def derive() -> list[Derivation]:
    """Return the edges of SAM and USAM and what one step does on a quadratic."""
    return [_sam(), _usam(), _one_step(), _critical_norm(), _scaling(), _negative_curvature()]


def _sam() -> Derivation:
    rule = rules.sam
    d = Derivation(
        "sam",
        "The SAM edge of stability",
        "w+ = w - eta grad L(w + rho g / G), G = |g|, on L = h w^2 / 2",
        rule.reference,
    )
    multiplier = positive_rho(rule.linearization.multiplier)
    d.equal("The ascent step multiplies the gradient by 1 + rho h / G", multiplier, 1 - eta * h * (1 + rho * h / G))
    quadratic = eta * rho * h**2 + eta * G * h - 2 * G
    d.equal("The multiplier is -1 where a quadratic in h vanishes", multiplier + 1, -quadratic / G)
    d.equal("It decreases in h", sp.diff(multiplier, h), -eta * (1 + 2 * rho * h / G))
    d.say(
        "from 1 at h = 0, so the first loss of stability is the one positive root (the product of the roots is "
        "negative)."
    )
    d.equal("The textbook form is a root", at(quadratic, (h, TEXTBOOK)), 0)
    d.equal("It subtracts nearly equal numbers when G is large; the form without cancellation is", TEXTBOOK, STABLE)
    d.equal("equal to the derived edge", positive_rho(rule.edge.expression), STABLE)
    d.equal("rho = 0 gives gradient descent", at(STABLE, (rho, 0)), rules.gd.edge.expression)
    d.say(
        "G is the norm of the full gradient at the unperturbed point. The edge moves with it: above the edge the "
        "component grows, G grows, and the edge rises to meet h. It is not a divergence boundary (see "
        "sam_divergence)."
    )
    edge_claim(d, rule, TEXTBOOK, narrowed=NARROW)
    d.claim(
        id="sam.stable_form",
        statement="The textbook form of the SAM edge equals the form without cancellation",
        kind="equality",
        left=TEXTBOOK,
        right=STABLE,
        domain=DOMAIN,
    )
    return d


def _usam() -> Derivation:
    rule = rules.usam
    d = Derivation("usam", "The edge of un-normalised SAM", "w+ = w - eta grad L(w + rho g), on L = h w^2 / 2")
    multiplier = positive_rho(rule.linearization.multiplier)
    d.equal("The ascent step multiplies the gradient by 1 + rho h", multiplier, 1 - eta * h * (1 + rho * h))
    textbook = (sp.sqrt(1 + 8 * rho / eta) - 1) / (2 * rho)
    d.equal("The multiplier is -1 at the positive root of h (1 + rho h) = 2 / eta", at(multiplier, (h, textbook)), -1)
    d.equal("which is the SAM edge at G = 1", textbook, at(STABLE, (G, 1)))
    d.say(
        "The step is linear, so this edge is a true divergence boundary. Here rho is an inverse curvature, in SAM "
        "a length."
    )
    edge_claim(d, rule, textbook, narrowed=NARROW)
    d.claim(
        id="usam.divergence",
        statement="In one dimension USAM diverges exactly above its edge",
        kind="measurement",
        left=textbook,
        rule="usam",
        measured_by="divergence_boundary",
        domain={"eta": Interval(0.05, 1.0), "rho": Interval(0.01, 0.5)},
        tolerance=1e-8,
    )
    return d


def _one_step() -> Derivation:
    d = Derivation(
        "sam_step",
        "One SAM step on a quadratic, exactly, in two dimensions",
        "L = (h_1 x^2 + h_2 y^2) / 2, g = (h_1 x, h_2 y), r = rho / G (SAM) or rho (USAM)",
    )
    h1, h2, r = sp.symbols("h_1 h_2 r", positive=True)
    x, y = sp.symbols("x y", real=True)
    new = [w - eta * c * (w + r * c * w) for w, c in ((x, h1), (y, h2))]
    for name, w, c, after in (("x", x, h1, new[0]), ("y", y, h2, new[1])):
        d.equal(
            f"the gradient along {name} is multiplied by 1 - eta h (1 + r h)",
            c * after,
            c * w * (1 - eta * c * (1 + r * c)),
        )
    d.say("for any alignment of the gradient: the other components enter only through G.")
    change = [c * (after**2 - w**2) / 2 for w, c, after in ((x, h1, new[0]), (y, h2, new[1]))]
    expected = [(c * w) ** 2 * (eta * (1 + r * c) / 2) * (eta * c * (1 + r * c) - 2) for w, c in ((x, h1), (y, h2))]
    d.equal(
        "The loss changes by sum_i g_i^2 (eta c_i / 2)(eta h_i c_i - 2), c_i = 1 + r h_i", sum(change), sum(expected)
    )
    d.say("A component lowers the loss iff eta h_i c_i < 2, that is, iff h_i is below the edge.")
    aligned = (h1 * x) ** 2 * ((h2 * y) * (1 + r * h2)) ** 2 - ((h1 * x) * (1 + r * h1)) ** 2 * (h2 * y) ** 2
    d.equal(
        "The perturbed gradient is at least as aligned with the larger curvature: cross-multiplied squared "
        "tangents differ by",
        aligned,
        -((h1 * x * h2 * y) ** 2) * r * (h1 - h2) * (2 + r * (h1 + h2)),
    )
    return d


def _critical_norm() -> Derivation:
    d = Derivation(
        "sam_critical_norm",
        "The gradient norm at which a curvature is at the SAM edge",
        "E(eta, rho, G) the SAM edge, 0 < eta h < 2",
    )
    critical = eta * rho * h**2 / (2 - eta * h)
    quadratic = eta * rho * h**2 + eta * G * h - 2 * G
    d.equal("The edge condition is linear in G; its solution", at(quadratic, (G, critical)), 0)
    d.equal(
        "Under the root of the edge stands then a square",
        1 + 8 * rho / (eta * critical),
        ((4 - eta * h) / (eta * h)) ** 2,
    )
    d.equal("so that the edge at G_c is h", (4 / eta) / (1 + (4 - eta * h) / (eta * h)), h)
    d.equal("and the other way round: G_c at the edge is G", at(critical, (h, STABLE)), G)
    d.say("For h >= 2 / eta no gradient norm is stable: the edge is below 2 / eta for every G. It approaches it:")
    root = sp.sqrt(1 + 8 * rho / (eta * G))
    d.equal("2 / eta - E is positive", 2 / eta - STABLE, (2 / eta) * (root - 1) / (root + 1))
    d.equal(
        "The elasticity d ln E / d ln G is (R - 1)/(2 R), R the root",
        G * sp.diff(STABLE, G) / STABLE,
        (root - 1) / (2 * root),
    )
    d.say(
        "which lies between 0 and 1/2: the edge increases with G, like G^0 when G is large and like G^(1/2) when "
        "it is small."
    )
    d.claim(
        id="sam.critical_norm",
        statement="G_c = eta rho h^2 / (2 - eta h) is the inverse of the SAM edge in the gradient norm",
        kind="equality",
        left=(eta * rho * h**2 / (2 - eta * h)).subs(h, STABLE),
        right=G,
        domain=DOMAIN,
    )
    d.claim(
        id="sam.below_gd",
        statement="The SAM edge is below the edge of gradient descent",
        kind="inequality",
        left=STABLE,
        right=2 / eta,
        domain=DOMAIN,
    )
    return d


def _scaling() -> Derivation:
    d = Derivation(
        "sam_scaling", "What happens to the SAM edge when the loss is multiplied", "L -> s L, so g -> s g, h -> s h"
    )
    s = sp.Symbol("s", positive=True)
    scaled = STABLE.subs({eta: eta / s, G: s * G}, simultaneous=True)
    d.equal("SAM: (eta / s, rho) gives the same path, and s times the edge", scaled, s * STABLE)
    usam = STABLE.subs(G, 1)
    d.equal("USAM: (eta / s, rho / s) does", usam.subs({eta: eta / s, rho: rho / s}, simultaneous=True), s * usam)
    u = sp.Symbol("u", positive=True)
    phi = 4 / (1 + sp.sqrt(1 + 8 * u))
    d.equal("The edge is a function of rho / (eta G) alone, over eta", phi.subs(u, rho / (eta * G)) / eta, STABLE)
    d.say("The rho of SAM is a length, that of USAM an inverse curvature: never compare the two numbers.")
    return d


def _negative_curvature() -> Derivation:
    d = Derivation(
        "sam_negative_curvature", "SAM on negative curvature", "m(h) = 1 - eta h (1 + rho h / G), h = -x < 0"
    )
    x = sp.Symbol("x", positive=True)
    m = 1 + eta * x * (1 - rho * x / G)
    d.equal("The multiplier returns to 1 at x = G / rho", at(m, (x, G / rho)), 1)
    d.equal("and reaches -1 at x = E + G / rho", at(m, (x, STABLE + G / rho)), -1)
    d.say(
        "So a direction of negative curvature attracts when G / rho < |h| < E + G / rho (a saddle can trap SAM), "
        "and overshoots with a change of sign beyond."
    )
    d.claim(
        id="sam.negative_curvature",
        statement="On curvature -(E + G / rho) the SAM multiplier is -1",
        kind="equality",
        left=m.subs(x, TEXTBOOK + G / rho),
        right=sp.Integer(-1),
        domain=DOMAIN,
    )
    return d
