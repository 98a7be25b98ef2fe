import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim import Quadratic, UVModel
from eossim.early_training import estimate_critical_step

#: u and v of width 16 with f = u·v/4 = 1 and λ = (|u|² + |v|²)/16 = 2, target 0.
MODEL = UVModel(16)
START = np.zeros(32)
START[[0, 16, 17]] = 4, 1, np.sqrt(15)


class Counted:
    """A problem whose loss counts its calls."""

    def __init__(self, problem, loss=None):
        self.problem, self.dim, self.grad, self.calls = problem, problem.dim, problem.grad, 0
        self.own = loss or problem.loss

    def loss(self, w):
        self.calls += 1
        return self.own(w)


@pytest.mark.parametrize(
    ("delta", "eta", "passes"),
    [(0.1, 1.0496, 21), (0.01, 1.0336, 24)],  # two of doubling from 1e-4 fall within 10 %, three more within 1 %
)
def test_reference_start(delta, eta, passes):
    problem = Counted(MODEL)
    found = estimate_critical_step(problem, START, delta=delta)
    assert found.eta == pytest.approx(eta, abs=5e-5)
    assert 1 <= found.ratio <= 1 + delta
    assert found.passes == problem.calls == passes
    if delta == 0.1:
        assert found.ratio == pytest.approx(1.06161, abs=5e-6)


@given(st.floats(-3, 3), st.floats(1e-3, 0.5), st.floats(1e-6, 1e3))
def test_brackets_the_edge_of_a_parabola_from_any_first_step(log_curvature, delta, start):
    """One step on ½hx² multiplies the loss by (1 - ηh)²: it rises from η = 2/h on."""
    h = 10.0**log_curvature
    found = estimate_critical_step(Quadratic([[h]]), [1.0], delta=delta, start=start)
    assert 1 <= found.ratio <= 1 + delta
    low, high = 2 / h, (1 + np.sqrt(1 + delta)) / h
    assert low * (1 - 1e-12) <= found.eta <= high * (1 + 1e-12)


def sides(s, width=3):
    """Weights of the uv model with λ = 1, y = 0 and a given s, in no particular direction."""
    model = UVModel(width)
    a, b = np.linalg.qr(np.random.default_rng(width).standard_normal((width, 2)))[0].T
    a, b = (np.sqrt(width * (1 + sign * 2 * np.sqrt(s))) / 2 * side for sign, side in ((1, a), (-1, b)))
    w = model.join((a + b)[:, None], a - b)
    assert float(model.ntk(w)) == pytest.approx(1, rel=1e-12)
    return model, w


@given(st.floats(1e-6, 1 / 9 - 1e-9), st.floats(1e-6, 1.99))
def test_finds_the_first_step_that_raises_the_loss_of_the_uv_model(s, start):
    found = estimate_critical_step(*sides(s), delta=1e-8, start=start)
    exact = (1 - np.sqrt(1 - 8 * s)) / (2 * s)  # of s k² - k + 2 = 0
    assert exact * (1 - 1e-9) <= found.eta <= exact * (1 + 1e-6)


@pytest.mark.parametrize("s", [0.112, 0.118, 0.124])
def test_doubling_passes_a_narrow_range_that_raises_the_loss(s):
    first, last = ((1 - sign * np.sqrt(1 - 8 * s)) / (2 * s) for sign in (1, -1))
    model, w = sides(s)
    assert model.loss(w - (first + last) / 2 * model.grad(w)) > model.loss(w)
    found = estimate_critical_step(model, w, delta=1e-8, start=0.999 * first)
    assert found.eta == pytest.approx(1 / s, rel=1e-6)  # where it rises again


def test_target_that_lowers_the_loss_is_returned():
    found = estimate_critical_step(Quadratic([[1.0]]), [1.0], eta_target=0.7)
    assert found.eta == 0.7
    assert found.ratio == pytest.approx(0.09)
    assert estimate_critical_step(Quadratic([[1.0]]), [1.0], eta_target=0.1, start=1.0).eta == 0.1


def test_loss_that_is_not_finite_has_risen():
    problem = Counted(Quadratic([[1.0]]), lambda w: 0.5 * w @ w if abs(w[0]) <= 1 else np.nan)
    found = estimate_critical_step(problem, [1.0])
    assert found.eta == pytest.approx(2.0)  # bisection ends where two floats are neighbours


def test_bad_input():
    bowl = Quadratic([[1.0]])
    slope = Counted(bowl, lambda w: np.exp(-abs(w[0])))
    slope.grad = lambda w: -np.sign(w)
    with pytest.raises(TypeError, match=r"problem must have dim, loss\(w\) and grad\(w\), got .* without dim"):
        estimate_critical_step(lambda w: w, [1.0])
    with pytest.raises(ValueError, match="falls along the gradient without end: give an eta_target"):
        estimate_critical_step(slope, [1.0])
    with pytest.raises(ValueError, match="gradient at w must be finite and not 0"):
        estimate_critical_step(Counted(bowl, lambda w: 1.0), [0.0])
    with pytest.raises(ValueError, match="loss at w must be positive and finite, got 0"):
        estimate_critical_step(bowl, [0.0])
    with pytest.raises(ValueError, match="0 < delta"):
        estimate_critical_step(bowl, [1.0], delta=0.0)
    with pytest.raises(ValueError, match="0 < eta_target"):
        estimate_critical_step(bowl, [1.0], eta_target=-1.0)
    with pytest.raises(ValueError, match="0 < start < inf"):
        estimate_critical_step(bowl, [1.0], start=0.0)
    with pytest.raises(ValueError, match=r"w must have shape \(1,\)"):
        estimate_critical_step(bowl, [1.0, 2.0])
