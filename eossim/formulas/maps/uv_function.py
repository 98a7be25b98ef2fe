"""Iteration of `uv_function`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'f <- f - eta*lam*(-y + f) + eta**2*f*kappa*(-y + f)**2; lam <- lam + eta*kappa*(-y + f)*(-4*f + eta*lam*(-y + f))'
STATE = ('f', 'lam')
PARAMETERS = ('eta', 'kappa', 'y')
OBSERVABLES = ('loss', 'trace', 'sharpness')


def step(f, lam, eta, kappa, y):
    c0_ = f.dtype.type(4.0)
    s0_ = -(y)
    s1_ = kappa * eta * eta
    delta = f + s0_
    u0_ = eta * delta
    u1_ = lam * u0_
    finite_ = np.isfinite(f) & np.isfinite(lam)
    return (np.where(finite_, f + s1_ * f * delta * delta - u1_, f), np.where(finite_, lam + kappa * u0_ * (u1_ - c0_ * f), lam),)


def jacobian(f, lam, eta, kappa, y):
    c0_ = f.dtype.type(4.0)
    c2_ = f.dtype.type(2.0)
    c3_ = f.dtype.type(1.0)
    s0_ = -(y)
    s2_ = c0_ * kappa
    u4_ = kappa * eta * eta
    s4_ = eta * kappa
    delta = f + s0_
    u3_ = eta * lam
    u5_ = u4_ * delta
    u6_ = c3_ + u4_ * delta * delta
    u7_ = eta * delta
    return (u6_ + c2_ * f * u5_ - u3_, -(u7_), lam * u5_ + s4_ * (delta * u3_ - c0_ * f) - s2_ * u7_, u6_,)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(4.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((4, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eta = a_[0, lane_]
            kappa = a_[1, lane_]
            y = a_[2, lane_]
            s0_ = -(y)
            s1_ = kappa * eta * eta
            value_[0, r_] = eta
            value_[1, r_] = kappa
            value_[2, r_] = s0_
            value_[3, r_] = s1_
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    f = state_[0, r_]
                    lam = state_[1, r_]
                    eta = value_[0, r_]
                    kappa = value_[1, r_]
                    s0_ = value_[2, r_]
                    s1_ = value_[3, r_]
                    delta = f + s0_
                    u0_ = eta * delta
                    u1_ = lam * u0_
                    f_next_ = f + s1_ * f * delta * delta - u1_
                    lam_next_ = lam + kappa * u0_ * (u1_ - c0_ * f)
                    finite_ = (f - f) + (lam - lam) == zero_
                    f = f_next_ if finite_ else f
                    lam = lam_next_ if finite_ else lam
                    state_[0, r_] = f
                    state_[1, r_] = lam
            done_ = stops_[p_]
            for i_ in range(2):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(f, lam, eta, kappa, y):
    c0_ = f.dtype.type(4.0)
    c1_ = f.dtype.type(0.5)
    c2_ = f.dtype.type(2.0)
    s0_ = -(y)
    s2_ = c0_ * kappa
    delta = f + s0_
    u2_ = delta * delta
    return (c1_ * u2_, lam, c1_ * lam + c1_ * np.sqrt(lam * lam + s2_ * (u2_ + c2_ * delta * f)),)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(4.0)
    c1_ = x_.dtype.type(0.5)
    c2_ = x_.dtype.type(2.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((5, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((3, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eta = a_[0, lane_]
            kappa = a_[1, lane_]
            y = a_[2, lane_]
            s0_ = -(y)
            s1_ = kappa * eta * eta
            s2_ = c0_ * kappa
            value_[0, r_] = eta
            value_[1, r_] = kappa
            value_[2, r_] = s0_
            value_[3, r_] = s1_
            value_[4, r_] = s2_
        for k_ in range(3):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                f = state_[0, r_]
                lam = state_[1, r_]
                eta = value_[0, r_]
                kappa = value_[1, r_]
                s0_ = value_[2, r_]
                s1_ = value_[3, r_]
                s2_ = value_[4, r_]
                delta = f + s0_
                u0_ = eta * delta
                u1_ = lam * u0_
                f_next_ = f + s1_ * f * delta * delta - u1_
                lam_next_ = lam + kappa * u0_ * (u1_ - c0_ * f)
                finite_ = (f - f) + (lam - lam) == zero_
                f = f_next_ if finite_ else f
                lam = lam_next_ if finite_ else lam
                state_[0, r_] = f
                state_[1, r_] = lam
                delta = f + s0_
                u2_ = delta * delta
                seen_ = c1_ * u2_
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = lam
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
                seen_ = c1_ * lam + c1_ * np.sqrt(lam * lam + s2_ * (u2_ + c2_ * delta * f))
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
    c0_ = x_.dtype.type(4.0)
    c2_ = x_.dtype.type(2.0)
    c3_ = x_.dtype.type(1.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((7, 64), x_.dtype)
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
            kappa = a_[1, lane_]
            y = a_[2, lane_]
            s0_ = -(y)
            s1_ = kappa * eta * eta
            s2_ = c0_ * kappa
            u4_ = kappa * eta * eta
            s4_ = eta * kappa
            value_[0, r_] = eta
            value_[1, r_] = kappa
            value_[2, r_] = s0_
            value_[3, r_] = s1_
            value_[4, r_] = s2_
            value_[5, r_] = u4_
            value_[6, r_] = s4_
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
                f = state_[0, r_]
                lam = state_[1, r_]
                eta = value_[0, r_]
                kappa = value_[1, r_]
                s0_ = value_[2, r_]
                s1_ = value_[3, r_]
                s2_ = value_[4, r_]
                u4_ = value_[5, r_]
                s4_ = value_[6, r_]
                delta = f + s0_
                u3_ = eta * lam
                u5_ = u4_ * delta
                u6_ = c3_ + u4_ * delta * delta
                u7_ = eta * delta
                j00_ = u6_ + c2_ * f * u5_ - u3_
                j01_ = -(u7_)
                j10_ = lam * u5_ + s4_ * (delta * u3_ - c0_ * f) - s2_ * u7_
                j11_ = u6_
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
                delta = f + s0_
                u0_ = eta * delta
                u1_ = lam * u0_
                f_next_ = f + s1_ * f * delta * delta - u1_
                lam_next_ = lam + kappa * u0_ * (u1_ - c0_ * f)
                finite_ = (f - f) + (lam - lam) == zero_
                f = f_next_ if finite_ else f
                lam = lam_next_ if finite_ else lam
                state_[0, r_] = f
                state_[1, r_] = lam
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
