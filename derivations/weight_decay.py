"""Weight decay: inside the gradient it shifts curvature, beside it it scales the edge."""

from __future__ import annotations

from eossim import rules
from eossim.symbolic import beta, eta, h, weight_decay, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim, jury, s

lam = weight_decay


def derive() -> list[Derivation]:
    """Return the edges of methods with weight decay."""
    return [_gradient_descent(), _heavy_ball_l2(), _nesterov_l2(), _decoupled()]


def _gradient_descent() -> Derivation:
    rule = rules.gd_weight_decay
    d = Derivation("gd_weight_decay", "Gradient descent with weight decay", "w+ = w - eta (g + lambda w), g = h w")
    m = rule.linearization.multiplier
    d.equal("Coupled: the gradient of L + lambda w^2 / 2 is (h + lambda) w", m, 1 - eta * (h + lam))
    d.equal("Decoupled, (1 - eta lambda) w - eta g, is the same", m, (1 - eta * lam) - eta * h)
    d.equal("The multiplier is -1 at h = 2/eta - lambda", at(m, (h, 2 / eta - lam)), -1)
    d.say("This is positive for eta lambda < 2; with more decay the method is unstable on a flat loss already.")
    edge_claim(d, rule, 2 / eta - lam)
    return d


def _heavy_ball_l2() -> Derivation:
    rule = rules.heavy_ball_l2
    d = Derivation(
        "heavy_ball_l2", "Heavy ball, decay in the gradient", "m+ = beta m + g + lambda w, w+ = w - eta m+, g = h w"
    )
    base = rules.heavy_ball
    d.equal(
        "Heavy ball on curvature h + lambda", rule.linearization.charpoly, base.linearization.charpoly.subs(h, h + lam)
    )
    d.say("Coupled decay always shifts: the edge is that of the base method minus lambda, and its proof carries over.")
    edge = (2 + 2 * beta) / eta - lam
    d.equal(
        "The edge of heavy ball minus lambda puts a root at -1", at(rule.linearization.charpoly, (z, -1), (h, edge)), 0
    )
    edge_claim(d, rule, edge)
    return d


def _nesterov_l2() -> Derivation:
    rule = rules.nesterov_l2
    d = Derivation(
        "nesterov_l2",
        "Nesterov, decay in the gradient",
        "m+ = beta m + g + lambda w, w+ = w - eta (g + lambda w + beta m+), g = h w",
    )
    base = rules.nesterov
    d.equal(
        "Nesterov on curvature h + lambda", rule.linearization.charpoly, base.linearization.charpoly.subs(h, h + lam)
    )
    edge = (2 + 2 * beta) / ((1 + 2 * beta) * eta) - lam
    d.equal(
        "The edge of Nesterov minus lambda puts a root at -1", at(rule.linearization.charpoly, (z, -1), (h, edge)), 0
    )
    edge_claim(d, rule, edge)
    return d


def _decoupled() -> Derivation:
    rule = rules.heavy_ball_decoupled
    d = Derivation(
        "heavy_ball_decoupled",
        "Heavy ball, decay beside it",
        "m+ = beta m + g, w+ = (1 - eta lambda) w - eta m+, g = h w",
    )
    trace, determinant = 1 - eta * lam - eta * h + beta, beta * (1 - eta * lam)
    d.equal("Characteristic polynomial", rule.linearization.charpoly, z**2 - trace * z + determinant)
    edge = (2 - eta * lam) * (1 + beta) / eta
    left = 2 - eta * lam
    jury(
        d,
        rule,
        edge,
        s * left * (1 + beta) + eta * lam * (1 - beta),
        left * (1 + beta) * (1 - s),
        (1 - beta) + beta * eta * lam,
    )
    d.say("All of this needs eta lambda < 2. Decay multiplies the edge by 1 - eta lambda / 2, whatever beta is:")
    d.equal("ratio to heavy ball", edge / rules.heavy_ball.edge.expression, 1 - eta * lam / 2)
    coupled = (2 + 2 * beta) / eta - lam
    d.equal("It takes more from the edge than coupled decay, by", coupled - edge, beta * lam)
    edge_claim(d, rule, edge)
    d.claim(
        id="heavy_ball.decay",
        statement="Decoupled decay lowers the edge of heavy ball at least as much as coupled decay",
        kind="inequality",
        left=edge,
        right=coupled,
        domain=dict(rule.edge.domain),
        where=(2 - eta * lam,),
    )
    return d
