"""The uv model on its balanced manifold: one cubic map, its 2-cycle and its bifurcations, exactly."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.maps import uv, uv_balanced, uv_residual
from eossim.symbolic.derivation import Derivation

from .common import at, by_name, experiment_claim
from .toy_symbols import Q, Y, e, image, kappa, put, y

MODEL = "Q = 0, X^2 = eta sqrt(kappa) f = P / 4, Y = eta sqrt(kappa) y"
SOURCE = "arXiv:2311.02076"

#: eta at which Y = 1.
ETA_CRITICAL = 1 / (sp.sqrt(kappa) * sp.Abs(y))
ROOT = sp.sqrt((Y - 1) * (Y + 3))
#: f / y on the 2-cycle.
HIGH, LOW = (1 + Y + ROOT) / (2 * Y), 2 / (Y * (1 + Y + ROOT))
MULTIPLIER = 9 - 2 * (1 + Y) ** 2
TRANSVERSE = (3 - 2 * Y) ** 2
#: Y at which the loss can first rise, at which the 2-cycle is superstable, loses stability, and f can reach 0.
MONOTONE = 2 * sp.sqrt(2) - 2
SUPERSTABLE = 3 / sp.sqrt(2) - 1
DOUBLING = sp.sqrt(5) - 1
ZERO_REACHED = 3 * sp.sqrt(3) / 2 - 1
X = sp.Symbol("X", positive=True)
r = sp.Symbol("r", positive=True)


def derive() -> list[Derivation]:
    """Return the map with where its loss can rise, the 2-cycle, and the end of the manifold."""
    return [_manifold(), _cycle(), _chaos()]


def _manifold() -> Derivation:
    d = Derivation("uv_balanced", "The uv model on its balanced manifold", MODEL, SOURCE)
    after = image(uv, P=4 * X**2, Q=sp.Integer(0), Y=Y)
    balanced = image(uv_balanced, X=X, Y=Y)[0]
    residual = image(uv_residual, e=e, Y=Y)[0]
    d.equal("Q = 0 is invariant", after[1], 0)
    d.equal("P' = 4 X'^2 with X' = X (1 + Y - X^2)", after[0], 4 * balanced**2)
    d.equal("The map of X", balanced, X * (1 + Y - X**2))
    factor = 1 - 2 * Y + (Y - 2) * e + e**2
    d.equal("e = X^2 - Y follows", balanced**2 - Y, at(residual, (e, X**2 - Y)))
    d.equal("e' = e (1 - 2 Y + (Y - 2) e + e^2)", residual, e * factor)
    moved = image(uv, P=4 * (e + Y), Q=Q, Y=Y)[1]
    d.equal("Next to it Q grows by (1 + e)^2 a step", at(sp.diff(moved, Q), (Q, 0)), (1 + e) ** 2)
    d.equal("At e = -Y, X = 0, the factor of e is", at(factor, (e, -Y)), 1)
    d.equal("and at e = 2, X^2 = 2 + Y, where the next X is -X,", at(factor, (e, 2)), 1)
    d.equal("The least value, at e = (2 - Y) / 2", at(factor, (e, (2 - Y) / 2)), -Y - Y**2 / 4)
    d.equal("is at least -1 iff Y^2 + 4 Y - 4 <= 0", -1 - (-Y - Y**2 / 4), (Y**2 + 4 * Y - 4) / 4)
    d.equal(
        "with equality at Y = 2 sqrt 2 - 2: up to it the loss falls from every bounded start",
        at(Y**2 + 4 * Y - 4, (Y, MONOTONE)),
        0,
    )
    d.equal("At e = 0 the multiplier is 1 - 2 Y", at(sp.diff(residual, e), (e, 0)), 1 - 2 * Y)
    d.equal("-1 at Y = 1, eta = eta_c = 1 / (sqrt(kappa) |y|)", sp.sqrt(kappa) * sp.Abs(y) * ETA_CRITICAL, 1)
    share = sp.Symbol("u", real=True)
    domain = {"u": Interval(0.0, 1.0, open_low=False, open_high=False), "Y": Interval(0.0, float(MONOTONE))}
    d.claim(
        id="uv.monotone",
        statement="balanced manifold, Y < 2 sqrt 2 - 2: no step from -Y <= e <= 2 raises the loss, e = -Y + u (2 + Y)",
        kind="inequality",
        left=by_name(factor.subs(e, -Y + share * (2 + Y)) ** 2, domain),
        right=sp.Integer(1),
        domain=domain,
    )
    experiment_claim(
        d,
        "uv.bifurcations",
        "uv_bifurcations",
        "on the balanced manifold catapult, 2-cycle, doubling, zero output and divergence set in at the derived Y",
    )
    return d


def _cycle() -> Derivation:
    d = Derivation("uv_cycle", "The 2-cycle of the uv model on its balanced manifold", MODEL + ", r = 1 + Y", SOURCE)
    other = sp.Symbol("Z", positive=True)
    step = image(uv_balanced, X=X, Y=r - 1)[0]
    back = image(uv_balanced, X=other, Y=r - 1)[0]
    d.say("A 2-cycle X, Z solves Z = X (r - X^2) and X = Z (r - Z^2). Sum and difference:")
    d.equal("sum", step + back - X - other, (X + other) * (r - 1 - (X**2 - X * other + other**2)))
    d.equal("difference", (step - other) - (back - X), (X - other) * (r + 1 - (X**2 + X * other + other**2)))
    d.say("So X^2 - X Z + Z^2 = r - 1, X^2 + X Z + Z^2 = r + 1: X Z = 1 and X^2 + Z^2 = r.")
    d.equal("f / y = X^2 / Y: their product", HIGH * LOW, 1 / Y**2)
    d.equal("so the upper one times their sum (1 + Y) / Y is", HIGH * (1 + Y) / Y, HIGH**2 + 1 / Y**2)
    P_high = image(uv, P=4 * Y * HIGH, Q=sp.Integer(0), Y=Y)[0]
    d.equal("The upper point leads to the lower one", P_high, 4 * Y * LOW)
    d.say("They are real for Y > 1: the cycle is born where the line of minima loses its stability.")
    slope, low_slope = sp.diff(step, X), sp.diff(back, other)
    known = r**2 - 3 * r * (X**2 + other**2) + 9 * (X * other) ** 2
    d.equal("The multiplier, over two steps", slope * low_slope, known)
    d.equal("is 9 - 2 r^2", at(r**2 - 3 * r * r + 9, (r, 1 + Y)), MULTIPLIER)
    d.equal("1 at Y = 1", at(MULTIPLIER, (Y, 1)), 1)
    d.equal("0 at Y = 3 / sqrt 2 - 1: superstable", at(MULTIPLIER, (Y, SUPERSTABLE)), 0)
    d.equal("-1 at Y = sqrt 5 - 1: the period doubles", at(MULTIPLIER, (Y, DOUBLING)), -1)
    total, product, a = r, sp.Integer(1), 1 - Y
    d.equal(
        "Across the manifold Q grows by ((1 + e_1)(1 + e_2))^2, e = X^2 - Y",
        at(a**2 + a * total + product, (r, 1 + Y)) ** 2,
        TRANSVERSE,
    )
    d.equal("That is 1 at Y = 1", at(TRANSVERSE, (Y, 1)), 1)
    d.equal("and again at Y = 2 only", at(TRANSVERSE, (Y, 2)), 1)
    trace = put(uv_balanced, uv_balanced.observables["trace"], X=X, Y=Y)
    d.equal("The mean of eta lam = 2 X^2", (trace + trace.subs(X, other)) / 2, at(r, (r, X**2 + other**2)))
    d.say("That of eta lam^H = X^2 + |2 X^2 - Y|, while 2 X^2 >= Y at both points:")
    sharp = X**2 + 2 * X**2 - Y
    d.equal("(3 + Y) / 2", at(((3 * r - 2 * Y) / 2), (r, 1 + Y)), (3 + Y) / 2)
    d.equal("since the sum of 3 X^2 - Y is", sharp + sharp.subs(X, other), 3 * (X**2 + other**2) - 2 * Y)
    d.equal("The lower point reaches 2 X^2 = Y just at the doubling", at(2 * Y * LOW, (Y, DOUBLING)), DOUBLING)
    inner = Interval(1.0, float(DOUBLING))
    domain = {"Y": inner}
    d.claim(
        id="uv.two_cycle",
        statement="on the balanced manifold, Y > 1: the upper f / y of the closed form leads to the lower one",
        kind="equality",
        left=by_name(P_high, domain),
        right=by_name(4 * Y * LOW, domain),
        domain=domain,
    )
    for name, multiplier, width, word in (
        ("stable", MULTIPLIER, inner, "along the manifold for 1 < Y < sqrt 5 - 1"),
        ("transverse", TRANSVERSE, Interval(1.0, 2.0), "across the manifold for 1 < Y < 2"),
    ):
        d.claim(
            id=f"uv.two_cycle_{name}",
            statement=f"the 2-cycle of the uv model is stable {word}",
            kind="inequality",
            left=by_name(multiplier**2, {"Y": width}),
            right=sp.Integer(1),
            domain={"Y": width},
        )
    experiment_claim(
        d,
        "uv.cycle",
        "uv_two_cycle",
        "runs of the uv model with 1 < Y < sqrt 5 - 1 end on the 2-cycle, with its means and its multipliers",
    )
    return d


def _chaos() -> Derivation:
    d = Derivation("uv_chaos", "The end of the balanced manifold of the uv model", MODEL, SOURCE)
    theta = sp.Symbol("theta", real=True)
    step = image(uv_balanced, X=X, Y=r - 1)[0]
    d.equal("X (r - X^2) has its maximum at X^2 = r / 3", at(sp.diff(step, X), (X, sp.sqrt(r / 3))), 0)
    peak = at(step, (X, sp.sqrt(r / 3)))
    d.equal("The next but one X vanishes if that maximum is sqrt r", at(peak / sp.sqrt(r), (r, 1 + ZERO_REACHED)), 1)
    d.equal("At Y = 2 it is 2", at(peak, (r, 3)), 2)
    d.equal("and 2 goes to -2, a 2-cycle in the parameters: beyond Y = 2 runs leave", at(step, (X, 2), (r, 3)), -2)
    turned = at(step, (X, 2 * sp.cos(theta)), (r, 3))
    d.equal("At Y = 2, X = 2 cos(theta) goes to -2 cos(3 theta)", turned, sp.expand_trig(-2 * sp.cos(3 * theta)))
    slope = at(sp.diff(step, X), (X, 2 * sp.cos(theta)), (r, 3))
    d.equal("The slope is -3 sin(3 theta) / sin(theta)", slope * sp.sin(theta), sp.expand_trig(-3 * sp.sin(3 * theta)))
    d.say("theta is equidistributed: log|sin(3 theta)| and log|sin(theta)| have the same mean. The exponent is log 3.")
    experiment_claim(
        d,
        "uv.lyapunov",
        "uv_lyapunov",
        "Lyapunov exponent on the balanced manifold: log 3 at Y = 2, half the log of the multiplier on the cycle",
    )
    return d
