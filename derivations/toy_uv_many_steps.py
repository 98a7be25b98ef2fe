"""Many steps of the uv model: k_max = 4 exactly, the peak bound, the segment from start to end, the waiting time."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, by_name, experiment_claim
from .toy_symbols import P, Q, e, f, image, k, kappa, lam, p, q, s
from .toy_uv_hessian import CONVERSION
from .toy_uv_model import GRADIENT, KAPPA, LAM, MODEL, OUTPUT, SOURCE, THETA, D, in_sides
from .toy_uv_thresholds import C_MAX, K_MAX

A, B, tau = sp.symbols("A B tau", real=True)
#: f at the share tau of the segment; A, B are the products of 1 - e and 1 + e over the steps.
SEGMENT_OUTPUT = (p * (1 - tau + tau * A) ** 2 - q * (1 - tau + tau * B) ** 2) / (4 * sp.sqrt(kappa))
#: Steps until |e_t| = (k - 1)^t |e_0|, |e_0| = k sqrt(s), reaches 1.
WAITING_TIME = -sp.log(k * sp.sqrt(s)) / sp.log(k - 1)


def derive() -> list[Derivation]:
    """Return the divergence threshold with the bounds below it, and the loss between start and end."""
    return [_divergence(), _segment()]


def _divergence() -> Derivation:
    d = Derivation("uv_k_max", "Where the uv model diverges, y = 0", MODEL, SOURCE)
    f_after, lam_after = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=sp.Integer(0))
    change = eta * kappa * f**2 * (eta * lam - 4)
    d.equal("lam' - lam = eta kappa f^2 (eta lam - 4)", lam_after - lam, change)
    d.say(
        "Below eta lam = 4 lam never grows, so it stays below; above 4 it only grows. Below, lam falls by at least "
        "eta kappa f^2 (4 - k) at every step and stays positive: the sum of f^2 is at most lam_0 / (eta kappa (4 - k))."
    )
    largest = at(f**2, (f, lam / (2 * sp.sqrt(kappa))))
    d.equal(
        "|f| <= lam / (2 sqrt(kappa)): at eta lam = 4 the loss is at most",
        at(largest / 2, (lam, 4 / eta)),
        2 / (kappa * eta**2),
    )
    d.equal("So k_max = 4 and c_max = k_max C / 2", C_MAX, K_MAX * CONVERSION / 2)
    d.equal("At s = 0", at(C_MAX, (s, 0)), 4)
    d.equal("its slope in s", at(sp.diff(C_MAX, s), (s, 0)), 12)
    d.equal("at s = 1/4, where f_0 = lam_0 / (2 sqrt(kappa))", at(C_MAX, (s, sp.Rational(1, 4))), 6)
    phi = sp.Symbol("phi", real=True)
    scaled = (f_after * sp.sqrt(kappa)).subs(f, phi / sp.sqrt(kappa))
    d.equal("phi = sqrt(kappa) f follows a map free of the width", scaled, phi * (1 - eta * lam + eta**2 * phi**2))
    d.say("While e = eta phi is small, k stays and |e_t| = (k - 1)^t |e_0| with |e_0| = k sqrt(s), for k > 2.")
    d.equal(
        "|e_0|^2 = k^2 s", (eta * sp.sqrt(kappa) * f) ** 2, at(k**2 * s, (k, eta * lam), (s, kappa * f**2 / lam**2))
    )
    d.equal("It reaches 1 at the waiting time", WAITING_TIME * sp.log(k - 1) + sp.log(k * sp.sqrt(s)), 0)
    domain = {name: POSITIVE for name in ("p", "q", "kappa", "eta")}
    d.claim(
        id="uv.k_max",
        statement="y = 0: lam grows at a step iff eta lam > 4",
        kind="equality",
        left=in_sides(lam_after - lam),
        right=in_sides(change),
        domain=domain,
    )
    domain = {"P": POSITIVE, "Q": POSITIVE}
    d.claim(
        id="uv.peak_bound",
        statement="y = 0: while eta lam < 4 the loss stays below 2 / (kappa eta^2), that is e^2 / 2 < 2",
        kind="inequality",
        left=by_name(((P - Q) / 4) ** 2 / 2, domain),
        right=sp.Integer(2),
        domain=domain,
        where=(by_name(8 - P - Q, domain),),
    )
    experiment_claim(
        d,
        "uv.divergence",
        "uv_divergence",
        "y = 0: runs just below eta lam = 4 stay below the peak bound and converge, runs just above diverge",
    )
    return d


def _segment() -> Derivation:
    d = Derivation("uv_segment", "The loss between the start and the end of a run on the uv model", MODEL, SOURCE)
    d.say("h + |x| v at step T is A = prod(1 - e_t) times its start, h - |x| v is B = prod(1 + e_t) times its own.")
    d.say(
        "On the segment the two are multiplied by 1 - tau + tau A and 1 - tau + tau B, and f = (p - q)/(4 sqrt(kappa))."
    )
    moved = {t: t - tau * eta * D * g for t, g in zip(THETA, GRADIENT, strict=True)}
    step = eta * sp.sqrt(KAPPA) * D
    sides = LAM + 2 * sp.sqrt(KAPPA) * OUTPUT, LAM - 2 * sp.sqrt(KAPPA) * OUTPUT
    inserted = (A, 1 - step), (B, 1 + step), (p, sides[0]), (q, sides[1]), (kappa, KAPPA)
    d.equal("After one step of the model itself", OUTPUT.xreplace(moved), at(SEGMENT_OUTPUT, *inserted))
    one = at(SEGMENT_OUTPUT, (A, 1 - e), (B, 1 + e))
    d.equal(
        "With T = 1 that is the step with tau e",
        one,
        (p * (1 - tau * e) ** 2 - q * (1 + tau * e) ** 2) / (4 * sp.sqrt(kappa)),
    )
    d.say("So with one step the segment is the ray of step sizes: c_barrier = c_loss, for every model.")
    d.equal("Its start", at(SEGMENT_OUTPUT, (tau, 0)), (p - q) / (4 * sp.sqrt(kappa)))
    d.equal("and its end", at(SEGMENT_OUTPUT, (tau, 1)), (p * A**2 - q * B**2) / (4 * sp.sqrt(kappa)))
    d.equal(
        "At the start f changes by -(p (1 - A) - q (1 - B)) / (2 sqrt(kappa)): with f_0 > 0 the loss first rises iff "
        "q (1 - B) > p (1 - A)",
        at(sp.diff(SEGMENT_OUTPUT, tau), (tau, 0)),
        -(p * (1 - A) - q * (1 - B)) / (2 * sp.sqrt(kappa)),
    )
    experiment_claim(
        d,
        "uv.segment",
        "uv_segment",
        "the loss on the segment from the start of a run on a uv model to its end is that of the closed form",
    )
    return d
