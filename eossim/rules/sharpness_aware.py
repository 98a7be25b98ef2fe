"""Sharpness-aware methods: the gradient at a perturbed point."""

from __future__ import annotations

from typing import Any

from .._rule import rule
from .._words import grad, norm


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
