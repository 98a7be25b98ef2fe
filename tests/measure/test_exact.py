"""Closed forms and enumeration against every ordered batch in exact arithmetic, on thousands of small problems."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eossim.measure import (
    batch_sharpness,
    expected_batch_lambda_max,
    gradient_moments,
    gradient_noise_interaction,
    interaction_aware_sharpness,
    momentum_batch_sharpness,
)
from eossim.measure.batches import all_batches, number_of_batches
from eossim.measure.factors import SAMPLINGS
from eossim.problems import LeastSquares, QuadraticSum
from tests.measure.cases import Bare, exact, integer_problems, largest_exact, ordered_batches

cases = st.tuples(integer_problems(), st.integers(1, 5), st.booleans())
many = settings(max_examples=1000, deadline=None)
some = settings(max_examples=100, deadline=None)


def valid(case):
    (problem, w), b, replacement = case
    b = min(b, 4) if replacement else min(b, problem.n_samples)
    return problem, np.array(w, dtype=float), b, replacement


def close(measured, value, scale):
    assert abs(float(measured) - float(value)) <= 1e-12 * scale


@many
@given(cases)
def test_everything_equals_exact_enumeration(case):
    problem, w, b, replacement = valid(case)
    truth, scale = exact(problem, w, b, replacement), largest_exact(problem)

    zero = batch_sharpness(problem, w, b, replacement=replacement)
    close(zero, truth["zero"], scale)
    close(zero.zero_share, truth["zero_share"], 1)
    assert zero.exact
    if truth["skip"] is None:
        with pytest.raises(ValueError, match="leaves none"):
            batch_sharpness(problem, w, b, replacement=replacement, zero_gradient="skip")
    else:
        close(batch_sharpness(problem, w, b, replacement=replacement, zero_gradient="skip"), truth["skip"], scale)
    for batches in ("auto", "all"):
        ratio = batch_sharpness(problem, w, b, replacement=replacement, estimator="ratio_of_means", batches=batches)
        close(ratio, truth["RM"] or 0, scale)
    close(interaction_aware_sharpness(problem, w, b, replacement=replacement), truth["IAS"] or 0, scale)
    interaction = float(gradient_noise_interaction(problem, w, b, replacement=replacement))
    if truth["GNI"] is not None:
        close(interaction, truth["GNI"], max(scale, scale * abs(interaction)))
    else:
        assert interaction == np.inf * float(truth["IAS"]) if truth["IAS"] else interaction == 0


@settings(max_examples=500, deadline=None)
@given(cases)
def test_inequalities(case):
    problem, w, b, replacement = valid(case)
    scale = largest_exact(problem) * 1e-12
    top = float(np.linalg.eigvalsh(problem.hessian())[-1])
    sharp = batch_sharpness(problem, w, b, replacement=replacement)
    lam = expected_batch_lambda_max(problem, w, b, replacement=replacement)
    assert lam.value >= top - scale
    if not sharp.zero_gradients:  # a zero gradient counts as 0, which an indefinite Hessian can lie below
        assert sharp.value <= lam.value + scale
    aware = float(interaction_aware_sharpness(problem, w, b, replacement=replacement))
    assert aware <= top + scale or sharp.zero_share == pytest.approx(1)


@some
@given(cases, st.floats(0.01, 3))
def test_a_step_enlarges_the_gradient_of_its_own_batch_at_least_by_this(case, eta):
    problem, w, b, replacement = valid(case)
    sharp = batch_sharpness(problem, w, b, replacement=replacement)
    assume(not sharp.zero_gradients)
    growth = []
    for batch in ordered_batches(problem.n_samples, b, replacement):
        rows = list(batch)
        g = problem.sample_gradients(w)[rows].mean(axis=0)
        after = problem.sample_gradients(w - eta * g)[rows].mean(axis=0)
        growth.append((after @ after) / (g @ g))
    bound = (1 - eta * sharp.value) ** 2
    assert np.mean(growth) >= bound * (1 - 1e-10) - 1e-10


@some
@given(cases, st.floats(0.01, 3))
def test_ratio_of_means_and_gni_are_changes_of_the_loss_in_one_step(case, eta):
    problem, w, b, replacement = valid(case)
    sampling = "with" if replacement else "without"
    moments = gradient_moments(problem, w, b, sampling=sampling)
    own, full = [], []
    H, g_all = problem.sample_hvp, problem.sample_gradients(w)
    for batch in ordered_batches(problem.n_samples, b, replacement):
        rows = list(batch)
        g = g_all[rows].mean(axis=0)
        HB_g = H(w, np.broadcast_to(g, g_all.shape))[rows].mean(axis=0)
        own.append(-eta * g @ g + eta**2 / 2 * g @ HB_g)
        full.append(problem.loss(w - eta * g) - problem.loss(w))
    scale = 1e-11 * (1 + max(moments.grad_square, abs(moments.own_curvature), abs(moments.full_curvature)) * 10)
    expected = -eta * moments.grad_square * (1 - eta / 2 * moments.ratio_of_means)
    assert np.mean(own) == pytest.approx(expected, abs=scale)
    if moments.full_grad_square:
        expected = -eta * moments.full_grad_square * (1 - eta / 2 * moments.gradient_noise_interaction)
        assert np.mean(full) == pytest.approx(expected, abs=scale * (1 + abs(problem.loss(w))))


@some
@given(integer_problems())
def test_full_batch_collapse(case):
    problem, w = case
    n, scale = problem.n_samples, largest_exact(problem) * 1e-12
    g = problem.grad(w)
    found = [batch_sharpness(problem, w, n), batch_sharpness(problem, w, n, estimator="ratio_of_means")]
    found += [interaction_aware_sharpness(problem, w, n), gradient_noise_interaction(problem, w, n)]
    assert found[0].batches == 1
    expected = 0.0 if found[0].zero_gradients else g @ problem.hessian() @ g / (g @ g)
    assert [float(m) for m in found] == pytest.approx([expected] * 4, abs=10 * scale, rel=1e-11)
    lam = float(expected_batch_lambda_max(problem, w, n))
    assert lam == pytest.approx(np.linalg.eigvalsh(problem.hessian())[-1], abs=scale)


@some
@given(integer_problems(), st.integers(1, 5), st.sampled_from(SAMPLINGS))
def test_moments_of_every_sampling(case, b, sampling):
    """Batches as random weights: all subsets for Poisson; ±1 has the first three moments of a Gaussian."""
    problem, w = case
    n = problem.n_samples
    b = min(b, n)
    if sampling in ("without", "with"):
        batches = list(ordered_batches(n, min(b, 4), sampling == "with"))
        b = min(b, 4)
        weights = np.array([np.bincount(batch, minlength=n) / b for batch in batches])
        shares = np.full(len(weights), 1 / len(weights))
    elif sampling == "poisson":
        kept = np.array(list(itertools.product([0, 1], repeat=n)))
        weights, q = kept / b, b / n
        shares = (q**kept * (1 - q) ** (1 - kept)).prod(axis=1)
    else:
        signs = np.array(list(itertools.product([-1, 1], repeat=n)))
        weights = 1 / n + (signs - signs.mean(axis=1, keepdims=True)) / np.sqrt(n * b)
        shares = np.full(len(weights), 1 / len(weights))
    g = weights @ problem.sample_gradients(w)
    hessians = np.stack([problem.sample_hvp(w, e) for e in np.eye(problem.dim)], axis=-1)
    own = np.einsum("bi,bn,nij,bj->b", g, weights, hessians, g)
    full = np.einsum("bi,ij,bj->b", g, hessians.mean(axis=0), g)
    found = gradient_moments(problem, w, b, sampling=sampling)
    scale = 1e-12 * (1 + np.abs(g).max() ** 2) * (1 + np.abs(hessians).max()) * 100
    assert found.grad_square == pytest.approx(shares @ (g * g).sum(axis=1), abs=scale)
    assert found.full_curvature == pytest.approx(shares @ full, abs=scale)
    assert found.own_curvature == pytest.approx(shares @ own, abs=scale)


@some
@given(cases, st.sampled_from([0.0, 0.5, 0.9]), st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_momentum_against_every_batch(case, beta, velocity):
    problem, w, b, replacement = valid(case)
    v = np.array(velocity[: problem.dim], dtype=float)
    ratios, negative = [], 0
    gradients = problem.sample_gradients(w)
    for batch in ordered_batches(problem.n_samples, b, replacement):
        g = gradients[list(batch)].mean(axis=0)
        s = beta * v + g
        curved = problem.sample_hvp(w, s)[list(batch)].mean(axis=0)
        low = s @ g
        flat = abs(low) <= 1e-11 * np.linalg.norm(s) * (1 + np.abs(gradients).max())
        ratios.append(0.0 if flat else s @ curved / low)
        negative += low < 0 and not flat
    found = momentum_batch_sharpness(problem, w, v, beta, b, replacement=replacement)
    scale = max(1, max(map(abs, ratios)))
    assert found.value == pytest.approx(np.mean(ratios), rel=1e-9, abs=1e-9 * scale)
    assert found.median == pytest.approx(sorted(ratios)[len(ratios) // 2], rel=1e-9, abs=1e-9 * scale)
    assert found.negative_share == pytest.approx(negative / len(ratios), abs=1e-12)
    if beta == 0:
        assert found.value == pytest.approx(batch_sharpness(problem, w, b, replacement=replacement).value, rel=1e-14)


@some
@given(cases)
def test_a_problem_that_shows_only_its_samples(case):
    problem, w, b, replacement = valid(case)
    known = batch_sharpness(problem, w, b, replacement=replacement)
    found = batch_sharpness(Bare(problem), w, b, replacement=replacement)
    scale = largest_exact(problem)
    close(found, known.value, scale)
    lam = expected_batch_lambda_max(problem, w, b, replacement=replacement)
    close(expected_batch_lambda_max(Bare(problem), w, b, replacement=replacement), lam.value, scale)
    aware = interaction_aware_sharpness(problem, w, b, replacement=replacement)
    close(interaction_aware_sharpness(Bare(problem), w, b, replacement=replacement), aware.value, scale)


@given(st.integers(1, 6), st.integers(1, 7), st.booleans())
def test_batches_and_their_probabilities(n, b, replacement):
    b = b if replacement else min(b, n)
    parts = list(all_batches(n, b, replacement))
    batches, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    assert len(batches) == len(set(map(tuple, batches))) == number_of_batches(n, b, replacement)
    assert weights.sum() == pytest.approx(1, rel=1e-13)
    if replacement and n**b < 5000:
        count: dict[tuple[int, ...], int] = {}
        for batch in itertools.product(range(n), repeat=b):
            key = tuple(sorted(batch))
            count[key] = count.get(key, 0) + 1
        np.testing.assert_allclose(weights, [count[tuple(batch)] / n**b for batch in batches], rtol=1e-13)


def test_single_samples_of_scalar_regression_have_the_trace():
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal((30, 5)), rng.standard_normal(30), loss_scale=0.7)
    for w in rng.standard_normal((3, 5)):
        assert float(batch_sharpness(problem, w, 1)) == pytest.approx(np.trace(problem.hessian()), rel=1e-13)


def test_equal_p_is_not_equal_sharpness():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((6, 3, 3))
    problem, w = QuadraticSum(A @ A.transpose(0, 2, 1), rng.standard_normal((6, 3))), rng.standard_normal(3)
    one, two = gradient_moments(problem, w, 5, sampling="with"), gradient_moments(problem, w, 3)
    assert one.interaction_aware_sharpness == pytest.approx(two.interaction_aware_sharpness, rel=1e-13)
    assert abs(one.ratio_of_means / two.ratio_of_means - 1) > 1e-3
