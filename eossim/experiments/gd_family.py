"""Gradient descent, heavy ball and Adam on the digits, each at its own edge.

The edge is 2/eta for GD and (2 + 2 beta)/eta for heavy ball, of the largest eigenvalue of the Hessian H; of full-batch
Adam (2 + 2 beta1)/(eta (1 - beta1)), of that of P^(-1/2) H P^(-1/2) with P = diag(sqrt(v̂) + eps) of its running second
moment (arXiv:2207.14484).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import catalogue, data
from ..engine.record import Record
from ..networks import MLP, one_hot
from ..theory.queries import edge
from ..training import adam, train
from .late import late_ratio, pairs
from .result import Result

#: Where the median of R₂ over seeds counts as at the edge; our choice, there is no note to hold it against.
AT_THE_EDGE = (0.95, 1.05)
STEPS, EVERY, SEEDS = 6000, 50, (0, 1, 2)
SAMPLES, SIZES, GAIN = 512, (64, 32, 32, 10), 0.5


@dataclass(frozen=True)
class Run:
    """A method by its name in the catalogue of edges, and its hyper-parameters."""

    rule: str
    values: tuple[tuple[str, float], ...]

    @property
    def method(self) -> Any:
        """What trains; Adam with its running second moment."""
        return adam(**dict(self.values)) if self.rule == "adam_frozen" else catalogue.lookup(self.rule)(**self.hyper)

    @property
    def hyper(self) -> dict[str, float]:
        """Hyper-parameters by name."""
        return dict(self.values)

    @property
    def sharpness(self) -> str:
        """The sharpness that the edge is about."""
        return "preconditioned_sharpness" if self.rule == "adam_frozen" else "sharpness"

    def __str__(self) -> str:
        name = {"gd": "GD", "heavy_ball": "heavy ball", "adam_frozen": "Adam"}[self.rule]
        return " ".join([name, *(f"{n}={value:g}" for n, value in self.values)])


#: Steps large enough to get to the edge in time: heavy ball with η = 0.3 is at 0.81 of it after 8000 steps.
RUNS = (
    *(Run("gd", (("eta", eta),)) for eta in (0.25, 0.3, 0.4)),
    *(Run("heavy_ball", (("eta", eta), ("beta", 0.9))) for eta in (0.5, 0.6, 0.8)),
    *(Run("adam_frozen", (("eta", eta), ("beta1", 0.9))) for eta in (0.001, 0.002, 0.003)),
)
#: One of each method.
QUICK = RUNS[1::3]


def network(seed: int) -> tuple[MLP, np.ndarray]:
    """Return the network 64-32-32-10 with tanh on 512 digits, squared error to the one-hot labels, and its start.

    Pixels are centred and scaled as a whole. Small weights at the start (gain ½) make the loss flat there: sharpness
    has to rise to reach an edge.

    Args:
        seed: Of the samples and the weights.
    """
    digits = data.load("digits")
    X = digits.X - digits.X.mean(axis=0)
    chosen = np.random.default_rng(seed).choice(len(X), SAMPLES, replace=False)
    labels = one_hot(digits.y[chosen].astype(int), SIZES[-1])
    problem = MLP(SIZES, "tanh", "mse", X[chosen] / X.std(), labels, gain=GAIN)
    return problem, problem.initial(seed)


def run(quick: bool = False) -> Result:
    """Train with every method from every seed and compare the sharpness in the second half with the edge.

    Columns: ``edge``; ``sharpness`` of the kind it is about, median of seeds at the end; ``R2``, that of both parities
    together over the edge, median over time and then seeds; ``seeds``, its range over these; ``quartiles``, those over
    time, lowest and highest of seeds; the range ``expected`` of R2.

    Args:
        quick: One step size for each method, one seed, two thirds of the steps.
    """
    seeds, steps, every = (SEEDS[:1], 2 * STEPS // 3, 4 * EVERY) if quick else (SEEDS, STEPS, EVERY)
    at = pairs(steps, every)
    networks = {seed: network(seed) for seed in seeds}
    rows, runs = [], {}
    for each in QUICK if quick else RUNS:
        lates = []
        for seed, (problem, start) in networks.items():
            tracked = Record(at=at, what=("loss",), track=(each.sharpness, "edge"))
            found = train(problem, each.method, start, steps + 1, record=tracked).isel(run=0)
            runs[f"{each}, seed {seed}"] = found
            lates.append(late_ratio(found.step.values, found[each.sharpness].values, found.edge.values))
        ratios = [late.both for late in lates]
        middle = float(np.median(ratios))
        rows.append(
            {
                "run": str(each),
                "edge": float(edge(each.rule, **each.hyper)),
                "sharpness": float(np.median([late.sharpness for late in lates])),
                "R2": middle,
                "seeds": (min(ratios), max(ratios)),
                "quartiles": (min(late.quartiles[0] for late in lates), max(late.quartiles[1] for late in lates)),
                "expected": AT_THE_EDGE,
                "as_expected": AT_THE_EDGE[0] <= middle <= AT_THE_EDGE[1],
            }
        )
    settings = {
        "data": f"digits, {SAMPLES}",
        "network": "-".join(map(str, SIZES)) + " tanh",
        "parameters": problem.dim,
        "steps": steps,
        "seeds": " ".join(map(str, seeds)),
    }
    return Result("GD, heavy ball and Adam at their edges", rows, runs, settings)
