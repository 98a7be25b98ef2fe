import csv

import numpy as np
from matplotlib.figure import Figure

import eossim
from eossim import rules
from eossim.plot import edge_against_grad_norm, error_overview, radius_panels, save, trajectories


def test_radius_panels_reach_one_at_the_edge():
    figure, numbers = radius_panels(
        {"gd": (rules.gd, {"eta": 0.1}), "none": (rules.implicit_gd, {"eta": 0.1})}, columns=2
    )
    assert isinstance(figure, Figure)
    assert np.interp(1.0, numbers["curvature_over_edge"], numbers["gd"]) == 1
    assert len(figure.axes) == 2


def test_trajectories_show_the_cycle_and_the_divergence():
    _, numbers = trajectories(steps=40)
    sam = [v for n, v in numbers.items() if n.startswith("sam")]
    assert abs(sam[0][-1] + sam[0][-2]) < 1e-9 * abs(sam[0][-1])
    usam = [v for n, v in numbers.items() if n.startswith("usam")]
    assert abs(usam[1][-1]) > 1e3 * abs(usam[1][0])


def test_simulated_runs_settle_on_the_drawn_edge():
    figure, _ = edge_against_grad_norm(rhos=(0.05,))
    axis = figure.axes[0]
    norms, curvatures = axis.lines[1].get_data()
    np.testing.assert_allclose(eossim.edge("sam", eta=0.1, rho=0.05, grad_norm=norms), curvatures, rtol=1e-9)


def test_saved_numbers_are_those_of_the_figure(tmp_path):
    figure, numbers = trajectories(steps=5)
    png, svg, table = save(figure, tmp_path / "figure", numbers)
    assert png.stat().st_size > 5000
    assert svg.read_text().startswith("<?xml")
    rows = list(csv.reader(table.open()))
    assert rows[0] == list(numbers)
    assert len(rows) == 7
    first = svg.read_bytes(), png.read_bytes()
    save(trajectories(steps=5)[0], tmp_path / "figure", numbers)
    assert first == (svg.read_bytes(), png.read_bytes())  # the same figure gives the same files


def test_overview_has_a_row_per_claim():
    report = eossim.verify(["gd", "gd_weight_decay"], data="diabetes", jobs=1)
    assert len(error_overview(report).axes[0].get_yticklabels()) == 2
