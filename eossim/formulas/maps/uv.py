"""Iteration of `uv`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'P <- P*(1 + Y + Q/4 - P/4)**2; Q <- Q*(1 - Y - Q/4 + P/4)**2'
STATE = ('P', 'Q')
PARAMETERS = ('Y',)
OBSERVABLES = ('loss', 'trace', 'sharpness')


def step(P, Q, Y):
    c0_ = P.dtype.type(0.25)
    c1_ = P.dtype.type(1.0)
    s0_ = -(Y)
    e = s0_ + c0_ * P - c0_ * Q
    finite_ = np.isfinite(P) & np.isfinite(Q)
    return (np.where(finite_, P * (c1_ - e) * (c1_ - e), P), np.where(finite_, Q * (c1_ + e) * (c1_ + e), Q),)


def jacobian(P, Q, Y):
    c0_ = P.dtype.type(0.25)
    c1_ = P.dtype.type(1.0)
    c3_ = P.dtype.type(2.0)
    c4_ = P.dtype.type(-2.0)
    s0_ = -(Y)
    e = s0_ + c0_ * P - c0_ * Q
    u0_ = c3_ * e
    u1_ = c0_ * P * (c4_ + u0_)
    u2_ = c0_ * Q * (c3_ + u0_)
    return (u1_ + (c1_ - e) * (c1_ - e), -(u1_), u2_, (c1_ + e) * (c1_ + e) - u2_,)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(0.25)
    c1_ = x_.dtype.type(1.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            Y = a_[0, lane_]
            s0_ = -(Y)
            value_[0, r_] = s0_
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    P = state_[0, r_]
                    Q = state_[1, r_]
                    s0_ = value_[0, r_]
                    e = s0_ + c0_ * P - c0_ * Q
                    P_next_ = P * (c1_ - e) * (c1_ - e)
                    Q_next_ = Q * (c1_ + e) * (c1_ + e)
                    finite_ = (P - P) + (Q - Q) == zero_
                    P = P_next_ if finite_ else P
                    Q = Q_next_ if finite_ else Q
                    state_[0, r_] = P
                    state_[1, r_] = Q
            done_ = stops_[p_]
            for i_ in range(2):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(P, Q, Y):
    c0_ = P.dtype.type(0.25)
    c2_ = P.dtype.type(0.5)
    c3_ = P.dtype.type(2.0)
    s0_ = -(Y)
    s1_ = -(Y * c3_)
    e = s0_ + c0_ * P - c0_ * Q
    return (c2_ * e * e, c2_ * P + c2_ * Q, c0_ * P + c0_ * Q + c2_ * np.sqrt(P * Q + (P + s1_ - Q) * (P + s1_ - Q)),)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(0.25)
    c1_ = x_.dtype.type(1.0)
    c2_ = x_.dtype.type(0.5)
    c3_ = x_.dtype.type(2.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((2, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((3, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            Y = a_[0, lane_]
            s0_ = -(Y)
            s1_ = -(Y * c3_)
            value_[0, r_] = s0_
            value_[1, r_] = s1_
        for k_ in range(3):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                P = state_[0, r_]
                Q = state_[1, r_]
                s0_ = value_[0, r_]
                s1_ = value_[1, r_]
                e = s0_ + c0_ * P - c0_ * Q
                P_next_ = P * (c1_ - e) * (c1_ - e)
                Q_next_ = Q * (c1_ + e) * (c1_ + e)
                finite_ = (P - P) + (Q - Q) == zero_
                P = P_next_ if finite_ else P
                Q = Q_next_ if finite_ else Q
                state_[0, r_] = P
                state_[1, r_] = Q
                e = s0_ + c0_ * P - c0_ * Q
                seen_ = c2_ * e * e
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = c2_ * P + c2_ * Q
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
                seen_ = c0_ * P + c0_ * Q + c2_ * np.sqrt(P * Q + (P + s1_ - Q) * (P + s1_ - Q))
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[2, r_]
                most_[2, r_] = seen_ if seen_ > high_ else high_
        for k_ in range(3):
            for r_ in range(count_):
                peak_[k_, tile_ + r_] = most_[k_, r_]
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]


@kernel
def lyapunov(x_, a_, first_, last_, burn_in_, steps_, growth_, exponent_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(0.25)
    c1_ = x_.dtype.type(1.0)
    c3_ = x_.dtype.type(2.0)
    c4_ = x_.dtype.type(-2.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
    tangent_ = np.empty((4, 64))
    mantissa_ = np.empty((2, 64))
    bits_ = mantissa_.view(np.int64)
    power_ = np.empty((2, 64), np.int64)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            Y = a_[0, lane_]
            s0_ = -(Y)
            value_[0, r_] = s0_
        tangent_[:] = 0.0
        tangent_[0, :] = 1.0
        tangent_[3, :] = 1.0
        for t_ in range(burn_in_ + steps_):
            if t_ == 0 or t_ == burn_in_:
                for k_ in range(2):
                    for r_ in range(64):
                        mantissa_[k_, r_] = 1.0
                        power_[k_, r_] = 0
            for r_ in range(64):
                P = state_[0, r_]
                Q = state_[1, r_]
                s0_ = value_[0, r_]
                e = s0_ + c0_ * P - c0_ * Q
                u0_ = c3_ * e
                u1_ = c0_ * P * (c4_ + u0_)
                u2_ = c0_ * Q * (c3_ + u0_)
                j00_ = u1_ + (c1_ - e) * (c1_ - e)
                j01_ = -(u1_)
                j10_ = u2_
                j11_ = (c1_ + e) * (c1_ + e) - u2_
                w00_ = j00_ * tangent_[0, r_] + j01_ * tangent_[2, r_]
                w10_ = j10_ * tangent_[0, r_] + j11_ * tangent_[2, r_]
                w01_ = j00_ * tangent_[1, r_] + j01_ * tangent_[3, r_]
                w11_ = j10_ * tangent_[1, r_] + j11_ * tangent_[3, r_]
                largest_ = np.abs(w00_)
                largest_ = np.abs(w10_) if np.abs(w10_) > largest_ else largest_
                scale_ = largest_ if largest_ > 0.0 else 1.0
                w00_ = w00_ / scale_
                w10_ = w10_ / scale_
                n_ = np.sqrt(w00_ * w00_ + w10_ * w10_)
                inverse_ = 1.0 / n_ if n_ > 0.0 else 0.0
                w00_ = w00_ * inverse_
                w10_ = w10_ * inverse_
                tangent_[0, r_] = w00_
                tangent_[2, r_] = w10_
                n_ = largest_ * n_
                mantissa_[0, r_] = mantissa_[0, r_] * n_
                b_ = bits_[0, r_]
                f_ = (b_ >> 52) & 2047
                normal_ = f_ > 0 and f_ < 2047
                power_[0, r_] += f_ - 1023 if normal_ else 0
                bits_[0, r_] = (b_ & 4503599627370495) | 4607182418800017408 if normal_ else (0 if f_ == 0 else b_)
                along_ = w00_ * w01_ + w10_ * w11_
                w01_ = w01_ - along_ * w00_
                w11_ = w11_ - along_ * w10_
                largest_ = np.abs(w01_)
                largest_ = np.abs(w11_) if np.abs(w11_) > largest_ else largest_
                scale_ = largest_ if largest_ > 0.0 else 1.0
                w01_ = w01_ / scale_
                w11_ = w11_ / scale_
                n_ = np.sqrt(w01_ * w01_ + w11_ * w11_)
                inverse_ = 1.0 / n_ if n_ > 0.0 else 0.0
                w01_ = w01_ * inverse_
                w11_ = w11_ * inverse_
                tangent_[1, r_] = w01_
                tangent_[3, r_] = w11_
                n_ = largest_ * n_
                mantissa_[1, r_] = mantissa_[1, r_] * n_
                b_ = bits_[1, r_]
                f_ = (b_ >> 52) & 2047
                normal_ = f_ > 0 and f_ < 2047
                power_[1, r_] += f_ - 1023 if normal_ else 0
                bits_[1, r_] = (b_ & 4503599627370495) | 4607182418800017408 if normal_ else (0 if f_ == 0 else b_)
                e = s0_ + c0_ * P - c0_ * Q
                P_next_ = P * (c1_ - e) * (c1_ - e)
                Q_next_ = Q * (c1_ + e) * (c1_ + e)
                finite_ = (P - P) + (Q - Q) == zero_
                P = P_next_ if finite_ else P
                Q = Q_next_ if finite_ else Q
                state_[0, r_] = P
                state_[1, r_] = Q
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
