import numpy as np
import pytest

from eossim.early_training import network_saturation, saturation_knee


@pytest.mark.parametrize(
    ("depth", "width", "expected"),
    [
        (2, 128, [0.858, 0.847, 0.822, 0.741, 0.509, 0.232, 0.044]),
        (4, 64, [0.263, 0.253, 0.236, 0.206, 0.175, 0.153, 0.119]),
    ],
)
def test_printed_ratios(depth, width, expected):
    """Means over seeds 0 and 1 on digits, K = 200, printed to three digits."""
    c = [0.5, 1, 1.5, 2, 2.5, 3, 4]
    ratio = np.mean([network_saturation(depth, width, seed, c=c).ratio.values for seed in (0, 1)], axis=0)
    np.testing.assert_allclose(ratio, expected, atol=0.003)
    if depth == 4:
        assert saturation_knee(c, ratio).reason == "crossover"


def test_steps_threads_and_divergence():
    options = {"c": [1.0, 3.0, 400.0], "time": 400.0, "samples": 64}
    one = network_saturation(3, 8, 0, threads=1, **options)
    two = network_saturation(3, 8, 0, threads=2, **options)
    assert list(one.step.values) == [400, 133, 1]
    np.testing.assert_array_equal(one.ratio, two.ratio)
    assert np.isfinite(one.ratio.values).all()
    lost = network_saturation(3, 8, 0, bound=1e-3, **options)
    assert np.isnan(lost.ratio.values[2])


def test_bad_input():
    with pytest.raises(ValueError, match="4 <= time"):
        network_saturation(2, 8, 0, c=[1.0, 4.0], time=3.0)
    with pytest.raises(ValueError, match="c must increase strictly"):
        network_saturation(2, 8, 0, c=[1.0, 1.0])
