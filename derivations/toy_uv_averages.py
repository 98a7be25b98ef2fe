"""Averages of the uv model over Gaussian starts: moments of s, and the critical constants to first order in 1/w."""

from __future__ import annotations

import sympy as sp

from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import f, k, lam, p, q, s, w, y
from .toy_uv_hessian import CONVERSION, S_PARAMETER
from .toy_uv_model import OF_SIDES, SOURCE
from .toy_uv_thresholds import C_MAX, K_LOSS, K_SHARP_CUBIC

MODEL = "f = v.u / sqrt(w), y = 0, entries of u and v independent N(0, 1), s = f_0^2 / (w lam_0^2)"

MEAN_S = 1 / (4 * (w + 1))
MEAN_S2 = 3 / (16 * (w + 1) * (w + 3))
#: Values at s = 0 and slopes in s of c_loss, c_sharp and c_max.
C_LOSS, C_SHARP, C_MAX_LINE = (2, 10), (sp.Rational(5, 2), sp.Rational(57, 4)), (4, 12)
MEAN_C_LOSS, MEAN_C_SHARP, MEAN_C_MAX = (a + b * MEAN_S for a, b in (C_LOSS, C_SHARP, C_MAX_LINE))


def derive() -> list[Derivation]:
    """Return the moments and the averages that follow."""
    d = Derivation("uv_averages", "The uv model from Gaussian starts", MODEL, SOURCE)
    b, half = sp.Symbol("b", positive=True), w / 2
    d.say(
        "p_0 = |u + v|^2 / w and q_0 = |u - v|^2 / w. u + v and u - v are independent, their entries of variance 2: so "
        "p_0 and q_0 are independent 2 chi^2_w / w, and b = p_0 / (p_0 + q_0) is Beta(w/2, w/2)."
    )
    in_sides = S_PARAMETER.subs({y: 0, f: OF_SIDES["f"], lam: OF_SIDES["lam"]}, simultaneous=True)
    d.equal("s = (2 b - 1)^2 / 4", in_sides, at((2 * b - 1) ** 2 / 4, (b, p / (p + q))))
    moments = [sp.prod((half + r) / (w + r) for r in range(n)) for n in range(5)]
    d.say("E b^n is the product of (w/2 + r) / (w + r) over r < n: Beta moments.")
    d.equal("E b", moments[1], sp.Rational(1, 2))

    def mean(polynomial: sp.Expr) -> sp.Expr:
        return sum(c * moments[n] for (n,), c in sp.Poly(polynomial, b).terms())

    d.equal("<s>", mean((2 * b - 1) ** 2 / 4), MEAN_S)
    d.equal("<s^2>", mean((2 * b - 1) ** 4 / 16), MEAN_S2)
    d.say("To first order in 1/w a smooth function of s has the mean g(0) + g'(0) <s>, since <s^2> is of second order:")
    lines = {"loss": (K_LOSS * CONVERSION / 2, C_LOSS, MEAN_C_LOSS), "max": (C_MAX, C_MAX_LINE, MEAN_C_MAX)}
    for name, (formula, (start, slope), line) in lines.items():
        d.equal(f"c_{name} at s = 0", at(formula, (s, 0)), start)
        d.equal(f"slope of c_{name}", at(sp.diff(formula, s), (s, 0)), slope)
        d.equal(f"<c_{name}>", line, start + sp.Rational(slope, 4) / (w + 1))
    start, slope = C_SHARP
    rise = -at(sp.diff(K_SHARP_CUBIC, s) / sp.diff(K_SHARP_CUBIC, k), (s, 0), (k, start))
    d.equal("c_sharp at s = 0", at(K_SHARP_CUBIC, (s, 0), (k, start)), 0)
    d.equal("slope of c_sharp", rise + start * at(sp.diff(CONVERSION, s), (s, 0)) / 2, slope)
    d.equal("<c_sharp>", MEAN_C_SHARP, start + slope / 4 / (w + 1))
    d.say("As w grows the three tend to 2, 5/2 and 4: c_sharp does not merge with c_loss.")
    domain = {"w": POSITIVE}
    d.claim(
        id="uv.mean_s",
        statement="Gaussian starts of width w: the variance of 2 sqrt(s) signed, E (2 b - 1)^2, is 1 / (w + 1)",
        kind="equality",
        left=by_name(mean((2 * b - 1) ** 2), domain),
        right=by_name(4 * MEAN_S, domain),
        domain=domain,
    )
    experiment_claim(
        d,
        "uv.averages",
        "uv_averages",
        "averages of s, s^2, L_1 / L_0 and one-step c_loss, c_sharp, c_max over Gaussian starts are those of theory",
    )
    return [d]
