"""Adaptive methods with a frozen preconditioner P = diag(sqrt(nu_hat) + eps): the scalar rows again, in its metric."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import beta, eta, h, parameter, weight_decay, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim, jury, s

beta1, mu, lam = parameter("beta1"), parameter("mu"), weight_decay


def derive() -> list[Derivation]:
    """Return the edges of adaptive methods at a fixed second moment."""
    return [_metric(), _rmsprop(), _rmsprop_momentum(), _adam(), _adam_l2(), _adamw(), _nadam()]


def _metric() -> Derivation:
    d = Derivation(
        "frozen_preconditioner",
        "One basis diagonalises a preconditioned step with memory",
        "m+ = beta m + c P^-1 H w, w+ = w - eta m+, P = diag(p_1, p_2) positive, H = [[a, b], [b, d]]",
        "arXiv:2207.14484",
    )
    a, b, c, e = sp.symbols("a b c d", real=True)
    p = sp.symbols("p_1 p_2", positive=True)
    H, root = sp.Matrix([[a, b], [b, e]]), sp.diag(*(sp.sqrt(x) for x in p))
    scaled = root.inv() * H * root.inv()
    w, m = sp.Matrix(sp.symbols("w_1 w_2", real=True)), sp.Matrix(sp.symbols("m_1 m_2", real=True))
    d.say(
        "Change both w and m to y = P^1/2 w and n = P^1/2 m. A multiple of the buffer stays one; the gradient "
        "term becomes"
    )
    buffer = beta * m + c * sp.diag(*(1 / x for x in p)) * H * w
    changed, expected = root * buffer, beta * root * m + c * scaled * (root * w)
    for i in (0, 1):
        d.equal(f"coordinate {i + 1} of n+ = beta n + c (P^-1/2 H P^-1/2) y", changed[i], expected[i])
    moved, expected = root * (w - eta * m), root * w - eta * (root * m)
    for i in (0, 1):
        d.equal(f"coordinate {i + 1} of y+ = y - eta n+", moved[i], expected[i])
    d.equal(
        "P^-1/2 H P^-1/2 is symmetric, so an orthonormal basis diagonalises the whole step", scaled[0, 1], scaled[1, 0]
    )
    d.say(
        "In that basis each mode is the method without preconditioner on an eigenvalue h of P^-1/2 H P^-1/2. P "
        "must be the one of the next update, bias correction done; it has to change slowly (beta2 near 1)."
    )
    shifted = root.inv() * (H + lam * sp.eye(2)) * root.inv()
    d.equal(
        "Decay inside the gradient changes H to H + lambda I: entry (1, 1)", shifted[0, 0], scaled[0, 0] + lam / p[0]
    )
    d.say("Decoupled decay, (1 - eta lambda) w, commutes with P^1/2 and stays what it is.")
    return d


def _rmsprop() -> Derivation:
    rule = rules.rmsprop_frozen
    d = Derivation("rmsprop_frozen", "RMSProp at a fixed second moment", "w+ = w - eta P^-1 g", rule.reference)
    m = rule.linearization.multiplier
    d.equal("One mode is gradient descent", m, rules.gd.linearization.multiplier)
    d.equal("with multiplier -1 at 2 / eta", at(m, (h, 2 / eta)), -1)
    edge_claim(d, rule, 2 / eta)
    return d


def _rmsprop_momentum() -> Derivation:
    rule = rules.rmsprop_momentum
    d = Derivation("rmsprop_momentum", "RMSProp with momentum", "m+ = mu m + P^-1 g, w+ = w - eta m+")
    d.equal(
        "One mode is heavy ball", rule.linearization.charpoly, rules.heavy_ball.linearization.charpoly.subs(beta, mu)
    )
    jury(d, rule, 2 * (1 + mu) / eta, 2 * s * (1 + mu), 2 * (1 + mu) * (1 - s), 1 - mu)
    edge_claim(d, rule, (2 + 2 * mu) / eta)
    return d


def _adam() -> Derivation:
    rule = rules.adam_frozen
    d = Derivation(
        "adam_frozen",
        "Adam at a fixed second moment",
        "m+ = beta1 m + (1 - beta1) P^-1 g, w+ = w - eta m+",
        rule.reference,
    )
    d.equal(
        "One mode is a moving average",
        rule.linearization.charpoly,
        rules.ema_momentum.linearization.charpoly.subs(beta, beta1),
    )
    edge = (2 + 2 * beta1) / ((1 - beta1) * eta)
    jury(d, rule, edge, 2 * s * (1 + beta1), 2 * (1 + beta1) * (1 - s), 1 - beta1)
    d.equal("beta1 = 0.9 gives 38 / eta", at(edge, (beta1, sp.Rational(9, 10))), 38 / eta)
    edge_claim(d, rule, edge)
    return d


def _adam_l2() -> Derivation:
    rule = rules.adam_l2
    d = Derivation(
        "adam_l2",
        "Adam with decay inside the gradient",
        "m+ = beta1 m + (1 - beta1) P^-1 (g + lambda w), w+ = w - eta m+",
    )
    d.say("With h an eigenvalue of P^-1/2 (H + lambda I) P^-1/2 nothing else changes.")
    d.equal("One mode", rule.linearization.charpoly, rules.adam_frozen.linearization.charpoly)
    d.equal("The decay is in the matrix", rule.linearization.shift, lam)
    edge_claim(d, rule, (2 + 2 * beta1) / ((1 - beta1) * eta))
    return d


def _adamw() -> Derivation:
    rule = rules.adamw_frozen
    d = Derivation(
        "adamw_frozen",
        "AdamW at a fixed second moment",
        "m+ = beta1 m + (1 - beta1) P^-1 g, w+ = (1 - eta lambda) w - eta m+",
    )
    trace, determinant = 1 - eta * lam - (1 - beta1) * eta * h + beta1, beta1 * (1 - eta * lam)
    d.equal("Characteristic polynomial", rule.linearization.charpoly, z**2 - trace * z + determinant)
    edge = (2 - eta * lam) * (1 + beta1) / ((1 - beta1) * eta)
    left = 2 - eta * lam
    jury(
        d,
        rule,
        edge,
        s * left * (1 + beta1) + eta * lam * (1 - beta1),
        left * (1 + beta1) * (1 - s),
        (1 - beta1) + beta1 * eta * lam,
    )
    d.equal("No decay gives Adam", at(edge, (lam, 0)), rules.adam_frozen.edge.expression)
    d.say("At given curvature h the condition is linear in the step size, for which it gives the critical one.")
    critical = 2 * (1 + beta1) / ((1 - beta1) * h + lam * (1 + beta1))
    d.equal("A root is at -1 at this step size", at(rule.linearization.charpoly, (z, -1), (eta, critical)), 0)
    d.equal(
        "where eta lambda is below 2 by",
        2 - critical * lam,
        2 * (1 - beta1) * h / ((1 - beta1) * h + lam * (1 + beta1)),
    )
    edge_claim(d, rule, edge)
    domain = {n: i for n, i in rule.edge.domain.items() if n != "eta"} | {"h": rule.edge.domain["eta"]}
    d.claim(
        id="adamw_frozen.critical_step_size",
        statement="AdamW's edge at the step size 2 (1 + beta1) / ((1 - beta1) h + lambda (1 + beta1)) is h",
        kind="equality",
        left=edge.subs(eta, critical),
        right=h,
        domain=domain,
    )
    return d


def _nadam() -> Derivation:
    rule = rules.nadam_frozen
    d = Derivation(
        "nadam_frozen",
        "NAdam at a fixed second moment",
        "g' = P^-1 g, m+ = beta1 m + (1 - beta1) g', w+ = w - eta ((1 - beta1) g' + beta1 m+)",
    )
    base = rules.ema_nesterov.linearization.charpoly.subs(beta, beta1)
    d.equal("One mode is Nesterov on a moving average", rule.linearization.charpoly, base)
    edge = (2 + 2 * beta1) / ((1 - beta1) * (1 + 2 * beta1) * eta)
    fraction = 2 * s * (1 + beta1) / (1 + 2 * beta1)
    jury(d, rule, edge, fraction, 2 * (1 + beta1) * (1 - s), (1 - beta1) + beta1 * fraction)
    d.say("Framework versions schedule beta1; this is the constant case.")
    edge_claim(d, rule, edge)
    return d
