"""Step of `cascaded_ema`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = 'w <- w - eta*((1 - beta_2)*((1 - beta_1)*grad(w) + beta_1*m_1) + beta_2*m_2); m_1 <- (1 - beta_1)*grad(w) + beta_1*m_1; m_2 <- (1 - beta_2)*((1 - beta_1)*grad(w) + beta_1*m_1) + beta_2*m_2'
STATE = ('w', 'm_1', 'm_2')
HYPER = ('eta', 'beta_1', 'beta_2')
ITERATES = (True, False, False)
CENTRED = False
MODEWISE = False
ROTATION_EQUIVARIANT = True
PRECONDITIONED = False
SHIFT = ''


def step(w, m_1, m_2, *, grad, norm, eta, beta_1, beta_2):
    c0_ = w.dtype.type(-1.0)
    g0_ = grad(w)
    s0_ = beta_1 + c0_
    u0_ = beta_1 * m_1 - s0_ * g0_
    s1_ = beta_2 + c0_
    u1_ = beta_2 * m_2 - s1_ * u0_
    return (w - eta * u1_, u0_, u1_,)


@kernel
def diagonal(w, m_1, m_2, curvature, linear, eta, beta_1, beta_2, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(-1.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    for r in range(runs):
        s0_[r] = beta_1[r] + c0_
        s1_[r] = beta_2[r] + c0_
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            for i in range(dim):
                h_ = curvature[i]
                for r in range(runs):
                    w_ = w[i, r]
                    m_1_ = m_1[i, r]
                    m_2_ = m_2[i, r]
                    g0_v = h_ * w_
                    u0_v = beta_1[r] * m_1_ - s0_[r] * g0_v
                    u1_v = beta_2[r] * m_2_ - s1_[r] * u0_v
                    w_next = w_ - eta[r] * u1_v
                    m_1_next = u0_v
                    m_2_next = u1_v
                    w[i, r] = w_next
                    m_1[i, r] = m_1_next
                    m_2[i, r] = m_2_next
        done = stops[p]
        kept[p] = w


@kernel
def dense(w, m_1, m_2, hessian, linear, eta, beta_1, beta_2, stops, kept):
    dim, runs = w.shape
    zero = w.dtype.type(0.0)
    c0_ = w.dtype.type(-1.0)
    s0_ = np.empty(runs, w.dtype)
    s1_ = np.empty(runs, w.dtype)
    g0_ = np.empty((dim, runs), w.dtype)
    for r in range(runs):
        s0_[r] = beta_1[r] + c0_
        s1_[r] = beta_2[r] + c0_
    done = 0
    for p in range(stops.size):
        for _ in range(done, stops[p]):
            product(hessian, w, g0_)
            for i in range(dim):
                for r in range(runs):
                    w_ = w[i, r]
                    m_1_ = m_1[i, r]
                    m_2_ = m_2[i, r]
                    g0_v = g0_[i, r]
                    u0_v = beta_1[r] * m_1_ - s0_[r] * g0_v
                    u1_v = beta_2[r] * m_2_ - s1_[r] * u0_v
                    w_next = w_ - eta[r] * u1_v
                    m_1_next = u0_v
                    m_2_next = u1_v
                    w[i, r] = w_next
                    m_1[i, r] = m_1_next
                    m_2[i, r] = m_2_next
        done = stops[p]
        kept[p] = w
