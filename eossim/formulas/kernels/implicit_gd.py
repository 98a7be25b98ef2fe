"""Step of `implicit_gd`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*grad(upcoming(w))'
STATE = ('w',)
HYPER = ('eta',)
ITERATES = (True,)
CENTRED = False
MODEWISE = True
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, h, eta):
    c0_ = w.dtype.type(1.0)
    return (w * (w.dtype.type(1.0) / ((c0_ + eta * h))),)


@kernel
def diagonal(w, curvature, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(1.0)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    w_next = w_ * (w.dtype.type(1.0) / ((c0_ + eta[r] * h_)))
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
