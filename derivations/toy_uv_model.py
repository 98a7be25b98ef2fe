"""The uv model, f = v.U x / sqrt(m): its exact maps in function space and in positive coordinates, all symbols free."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv, uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import P, Q, Y, f, image, kappa, lam, p, put, q, y

MODEL = "f = v.U x / sqrt(m), L = (f - y)^2 / 2, kappa = |x|^2 / m, lam = |grad f|^2, D = f - y"
SOURCE = "arXiv:2003.02218"

#: Three hidden units, two inputs.
U = sp.Matrix(3, 2, sp.symbols("u11 u12 u21 u22 u31 u32", real=True))
v = sp.Matrix(sp.symbols("v1:4", real=True))
x = sp.Matrix(sp.symbols("x1:3", real=True))
m = sp.Symbol("m", positive=True)
D = sp.Symbol("D", real=True)
THETA = [*U, *v]
OUTPUT = (v.T * U * x)[0] / sp.sqrt(m)
GRADIENT = sp.Matrix([sp.diff(OUTPUT, t) for t in THETA])
KAPPA = (x.T * x)[0] / m
LAM = ((U * x).dot(U * x) + (x.T * x)[0] * v.dot(v)) / m
#: Squared lengths of h + |x| v and h - |x| v over m, h = U x, are lam + 2 sqrt(kappa) f and lam - 2 sqrt(kappa) f.
SIDES = lam + 2 * sp.sqrt(kappa) * f, lam - 2 * sp.sqrt(kappa) * f
RESIDUAL = eta * sp.sqrt(kappa) * (f - y)
#: f, lam of p, q.
OF_SIDES = {"f": (p - q) / (4 * sp.sqrt(kappa)), "lam": (p + q) / 2}
#: Where claims are tried: every start with y > 0, and by f, y -> -f, -y with y < 0.
STARTS = {"p": POSITIVE, "q": POSITIVE, "kappa": POSITIVE, "y": POSITIVE}


def in_sides(expression: sp.Expr) -> sp.Expr:
    """Return an expression in f and lam as one in p and q, in the symbols of `STARTS`."""
    sides = expression.subs({f: OF_SIDES["f"], lam: OF_SIDES["lam"]}, simultaneous=True)
    return by_name(sides, STARTS | {"eta": POSITIVE})


def derive() -> list[Derivation]:
    """Return the maps of one step, and what they conserve."""
    return [_maps(), _sides()]


def _after() -> dict[sp.Symbol, sp.Expr]:
    """Return the parameters after a step with the residual D."""
    return {t: t - eta * D * g for t, g in zip(THETA, GRADIENT, strict=True)}


def _maps() -> Derivation:
    d = Derivation("uv_maps", "One step of gradient descent on the uv model", MODEL, SOURCE)
    d.say("Three hidden units and two inputs, every symbol free; further units and inputs add terms of the same form.")
    d.equal("lam = |grad f|^2 = (|U x|^2 + |x|^2 |v|^2) / m", GRADIENT.dot(GRADIENT), LAM)
    d.say("The gradient of the loss is D grad f: U and v move by -eta D grad f. Then f and lam after the step close:")
    after = _after()
    known = {"f": OUTPUT, "lam": LAM, "kappa": KAPPA, "y": OUTPUT - D}
    f_after, lam_after = image(uv_function, **known, eta=eta)
    d.equal("f' = f - eta lam D + eta^2 kappa D^2 f", OUTPUT.xreplace(after), f_after)
    d.equal("lam' = lam + kappa eta D (eta lam D - 4 f)", LAM.xreplace(after), lam_after)
    f_map, lam_map = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=y)
    ratio = 1 - eta * lam + eta**2 * kappa * f * (f - y)
    d.equal("D' = D (1 - eta lam + eta^2 kappa f D)", f_map - y, (f - y) * ratio)
    grown = lam_map - lam
    d.equal("lam' - lam at the leading order in eta", at(sp.diff(grown, eta), (eta, 0)), -4 * kappa * f * (f - y))
    d.say("So small steps sharpen iff f D < 0 and reduce the sharpness iff f D > 0.")
    d.equal("kappa = 0: a linear model, lam frozen", at(lam_map, (kappa, 0)), lam)
    d.equal("and D' = (1 - eta lam) D", at(f_map - y, (kappa, 0)), (1 - eta * lam) * (f - y))
    d.claim(
        id="uv.map",
        statement="one step on the uv model: D' = D (1 - eta lam + eta^2 kappa f D), D = f - y",
        kind="equality",
        left=in_sides(f_map - y),
        right=in_sides((f - y) * ratio),
        domain=STARTS | {"eta": POSITIVE},
    )
    experiment_claim(
        d,
        "uv.gradient_descent",
        "uv_maps",
        "gradient descent on the parameters of a uv model of any width follows both maps, f and lam, P and Q",
    )
    return d


def _sides() -> Derivation:
    d = Derivation("uv_sides", "The uv model in positive coordinates that decouple", MODEL, SOURCE)
    h, norm = U * x, sp.sqrt(m) * sp.sqrt(kappa)
    d.say("h = U x, |x| = sqrt(kappa m); p m = |h + |x| v|^2 and q m = |h - |x| v|^2 are never negative.")
    plus, minus = h + norm * v, h - norm * v
    lam_ = (h.dot(h) + kappa * m * v.dot(v)) / m
    d.equal("p = lam + 2 sqrt(kappa) f", plus.dot(plus) / m, lam_ + 2 * sp.sqrt(kappa) * OUTPUT)
    d.equal("q = lam - 2 sqrt(kappa) f", minus.dot(minus) / m, lam_ - 2 * sp.sqrt(kappa) * OUTPUT)
    d.equal("p q = lam^2 - 4 kappa f^2, so |f| <= lam / (2 sqrt(kappa))", sp.prod(SIDES), lam**2 - 4 * kappa * f**2)
    known = {"eta": eta, "kappa": kappa, "y": y}
    f_after, lam_after = image(uv_function, f=f, lam=lam, **known)
    following = [side.subs({f: f_after, lam: lam_after}, simultaneous=True) for side in SIDES]
    d.say("With e = eta sqrt(kappa) D, h + |x| v is multiplied by 1 - e and h - |x| v by 1 + e:")
    d.equal("p' = p (1 - e)^2", following[0], SIDES[0] * (1 - RESIDUAL) ** 2)
    d.equal("q' = q (1 + e)^2", following[1], SIDES[1] * (1 + RESIDUAL) ** 2)
    d.say("Free of units: P = eta p, Q = eta q, Y = eta sqrt(kappa) y.")
    free = RESIDUAL.subs(f, OF_SIDES["f"])
    d.equal("e = (P - Q) / 4 - Y", free, at((P - Q) / 4 - Y, (P, eta * p), (Q, eta * q), (Y, eta * sp.sqrt(kappa) * y)))
    P_after, Q_after = image(uv, P=P, Q=Q, Y=Y)
    E = (P - Q) / 4 - Y
    d.equal("The map of P", P_after, P * (1 - E) ** 2)
    d.equal("and of Q", Q_after, Q * (1 + E) ** 2)
    d.equal("Product law: (P Q)' = P Q (1 - e^2)^2", P_after * Q_after, P * Q * (1 - E**2) ** 2)
    d.equal(
        "e' = e (1 - eta lam + e (e + Y)), eta lam = (P + Q) / 2",
        (P_after - Q_after) / 4 - Y,
        E * (1 - (P + Q) / 2 + E * (E + Y)),
    )
    d.equal("The observable e^2 / 2 is eta^2 kappa L", put(uv, uv.observables["loss"], P=P, Q=Q, Y=Y), E**2 / 2)
    domain = {"P": POSITIVE, "Q": POSITIVE, "Y": POSITIVE}
    d.claim(
        id="uv.product_law",
        statement="p q is multiplied by (1 - e^2)^2 at every step",
        kind="equality",
        left=by_name(P_after * Q_after, domain),
        right=by_name(P * Q * (1 - E**2) ** 2, domain),
        domain=domain,
    )
    d.claim(
        id="uv.decoupled",
        statement="lam + 2 sqrt(kappa) f is multiplied by (1 - eta sqrt(kappa) D)^2 at every step",
        kind="equality",
        left=in_sides(following[0]),
        right=in_sides(SIDES[0] * (1 - RESIDUAL) ** 2),
        domain=STARTS | {"eta": POSITIVE},
    )
    return d
