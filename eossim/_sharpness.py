"""What ``eossim sharpness`` does: the generalised sharpness of a data set's Hessian in one norm after another."""

from __future__ import annotations

from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from . import data as datasets
from ._check import choice, figure_path, positive_int
from ._tables import text_table
from .curvature.generalized import METHODS, GeneralizedSharpness, generalized_sharpness
from .engine.record import Record
from .engine.simulate import simulate
from .engine.steepest import steepest_descent
from .norms import Norm, from_name
from .problems import Quadratic

#: What ``--norm all`` stands for; matrix norms only if the number of parameters is that of a matrix.
ALL = ("l2", "l1", "linf", "lp:3", "block_sum", "block_max", "spectral", "nuclear")
_MATRICES = ("spectral", "nuclear")
_BELOW, _ABOVE = 0.95, 1.2


def norms_from(names: str, dim: int, *, shape: str | None = None, blocks: int | None = None) -> list[Norm]:
    """Return the norms that a list of names stands for.

    Args:
        names: Names as `eossim.norms.from_name` takes them, commas between, or ``all``.
        dim: Number of parameters.
        shape: Matrix of the parameters, such as ``8x8``; the most square one by default.
        blocks: Parameters in a block; the rows of that matrix by default.

    Raises:
        ValueError: for an unknown name, or a matrix or block that does not fit.
    """
    matrix = _shape(shape) if shape is not None else _most_square(dim)
    if blocks is not None:
        positive_int("--blocks", blocks)
    size = blocks or (matrix[1] if matrix else None)
    asked = [name.strip().lower() for name in names.split(",")]
    if asked == ["all"]:
        missing = set() if matrix else set(_MATRICES)
        missing |= set() if size else {"block_sum", "block_max"}
        asked = [name for name in ALL if name not in missing]
    return [from_name(name, dim, shape=matrix, blocks=size) for name in asked]


def _shape(text: str) -> tuple[int, int]:
    try:
        rows, columns = map(int, text.lower().split("x"))
    except ValueError:
        raise ValueError(f"--shape must be ROWSxCOLUMNS, such as 8x8, got {text!r}") from None
    return rows, columns


def _most_square(dim: int) -> tuple[int, int] | None:
    """Return the factors of `dim` that are nearest to each other, or None for a prime."""
    rows = next(m for m in range(isqrt(dim), 0, -1) if dim % m == 0)
    return None if rows == 1 else (rows, dim // rows)


def report(
    data: str,
    names: str,
    *,
    shape: str | None,
    blocks: int | None,
    how: str,
    check: bool,
    seed: int,
    out: Path | None,
) -> str:
    """Return the sharpness of a data set's least squares in each norm as a table, and draw it to `out`.

    Args:
        data: Data set (see `eossim.data.load`), as it is: step sizes are those of ``eossim simulate``.
        names: Norms (see `norms_from`).
        shape: Matrix of the parameters.
        blocks: Parameters in a block.
        how: A method of `generalized_sharpness`.
        check: Whether to run steepest descent on both sides of each edge.
        seed: Seed of random starts.
        out: Figure, or None.
    """
    if out is not None:
        figure_path("out", out)
    choice("--how", how, METHODS)
    positive_int("seed", seed, minimum=0)
    loaded = datasets.load(data)
    problem = Quadratic(loaded.least_squares().hessian())
    norms = norms_from(names, problem.dim, shape=shape, blocks=blocks)
    found = [generalized_sharpness(problem, norm, method=how, seed=seed) for norm in norms]
    top = float(problem.eigenvalues[-1])
    if not top > 0:
        raise ValueError(f"the Hessian of {loaded.name} is zero: every step size is stable in every norm")
    sections = [
        f"{loaded.name}: {problem.dim} parameters, loss |X w - y|^2 / (2 n); lambda_max {top:.6g}, "
        f"trace {problem.eigenvalues.sum():.6g}",
        _table(norms, found, top),
    ]
    if check:
        sections.append(_both_sides(problem, norms, found, seed))
    if out is not None:
        from .plot import sharpness_by_norm

        figure, _ = sharpness_by_norm({loaded.name: (norms, found, top)})
        figure.savefig(out, dpi=160)
        sections.append(f"figure: {out}")
    return "\n\n".join(sections)


def _table(norms: list[Norm], found: list[GeneralizedSharpness], top: float) -> str:
    rows = [
        [
            norm.name,
            f"{s.value:.8g}",
            _bound(s),
            _edge(s),
            f"{s.value / top:.4g}",
            f"{s.frank_wolfe:.6g}" if np.isfinite(s.frank_wolfe) else "",
            s.how,
        ]
        for norm, s in zip(norms, found, strict=True)
    ]
    columns = ["norm", "sharpness S", "at most", "edge 2/S", "S/lambda_max", "Frank-Wolfe", "how"]
    return "steepest descent in a norm is stable below eta = 2/S, whatever lambda_max is\n" + text_table(columns, rows)


def _edge(s: GeneralizedSharpness) -> str:
    """Return 2/S; where S is known between bounds only, so is the edge."""
    if not s.value > 0:
        return "inf"
    low, high = (f"{2 / x:.6g}" for x in (s.value if s.exact else s.upper_bound, s.value))
    return high if low == high else f"{low} to {high}"


def _bound(s: GeneralizedSharpness) -> str:
    """Return the upper bound in words: an inexact value is a lower bound."""
    if s.exact:
        return "S, exact"
    if not np.isfinite(s.upper_bound):
        return "unknown"
    return f"{s.upper_bound:.8g}, +{max(0.01, 100 * (s.upper_bound / s.value - 1)):.2g} % ({s.bound_name})"


def _both_sides(problem: Quadratic, norms: list[Norm], found: list[GeneralizedSharpness], seed: int) -> str:
    """Return what steepest descent does below the upper bound's edge, and on the ray of the witness above its own."""
    rows, steps, last = [], 100, Record(at=[0, 100], what=("loss",))
    for norm, s in zip(norms, found, strict=True):
        if not s.value > 0:
            continue
        below = simulate(problem, steepest_descent(norm, _BELOW * 2 / s.upper_bound), None, steps, record=last,
                         seed=seed).loss.values[0]  # fmt: skip
        eta = _ABOVE * 2 / s.value
        run: Any = simulate(problem, steepest_descent(norm, eta), s.witness, 10, record=Record(at=[0, 10], what="loss"))
        growth = float((run.loss.values[0, 1] / run.loss.values[0, 0]) ** 0.05)
        as_predicted = below[1] < below[0] and abs(growth / (eta * s.value - 1) - 1) < 1e-4
        rows.append([norm.name, f"{below[1] / below[0]:.4g}", f"{eta * s.value - 1:.6f}", f"{growth:.6f}",
                     "as predicted" if as_predicted else "NOT AS PREDICTED"])  # fmt: skip
    columns = ["norm", f"loss after {steps} steps / at start", "growth a step, predicted", "stepped", ""]
    return (
        f"steepest descent below the edge ({_BELOW:g} of 2 / upper bound, from a random start: it must converge) and "
        f"above it ({_ABOVE:g} of 2/S,\nalong the direction found: it must grow by eta S - 1 a step, so that the edge "
        "is at most 2/S)\n" + text_table(columns, rows)
    )
