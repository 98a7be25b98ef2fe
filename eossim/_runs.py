"""What ``eossim simulate`` does: a problem from its options, a run, a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import catalogue
from . import data as datasets
from ._check import existing_folder, positive_int, unknown
from ._rule import Family
from ._sharpness import norms_from
from ._tables import text_table
from .engine.adaptive import STEPS, AdaptiveDescent, adaptive_descent
from .engine.record import Record
from .engine.sampling import sgd
from .engine.simulate import simulate
from .engine.steepest import SteepestDescent, normalized_steepest_descent, steepest_descent
from .measure import batch_sharpness, generalized_sharpness, gradient_moments
from .norms import Norm
from .problems import Quadratic, Regression
from .theory.mean_square import MeanSquare

if TYPE_CHECKING:
    import xarray as xr

_ROWS = 12
#: Methods that need a norm, by name.
STEEPEST = {"steepest_descent": steepest_descent, "normalized_steepest_descent": normalized_steepest_descent}
#: These, and gradient descent with adapted steps.
DESCENTS = (*STEEPEST, *STEPS)


def problem_from(data: str | None, spectrum: str | None) -> Quadratic:
    """Return the least-squares problem of a data set, or a diagonal quadratic of the curvatures in `spectrum`."""
    if (data is None) == (spectrum is None):
        raise ValueError("give --data (digits, diabetes, a file.npz) or --spectrum (such as 4,1)")
    if data is not None:
        return datasets.load(data).least_squares()
    try:
        return Quadratic(np.array([float(x) for x in str(spectrum).split(",")]))
    except ValueError as error:
        raise ValueError(f"--spectrum must be curvatures separated by commas, got {spectrum!r}: {error}") from error


def print_stochastic_run(
    problem: Quadratic, values: dict[str, Any], *, sampling: str, steps: int, seed: int, out: Path | None
) -> str:
    """Run SGD and return a table of the run: loss, sharpness notions of its batches, and where they stand to 2/eta."""
    if not isinstance(problem, Regression):
        raise ValueError("sgd draws samples: give --data, not --spectrum")
    if out is not None:
        existing_folder(out)
    missing = [name for name in ("eta", "batch_size") if name not in values]
    if missing:
        raise ValueError(f"sgd needs {', '.join(f'{name}=...' for name in missing)}")
    unknown_names = sorted(set(values) - {"eta", "batch_size", "beta", "label_noise"})
    if unknown_names:
        raise unknown("parameter of sgd", unknown_names[0], ("eta", "batch_size", "beta", "label_noise"))
    method, beta = sgd(sampling=sampling, **values), float(np.ravel(values.get("beta", 0.0))[0])
    at = np.unique(np.linspace(0, positive_int("steps", steps), _ROWS).round().astype(int))
    run = simulate(problem, method, steps=steps, seed=seed, record=Record(at=at, what=("loss", "grad_norm", "w")))
    if out is not None:
        run.to_netcdf(out)
    replacement = sampling == "iid"
    head = ("step", "loss", "grad_norm", "batch sharpness", "ratio of means", "GNI", "IAS")
    rows = []
    for i, step in enumerate(at):
        w = run.w.values[0, i]
        cells = [f"{int(step)}", f"{float(run.loss[0, i]):.6g}", f"{float(run.grad_norm[0, i]):.4g}"]
        if np.isfinite(w).all():
            own = batch_sharpness(problem, w, method.batch_size, replacement=replacement, rtol=0.02, seed=seed)
            found = gradient_moments(problem, w, method.batch_size, sampling="with" if replacement else "without")
            notions = (found.ratio_of_means, found.gradient_noise_interaction, found.interaction_aware_sharpness)
            cells += [f"{own.value:.4g}", *(f"{x:.4g}" for x in notions)]
        rows.append(cells + [""] * (len(head) - len(cells)))
    eta = float(np.ravel(values["eta"])[0])
    theory = MeanSquare(problem, method.batch_size, replacement=replacement, beta=beta)
    return "\n".join(
        [
            f"{method!r} on {problem!r}, {steps} steps",
            text_table(head, rows),
            f"lambda_max {problem.modes.curvature[0]:.6g}, 2/eta {2 / eta:.6g}; second moments of fresh batches change "
            f"by {float(theory.spectral_radius(eta)):.8g} a step, stable below eta = {theory.critical_step:.6g}",
            *([f"shown is the first of {method.runs} runs; --out keeps all"] if method.runs > 1 else []),
            *([f"saved: {out}"] if out is not None else []),
        ]
    )


def print_run(
    problem: Quadratic,
    method: str,
    values: dict[str, Any],
    *,
    steps: int,
    seed: int,
    dtype: str,
    out: Path | None,
) -> str:
    """Run a method and return a table of the run; save the Dataset to `out`."""
    if out is not None:
        existing_folder(out)
    found = catalogue.lookup(method)
    member, rest = found.resolve(values) if isinstance(found, Family) else (found, values)
    what = ["loss", "grad_norm", "sharpness", "multiplier"]
    if not isinstance(found, Family):  # the edge of a large member takes long to derive
        what.append("edge")
    run = simulate(problem, member(**rest), steps=steps, seed=seed, dtype=dtype, record=Record(what=what))
    return _story(run, f"{member.name} on {problem!r}, {steps} steps", what, out)


def check_name(method: str) -> None:
    """Raise ValueError unless a method has this name."""
    known = [*catalogue.entries(), "sgd", *DESCENTS]
    if method not in known:
        raise unknown("method", method, known)


def descent(
    problem: Quadratic, method: str, values: dict[str, Any], *, norm: str | None, shape: str | None, blocks: int | None
) -> SteepestDescent | AdaptiveDescent:
    """Return steepest descent in a norm, or gradient descent with adapted steps, by name.

    Raises:
        ValueError: for a missing or superfluous norm or parameter.
    """
    if method not in STEEPEST:
        if (norm, shape, blocks) != (None, None, None):
            raise ValueError(f"--norm, --shape and --blocks are for {' and '.join(STEEPEST)}, got them with {method}")
        return adaptive_descent(method, **values)
    if norm is None:
        raise ValueError(f"{method} needs --norm, such as linf, l1, spectral")
    found = norms_from(norm, problem.dim, shape=shape, blocks=blocks)
    if len(found) > 1:
        raise ValueError(f"--norm must be one norm, got {norm!r}")
    return steepest(method, found[0], values)


def steepest(method: str, norm: Norm, values: dict[str, Any]) -> SteepestDescent:
    """Return steepest descent by name, with eta as its only parameter."""
    if set(values) != {"eta"}:
        wrong = sorted(set(values) - {"eta"})
        raise unknown(f"parameter of {method}", wrong[0], ["eta"]) if wrong else ValueError(f"{method} needs eta")
    return STEEPEST[method](norm, values["eta"])


def print_descent(
    problem: Quadratic,
    method: SteepestDescent | AdaptiveDescent,
    *,
    steps: int,
    seed: int,
    dtype: str,
    out: Path | None,
) -> str:
    """Run steepest descent in a norm or adapted steps and return a table of the run with D and the edge."""
    if out is not None:
        existing_folder(out)
    adaptive = isinstance(method, AdaptiveDescent)
    what = ("loss", "dual_norm", "step_size" if adaptive else "generalized_sharpness", "directional_smoothness", "edge")
    record = Record(what=(*what, "identity_residual"))
    run = simulate(problem, method, steps=steps, seed=seed, dtype=dtype, record=record)
    lines = [_story(run, f"{method!r} on {problem!r}, {steps} steps", what, out)]
    if isinstance(method, SteepestDescent):
        S = generalized_sharpness(problem, method.norm)
        known = "exact" if S.exact else f"a lower bound, at most {S.upper_bound:.6g} ({S.bound_name})"
        lines.append(f"generalized_sharpness: {S.value:.8g}, {known}")
    worst = float(np.nanmax(run.identity_residual.values))
    lines.append(f"the change of the loss in D, relative to its largest term, is off by at most {worst:.1g}")
    return "\n".join(lines)


def _story(run: xr.Dataset, title: str, what: Sequence[str], out: Path | None) -> str:
    """Return the first run of a batch as a table with a line on how it ended; save all of it to `out`."""
    if out is not None:
        run.to_netcdf(out)
    shown = np.unique(np.linspace(0, run.step.size - 1, _ROWS).round().astype(int))
    widths = [max(14, len(name) + 2) for name in what]
    head = "".join(f"{name:>{width}s}" for name, width in zip(what, widths, strict=True))
    lines = [title, f"{'step':>8s} " + head]
    for i in shown:
        cells = "".join(f"{float(run[name][0, i]):{width}.6g}" for name, width in zip(what, widths, strict=True))
        lines.append(f"{int(run.step[i]):8d} {cells}")
    diverged = int(run.diverged_at[0])
    measured, label = (run.grad_norm, "gradient norm") if "grad_norm" in run else (run.dual_norm, "dual gradient norm")
    first, last = (float(measured[0, i]) for i in (0, -1))
    if diverged >= 0:
        lines.append(f"diverged: the iterate overflows at step {diverged}")
    elif min(first, last) > 0:
        lines.append(
            f"{label} {'grew' if last > first else 'fell'} by a factor {max(last, first) / min(last, first):.3g}"
        )
    else:
        lines.append(f"{label} from {first:.3g} to {last:.3g}")
    if run.run.size > 1:
        lost = int((run.diverged_at >= 0).sum())
        lines.append(f"shown is the first of {run.run.size} runs, {lost} of which diverged; --out keeps all")
    return "\n".join(lines + ([f"saved: {out}"] if out is not None else []))
