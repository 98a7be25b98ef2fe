"""Step of `usam_nesterov`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*(grad(w + rho*grad(w)) + beta*(grad(w + rho*grad(w)) + beta*m)); m <- grad(w + rho*grad(w)) + beta*m'
STATE = ('w', 'm')
HYPER = ('eta', 'beta', 'rho')
ITERATES = (True, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, m, *, grad, norm, eta, beta, rho):
    g0_ = grad(w)
    x0_ = w + rho * g0_
    g1_ = grad(x0_)
    u0_ = g1_ + beta * m
    return (w - eta * (g1_ + beta * u0_), u0_,)


@kernel
def diagonal(w, m, curvature, linear, eta, beta, rho, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g0_v = h_ * w_
                    x0_v = w_ + rho[r] * g0_v
                    g1_v = h_ * x0_v
                    u0_v = g1_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g1_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, m, hessian, linear, eta, beta, rho, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    g1_at = np.empty((dim, runs), w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    g1_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    x0_v = w_ + rho[r] * g0_v
                    g1_at[i, r] = x0_v
            product(hessian, g1_at, g1_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g1_v = g1_[i, r]
                    u0_v = g1_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g1_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w
