"""SAM in one dimension: the 2-cycle in closed form, on which SAM sits exactly on its edge."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, h
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at
from .sam_edge import STABLE, G, rho

a = eta * h
AMPLITUDE = eta * rho * h / (2 - eta * h)
BELOW = (2 - eta * h,)
#: Where a simulation settles within the steps of a measurement: eta h between 0.01 and 2.
MEASURED = {"eta": Interval(0.05, 0.5), "rho": Interval(0.05, 1.0), "h": Interval(0.2, 20.0)}


def derive() -> list[Derivation]:
    """Return the 2-cycle, its edge, its stability, and the divergence boundary."""
    return [_cycle(), _radial(), _epsilon(), _divergence()]


def _cycle() -> Derivation:
    d = Derivation(
        "sam_cycle", "The 2-cycle of SAM in one dimension", "x+ = x - eta h (x + rho sgn x), a = eta h, 0 < a < 2"
    )
    A = AMPLITUDE
    d.equal("Starting at x = A > 0 the step leads to -A", A - a * (A + rho), -A)
    d.equal("so A = eta rho h / (2 - a) solves A (2 - a) = a rho", A * (2 - a), a * rho)
    d.say("By symmetry -A leads back to A. On this cycle:")
    critical = eta * rho * h**2 / (2 - a)
    d.equal("the gradient norm is h A = G_c, the critical one of curvature h (not the amplitude)", h * A, critical)
    d.equal("the perturbed point is at", A + rho, 2 * rho / (2 - a))
    d.equal("where the gradient is 2 A / eta: the step covers the whole cycle", h * (A + rho), 2 * A / eta)
    d.equal(
        "and the loss there, against the loss on the cycle, is larger by (2 / a)^2",
        (h / 2) * (A + rho) ** 2 / (h * A**2 / 2),
        (2 / a) ** 2,
    )
    square = ((4 - a) / a) ** 2
    d.equal("Under the root of the edge at G = h A stands a square", 1 + 8 * rho / (eta * h * A), square)
    d.equal("so the edge is the curvature: SAM sits exactly on its edge", (4 / eta) / (1 + (4 - a) / a), h)
    d.say(
        "This holds for every h < 2 / eta. On a quadratic 'curvature equals edge' is therefore a tautology of the "
        "cycle."
    )
    d.claim(
        id="sam.two_cycle",
        statement="In one dimension SAM settles on a 2-cycle of amplitude eta rho h / (2 - eta h)",
        kind="measurement",
        left=A,
        rule="sam",
        measured_by="two_cycle",
        domain=MEASURED,
        where=BELOW,
    )
    d.claim(
        id="sam.on_its_edge",
        statement="On the 2-cycle h (1 + rho h / G) = 2 / eta: SAM sits exactly on its edge",
        kind="equality",
        left=h * (1 + rho * h / (h * A)),
        right=2 / eta,
        domain={"eta": POSITIVE, "rho": POSITIVE, "h": POSITIVE},
        where=BELOW,
    )
    return d


def _radial() -> Derivation:
    d = Derivation("sam_radial", "How SAM approaches its 2-cycle", "y = |x|, x+ = x - a (x + rho sgn x), a = eta h")
    y = sp.Symbol("y", positive=True)
    A = AMPLITUDE
    d.equal("If the sign does not flip, y + rho shrinks by 1 - a", (y - a * (y + rho)) + rho, (1 - a) * (y + rho))
    d.say("so for a < 1 the sign flips once y < a rho / (1 - a); for a >= 1 it always flips.")
    d.equal(
        "After a flip y+ = a (y + rho) - y, and y - A is multiplied by a - 1", a * (y + rho) - y - A, (a - 1) * (y - A)
    )
    d.equal("The threshold lies above A by", a * rho / (1 - a) - A, a * rho / ((1 - a) * (2 - a)))
    start = a * rho / (1 - a)
    d.equal("A flip from the threshold leads to y = 0", a * (start + rho) - start, 0)
    d.say(
        "and from y = 0 to at most a rho, below the threshold: the sign flips for ever. |a - 1| < 1 for 0 < a < "
        "2, so every start that does not hit 0 exactly is drawn to the cycle, at once when a = 1."
    )
    d.claim(
        id="sam.radial",
        statement="Near its 2-cycle SAM multiplies the deviation of |x| by eta h - 1 a step",
        kind="measurement",
        left=eta * h - 1,
        rule="sam",
        measured_by="radial_multiplier",
        domain=MEASURED,
        where=BELOW,
    )
    return d


def _epsilon() -> Derivation:
    d = Derivation(
        "sam_epsilon", "The 2-cycle when the norm is regularised", "x+ = x - eta h (x + rho g / (|g| + eps)), g = h x"
    )
    eps = sp.Symbol("epsilon", positive=True)
    A = AMPLITUDE - eps / h
    d.equal("The amplitude shrinks to A - eps / h", A - a * (A + rho * h * A / (h * A + eps)), -A)
    d.equal("with the gradient norm G_c - eps", h * A, eta * rho * h**2 / (2 - a) - eps)
    d.say("At eps = G_c the cycle is gone. Beyond, x = 0 is stable: near it the step is linear, with r = rho / eps,")
    G_c = eta * rho * h**2 / (2 - a)
    linear = 1 - a * (1 + rho * h / eps)
    d.equal("and its multiplier is -1 exactly at eps = G_c", linear.subs(eps, G_c), -1)
    return d


def _divergence() -> Derivation:
    d = Derivation(
        "sam_divergence", "Where SAM really diverges", "y = |x|, y+ = a (y + rho) - y after a flip, a = eta h"
    )
    y = sp.Symbol("y", positive=True)
    step = a * (y + rho) - y
    d.equal("At h = 2 / eta |x| grows by 2 rho a step", at(step, (h, 2 / eta)), y + 2 * rho)
    d.equal("Above, it grows geometrically, by a - 1 > 1", sp.diff(step, y), a - 1)
    d.equal("Below, it comes back to the cycle", step - AMPLITUDE, (a - 1) * (y - AMPLITUDE))
    d.say(
        "The boundary is that of gradient descent, not the SAM edge, which lies below it and is reached by the "
        "growth of G."
    )
    d.equal("The edge is below it by", 2 / eta - STABLE, rho * STABLE**2 / G)
    d.claim(
        id="sam.divergence",
        statement="In one dimension SAM diverges above 2 / eta, not above its edge",
        kind="measurement",
        left=2 / eta,
        rule="sam",
        measured_by="divergence_boundary",
        domain={"eta": Interval(0.05, 1.0), "rho": Interval(0.01, 0.5)},
        tolerance=1e-8,
    )
    return d
