import numpy as np
import pytest
import xarray as xr

import eossim
from eossim.early_training import UVStarts, phase_diagram, table
from eossim.early_training.network_cell import network_cell
from eossim.early_training.uv_cell import uv_cell
from eossim.theory import uv as exact


def test_uv():
    found = phase_diagram("uv", width=(4, 64), seeds=[7, 3], steps=20, c_max=8.0, step=0.2, y=0.1, bound=1e4)
    assert found.c_loss.dims == ("width", "seed")
    assert found.label.dims == ("width", "seed", "c")
    np.testing.assert_allclose(found.c, 2.0 ** (0.2 * np.arange(16)), rtol=1e-14)
    assert (list(found.width), list(found.seed)) == ([4, 64], [7, 3])
    assert not found.failed.any()
    one = uv_cell(UVStarts.drawn(64, [3], y=0.1), found.c.values, steps=20, bound=1e4)
    for name, values in one.data_vars.items():
        np.testing.assert_array_equal(found[name].sel(width=64, seed=[3]), values)
    assert {"model": "uv", "y": 0.1, "steps": 20, "bound": 1e4, "refine": 1}.items() <= found.attrs.items()
    assert "uv_c_loss" not in found  # of the model without target


def test_exact_means_stand_beside():
    found = eossim.phase_diagram("uv", width=[16, 256], seeds=2)
    np.testing.assert_array_equal(found.uv_c_loss, exact.mean_c_loss([16, 256]))
    np.testing.assert_array_equal(found.uv_c_sharp, exact.mean_c_sharp([16, 256]))
    np.testing.assert_array_equal(found.uv_c_max, exact.mean_c_max([16, 256]))
    assert found.attrs["steps"] == 200
    said = {name: found[name].attrs["long_name"] for name in ("uv_c_loss", "uv_c_sharp", "uv_c_max")}
    assert [name for name, text in said.items() if "one step" in text] == ["uv_c_loss", "uv_c_sharp"]


def test_means_beside_are_those_of_one_step():
    """At width 4 runs of many steps differ from them, in starts with s >= 1/8 only."""
    one, many = (
        phase_diagram("uv", width=[4], seeds=1000, steps=steps, barrier=False).isel(width=0) for steps in (1, 200)
    )
    starts = UVStarts.drawn(4, range(1000))
    s = ((starts.p - starts.q) / (starts.p + starts.q)) ** 2 / 4
    np.testing.assert_allclose(one.c_loss, exact.c_loss(s), rtol=7e-4)
    assert abs(float(one.c_loss.mean()) - float(one.uv_c_loss)) < 5 * float(one.c_loss.std()) / np.sqrt(1000)
    np.testing.assert_array_equal(many.c_loss[s < 0.124], one.c_loss[s < 0.124])
    assert many.c_loss.values[s > 0.126].size > 50
    assert not np.any(many.c_loss.values[s > 0.126] >= one.c_loss.values[s > 0.126])


def test_peaks_of_wide_models_are_no_divergence():
    """Below ηλ = 4 runs converge, with peaks like the width."""
    found = phase_diagram("uv", width=[1_000_000], seeds=20)
    np.testing.assert_allclose(found.c_max[0], 4, rtol=1e-3)
    assert found.attrs["bound"] == 4e6
    assert phase_diagram("uv", width=[16], seeds=1, steps=1).attrs["bound"] == 1e5
    low = phase_diagram("uv", width=[1_000_000], seeds=20, bound=1e5)
    assert float(low.c_max.max()) < 3.9


def test_zero_output_starts_rise_at_their_exact_constant():
    found = phase_diagram("uv", width=[32], seeds=20, steps=1, y=0.5, start="zero-output", c_max=8.0)
    theory = exact.zero_output_c_loss(UVStarts.drawn(32, range(20), start="zero-output").p, 1 / 32, 0.5)
    np.testing.assert_allclose(found.c_loss[0], theory, rtol=2e-6)


def test_mlp_with_a_store(tmp_path):
    settings = {"samples": 48, "steps": 3, "c_max": 16.0, "step": 1.0, "barrier": False, "refine": False}
    store = tmp_path / "cells.store"
    some = phase_diagram("mlp", depth=[2], width=[6], seeds=2, executor="serial", store=store, **settings)
    found = phase_diagram("mlp", depth=[2, 3], width=[6], seeds=2, executor="serial", store=store, **settings)
    assert found.c_loss.dims == ("depth", "width", "seed")
    xr.testing.assert_identical(found.isel(depth=[0]).drop_attrs(), some.drop_attrs())
    own = {k: v for k, v in settings.items() if k not in ("c_max", "step")}
    one = network_cell(3, 6, 1, c=2.0 ** np.arange(5), **own)
    at = found.sel(depth=3, width=6, seed=1)
    for name in ("c_loss", "c_sharp", "c_max", "label", "sharpness_ratio", "sharpness0"):
        np.testing.assert_array_equal(at[name], one[name])
    assert found.attrs["data"] == "digits"
    assert "depth/width" in table(found)
    with pytest.raises(ValueError, match="store"):
        phase_diagram("mlp", depth=[2], width=[6], seeds=2, executor="serial", store=store, **settings | {"steps": 4})


def hand_made():
    nan = np.nan
    constants = {
        "c_loss": [[2.0, 8.0], [4.0, nan]],
        "c_sharp": [[nan, nan], [3.0, 3.0]],
        "c_barrier": [[5.0, 5.0], [nan, nan]],
        "c_max": [[10.0, 40.0], [nan, 16.0]],
    }
    data = {name: (("depth", "width", "seed"), [values]) for name, values in constants.items()}
    data["reached_end"] = (("depth", "width", "seed"), [[[False, False], [True, False]]])
    data["sharpness0"] = (("depth", "width", "seed"), [[[2.0, 8.0], [3.0, 3.0]]])
    data["sharpness_ratio"] = (("depth", "width", "seed", "c"), [[[[0.5, nan], [0.5, 0.1]]] * 2])
    coords = {"depth": [4], "width": [32, 64], "seed": [0, 1], "c": [1.0, 64.0]}
    return xr.Dataset(data, coords, {"steps": 10, "bound": 1e5})


def test_table():
    lines = table(hand_made()).splitlines()
    assert lines[0].split("  ")[0] == "depth"
    first, second = (" ".join(line.split()) for line in lines[2:4])
    assert first == "4 32 0.125 2 4 4 [2, 8] – 5 [5, 5] 20 [10, 40] 0.5"
    assert second == "4 64 0.0625 2 3 4 (1 of 2) 3 [3, 3] – ≥32† [16, ≥64] 0.5"
    assert "T = 10 steps" in lines[4]
    assert "† some runs have not diverged at the end of the grid, c = 64" in lines[5]


def test_table_of_failed_cells_and_of_the_end():
    found = hand_made()
    found["failed"] = (("depth", "width", "seed"), [[[False, True], [False, False]]])
    for name in ("c_loss", "c_sharp", "c_barrier", "c_max", "sharpness0", "sharpness_ratio"):
        found[name] = found[name].where(~found.failed)
    found["reached_end"] = found.reached_end | (found.width == 64)
    first, second = (" ".join(line.split()) for line in table(found).splitlines()[2:4])
    assert first == "4 32 0.125 1 2 2 – 5 10 0.5"  # of the seed that did not fail
    assert second.endswith("≥64† 0.5")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("mpl", {}, "model must be one of 'mlp', 'uv'; got 'mpl'; did you mean"),
        ("uv", {"depth": (2,)}, "depth is no argument of the model 'uv'"),
        ("uv", {"data": "digits"}, "data is no argument of the model 'uv'"),
        ("mlp", {"y": 1.0}, "y is no argument of the model 'mlp'"),
        ("mlp", {"start": "zero-output"}, "start is no argument of the model 'mlp'"),
        ("uv", {"width": (0,)}, "width must be an integer >= 1"),
        ("uv", {"width": (4, 4)}, "the value 4 twice"),
        ("uv", {"seeds": [1, 1]}, "seeds must differ"),
        ("uv", {"seeds": 0}, "seeds must be an integer >= 1"),
        ("uv", {"c_max": 0.5}, "1 <= c_max"),
        ("uv", {"step": 0.0}, "0 < step"),
        ("uv", {"bound": -1.0}, "0 < bound"),
        ("uv", {"start": "gauss"}, "start must be one of"),
        ("mlp", {"depth": ()}, "empty"),
    ],
)
def test_bad_input(model, options, message):
    with pytest.raises(ValueError, match=message):
        phase_diagram(model, **options)


def test_means_resolve_what_the_starts_do():
    """At width 10⁶ c_loss is 2 + 10 s, s below 1e-5: bisection must not add to it."""
    found = phase_diagram("uv", width=1_000_000, seeds=50, steps=1, c_max=3.0)
    starts = UVStarts.drawn(1_000_000, range(50))
    s = ((starts.p - starts.q) / (starts.p + starts.q)) ** 2 / 4
    np.testing.assert_allclose(found.c_loss[0], exact.c_loss(s), rtol=1e-6)


def test_constants_at_the_start_of_the_grid_are_marked():
    shown = hand_made().assign(c_loss=(("depth", "width", "seed"), [[[1.0, 4.0], [4.0, 4.0]]]))
    text = table(shown)
    assert "≤2‡ [≤1, 4]" in text
    assert "‡ some runs are beyond it at the start of the grid already, c = 1" in text
    assert "‡" not in table(hand_made())


def test_fewer_samples_than_usual(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", X=rng.standard_normal((40, 3)), y=np.arange(40) % 2)
    common = {"steps": 1, "c_max": 4.0, "step": 1.0, "refine": False, "executor": "serial"}
    found = phase_diagram("mlp", depth=2, width=4, seeds=1, data=tmp_path / "own.npz", **common)
    assert found.attrs["samples"] == 40
    assert found.attrs["data"] == "own"
    with pytest.raises(ValueError, match="samples must be at most the 40 of own, got 41"):
        phase_diagram("mlp", depth=2, width=4, seeds=1, data=tmp_path / "own.npz", samples=41, **common)
