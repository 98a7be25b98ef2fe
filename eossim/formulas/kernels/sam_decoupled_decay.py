"""Step of `sam_decoupled_decay`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*grad(w + rho*grad(w)/norm(grad(w))) - eta*w*weight_decay'
STATE = ('w',)
HYPER = ('eta', 'rho', 'weight_decay')
ITERATES = (True,)
CENTRED = True
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, *, grad, norm, eta, rho, weight_decay):
    g0_ = grad(w)
    n0_ = norm(g0_)
    s0_ = rho * np.where(n0_ != 0, w.dtype.type(1.0) / (n0_), w.dtype.type(0.0))
    x0_ = w + s0_ * g0_
    g1_ = grad(x0_)
    s1_ = weight_decay * eta
    return (w - eta * g1_ - s1_ * w,)


@kernel
def diagonal(w, curvature, linear, eta, rho, weight_decay, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    for r in range(runs):
        s1_[r] = weight_decay[r] * eta[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            n0_[:] = zero
            for i in range(0, dim - 3, 4):
                h_at0_ = curvature[i + 0]
                b_at0_ = linear[i + 0]
                h_at1_ = curvature[i + 1]
                b_at1_ = linear[i + 1]
                h_at2_ = curvature[i + 2]
                b_at2_ = linear[i + 2]
                h_at3_ = curvature[i + 3]
                b_at3_ = linear[i + 3]
                for r in range(runs):
                    total = n0_[r]
                    w_ = w[i + 0, r]
                    g0_v = h_at0_ * w_ - b_at0_
                    total += g0_v * g0_v
                    w_ = w[i + 1, r]
                    g0_v = h_at1_ * w_ - b_at1_
                    total += g0_v * g0_v
                    w_ = w[i + 2, r]
                    g0_v = h_at2_ * w_ - b_at2_
                    total += g0_v * g0_v
                    w_ = w[i + 3, r]
                    g0_v = h_at3_ * w_ - b_at3_
                    total += g0_v * g0_v
                    n0_[r] = total
            for i in range(dim - dim % 4, dim):
                h_ = curvature[i]
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_ - b_
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = rho[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                h_ = curvature[i]
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_ - b_
                    x0_v = w_ + s0_[r] * g0_v
                    g1_v = h_ * x0_v - b_
                    w_next = w_ - eta[r] * g1_v - s1_[r] * w_
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, hessian, linear, eta, rho, weight_decay, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    g1_at = np.empty((dim, runs), w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    g1_ = np.empty((dim, runs), w.dtype)
    for r in range(runs):
        s1_[r] = weight_decay[r] * eta[r]
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            n0_[:] = zero
            for i in range(0, dim - 3, 4):
                b_at0_ = linear[i + 0]
                b_at1_ = linear[i + 1]
                b_at2_ = linear[i + 2]
                b_at3_ = linear[i + 3]
                for r in range(runs):
                    total = n0_[r]
                    w_ = w[i + 0, r]
                    g0_v = g0_[i + 0, r] - b_at0_
                    total += g0_v * g0_v
                    w_ = w[i + 1, r]
                    g0_v = g0_[i + 1, r] - b_at1_
                    total += g0_v * g0_v
                    w_ = w[i + 2, r]
                    g0_v = g0_[i + 2, r] - b_at2_
                    total += g0_v * g0_v
                    w_ = w[i + 3, r]
                    g0_v = g0_[i + 3, r] - b_at3_
                    total += g0_v * g0_v
                    n0_[r] = total
            for i in range(dim - dim % 4, dim):
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r] - b_
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = rho[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r] - b_
                    x0_v = w_ + s0_[r] * g0_v
                    g1_at[i, r] = x0_v
            product(hessian, g1_at, g1_)
            for i in range(dim):
                b_ = linear[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g1_v = g1_[i, r] - b_
                    w_next = w_ - eta[r] * g1_v - s1_[r] * w_
                    w[i, r] = w_next
        done = stops[p]
        kept[p] = w
