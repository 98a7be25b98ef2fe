"""Step of `sam_nesterov`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*(grad(w + rho*grad(w)/norm(grad(w))) + beta*(grad(w + rho*grad(w)/norm(grad(w))) + beta*m)); m <- grad(w + rho*grad(w)/norm(grad(w))) + beta*m'
STATE = ('w', 'm')
HYPER = ('eta', 'beta', 'rho')
ITERATES = (True, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, m, *, grad, norm, eta, beta, rho):
    g0_ = grad(w)
    n0_ = norm(g0_)
    s0_ = rho * np.where(n0_ != 0, w.dtype.type(1.0) / (n0_), w.dtype.type(0.0))
    x0_ = w + s0_ * g0_
    g1_ = grad(x0_)
    u0_ = g1_ + beta * m
    return (w - eta * (g1_ + beta * u0_), u0_,)


@kernel
def diagonal(w, m, curvature, linear, eta, beta, rho, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            n0_[:] = zero
            for i in range(0, dim - 3, 4):
                h_at0_ = curvature[i + 0]
                h_at1_ = curvature[i + 1]
                h_at2_ = curvature[i + 2]
                h_at3_ = curvature[i + 3]
                for r in range(runs):
                    total = n0_[r]
                    w_ = w[i + 0, r]
                    g0_v = h_at0_ * w_
                    total += g0_v * g0_v
                    w_ = w[i + 1, r]
                    g0_v = h_at1_ * w_
                    total += g0_v * g0_v
                    w_ = w[i + 2, r]
                    g0_v = h_at2_ * w_
                    total += g0_v * g0_v
                    w_ = w[i + 3, r]
                    g0_v = h_at3_ * w_
                    total += g0_v * g0_v
                    n0_[r] = total
            for i in range(dim - dim % 4, dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = h_ * w_
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = rho[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g0_v = h_ * w_
                    x0_v = w_ + s0_[r] * g0_v
                    g1_v = h_ * x0_v
                    u0_v = g1_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g1_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, m, hessian, linear, eta, beta, rho, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    s0_ = np.empty(runs, w.dtype)
    n0_ = np.empty(runs, w.dtype)
    g1_at = np.empty((dim, runs), w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    g1_ = np.empty((dim, runs), w.dtype)
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            n0_[:] = zero
            for i in range(0, dim - 3, 4):
                for r in range(runs):
                    total = n0_[r]
                    w_ = w[i + 0, r]
                    g0_v = g0_[i + 0, r]
                    total += g0_v * g0_v
                    w_ = w[i + 1, r]
                    g0_v = g0_[i + 1, r]
                    total += g0_v * g0_v
                    w_ = w[i + 2, r]
                    g0_v = g0_[i + 2, r]
                    total += g0_v * g0_v
                    w_ = w[i + 3, r]
                    g0_v = g0_[i + 3, r]
                    total += g0_v * g0_v
                    n0_[r] = total
            for i in range(dim - dim % 4, dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    n0_[r] += g0_v * g0_v
            for r in range(runs):
                n0_[r] = np.sqrt(n0_[r])
            for r in range(runs):
                s0_[r] = rho[r] * (w.dtype.type(1.0) / (n0_[r]) if n0_[r] != zero else zero)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    g0_v = g0_[i, r]
                    x0_v = w_ + s0_[r] * g0_v
                    g1_at[i, r] = x0_v
            product(hessian, g1_at, g1_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    m_ = m[i, r]
                    g1_v = g1_[i, r]
                    u0_v = g1_v + beta[r] * m_
                    w_next = w_ - eta[r] * (g1_v + beta[r] * u0_v)
                    m_next = u0_v
                    w[i, r] = w_next
                    m[i, r] = m_next
        done = stops[p]
        kept[p] = w
