"""The source of a map: what is hoisted, what is refused, and that the committed files are current."""

import re
from pathlib import Path

import numpy as np
import pytest

from eossim import dynamics, formulas
from eossim._map import Map
from eossim.maps import SHIPPED
from eossim.symbolic.emit_map import map_source


def functions(source):
    """Return the text of each function by name."""
    return dict(re.findall(r"def (\w+)\(.*?\):\n(.*?)(?=\n\n\n|\Z)", source, flags=re.DOTALL))


@pytest.mark.parametrize("name", SHIPPED)
def test_committed_source_is_that_of_the_map(name):
    folder = Path(formulas.__file__).parent / "maps"
    assert (folder / f"{name}.py").read_text(encoding="utf-8") == map_source(SHIPPED[name])


def test_what_depends_on_parameters_alone_is_computed_before_the_first_step():
    source = map_source(Map("cubic", state="x", parameters="a b", update={"x": "x*(1 + a/b - x**2)"}))
    fill, steps = functions(source)["orbit"].split("done_ = 0")
    assert "1.0) / (b)" in fill.replace("one_ / (b)", "1.0) / (b)")
    assert " / " not in steps
    assert steps.count("value_[") == 1


def test_abbreviations_are_computed_once():
    where = {"d": "x - y", "unused": "x**7"}
    source = map_source(Map("shared", state="x y", where=where, update={"x": "x*d", "y": "y*(1 - d)"}))
    step = functions(source)["step"]
    assert step.count("x - y") == 1
    assert "unused" not in source


def test_a_map_without_observables_has_no_extremes():
    assert "extremes" not in map_source(Map("bare", state="x", update={"x": "x/2"}))


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ("x*exp(-x)", "map refused: exp cannot be compiled; use sums"),
        ("sin(x)", "sin cannot be compiled"),
        ("x**a", r"the power x\*\*a cannot be compiled"),
        ("x**(1/3) + a", "the power .* cannot be compiled"),
    ],
)
def test_refused(update, message):
    refused = Map("refused", state="x", parameters="a", update={"x": f"{update} + a"})
    assert refused.jacobian.shape == (1, 1)  # symbolic work goes on
    with pytest.raises(ValueError, match=message) as raised:
        refused.step([0.5], a=1.0)
    assert str(raised.value).endswith("eossim.dynamics.FunctionMap(step, dim=1, parameters=('a',))")


def test_the_way_out_of_a_refusal():
    refused = Map("sine", state="x", parameters="a", update={"x": "a*sin(x)"})
    with pytest.raises(ValueError, match="FunctionMap"):
        dynamics.fixed_points(refused, a=0.5)
    way_out = dynamics.FunctionMap(lambda x, a: a[..., None] * np.sin(x), dim=1, parameters=("a",))
    np.testing.assert_allclose(way_out.step(np.array([0.5]), a=0.5), [0.5 * np.sin(0.5)])
