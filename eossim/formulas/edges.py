"""Edges of the shipped rules, written by ``python -m derivations`` from their derivations; do not
edit."""

import numpy as np

def gd(*, eta):
    return 2/eta


def gd_weight_decay(*, eta, weight_decay):
    return (-eta*weight_decay + 2)/eta


def gd_weight_decay_margin_1(*, eta, weight_decay):
    return -eta*weight_decay + 2


def per_parameter_lr():
    return 2


def preconditioned_gd(*, eta):
    return 2/eta


def clipped_gd(*, eta, clip, grad_norm):
    return 2/(eta*np.minimum(1, clip/grad_norm))


def normalised(*, eta, grad_norm):
    return 2*grad_norm/eta


def extragradient(*, eta):
    return eta**(-1.0)


def alternating_steps(*, eta_1, eta_2):
    return np.where(np.greater(eta_1**2 - 6*eta_1*eta_2 + eta_2**2, 0), 4/((eta_1 + eta_2)*(np.sqrt(-8*eta_1*eta_2/(eta_1 + eta_2)**2 + 1) + 1)), (eta_1 + eta_2)/(eta_1*eta_2))


def lookahead(*, eta, alpha, k):
    return np.where(np.equal(np.mod(k, 2), 0), 2/eta, (((2 - alpha)/alpha)**(k**(-1.0)) + 1)/eta)


def runge_kutta_2(*, eta):
    return 2/eta


def runge_kutta_4(*, eta):
    return 2*1.392646781702641/eta


def implicit_gd():
    return np.inf


def heavy_ball(*, eta, beta):
    return (2*beta + 2)/eta


def heavy_ball_dampened(*, eta, beta, tau):
    return (2*beta + 2)/(eta*(1 - tau))


def ema_momentum(*, eta, beta):
    return (2*beta + 2)/(eta*(1 - beta))


def nesterov(*, eta, beta):
    return (2*beta + 2)/(eta*(2*beta + 1))


def ema_nesterov(*, eta, beta):
    return (2*beta + 2)/(eta*(1 - beta)*(2*beta + 1))


def qhm(*, eta, beta, nu):
    return (2*beta + 2)/(eta*(2*beta*(1 - nu) + (1 - beta)))


def cascaded_ema(*, eta, beta_1, beta_2):
    return np.minimum((beta_1*(1 - beta_2) + (1 - beta_1))/(beta_1*beta_2*eta), 2*(beta_1 + 1)*(beta_2 + 1)/(eta*(1 - beta_1)*(1 - beta_2)))


def optimistic_gd(*, eta):
    return (0.6666666666666666)/eta


def delayed_gd(*, eta, delay):
    return 2*np.sin(np.pi/(4*delay + 2))/eta


def heavy_ball_l2(*, eta, beta, weight_decay):
    return (2*beta - eta*weight_decay + 2)/eta


def heavy_ball_l2_margin_1(*, beta, eta, weight_decay):
    return 2*beta - eta*weight_decay + 2


def nesterov_l2(*, eta, beta, weight_decay):
    return (-2*beta*eta*weight_decay + 2*beta - eta*weight_decay + 2)/(eta*(2*beta + 1))


def nesterov_l2_margin_1(*, beta, eta, weight_decay):
    return -2*beta*eta*weight_decay + 2*beta - eta*weight_decay + 2


def heavy_ball_decoupled(*, eta, beta, weight_decay):
    return (beta + 1)*(-eta*weight_decay + 2)/eta


def heavy_ball_decoupled_margin_1(*, eta, weight_decay):
    return -eta*weight_decay + 2


def rmsprop_frozen(*, eta):
    return 2/eta


def rmsprop_momentum(*, eta, mu):
    return (2*mu + 2)/eta


def adam_frozen(*, eta, beta1):
    return (2*beta1 + 2)/(eta*(1 - beta1))


def adam_l2(*, eta, beta1):
    return (2*beta1 + 2)/(eta*(1 - beta1))


def adamw_frozen(*, eta, beta1, weight_decay):
    return (beta1 + 1)*(-eta*weight_decay + 2)/(eta*(1 - beta1))


def adamw_frozen_margin_1(*, eta, weight_decay):
    return -eta*weight_decay + 2


def nadam_frozen(*, eta, beta1):
    return (2*beta1 + 2)/(eta*(1 - beta1)*(2*beta1 + 1))


def sam(*, eta, rho, grad_norm):
    return 4/(eta*(np.sqrt(1 + 8*rho/(eta*grad_norm)) + 1))


def usam(*, eta, rho):
    return 4/(eta*(np.sqrt(1 + 8*rho/eta) + 1))


def sam_heavy_ball(*, eta, beta, rho, grad_norm):
    return (4*beta + 4)/(eta*(np.sqrt(1 + 8*rho*(beta + 1)/(eta*grad_norm)) + 1))


def sam_ema(*, eta, beta, rho, grad_norm):
    return (4*beta + 4)/(eta*(1 - beta)*(np.sqrt(1 + 8*rho*(beta + 1)/(eta*grad_norm*(1 - beta))) + 1))


def sam_nesterov(*, eta, beta, rho, grad_norm):
    return (4*beta + 4)/(eta*(2*beta + 1)*(np.sqrt(1 + 8*rho*(beta + 1)/(eta*grad_norm*(2*beta + 1))) + 1))


def sam_decoupled_decay(*, eta, rho, weight_decay, grad_norm):
    return (-2*eta*weight_decay + 4)/(eta*(np.sqrt(1 + 4*rho*(-eta*weight_decay + 2)/(eta*grad_norm)) + 1))


def sam_decoupled_decay_margin_1(*, eta, weight_decay):
    return -eta*weight_decay + 2


def usam_heavy_ball(*, eta, beta, rho):
    return (4*beta + 4)/(eta*(np.sqrt(1 + 8*rho*(beta + 1)/eta) + 1))


def usam_ema(*, eta, beta, rho):
    return (4*beta + 4)/(eta*(1 - beta)*(np.sqrt(1 + 8*rho*(beta + 1)/(eta*(1 - beta))) + 1))


def usam_nesterov(*, eta, beta, rho):
    return (4*beta + 4)/(eta*(2*beta + 1)*(np.sqrt(1 + 8*rho*(beta + 1)/(eta*(2*beta + 1))) + 1))


CONDITIONS = {
    'gd_weight_decay': (('eta*weight_decay < 2', gd_weight_decay_margin_1, ('eta', 'weight_decay')),),
    'heavy_ball_l2': (('eta*weight_decay < 2 + 2*beta', heavy_ball_l2_margin_1, ('beta', 'eta', 'weight_decay')),),
    'nesterov_l2': (('eta*weight_decay + 2*beta*eta*weight_decay < 2 + 2*beta', nesterov_l2_margin_1, ('beta', 'eta', 'weight_decay')),),
    'heavy_ball_decoupled': (('eta*weight_decay < 2', heavy_ball_decoupled_margin_1, ('eta', 'weight_decay')),),
    'adamw_frozen': (('eta*weight_decay < 2', adamw_frozen_margin_1, ('eta', 'weight_decay')),),
    'sam_decoupled_decay': (('eta*weight_decay < 2', sam_decoupled_decay_margin_1, ('eta', 'weight_decay')),),
}
