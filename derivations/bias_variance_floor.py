"""Normalised SAM never reaches the least-squares solution: the floor that its 2-cycle leaves."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import eta, grad_norm, h
from eossim.symbolic.derivation import Derivation

from .bias_variance import USAM, step
from .common import POSITIVE, at, experiment_claim
from .sam_cycle import AMPLITUDE, BELOW
from .sam_edge import positive_rho, rho

c, n, sigma = sp.symbols("c n sigma", positive=True)
ols, truth = sp.symbols("b_OLS b_star", real=True)
A, curvature = sp.symbols("A lambda_1", positive=True)


def derive() -> list[Derivation]:
    """Return the 2-cycle about the least-squares solution and what it costs."""
    return [_cycle(), _cost()]


def _cycle() -> Derivation:
    d = Derivation(
        "sam_least_squares_cycle",
        "The 2-cycle of normalised SAM on least squares",
        "b+ = b - eta g(b + rho g(b) / |g(b)|), g the gradient, two modes, eta lambda_1 < 2",
    )
    other, off = sp.Symbol("lambda_2", positive=True), sp.Symbol("delta", real=True)
    solution = sp.Matrix([ols, sp.Symbol("t", real=True)])
    H = sp.diag(curvature, other)

    def advance(point: sp.Matrix) -> sp.Matrix:
        length = {"norm": lambda g: sp.sqrt(g.dot(g))}
        return step(rules.sam, point, gradient=lambda x: H * (x - solution), rho=rho, **length)[0]

    size = (eta, 2 * A / (curvature * (rho + A)))
    d.equal(
        "The amplitude A = eta rho lambda / (2 - eta lambda) belongs to the step size",
        at(size[1], (A, AMPLITUDE), (curvature, h)),
        eta,
    )
    after, back = advance(solution + sp.Matrix([A, off])), advance(solution - sp.Matrix([A, 0]))
    d.equal("From OLS + A v_1 the step of the rule leads to OLS - A v_1", at(after[0], (off, 0), size), ols - A)
    d.equal("The other mode stays at OLS", at(after[1] - solution[1], (off, 0)), 0)
    d.equal(
        "A small deviation there is multiplied as by USAM with rho / (lambda_1 A)",
        at(sp.diff(after[1], off), (off, 0)),
        at(positive_rho(USAM), (h, other), (rho, rho / (curvature * A))),
    )
    d.equal("The next step leads back", at(back[0], size), ols + A)
    d.equal("The mean of two iterates is the least-squares solution", at((after[0] + back[0]) / 2, (off, 0)), ols)
    d.say("The mean solution has the bias and the variance of least squares; each single iterate is off by A.")
    d.equal(
        "Before, a step is that of USAM with rho / G, G the gradient norm",
        positive_rho(rules.sam.linearization.multiplier),
        at(positive_rho(USAM), (rho, rho / grad_norm)),
    )
    d.say("G falls on the way, so this rho grows: the contrast with gradient descent is largest late, not early.")
    return d


def _cost() -> Derivation:
    d = Derivation(
        "sam_floor",
        "What the 2-cycle of normalised SAM costs",
        "b = b_OLS +- A, A = eta rho lambda / (2 - eta lambda), lambda = s^2 / c the largest curvature",
    )
    s = sp.Symbol("s", positive=True)
    loss = h * (sp.Symbol("b", real=True) - ols) ** 2 / 2
    b = sp.Symbol("b", real=True)
    d.equal("Training loss above its minimum, at either point", at(loss, (b, ols + A)), at(loss, (b, ols - A)))
    excess = h * AMPLITUDE**2 / 2
    d.equal("that is, lambda A^2 / 2", at(loss, (b, ols + AMPLITUDE)), excess)
    d.equal("At small eta lambda it is eta^2 rho^2 lambda^3 / 8", sp.Limit(excess / eta**2, eta, 0), rho**2 * h**3 / 8)

    def risk(point: sp.Expr) -> sp.Expr:
        return s**2 * (point - truth) ** 2 / n

    mean = (risk(ols + A) + risk(ols - A)) / 2
    d.equal("The prediction risk, averaged over the two points, exceeds that of OLS", mean - risk(ols), s**2 * A**2 / n)
    d.equal("by lambda A^2 c / n", at(s**2 * A**2 / n, (s, sp.sqrt(h * c))), h * A**2 * c / n)
    d.say("At one of the two points alone the excess also has a term that is linear in A, of either sign.")
    d.equal(
        "It does not depend on the noise. It equals the variance of a mode, sigma^2 / n, at A = sigma / s",
        at(s**2 * A**2 / n, (A, sigma / s)),
        sigma**2 / n,
    )
    d.claim(
        id="sam.floor_order",
        statement="The training loss of the 2-cycle of SAM is at least eta^2 rho^2 h^3 / 8, its value for small eta h",
        kind="inequality",
        left=eta**2 * rho**2 * h**3 / 8,
        right=excess,
        domain={"eta": POSITIVE, "rho": POSITIVE, "h": POSITIVE},
        where=BELOW,
    )
    d.claim(
        id="sam.floor_gradient",
        statement="The floor is G_c^2 / (2 h), G_c = eta rho h^2 / (2 - eta h) the gradient norm on the 2-cycle",
        kind="equality",
        left=excess,
        right=(eta * rho * h**2 / (2 - eta * h)) ** 2 / (2 * h),
        domain={"eta": POSITIVE, "rho": POSITIVE, "h": POSITIVE},
        where=BELOW,
    )
    experiment_claim(
        d,
        "sam.noise_floor",
        "noise_floor_by_simulation",
        "Normalised SAM ends on its 2-cycle about the least-squares solution, at the predicted cost",
    )
    return d
