"""Iteration of `uv_residual`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'e <- e*(1 + e*(-2 + Y) + e**2 - 2*Y)'
STATE = ('e',)
PARAMETERS = ('Y',)
OBSERVABLES = ('loss', 'trace', 'sharpness')


def step(e, Y):
    c0_ = e.dtype.type(-2.0)
    c1_ = e.dtype.type(1.0)
    c2_ = e.dtype.type(2.0)
    s0_ = Y + c0_
    s1_ = c1_ - Y * c2_
    finite_ = np.isfinite(e)
    return (np.where(finite_, e * (e * e + s1_ + s0_ * e), e),)


def jacobian(e, Y):
    c0_ = e.dtype.type(-2.0)
    c1_ = e.dtype.type(1.0)
    c2_ = e.dtype.type(2.0)
    s1_ = c1_ - Y * c2_
    u1_ = Y + c0_
    return (e * e + s1_ + u1_ * e + e * (u1_ + c2_ * e),)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(-2.0)
    c1_ = x_.dtype.type(1.0)
    c2_ = x_.dtype.type(2.0)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((2, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            Y = a_[0, lane_]
            s0_ = Y + c0_
            s1_ = c1_ - Y * c2_
            value_[0, r_] = s0_
            value_[1, r_] = s1_
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    e = state_[0, r_]
                    s0_ = value_[0, r_]
                    s1_ = value_[1, r_]
                    e_next_ = e * (e * e + s1_ + s0_ * e)
                    finite_ = (e - e) == zero_
                    e = e_next_ if finite_ else e
                    state_[0, r_] = e
            done_ = stops_[p_]
            for i_ in range(1):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(e, Y):
    c2_ = e.dtype.type(2.0)
    c3_ = e.dtype.type(0.5)
    s2_ = Y * c2_
    u0_ = c2_ * e
    return (c3_ * e * e, s2_ + u0_, Y + e + np.abs(Y + u0_),)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(-2.0)
    c1_ = x_.dtype.type(1.0)
    c2_ = x_.dtype.type(2.0)
    c3_ = x_.dtype.type(0.5)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((4, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((3, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            Y = a_[0, lane_]
            s0_ = Y + c0_
            s1_ = c1_ - Y * c2_
            s2_ = Y * c2_
            value_[0, r_] = Y
            value_[1, r_] = s0_
            value_[2, r_] = s1_
            value_[3, r_] = s2_
        for k_ in range(3):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                e = state_[0, r_]
                Y = value_[0, r_]
                s0_ = value_[1, r_]
                s1_ = value_[2, r_]
                s2_ = value_[3, r_]
                e_next_ = e * (e * e + s1_ + s0_ * e)
                finite_ = (e - e) == zero_
                e = e_next_ if finite_ else e
                state_[0, r_] = e
                u0_ = c2_ * e
                seen_ = c3_ * e * e
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = s2_ + u0_
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
                seen_ = Y + e + np.abs(Y + u0_)
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[2, r_]
                most_[2, r_] = seen_ if seen_ > high_ else high_
        for k_ in range(3):
            for r_ in range(count_):
                peak_[k_, tile_ + r_] = most_[k_, r_]
        for i_ in range(1):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]


@kernel
def lyapunov(x_, a_, first_, last_, burn_in_, steps_, growth_, exponent_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(-2.0)
    c1_ = x_.dtype.type(1.0)
    c2_ = x_.dtype.type(2.0)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((3, 64), x_.dtype)
    tangent_ = np.empty((1, 64))
    mantissa_ = np.empty((1, 64))
    bits_ = mantissa_.view(np.int64)
    power_ = np.empty((1, 64), np.int64)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            Y = a_[0, lane_]
            s0_ = Y + c0_
            s1_ = c1_ - Y * c2_
            u1_ = Y + c0_
            value_[0, r_] = s0_
            value_[1, r_] = s1_
            value_[2, r_] = u1_
        tangent_[:] = 0.0
        tangent_[0, :] = 1.0
        for t_ in range(burn_in_ + steps_):
            if t_ == 0 or t_ == burn_in_:
                for k_ in range(1):
                    for r_ in range(64):
                        mantissa_[k_, r_] = 1.0
                        power_[k_, r_] = 0
            for r_ in range(64):
                e = state_[0, r_]
                s0_ = value_[0, r_]
                s1_ = value_[1, r_]
                u1_ = value_[2, r_]
                j00_ = e * e + s1_ + u1_ * e + e * (u1_ + c2_ * e)
                n_ = np.abs(j00_)
                mantissa_[0, r_] = mantissa_[0, r_] * n_
                b_ = bits_[0, r_]
                f_ = (b_ >> 52) & 2047
                normal_ = f_ > 0 and f_ < 2047
                power_[0, r_] += f_ - 1023 if normal_ else 0
                bits_[0, r_] = (b_ & 4503599627370495) | 4607182418800017408 if normal_ else (0 if f_ == 0 else b_)
                e_next_ = e * (e * e + s1_ + s0_ * e)
                finite_ = (e - e) == zero_
                e = e_next_ if finite_ else e
                state_[0, r_] = e
        for i_ in range(1):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
