"""Maps whose dynamics are known, for the tests of the dynamics tools."""

import numpy as np

from eossim._map import Map
from eossim.dynamics import FunctionMap
from eossim.problems import Function

logistic = Map("logistic", state="x", parameters="r", update={"x": "r*x*(1 - x)"})
henon = Map("henon", state="x y", parameters="a b", update={"x": "1 - a*x**2 + y", "y": "b*x"})
#: A fixed point at (1 - 1/r) (1, 1) that turns into a closed curve at r = 2 (Neimark and Sacker).
delayed_logistic = Map("delayed_logistic", state="x y", parameters="r", update={"x": "r*x*(1 - y)", "y": "x"})
#: The normal form of that: beyond mu = 0 the circle of radius √mu attracts.
circle = Map(
    "circle",
    state="x y",
    parameters="c s mu",
    where={"g": "1 + mu - x**2 - y**2"},
    update={"x": "g*(c*x - s*y)", "y": "g*(s*x + c*y)"},
)
#: Preserves area: closed curves around 0.
area_preserving = Map(
    "area_preserving",
    state="x y",
    parameters="c s",
    update={"x": "c*x - s*(y - x**2)", "y": "s*x + c*(y - x**2)"},
)


def _turn(x, angle, factor):
    cosine, sine = factor * np.cos(angle), factor * np.sin(angle)
    return np.stack([cosine * x[..., 0] - sine * x[..., 1], sine * x[..., 0] + cosine * x[..., 1]], axis=-1)


#: Turns the plane by an angle and shrinks it by a factor.
turn = FunctionMap(_turn, 2, ("angle", "factor"), name="turn")

#: A coupled loss of fourth order, its gradient analytic in complex arguments.
_COUPLING = np.array([[1.3, 0.4], [0.4, 0.7]])


def coupled_gradient(w):
    """Gradient of w·A w/2 + w_1² w_2²/2 + Σ w⁴/12 at w, shape (..., 2)."""
    a, b = w[..., 0], w[..., 1]
    return w @ _COUPLING + np.stack([a * b**2, b * a**2], axis=-1) + w**3 / 3


def _loss(w):
    a, b = w[..., 0], w[..., 1]
    return (w * (w @ _COUPLING)).sum(-1) / 2 + a**2 * b**2 / 2 + (w**4).sum(-1) / 12


def _hvp(w, v):
    a, b, c, d = w[..., 0], w[..., 1], v[..., 0], v[..., 1]
    mixed = np.stack([b**2 * c + 2 * a * b * d, a**2 * d + 2 * a * b * c], axis=-1)
    return v @ _COUPLING + mixed + w**2 * v


coupled = Function(2, _loss, coupled_gradient, _hvp)


def quartic_1d(f2, f3, f4):
    """Return the loss f2 w²/2 + f3 w³/6 + f4 w⁴/24 of one parameter."""
    return Function(
        1,
        lambda w: (f2 * w**2 / 2 + f3 * w**3 / 6 + f4 * w**4 / 24).sum(-1),
        lambda w: f2 * w + f3 * w**2 / 2 + f4 * w**3 / 6,
        lambda w, v: (f2 + f3 * w + f4 * w**2 / 2) * v,
    )
