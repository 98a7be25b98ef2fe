"""The shipped methods, each a few lines of mathematics.

Positional parameters are the state (``w`` the iterate), keyword-only parameters the hyper-parameters, the return value
is the state after one step. Everything else (edge, kernel, test) follows from these lines. Edges marked "derived" were
derived for this project; ``arXiv`` numbers name where a method's edge was published.
"""

from __future__ import annotations

from typing import Any

from ._rule import Family, Rule, rule, step_rule
from ._words import grad, minimum, norm, precond, upcoming

# --- without memory ---------------------------------------------------------------------------------------------------


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

    return step_rule(f"cyclic_steps_{n}", ["w"], _numbered("eta", n), step, reference="derived")


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


# --- momentum ---------------------------------------------------------------------------------------------------------


@rule("arXiv:2103.00065")
def heavy_ball(w, m, *, eta, beta):
    """Polyak's heavy ball: the buffer sums gradients"""
    m = beta * m + grad(w)
    return w - eta * m, m


@rule("derived")
def heavy_ball_dampened(w, m, *, eta, beta, tau):
    """Heavy ball with dampening tau on the incoming gradient"""
    m = beta * m + (1 - tau) * grad(w)
    return w - eta * m, m


@rule("arXiv:2207.14484")
def ema_momentum(w, m, *, eta, beta):
    """Momentum as an exponential moving average of gradients"""
    m = beta * m + (1 - beta) * grad(w)
    return w - eta * m, m


@rule("arXiv:2103.00065")
def nesterov(w, m, *, eta, beta):
    """Nesterov's accelerated gradient, in the form u = g + beta m"""
    g = grad(w)
    m = beta * m + g
    return w - eta * (g + beta * m), m


@rule("derived")
def ema_nesterov(w, m, *, eta, beta):
    """Nesterov momentum on a moving average"""
    g = grad(w)
    m = beta * m + (1 - beta) * g
    return w - eta * ((1 - beta) * g + beta * m), m


@rule("derived")
def qhm(w, m, *, eta, beta, nu):
    """Quasi-hyperbolic momentum: a mixture of gradient and moving average"""
    g = grad(w)
    m = beta * m + (1 - beta) * g
    return w - eta * ((1 - nu) * g + nu * m), m


def _parallel_ema(n: int) -> Rule:
    def step(w, *buffers, eta, **mixture):
        g = grad(w)
        betas = [mixture[f"beta_{i}"] for i in range(1, n + 1)]
        weights = [mixture[f"weight_{i}"] for i in range(1, n + 1)]
        averages = [beta * m + (1 - beta) * g for beta, m in zip(betas, buffers, strict=True)]
        return w - eta * sum(a * m for a, m in zip(weights, averages, strict=True)), *averages

    hyper = ["eta", *_numbered("beta", n), *_numbered("weight", n)]
    return step_rule(f"parallel_ema_{n}", ["w", *_numbered("m", n)], hyper, step, reference="derived")


parallel_ema = Family(
    "parallel_ema",
    "n",
    _parallel_ema,
    vectors=("betas", "weights"),
    reference="Lee & Lee 2026",
    summary="A weighted sum of n moving averages of the gradient",
    formula="2/(eta*sum_i(weights_i*(1 - betas_i)/(1 + betas_i)))",
    latex=r"\frac{2}{\eta \sum_i w_i (1 - \beta_i) / (1 + \beta_i)}",
)


@rule("derived")
def cascaded_ema(w, m_1, m_2, *, eta, beta_1, beta_2):
    """A moving average of a moving average: its edge can be a complex crossing"""
    m_1 = beta_1 * m_1 + (1 - beta_1) * grad(w)
    m_2 = beta_2 * m_2 + (1 - beta_2) * m_1
    return w - eta * m_2, m_1, m_2


@rule("derived")
def optimistic_gd(w, v, *, eta):
    """Optimistic gradient descent, u = 2 g_t - g_(t-1); v holds the last gradient"""
    g = grad(w)
    return w - eta * (2 * g - v), g


def _delayed_gd(delay: int) -> Rule:
    def step(w, *past, eta):
        history = (w, *past)
        return w - eta * grad(history[-1]), *history[:-1]

    return step_rule(f"delayed_gd_{delay}", ["w", *_numbered("w", delay)], ["eta"], step, reference="derived")


def _delayed_gd_edge(*, eta, delay):
    import sympy as sp

    return 2 * sp.sin(sp.pi / (2 * (2 * delay + 1))) / eta


delayed_gd = Family(
    "delayed_gd",
    "delay",
    _delayed_gd,
    smallest=0,
    edge=_delayed_gd_edge,
    reference="derived",
    summary="Gradient descent on gradients that are `delay` steps old",
)


@rule("derived")
def heavy_ball_l2(w, m, *, eta, beta, weight_decay):
    """Heavy ball, decay added to the gradient"""
    m = beta * m + grad(w) + weight_decay * w
    return w - eta * m, m


@rule("derived")
def nesterov_l2(w, m, *, eta, beta, weight_decay):
    """Nesterov, decay added to the gradient"""
    g = grad(w) + weight_decay * w
    m = beta * m + g
    return w - eta * (g + beta * m), m


@rule("derived")
def heavy_ball_decoupled(w, m, *, eta, beta, weight_decay):
    """Heavy ball, decay beside the gradient"""
    m = beta * m + grad(w)
    return w - eta * weight_decay * w - eta * m, m


# --- frozen preconditioners: h is an eigenvalue of P^-1/2 H P^-1/2 ----------------------------------------------------


@rule("arXiv:2207.14484")
def rmsprop_frozen(w, *, eta):
    """RMSProp at a fixed second moment"""
    return w - eta * precond(grad(w))


@rule("derived")
def rmsprop_momentum(w, m, *, eta, mu):
    """RMSProp with a momentum buffer, at a fixed second moment"""
    m = mu * m + precond(grad(w))
    return w - eta * m, m


@rule("arXiv:2207.14484")
def adam_frozen(w, m, *, eta, beta1):
    """Adam at a fixed second moment, bias correction done"""
    m = beta1 * m + (1 - beta1) * precond(grad(w))
    return w - eta * m, m


@rule("derived")
def adam_l2(w, m, *, eta, beta1, weight_decay):
    """Adam with decay inside the gradient; h is an eigenvalue of P^-1/2 (H + weight_decay I) P^-1/2"""
    m = beta1 * m + (1 - beta1) * precond(grad(w) + weight_decay * w)
    return w - eta * m, m


@rule("derived")
def adamw_frozen(w, m, *, eta, beta1, weight_decay):
    """AdamW at a fixed second moment"""
    m = beta1 * m + (1 - beta1) * precond(grad(w))
    return w - eta * weight_decay * w - eta * m, m


@rule("derived")
def nadam_frozen(w, m, *, eta, beta1):
    """NAdam at a fixed second moment, constant beta1"""
    g = precond(grad(w))
    m = beta1 * m + (1 - beta1) * g
    return w - eta * ((1 - beta1) * g + beta1 * m), m


# --- sharpness-aware: the gradient at a perturbed point ---------------------------------------------------------------


def _ascended(w: Any, rho: Any) -> Any:
    """Return the gradient at the normalised ascent point (SAM)."""
    g = grad(w)
    return grad(w + rho * g / norm(g))


def _ascended_raw(w: Any, rho: Any) -> Any:
    """Return the gradient at the un-normalised ascent point (USAM)."""
    return grad(w + rho * grad(w))


@rule("arXiv:2309.12488")
def sam(w, *, eta, rho):
    """Sharpness-aware minimisation: the gradient at w + rho g / |g|

    Where the gradient is zero the step is zero (no perturbation); rho = 0 is gradient descent.
    """
    return w - eta * _ascended(w, rho)


@rule("derived")
def usam(w, *, eta, rho):
    """Un-normalised SAM: the gradient at w + rho g"""
    return w - eta * _ascended_raw(w, rho)


@rule("derived")
def sam_heavy_ball(w, m, *, eta, beta, rho):
    """SAM with heavy ball; the edge is that of the period-2 orbit"""
    m = beta * m + _ascended(w, rho)
    return w - eta * m, m


@rule("derived")
def sam_ema(w, m, *, eta, beta, rho):
    """SAM with a moving average; the edge is that of the period-2 orbit"""
    m = beta * m + (1 - beta) * _ascended(w, rho)
    return w - eta * m, m


@rule("derived")
def sam_nesterov(w, m, *, eta, beta, rho):
    """SAM with Nesterov momentum; the edge is that of the period-2 orbit"""
    g = _ascended(w, rho)
    m = beta * m + g
    return w - eta * (g + beta * m), m


@rule("derived")
def sam_decoupled_decay(w, *, eta, rho, weight_decay):
    """SAM with decay beside the gradient"""
    return w - eta * weight_decay * w - eta * _ascended(w, rho)


@rule("derived")
def usam_heavy_ball(w, m, *, eta, beta, rho):
    """Un-normalised SAM with heavy ball"""
    m = beta * m + _ascended_raw(w, rho)
    return w - eta * m, m


@rule("derived")
def usam_ema(w, m, *, eta, beta, rho):
    """Un-normalised SAM with a moving average"""
    m = beta * m + (1 - beta) * _ascended_raw(w, rho)
    return w - eta * m, m


@rule("derived")
def usam_nesterov(w, m, *, eta, beta, rho):
    """Un-normalised SAM with Nesterov momentum"""
    g = _ascended_raw(w, rho)
    m = beta * m + g
    return w - eta * (g + beta * m), m


def _numbered(stem: str, n: int) -> list[str]:
    return [f"{stem}_{i}" for i in range(1, n + 1)]


#: Every shipped method by name, in the order of the catalogue.
CATALOGUE: dict[str, Rule | Family] = {
    name: value for name, value in list(globals().items()) if isinstance(value, Rule | Family)
}
for _name, _rule in CATALOGUE.items():
    if isinstance(_rule, Rule):
        _rule.kernel_module = f"eossim.formulas.kernels.{_name}"
