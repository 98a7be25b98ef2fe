"""Adaptive methods at a frozen preconditioner P: h is an eigenvalue of P^-1/2 H P^-1/2."""

from __future__ import annotations

from .._rule import rule
from .._words import grad, precond


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
