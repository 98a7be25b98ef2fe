"""Methods without memory: gradient descent and its relatives, cycles of steps, steps on gradient flow."""

from __future__ import annotations

from .._rule import Family, Rule, numbered, rule, step_rule
from .._words import grad, minimum, norm, precond, upcoming


@rule("arXiv:2103.00065")
def gd(w, *, eta):
    """Gradient descent"""
    return w - eta * grad(w)


@rule("derived")
def gd_weight_decay(w, *, eta, weight_decay):
    """Gradient descent with weight decay (coupled and decoupled coincide)"""
    return w - eta * (grad(w) + weight_decay * w)


@rule("derived")
def per_parameter_lr(w):
    """One step size per coordinate, given as `etas`; h is an eigenvalue of diag(etas)^1/2 H diag(etas)^1/2"""
    return w - precond(grad(w))


@rule("derived")
def preconditioned_gd(w, *, eta):
    """Gradient descent in a fixed metric P"""
    return w - eta * precond(grad(w))


@rule("derived")
def clipped_gd(w, *, eta, clip):
    """Gradient descent, gradient clipped at norm `clip`"""
    g = grad(w)
    return w - eta * minimum(1, clip / norm(g)) * g


@rule("arXiv:2603.05002")
def normalised(w, *, eta):
    """Normalised gradient descent (Euclidean norm)"""
    g = grad(w)
    return w - eta * g / norm(g)


@rule("derived")
def extragradient(w, *, eta):
    """Extragradient: the gradient after a trial step"""
    return w - eta * grad(w - eta * grad(w))


@rule("derived")
def alternating_steps(w, *, eta_1, eta_2):
    """Two step sizes in turn; one step is one round"""
    half = w - eta_1 * grad(w)
    return half - eta_2 * grad(half)


def _cyclic_steps(n: int) -> Rule:
    def step(w, **etas):
        for eta in etas.values():
            w = w - eta * grad(w)
        return w

    return step_rule(f"cyclic_steps_{n}", ["w"], numbered("eta", n), step, reference="derived")


cyclic_steps = Family(
    "cyclic_steps",
    "n",
    _cyclic_steps,
    vectors=("etas",),
    reference="derived",
    summary="A cycle of n step sizes; one step is one round",
    formula="first h > 0 beyond which |prod_i (1 - etas_i h)| > 1 (numerical root)",
    latex=r"\min\{h > 0 : \lvert\textstyle\prod_i (1 - \eta_i h)\rvert = 1 \text{, crossing}\}",
)


def _lookahead(k: int) -> Rule:
    def step(w, *, eta, alpha):
        fast = w
        for _ in range(k):
            fast = fast - eta * grad(fast)
        return w + alpha * (fast - w)

    return step_rule(f"lookahead_{k}", ["w"], ["eta", "alpha"], step, reference="derived")


def _lookahead_edge(*, eta, alpha, k):
    import sympy as sp

    odd = (1 + ((2 - alpha) / alpha) ** (1 / k)) / eta
    return sp.Piecewise((2 / eta, sp.Eq(sp.Mod(k, 2), 0)), (odd, True))


lookahead = Family(
    "lookahead",
    "k",
    _lookahead,
    edge=_lookahead_edge,
    reference="derived",
    summary="k inner steps of gradient descent, then slow weights move by alpha",
)


@rule("derived")
def runge_kutta_2(w, *, eta):
    """Heun's method on gradient flow"""
    k1 = -grad(w)
    k2 = -grad(w + eta * k1)
    return w + eta / 2 * (k1 + k2)


@rule("derived")
def runge_kutta_4(w, *, eta):
    """The classical Runge-Kutta method on gradient flow"""
    k1 = -grad(w)
    k2 = -grad(w + eta / 2 * k1)
    k3 = -grad(w + eta / 2 * k2)
    k4 = -grad(w + eta * k3)
    return w + eta / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@rule("derived")
def implicit_gd(w, *, eta):
    """Implicit (proximal) gradient descent: the negative control, stable at every curvature"""
    return w - eta * grad(upcoming(w))
