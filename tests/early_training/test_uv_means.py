import numpy as np
import pytest
from scipy.stats import beta

from eossim import early_training
from eossim.early_training.uv import UVStarts
from eossim.early_training.uv_means import uv_means
from eossim.theory import uv


def test_means_of_the_uv_model_are_over_starts_that_the_exact_ones_are_over():
    seeds = 2000
    found = early_training.phase_diagram("uv", width=(1, 4), seeds=seeds, c_max=8, barrier=False)
    count, means = uv_means(found)
    for k, width in enumerate((1, 4)):
        starts = UVStarts.drawn(width, range(seeds))
        s = ((starts.p - starts.q) / (starts.p + starts.q)) ** 2 / 4  # p, q = λ ± 2√κ f
        assert count[k] == np.sum(s < 1 / 8)
        # 4s is Beta(1/2, w/2)
        inside = beta(0.5, width / 2)
        share = inside.cdf(0.5)
        assert abs(count[k] / seeds - share) < 5 * np.sqrt(share * (1 - share) / seeds)
        for name, (mean, error, exact) in means.items():
            of_s = getattr(uv, name)
            each = of_s(s[s < 1 / 8])
            assert mean[k] == pytest.approx(each.mean(), rel=7e-4)  # start by start; constants are bisected to 7e-4
            assert error[k] == pytest.approx(each.std(ddof=1) / np.sqrt(each.size), rel=0.01)
            expected = inside.expect(lambda four_s, of_s=of_s: of_s(four_s / 4), ub=0.5, conditional=True)
            assert exact[k] == pytest.approx(expected, rel=1e-6)
            assert abs(mean[k] - exact[k]) < 5 * error[k] + 7e-4 * exact[k]


def test_a_mean_that_the_grid_cuts_off_is_none():
    found = early_training.phase_diagram("uv", width=(16,), seeds=50, c_max=3, barrier=False)
    means = uv_means(found)[1]
    assert np.isnan(means["c_max"][0]).all()
    assert np.isnan(means["c_max"][1]).all()
    assert means["c_max"][2] > 4
