"""The four regimes of training on one small network at four step sizes.

From small to large steps: sharpness rises and the edge is never reached; all four regimes; a catapult of the loss
first; one of loss and sharpness, after which the run reaches the edge and does not survive it.
"""

from __future__ import annotations

from .. import catalogue
from ..early_training.regimes import detect_regimes
from ..engine.record import Record
from ..theory.queries import edge
from ..training import train
from .demo_network import demo_network
from .result import Result

ETAS = (0.05, 0.2, 0.4169, 0.5495)
STEPS = 4000
#: Steps of the early transient, losses that are shown, and the loss beyond which a run has diverged.
EARLY, FIRST, BOUND = 10, 12, 1e5


def run(quick: bool = False) -> Result:
    """Train with each step size, measure every step, and find the regimes.

    Columns: ``c``, η λ_max at the start; ``loss_rise`` and ``sharpness_rise``, the largest of the first ten steps over
    that at the start; ``S10``, sharpness after them; ``T3`` and ``T4``, where these regimes begin; ``late_ratio``, mean
    of sharpness / edge over the last quarter, with its ``range``; ``at_edge``, whether its median is at 1;
    ``diverged_at``; ``regimes`` found; ``first_losses``, twelve.

    Args:
        quick: Train for a quarter of the steps: regimes have begun by then, and late ratios are less late.
    """
    problem, start = demo_network()
    steps = STEPS // 4 if quick else STEPS
    record = Record(every=1, what=("loss",), track=("sharpness", "edge"))
    rows, runs = [], {}
    for eta in ETAS:
        threshold = edge("gd", eta=eta)
        method = catalogue.lookup("gd")(eta=eta)
        done = train(problem, method, start, steps, record=record, stop=lambda t, loss: loss > BOUND).isel(run=0)
        L, S = done.loss.values, done.sharpness.values
        found = detect_regimes(L, S, threshold, early=EARLY, bound=BOUND)
        late = S[found.length - found.length // 4 : found.length] / threshold
        finite = found.diverged_at is None
        rows.append(
            {
                "eta": eta,
                "edge": threshold,
                "c": eta * S[0],
                "loss_rise": L[1 : EARLY + 1].max() / L[0],
                "sharpness_rise": S[1 : EARLY + 1].max() / S[0],
                "S10": S[EARLY],
                "T3": found.rise,
                "T4": found.edge,
                "late_ratio": float(late.mean()) if finite else None,
                "range": (float(late.min()), float(late.max())) if finite else None,
                "at_edge": found.confirmed,
                "diverged_at": found.diverged_at,
                "regimes": str(found),
                "first_losses": " ".join(f"{loss:.7f}" for loss in L[:FIRST]),
            }
        )
        runs[f"eta = {eta:g}"] = done.assign_attrs(regimes=found.spans)
    settings = {"network": "1-30-20-1 tanh", "parameters": problem.dim, "start": "mulberry32, seed 0", "steps": steps}
    return Result("The four regimes", rows, runs, settings)
