"""Closed forms of the toy models, written by ``python -m derivations`` from their derivations; do not
edit."""

import numpy as np

def uv_s(*, f, lam, kappa, y):
    return f*kappa*(f - y)/lam**2


def uv_sharpness(*, f, lam, kappa, y):
    return (0.5)*lam + (0.5)*np.sqrt(4*kappa*(2*f - y)**2 + np.maximum(0, (-2*f*np.sqrt(kappa) + lam)*(2*f*np.sqrt(kappa) + lam)))


def uv_conversion(*, s):
    return np.sqrt(12*s + 1) + 1


def uv_loss_ratio(*, k, s):
    return (k**2*s - k + 1)**2


def uv_trace_ratio(*, k, s):
    return k*s*(k - 4) + 1


def uv_k_loss(*, s):
    return 4/(np.sqrt(1 - 8*s) + 1)


def uv_k_max():
    return 4


def uv_k_sharp_cubic(*, k, s):
    return (k - 4)*(np.sqrt(12*s + 1) + 1) + (6*k*s - 6)*(k**2*s - k + 2)


def uv_c_max(*, s):
    return 2*np.sqrt(12*s + 1) + 2


def uv_gradient_flow_end(*, f, lam, kappa, y):
    return np.sqrt(4*kappa*y**2 + np.maximum(0, (-2*f*np.sqrt(kappa) + lam)*(2*f*np.sqrt(kappa) + lam)))


def uv_zero_output_c_loss(*, lam, kappa, y):
    return np.sqrt(4*kappa*y**2/lam**2 + 1) + 1


def uv_segment_output(*, p, q, kappa, A, B, tau):
    return (0.25)*(p*(A*tau - tau + 1)**2 - q*(B*tau - tau + 1)**2)/np.sqrt(kappa)


def uv_waiting_time(*, k, s):
    return -np.log(k*np.sqrt(s))/np.log(k - 1)


def uv_mean_s(*, w):
    return (4*w + 4)**(-1.0)


def uv_mean_s2(*, w):
    return 3/((w + 3)*(16*w + 16))


def uv_mean_c_loss(*, w):
    return 2 + 10/(4*w + 4)


def uv_mean_c_sharp(*, w):
    return 2.5 + (14.25)/(4*w + 4)


def uv_mean_c_max(*, w):
    return 4 + 12/(4*w + 4)


def uv_eta_critical(*, kappa, y):
    return 1/(np.sqrt(kappa)*abs(y))


def uv_two_cycle_high(*, Y):
    return (0.5)*(Y + np.sqrt(Y - 1)*np.sqrt(Y + 3) + 1)/Y


def uv_two_cycle_low(*, Y):
    return 2/(Y*(Y + np.sqrt(Y - 1)*np.sqrt(Y + 3) + 1))


def uv_two_cycle_multiplier(*, Y):
    return 9 - 2*(Y + 1)**2


def uv_two_cycle_transverse(*, Y):
    return (3 - 2*Y)**2


def uv_monotone_limit():
    return -2 + 2*np.sqrt(2)


def uv_superstable():
    return -1 + (1.5)*np.sqrt(2)


def uv_doubling():
    return -1 + np.sqrt(5)


def uv_zero_reached():
    return -1 + (1.5)*np.sqrt(3)


def second_order_limit(*, epsilon):
    return 2 - 0.5*epsilon


def two_step_coefficient(*, f2, f3, f4):
    return ((0.6666666666666666)*f2*f4 - 2*f3**2)/f2**2


def self_stabilization_delta(*, alpha, beta):
    return np.sqrt(2)*np.sqrt(alpha)/np.sqrt(beta)


def self_stabilization_period(*, eta, alpha):
    return np.sqrt(2)*np.pi/(np.sqrt(alpha)*eta)


def minimalist_sharpness(*, x):
    return 2*x**2 + 2/x**2


def minimalist_limit(*, eta):
    return -0.5*eta + 2/eta
