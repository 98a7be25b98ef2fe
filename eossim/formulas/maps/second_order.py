"""Iteration of `second_order`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = 'z <- z*(1 - T) + z**2*(2*eps*(z - E) + T*(1 - eps))/2; T <- -2*z*(2*eps*(z - E) + T*(1 - eps)) + z**2*((1 - eps)*(2*eps*(z - E) + T*(1 - eps)) + T*eps) + T'
STATE = ('z', 'T')
PARAMETERS = ('eps', 'E')
OBSERVABLES = ('loss', 'ntk')


def step(z, T, eps, E):
    c0_ = z.dtype.type(-1.0)
    c1_ = z.dtype.type(2.0)
    c2_ = z.dtype.type(1.0)
    c3_ = z.dtype.type(0.5)
    s0_ = c0_ + eps
    s1_ = -(E)
    s2_ = c1_ * eps
    T1 = s2_ * (s1_ + z) - s0_ * T
    T2 = eps * T - s0_ * T1
    u0_ = z * z
    finite_ = np.isfinite(z) & np.isfinite(T)
    return (np.where(finite_, z * (c2_ - T) + c3_ * T1 * u0_, z), np.where(finite_, T + T2 * u0_ - c1_ * T1 * z, T),)


def jacobian(z, T, eps, E):
    c0_ = z.dtype.type(-1.0)
    c1_ = z.dtype.type(2.0)
    c2_ = z.dtype.type(1.0)
    c3_ = z.dtype.type(0.5)
    c4_ = z.dtype.type(4.0)
    s0_ = c0_ + eps
    s1_ = -(E)
    s2_ = c1_ * eps
    u2_ = c2_ - eps
    s4_ = c3_ * u2_
    s5_ = c4_ * eps
    s6_ = c1_ * eps * u2_
    s7_ = eps + u2_ * u2_
    s8_ = c1_ * u2_
    T1 = s2_ * (s1_ + z) - s0_ * T
    T2 = eps * T - s0_ * T1
    u1_ = z * z
    return (c2_ + T1 * z + eps * u1_ - T, s4_ * u1_ - z, s6_ * u1_ + c1_ * T2 * z - c1_ * T1 - s5_ * z, c2_ + s7_ * u1_ - s8_ * z,)


@kernel
def orbit(x_, a_, first_, last_, stops_, kept_):
    zero_ = x_.dtype.type(0.0)
    one_ = x_.dtype.type(1.0)
    c0_ = x_.dtype.type(-1.0)
    c1_ = x_.dtype.type(2.0)
    c2_ = x_.dtype.type(1.0)
    c3_ = x_.dtype.type(0.5)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((4, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eps = a_[0, lane_]
            E = a_[1, lane_]
            s0_ = c0_ + eps
            s1_ = -(E)
            s2_ = c1_ * eps
            value_[0, r_] = eps
            value_[1, r_] = s0_
            value_[2, r_] = s1_
            value_[3, r_] = s2_
        done_ = 0
        for p_ in range(stops_.size):
            for _ in range(done_, stops_[p_]):
                for r_ in range(64):
                    z = state_[0, r_]
                    T = state_[1, r_]
                    eps = value_[0, r_]
                    s0_ = value_[1, r_]
                    s1_ = value_[2, r_]
                    s2_ = value_[3, r_]
                    T1 = s2_ * (s1_ + z) - s0_ * T
                    T2 = eps * T - s0_ * T1
                    u0_ = z * z
                    z_next_ = z * (c2_ - T) + c3_ * T1 * u0_
                    T_next_ = T + T2 * u0_ - c1_ * T1 * z
                    finite_ = (z - z) + (T - T) == zero_
                    z = z_next_ if finite_ else z
                    T = T_next_ if finite_ else T
                    state_[0, r_] = z
                    state_[1, r_] = T
            done_ = stops_[p_]
            for i_ in range(2):
                for r_ in range(count_):
                    kept_[p_, i_, tile_ + r_] = state_[i_, r_]


def observe(z, T, eps, E):
    c3_ = z.dtype.type(0.5)
    return (c3_ * z * z, T,)


@kernel
def extremes(x_, a_, first_, last_, steps_, peak_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(-1.0)
    c1_ = x_.dtype.type(2.0)
    c2_ = x_.dtype.type(1.0)
    c3_ = x_.dtype.type(0.5)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((4, 64), x_.dtype)
    infinity_ = x_.dtype.type(np.inf)
    most_ = np.empty((2, 64), x_.dtype)
    for tile_ in range(first_, last_, 64):
        count_ = min(64, last_ - tile_)
        for r_ in range(64):
            lane_ = tile_ + min(r_, count_ - 1)
            state_[0, r_] = x_[0, lane_]
            state_[1, r_] = x_[1, lane_]
            eps = a_[0, lane_]
            E = a_[1, lane_]
            s0_ = c0_ + eps
            s1_ = -(E)
            s2_ = c1_ * eps
            value_[0, r_] = eps
            value_[1, r_] = s0_
            value_[2, r_] = s1_
            value_[3, r_] = s2_
        for k_ in range(2):
            for r_ in range(64):
                most_[k_, r_] = -infinity_
        for _ in range(steps_):
            for r_ in range(64):
                z = state_[0, r_]
                T = state_[1, r_]
                eps = value_[0, r_]
                s0_ = value_[1, r_]
                s1_ = value_[2, r_]
                s2_ = value_[3, r_]
                T1 = s2_ * (s1_ + z) - s0_ * T
                T2 = eps * T - s0_ * T1
                u0_ = z * z
                z_next_ = z * (c2_ - T) + c3_ * T1 * u0_
                T_next_ = T + T2 * u0_ - c1_ * T1 * z
                finite_ = (z - z) + (T - T) == zero_
                z = z_next_ if finite_ else z
                T = T_next_ if finite_ else T
                state_[0, r_] = z
                state_[1, r_] = T
                seen_ = c3_ * z * z
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[0, r_]
                most_[0, r_] = seen_ if seen_ > high_ else high_
                seen_ = T
                seen_ = seen_ if seen_ - seen_ == zero_ else infinity_
                high_ = most_[1, r_]
                most_[1, r_] = seen_ if seen_ > high_ else high_
        for k_ in range(2):
            for r_ in range(count_):
                peak_[k_, tile_ + r_] = most_[k_, r_]
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]


@kernel
def lyapunov(x_, a_, first_, last_, burn_in_, steps_, growth_, exponent_):
    zero_ = x_.dtype.type(0.0)
    c0_ = x_.dtype.type(-1.0)
    c1_ = x_.dtype.type(2.0)
    c2_ = x_.dtype.type(1.0)
    c3_ = x_.dtype.type(0.5)
    c4_ = x_.dtype.type(4.0)
    state_ = np.empty((2, 64), x_.dtype)
    value_ = np.empty((9, 64), x_.dtype)
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
            eps = a_[0, lane_]
            E = a_[1, lane_]
            s0_ = c0_ + eps
            s1_ = -(E)
            s2_ = c1_ * eps
            u2_ = c2_ - eps
            s4_ = c3_ * u2_
            s5_ = c4_ * eps
            s6_ = c1_ * eps * u2_
            s7_ = eps + u2_ * u2_
            s8_ = c1_ * u2_
            value_[0, r_] = eps
            value_[1, r_] = s0_
            value_[2, r_] = s1_
            value_[3, r_] = s2_
            value_[4, r_] = s4_
            value_[5, r_] = s5_
            value_[6, r_] = s6_
            value_[7, r_] = s7_
            value_[8, r_] = s8_
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
                z = state_[0, r_]
                T = state_[1, r_]
                eps = value_[0, r_]
                s0_ = value_[1, r_]
                s1_ = value_[2, r_]
                s2_ = value_[3, r_]
                s4_ = value_[4, r_]
                s5_ = value_[5, r_]
                s6_ = value_[6, r_]
                s7_ = value_[7, r_]
                s8_ = value_[8, r_]
                T1 = s2_ * (s1_ + z) - s0_ * T
                T2 = eps * T - s0_ * T1
                u1_ = z * z
                j00_ = c2_ + T1 * z + eps * u1_ - T
                j01_ = s4_ * u1_ - z
                j10_ = s6_ * u1_ + c1_ * T2 * z - c1_ * T1 - s5_ * z
                j11_ = c2_ + s7_ * u1_ - s8_ * z
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
                T1 = s2_ * (s1_ + z) - s0_ * T
                T2 = eps * T - s0_ * T1
                u0_ = z * z
                z_next_ = z * (c2_ - T) + c3_ * T1 * u0_
                T_next_ = T + T2 * u0_ - c1_ * T1 * z
                finite_ = (z - z) + (T - T) == zero_
                z = z_next_ if finite_ else z
                T = T_next_ if finite_ else T
                state_[0, r_] = z
                state_[1, r_] = T
        for i_ in range(2):
            for r_ in range(count_):
                x_[i_, tile_ + r_] = state_[i_, r_]
                growth_[i_, tile_ + r_] = mantissa_[i_, r_]
                exponent_[i_, tile_ + r_] = power_[i_, r_]
