"""The 2-cycles of normalised steepest descent: exactly on the edge of their own direction, stable under a condition."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, parameter
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .directional_identity import NORMALISED, SIGNED, D, G
from .norms_sharpness import PLANE, UNIT, h11, h22, q

MODEL = "L = w^T H w / 2, w+ = w - eta LMO(g), g = H w, G = |g|_*, d stationary with s = q(d)"
SOURCE = "derived"

s = sp.Symbol("s", positive=True)
a, rho = parameter("a", UNIT), parameter("rho", UNIT)
#: Multiplier of a deviation over the two steps of the cycle a eta d, (a - 1) eta d.
MULTIPLIER = 1 - rho * (1 - rho) / (a * (1 - a))
#: The range of a in which the cycle is stable whatever rho < 1.
STABLE_FOR_ALL = (sp.Rational(1, 2) - sp.sqrt(2) / 4, sp.Rational(1, 2) + sp.sqrt(2) / 4)


def derive() -> list[Derivation]:
    """Return the cycle and its averages, its stability, and what the preconditioned sharpness sees of it."""
    return [_cycle(), _stability(), _preconditioned()]


def _cycle() -> Derivation:
    d = Derivation("norms_cycle", "The 2-cycles of normalised steepest descent", MODEL, SOURCE)
    size, part, v2 = sp.symbols("c e V", real=True)
    d.say(
        "w = v + c d, 0 < c < eta, with LMO(H w) = d, and -d at w' = v + (c - eta) d: true for small v. The step "
        "leads from w to w' and back. e = <d, H v>, V = q(v)."
    )
    here, there = part + size * s, -(part + (size - eta) * s)
    d.equal("G = <H w, d> and G' = -<H w', d> have the mean eta s / 2", (here + there) / 2, eta * s / 2)
    loss = (v2 + 2 * size * part + size**2 * s) / 2
    change = at(loss, (size, size - eta)) - loss
    d.equal("The change of the loss", change, eta**2 * s / 2 - eta * here)
    d.equal("is that of D = s, in both steps", at(NORMALISED, (D, s), (G, here)), change)
    symmetric = (v2, 0), (part, 0), (size, eta / 2)
    d.equal("Symmetric, v = 0 and c = eta / 2: the loss stays at", at(loss, *symmetric), eta**2 * s / 8)
    S = sp.Symbol("S", positive=True)
    d.equal("S over the mean of G is (S / s) 2/eta", S / ((here + there) / 2), S / s * (2 / eta))
    d.say("so at least 2/eta, and equal to it only on the maximiser: 'at or slightly above the edge'.")
    d.claim(
        id="norms.cycle_mean",
        statement="On every 2-cycle the mean dual norm of the gradient is eta s / 2: its own direction is on the edge",
        kind="equality",
        left=(2 / eta) * ((part + a * eta * s) + (-part + (1 - a) * eta * s)) / 2,
        right=s,
        domain={"eta": POSITIVE, "s": POSITIVE, "a": UNIT, "e": SIGNED},
    )
    p, gap = sp.symbols("p gap", positive=True)
    plane = sp.Matrix([[p + gap, p], [p, p + h22]])
    d.claim(
        id="norms.cycle_above_edge",
        statement="linf, H = [[p + gap, p], [p, p + h_22]]: on the cycle along (1, -1), 2/eta is at most S over mean G",
        kind="inequality",
        left=2 / eta,
        right=q(plane, (1, 1)) / (eta * q(plane, (1, -1)) / 2),
        domain={"eta": POSITIVE, "p": POSITIVE, "gap": POSITIVE, "h_22": POSITIVE},
    )
    experiment_claim(
        d,
        "norms.two_cycles",
        "normalized_two_cycles",
        "Normalised runs that end on a 2-cycle have D and twice the mean of G over eta equal to a stationary value s",
    )
    return d


def _stability() -> Derivation:
    d = Derivation(
        "norms_cycle_stability", "When a 2-cycle of a normalised method is stable", MODEL + ", v = 0", SOURCE
    )
    d.say(
        "a = c / eta, J = DLMO(H d) H with eigenvalue rho along x, <H d, x> = 0. At w = a eta d + e x the LMO is "
        "d + e rho x / (a eta) to first order:"
    )
    first = 1 - eta * rho / (a * eta)
    d.equal("The step multiplies e by", first, 1 - rho / a)
    d.say("and from (a - 1) eta d, where LMO = -d, by the same with 1 - a:")
    product = (1 - rho / a) * (1 - rho / (1 - a))
    d.equal("Over two steps", product, MULTIPLIER)
    d.equal("It is 1 for rho = 0", at(MULTIPLIER, (rho, 0)), 1)
    d.equal("less than 1 for 0 < rho < 1, by", 1 - MULTIPLIER, rho * (1 - rho) / (a * (1 - a)))
    d.equal(
        "and above -1 iff a (1 - a) > rho (1 - rho) / 2",
        1 + MULTIPLIER,
        2 * (a * (1 - a) - rho * (1 - rho) / 2) / (a * (1 - a)),
    )
    larger = sp.Symbol("gap", positive=True)
    d.equal(
        "rho = 1 + gap: above 1, always unstable",
        at(MULTIPLIER, (rho, 1 + larger)) - 1,
        larger * (1 + larger) / (a * (1 - a)),
    )
    d.equal("rho (1 - rho) is at most 1/4", sp.Rational(1, 4) - rho * (1 - rho), (rho - sp.Rational(1, 2)) ** 2)
    for end in STABLE_FOR_ALL:
        d.equal(
            "so a (1 - a) > 1/8 is always enough; the ends of that range", at(a * (1 - a), (a, end)), sp.Rational(1, 8)
        )
    h = sp.symbols("h_1 h_2", positive=True)
    x = sp.Symbol("x", real=True)
    g = sp.Matrix([h[0] * a * eta, h[1] * x])
    step = x - eta * g[1] / sp.sqrt(g[0] ** 2 + g[1] ** 2)
    d.equal(
        "l2, d = e_1: the literal step has this slope, rho = h_2 / h_1",
        at(sp.diff(step, x), (x, 0)),
        at(1 - rho / a, (rho, h[1] / h[0])),
    )
    d.claim(
        id="norms.cycle_stable",
        statement="a (1 - a) above rho (1 - rho) / 2: over two steps a deviation does not grow",
        kind="inequality",
        left=MULTIPLIER**2,
        right=sp.Integer(1),
        domain={"a": UNIT, "rho": UNIT},
        where=(a * (1 - a) - rho * (1 - rho) / 2,),
    )
    r = sp.Symbol("r", real=True)
    d.claim(
        id="norms.cycle_stable_for_all",
        statement="a between 1/2 - sqrt(2)/4 and 1/2 + sqrt(2)/4, a = 1/2 + r sqrt(2)/4: stable for every rho < 1",
        kind="inequality",
        left=(MULTIPLIER**2).subs(a, sp.Rational(1, 2) + r * sp.sqrt(2) / 4),
        right=sp.Integer(1),
        domain={"r": Interval(-1.0, 1.0), "rho": UNIT},
    )
    d.claim(
        id="norms.cycle_unstable",
        statement="rho = 1 + gap: over two steps the deviation grows, for every a",
        kind="inequality",
        left=sp.Integer(1),
        right=MULTIPLIER.subs(rho, 1 + larger),
        domain={"a": UNIT, "gap": POSITIVE},
    )
    return d


def _preconditioned() -> Derivation:
    d = Derivation(
        "norms_preconditioned",
        "Sign descent on its cycle, seen as preconditioned gradient descent",
        "w+ = w - eta sgn(g) = w - P^-1 g with P = diag |g| / eta, symmetric cycle on sigma = (1, 1), h_12 = p",
        SOURCE,
    )
    p = sp.Symbol("p", positive=True)
    off = sp.Symbol("h_12", real=True)
    H, ones = sp.Matrix([[h11, off], [off, h22]]), sp.ones(2, 1)
    g = H * ones * eta / 2
    P = sp.diag(*g) / eta
    scaled = P.inv() * H
    d.say("At w = eta sigma / 2 and H sigma > 0 the gradient is eta H sigma / 2, so P = diag(H sigma) / 2.")
    d.equal("P^-1 H sigma = 2 sigma, first coordinate", (scaled * ones)[0], 2)
    d.equal("second: sigma is an eigenvector, 2 the edge of the step 1", (scaled * ones)[1], 2)
    other = scaled.trace() - 2
    d.equal("The other eigenvalue is below it by", 2 - other, 2 * off / (h11 + off) + 2 * off / (h22 + off))
    d.say(
        "positive iff sigma_1 sigma_2 h_12 > 0. In higher dimension all sigma_i sigma_j H_ij >= 0 are enough (Perron), "
        "without them the largest eigenvalue may lie above 2: then the preconditioned sharpness leaves its edge "
        "though the cycle sits on its own."
    )
    d.equal("The product of the two", scaled.det(), 2 * other)
    domain = PLANE | {"p": POSITIVE}
    d.claim(
        id="norms.preconditioned_cycle",
        statement="Plane, h_12 = p > 0: P^-1/2 H P^-1/2 on the cycle of sign descent has no eigenvalue above 2",
        kind="inequality",
        left=other.subs(off, p),
        right=sp.Integer(2),
        domain=domain,
    )
    lower = {off: -p, h11: p + h11, h22: p + h22}
    d.claim(
        id="norms.preconditioned_above",
        statement="Plane, H = [[p + h_11, -p], [-p, p + h_22]]: on the cycle along (1, 1) one eigenvalue is above 2",
        kind="inequality",
        left=sp.Integer(2),
        right=other.subs(lower, simultaneous=True),
        domain=domain,
    )
    return d
