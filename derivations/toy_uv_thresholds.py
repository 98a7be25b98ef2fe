"""One step of the uv model: where loss, trace and sharpness first rise, in units of eta lambda_0 and eta lambda^H_0."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.maps import uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import f, image, k, kappa, lam, s, y
from .toy_uv_hessian import CONVERSION, S
from .toy_uv_model import MODEL, SOURCE

#: L_1 / L_0 for every y, and lam_1 / lam_0 for y = 0.
LOSS_RATIO = (1 - k + k**2 * s) ** 2
TRACE_RATIO = 1 + s * k * (k - 4)
K_LOSS = 4 / (1 + sp.sqrt(1 - 8 * s))
K_MAX = sp.Integer(4)
C_MAX = K_MAX * CONVERSION / 2
K_SHARP_CUBIC = 6 * (k * s - 1) * (s * k**2 - k + 2) + CONVERSION * (k - 4)

UNITS = f"{MODEL}, k = eta lam_0, s = kappa f_0 D_0 / lam_0^2, c = eta lam^H_0 = k C / 2"
#: s of y = 0; below 1/8 the loss rises beyond a k.
ALL_S = Interval(0.0, 0.25, open_high=False)
SMALL_S = Interval(0.0, 0.125)


def derive() -> list[Derivation]:
    """Return the thresholds of loss and trace, and that of the sharpness."""
    return [_loss(), _sharpness()]


def _loss() -> Derivation:
    d = Derivation("uv_loss", "Where one step on the uv model raises loss and trace", UNITS, SOURCE)
    first = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=y)
    units = (k, eta * lam), (s, kappa * f * (f - y) / lam**2)
    d.equal("L_1 / L_0 = (1 - k + k^2 s)^2", ((first[0] - y) / (f - y)) ** 2, at(LOSS_RATIO, *units))
    trace = (first[1] / lam).subs(y, 0)
    d.equal(
        "y = 0: lam_1 / lam_0 = 1 + s k (k - 4): k_trace = 4",
        trace,
        at(TRACE_RATIO, (k, units[0][1]), (s, kappa * f**2 / lam**2)),
    )
    D = sp.Symbol("D", real=True)
    d.equal(
        "y != 0: the trace grows iff k D^2 > 4 f D",
        (first[1] - lam).subs(y, f - D),
        kappa * eta * D * (eta * lam * D - 4 * f),
    )
    d.say("The loss stays where 1 - k + k^2 s = +-1.")
    d.equal("+1: k (k s - 1) = 0, so k = 1/s", 1 - k + k**2 * s - 1, k * (k * s - 1))
    d.equal("-1 at k_loss, written without cancellation", at(1 - k + k**2 * s, (k, K_LOSS)), -1)
    other = (1 + sp.sqrt(1 - 8 * s)) / (2 * s)
    d.equal("and at the other root", at(1 - k + k**2 * s, (k, other)), -1)
    d.equal("k_loss = (1 - sqrt(1 - 8 s)) / (2 s)", sp.radsimp(K_LOSS), (1 - sp.sqrt(1 - 8 * s)) / (2 * s))
    d.say("They are real for s <= 1/8 and bound where 1 - k + k^2 s < -1: for 0 < s < 1/8 the loss rises between them.")
    d.equal(
        "Between them the parabola is lowest, k = 1 / (2 s)", at(1 - k + k**2 * s, (k, 1 / (2 * s))), 1 - 1 / (4 * s)
    )
    d.say("From s = 1/8 on that is at least -1: only k > 1/s raises the loss. For s < 0 the same k_loss lies below 2.")
    d.equal("k_loss at s = 0", at(K_LOSS, (s, 0)), 2)
    d.equal("its slope in s", at(sp.diff(K_LOSS, s), (s, 0)), 4)
    d.equal("at s = 1/8 it is 4", at(K_LOSS, (s, sp.Rational(1, 8))), 4)
    c_loss = K_LOSS * CONVERSION / 2
    d.equal("c_loss at s = 0", at(c_loss, (s, 0)), 2)
    d.equal("its slope", at(sp.diff(c_loss, s), (s, 0)), 10)
    mean, square = sp.symbols("<s> <s^2>", positive=True)
    expanded = sp.expand(LOSS_RATIO).subs({s**2: square}).subs(s, mean)
    d.equal(
        "The mean of L_1 / L_0 over starts needs two moments of s",
        expanded,
        (1 - k) ** 2 + 2 * (1 - k) * k**2 * mean + k**4 * square,
    )
    domain = {"s": SMALL_S}
    d.claim(
        id="uv.k_loss",
        statement="one step with k = 4 / (1 + sqrt(1 - 8 s)) returns the loss: 1 - k + k^2 s = -1",
        kind="equality",
        left=by_name((1 - k + k**2 * s).subs(k, K_LOSS), domain),
        right=sp.Integer(-1),
        domain=domain,
    )
    return d


def _sharpness() -> Derivation:
    d = Derivation("uv_k_sharp", "Where one step on the uv model raises the sharpness, y = 0", UNITS, SOURCE)
    first = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=sp.Integer(0))
    d.say("S = lam^H solves S^2 - lam S - 3 kappa f^2 = 0. It rises iff S_0 lies below the larger root after the step:")
    before, after = S**2 - lam * S - 3 * kappa * f**2, S**2 - first[1] * S - 3 * kappa * first[0] ** 2
    d.equal("the difference of the two", before - after, S * (first[1] - lam) + 3 * kappa * (first[0] ** 2 - f**2))
    d.say("must be positive at S_0 = lam_0 C / 2. In k and s:")
    units = (k, eta * lam), (s, kappa * f**2 / lam**2)
    d.equal("lam_1 - lam_0 = lam_0 s k (k - 4)", first[1] - lam, at(lam * s * k * (k - 4), *units))
    d.equal(
        "kappa (f_1^2 - f_0^2) = lam_0^2 s k (k s - 1)(s k^2 - k + 2)",
        kappa * (first[0] ** 2 - f**2),
        at(lam**2 * s * k * (k * s - 1) * (s * k**2 - k + 2), *units),
    )
    together = lam * CONVERSION / 2 * lam * s * k * (k - 4) + 3 * lam**2 * s * k * (k * s - 1) * (s * k**2 - k + 2)
    d.equal("Together, divided by lam_0^2 s k / 2: the cubic", together / (lam**2 * s * k / 2), K_SHARP_CUBIC)
    half, eighth = sp.Rational(5, 2), sp.Rational(1, 8)
    d.equal("k_sharp = 5/2 at s = 0", at(K_SHARP_CUBIC, (s, 0), (k, half)), 0)
    d.equal("k_sharp = 4 at s = 1/8", at(K_SHARP_CUBIC, (s, eighth), (k, 4)), 0)
    slope = -sp.diff(K_SHARP_CUBIC, s) / sp.diff(K_SHARP_CUBIC, k)
    d.equal("Its slope in s at 0", at(slope, (s, 0), (k, half)), sp.Rational(27, 4))
    c_slope = at(slope * CONVERSION / 2, (s, 0), (k, half)) + half * at(sp.diff(CONVERSION, s), (s, 0)) / 2
    d.equal("and that of c_sharp = k_sharp C / 2", c_slope, sp.Rational(57, 4))
    d.say("At k_loss the factor s k^2 - k + 2 vanishes and k - 4 is negative: k_loss < k_sharp.")
    d.equal("The cubic at k_loss", at(K_SHARP_CUBIC, (k, K_LOSS)), CONVERSION * (K_LOSS - 4))
    domain = {"s": ALL_S}
    low, high = 24 * s + 2 * CONVERSION, sp.Rational(2187, 4) * s**2 + 15 + CONVERSION / 2
    for name, end, less, more, sign in (
        ("low", sp.Integer(2), 48 * s**2, low, 1),
        ("high", sp.Rational(9, 2), 189 * s, high, -1),
    ):
        d.equal(
            f"{'Minus the' if sign < 0 else 'The'} cubic at k = {end}, negative for s <= 1/4",
            at(sign * K_SHARP_CUBIC, (k, end)),
            less - more,
        )
        d.claim(
            id=f"uv.k_sharp_{name}",
            statement=f"k_sharp is at {'least' if sign > 0 else 'most'} {end}",
            kind="inequality",
            left=by_name(less, domain),
            right=by_name(more, domain),
            domain=domain,
        )
    d.claim(
        id="uv.sharpness_change",
        statement="S_0 (lam_1 - lam_0) + 3 kappa (f_1^2 - f_0^2) is lam_0^2 s k / 2 times the cubic of k_sharp",
        kind="equality",
        left=by_name(together, {"k": POSITIVE, "s": ALL_S, "lam": POSITIVE}),
        right=by_name(lam**2 * s * k / 2 * K_SHARP_CUBIC, {"k": POSITIVE, "s": ALL_S, "lam": POSITIVE}),
        domain={"k": POSITIVE, "s": ALL_S, "lam": POSITIVE},
    )
    experiment_claim(
        d,
        "uv.thresholds",
        "uv_thresholds",
        "just below k_loss and k_sharp neither loss nor sharpness rises in 1000 steps, s < 1/8; just above it does",
    )
    return d
