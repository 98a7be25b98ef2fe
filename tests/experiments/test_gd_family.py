import numpy as np
import pytest

from eossim.experiments.gd_family import QUICK, RUNS, network

from .quick import quick


def test_edges_by_formula():
    result = quick("gd_family")
    edges = {"gd": lambda eta: 2 / eta, "heavy_ball": lambda eta: 3.8 / eta, "adam_frozen": lambda eta: 38 / eta}
    for each, row in zip(QUICK, result.rows, strict=True):
        assert row["edge"] == pytest.approx(edges[each.rule](each.hyper["eta"]), rel=1e-12)
    assert {each.rule for each in QUICK} == {each.rule for each in RUNS} == set(edges)


def test_sharpness_settles_at_the_edge_from_below():
    result = quick("gd_family")
    for row, done in zip(result.rows, result.runs.values(), strict=True):
        assert 0.95 <= row["R2"] <= 1.05, row["run"]
        assert row["as_expected"]
        kind = "preconditioned_sharpness" if "Adam" in row["run"] else "sharpness"
        assert done[kind].values[1] < row["edge"]
        assert done.loss.values[-1] < 0.02 * done.loss.values[0]


def test_the_network():
    problem, start = network(0)
    assert problem.dim == 64 * 32 + 32 + 32 * 32 + 32 + 32 * 10 + 10
    assert problem.n_samples == 512
    assert np.array_equal(start, network(0)[1])
    assert not np.array_equal(start, network(1)[1])
