"""Step of `normalised`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*grad(w)/norm(grad(w))'
STATE = ('w',)
HYPER = ('eta',)
ITERATES = (True,)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, eta):
    g0_ = grad(w)
    n0_ = norm(g0_)
    s0_ = eta * np.where(n0_ != 0, w.dtype.type(1.0) / (n0_), w.dtype.type(0.0))
    return (w - s0_ * g0_,)


@kernel
def diagonal(w, curvature, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            n0_[:] = zero
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = eta[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_
                    w_next = w_ - s0_[r] * g0_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            n0_[:] = zero
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = eta[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    w_next = w_ - s0_[r] * g0_v
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
