"""Bounds and expansions of the SAM edge."""

from __future__ import annotations

import sympy as sp

from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import at
from .sam_edge import DOMAIN, STABLE, G, rho

A, B, g = 2 / eta, sp.sqrt(2 * G / (eta * rho)), G / (2 * rho)


def derive() -> list[Derivation]:
    """Return the sandwich, the large-G series and the small-G law."""
    return [_sandwich(), _series(), _small_norm()]


def _sandwich() -> Derivation:
    d = Derivation(
        "sam_sandwich", "The SAM edge between simple bounds", "A = 2 / eta, B = sqrt(2 G / (eta rho)), E the SAM edge"
    )
    x, y = STABLE / A, STABLE / B
    d.equal("The defining quadratic says E/A + (E/B)^2 = 1", x + y**2, 1)
    d.say("so E <= A and E <= B. With y = E / B, 0 < y < 1:")
    t = sp.Symbol("y", positive=True)
    d.equal("E (1/A + 1/B) = 1 - y^2 + y is at least 1 by", (1 - t**2 + t) - 1, t * (1 - t))
    d.equal("and at most 5/4, by", sp.Rational(5, 4) - (1 - t**2 + t), (t - sp.Rational(1, 2)) ** 2)
    d.equal("1 / (1/A + 1/B) is", 1 / (1 / A + 1 / B), A * B / (A + B))
    harmonic = A * B / (A + B)
    d.claim(
        id="sam.lower_bound",
        statement="The SAM edge is at least A B / (A + B), A = 2 / eta, B = sqrt(2 G / (eta rho))",
        kind="inequality",
        left=harmonic,
        right=STABLE,
        domain=DOMAIN,
    )
    d.claim(
        id="sam.upper_bound",
        statement="The SAM edge is at most min(A, B, 5/4 A B / (A + B)), A = 2 / eta, B = sqrt(2 G / (eta rho))",
        kind="inequality",
        left=STABLE,
        right=sp.Min(A, B, sp.Rational(5, 4) * harmonic),
        domain=DOMAIN,
    )
    return d


def _series() -> Derivation:
    d = Derivation("sam_series", "Catalan numbers in the SAM edge", "u = 2 rho / (eta G), E = (2 / eta) phi(u)")
    u = sp.Symbol("u", positive=True)
    phi = 2 / (1 + sp.sqrt(1 + 4 * u))
    d.equal("The edge in these variables", (2 / eta) * phi.subs(u, 2 * rho / (eta * G)), STABLE)
    d.equal("phi solves phi = 1 - u phi^2", phi, 1 - u * phi**2)
    catalan = [sp.catalan(n) for n in range(6)]
    partial = sum((-u) ** n * c for n, c in enumerate(catalan))
    d.equal(
        "Catalan numbers satisfy C_(n+1) = sum C_i C_(n-i); signed they give",
        partial,
        1 - u + 2 * u**2 - 5 * u**3 + 14 * u**4 - 42 * u**5,
    )
    rest = sp.expand((partial - 1 + u * partial**2) / u**6)
    d.equal("which solves the equation up to terms of order u^6", partial - 1 + u * partial**2, u**6 * rest)
    d.equal("(the first of them is the next number, with the sign of -u^6)", at(rest, (u, 0)), -sp.catalan(6))
    d.say("The root branches at u = -1/4, so the series converges for u < 1/4, that is, for G > 8 rho / eta.")
    return d


def _small_norm() -> Derivation:
    d = Derivation(
        "sam_small_norm", "The SAM edge at small gradient norm", "B = sqrt(2 G / (eta rho)), g = G / (2 rho)"
    )
    d.equal("The root of E^2 + 2 g E = B^2 is", STABLE, sp.sqrt(B**2 + g**2) - g)
    x = sp.Symbol("x", positive=True)
    d.equal("1 + x is at most (1 + x/2)^2, by", (1 + x / 2) ** 2 - (1 + x), x**2 / 4)
    d.say("With x = (g / B)^2 this gives B <= sqrt(B^2 + g^2) <= B + g^2 / (2 B): two bounds, and the law for G -> 0.")
    third = sp.sqrt(eta) * (G / rho) ** sp.Rational(3, 2) / (8 * sp.sqrt(2))
    d.equal("The third term", g**2 / (2 * B), third)
    d.claim(
        id="sam.small_norm_below",
        statement="The SAM edge is at least sqrt(2 G / (eta rho)) - G / (2 rho)",
        kind="inequality",
        left=B - g,
        right=STABLE,
        domain=DOMAIN,
    )
    d.claim(
        id="sam.small_norm_above",
        statement="It is at most this plus sqrt(eta) (G / rho)^(3/2) / (8 sqrt 2)",
        kind="inequality",
        left=STABLE,
        right=B - g + third,
        domain=DOMAIN,
    )
    return d
