"""Step of `optimistic_gd`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*(2*grad(w) - v); v <- grad(w)'
STATE = ('w', 'v')
HYPER = ('eta',)
ITERATES = (True, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, v, *, grad, norm, eta):
    c0_ = w.dtype.type(2.0)
    g0_ = grad(w)
    return (w - eta * (c0_ * g0_ - v), g0_,)


@kernel
def diagonal(w, v, curvature, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(2.0)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    v_ = v[i, r]
                    g0_v = h_ * w_
                    w_next = w_ - eta[r] * (c0_ * g0_v - v_)
                    v_next = g0_v
                    w[i, r] = w_next
                    v[i, r] = v_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, v, hessian, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(2.0)
    g0_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    v_ = v[i, r]
                    g0_v = g0_[i, r]
                    w_next = w_ - eta[r] * (c0_ * g0_v - v_)
                    v_next = g0_v
                    w[i, r] = w_next
                    v[i, r] = v_next
        done = stops[p]
        kept[p] = w
