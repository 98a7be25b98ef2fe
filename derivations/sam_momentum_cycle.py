"""SAM with heavy ball in one dimension: the 2-cycle on its edge, and why it is not the only attractor."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import beta, eta, h, z
from eossim.symbolic.derivation import Derivation

from .common import at
from .sam_edge import G, positive_rho, rho

a = eta * h
b = beta
MODEL = "x_(t+1) = x_t + beta (x_t - x_(t-1)) - a (x_t + rho sgn x_t), a = eta h"
AMPLITUDE = eta * rho * h / (2 * (1 + beta) - eta * h)


def derive() -> list[Derivation]:
    """Return the 2-cycle with its stability, and the period-4 orbit."""
    return [_cycle(), _period_four()]


def _cycle() -> Derivation:
    d = Derivation("sam_momentum_cycle", "The 2-cycle of SAM with heavy ball", MODEL)
    A = AMPLITUDE
    d.equal("From x_t = A, x_(t-1) = -A the step leads to -A", A + b * (A + A) - a * (A + rho), -A)
    d.say("It exists for 0 < a < 2 (1 + beta). The gradient norm on it is the critical one of this method,")
    critical = eta * rho * h**2 / (2 * (1 + b) - a)
    p = positive_rho(rules.sam_heavy_ball.linearization.charpoly)
    d.equal("at which the frozen step has a root at -1", at(p, (z, -1), (G, critical)), 0)
    d.equal("so this orbit sits on its edge too", h * A, critical)
    d.say("Locally the sign pattern is fixed: with x_t = (-1)^t (A + u_t) the deviations obey a linear recursion.")
    u0, u1 = sp.symbols("u_t u_(t-1)", real=True)
    now, before = A + u0, -(A + u1)
    after = now + b * (now - before) - a * (now + rho)
    d.equal("u_(t+1)", -after - A, -(1 + b - a) * u0 - b * u1)
    roots = z**2 + (1 + b - a) * z + b
    d.equal(
        "Its polynomial, at -z, is that of heavy ball on curvature h", roots.subs(z, -z), z**2 - (1 + b - a) * z + b
    )
    d.say(
        "which is stable for 0 < a < 2 (1 + beta). A second coordinate of curvature q h sees the frozen gradient "
        "norm h A:"
    )
    q = sp.Symbol("q", positive=True)
    theta = a * q + (2 * (1 + b) - a) * q**2
    d.equal("in heavy ball, eta h is replaced by", a * q * (1 + rho * q * h / (h * A)), theta)
    d.equal(
        "below the boundary 2 (1 + beta) for q < 1, by",
        2 * (1 + b) - theta,
        (1 - q) * (2 * (1 + b) + (2 * (1 + b) - a) * q),
    )
    d.say(
        "So the orbit along the top curvature is locally stable in every direction. Other orbits coexist with it: "
        "the measurement starts at rest away from it, so its domain is narrowed to beta <= 0.2 and "
        "0.5 <= eta h <= 1.8, where it finds no other."
    )
    d.claim(
        id="sam_heavy_ball.two_cycle",
        statement="In one dimension SAM with weak heavy ball settles on |x| = eta rho h / (2 (1 + beta) - eta h)",
        kind="measurement",
        left=A,
        rule="sam_heavy_ball",
        measured_by="two_cycle",
        domain={
            "eta": Interval(0.1, 0.2),
            "beta": Interval(0.0, 0.2, open_low=False, open_high=False),
            "rho": Interval(0.05, 1.0),
            "h": Interval(5.0, 9.0),
        },
    )
    return d


def _period_four() -> Derivation:
    d = Derivation("sam_period_four", "A period-4 orbit of SAM with heavy ball", f"{MODEL}; the orbit p, q, -p, -q")
    a = sp.Symbol("a", positive=True)
    D = (1 - b) ** 2 + (1 + b - a) ** 2
    p, q = a * rho * (2 - a) / D, a * rho * (2 * b - a) / D
    d.say("With p, q > 0 two steps determine the orbit (the others follow by symmetry).")
    d.equal("from (p, q) to -p", (1 + b - a) * q - b * p - a * rho, -p)
    d.equal("from (q, -p) to -q", -(1 + b - a) * p - b * q + a * rho, -q)
    d.say(
        "Both are positive iff a < 2 beta (< 2). So without momentum the orbit does not exist; at beta = 0.9 it "
        "does up to a = 1.8."
    )
    d.equal("At a = 2 beta it ends where q passes through 0", at(q, (a, 2 * b)), 0)
    d.equal("with p there", sp.factor(p.subs(a, 2 * b)), 2 * b * rho / (1 - b))
    d.say("Momentum formulas therefore hold near their own orbit.")
    return d
