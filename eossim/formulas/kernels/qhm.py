"""Step of `qhm`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*((1 - nu)*grad(w) + nu*((1 - beta)*grad(w) + beta*m)); m <- (1 - beta)*grad(w) + beta*m'
STATE = ('w', 'm')
HYPER = ('eta', 'beta', 'nu')
ITERATES = (True, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, m, *, grad, norm, eta, beta, nu):
    c0_ = w.dtype.type(-1.0)
    g0_ = grad(w)
    s0_ = beta + c0_
    u0_ = beta * m - s0_ * g0_
    s1_ = c0_ + nu
    return (w - eta * (nu * u0_ - s1_ * g0_), u0_,)


@kernel
def diagonal(w, m, curvature, linear, eta, beta, nu, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(-1.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    for r in range(runs):
        s0_[r] = beta[r] + c0_
        s1_[r] = c0_ + nu[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g0_v = h_ * w_
                    u0_v = beta[r] * m_ - s0_[r] * g0_v
                    w_next = w_ - eta[r] * (nu[r] * u0_v - s1_[r] * g0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, m, hessian, linear, eta, beta, nu, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(-1.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    for r in range(runs):
        s0_[r] = beta[r] + c0_
        s1_[r] = c0_ + nu[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g0_v = g0_[i, r]
                    u0_v = beta[r] * m_ - s0_[r] * g0_v
                    w_next = w_ - eta[r] * (nu[r] * u0_v - s1_[r] * g0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w
