"""The experiments on toy models: all pass, and each notices a formula, a map or an estimator that is off."""

import numpy as np
import pytest

import eossim
from eossim._map import Map
from eossim.formulas import toy as formulas
from eossim.verification import toy, uv
from eossim.verification.experiments import EXPERIMENTS, places
from eossim.verification.toy import TOY


def run(name, cases=2):
    return TOY[name]("synthetic", None, np.random.default_rng(7), cases)


def times(factor):
    """Return what multiplies a function's values."""
    return lambda function: lambda **values: factor * function(**values)


@pytest.mark.parametrize("name", sorted(TOY))
def test_experiments_pass(name):
    found = run(name)
    assert found.passed, found.detail
    assert found.cases > 0
    assert EXPERIMENTS[name] is TOY[name]
    assert places(name, ("digits",)) == ("synthetic",)


@pytest.mark.parametrize(
    ("name", "formula", "factor"),
    [
        ("uv_hessian", "uv_sharpness", 1 + 1e-9),
        ("uv_thresholds", "uv_k_loss", 1 + 1e-5),
        ("uv_thresholds", "uv_k_loss", 1 - 1e-5),
        ("uv_divergence", "uv_k_max", 1 + 1e-5),
        ("uv_divergence", "uv_k_max", 1 - 1e-5),
        ("uv_conservation", "uv_gradient_flow_end", 1.001),
        ("uv_segment", "uv_segment_output", 1.001),
        ("uv_averages", "uv_mean_s", 1.2),
        ("uv_averages", "uv_mean_s2", 1.5),
        ("uv_averages", "uv_conversion", 1.01),
        ("uv_averages", "uv_c_max", 1.01),
        ("uv_two_cycle", "uv_two_cycle_high", 1 + 1e-6),
        ("uv_two_cycle", "uv_two_cycle_low", 1 + 1e-6),
        ("uv_two_cycle", "uv_two_cycle_multiplier", 1 + 1e-4),
        ("uv_two_cycle", "uv_two_cycle_transverse", 1 + 1e-4),
        ("uv_two_cycle", "uv_eta_critical", 1 + 1e-4),
        ("uv_bifurcations", "uv_two_cycle_multiplier", 1.2),
        ("uv_lyapunov", "uv_two_cycle_multiplier", 1.001),
        ("second_order_edge", "second_order_limit", 1 + 1e-4),
        ("minimalist_edge", "minimalist_limit", 1 + 1e-4),
        ("minimalist_edge", "minimalist_sharpness", 1 + 1e-6),
        ("self_stabilization_descent", "self_stabilization_delta", 1.001),
        ("self_stabilization_descent", "self_stabilization_period", 1.002),
        ("two_step_cycle", "two_step_coefficient", 1.2),
        ("critical_step_of_uv", "uv_k_loss", 1 + 1e-6),
        ("critical_step_of_uv", "uv_k_loss", 1 - 1e-6),
    ],
)
def test_a_formula_that_is_off_is_noticed(monkeypatch, name, formula, factor):
    monkeypatch.setattr(formulas, formula, times(factor)(getattr(formulas, formula)))
    assert not run(name).passed


def test_a_cubic_that_is_off_is_noticed(monkeypatch):
    right = formulas.uv_k_sharp_cubic
    monkeypatch.setattr(formulas, "uv_k_sharp_cubic", lambda *, k, s: right(k=k, s=s) + 1e-3)
    assert not run("uv_thresholds").passed


def test_a_criterion_of_the_other_sign_is_noticed(monkeypatch):
    right = formulas.two_step_coefficient
    monkeypatch.setattr(formulas, "two_step_coefficient", lambda **values: -right(**values))
    assert not run("two_step_cycle").passed


def test_multipliers_that_are_off_are_noticed(monkeypatch):
    right = uv.theory.fixed_points

    def wrong(Y):
        from dataclasses import replace

        return tuple(replace(p, multipliers=(p.multipliers[0], p.multipliers[1] + 1e-5)) for p in right(Y))

    monkeypatch.setattr(uv.theory, "fixed_points", wrong)
    assert not run("uv_multipliers").passed


@pytest.mark.parametrize(
    "label", ["monotone_until", "two_cycle", "superstable", "doubling", "zero_reached", "divergence"]
)
def test_bifurcations_that_are_off_are_noticed(monkeypatch, label):
    values = uv.theory.bifurcations()
    monkeypatch.setattr(uv.theory, "bifurcations", lambda: values | {label: values[label] * 1.01})
    assert not run("uv_bifurcations").passed


@pytest.mark.parametrize(
    ("name", "room", "attribute", "swapped"),
    [
        ("uv_maps", uv, "uv_function", {"lam": "lam + kappa*eta*(f - y)*(eta*lam*(f - y) - 4.001*f)"}),
        ("second_order_maps", toy, "second_order", {"T": "T - 2*z*((1 - eps)*T + 2*eps*(z - E))"}),
        ("self_stabilization_descent", toy, "self_stabilization", {"y": "y + eta*(alpha - beta*x**2/2.001)"}),
        ("minimalist_edge", toy, "minimalist", {"y": "y + 1.001*eta*(1 - x**2*y**2)*x**2*y"}),
    ],
)
def test_a_map_that_is_off_is_noticed(monkeypatch, name, room, attribute, swapped):
    right = getattr(room, attribute)
    update = {str(s): e for s, e in zip(right.states, right.update, strict=True)} | swapped
    wrong = Map(f"wrong_{attribute}", right.states, update, parameters=right.parameters, observables=right.observables)
    monkeypatch.setattr(room, attribute, wrong)
    assert not run(name, 1).passed


def test_a_descent_that_breaks_the_laws_is_noticed(monkeypatch):
    right = uv._descent
    monkeypatch.setattr(uv, "_descent", lambda problem, eta, w, steps: right(problem, 1.001 * eta, w, steps))
    for name in ("uv_maps", "uv_conservation", "uv_segment"):
        assert not run(name).passed


def test_a_knee_elsewhere_is_noticed(monkeypatch):
    right = toy.uv_saturation
    monkeypatch.setattr(toy, "uv_saturation", lambda starts, c: right(starts, 1.1 * c))
    assert not run("saturation_of_uv").passed


def test_an_estimator_that_is_off_is_noticed(monkeypatch):
    right = toy.critical_constants
    monkeypatch.setattr(toy, "critical_constants", lambda c, L, S: right(c, L, S, loss_rise=0.1))
    assert not run("critical_constants_of_a_notebook").passed


def test_claims_on_toy_models_are_verified():
    report = eossim.verify(["uv.k_*", "two_step.coefficient", "phase_diagram.estimator"], jobs=1)
    assert report.passed, report
    assert {v.claim for v in report} >= {"uv.k_loss", "uv.k_sharp_low", "uv.k_sharp_high", "uv.k_max"}
