"""Pictures of early training, on small results in the schema of `eossim.phase_diagram`."""

import numpy as np
import pytest
import xarray as xr

from eossim import dynamics, early_training, maps
from eossim.plot import bifurcation, four_regimes, phase_diagram, saturation, save, uv_phase_diagram
from eossim.plot.phases import CONSTANTS, spread

C = 2.0 ** np.arange(0, 4.01, 0.5)


def networks():
    """Two depths, two widths, two seeds: at depth 2 no network diverges, and one seed never raises its loss."""
    dims = ("depth", "width", "seed")
    loss = np.array([[[3.0, np.nan], [2.0, 8.0]], [[4.0, 4.0], [2.5, 2.5]]])
    top = np.array([[[np.nan] * 2] * 2, [[9.0, 16.0], [8.0, 8.0]]])
    data = {"c_loss": loss, "c_sharp": 1.5 * loss, "c_max": top, "reached_end": np.isnan(top)}
    data["failed"] = np.zeros(loss.shape, bool)
    exact = {"uv_c_loss": 2.1, "uv_c_sharp": 2.6, "uv_c_max": 4.1}
    return xr.Dataset(
        {name: (dims, values) for name, values in data.items()}
        | {name: ("width", [value, value - 0.05]) for name, value in exact.items()},
        coords={"depth": [2, 4], "width": [16, 64], "seed": [0, 1], "c": C},
        attrs={"model": "mlp"},
    )


def test_spread_is_over_the_seeds_that_reached_a_constant():
    mean, low, high = spread(xr.DataArray([[2.0, 8.0], [3.0, np.nan], [np.nan, np.nan]], dims=("width", "seed")))
    np.testing.assert_allclose(mean, [4, 3, np.nan])
    np.testing.assert_allclose(low, [2, 3, np.nan])
    np.testing.assert_allclose(high, [8, 3, np.nan])


def test_networks_have_a_panel_for_each_depth(tmp_path):
    figure, numbers = phase_diagram(networks())
    assert [axis.get_title() for axis in figure.axes] == ["2 layers", "4 layers"]
    np.testing.assert_array_equal(numbers["depth"], [2, 2, 4, 4])
    np.testing.assert_array_equal(numbers["width"], [16, 64, 16, 64])
    np.testing.assert_allclose(numbers["c_loss"], [3, 4, 4, 2.5])
    np.testing.assert_allclose(numbers["c_loss_largest"], [3, 8, 4, 2.5])
    np.testing.assert_allclose(numbers["c_max"], [np.nan, np.nan, 12, 8])
    np.testing.assert_array_equal(numbers["reached_end"], [2, 2, 0, 0])
    for axis, rows in zip(figure.axes, (slice(0, 2), slice(2, 4)), strict=True):
        drawn = {line.get_color(): line.get_ydata() for line in axis.lines if line.get_marker() in "osD"}
        for name, (_, color, _) in CONSTANTS.items():
            np.testing.assert_allclose(drawn[color], numbers[name][rows])
        assert any(np.all(np.asarray(line.get_ydata()) == 2) for line in axis.lines), "the line c = 2"
        dotted = [line.get_ydata()[1] for line in axis.lines if line.get_linestyle() == ":"]
        np.testing.assert_allclose(dotted, [2.05, 2.55, 4.05])
        triangles = next(line for line in axis.lines if line.get_marker() == "^")
        assert len(triangles.get_xdata()) == (2 if axis is figure.axes[0] else 0)
    assert all(path.stat().st_size for path in save(figure, tmp_path / "f", numbers))


def test_bands_lie_between_the_constants():
    figure, _ = phase_diagram(networks())
    areas = figure.axes[1].collections[:5]  # monotone, reduction, loss, both, diverges
    ends = [area.get_paths()[0].get_extents() for area in areas]
    np.testing.assert_allclose([(e.y0, e.y1) for e in ends[1:]], [(2, 4), (2.5, 6), (3.75, 12), (8, 32)])


@pytest.fixture(scope="module")
def uv_found():
    return early_training.phase_diagram("uv", width=(16, 256), seeds=200, c_max=8, step=0.1)


def test_uv_diagram_has_exact_boundaries(uv_found):
    figure, numbers = uv_phase_diagram(uv_found)
    left, right = figure.axes
    # arXiv:2302.12250, re-derived: c_loss = 2 + 10 s, c_sharp = 2.5 + 14.25 s, c_max = 4 + 12 s at small s.
    lines = {line.get_color(): line for line in left.lines if len(line.get_xdata()) > 2}
    for name, at_zero, slope in (("c_loss", 2, 10), ("c_sharp", 2.5, 14.25), ("c_max", 4, 12)):
        s, c = lines[CONSTANTS[name][1]].get_data()
        assert c[0] == pytest.approx(at_zero, rel=1e-9)
        assert (c[1] - c[0]) / (s[1] - s[0]) == pytest.approx(slope, rel=0.05)
        np.testing.assert_allclose(numbers[name], uv_found[name].mean("seed"))
        np.testing.assert_allclose(numbers[name], numbers[f"{name}_exact"], rtol=0.03)
    assert len(right.collections) == 1
    with pytest.raises(ValueError, match="y = 0"):
        uv_phase_diagram(early_training.phase_diagram("uv", width=(16,), seeds=2, y=1.0))


def test_colours_on_both_sides_of_an_exact_boundary(uv_found):
    left = uv_phase_diagram(uv_found)[0].axes[0]
    mesh = left.collections[0]
    colours = mesh.get_array().reshape(*mesh._coordinates[:-1, :-1].shape[:2], 3)
    middles = (mesh._coordinates[:-1, :-1] + mesh._coordinates[1:, 1:]) / 2
    column = int(np.argmin(np.abs(middles[0, :, 0] - 0.05)))
    c = middles[:, column, 1]
    change = np.any(np.diff(colours[:, column], axis=0) != 0, axis=-1)
    s = middles[0, column, 0]
    root = np.sqrt(1 + 12 * s)  # c_loss and c_max in closed form, c_sharp at s = 0.05 is 3.2903265154
    at_loss, at_max = 2 * (1 + root) / (1 + np.sqrt(1 - 8 * s)), 2 * (1 + root)
    np.testing.assert_allclose(c[:-1][change], [2, at_loss, 3.29, at_max], rtol=0.02)


def test_bifurcation_diagram_and_its_exponent():
    Y, starts = np.linspace(1.02, 1.2, 10), [[0.3], [0.8]]
    diagram = dynamics.bifurcation_diagram(maps.uv_balanced, "Y", Y, starts=starts, steps=600, keep=20, bins=50)
    exponent = dynamics.lyapunov_exponent(maps.uv_balanced, starts, steps=500, burn_in=500, Y=Y)
    figure, numbers = bifurcation(diagram, exponent, marks={"a": 1.05, "b": 1.06})
    np.testing.assert_allclose(numbers["Y"], Y)
    # the 2-cycle of the balanced manifold has multiplier 9 - 2 (1 + Y)^2 over two steps
    np.testing.assert_allclose(numbers["lyapunov"], np.log(np.abs(9 - 2 * (1 + Y) ** 2)) / 2, atol=1e-6)
    above, below = figure.axes
    assert [text.get_text() for text in above.texts] == ["a", "b"]
    assert [line.get_xdata()[0] for line in below.lines if line.get_linestyle() == "--"] == [1.05, 1.06]
    points = dynamics.bifurcation_diagram(maps.uv_balanced, "Y", Y, starts=starts, steps=20, keep=2, bins=None)
    with pytest.raises(ValueError, match="bins"):
        bifurcation(points, exponent)


def test_saturation_marks_the_knee_and_says_where_there_is_none():
    c = np.arange(0.25, 4, 0.05)
    knee = xr.DataArray(np.clip(1 - 0.8 * np.maximum(c - 2, 0), 0.1, 1), coords={"c": c})
    slope = xr.DataArray(np.exp(-c), coords={"c": c})
    figure, numbers = saturation({"left": {"wide": knee}, "right": {"wide": knee, "deep": slope}})
    np.testing.assert_allclose(numbers["c_crit"][numbers["curve"] == 0], 2, atol=0.05)
    assert np.isnan(numbers["c_crit"][numbers["curve"] == 1]).all()
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels[0].startswith("wide: c$_{crit}$ = 2.0")
    assert labels[1] == "deep: crossover"
    edge = next(line for line in figure.axes[0].lines if line.get_linestyle() == ":")
    np.testing.assert_allclose(edge.get_ydata() * edge.get_xdata(), 2)  # R = 2/c is sharpness = 2/eta


def test_four_regimes_of_one_run():
    t = np.arange(501)
    sharpness = np.where(t < 400, 1 + t / 400, 2 + 0.1 * (-1.0) ** t)
    spans = {"T1": (0, 11), "T2": (11, 20), "T3": (20, 400), "T4": (400, 501)}
    run = xr.Dataset(
        {name: ("step", values) for name, values in
         (("loss", 1 / (1 + t)), ("sharpness", sharpness), ("edge", np.full(t.size, 2.0)))},
        coords={"step": t}, attrs={"regimes": spans},
    )  # fmt: skip
    figure, numbers = four_regimes(run)
    above, below = figure.axes
    names = [text.get_text().replace("\n", " ") for text in above.texts]
    assert names == ["early transient", "intermediate saturation", "progressive sharpening", "edge of stability"]
    np.testing.assert_array_equal(numbers["sharpness"], sharpness[numbers["step"].astype(int)])
    assert {400.0, 401.0, 420.0, 421.0} <= {*numbers["step"]}, "neighbours are drawn where they alternate"
    edge = next(line for line in below.lines if line.get_linestyle() == "--")
    np.testing.assert_array_equal(edge.get_ydata(), 2)
    shaded = [area.get_extents().transformed(below.transData.inverted()) for area in below.patches]
    np.testing.assert_allclose([(area.x0, area.x1) for area in shaded], [(1, 12), (12, 21), (21, 401), (401, 500)])
