"""Step of `alternating_steps`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta_2*grad(w - eta_1*grad(w)) - eta_1*grad(w)'
STATE = ('w',)
HYPER = ('eta_1', 'eta_2')
ITERATES = (True,)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, eta_1, eta_2):
    g0_ = grad(w)
    x0_ = w - eta_1 * g0_
    g1_ = grad(x0_)
    return (w - eta_1 * g0_ - eta_2 * g1_,)


@kernel
def diagonal(w, curvature, linear, eta_1, eta_2, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_
                    x0_v = w_ - eta_1[r] * g0_v
                    g1_v = h_ * x0_v
                    w_next = w_ - eta_1[r] * g0_v - eta_2[r] * g1_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta_1, eta_2, stops, kept):
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
                    x0_v = w_ - eta_1[r] * g0_v
                    g1_at[i, r] = x0_v
            product(hessian, g1_at, g1_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    g1_v = g1_[i, r]
                    w_next = w_ - eta_1[r] * g0_v - eta_2[r] * g1_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
