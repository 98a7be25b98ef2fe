"""Wrong arguments, and how results are shown."""

import numpy as np
import pytest

import eossim
from eossim.measure import (
    batch_sharpness,
    expected_batch_lambda_max,
    gradient_moments,
    gradient_noise_interaction,
    interaction_aware_sharpness,
    momentum_batch_sharpness,
    population_factors,
    sharpness_report,
)
from eossim.problems import Quadratic
from tests.measure.cases import V2, V4, Bare

W = [1.0, -1.0]


def every(problem, w, b, **how):
    yield lambda: batch_sharpness(problem, w, b, **how)
    yield lambda: batch_sharpness(problem, w, b, estimator="ratio_of_means", **how)
    yield lambda: expected_batch_lambda_max(problem, w, b, **how)
    yield lambda: momentum_batch_sharpness(problem, w, W, 0.5, b, **how)
    yield lambda: sharpness_report(problem, w, [b], **how)
    if not how.keys() - {"replacement"}:
        yield lambda: interaction_aware_sharpness(problem, w, b, **how)
        yield lambda: gradient_noise_interaction(problem, w, b, **how)


def refuse(error, match, problem=V2, w=W, b=2, **how):
    for call in every(problem, w, b, **how):
        with pytest.raises(error, match=match):
            call()


def test_batch_size():
    refuse(ValueError, "batch_size must be at most the number of samples 3 without replacement, got 4", b=4)
    refuse(ValueError, "batch_size must be an integer >= 1, got 0", b=0)
    refuse(ValueError, "batch_size must be an integer >= 1, got -2", b=-2)
    for b in (2.0, "2", None, True):
        refuse(TypeError, "batch_size must be an integer >= 1", b=b)
    assert batch_sharpness(V2, W, 4, replacement=True).batches == 15


def test_point():
    refuse(ValueError, r"w must have shape \(2,\)", w=[1, 2, 3])
    refuse(ValueError, r"w must have shape \(2,\)", w=[W])
    refuse(ValueError, r"w must be finite, got w\[1\] = nan", w=[1, np.nan])
    refuse(ValueError, "w must be finite", w=[np.inf, 0])
    refuse(TypeError, "w must hold real numbers", w=["a", "b"])


def test_problem():
    for wrong in (Quadratic([1, 2]), None, type(V2), np.eye(2)):
        refuse(TypeError, "problem must be a finite sum", problem=wrong)


def test_a_problem_with_wrong_gradients():
    bare = Bare(V2)
    bare.n_samples = 4
    refuse(ValueError, r"sample_gradients\(w\) must have shape \(4, 2\)", problem=bare)
    bare = Bare(V2)
    bare.__dict__["sample_gradients"] = lambda w: np.full((3, 2), np.nan)
    refuse(ValueError, r"sample_gradients\(w\) must be finite", problem=bare)


def test_options():
    refuse(TypeError, "replacement must be True or False", replacement=1)
    refuse(ValueError, "batches must be one of 'auto', 'all'", batches="every")
    refuse(ValueError, "batches must be an integer >= 2", batches=1)
    refuse(TypeError, "batches must be an integer >= 2", batches=0.01)
    refuse(ValueError, "rtol", rtol=0)
    refuse(ValueError, "rtol", rtol=np.nan)
    refuse(ValueError, "rtol must be a single number", rtol=[0.1, 0.2])
    refuse(ValueError, "0 < confidence < 1 required", confidence=1)
    refuse(ValueError, "seed", seed=-1)
    refuse(TypeError, "seed", seed=1.5)
    with pytest.raises(ValueError, match="estimator must be one of"):
        batch_sharpness(V2, W, 1, estimator="median")
    with pytest.raises(ValueError, match="zero_gradient must be one of"):
        batch_sharpness(V2, W, 1, zero_gradient="nan")
    with pytest.raises(ValueError, match="sampling must be one of"):
        gradient_moments(V2, W, 1, sampling="reshuffle")
    with pytest.raises(ValueError, match="batch_sizes must not be empty"):
        sharpness_report(V2, W, [])
    with pytest.raises(TypeError, match="batch_size must be an integer"):
        sharpness_report(V2, W, [1.5])  # type: ignore[list-item]


def test_momentum():
    with pytest.raises(ValueError, match=r"velocity must have shape \(2,\)"):
        momentum_batch_sharpness(V2, W, [1], 0.5, 1)
    with pytest.raises(ValueError, match="velocity must be finite"):
        momentum_batch_sharpness(V2, W, [1, np.nan], 0.5, 1)
    for beta in (-0.1, 1, np.nan):
        with pytest.raises(ValueError, match="0 <= beta < 1 required"):
            momentum_batch_sharpness(V2, W, W, beta, 1)


def test_too_many_batches_to_look_at_all():
    problem = eossim.LeastSquares(np.eye(60), np.ones(60))
    with pytest.raises(ValueError, match=r"about 10\^17 batches, more than 5000000"):
        batch_sharpness(problem, np.zeros(60), 30, batches="all")


def test_nothing_left():
    zero = V4.X @ [1.0, 2]
    problem = eossim.LeastSquares(V4.X, zero)
    for estimator in ("mean_of_ratios", "ratio_of_means"):
        for batches in ("auto", "all", 50):
            for how in ("skip", "error"):
                with pytest.raises(ValueError, match="zero gradient"):
                    batch_sharpness(problem, [1, 2], 2, estimator=estimator, batches=batches, zero_gradient=how)
            assert float(batch_sharpness(problem, [1, 2], 2, estimator=estimator, batches=batches)) == 0


def test_factors():
    with pytest.raises(ValueError, match="at most the number of samples"):
        population_factors(3, 4)
    with pytest.raises(ValueError, match="at most the number of samples"):
        population_factors(3, 4, "poisson")
    assert population_factors(3, 4, "with").p == 0.25
    assert population_factors(1, 1) == population_factors(5, 5)
    assert population_factors(2, 1).kappa_3 == 0


def test_shown():
    text = repr(batch_sharpness(V4, [0, 0], 1))
    assert text == "Measurement(1, exact, 4 batches, 1 of them with zero gradient)"
    assert repr(interaction_aware_sharpness(V2, W, 2)) == "Measurement(1.65152, exact, closed form)"
    assert "±" in repr(batch_sharpness(V2, W, 2, batches=100))
    assert "median" in repr(momentum_batch_sharpness(V2, W, W, 0.5, 2))
    assert "1 batch)" in repr(batch_sharpness(V2, W, 3))


def test_report():
    report = sharpness_report(V2, W, np.array([1, 2, 3]))
    assert [row.batch_size for row in report] == [1, 2, 3]
    assert len(report) == 3
    assert report[2].ratio_of_means == pytest.approx(203 / 88)
    with pytest.raises(KeyError):
        report[7]
    assert "batch sharpness (mean of ratios)" in repr(report)
    assert "<table>" in report._repr_html_()
    data = report.dataset()
    assert data.sizes == {"batch_size": 3}
    assert float(data.batch_sharpness.sel(batch_size=2)) == pytest.approx(745 / 442)
    assert eossim.measure.batch_sharpness is batch_sharpness
