import itertools

import numpy as np
import pytest

from eossim.experiments.demo_network import demo_network, mulberry32
from eossim.experiments.regimes import run

from .quick import quick

# phase_diagram, section 1: c, max L/L0, max S/S0, S10, t2, t3
TABLE = {
    0.05: (0.345, 0.960, 0.994, 6.8077, 185, None),
    0.2: (1.380, 0.937, 0.981, 6.7578, 47, 382),
    0.4169: (2.878, 2.302, 0.977, 2.2585, 15, 155),
    0.5495: (3.793, 3.642, 1.028, 1.5988, 15, 76),
}
# section 11: losses and sharpness from the start on
FIRST = {
    0.2: ([0.3071248, 0.2876923, 0.2846414, 0.2838887, 0.2834479], [6.9021456, 6.7677503, 6.7735345, 6.7633829]),
    0.4169: ([0.3071248, 0.3557025, 0.4914662, 0.7069087, 0.5819707], [6.9021456, 6.7399318, 6.7427210, 5.8456595]),
    0.5495: ([0.3071248, 0.4405539, 1.1185803, 0.8953986], [6.9021456, 6.7820545, 7.0980799, 5.5653268]),
}


def test_uniform_numbers_and_the_start():
    expected = [0.26642920868471265, 0.0003297457005828619, 0.2232720274478197, 0.1462021479383111]
    assert list(itertools.islice(mulberry32(0), 4)) == expected
    problem, w = demo_network()
    W = problem.unflatten(w)[::2]
    assert W[0][0, :3] == pytest.approx([1.62643231, 1.05099584, -1.1843874], abs=1e-8)
    assert W[1][:2, 0] == pytest.approx([0.01173918, 0.04054533], abs=1e-8)
    assert [m.sum() for m in W] == pytest.approx([-0.354597841, -1.233906164, 0.539099754], abs=1e-9)
    assert problem.loss(w) == pytest.approx(0.3071247935241, abs=1e-13)


@pytest.mark.parametrize("eta", TABLE)
def test_where_regimes_begin(eta):
    row = quick("regimes").row(eta=eta)
    c, loss_rise, sharpness_rise, S10, rise, edge = TABLE[eta]
    assert row["edge"] == pytest.approx(2 / eta, rel=1e-14)
    assert [row["c"], row["loss_rise"], row["sharpness_rise"]] == pytest.approx(
        [c, loss_rise, sharpness_rise], abs=5.1e-4
    )
    assert row["S10"] == pytest.approx(S10, abs=5.1e-5)
    assert (row["T3"], row["T4"]) == (rise, edge)
    assert row["diverged_at"] == (166 if eta == 0.5495 else None)
    assert len(row["first_losses"].split()) == 12


@pytest.mark.parametrize("eta", FIRST)
def test_first_losses_and_sharpness(eta):
    losses, sharpness = FIRST[eta]
    done = quick("regimes").runs[f"eta = {eta:g}"]
    assert done.loss.values[: len(losses)] == pytest.approx(losses, abs=6e-8)
    assert done.sharpness.values[: len(sharpness)] == pytest.approx(sharpness, rel=1e-6)
    printed = quick("regimes").row(eta=eta)["first_losses"].split()
    assert printed[: len(losses)] == [f"{loss:.7f}" for loss in losses]


@pytest.mark.slow
def test_late_ratios():
    result = run()
    assert result.column("at_edge") == [False, True, True, False]
    expected = {0.05: (0.257, 6e-4), 0.2: (1.009, 0.01), 0.4169: (1.021, 0.01)}
    for eta, (mean, within) in expected.items():
        assert result.row(eta=eta)["late_ratio"] == pytest.approx(mean, abs=within)
    assert np.isnan(result.runs["eta = 0.5495"].loss.values[-1])
