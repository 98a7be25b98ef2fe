"""Methods on problems as maps: their steps against simulate, their derivatives against complex steps and theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim import Quadratic, Record, rules, simulate, spectral_radius
from eossim._rule import Rule
from eossim.dynamics import method_map
from eossim.engine.reference import sequential_norm
from eossim.problems import Function
from eossim.symbolic import eta, grad, state, w
from tests.dynamics.systems import coupled, coupled_gradient
from tests.engine.cases import RULES

PLAIN = {n: r for n, r in RULES.items() if not (r.kernel.PRECONDITIONED or r.kernel.MODEWISE)}
LINEAR = {n: r for n, r in RULES.items() if not r.linearization.frozen and n != "per_parameter_lr"}
START = np.array([0.7, -1.1])


def hyper_of(rule, seed=0):
    """Small steps, and anything else from inside its interval."""
    rng = np.random.default_rng(seed)
    return {n: 0.05 if n.startswith("eta") else min(i.sample(rng), 2.0) for n, i in rule.domain.items()}


@pytest.mark.parametrize("name", PLAIN)
def test_steps_are_those_of_simulate_bit_for_bit(name):
    rule, hyper = PLAIN[name], hyper_of(PLAIN[name])
    system = method_map(rule, coupled)
    run = simulate(coupled, rule(**hyper), START, 6, record=Record(what=("w",)))
    x = system.start(START)
    for step in range(1, 7):
        x = system.step(x, **hyper)
        np.testing.assert_array_equal(x[:2], run.w.sel(step=step).values[0])


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(
    "hessian", [np.array([2.0, 0.5]), np.array([[2.0, 0.5], [0.5, 1.0]])], ids=["diagonal", "dense"]
)
def test_steps_on_quadratics_are_those_of_simulate(name, hessian):
    rule, hyper = RULES[name], hyper_of(RULES[name])
    problem = Quadratic(hessian, [0.3, -0.2])
    P = np.array([1.5, 0.7]) if name == "per_parameter_lr" else np.array([[1.5, 0.2], [0.2, 0.8]])
    bound = {**hyper, **({"etas": 1 / P} if name == "per_parameter_lr" else {"P": P})}
    preconditioned = rule.kernel.PRECONDITIONED
    system = method_map(rule, problem, P=P if preconditioned else None)
    run = simulate(problem, rule(**(bound if preconditioned else hyper)), START, 6, record=Record(what=("w",)))
    x = system.start(START)
    for _ in range(6):
        x = system.step(x, **hyper)
    np.testing.assert_allclose(x[:2], run.w.sel(step=6).values[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", PLAIN)
def test_jacobian_is_that_of_complex_steps(name):
    rule, hyper = PLAIN[name], hyper_of(PLAIN[name])
    system = method_map(rule, coupled)
    x = system.start(START) + 0.1 * np.random.default_rng(1).standard_normal(system.dim)
    nudged = x + 1e-30j * np.eye(system.dim)
    values = {n: np.full(system.dim, v) for n, v in hyper.items()}
    blocks = [b.T for b in np.split(nudged, len(rule.kernel.STATE), axis=1)]
    moved = rule.kernel.step(*blocks, grad=lambda p: coupled_gradient(p.T).T, norm=sequential_norm, **values)
    expected = np.concatenate([np.broadcast_to(m, blocks[0].shape) for m in moved]).imag / 1e-30
    np.testing.assert_allclose(system.jacobian_at(x, **hyper), expected, rtol=1e-12, atol=1e-13)


@given(name=st.sampled_from(list(LINEAR)), curvature=st.floats(0.01, 50), seed=st.integers(0, 1000))
def test_jacobian_on_a_quadratic_is_the_companion_matrix(name, curvature, seed):
    rule, hyper = LINEAR[name], hyper_of(LINEAR[name], seed)
    system = method_map(rule, Quadratic([curvature]), P=[1.0] if rule.kernel.PRECONDITIONED else None)
    jacobian = system.jacobian_at(np.full(system.dim, 0.4), **hyper)
    inner = curvature + (hyper[rule.kernel.SHIFT] if rule.kernel.SHIFT else 0)  # decay that is preconditioned as well
    radius = spectral_radius(rule, inner, **hyper)
    # Eigenvalues of a defective matrix are only good to a root of the rounding error.
    assert np.abs(np.linalg.eigvals(jacobian)).max() == pytest.approx(radius, rel=1e-5, abs=1e-6)
    companion = rule.linearization.matrix
    values = {s: hyper.get(str(s), inner) for s in companion.free_symbols}
    np.testing.assert_allclose(jacobian, np.array(companion.subs(values), dtype=float), rtol=1e-11, atol=1e-11)


def test_jacobian_of_a_preconditioned_rule_and_of_an_implicit_one_on_a_dense_hessian():
    H, P = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.5, 0.2], [0.2, 0.8]])
    conditioned = method_map(rules.preconditioned_gd, Quadratic(H), P=P)
    np.testing.assert_allclose(conditioned.jacobian_at([0.3, 0.4], eta=0.3), np.eye(2) - 0.3 * np.linalg.solve(P, H))
    implicit = method_map(rules.implicit_gd, Quadratic(H, [1.0, 2.0]))
    np.testing.assert_allclose(implicit.jacobian_at([0.3, 0.4], eta=0.3), np.linalg.inv(np.eye(2) + 0.3 * H))
    np.testing.assert_allclose(implicit.step([1.0, 2.0], eta=0.3), [1.0, 2.0])


def test_min_max_abs_and_sign_are_differentiated_on_their_side():
    import sympy as sp

    m = state("m")
    g = grad(w)
    rule = Rule(
        "clipped_sign",
        hyper=(eta,),
        update={w: w - eta * (sp.Max(sp.Min(g, 2), -1) + sp.Abs(w) + sp.sign(m)), m: sp.Min(m, g)},
    )
    system = method_map(rule, Quadratic([1.0, 1.0, 1.0]))
    x = np.array([0.5, 3.0, -4.0, 0.1, 0.1, -7.0])
    eye, zero = np.eye(3), np.zeros((3, 3))
    expected = np.block(
        [
            [eye - 0.1 * (np.diag([1.0, 0, 0]) + np.diag([1.0, 1, -1])), zero],
            [zero, np.diag([1.0, 1.0, 1.0])],
        ]
    )
    np.testing.assert_allclose(system.jacobian_at(x, eta=0.1), expected)


def test_a_vanishing_gradient_is_a_fixed_point_of_sam():
    system = method_map(rules.sam, Quadratic([2.0, 1.0]))
    np.testing.assert_array_equal(system.step([0.0, 0.0], eta=0.1, rho=0.5), [0.0, 0.0])
    assert np.isfinite(system.jacobian_at([0.0, 0.0], eta=0.1, rho=0.5)).all()


def test_batches_of_states_and_hyper_parameters():
    system = method_map(rules.heavy_ball, coupled)
    rng = np.random.default_rng(0)
    x, etas = rng.standard_normal((3, 5, system.dim)), rng.uniform(0.01, 0.2, (3, 5))
    steps, jacobians = system.step(x, eta=etas, beta=0.9), system.jacobian_at(x, eta=etas, beta=0.9)
    for i, j in np.ndindex(3, 5):
        np.testing.assert_array_equal(steps[i, j], system.step(x[i, j], eta=etas[i, j], beta=0.9))
        np.testing.assert_allclose(
            jacobians[i, j], system.jacobian_at(x[i, j], eta=etas[i, j], beta=0.9), rtol=1e-13, atol=1e-15
        )


def test_states_are_named_and_begin_as_the_rule_says():
    momentum = method_map(rules.heavy_ball, coupled)
    assert momentum.states == ("w_1", "w_2", "m_1", "m_2")
    np.testing.assert_array_equal(momentum.start([1.0, 2.0]), [1, 2, 0, 0])
    delayed = method_map(rules.delayed_gd, Quadratic([1.0]), delay=2)
    assert delayed.states == ("w", "w_1", "w_2")
    np.testing.assert_array_equal(delayed.start([3.0]), [3, 3, 3])


def test_bad_input():
    without = Function(1, lambda w: (w**2).sum(-1), lambda w: 2 * w)
    assert not hasattr(method_map(rules.gd, without), "jacobian_at")
    with pytest.raises(AttributeError, match=r"needs problem.hvp"):
        _ = method_map(rules.gd, without).jacobian_at
    with pytest.raises(TypeError, match="rule must be a rule"):
        method_map("gd", coupled)
    with pytest.raises(TypeError, match="problem must be"):
        method_map(rules.gd, 3)
    with pytest.raises(ValueError, match="runs on quadratics"):
        method_map(rules.implicit_gd, coupled)
    with pytest.raises(ValueError, match="needs P"):
        method_map(rules.preconditioned_gd, coupled)
    with pytest.raises(ValueError, match="takes no P"):
        method_map(rules.gd, coupled, P=[1.0, 1.0])
    with pytest.raises(ValueError, match="3 coordinates, the problem 2"):
        method_map(rules.preconditioned_gd, coupled, P=[1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match="is no family"):
        method_map(rules.gd, coupled, delay=2)
    with pytest.raises(ValueError, match="takes no eta here"):
        method_map(rules.delayed_gd, coupled, delay=2, eta=0.1)
    with pytest.raises(ValueError, match=r"x must have shape \(\.\.\., 4\)"):
        method_map(rules.heavy_ball, coupled).step([1.0, 2.0], eta=0.1, beta=0.9)
