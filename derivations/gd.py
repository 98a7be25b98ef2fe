"""The edge of gradient descent: 2/eta."""

from __future__ import annotations

import sympy as sp

from eossim.rules import gd
from eossim.symbolic import eta, h, z
from eossim.symbolic.derivation import Derivation

from .common import at, edge_claim


def derive() -> list[Derivation]:
    """Return the derivation of 2/eta."""
    d = Derivation("gd", "The edge of gradient descent", "L(w) = h w^2 / 2, w+ = w - eta g, g = h w", gd.reference)
    multiplier = gd.linearization.multiplier
    d.equal("One step multiplies w by 1 - eta h", multiplier, 1 - eta * h)
    d.equal("so the characteristic polynomial is z - (1 - eta h)", gd.linearization.charpoly, z - multiplier)
    d.equal("It reaches -1 where eta h = 2", at(multiplier, (h, 2 / eta)), -1)
    d.equal("and +1 only at h = 0", at(multiplier, (h, 0)), 1)
    d.say("For 0 < h < 2/eta the multiplier lies strictly between -1 and 1, so 2/eta is the first loss of stability.")
    d.equal("The derived edge is this value", gd.edge.expression, 2 / eta)
    change = sp.Rational(1, 2) * h * (multiplier**2 - 1)  # per unit w^2
    d.equal(
        "The loss changes by -(eta h^2/2)(2 - eta h) w^2 a step: it falls below the edge, and only there",
        change,
        -eta * h**2 / 2 * (2 - eta * h),
    )
    edge_claim(d, gd, 2 / eta)
    return [d]
