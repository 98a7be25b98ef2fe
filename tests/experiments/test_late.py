import numpy as np
import pytest

from eossim.experiments.late import late_ratio, pairs


def test_pairs_of_steps():
    assert pairs(40, 20).tolist() == [0, 1, 20, 21, 40, 41]
    assert pairs(2, 1).tolist() == [0, 1, 2, 3]


def alternating(step):
    """Sharpness 2 and edge 2 ± 0.2, so that ratios alternate and R₂ is 1; ten times that in the first half."""
    edge = 2 + 0.2 * (-1.0) ** step
    return np.where(step < 500, 20.0, 2.0), edge


@pytest.mark.parametrize("every", [1, 20, 50])
def test_both_parities(every):
    step = pairs(1000, every)
    late = late_ratio(step, *alternating(step))
    assert [late.first, late.second] == pytest.approx([2 / 2.2, 2 / 1.8])
    assert late.both == pytest.approx(1)
    assert late.quartiles == pytest.approx((1, 1))
    assert (late.edge, late.sharpness) == pytest.approx((2, 2))


def test_spread_over_time():
    step = pairs(1000, 100)
    sharpness = np.repeat([0, 0, 0, 0, 0, 1.0, 2, 3, 4, 5, 6], 2)
    late = late_ratio(step, sharpness, np.ones(step.size))
    assert late.both == 3.5
    assert late.quartiles == (2.25, 4.75)
    assert late.sharpness == 6


def test_diverged_runs_have_no_ratio():
    step = pairs(100, 10)
    late = late_ratio(step, np.where(step > 70, np.nan, 1.0), np.ones(step.size))
    assert np.isnan(late.both)


def test_steps_without_pairs():
    with pytest.raises(ValueError, match="pairs"):
        late_ratio(np.arange(0, 100, 7), np.ones(15), np.ones(15))


def test_pairs_do_not_overlap_where_every_step_is_measured():
    step = np.arange(11)
    sharpness = np.array([9, 9, 9, 9, 9, 0, 2, 1, 3, 2, 4.0])  # pairs (5, 6), (7, 8), (9, 10)
    late = late_ratio(step, sharpness, np.ones(11))
    assert (late.first, late.second, late.both) == (1, 3, 2)
    assert late.sharpness == 3
