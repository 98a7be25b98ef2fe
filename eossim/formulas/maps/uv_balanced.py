"""Iteration of `uv_balanced`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'X <- X*(1 + Y - X**2)'
STATE = ('X',)
PARAMETERS = ('Y',)
OBSERVABLES = ('loss', 'trace', 'sharpness')


def step(X, Y):
    c0_ = X.dtype.type(1.0)
    s0_ = Y + c0_
    finite_ = np.isfinite(X)
    return (np.where(finite_, X * (s0_ - X * X), X),)


def jacobian(X, Y):
    c0_ = X.dtype.type(1.0)
    c3_ = X.dtype.type(3.0)
    s0_ = Y + c0_
    return (s0_ - c3_ * X * X,)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(1.0)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            Y = a_[0, lane_]
            s0_ = Y + c0_
            value_[0, r_] = s0_
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    X = state_[0, r_]
                    s0_ = value_[0, r_]
                    X_next_ = X * (s0_ - X * X)
                    finite_ = (X - X) == zero_
                    X = X_next_ if finite_ else X
                    state_[0, r_] = X
            done_ = stops_[p_]
            for i_ in range(1):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(X, Y):
    c1_ = X.dtype.type(2.0)
    c2_ = X.dtype.type(0.5)
    u1_ = -(Y)
    u0_ = X * X
    u2_ = c1_ * u0_
    return (c2_ * (u0_ + u1_) * (u0_ + u1_), u2_, u0_ + np.abs(u1_ + u2_),)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(1.0)
    c1_ = x_.dtype.type(2.0)
    c2_ = x_.dtype.type(0.5)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((2, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((3, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            Y = a_[0, lane_]
            s0_ = Y + c0_
            u1_ = -(Y)
            value_[0, r_] = s0_
            value_[1, r_] = u1_
        for k_ in range(3):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                X = state_[0, r_]
                s0_ = value_[0, r_]
                u1_ = value_[1, r_]
                X_next_ = X * (s0_ - X * X)
                finite_ = (X - X) == zero_
                X = X_next_ if finite_ else X
                state_[0, r_] = X
                u0_ = X * X
                u2_ = c1_ * u0_
                seen_ = c2_ * (u0_ + u1_) * (u0_ + u1_)
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = u2_
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
                seen_ = u0_ + np.abs(u1_ + u2_)
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
    c0_ = x_.dtype.type(1.0)
    c3_ = x_.dtype.type(3.0)
    state_ = np.empty((1, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
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
            value_[0, r_] = s0_
        tangent_[:] = 0.0
        tangent_[0, :] = 1.0
        for t_ in range(burn_in_ + steps_):
            if t_ == 0 or t_ == burn_in_:
                for k_ in range(1):
                    for r_ in range(64):
                        mantissa_[k_, r_] = 1.0
                        power_[k_, r_] = 0
            for r_ in range(64):
                X = state_[0, r_]
                s0_ = value_[0, r_]
                j00_ = s0_ - c3_ * X * X
                n_ = np.abs(j00_)
                mantissa_[0, r_] = mantissa_[0, r_] * n_
                b_ = bits_[0, r_]
                f_ = (b_ >> 52) & 2047
                normal_ = f_ > 0 and f_ < 2047
                power_[0, r_] += f_ - 1023 if normal_ else 0
                bits_[0, r_] = (b_ & 4503599627370495) | 4607182418800017408 if normal_ else (0 if f_ == 0 else b_)
                X_next_ = X * (s0_ - X * X)
                finite_ = (X - X) == zero_
                X = X_next_ if finite_ else X
                state_[0, r_] = X
        for i_ in range(1):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
