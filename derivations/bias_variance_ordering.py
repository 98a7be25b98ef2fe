"""Where the bias and the variance of USAM and of gradient descent are ordered, and where not."""

from __future__ import annotations

import sympy as sp

from eossim.domain import NON_NEGATIVE
from eossim.symbolic import eta, h, parameter, rho
from eossim.symbolic.derivation import Derivation

from .bias_variance import GD, USAM, estimation, k, prediction, risk, train_loss
from .common import POSITIVE, at, experiment_claim

B, S, C = sp.symbols("B S C", positive=True)
q = sp.Symbol("q", positive=True)
z_gd, z_usam = sp.symbols("z_G z_S", positive=True)
#: Steps in a claim: any positive real number.
K = parameter("k", POSITIVE)
DOMAIN = {"eta": POSITIVE, "rho": NON_NEGATIVE, "h": POSITIVE, "k": POSITIVE}
#: eta h (1 + rho h) < 1: then 0 < q_SAM <= q_GD < 1.
MONOTONE = (1 - eta * h * (1 + rho * h),)


def risk_slope(q_rule: sp.Expr, steps: sp.Expr, signal: sp.Expr, noise: sp.Expr) -> sp.Expr:
    """Return the derivative of a mode's risk in rho at rho = 0, `q_rule` the multiplier of the rule."""
    return sp.diff(risk(q_rule**steps, signal, noise), rho).subs(rho, 0)


def derive() -> list[Derivation]:
    """Return the ordering, its counterexamples, its consequences and the effect of a small rho."""
    return [_ordering(), _counterexamples(), _consequences(), _first_order()]


def _ordering() -> Derivation:
    d = Derivation(
        "usam_bias_variance",
        "USAM has less bias and more variance than gradient descent",
        "z = q^k, q = 1 - eta h (1 + rho h), gradient descent at rho = 0, eta h (1 + rho h) <= 1 for every mode",
    )
    d.equal("The multiplier falls with rho", sp.Derivative(USAM, rho), -eta * h**2)
    ratio = 1 - eta * rho * h**2 / (1 - eta * h)
    d.equal("Relative to gradient descent it is smaller, and at least 0 under the condition", USAM / GD, ratio)
    s, start, n, sigma = sp.symbols("s d n sigma", positive=True)
    bias, variance = prediction(q**k, s**2, start, n, sigma**2)
    d.equal("bias^2 increases with q, and is 0 at q = 0", q * sp.Derivative(bias, q), 2 * k * bias)
    falling = -2 * k * q**k * (1 - q**k) * sigma**2 / n
    d.equal("The variance decreases with q on 0 < q < 1", q * sp.Derivative(variance, q), falling)
    own = estimation(q**k, s**2, start, sigma**2)
    d.equal(
        "In the error of the parameters a mode weighs n / s^2 times as much", sum(own), n / s**2 * (bias + variance)
    )
    loss = train_loss(q**k, s**2, start, C, sigma**2)
    d.equal("The expected training loss increases with q too", q * sp.Derivative(loss, q), 2 * k * loss)
    d.say("So USAM has at every step less bias, more variance and less training loss, the more so the larger rho.")
    d.equal(
        "The bias alone needs |q_SAM| <= |q_GD| only, that is, eta h (2 + rho h) <= 2",
        GD**2 - USAM**2,
        eta * rho * h**2 * (2 - eta * h * (2 + rho * h)),
    )
    d.claim(
        id="usam.bias_order",
        statement="The bias^2 of USAM is at most that of gradient descent at the same step, mode by mode",
        kind="inequality",
        left=USAM ** (2 * K),
        right=GD ** (2 * K),
        domain=DOMAIN,
        where=MONOTONE,
    )
    d.claim(
        id="usam.variance_order",
        statement="The variance of USAM is at least that of gradient descent at the same step, mode by mode",
        kind="inequality",
        left=(1 - GD**K) ** 2,
        right=(1 - USAM**K) ** 2,
        domain=DOMAIN,
        where=MONOTONE,
    )
    experiment_claim(
        d,
        "risk.order",
        "order_of_bias_and_variance",
        "While eta h (1 + rho h) <= 1 on every mode, usam has less bias and more variance than gd at every step",
    )
    return d


def _counterexamples() -> Derivation:
    d = Derivation(
        "usam_bias_variance_fails",
        "Where the order of bias or variance fails",
        "USAM against gradient descent outside eta h (1 + rho h) <= 1, and for new inputs",
    )
    point = (eta, sp.Rational(9, 10)), (rho, 1), (h, 1)
    d.equal("eta = 0.9, rho = h = 1 is stable: the multiplier of USAM", at(USAM, *point), -sp.Rational(4, 5))
    d.equal("is larger in size than that of gradient descent, and so is the bias", at(GD, *point), sp.Rational(1, 10))
    gap = (1 - z_usam) ** 2 - (1 - z_gd) ** 2
    values = (1, "more", "2.43"), (2, "less", "-0.8505"), (3, "more", "1.288143"), (4, "less", "-0.65122785")
    for steps, word, value in values:
        shown = at(gap, (z_usam, USAM.subs(point) ** steps), (z_gd, GD.subs(point) ** steps))
        d.equal(f"k = {steps}: USAM has {word} variance, over sigma^2 / n by", shown, sp.Rational(value))
    q1, q2, d1, d2 = sp.symbols("q_1 q_2 d_1 d_2", real=True)
    Sigma = sp.Matrix([[1, -1], [-1, 1]])
    error = sp.Matrix([q1 * d1, q2 * d2])
    bias = (error.T * Sigma * error)[0]
    d.equal("New inputs with covariance (1, -1)(1, -1)^T weigh a difference", bias, (q1 * d1 - q2 * d2) ** 2)
    common = (eta, sp.Rational(2, 5)), (rho, 1)
    curvatures = (1, sp.Rational(1, 2))
    for name, rule, value in (("gradient descent", GD, "0.04"), ("USAM, eta h (1 + rho h) <= 4/5", USAM, "0.25")):
        first, second = (rule.subs(common).subs(h, x) for x in curvatures)
        shown = at(bias, (q1, first), (q2, second), (d1, 1), (d2, 1))
        d.equal(f"Bias^2 at h = (1, 1/2), k = 1, {name}", shown, sp.Rational(value))
    v = sp.Matrix(2, 2, sp.symbols("v_11 v_12 v_21 v_22", real=True))
    L = sp.Matrix(2, 2, sp.symbols("L_11 L_12 L_21 L_22", real=True))
    gains = sp.symbols("g_1 g_2", positive=True)
    total = (L * L.T * v * sp.diag(*gains) * v.T).trace()
    weights = [(L.T * v[:, i]).dot(L.T * v[:, i]) for i in (0, 1)]
    d.equal(
        "The variance keeps its order for every covariance L L^T: sigma^2 (1 - z_i)^2 / s_i^2 = g_i times a square",
        sp.expand(total),
        sum(g * weight for g, weight in zip(gains, weights, strict=True)),
    )
    return d


def _consequences() -> Derivation:
    d = Derivation(
        "usam_bias_variance_limits",
        "USAM against gradient descent without noise, early and late",
        "R = z^2 B + (1 - z)^2 S a mode, z = q^k, eta h (1 + rho h) < 1",
    )
    noiseless = risk(USAM**k, B, 0) / risk(GD**k, B, 0)
    d.equal(
        "Without noise the errors differ by a factor that is at most 1 and falls with k",
        noiseless,
        (1 - eta * rho * h**2 / (1 - eta * h)) ** (2 * k),
    )
    a, first, second = sp.symbols("a a_G a_S", positive=True)
    real = sp.Symbol("k", positive=True)
    d.equal(
        "With q = exp(-a) the risk ends at S, for both: the bias is gone, sigma^2 r / n over the modes is left",
        sp.Limit(risk(sp.exp(-a * real), B, S), real, sp.oo),
        S,
    )
    late = sp.factor(risk(z_usam, B, S) - risk(z_gd, B, S)) / (z_gd - z_usam)
    d.equal(
        "USAM comes to it with more risk: its excess, per difference of the filters, tends to",
        at(sp.cancel(late), (z_usam, 0), (z_gd, 0)),
        2 * S,
    )
    early = risk(sp.exp(-second * real), B, S) - risk(sp.exp(-first * real), B, S)
    d.equal(
        "At the start it is ahead, since a_S > a_G", sp.Subs(sp.diff(early, real), real, 0), -2 * B * (second - first)
    )
    d.say("So with noise USAM is better at first and worse in the end, whenever some mode has a signal.")
    d.claim(
        id="usam.filter_decay",
        statement="The filter of USAM after k steps is at most exp(-k eta h (1 + rho h))",
        kind="inequality",
        left=USAM**K,
        right=sp.exp(-K * eta * h * (1 + rho * h)),
        domain=DOMAIN,
        where=MONOTONE,
    )
    return d


def _first_order() -> Derivation:
    d = Derivation(
        "usam_small_rho",
        "When a little SAM helps",
        "R = z^2 B + (1 - z)^2 S a mode, z = q^k, q = 1 - eta h at rho = 0, SNR = B / S",
    )
    plain = GD**K
    slope = risk_slope(USAM, K, B, S)
    law = -2 * K * eta * h**2 * GD ** (K - 1) * ((B + S) * plain - S)
    d.equal("The derivative of the risk in rho, at rho = 0", slope, law)
    d.say("The risk is a sum over modes. A little SAM helps at step k iff sum h^2 q^(k-1) [(B + S) q^k - S] > 0.")
    d.equal("At k = 1 signal is weighed against noise", at(law, (K, 1)), -2 * eta * h**2 * (B * GD - S * eta * h))
    snr = sp.Symbol("SNR", positive=True)
    d.equal(
        "A mode is helped while q^k is above 1 / (1 + SNR)",
        at((B + S) * plain - S, (B, snr * S)),
        S * (1 + snr) * (plain - 1 / (1 + snr)),
    )
    d.say("That is, while gradient descent has not yet reached its own best stopping time on that mode.")
    d.claim(
        id="usam.first_order",
        statement="At rho = 0 the risk of a mode has the slope -2 k eta h^2 q^(k-1) ((B + S) q^k - S) in rho, "
        "q = 1 - eta h",
        kind="equality",
        left=slope,
        right=law,
        domain={"eta": POSITIVE, "h": POSITIVE, "k": POSITIVE, "B": POSITIVE, "S": POSITIVE},
        where=(1 - eta * h,),
    )
    return d
