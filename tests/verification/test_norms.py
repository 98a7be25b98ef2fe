"""Verification of norms, and the experiments on steepest descent: what is wrong must fail."""

import numpy as np
import pytest

import eossim
from eossim.norms import Linf, Norm, Spectral
from eossim.verification import steepest
from eossim.verification.experiments import random_problem
from eossim.verification.steepest import STEEPEST


class Weighted(Norm):
    """max |w_i d_i|."""

    dim = 3
    weights = np.array([1.0, 2.0, 4.0])

    def norm(self, d):
        return np.abs(self.weights * d).max(axis=-1)

    def lmo(self, g):
        return np.sign(g) / self.weights


class Short(Weighted):
    """An LMO of half the length: every step is half as long."""

    def lmo(self, g):
        return 0.5 * np.sign(g) / self.weights


class NotTheBest(Weighted):
    """An LMO on the sphere that is no maximiser."""

    def lmo(self, g):
        away = np.zeros_like(g)
        away[..., 0] = np.sign(g[..., 0])
        return away


def test_a_norm_of_ones_own_is_verified():
    report = eossim.verify([Weighted(), Linf(), Spectral((2, 2))], jobs=1)
    assert report.passed, report
    verdict = report["norm.weighted"]
    assert [c.name for c in verdict.checks] == ["axioms", "synthetic", "digits", "diabetes"]
    assert verdict.shown.measured == pytest.approx(1.4)


@pytest.mark.parametrize("norm", [Short(), NotTheBest()], ids=repr)
def test_a_wrong_norm_fails(norm):
    (verdict,) = eossim.verify(norm, data=("diabetes",), jobs=1)
    assert not verdict.passed
    assert not verdict.checks[0].passed
    assert not verdict.checks[1].passed


def test_a_norm_of_too_many_coordinates_passes_over_small_data():
    (verdict,) = eossim.verify(Spectral((4, 3)), data=("diabetes",), jobs=1)
    assert verdict.passed
    assert "not applicable" in verdict.checks[-1].detail


@pytest.mark.parametrize("name", sorted(set(STEEPEST) - {"norms_coexistence"}))
def test_experiments_pass(name):
    found = STEEPEST[name]("synthetic", random_problem, np.random.default_rng(7), 1)
    assert found.passed, found.detail
    assert found.cases > 0


def scaled(factor):
    """Return `generalized_sharpness` with values off by a factor, witness and bound with them."""
    from dataclasses import replace

    from eossim.curvature.generalized import generalized_sharpness

    def wrong(*args, **kwargs):
        found = generalized_sharpness(*args, **kwargs)
        return replace(found, value=factor * found.value, upper_bound=factor * found.upper_bound)

    return wrong


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("norms_below_edge", 0.8),
        ("norms_above_edge", 1.001),
        ("coordinate_descent_edge", 1.001),
        ("sharpness_estimator", 1.001),
        ("sharpness_bounds", 0.1),
        ("normalized_two_cycles", 0.05),
    ],
)
def test_a_wrong_sharpness_is_noticed(monkeypatch, name, factor):
    monkeypatch.setattr(steepest, "generalized_sharpness", scaled(factor))
    assert not STEEPEST[name]("synthetic", random_problem, np.random.default_rng(7), 2).passed


@pytest.mark.parametrize("name", ["linf_on_ab_toy", "normalized_two_cycles", "descent_identities", "linf_freezing"])
def test_a_wrong_step_is_noticed(monkeypatch, name):
    class Longer(Linf):
        def _steepest(self, g):
            value, direction = super()._steepest(g)
            return 1.02 * value, direction

    monkeypatch.setattr(steepest, "Linf", Longer)
    assert not STEEPEST[name]("synthetic", random_problem, np.random.default_rng(7), 2).passed
