"""Gradient flow of the uv model: p q is conserved, and the end point follows; starts with zero output."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import at, experiment_claim
from .toy_symbols import f, image, kappa, lam, y
from .toy_uv_hessian import PRODUCT, SHARPNESS
from .toy_uv_model import MODEL, RESIDUAL, SIDES, SOURCE, STARTS, in_sides

FLOW_END = sp.sqrt(PRODUCT + 4 * kappa * y**2)
ZERO_OUTPUT_C_LOSS = 1 + sp.sqrt(1 + 4 * kappa * y**2 / lam**2)


def derive() -> list[Derivation]:
    """Return the end point of gradient flow, and what a start with zero output does."""
    return [_flow(), _zero_output()]


def _flow() -> Derivation:
    d = Derivation("uv_flow", "Gradient flow on the uv model", MODEL, SOURCE)
    first = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=y)
    velocity = [at(sp.diff(after, eta), (eta, 0)) for after in first]
    d.say("Per unit of time, eta -> 0, a step moves")
    d.equal("f", velocity[0], -lam * (f - y))
    d.equal("lam", velocity[1], -4 * kappa * f * (f - y))
    rate = RESIDUAL / eta
    for side, sign, name in ((SIDES[0], -1, "p"), (SIDES[1], 1, "q")):
        moved = sp.diff(side, f) * velocity[0] + sp.diff(side, lam) * velocity[1]
        d.equal(f"{name} moves by {'-' if sign < 0 else '+'}2 e {name} / eta", moved, 2 * sign * rate * side)
    product = sp.prod(SIDES)
    d.equal("So p q is conserved", sp.diff(product, f) * velocity[0] + sp.diff(product, lam) * velocity[1], 0)
    end = sp.sqrt(lam**2 + 4 * kappa * (y**2 - f**2))
    d.equal("At f = y, lam^2 = p q + 4 kappa y^2", at(lam**2, (lam, FLOW_END)), PRODUCT + 4 * kappa * y**2)
    d.equal("that is lam_0^2 + 4 kappa (y^2 - f_0^2)", FLOW_END**2, end**2)
    d.equal("Where f = y already, nothing moves", at(end, (f, y)), lam)
    root = sp.sqrt(kappa)
    d.say("p = 0 stays. There f < 0, and with y >= 0 it never comes to y but to the saddle, lam = f = 0:")
    d.equal("lam moves by", at(velocity[1], (f, -lam / (2 * root))), -lam * (lam + 2 * root * y))
    d.claim(
        id="uv.flow_end",
        statement="the trace at the end of gradient flow: p q + 4 kappa y^2 = lam_0^2 + 4 kappa (y^2 - f_0^2)",
        kind="equality",
        left=in_sides(FLOW_END**2),
        right=in_sides(end**2),
        domain=STARTS,
    )
    experiment_claim(
        d,
        "uv.conservation",
        "uv_conservation",
        "p q obeys its product law at every step, and small steps end where gradient flow does, off linearly in eta",
    )
    return d


def _zero_output() -> Derivation:
    d = Derivation("uv_zero_output", "The uv model from zero output", MODEL, SOURCE)
    first = image(uv_function, f=sp.Integer(0), lam=lam, eta=eta, kappa=kappa, y=y)
    d.equal("D_1 = D_0 (1 - eta lam_0): the loss rises iff eta lam_0 > 2", first[0] - y, -y * (1 - eta * lam))
    d.equal("The trace always grows", first[1], lam * (1 + eta**2 * kappa * y**2))
    c_loss = at(2 * SHARPNESS / lam, (f, 0))
    d.equal("c_loss = 2 lam^H_0 / lam_0", (c_loss - 1) ** 2, (ZERO_OUTPUT_C_LOSS - 1) ** 2)
    d.equal("is 2 in the limit of large width, kappa = 0", at(ZERO_OUTPUT_C_LOSS, (kappa, 0)), 2)
    return d
