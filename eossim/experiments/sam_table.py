"""SAM and USAM at their own edges on a network of 141 parameters, and GD beside them.

Ten runs of one network on one curve of 20 points. A run that reaches its edge has its sharpness there, whatever 2/eta
is: for SAM at eta 0.1 that is a tenth of it, and GD at this eta does not reach 2/eta at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .. import catalogue
from ..engine.method import Method
from ..engine.record import Record
from ..networks import MLP
from ..theory.queries import edge
from ..training import train
from .late import late_ratio, pairs
from .result import Result

if TYPE_CHECKING:
    import xarray as xr

#: Where a run at its edge has R₂, and one that does not reach it.
AT_THE_EDGE, BELOW = (0.98, 1.03), (0.5, 0.6)
#: An eigenvalue above this part of the edge counts as near it: the first two often swap rank from step to step.
_NEAR = 0.9
STEPS, EVERY = 40_000, 200


@dataclass(frozen=True)
class Run:
    """A rule of the catalogue with its hyper-parameters, and the range that R₂ is expected in."""

    rule: str
    eta: float
    rho: float | None = None
    expected: tuple[float, float] = AT_THE_EDGE

    @property
    def values(self) -> dict[str, float]:
        """Hyper-parameters by name."""
        return {"eta": self.eta} | ({} if self.rho is None else {"rho": self.rho})

    @property
    def method(self) -> Method:
        """The rule with its hyper-parameters."""
        return catalogue.lookup(self.rule)(**self.values)

    def __str__(self) -> str:
        return " ".join([self.rule.upper(), *(f"{name}={value:g}" for name, value in self.values.items())])


RUNS = (
    Run("gd", 0.1, expected=BELOW),
    Run("gd", 0.2),
    Run("gd", 0.4),
    Run("sam", 0.1, 0.02),
    Run("sam", 0.1, 0.1),
    Run("sam", 0.2, 0.02),
    Run("sam", 0.2, 0.1),
    Run("sam", 0.4, 0.02),
    Run("usam", 0.2, 0.1),
    Run("usam", 0.2, 0.5),
)


def network() -> tuple[MLP, np.ndarray]:
    """Return the network 1-10-10-1 with tanh on sin 3x + ½ cos 7x, and its start, drawn from no generator."""
    x = np.linspace(-1, 1, 20)
    problem = MLP((1, 10, 10, 1), "tanh", "mse", x[:, None], np.sin(3 * x) + 0.5 * np.cos(7 * x))
    scale = np.repeat([2, 1, np.sqrt(0.3), 0.1, np.sqrt(0.3), 0.1], [int(np.prod(s)) for s in problem.layers])
    golden = 0.6180339887498949 * np.arange(1, problem.dim + 1)
    return problem, scale * (2 * (golden % 1) - 1)


def run(quick: bool = False) -> Result:
    """Train the ten runs and compare sharpness with the edge in the second half of each.

    Columns: ``edge`` and ``sharpness`` at the end; ``ratio_t`` and ``ratio_t1``, medians of sharpness / edge at the two
    parities; ``R2``, that of both together, with ``quartiles`` and the range ``expected`` of it; ``near_edge``, the
    part of the gradient in eigenvectors near the edge; ``descent``, η g̃ᵀHg̃ / (2 gᵀg̃) with g̃ the gradient that the
    step takes, at both parities, 1 at the edge of a quadratic.

    Args:
        quick: Measure at a tenth of the points; runs are as long.
    """
    problem, start = network()
    every = EVERY * 10 if quick else EVERY
    rows, runs = [], {}
    for each in RUNS:
        found = runs[str(each)] = trajectory(problem, start, each, pairs(STEPS, every))
        late = late_ratio(found.step.values, found.sharpness.values, found.edge.values)
        low, high = each.expected
        half = found.sel(step=slice(STEPS // 2, None))
        rows.append(
            {
                "run": str(each),
                "2/eta": edge("gd", eta=each.eta),
                "edge": late.edge,
                "sharpness": late.sharpness,
                "ratio_t": late.first,
                "ratio_t1": late.second,
                "R2": late.both,
                "quartiles": late.quartiles,
                "expected": each.expected,
                "as_expected": low <= late.both <= high,
                "near_edge": float(half.near_edge.median()),
                "descent": tuple(float(half.descent[parity::2].median()) for parity in (0, 1)),
            }
        )
    settings = {"network": "1-10-10-1 tanh", "parameters": problem.dim, "steps": STEPS, "measured every": every}
    return Result("SAM and USAM at their edges", rows, runs, settings)


def trajectory(problem: MLP, start: np.ndarray, each: Run, at: np.ndarray) -> xr.Dataset:
    """Return loss, gradient norm, edge, sharpness and what else the table shows of a run, at increasing steps.

    The sharpness is exact, from the whole spectrum, which ``near_edge`` needs anyway.
    """
    record = Record(at=at, what=("loss", "grad_norm", "w"), track=("edge",))
    done = train(problem, each.method, start, int(at[-1]), record=record).isel(run=0)
    spectra = [_spectrum(problem, each, *point) for point in zip(done.w.values, done.edge.values, strict=True)]
    columns = zip(("sharpness", "near_edge", "descent"), np.array(spectra).T, strict=True)
    return done.drop_vars("w").assign({name: ("step", column) for name, column in columns})


def _spectrum(problem: MLP, each: Run, w: np.ndarray, edge_here: float) -> tuple[float, float, float]:
    """Return λ_max, the part of the gradient near the edge, and η g̃ᵀHg̃ / (2 gᵀg̃)."""
    H = problem.linearize(w).hvp(np.eye(problem.dim))
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    g = problem.grad(w)
    G = np.linalg.norm(g)
    radius = (each.rho or 0.0) / (G if each.rule == "sam" else 1.0)
    stepped = problem.grad(w + radius * g)
    near = vectors[:, values > _NEAR * edge_here].T @ g
    descent = each.eta * (stepped @ H @ stepped) / (2 * g @ stepped)
    return float(values[-1]), float(np.linalg.norm(near) / G), float(descent)
