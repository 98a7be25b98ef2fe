"""SAM on its 2-cycle across a valley drifts towards smaller curvature."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, h, parameter
from eossim.symbolic.derivation import Derivation

from .common import at
from .sam_edge import rho

a = eta * h


def derive() -> list[Derivation]:
    """Return the drift along a valley and the level at which progressive sharpening stops."""
    return [_drift(), _sharpening()]


def _drift() -> Derivation:
    d = Derivation(
        "sam_valley",
        "The drift of SAM along a valley",
        "L = F(u) x^2 / 2 with curvature h = F(u) across the valley, small rho",
    )
    A = eta * rho * h / (2 - a)
    d.say("Across the valley SAM is on its 2-cycle x = A, -A. The gradient it uses is that at x = A + rho, -(A + rho):")
    d.equal("A + rho", A + rho, 2 * rho / (2 - a))
    d.say("the ascent step moves u only by a multiple of rho^2, which is left out.")
    slope = sp.Symbol("F_u", real=True)
    drift = -2 * eta * rho**2 / (2 - a) ** 2 * slope
    d.equal(
        "Along the valley the slope is F'(u) x^2 / 2, the same at both points: the drift per step",
        -eta * slope * (A + rho) ** 2 / 2,
        drift,
    )
    d.equal("For small eta h it is -(eta rho^2 / 2) F'(u)", drift.subs(h, 0), -eta * rho**2 / 2 * slope)
    d.equal("and in general larger by the factor 1 / (1 - eta h / 2)^2", drift / drift.subs(h, 0), 1 / (1 - a / 2) ** 2)
    u = parameter("u")
    curvature = 1 + u**2
    example = drift.subs({h: curvature, slope: sp.diff(curvature, u)})
    d.equal("For F = 1 + u^2", example, -4 * eta * rho**2 * u / (2 - eta * (1 + u**2)) ** 2)
    values = (eta, sp.Rational(1, 5)), (rho, sp.Rational(1, 100)), (u, 1)
    d.equal("for instance at eta = 0.2, rho = 0.01, u = 1", at(example, *values), -sp.Rational(1, 32000))
    d.say(
        "USAM has no such drift: its perturbation rho G vanishes with the gradient. The law is the limit of small "
        "rho; the claim stays at rho <= 0.003 and eta h <= 1, where the corrections are below its tolerance."
    )
    d.claim(
        id="sam.valley_drift",
        statement="On its 2-cycle across the valley of (1 + u^2) x^2 / 2 SAM moves u by -4 eta rho^2 u / (2 - eta (1 + "
        "u^2))^2 a step",
        kind="measurement",
        left=example,
        rule="sam",
        measured_by="valley_drift",
        domain={"eta": Interval(0.05, 0.5), "rho": Interval(1e-3, 3e-3), "u": Interval(0.3, 1.0)},
        tolerance=2e-3,
    )
    return d


def _sharpening() -> Derivation:
    d = Derivation(
        "sam_sharpening",
        "Where SAM stops progressive sharpening",
        "L = (F_0 + k u) x^2 / 2 - c u, lambda = F_0 + k u, c, k > 0",
    )
    c, k = parameter("c"), parameter("k")
    d.say("The term -c u pushes u, and with it lambda, up by eta c a step. The 2-cycle across the valley pulls down.")
    pull = 2 * eta * rho**2 / (2 - a) ** 2 * k
    level = (2 / eta) * (1 - rho * sp.sqrt(k / (2 * c)))
    d.equal("The two balance at lambda = (2 / eta)(1 - rho sqrt(k / (2 c)))", at(pull, (h, level)), eta * c)
    norm = sp.sqrt(2 * c / k) * level - level * rho  # lambda (x_perturbed - rho)
    d.equal("where the perturbed point is at sqrt(2 c / k)", (2 * rho / (2 - a)).subs(h, level), sp.sqrt(2 * c / k))
    d.equal(
        "and the level solves the edge condition at the gradient norm of the cycle",
        (eta * level * (1 + rho * level / norm)),
        2,
    )
    d.say("So it is the SAM edge at its own gradient norm. Gradient descent, rho = 0, stops at 2 / eta.")
    d.equal("Without perturbation", at(level, (rho, 0)), 2 / eta)
    near = {"eta": (0.095, 0.105), "rho": (0.045, 0.055), "c": (0.045, 0.055), "k": (0.9, 1.1)}
    d.say(
        "The gradient has a component along u, of size c at most: left out, since it is small against that "
        "across. The claim stays near eta = 0.1, rho = c = 0.05, k = 1, where its relative weight is 1e-5."
    )
    d.claim(
        id="sam.sharpening_level",
        statement="On (F_0 + k u) x^2 / 2 - c u SAM settles at lambda = (2 / eta)(1 - rho sqrt(k / (2 c)))",
        kind="measurement",
        left=level,
        rule="sam",
        measured_by="sharpening_level",
        domain={n: Interval(*ends) for n, ends in near.items()},
        tolerance=1e-4,
    )
    return d
