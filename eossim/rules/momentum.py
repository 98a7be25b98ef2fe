"""Momentum: heavy ball, moving averages and their mixtures, delays, decay coupled and decoupled."""

from __future__ import annotations

from .._rule import Family, Rule, numbered, rule, step_rule
from .._words import grad


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

    hyper = ["eta", *numbered("beta", n), *numbered("weight", n)]
    return step_rule(f"parallel_ema_{n}", ["w", *numbered("m", n)], hyper, step, reference="derived")


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

    return step_rule(f"delayed_gd_{delay}", ["w", *numbered("w", delay)], ["eta"], step, reference="derived")


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
