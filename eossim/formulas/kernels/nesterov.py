"""Step of `nesterov`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*(grad(w) + beta*(grad(w) + beta*m)); m <- grad(w) + beta*m'
STATE = ('w', 'm')
HYPER = ('eta', 'beta')
ITERATES = (True, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, m, *, grad, norm, eta, beta):
    g0_ = grad(w)
    u0_ = g0_ + beta * m
    return (w - eta * (g0_ + beta * u0_), u0_,)


@kernel
def diagonal(w, m, curvature, linear, eta, beta, stops, kept):
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
                    u0_v = g0_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g0_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, m, hessian, linear, eta, beta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    g0_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g0_v = g0_[i, r]
                    u0_v = g0_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g0_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w
