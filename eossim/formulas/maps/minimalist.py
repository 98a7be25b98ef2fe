"""Iteration of `minimalist`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'x <- x + eta*x*y**2*(1 - x**2*y**2); y <- y + eta*x**2*y*(1 - x**2*y**2)'
STATE = ('x', 'y')
PARAMETERS = ('eta',)
OBSERVABLES = ('loss', 'product', 'sharpness')


def step(x, y, eta):
    c0_ = x.dtype.type(1.0)
    r = c0_ - x * x * y * y
    u0_ = eta * r
    finite_ = np.isfinite(x) & np.isfinite(y)
    return (np.where(finite_, x + u0_ * x * y * y, x), np.where(finite_, y + u0_ * y * x * x, y),)


def jacobian(x, y, eta):
    c0_ = x.dtype.type(1.0)
    c1_ = x.dtype.type(2.0)
    u8_ = c1_ * eta
    r = c0_ - x * x * y * y
    u5_ = y * y
    u6_ = eta * r
    u7_ = x * x
    u9_ = c1_ * u6_ * x * y - u8_ * x * x * x * y * y * y
    return (c0_ + u5_ * u6_ - u8_ * u7_ * y * y * y * y, u9_, u9_, c0_ + u6_ * u7_ - u8_ * u5_ * x * x * x * x,)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(1.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eta = a_[0, lane_]
            value_[0, r_] = eta
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    x = state_[0, r_]
                    y = state_[1, r_]
                    eta = value_[0, r_]
                    r = c0_ - x * x * y * y
                    u0_ = eta * r
                    x_next_ = x + u0_ * x * y * y
                    y_next_ = y + u0_ * y * x * x
                    finite_ = (x - x) + (y - y) == zero_
                    x = x_next_ if finite_ else x
                    y = y_next_ if finite_ else y
                    state_[0, r_] = x
                    state_[1, r_] = y
            done_ = stops_[p_]
            for i_ in range(2):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(x, y, eta):
    c0_ = x.dtype.type(1.0)
    c1_ = x.dtype.type(2.0)
    c2_ = x.dtype.type(0.5)
    r = c0_ - x * x * y * y
    A = y * y * (c1_ * x * x * y * y - r)
    B = c1_ * x * y * (x * x * y * y - r)
    C = x * x * (c1_ * x * x * y * y - r)
    u1_ = x * x
    u2_ = y * y
    u3_ = c2_ * A
    u4_ = c2_ * C
    return (c2_ * r * r, u1_ * u2_, np.where((np.where((r * u1_ > r * u2_) | (r * u1_ != r * u1_), r * u1_, r * u2_) > (u3_ + u4_ + np.sqrt(B * B + (u3_ - u4_) * (u3_ - u4_)))) | (np.where((r * u1_ > r * u2_) | (r * u1_ != r * u1_), r * u1_, r * u2_) != np.where((r * u1_ > r * u2_) | (r * u1_ != r * u1_), r * u1_, r * u2_)), np.where((r * u1_ > r * u2_) | (r * u1_ != r * u1_), r * u1_, r * u2_), (u3_ + u4_ + np.sqrt(B * B + (u3_ - u4_) * (u3_ - u4_)))),)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(1.0)
    c1_ = x_.dtype.type(2.0)
    c2_ = x_.dtype.type(0.5)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((1, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((3, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eta = a_[0, lane_]
            value_[0, r_] = eta
        for k_ in range(3):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                x = state_[0, r_]
                y = state_[1, r_]
                eta = value_[0, r_]
                r = c0_ - x * x * y * y
                u0_ = eta * r
                x_next_ = x + u0_ * x * y * y
                y_next_ = y + u0_ * y * x * x
                finite_ = (x - x) + (y - y) == zero_
                x = x_next_ if finite_ else x
                y = y_next_ if finite_ else y
                state_[0, r_] = x
                state_[1, r_] = y
                r = c0_ - x * x * y * y
                A = y * y * (c1_ * x * x * y * y - r)
                B = c1_ * x * y * (x * x * y * y - r)
                C = x * x * (c1_ * x * x * y * y - r)
                u1_ = x * x
                u2_ = y * y
                u3_ = c2_ * A
                u4_ = c2_ * C
                seen_ = c2_ * r * r
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = u1_ * u2_
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
                seen_ = ((r * u1_ if r * u1_ > r * u2_ or r * u1_ != r * u1_ else r * u2_) if (r * u1_ if r * u1_ > r * u2_ or r * u1_ != r * u1_ else r * u2_) > (u3_ + u4_ + np.sqrt(B * B + (u3_ - u4_) * (u3_ - u4_))) or (r * u1_ if r * u1_ > r * u2_ or r * u1_ != r * u1_ else r * u2_) != (r * u1_ if r * u1_ > r * u2_ or r * u1_ != r * u1_ else r * u2_) else (u3_ + u4_ + np.sqrt(B * B + (u3_ - u4_) * (u3_ - u4_))))
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
    c0_ = x_.dtype.type(1.0)
    c1_ = x_.dtype.type(2.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((2, 64), x_.dtype)
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
            eta = a_[0, lane_]
            u8_ = c1_ * eta
            value_[0, r_] = eta
            value_[1, r_] = u8_
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
                x = state_[0, r_]
                y = state_[1, r_]
                eta = value_[0, r_]
                u8_ = value_[1, r_]
                r = c0_ - x * x * y * y
                u5_ = y * y
                u6_ = eta * r
                u7_ = x * x
                u9_ = c1_ * u6_ * x * y - u8_ * x * x * x * y * y * y
                j00_ = c0_ + u5_ * u6_ - u8_ * u7_ * y * y * y * y
                j01_ = u9_
                j10_ = u9_
                j11_ = c0_ + u6_ * u7_ - u8_ * u5_ * x * x * x * x
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
                r = c0_ - x * x * y * y
                u0_ = eta * r
                x_next_ = x + u0_ * x * y * y
                y_next_ = y + u0_ * y * x * x
                finite_ = (x - x) + (y - y) == zero_
                x = x_next_ if finite_ else x
                y = y_next_ if finite_ else y
                state_[0, r_] = x
                state_[1, r_] = y
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
