"""What keeps a network from diverging at the edge: its quadratic model diverges there, and not before.

At points along runs of descent in a norm the loss is replaced by its quadratic model, and the same method goes on with
that. With Gauss-Newton curvature the model has no negative directions, and theory says what happens: below the edge,
S < 2/eta, its loss falls at every step; above it, starts near the direction of S diverge. With the whole Hessian the
model also falls without bound along negative curvature, at any step size.
"""

from __future__ import annotations

import numpy as np

from ..engine.record import Record
from ..engine.simulate import simulate
from ..measure import generalized_sharpness
from ..networks import MLP
from ..problems.function import Function
from ..theory.queries import edge
from .digits import true_labels
from .norm_edges import RUNS, Run
from .result import Result

#: Points of each run: some before the edge, some where the run has just reached it.
POINTS = {
    "GD 0.4": (50, 100, 150, 200, 250, 300, 350),
    "spectral 0.0285": (50, 150, 300, 400, 450, 475),
    "ℓ∞ 0.00026": (50, 150, 250, 350, 375, 400),
}
STEPS = 600
#: S over the edge between which a model may do either: growth is too slow for the steps, or S a little more than found.
UNDECIDED = (0.99, 1.01)


def run(quick: bool = False) -> Result:
    """Replace the loss by its quadratic model at points before and at the edge, and go on with that.

    Columns: ``S``, the sharpness over the edge 2/eta at the point; ``S_model``, that of the Gauss-Newton matrix;
    ``loss`` there; ``rises``, the largest loss of the model with Gauss-Newton curvature over the first one within 600
    steps; ``rises_hessian``, the same with the Hessian; ``as_expected``: whether the first model rises exactly if
    ``S_model`` is above 1, None between 0.99 and 1.01.

    Args:
        quick: The first, third and last point of GD and of ℓ∞ descent.
    """
    problem, start = true_labels()
    rows, losses = [], {}
    for each in RUNS:
        points = POINTS.get(str(each), ())
        if quick:
            points = () if each.norm == "spectral" else (points[0], points[2], points[-1]) if points else ()
        if not points:
            continue
        record = Record(at=np.array(points), what=("w",))
        along = simulate(problem, each.method(problem), start, points[-1], record=record).w.values[0]
        for step, w in zip(points, along, strict=True):
            row, curves = _swap(problem, each, step, w)
            rows.append(row)
            losses[f"{each} from {step}"] = curves
    settings = {"data": "500 digits", "network": "64-32-32-10 tanh", "steps of the model": STEPS}
    return Result("Quadratic models before and at the edge", rows, losses, settings)


def quadratic_model(problem: MLP, w: np.ndarray, *, gauss_newton: bool) -> Function:
    """Return the second-order model of a network at w, as a function of the displacement d, shape (..., dim).

    Args:
        problem: The network.
        w: The point, shape (dim,).
        gauss_newton: Whether its curvature is the Gauss-Newton matrix, else the Hessian.
    """
    here = problem.linearize(w)
    curved = here.gauss_newton if gauss_newton else here.hvp
    return Function(
        problem.dim,
        lambda d: here.loss + d @ here.grad + 0.5 * (d * curved(d)).sum(axis=-1),
        lambda d: here.grad + curved(d),
        lambda d, v: curved(v),
    )


def _swap(problem: MLP, each: Run, step: int, w: np.ndarray) -> tuple[dict[str, object], object]:
    """Return a row of the table, and the losses of the network and of its model from here."""
    method = each.method(problem)
    here = problem.linearize(w)
    sharp = generalized_sharpness(here.hvp, method.norm, dim=problem.dim, restarts=2, bound=False)
    model_sharp = generalized_sharpness(
        here.gauss_newton,
        method.norm,
        dim=problem.dim,
        starts=sharp.witness,
        restarts=1,
        bound=False,
        semidefinite=True,
    )
    origin = np.zeros(problem.dim)
    record = Record(every=1, what=("loss",))
    models = {
        name: simulate(quadratic_model(problem, w, gauss_newton=name == "model"), method, origin, STEPS, record=record)
        for name in ("model", "hessian")
    }
    network = simulate(problem, method, w, STEPS, record=record)
    curves = network.isel(run=0).assign({name: done.loss.isel(run=0) for name, done in models.items()})
    rises = {name: float(np.nanmax(done.loss.values) / here.loss) for name, done in models.items()}
    target = edge("gd", eta=each.eta)
    ratio = model_sharp.value / target
    low, high = UNDECIDED
    expected = None if low <= ratio <= high else (rises["model"] > 1 + 1e-9) is bool(ratio > 1)
    return {
        "run": str(each),
        "step": step,
        "S": sharp.value / target,
        "S_model": ratio,
        "loss": float(here.loss),
        "rises": rises["model"],
        "rises_hessian": rises["hessian"],
        "as_expected": expected,
    }, curves
