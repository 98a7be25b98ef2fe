"""Pictures of early training, on small results in the schema of `eossim.phase_diagram`."""

import numpy as np
import pytest
import xarray as xr

from eossim import dynamics, early_training, maps
from eossim.early_training.uv_means import uv_means
from eossim.plot import bifurcation, four_regimes, phase_diagram, saturation, save, uv_phase_diagram
from eossim.plot.phases import CONSTANTS, PHASES, spread

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
    np.testing.assert_allclose(numbers["c_max"], [16, 16, 12, 8])  # at least the end of the grid
    np.testing.assert_array_equal(numbers["reached_end"], [2, 2, 0, 0])
    for axis, rows in zip(figure.axes, (slice(0, 2), slice(2, 4)), strict=True):
        for name, (_, color, _) in CONSTANTS.items():
            joined = numbers[name][rows] if name != "c_max" or axis is figure.axes[1] else [np.nan, np.nan]
            np.testing.assert_allclose(drawn(axis, color), joined)
        assert any(np.all(np.asarray(line.get_ydata()) == 2) for line in axis.lines), "the line c = 2"
        dotted = [line.get_ydata()[1] for line in axis.lines if line.get_linestyle() == ":"]
        np.testing.assert_allclose(dotted, [2.05, 2.55, 4.05])
        np.testing.assert_allclose(marked(axis, "^"), [16, 16] if axis is figure.axes[0] else [])
    assert all(path.stat().st_size for path in save(figure, tmp_path / "f", numbers))


def drawn(axis, color):
    """The solid line of a colour."""
    return next(line.get_ydata() for line in axis.lines if (line.get_color(), line.get_linestyle()) == (color, "-"))


def marked(axis, marker, *, face=None):
    """Heights of the markers of a shape, if given those filled with a colour."""
    lines = [line for line in axis.lines if line.get_marker() == marker and face in (None, line.get_markerfacecolor())]
    return np.concatenate([line.get_ydata() for line in lines])


def phase_at(axis, width, c):
    """The phases whose areas cover a point."""
    areas = [area for area in axis.collections if area.get_label() in PHASES]
    return [area.get_label() for area in areas if any(path.contains_point((1 / width, c)) for path in area.get_paths())]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_bands_lie_between_the_constants():
    figure, _ = phase_diagram(networks())
    areas = [area for area in figure.axes[1].collections if area.get_label() in PHASES]
    ends = {area.get_label(): area.get_paths()[0].get_extents() for area in areas}
    expected = {"sharpness-reduction": (2, 4), "catapult-loss": (2.5, 6), "catapult-both": (3.75, 12)}
    for label, heights in (expected | {"diverge": (8, 32)}).items():
        np.testing.assert_allclose((ends[label].y0, ends[label].y1), heights)


def test_a_mean_with_seeds_beyond_the_grid_is_a_lower_bound():
    found = networks()
    found.c_max[1, 0], found.reached_end[1, 0] = [9.0, np.nan], [False, True]
    figure, numbers = phase_diagram(found)
    axis = figure.axes[1]
    np.testing.assert_allclose(numbers["c_max"][2], 12)  # of 9 and at least 16
    np.testing.assert_allclose(marked(axis, "^"), 12)
    np.testing.assert_allclose(marked(axis, "D"), 8)
    np.testing.assert_allclose(drawn(axis, CONSTANTS["c_max"][1]), [np.nan, 8])
    assert phase_at(axis, 17, 11) == ["catapult-both"]
    assert phase_at(axis, 17, 14) == phase_at(axis, 17, 30) == []
    assert "diverges" not in legend(figure), "c_max is known at one width alone"
    assert "c$_{max}$, at least" in legend(figure)
    assert "c$_{max}$, at least" not in legend(phase_diagram(found.isel(width=[1], depth=[1]))[0])


def test_where_sharpness_rises_first_it_is_not_reduced():
    found = networks().isel(depth=[1])
    found["c_sharp"] = found.c_loss * [[0.75], [1.5]]  # 3 below c_loss = 4 at width 16, 3.75 above 2.5 at width 64
    figure, _ = phase_diagram(found)
    (axis,) = figure.axes
    assert phase_at(axis, 17, 2.5) == ["sharpness-reduction"]
    assert phase_at(axis, 17, 3.5) == ["sharpness-only"]
    assert phase_at(axis, 60, 3.0) == ["catapult-loss"]
    assert phase_at(axis, 17, 6.0) == phase_at(axis, 60, 6.0) == ["catapult-both"]
    assert "sharpness alone rises" in legend(figure)


def test_open_markers_where_some_seeds_do_not_reach_a_constant():
    figure, numbers = phase_diagram(networks())
    np.testing.assert_array_equal(numbers["c_loss_seeds"], [1, 2, 2, 2])
    left, right = figure.axes
    np.testing.assert_allclose(marked(left, "o", face="white"), 3)
    np.testing.assert_allclose(marked(left, "o", face=CONSTANTS["c_loss"][1]), 4)
    assert not marked(right, "o", face="white").size
    assert "open: some seeds only" in legend(figure)
    assert "open: some seeds only" not in legend(phase_diagram(networks().isel(depth=[1]))[0])
    failed = networks()
    failed.failed[0, 0] = [False, True]  # a seed that failed is not one that does not reach c_loss
    assert not marked(phase_diagram(failed)[0].axes[0], "o", face="white").size


def test_a_single_width_has_areas_and_lines_as_in_the_legend():
    figure, _ = phase_diagram(networks().isel(depth=[1], width=[0]))
    (axis,) = figure.axes
    for c, label in ((1.5, "monotone"), (3, "sharpness-reduction"), (5, "catapult-loss"), (8, "catapult-both")):
        for width in (14, 18):
            assert phase_at(axis, width, c) == [label]
    dotted = [line.get_xdata() for line in axis.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted, [[2**-4.5, 2**-3.5]] * 3)
    assert {PHASES[area.get_label()][0] for area in axis.collections if area.get_label() in PHASES} <= {*legend(figure)}
    assert "sharpness alone rises" not in legend(figure)
    assert axis.get_title() == "4 layers"
    one = networks().isel(depth=[1]).assign_coords(depth=[1])
    assert phase_diagram(one)[0].axes[0].get_title() == "1 layer"


@pytest.fixture(scope="module")
def uv_found():
    return early_training.phase_diagram("uv", width=(16, 256), seeds=200, c_max=8, step=0.1)


def test_uv_diagram_has_exact_boundaries(uv_found):
    figure, numbers = uv_phase_diagram(uv_found)
    means = uv_means(uv_found)[1]
    left, right = figure.axes
    # arXiv:2302.12250, re-derived: c_loss = 2 + 10 s, c_sharp = 2.5 + 14.25 s, c_max = 4 + 12 s at small s.
    lines = {line.get_color(): line for line in left.lines if len(line.get_xdata()) > 2}
    for name, at_zero, slope in (("c_loss", 2, 10), ("c_sharp", 2.5, 14.25), ("c_max", 4, 12)):
        s, c = lines[CONSTANTS[name][1]].get_data()
        assert c[0] == pytest.approx(at_zero, rel=1e-9)
        assert (c[1] - c[0]) / (s[1] - s[0]) == pytest.approx(slope, rel=0.05)
        np.testing.assert_array_equal(numbers[name], means[name][0])
        np.testing.assert_allclose(numbers[name], numbers[f"{name}_exact"], rtol=0.03)
    assert len(right.collections) == 1


@pytest.mark.parametrize(("width", "c_max"), [((16,), 8), ((4, 16), 1)])
def test_a_single_width_or_c_is_coloured(width, c_max):
    found = early_training.phase_diagram("uv", width=width, seeds=3, c_max=c_max, barrier=False)
    right = uv_phase_diagram(found)[0].axes[1]
    corners = right.collections[0].get_coordinates()
    low, high = right.get_ylim()
    assert np.all(np.diff(corners[..., 1], axis=0) > 0)
    assert np.all(np.diff(corners[..., 0], axis=1) < 0) or len(width) == 1
    assert np.ptp(corners[..., 0]) > 0
    assert low <= c_max
    assert corners[0, 0, 1] < high
    assert corners[-1, 0, 1] > low


def test_with_a_target_there_are_no_exact_lines():
    found = early_training.phase_diagram("uv", width=(16, 64), seeds=20, y=1.0, c_max=8, barrier=False)
    figure, numbers = uv_phase_diagram(found)
    (axis,) = figure.axes
    assert axis.get_title() == "y = 1"
    np.testing.assert_array_equal(numbers["c_loss"], found.c_loss.mean("seed"))
    assert {*numbers} == {"width", "c_loss", "c_sharp", "c_max"}
    assert PHASES["sharpness-only"][0] in legend(figure)  # with a target sharpness may rise below c = 2
    assert all(line.get_linestyle() in ("None", "--") for line in axis.lines)


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
