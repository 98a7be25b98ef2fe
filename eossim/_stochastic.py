"""What ``eossim stochastic`` does: the mean-square edge of SGD and every notion of sharpness, by batch size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import data as datasets
from ._check import figure_path, positive_int
from ._tables import text_table
from .engine.record import Record
from .engine.sampling import sgd
from .engine.simulate import simulate
from .measure import Measurement, sharpness_report
from .problems import Regression
from .theory.mean_square import MeanSquare

_RUNS, _LONGEST = 2000, 3000


def batch_sizes(text: str, samples: int, *, replacement: bool = False) -> list[int]:
    """Return the batch sizes in `text`: numbers and ``n``, commas between; ``...`` doubles from the one before it.

    Raises:
        ValueError: for anything else, or a size outside 1 to n.
    """
    sizes: list[int] = []
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word == "...":
            if not sizes:
                raise ValueError(f"--batch-size needs a number before ..., got {text!r}")
            while 2 * sizes[-1] < samples:
                sizes.append(2 * sizes[-1])
            continue
        try:
            size = samples if word == "n" else int(word)
        except ValueError:
            raise ValueError(f"--batch-size must be numbers, n or ... separated by commas, got {word!r}") from None
        if size < 1 or (size > samples and not replacement):
            raise ValueError(f"--batch-size must be between 1 and the {samples} samples, got {size}")
        sizes.append(size)
    return sorted(set(sizes))


def report(
    data: str,
    sizes: str,
    *,
    replacement: bool,
    beta: float,
    eta: float | None,
    check: bool,
    seed: int,
    out: Path | None,
) -> str:
    """Return the edge and the sharpness notions of a data set by batch size, and draw them to `out`.

    Args:
        data: Data set (see `eossim.data.load`), standardized.
        sizes: Batch sizes (see `batch_sizes`).
        replacement: Whether samples may occur several times in a batch.
        beta: Heavy-ball momentum.
        eta: Step size whose stationary state is asked for, or None.
        check: Whether to simulate on both sides of each critical step.
        seed: Seed of sampled batches and runs.
        out: Figure, or None.
    """
    if out is not None:
        figure_path("out", out)
    if out is not None and beta:
        raise ValueError("the figure is of SGD without momentum: leave out --beta or --out")
    clean = datasets.load(data).standardized()
    problem = clean.least_squares()
    asked = batch_sizes(sizes, problem.n_samples, replacement=replacement)
    positive_int("seed", seed, minimum=0)
    theories = [MeanSquare(problem, b, replacement=replacement, beta=beta) for b in asked]
    modes = problem.modes
    sections = [
        f"{clean.name}: {problem.n_samples} samples, {problem.dim} parameters, rank {problem.rank}; "
        f"lambda_max {modes.curvature[0]:.6g}; batches {'with' if replacement else 'without'} replacement"
        + (f", momentum {beta:g}" if beta else ""),
        _edges(theories),
        _notions(problem, asked, theories, replacement, seed),
    ]
    if eta is not None:
        sections.append(_at(theories, eta))
    if check:
        sections.append(_both_sides(problem, theories, seed))
    if out is not None:
        from .plot import edges_against_batch_size

        start = np.zeros(problem.dim)
        figure, _ = edges_against_batch_size(
            problem, asked, w=start, title=f"{clean.name}, w = 0", replacement=replacement, seed=seed
        )
        figure.savefig(out, dpi=160)
        sections.append(f"figure: {out}")
    return "\n\n".join(sections)


def _edges(theories: list[MeanSquare]) -> str:
    """Return the critical step beside the conditions of the literature."""
    bounds = [t.bounds() for t in theories]
    names = [entry.name for entry in bounds[0] if entry.kind in ("sufficient", "exact", "necessary")]
    rows = [
        [str(t.batch_size), *(f"{b[name].step:.6g}" if name in [e.name for e in b] else "" for name in names)]
        for t, b in zip(theories, bounds, strict=True)
    ]
    kinds = {entry.name: entry.kind for entry in bounds[0]}
    columns = ["b", *(name if kinds[name] == "exact" else f"{name} ({kinds[name]})" for name in names)]
    return "largest step sizes: exact, below it a sufficient condition, above it necessary ones\n" + text_table(
        columns, rows
    )


def _notions(problem: Regression, asked: list[int], theories: list[MeanSquare], replacement: bool, seed: int) -> str:
    """Return the notions of sharpness at the start, zero, beside 2/eta* (a curvature)."""
    found = sharpness_report(problem, np.zeros(problem.dim), asked, replacement=replacement, seed=seed)
    rows = [
        [
            str(row.batch_size),
            _short(row.batch_sharpness),
            *(
                f"{x:.5g}"
                for x in (row.ratio_of_means, row.interaction_aware_sharpness, row.gradient_noise_interaction)
            ),
            _short(row.expected_batch_lambda_max),
            f"{row.lambda_max:.5g}",
            f"{2 * (1 + theory.beta) / theory.critical_step:.5g}",
        ]
        for row, theory in zip(found, theories, strict=True)
    ]
    columns = ["b", "batch sharpness", "ratio of means", "interaction-aware", "GNI", "E lambda_max(H_B)", "lambda_max",
               "2(1+beta)/critical step"]  # fmt: skip
    return (
        "sharpness at w = 0 (± standard error where batches were sampled); batch sharpness is a gauge, not the edge: "
        "that is the last column\n" + text_table(columns, rows)
    )


def _short(found: Measurement) -> str:
    return f"{found.value:.5g}" + ("" if found.exact else f" ± {found.error:.1g}")


def _at(theories: list[MeanSquare], eta: float) -> str:
    """Return what SGD does at one step size, by batch size."""
    rows = []
    for t in theories:
        radius = float(t.spectral_radius(eta))
        if eta < t.critical_step:
            law = t.stationary(eta)
            rows.append([str(t.batch_size), f"{radius:.8g}", "stable", f"{law.excess_loss:.6g}",
                         f"{law.gradient_noise_interaction:.6g}"])  # fmt: skip
        else:
            rows.append([str(t.batch_size), f"{radius:.8g}", f"grows; stable below {t.critical_step:.6g}", "", ""])
    columns = ["b", "factor of second moments", "at this step size", "excess loss", "GNI"]
    note = "" if not theories[0].beta else " (GNI is 2/eta for beta = 0 only)"
    return f"eta = {eta:g}, 2/eta = {2 / eta:.6g}{note}\n" + text_table(columns, rows)


def _both_sides(problem: Regression, theories: list[MeanSquare], seed: int) -> str:
    """Return simulated against exact excess loss on both sides of each critical step."""
    rows = []
    for t in theories:
        for side in (0.7, 1.3):
            eta = side * t.critical_step
            factor = float(t.spectral_radius(eta))
            last = int(
                np.clip(np.ceil(3 / abs(np.log(factor))), 9, _LONGEST)
            )  # until it has moved by exp(3), or nearly
            steps = [1, last // 3, last]
            exact = t.second_moment(eta, np.zeros(problem.dim), steps=[0, *steps]).excess_loss.values
            method = sgd(
                eta=np.full(_RUNS, eta),
                batch_size=t.batch_size,
                beta=t.beta or None,
                sampling="iid" if t.replacement else "without_replacement",
            )
            record = Record(at=steps, what=("loss",))
            run = simulate(problem, method, np.zeros(problem.dim), last, record=record, seed=seed)
            excess = run.loss.values - problem.offset
            error = excess.std(axis=0, ddof=1) / np.sqrt(_RUNS)
            cells = [f"{x:.4g} / {m:.4g} ± {e:.1g}" for x, m, e in
                     zip(exact[1:], excess.mean(axis=0), error, strict=True)]  # fmt: skip
            head = [str(t.batch_size), f"{side:g}", f"{factor:.5g}", f"{exact[0]:.4g}"]
            rows.append([*head, cells[0], f"{last // 3}", cells[1], f"{last}", cells[2]])
    columns = ["b", "eta/critical", "factor", "step 0", "step 1", "k", "step k", "k", "step k"]
    return (
        f"excess loss on both sides of the edge: exact / mean of {_RUNS} runs ± standard error; above it few runs "
        "carry the mean\n" + text_table(columns, rows)
    )
