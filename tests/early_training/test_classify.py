import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.early_training import classify_early
from eossim.early_training.classify import LABELS


def label(loss, sharpness, c=1.0, **options):
    return str(classify_early(loss, sharpness, c, **options).label)


def literal(L, S, c, zero_output_loss):
    """The definition, run by run."""
    L, S = L[:11], S[:11]
    if not all(loss <= 1e5 for loss in L):
        return "diverge"
    if zero_output_loss:
        fallen = S[-1] <= 0.02 * S[0] and abs(L[-1] - zero_output_loss) <= 2e-3 * zero_output_loss
    else:
        fallen = S[-1] <= 1e-6 * S[0] and abs(L[-1] - L[-2]) <= 1e-9 * L[-1]
    if fallen:
        return "collapsed"
    up = max(L[1:]) > L[0], max(S[1:]) > S[0]
    if any(up):
        return {(True, True): "catapult-both", (True, False): "catapult-loss", (False, True): "sharpness-only"}[up]
    return "sharpness-reduction" if c > 2 else "monotone"


value = st.sampled_from([1e-9, 0.019, 0.05, 0.0501, 1.0, 1.01, 3.0])
series = st.lists(st.tuples(value, value), min_size=2, max_size=13)


@given(st.lists(series, min_size=1, max_size=5), st.data())
def test_as_defined_run_by_run(runs, data):
    steps = min(map(len, runs))
    both = np.array([run[:steps] for run in runs])
    L, S = both[..., 0].copy(), both[..., 1]
    c = data.draw(st.lists(st.sampled_from([0.5, 2.0, 2.01, 6.0]), min_size=len(runs), max_size=len(runs)))
    spoiled = data.draw(st.sampled_from([None, np.nan, np.inf, 1.1e5, 1e5]))
    if spoiled is not None:
        L[data.draw(st.integers(0, len(runs) - 1)), data.draw(st.integers(0, steps - 1))] = spoiled
    for zero in (None, 0.05):
        found = classify_early(L, S, c, zero_output_loss=zero)
        assert list(found.label) == [literal(*run, zero) for run in zip(L, S, c, strict=True)]
        assert set(found.label) <= set(LABELS)
        assert not np.any(found.dead & (found.label != "collapsed"))


@pytest.mark.parametrize(
    ("L", "S", "c", "expected"),
    [
        ([1, 0.9, 0.8], [1, 1, 0.9], 2.0, "monotone"),
        ([1, 1, 1], [1, 1, 1], 1.0, "monotone"),
        ([1, 0.9, 0.8], [1, 1, 0.9], 2.1, "sharpness-reduction"),
        ([1, 1.1, 0.8], [1, 1, 0.9], 3.0, "catapult-loss"),
        ([1, 0.9, 1.1], [1, 1.2, 0.9], 4.0, "catapult-both"),
        ([1, 0.9, 0.8], [1, 1.2, 0.9], 1.0, "sharpness-only"),
    ],
)
def test_what_rises_names_the_label(L, S, c, expected):
    assert label(L, S, c) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e5 + 0.1])
@pytest.mark.parametrize("at", [0, 4, 10])
def test_divergence_at_any_step_the_last_included(bad, at):
    L, S = np.ones(11), np.ones(11)
    L[at] = bad
    assert label(L, S) == "diverge"
    S[at:] = np.nan
    assert label(L, S) == "diverge"


def test_flat_finite_loss_never_diverges_and_later_steps_do_not_count():
    assert label(np.full(11, 1e5), np.ones(11)) == "monotone"
    assert label([*np.ones(11), np.nan], [*np.ones(11), np.nan]) == "monotone"
    assert label([*np.ones(11), np.nan], np.ones(12), steps=11) == "diverge"


@pytest.mark.parametrize(
    ("last_loss", "last_sharpness", "expected", "dead"),
    [
        (0.05088, 0.018, "catapult-loss", False),
        (0.04994, 0.0079, "collapsed", False),
        (0.05, 0.0, "collapsed", True),
        (0.05, 1.0, "catapult-loss", False),
    ],
)
def test_networks_of_zero_output(last_loss, last_sharpness, expected, dead):
    found = classify_early([0.07, 5.0, last_loss], [1.0, 0.9, last_sharpness], 8.0, zero_output_loss=0.05)
    assert (str(found.label), bool(found.dead)) == (expected, dead)
    assert found.loss_rises
    assert not found.sharpness_rises


def test_collapse_without_the_loss_of_zero_output():
    L, S = [0.07, 5.0, 0.05, 0.05], [1.0, 1.5, 1e-7, 0.0]
    found = classify_early(L, S, 8.0)
    assert found.label == "collapsed"
    assert found.dead
    assert found.loss_rises
    assert found.sharpness_rises
    assert label([0.07, 5.0, 0.05, 0.0501], S, 8.0) == "catapult-both"


def test_tolerances():
    L, S = [1.0, 1.01, 0.9], [1.0, 1.03, 0.9]
    assert label(L, S) == "catapult-both"
    assert label(L, S, loss_rise=0.02) == "sharpness-only"
    assert label(L, S, loss_rise=0.02, sharpness_rise=0.05) == "monotone"


@pytest.mark.parametrize(
    ("loss", "sharpness", "c", "options", "message"),
    [
        ([1, 0.9], [1, np.nan], 1, {}, "sharpness must be finite where the run has not diverged, got nan at step 1"),
        ([1, 0.9], [1, 1, 1], 1, {}, r"one value per step, got shapes \(2,\) and \(3,\)"),
        ([1], [1], 1, {}, "at least two steps, got 1"),
        ([1, 1], [1, 1], 0.0, {}, "0 < c"),
        ([1, 1], [1, 1], [1.0, 2.0], {}, r"c must broadcast against runs of shape \(\)"),
        ([1, 1], [1, 1], 1, {"steps": 0}, "steps must be an integer >= 1"),
        ([1, 1], [1, 1], 1, {"bound": 0.0}, "0 < bound"),
        ([1, 1], [1, 1], 1, {"loss_rise": -0.1}, "0 <= loss_rise"),
        ([1, 1], [1, 1], 1, {"sharpness_rise": np.nan}, "0 <= sharpness_rise"),
        ([1, 1], [1, 1], 1, {"zero_output_loss": 0.0}, "0 < zero_output_loss"),
    ],
)
def test_bad_input(loss, sharpness, c, options, message):
    with pytest.raises(ValueError, match=message):
        classify_early(loss, sharpness, c, **options)
