"""SAM beside its 2-cycle: why it ends along the top eigenvector."""

from __future__ import annotations

import sympy as sp

from eossim.domain import Interval
from eossim.symbolic import eta, h, parameter
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at
from .sam_cycle import AMPLITUDE, BELOW, MEASURED
from .sam_edge import rho

UNIT = Interval(0.0, 1.0)
q = parameter("q", UNIT)
a = eta * h


def derive() -> list[Derivation]:
    """Return the Jacobian of the SAM map and the transverse stability of its cycles."""
    return [_jacobian(), _transverse()]


def _jacobian() -> Derivation:
    d = Derivation(
        "sam_jacobian",
        "The Jacobian of the SAM map on a quadratic",
        "w+ = w - eta H (w + rho H w / |H w|), H = diag(h_1, h_2)",
    )
    h1, h2 = sp.symbols("h_1 h_2", positive=True)
    x, y = sp.symbols("x y", positive=True)
    w, H = sp.Matrix([x, y]), sp.diag(h1, h2)
    g = H * w
    norm = sp.sqrt(g.dot(g))
    step = w - eta * H * (w + rho * g / norm)
    jacobian = step.jacobian(w)
    projector = sp.eye(2) - g * g.T / norm**2
    expected = sp.eye(2) - eta * H - (eta * rho / norm) * H * projector * H
    for i, j in ((0, 0), (0, 1), (1, 1)):
        d.equal(
            f"entry ({i + 1}, {j + 1}) of I - eta H - (eta rho / G) H (I - u u^T) H, u = g / G",
            jacobian[i, j],
            expected[i, j],
        )
    aligned = jacobian.subs(y, 0)
    d.equal("Aligned with the first axis: along it, the eigenvalue is 1 - eta h_1", aligned[0, 0], 1 - eta * h1)
    d.say(
        "and not 1 - eta h_1 (1 + rho h_1 / G): the normalisation removes the dependence on |w|. It is not a test "
        "of the SAM edge."
    )
    d.equal("Across it", aligned[1, 1], 1 - eta * h2 - eta * rho * h2**2 / (h1 * x))
    d.equal("and the two do not mix", aligned[0, 1], 0)
    return d


def _transverse() -> Derivation:
    d = Derivation(
        "sam_transverse",
        "Transverse stability of the cycles of SAM",
        "the 2-cycle along curvature h, a second direction of curvature q h",
    )
    A = AMPLITUDE
    mu = 1 - a * q - (2 - a) * q**2
    across = 1 - eta * (q * h) - eta * rho * (q * h) ** 2 / (h * A)
    d.equal("With the gradient norm h A of the cycle the transverse multiplier is mu(q)", across, mu)
    d.equal("mu(0) = 1", at(mu, (q, 0)), 1)
    d.equal("mu(1) = -1", at(mu, (q, 1)), -1)
    d.equal("It decreases in between", sp.diff(mu, q), -(a + 2 * (2 - a) * q))
    d.equal("1 - mu", 1 - mu, q * (a + (2 - a) * q))
    d.equal("and 1 + mu are products of positive factors for 0 < q < 1, 0 < a < 2", 1 + mu, (1 - q) * (2 + (2 - a) * q))
    d.say(
        "So |mu| < 1 against every smaller curvature: the cycle along the top eigenvector is locally stable for "
        "every eta h < 2. A cycle along another one has q > 1 and 1 + mu < 0: a saddle."
    )
    d.equal("Near q = 1, (1 + mu) / (1 - q) tends to 4 - a", (2 + (2 - a) * q).subs(q, 1), 4 - a)
    d.equal("near q = 0, (1 - mu) / q to a", (a + (2 - a) * q).subs(q, 0), a)
    domain = {"eta": POSITIVE, "h": POSITIVE, "q": UNIT}
    d.claim(
        id="sam.transverse",
        statement="Beside its 2-cycle SAM multiplies a coordinate of curvature q h by 1 - eta h q - (2 - eta h) q^2",
        kind="measurement",
        left=mu,
        rule="sam",
        measured_by="transverse_multiplier",
        domain={**MEASURED, "q": UNIT},
        where=BELOW,
    )
    d.claim(
        id="sam.transverse_stability",
        statement="The transverse multiplier of the top cycle has modulus at most 1 for every eta h < 2",
        kind="inequality",
        left=mu**2,
        right=sp.Integer(1),
        domain=domain,
        where=BELOW,
    )
    return d
