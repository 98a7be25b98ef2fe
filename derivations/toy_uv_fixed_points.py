"""Fixed points of the uv model with a target, and their multipliers."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv
from eossim.symbolic.derivation import Derivation

from .common import POSITIVE, at, experiment_claim
from .toy_symbols import P, Q, Y, image, put

MODEL = "P' = P (1 - e)^2, Q' = Q (1 + e)^2, e = (P - Q) / 4 - Y, Y = eta sqrt(kappa) y > 0"
SOURCE = "arXiv:2311.02076"

#: (P, Q, multipliers) of the isolated fixed points: zero output, e = 2 and e = -2.
POINTS = {
    "II": (sp.Integer(0), sp.Integer(0), ((1 + Y) ** 2, (1 - Y) ** 2)),
    "III": (4 * (Y + 2), sp.Integer(0), (sp.Integer(9), 5 + 2 * Y)),
    "IV": (sp.Integer(0), 4 * (2 - Y), (sp.Integer(9), 5 - 2 * Y)),
}


def derive() -> list[Derivation]:
    """Return the fixed points with their multipliers."""
    d = Derivation("uv_fixed_points", "Fixed points of the uv model with a target", MODEL, SOURCE)
    E = (P - Q) / 4 - Y
    after = image(uv, P=P, Q=Q, Y=Y)
    d.equal("P' - P", after[0] - P, P * E * (E - 2))
    d.equal("Q' - Q", after[1] - Q, Q * E * (E + 2))
    d.say(
        "Both vanish iff e = 0, or P = Q = 0, or e = 2 with Q = 0, or e = -2 with P = 0. In the parameters III and IV "
        "are 2-cycles: a factor 1 - e = -1."
    )
    jacobian = sp.Matrix([[put(uv, entry, P=P, Q=Q, Y=Y) for entry in row] for row in uv.jacobian.tolist()])
    on_line = (P, Q + 4 * Y)
    trace, det = jacobian.trace(), jacobian.det()
    sharp = at((P + Q) / 2, on_line)
    d.equal("I, e = 0: both coordinates stay", at(after[0], on_line), Q + 4 * Y)
    d.equal("the sum of its multipliers 1 and 1 - eta lam, eta lam = (P + Q) / 2", at(trace, on_line), 2 - sharp)
    d.equal("and their product", at(det, on_line), 1 - sharp)
    d.equal(
        "On it eta lam is least, 2 Y, at Q = 0: the line attracts somewhere iff Y < 1", at(sharp.doit(), (Q, 0)), 2 * Y
    )
    for name, (first, second, multipliers) in POINTS.items():
        place = (P, first), (Q, second)
        d.equal(f"{name}: P stays", at(after[0], *place), first)
        d.equal(f"{name}: Q stays", at(after[1], *place), second)
        d.equal(f"{name}: the sum of the multipliers", at(trace, *place), sum(multipliers))
        d.equal(f"{name}: their product", at(det, *place), sp.prod(multipliers))
    d.say("II is a saddle for 0 < Y < 2. III repels, and so does IV, which exists for Y < 2.")
    third = 4 * (Y + 2)
    d.claim(
        id="uv.fixed_point_III",
        statement="(P, Q) = (4 Y + 8, 0), e = 2, is a fixed point: the parameters change sign at every step",
        kind="equality",
        left=after[0].subs({P: third, Q: 0}),
        right=third,
        domain={"Y": POSITIVE},
    )
    experiment_claim(
        d,
        "uv.multipliers",
        "uv_multipliers",
        "small displacements from the fixed points of the uv model grow by the multipliers of the closed forms",
    )
    return [d]
