"""Methods with one buffer: m+ = beta m + c g, u = p g + q m+, w+ = w - eta u; a quadratic decides."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import beta, eta, h, nu, tau, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim, jury, s

k = sp.Symbol("k", positive=True)  # eta h
MODEL = "w+ = w - eta u, g = h w"


def derive() -> list[Derivation]:
    """Return the general rule for gradient filters and the edges of the one-buffer methods."""
    return [_filter(), _heavy_ball(), _dampened(), _ema(), _nesterov(), _ema_nesterov(), _qhm(), _optimistic()]


def _filter() -> Derivation:
    d = Derivation(
        "gradient_filter",
        "The general rule: a linear filter of past gradients",
        "m+ = beta m + c g, u = p g + q m+, w+ = w - eta u, g = h w",
    )
    c, p, q = sp.symbols("c p q", real=True)
    matrix = sp.Matrix([[1 - (p + q * c) * k, -eta * q * beta], [c * k / eta, beta]])
    trace, determinant = 1 - (p + q * c) * k + beta, beta * (1 - p * k)
    d.equal("The step on (w, m) has the trace T", matrix.trace(), trace)
    d.equal("and the determinant D", matrix.det(), determinant)
    polynomial = z**2 - trace * z + determinant
    transfer = p + q * c * z / (z - beta)
    d.say(
        "A buffer answers z^t with c z / (z - beta): the filter from g to u has the transfer function Q(z) = p + "
        "q c z/(z - beta)."
    )
    d.equal("The characteristic equation is z - 1 + k Q(z) = 0", polynomial, (z - beta) * (z - 1 + k * transfer))
    at_minus = transfer.subs(z, -1)
    edge = 2 * (1 + beta) / (p * (1 + beta) + q * c)
    d.equal("A root is at -1 where eta h = 2 / Q(-1)", 2 / at_minus, edge)
    d.equal("which is where 1 + T + D vanishes", (1 + trace + determinant).subs(k, edge), 0)
    d.equal(
        "p(1) = 1 - T + D is positive for positive q c + p (1 - beta)",
        1 - trace + determinant,
        k * (p * (1 - beta) + q * c),
    )
    d.equal("and 1 - D for positive p", 1 - determinant, (1 - beta) + beta * p * k)
    d.say(
        "So for p >= 0, q c > 0 and 0 <= beta < 1 the crossing at -1 is the first (Jury): the edge is 2 / (eta Q(-1))."
    )
    return d


def _heavy_ball() -> Derivation:
    rule = rules.heavy_ball
    d = Derivation("heavy_ball", "Heavy ball", f"{MODEL}, u = m+ = beta m + g", rule.reference)
    p = rule.linearization.charpoly
    d.equal("Characteristic polynomial: T = 1 + beta - eta h, D = beta", p, z**2 - (1 + beta - eta * h) * z + beta)
    positions = sp.Matrix([[1 + beta - eta * h, -beta], [1, 0]])
    d.equal("the same as of the two-point form on (w_t, w_(t-1))", p, (z * sp.eye(2) - positions).det())
    edge = 2 * (1 + beta) / eta
    jury(d, rule, edge, 2 * s * (1 + beta), 2 * (1 + beta) * (1 - s), 1 - beta)
    edge_claim(d, rule, (2 + 2 * beta) / eta)
    return d


def _dampened() -> Derivation:
    rule = rules.heavy_ball_dampened
    d = Derivation("heavy_ball_dampened", "Heavy ball with dampening", f"{MODEL}, u = m+ = beta m + (1 - tau) g")
    plain = rules.heavy_ball.linearization.charpoly
    d.equal("Heavy ball with (1 - tau) eta for eta", rule.linearization.charpoly, plain.subs(eta, (1 - tau) * eta))
    edge = (2 + 2 * beta) / ((1 - tau) * eta)
    jury(d, rule, edge, 2 * s * (1 + beta), 2 * (1 + beta) * (1 - s), 1 - beta)
    d.equal("No dampening gives heavy ball", at(edge, (tau, 0)), rules.heavy_ball.edge.expression)
    edge_claim(d, rule, edge)
    return d


def _ema() -> Derivation:
    rule = rules.ema_momentum
    d = Derivation(
        "ema_momentum", "Momentum as a moving average", f"{MODEL}, u = m+ = beta m + (1 - beta) g", rule.reference
    )
    plain = rules.heavy_ball.linearization.charpoly
    scaled = z**2 - (1 + beta - (1 - beta) * eta * h) * z + beta
    d.equal("Heavy ball with (1 - beta) eta for eta", rule.linearization.charpoly, scaled)
    d.equal("as a substitution in its polynomial", plain.subs(h, (1 - beta) * h), scaled)
    edge = (2 + 2 * beta) / ((1 - beta) * eta)
    jury(d, rule, edge, 2 * s * (1 + beta), 2 * (1 + beta) * (1 - s), 1 - beta)
    d.say("A library whose buffer lacks the factor 1 - beta has the heavy-ball edge: smaller by 1/(1 - beta).")
    edge_claim(d, rule, edge)
    return d


def _nesterov() -> Derivation:
    rule = rules.nesterov
    d = Derivation(
        "nesterov", "Nesterov's accelerated gradient", f"{MODEL}, m+ = beta m + g, u = g + beta m+", rule.reference
    )
    p = rule.linearization.charpoly
    trace, determinant = (1 + beta) * (1 - eta * h), beta * (1 - eta * h)
    d.equal("Characteristic polynomial of the buffer form", p, z**2 - trace * z + determinant)
    look_ahead = sp.Matrix([[(1 + beta) * (1 - eta * h), -beta * (1 - eta * h)], [1, 0]])
    d.say("The look-ahead form is w+ = y - eta g(y), y = w_t + beta (w_t - w_(t-1)).")
    d.equal("It has the same polynomial", p, (z * sp.eye(2) - look_ahead).det())
    edge = (2 + 2 * beta) / ((1 + 2 * beta) * eta)
    fraction = 2 * s * (1 + beta) / (1 + 2 * beta)  # eta h
    jury(d, rule, edge, fraction, 2 * (1 + beta) * (1 - s), (1 - beta) + beta * fraction)
    d.equal("beta = 0 is gradient descent", at(edge, (beta, 0)), rules.gd.edge.expression)
    edge_claim(d, rule, edge)
    return d


def _ema_nesterov() -> Derivation:
    rule = rules.ema_nesterov
    d = Derivation(
        "ema_nesterov",
        "Nesterov on a moving average",
        f"{MODEL}, m+ = beta m + (1 - beta) g, u = (1 - beta) g + beta m+",
    )
    plain = rules.nesterov.linearization.charpoly
    d.equal("Nesterov with (1 - beta) eta for eta", rule.linearization.charpoly, plain.subs(h, (1 - beta) * h))
    edge = (2 + 2 * beta) / ((1 - beta) * (1 + 2 * beta) * eta)
    fraction = 2 * s * (1 + beta) / (1 + 2 * beta)  # (1 - beta) eta h
    jury(d, rule, edge, fraction, 2 * (1 + beta) * (1 - s), (1 - beta) + beta * fraction)
    edge_claim(d, rule, edge)
    return d


def _qhm() -> Derivation:
    rule = rules.qhm
    d = Derivation(
        "qhm", "Quasi-hyperbolic momentum", f"{MODEL}, m+ = beta m + (1 - beta) g, u = (1 - nu) g + nu m+, 0 <= nu <= 1"
    )
    trace = 1 + beta - eta * h * (1 - nu * beta)
    determinant = beta * (1 - eta * h * (1 - nu))
    d.equal("Characteristic polynomial", rule.linearization.charpoly, z**2 - trace * z + determinant)
    weight = 1 + beta * (1 - 2 * nu)
    d.equal("The weight in the denominator is positive", weight, (1 - beta) + 2 * beta * (1 - nu))
    edge = 2 * (1 + beta) / (weight * eta)
    fraction = 2 * s * (1 + beta) / weight  # eta h
    jury(d, rule, edge, fraction * (1 - beta), 2 * (1 + beta) * (1 - s), (1 - beta) + beta * (1 - nu) * fraction)
    d.equal("nu = 0 is gradient descent", at(edge, (nu, 0)), rules.gd.edge.expression)
    d.equal("nu = 1 is the moving average", at(edge, (nu, 1)), rules.ema_momentum.edge.expression)
    d.equal("nu = beta is Nesterov on a moving average", at(edge, (nu, beta)), rules.ema_nesterov.edge.expression)
    edge_claim(d, rule, edge)
    return d


def _optimistic() -> Derivation:
    rule = rules.optimistic_gd
    d = Derivation("optimistic_gd", "Optimistic gradient descent", f"{MODEL}, u = 2 g_t - g_(t-1)")
    d.equal(
        "Characteristic polynomial: T = 1 - 2 eta h, D = -eta h",
        rule.linearization.charpoly,
        z**2 - (1 - 2 * eta * h) * z - eta * h,
    )
    transfer = 2 - 1 / z
    d.equal("The filter is Q(z) = 2 - 1/z", rule.linearization.charpoly, z * (z - 1 + eta * h * transfer))
    edge = 2 / (3 * eta)
    d.equal("so 2 / (eta Q(-1)) is", 2 / (eta * transfer.subs(z, -1)), edge)
    jury(d, rule, edge, 2 * s / 3, 2 * (1 - s), 1 + 2 * s / 3)
    edge_claim(d, rule, edge)
    return d
