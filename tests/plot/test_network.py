import numpy as np
import pytest
from matplotlib.figure import Figure

from eossim.plot import network_gd_family, network_regimes, network_sam, save

from ..experiments.quick import quick


@pytest.mark.parametrize(
    ("draw", "name", "axes"),
    [(network_gd_family, "gd_family", 6), (network_sam, "sam_table", 9), (network_regimes, "regimes", 8)],
)
def test_figures_show_the_runs(draw, name, axes, tmp_path):
    result = quick(name)
    figure, numbers = draw(result)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == axes
    for run, done in result.runs.items():
        at = done.sel(step=numbers["step"])
        np.testing.assert_array_equal(numbers[f"{run}: loss"], at.loss)
        drawn = [line.get_ydata() for axis in figure.axes for line in axis.lines]
        assert any(np.array_equal(y, at.loss, equal_nan=True) for y in drawn if len(y) == at.step.size)
    assert all(path.stat().st_size for path in save(figure, tmp_path / name, numbers))


def test_the_edge_is_drawn_at_one():
    figure, numbers = network_gd_family(quick("gd_family"))
    below = figure.axes[3:]
    lines = [[float(y[0]) for y in (line.get_ydata() for line in axis.lines) if len(set(y)) == 1] for axis in below]
    # (2 + 2β)/η and (2 + 2β)/((1 - β)η) with β = 0.9, over 2/η
    for found, plain in zip(lines, (1, 1 / 1.9, 1 / 19), strict=True):
        assert found == pytest.approx([1, plain])
    ratio = numbers["GD eta=0.3, seed 0: sharpness over edge"]
    assert ratio[-1] == pytest.approx(1, abs=0.05)
