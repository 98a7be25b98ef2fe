"""Binding hyper-parameters: what is accepted, what is refused and what the message says."""

import numpy as np
import pytest

from eossim import rules


@pytest.mark.parametrize(
    ("bind", "message"),
    [
        (lambda: rules.gd(), "gd needs eta"),
        (lambda: rules.sam(eta=0.1), "sam needs rho"),
        (lambda: rules.sam(eta=0.1, roh=0.1), 'unknown parameter of sam "roh"; did you mean "rho"'),
        (lambda: rules.gd(eta=-0.1), "0 < eta"),
        (lambda: rules.gd(eta=0.0), "0 < eta"),
        (lambda: rules.gd(eta=np.nan), "eta"),
        (lambda: rules.gd(eta=np.inf), "eta"),
        (lambda: rules.gd(eta=[]), "eta must not be empty"),
        (lambda: rules.gd(eta=[[0.1]]), "1-D array"),
        (lambda: rules.sam(eta=0.1, rho=-0.1), "0 <= rho"),
        (lambda: rules.heavy_ball(eta=0.1, beta=1.0), "0 <= beta < 1 required, got beta = 1"),
        (lambda: rules.sam(eta=[0.1, 0.2], rho=[0.1, 0.2, 0.3]), "different numbers of runs.*eta.*2.*rho.*3"),
        (lambda: rules.preconditioned_gd(eta=0.1), "needs P, or nu_hat and eps"),
        (lambda: rules.per_parameter_lr(), "needs etas"),
        (lambda: rules.preconditioned_gd(eta=0.1, P=[1.0, 0.0]), "P must be positive definite"),
        (lambda: rules.preconditioned_gd(eta=0.1, P=[[1.0, 2.0], [2.0, 1.0]]), "P must be positive definite"),
        (lambda: rules.preconditioned_gd(eta=0.1, P=[[1.0, 2.0], [0.0, 1.0]]), "P must be symmetric"),
        (lambda: rules.preconditioned_gd(eta=0.1, P=np.ones((2, 3))), "P must be square"),
        (lambda: rules.rmsprop_frozen(eta=0.1, nu_hat=[-1.0]), "nu_hat must be non-negative"),
        (lambda: rules.rmsprop_frozen(eta=0.1, nu_hat=[0.0], eps=0.0), "positive definite"),
        (lambda: rules.per_parameter_lr(etas=[0.1, -0.1]), "etas"),
        (lambda: rules.alternating_steps(etas=(0.1, 0.2, 0.3)), "etas needs 2 entries"),
        (lambda: rules.delayed_gd(eta=0.1), "delayed_gd needs delay"),
        (lambda: rules.delayed_gd(eta=0.1, delay=-1), "delay"),
        (lambda: rules.lookahead(eta=0.1, alpha=0.0, k=2), "0 < alpha"),
        (lambda: rules.parallel_ema(eta=0.1, betas=(0.1, 0.2), weights=(1.0,)), "vectors of one length"),
        (lambda: rules.cyclic_steps(), "cyclic_steps needs etas"),
    ],
)
def test_refused(bind, message):
    with pytest.raises(ValueError, match=message):
        bind()


def test_type_errors():
    with pytest.raises(TypeError, match="eta must hold real numbers"):
        rules.gd(eta="0.1")
    with pytest.raises(TypeError, match="delay must be an integer"):
        rules.delayed_gd(eta=0.1, delay=1.5)


def test_a_batch_is_as_long_as_its_longest_value():
    method = rules.sam(eta=[0.1, 0.2, 0.3], rho=0.05)
    assert method.runs == 3
    assert repr(method) == "sam[eta=0.1..0.3, rho=0.05]"
    assert rules.sam(eta=[0.1], rho=[0.1, 0.2]).runs == 2


def test_vectors_are_spelled_out():
    assert rules.alternating_steps(etas=(0.1, 0.2)).values == {"eta_1": 0.1, "eta_2": 0.2}
    method = rules.parallel_ema(eta=0.1, betas=(0.5, 0.9), weights=(0.3, 0.7))
    assert list(method.values) == ["eta", "beta_1", "beta_2", "weight_1", "weight_2"]


def test_second_moment_is_not_squared_or_rooted_twice():
    method = rules.rmsprop_frozen(eta=0.1, nu_hat=[4.0, 9.0], eps=1.0)
    np.testing.assert_array_equal(method.preconditioner, [3.0, 4.0])
    method = rules.per_parameter_lr(etas=[0.5, 0.25])
    np.testing.assert_array_equal(method.preconditioner, [2.0, 4.0])
