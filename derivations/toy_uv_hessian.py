"""The Hessian of the uv model: trace, Frobenius norm, every eigenvalue, and the sharpness in closed form."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv, uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import at, experiment_claim
from .toy_symbols import f, kappa, lam, p, put, q, s, y
from .toy_uv_model import GRADIENT, KAPPA, LAM, MODEL, OF_SIDES, OUTPUT, SOURCE, STARTS, THETA, D, in_sides

#: 2 f - y: what enters the sharpness beside p q.
INNER = 2 * f - y
#: p q = lam^2 - 4 kappa f^2, as a product: no cancellation next to the balanced manifold.
PRODUCT = (lam - 2 * sp.sqrt(kappa) * f) * (lam + 2 * sp.sqrt(kappa) * f)
SHARPNESS = (lam + sp.sqrt(PRODUCT + 4 * kappa * INNER**2)) / 2
#: s = kappa f (f - y) / lam^2, and c = k C / 2 for y = 0.
S_PARAMETER = kappa * f * (f - y) / lam**2
CONVERSION = 1 + sp.sqrt(1 + 12 * s)
S = sp.Symbol("S", real=True)
#: Characteristic polynomial on the span of grad f and (Hessian of f) grad f.
QUADRATIC = S**2 - lam * S - kappa * (f - y) * (3 * f - y)


def derive() -> list[Derivation]:
    """Return the spectrum, and the sharpness with the conversion from k to c."""
    return [_spectrum(), _sharpness()]


def _spectrum() -> Derivation:
    d = Derivation("uv_hessian", "The Hessian of the uv model", MODEL, SOURCE)
    F = sp.hessian(OUTPUT, THETA)
    g, Fg = GRADIENT, sp.hessian(OUTPUT, THETA) * GRADIENT
    d.say("Three hidden units and two inputs, every symbol free. H = g g^T + D F with g = grad f, F = Hessian of f.")
    d.equal("F is off-diagonal: its trace is 0", F.trace(), 0)
    d.equal("so tr H = |g|^2 = lam", g.dot(g) + D * F.trace(), LAM)
    d.equal("|F|_F^2 = 2 n kappa, n = 3", sum(entry**2 for entry in F), 6 * KAPPA)
    d.equal("g.F g = 2 kappa f", g.dot(Fg), 2 * KAPPA * OUTPUT)
    d.say("|H|_F^2 = |g|^4 + 2 D g.F g + D^2 |F|_F^2 = lam^2 + 4 kappa f D + 2 n kappa D^2.")
    away = F * Fg - KAPPA * g
    d.equal("F^2 g = kappa g: the squared length of the difference", away.dot(away), 0)
    d.say("So the span of g and F g is invariant: H g = lam g + D F g, and H F g = (g.F g) g + D F^2 g:")
    block = sp.Matrix([[lam, kappa * (2 * f + D)], [D, 0]])
    d.equal("the coefficient of g in H F g", 2 * kappa * f + D * kappa, block[0, 1])
    characteristic = sp.det(S * sp.eye(2) - block)
    d.equal("The characteristic polynomial there", characteristic.subs(D, f - y), QUADRATIC)
    d.equal("F^3 = kappa F: the sum of squares of the difference", sum(x**2 for x in F**3 - KAPPA * F), 0)
    d.say(
        "So F has the eigenvalues +-sqrt(kappa), n times each by trace and Frobenius norm, and 0. One of each sign "
        "belongs to the span of g and F g; on the rest H = D F: +-sqrt(kappa) D, n - 1 times each, and zeros."
    )
    frobenius = lam**2 + 4 * kappa * f * D + 6 * kappa * D**2
    d.equal("Their squares sum to |H|_F^2, n = 3", (block * block).trace() + 2 * 2 * kappa * D**2, frobenius)
    experiment_claim(
        d,
        "uv.hessian",
        "uv_hessian",
        "eigenvalues, trace and sharpness of the Hessian of uv models of any width are those of the closed forms",
    )
    return d


def _sharpness() -> Derivation:
    d = Derivation("uv_sharpness", "The sharpness of the uv model", MODEL, SOURCE)
    d.equal("The closed form is a root of the polynomial", at(QUADRATIC, (S, SHARPNESS)), 0)
    plain = (lam + sp.sqrt(lam**2 + 4 * kappa * (2 * f * (f - y) + (f - y) ** 2))) / 2
    d.equal("What stands under its root, expanded", (2 * SHARPNESS - lam) ** 2, (2 * plain - lam) ** 2)
    size = sp.Symbol("A", positive=True)
    for sign, word in ((1, "f > y"), (-1, "f < y")):
        d.equal(
            f"At S = sqrt(kappa) |D|, {word}, the polynomial is -sqrt(kappa) |D| times lam {'+' if sign > 0 else '-'} "
            "2 sqrt(kappa) f, so never positive",
            at(QUADRATIC, (S, sp.sqrt(kappa) * size), (y, f - sign * size)),
            -sp.sqrt(kappa) * size * (lam + sign * 2 * sp.sqrt(kappa) * f),
        )
    d.say("So the larger root is at least sqrt(kappa) |D|: no other eigenvalue exceeds it, it is the sharpness.")
    observed = put(uv_function, uv_function.observables["sharpness"], f=f, lam=lam, kappa=kappa, y=y)
    d.equal("It is the observable of the map of f and lam", (2 * observed - lam) ** 2, (2 * SHARPNESS - lam) ** 2)
    scaled = put(uv, uv.observables["sharpness"], P=eta * p, Q=eta * q, Y=eta * sp.sqrt(kappa) * y)
    inside = SHARPNESS.subs({f: OF_SIDES["f"], lam: OF_SIDES["lam"]}, simultaneous=True)
    d.equal(
        "and eta times it, in P, Q, Y, that of the map of P and Q",
        (2 * scaled - eta * (p + q) / 2) ** 2,
        eta**2 * (2 * inside - (p + q) / 2) ** 2,
    )
    zero = SHARPNESS.subs(y, 0)
    root_s = sp.sqrt(kappa) * f / lam
    d.equal("At y = 0, s = kappa f^2 / lam^2", S_PARAMETER.subs(y, 0), root_s**2)
    d.equal("4 s is 1 - p q / lam^2, at most 1", 4 * S_PARAMETER.subs(y, 0), 1 - PRODUCT / lam**2)
    d.equal(
        "and (C - 1)^2 with C = 2 lam^H / lam is 1 + 12 s",
        (2 * zero / lam - 1) ** 2,
        at((CONVERSION - 1) ** 2, (s, root_s**2)),
    )
    alpha = sp.Symbol("alpha", positive=True)
    scaling = {f: alpha * f, lam: alpha**2 * lam, kappa: alpha**2 * kappa}
    d.equal(
        "Scaling the output by alpha leaves s where y = 0",
        S_PARAMETER.subs(y, 0).subs(scaling, simultaneous=True),
        S_PARAMETER.subs(y, 0),
    )
    residual = f - y
    d.claim(
        id="uv.sharpness_bound",
        statement="the sharpness of the uv model is at least sqrt(kappa) |f - y|",
        kind="inequality",
        left=in_sides(kappa * residual**2),
        right=in_sides(SHARPNESS**2),
        domain=STARTS,
    )
    d.claim(
        id="uv.sharpness",
        statement="S = [lam + sqrt(p q + 4 kappa (2 f - y)^2)] / 2 solves S^2 = lam S + kappa D (2 f + D)",
        kind="equality",
        left=in_sides(SHARPNESS**2),
        right=in_sides(lam * SHARPNESS + kappa * residual * (3 * f - y)),
        domain=STARTS,
    )
    return d
