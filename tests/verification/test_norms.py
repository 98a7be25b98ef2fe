"""Verification of norms, and the experiments on steepest descent: what is wrong must fail."""

import time
from pathlib import Path

import numpy as np
import pytest

import eossim
from eossim.norms import Linf, Norm, Spectral
from eossim.verification import descents, sharpness, steepest
from eossim.verification.experiments import random_problem
from eossim.verification.sharpness import SHARPNESS
from eossim.verification.steepest import STEEPEST

EXPERIMENTS = STEEPEST | SHARPNESS


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


def test_an_approximate_lmo_is_held_to_the_identities():
    (verdict,) = eossim.verify(Spectral((3, 4), polar="newton_schulz"), data=("digits",), jobs=1)
    assert verdict.passed
    assert "identities" in verdict.checks[1].detail


class NoBatches(Weighted):
    def norm(self, d):
        return np.abs(self.weights * d).max()


def test_a_norm_that_answers_wrongly_fails_and_says_so():
    (verdict,) = eossim.verify(NoBatches(), data=("diabetes",), jobs=1)
    assert [check.passed for check in verdict.checks] == [False] * 3
    assert "norm of an array of shape (2, 4, 3) has shape ()" in verdict.checks[0].detail
    assert verdict.checks[1].detail.startswith("not tried: norm of the norm nobatches, asked with shape (2, 3)")


@pytest.mark.parametrize("polar", ["svd", "newton_schulz"])
def test_large_norms_are_verified_in_seconds(polar):
    start = time.process_time()
    (verdict,) = eossim.verify(Spectral((20, 20), polar=polar), data=("diabetes",), jobs=1)
    assert verdict.passed, verdict
    assert verdict.checks[1].cases > 0
    assert time.process_time() - start < 10


class Halved(Norm):
    """The spectral norm of 4 x 4 matrices with an LMO of half the length."""

    dim = 16

    def norm(self, d):
        return Spectral((4, 4)).norm(d)

    def lmo(self, g):
        return 0.5 * Spectral((4, 4)).lmo(g)


def test_a_large_norm_with_a_wrong_lmo_fails():
    (verdict,) = eossim.verify(Halved(), data=(), jobs=1)
    assert [check.passed for check in verdict.checks] == [False, False]


@pytest.mark.parametrize("name", sorted(set(EXPERIMENTS) - {"norms_coexistence"}))
def test_experiments_pass(name):
    found = EXPERIMENTS[name]("synthetic", random_problem, np.random.default_rng(7), 1)
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
        ("sharpness_bounds", 1.5),
        ("normalized_two_cycles", 0.05),
    ],
)
def test_a_wrong_sharpness_is_noticed(monkeypatch, name, factor):
    for room in (sharpness, steepest):
        monkeypatch.setattr(room, "generalized_sharpness", scaled(factor))
    assert not EXPERIMENTS[name]("synthetic", random_problem, np.random.default_rng(7), 2).passed


@pytest.mark.parametrize("name", ["linf_on_ab_toy", "normalized_two_cycles", "descent_identities", "linf_freezing"])
def test_a_wrong_step_is_noticed(monkeypatch, name):
    class Longer(Linf):
        def _steepest(self, g):
            value, direction = super()._steepest(g)
            return 1.02 * value, direction

    for room in (descents, steepest):
        monkeypatch.setattr(room, "Linf", Longer)
    assert not EXPERIMENTS[name]("synthetic", random_problem, np.random.default_rng(7), 2).passed


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.97])
def test_a_wrong_bound_is_noticed(monkeypatch, factor):
    right = sharpness.upper_bound
    monkeypatch.setattr(sharpness, "upper_bound", lambda norm, H: (factor * right(norm, H)[0], "wrong"))
    assert not SHARPNESS["sharpness_bounds"]("synthetic", random_problem, np.random.default_rng(7), 2).passed


@pytest.mark.parametrize("change", ["np.sqrt(np.abs(level * J))", "0.9 * level * J"])
def test_a_wrong_law_of_deviations_is_noticed(change):
    source = Path(steepest.__file__).read_text(encoding="utf-8")
    assert source.count("level * J") == 1
    room = {"__name__": steepest.__name__, "__package__": "eossim.verification"}
    exec(source.replace("level * J", change), room)
    assert not room["divergence_cone"]("synthetic", random_problem, np.random.default_rng(7), 1).passed
