"""Step of `runge_kutta_4`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w + eta*(-grad(w - eta*grad(w - eta*grad(w - eta*grad(w)/2)/2)) - 2*grad(w - eta*grad(w - eta*grad(w)/2)/2) - 2*grad(w - eta*grad(w)/2) - grad(w))/6'
STATE = ('w',)
HYPER = ('eta',)
ITERATES = (True,)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, eta):
    c0_ = w.dtype.type(0.5)
    c1_ = w.dtype.type(2.0)
    c2_ = w.dtype.type(0.16666666666666666)
    g0_ = grad(w)
    s0_ = c0_ * eta
    x0_ = w - s0_ * g0_
    g1_ = grad(x0_)
    x1_ = w - s0_ * g1_
    g2_ = grad(x1_)
    x2_ = w - eta * g2_
    g3_ = grad(x2_)
    s1_ = c2_ * eta
    return (w + s1_ * ((-(g0_)) - g3_ - c1_ * g1_ - c1_ * g2_),)


@kernel
def diagonal(w, curvature, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(0.5)
    c1_ = w.dtype.type(2.0)
    c2_ = w.dtype.type(0.16666666666666666)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    for r in range(runs):
        s0_[r] = c0_ * eta[r]
        s1_[r] = c2_ * eta[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_
                    x0_v = w_ - s0_[r] * g0_v
                    g1_v = h_ * x0_v
                    x1_v = w_ - s0_[r] * g1_v
                    g2_v = h_ * x1_v
                    x2_v = w_ - eta[r] * g2_v
                    g3_v = h_ * x2_v
                    w_next = w_ + s1_[r] * ((-(g0_v)) - g3_v - c1_ * g1_v - c1_ * g2_v)
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(0.5)
    c1_ = w.dtype.type(2.0)
    c2_ = w.dtype.type(0.16666666666666666)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    g1_at = np.empty((dim, runs), w.dtype)
    g2_at = np.empty((dim, runs), w.dtype)
    g3_at = np.empty((dim, runs), w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    g1_ = np.empty((dim, runs), w.dtype)
    g2_ = np.empty((dim, runs), w.dtype)
    g3_ = np.empty((dim, runs), w.dtype)
    for r in range(runs):
        s0_[r] = c0_ * eta[r]
        s1_[r] = c2_ * eta[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    x0_v = w_ - s0_[r] * g0_v
                    g1_at[i, r] = x0_v
            product(hessian, g1_at, g1_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g1_v = g1_[i, r]
                    x1_v = w_ - s0_[r] * g1_v
                    g2_at[i, r] = x1_v
            product(hessian, g2_at, g2_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g2_v = g2_[i, r]
                    x2_v = w_ - eta[r] * g2_v
                    g3_at[i, r] = x2_v
            product(hessian, g3_at, g3_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    g1_v = g1_[i, r]
                    g2_v = g2_[i, r]
                    g3_v = g3_[i, r]
                    w_next = w_ + s1_[r] * ((-(g0_v)) - g3_v - c1_ * g1_v - c1_ * g2_v)
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
