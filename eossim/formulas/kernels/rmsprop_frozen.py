"""Step of `rmsprop_frozen`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*precond(grad(w))'
STATE = ('w',)
HYPER = ('eta',)
ITERATES = (True,)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = True
SHIFT = ''


def step(w, *, grad, norm, eta):
    g0_ = grad(w)
    return (w - eta * g0_,)


@kernel
def diagonal(w, curvature, linear, eta, stops, kept):
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
                    w_next = w_ - eta[r] * g0_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta, stops, kept):
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
                    g0_v = g0_[i, r]
                    w_next = w_ - eta[r] * g0_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
