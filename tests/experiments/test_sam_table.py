import numpy as np
import pytest

from eossim.experiments.sam_table import RUNS, Run, network, run, trajectory

from .quick import quick

# sam, section 10: at step t of a run, loss, λ_max and gradient norm, nan where the notes have none
EARLY = [
    (Run("gd", 0.2), 0, (0.4461906985541226, 4.900733619796707, 1.531099288824043)),
    (Run("gd", 0.2), 1, (0.1828067483151777, 4.13661287000612, 0.3042240788901877)),
    (Run("gd", 0.2), 100, (0.08429636863659432, 5.373579594486669, np.nan)),
    (Run("sam", 0.2, 0.02), 1, (0.18005531279179302, 4.086064849624673, 0.26948026406729764)),
    (Run("sam", 0.2, 0.02), 10, (0.15262792002898037, np.nan, np.nan)),
    (Run("usam", 0.2, 0.5), 1, (0.5287385108749815, np.nan, np.nan)),
]
# R2, near-edge part of the gradient, edge by formula where it does not move
TABLE = [
    (0.544, 0, 20),
    (1.000, 0.94, 10),
    (1.000, 1.00, 5),
    (1.001, 1.00, None),
    (1.007, 0.99, None),
    (1.003, 1.00, None),
    (1.014, 0.99, None),
    (1.001, 1.00, None),
    (1.000, 1.00, 6.18),
    (1.001, 1.00, 3.58),
]


@pytest.mark.parametrize(("each", "t", "expected"), EARLY, ids=str)
def test_early_values(each, t, expected):
    point = trajectory(*network(), each, np.array([0, 1, 10, 100])).sel(step=t)
    for name, value in zip(("loss", "sharpness", "grad_norm"), expected, strict=True):
        if not np.isnan(value):
            assert float(point[name]) == pytest.approx(value, abs=1e-8), name


def test_each_run_at_its_own_edge_but_one():
    result = quick("sam_table")
    assert [row["run"] for row in result.rows] == [str(each) for each in RUNS]
    for each, (_, _, edge), row in zip(RUNS, TABLE, result.rows, strict=True):
        low, high = (0.5, 0.6) if each == Run("gd", 0.1, expected=(0.5, 0.6)) else (0.98, 1.03)
        assert low <= row["R2"] <= high
        assert row["as_expected"]
        assert row["2/eta"] == pytest.approx(2 / each.eta)
        if edge is not None:
            assert row["edge"] == pytest.approx(edge, abs=0.005)
    assert result.row(run="SAM eta=0.2 rho=0.02")["sharpness"] == pytest.approx(3.56, abs=0.1)
    assert result.row(run="SAM eta=0.2 rho=0.1")["sharpness"] == pytest.approx(2.1, abs=0.1)


@pytest.mark.slow
def test_the_table_of_the_notes():
    for each, (R2, near_edge, _), row in zip(RUNS, TABLE, run().rows, strict=True):
        assert row["R2"] == pytest.approx(R2, abs=0.0015)  # 0.001 between implementations, and the third digit
        assert row["near_edge"] == pytest.approx(near_edge, abs=0.0101)
        if each.rule == "sam":
            expected, within = ([0.96, 1.04], 0.01) if each.rho == 0.1 else ([1, 1], 0.0125)
            assert sorted(row["descent"]) == pytest.approx(expected, abs=within)
