"""Gradient descent on old gradients: a complex pair reaches the circle first."""

from __future__ import annotations

import sympy as sp

from eossim import rules
from eossim.symbolic import eta, h, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim


def derive() -> list[Derivation]:
    """Return the edge of gradient descent with a delay."""
    family = rules.delayed_gd
    d = Derivation("delayed_gd", "Gradient descent with a delay of d steps", "w_(t+1) = w_t - eta h w_(t-d)")
    for n in range(5):
        p = family.member(n).linearization.charpoly
        d.equal(f"d = {n}: the characteristic polynomial", p, z ** (n + 1) - z**n + eta * h)

    d.say("On the unit circle, z = exp(2 i phi) with 0 < phi <= pi/2, write sin(phi) in exponentials.")
    phi = sp.Symbol("phi", positive=True)
    e = sp.exp(sp.I * phi)
    sine = (e - 1 / e) / (2 * sp.I)
    d.equal("1 - z has the modulus 2 sin(phi) and the argument phi - pi/2", 1 - e**2, -2 * sp.I * sine * e)
    n = sp.Symbol("d", integer=True, nonnegative=True)
    d.equal(
        "so that z^d (1 - z) has the argument (2 d + 1) phi - pi/2",
        sp.powsimp(e ** (2 * n) * -sp.I * e),
        -sp.I * sp.exp(sp.I * (2 * n + 1) * phi),
    )
    d.say(
        "A root on the circle needs eta h = z^d (1 - z) real and positive: (2 d + 1) phi = pi/2 + 2 pi j, and then "
        "eta h = 2 sin(phi). The sine increases up to pi/2, so j = 0 comes first: phi = pi / (2 (2 d + 1))."
    )
    first = sp.pi / (2 * (2 * n + 1))
    d.equal(
        "There the phase factor is 1 and eta h = 2 sin(phi)", sp.powsimp(-sp.I * sp.exp(sp.I * (2 * n + 1) * first)), 1
    )
    d.say("In real numbers: z^(d+1) - z^d + eta h at z = exp(2 i phi), with sin(phi) = cos(pi/2 - phi).")
    theta = sp.Symbol("theta", real=True)
    for size in range(5):
        half = sp.pi / (2 * (2 * size + 1))
        angle = 2 * half
        d.equal(
            f"d = {size}: the imaginary parts cancel",
            at(sp.sin((size + 1) * theta) - sp.sin(size * theta), (theta, angle)),
            0,
        )
        d.equal(
            f"d = {size}: the real parts leave 2 sin(phi)",
            at(sp.cos(size * theta) - sp.cos((size + 1) * theta), (theta, angle)),
            2 * sp.cos(sp.pi / 2 - half),
        )
    d.say(
        "At h -> 0 the roots are 1 - eta h and d roots near 0: stable. They are continuous in h, so this is the "
        "edge: a complex crossing of period 2 (2 d + 1); d = 0 is gradient descent, d = 1 gives 1 / eta."
    )
    for size in (0, 1, 2, 4):
        edge_claim(d, family, 2 * sp.sin(sp.pi / (2 * (2 * size + 1))) / eta, structure=size)
    return [d]
