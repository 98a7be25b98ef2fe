"""Early training on the uv model: why the saturated sharpness has its knee at c = 2, and what the estimators return."""

from __future__ import annotations

import sympy as sp

from eossim.maps import uv_function
from eossim.symbolic import eta
from eossim.symbolic.derivation import Derivation

from .common import at, experiment_claim
from .toy_symbols import f, image, k, kappa, lam, s
from .toy_uv_flow import FLOW_END
from .toy_uv_model import MODEL
from .toy_uv_thresholds import K_LOSS, LOSS_RATIO, TRACE_RATIO

SOURCE = "arXiv:2302.12250"


def derive() -> list[Derivation]:
    """Return the wide limit below and above c = 2, with the claims on saturation and on the estimators."""
    d = Derivation("phase_diagram_uv", "The wide uv model on both sides of c = 2", MODEL + ", y = 0", SOURCE)
    first = image(uv_function, f=f, lam=lam, eta=eta, kappa=kappa, y=sp.Integer(0))
    d.say("As the width grows, s = kappa f_0^2 / lam_0^2 tends to 0: one step leaves the trace and scales the loss.")
    d.equal("lam_1 / lam_0", at(TRACE_RATIO, (s, 0)), 1)
    d.equal("L_1 / L_0: below 1 iff k < 2", at(LOSS_RATIO, (s, 0)), (1 - k) ** 2)
    d.say("Below k = 2 nothing happens to the sharpness, and gradient flow ends where it began:")
    d.equal("lam_inf^2", at(FLOW_END**2, (sp.Symbol("y", real=True), 0)), lam**2 - 4 * kappa * f**2)
    d.say("Above it the loss grows until lam falls, by eta kappa f^2 (4 - eta lam) a step, and f = 0 repels while")
    d.equal("the factor of f at small f is below -1", at(sp.diff(first[0], f), (f, 0)), 1 - eta * lam)
    d.equal("that is eta lam > 2: it is -1 at", at(1 - eta * lam, (lam, 2 / eta)), -1)
    d.say("So above k = 2 a run ends below 2/eta: the saturated sharpness against c has its knee at 2.")
    d.say("The first range of k that raises the loss ends at 2 / (s k_loss), where L_1 / L_0 is 1 again,")
    d.equal("to be squared, -1", at(1 - k + k**2 * s, (k, 2 / (s * K_LOSS))), -1)
    d.equal("and is that of a factor 2 at s = 1/9, more below", at(2 / (s * K_LOSS**2), (s, sp.Rational(1, 9))), 2)
    experiment_claim(
        d,
        "phase_diagram.c_crit",
        "saturation_of_uv",
        "uv model from Gaussian starts: the saturated sharpness has its knee at c = 2.00, at every width",
    )
    experiment_claim(
        d,
        "phase_diagram.estimator",
        "critical_constants_of_a_notebook",
        "from printed losses and sharpness of a network of width 256: c_loss = 2^1.7, c_sharp = 2^2.3, c_max = 2^3.8",
    )
    experiment_claim(
        d,
        "phase_diagram.forward_passes",
        "critical_step_of_uv",
        "uv model, s <= 1/9: the step found from forward passes raises the loss by at most delta and tends to c_loss",
    )
    return [d]
