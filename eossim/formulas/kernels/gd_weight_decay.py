"""Step of `gd_weight_decay`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*(grad(w) + w*weight_decay)'
STATE = ('w',)
HYPER = ('eta', 'weight_decay')
ITERATES = (True,)
CENTRED = True
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, eta, weight_decay):
    g0_ = grad(w)
    return (w - eta * (g0_ + weight_decay * w),)


@kernel
def diagonal(w, curvature, linear, eta, weight_decay, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_ - b_
                    w_next = w_ - eta[r] * (g0_v + weight_decay[r] * w_)
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta, weight_decay, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    g0_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r] - b_
                    w_next = w_ - eta[r] * (g0_v + weight_decay[r] * w_)
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
