"""What ``eossim bias-variance`` does: methods on a data set, who wins where, a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import catalogue
from . import data as datasets
from ._check import choice, figure_path, positive_int
from ._rule import Family
from ._tables import text_table
from .engine.method import Method
from .problems import Regression
from .theory import (
    crossings,
    estimate_truth,
    held_out_risk,
    monte_carlo_risk,
    noise_floor,
    optimal_stopping,
    ordering,
    rho_slope,
    risk_curve,
)
from .theory.risk.crossings import Crossings, gradients_per_step
from .theory.risk.estimate import EstimatedTruth

if TYPE_CHECKING:
    import xarray as xr

RISKS = ("exact", "test")
_MOST, _DRAWS, _BOOTSTRAP, _POINTS, _LONGEST, _SPANS = 6, 4000, 100, 160, 100_000, 6


@dataclass(frozen=True, eq=False)
class _Entry:
    """A method with its curve, its best step, and whether that is an optimum (not the end of a search)."""

    name: str
    method: Method
    exact: bool
    curve: xr.Dataset
    step: float
    found: bool
    row: dict[str, float]


def report(
    data: str,
    methods: Sequence[str],
    values: dict[str, Any],
    *,
    noise: float | None,
    metric: str,
    risk: str,
    steps: int | None,
    folds: int,
    seed: int,
    out: Path,
) -> str:
    """Compare methods on a data set, save the figure to `out`, and return the comparison as text.

    Args:
        data: Data set (see `eossim.data.load`); columns and target are standardized.
        methods: Names of rules, the first one being what the others are compared with.
        values: Hyper-parameters by name; ``method.name`` is for one method alone.
        noise: Noise variance, estimated where it is None.
        metric: ``"prediction"`` or ``"parameter"``.
        risk: ``"exact"``, or ``"test"`` for cross-validated error on the real targets beside it.
        steps: Last step of curves; found from the best steps where it is None.
        folds: Folds of the cross-validation.
        seed: Seed of simulated noise and of the folds.
        out: Where to draw (.png, .svg or .pdf).
    """
    choice("risk", risk, RISKS)
    figure_path("out", out)
    if not 0 < len(set(methods)) == len(methods) <= _MOST or "" in methods:
        raise ValueError(f"methods must be 1 to {_MOST} distinct names, got {','.join(methods)!r}")
    positive_int("seed", seed, minimum=0)
    raw = datasets.load(data)
    clean = raw.standardized()
    problem = clean.least_squares()
    guess = estimate_truth(problem, noise_variance=noise)
    truth = {"w_star": guess.w_star, "noise_variance": guess.noise_variance, "metric": metric}
    bound = _bind(problem, methods, values)
    bests = {name: optimal_stopping(problem, m, **truth) for name, m in bound.items() if _exact(m)}
    last = _last_step(bests) if steps is None else positive_int("steps", steps)
    grid = np.unique(np.round(np.geomspace(1, last, _POINTS)).astype(np.int64))
    grid = np.concatenate([[0], grid])
    entries = [_entry(problem, name, m, bests.get(name), truth, grid, seed) for name, m in bound.items()]
    base, *others = entries
    met = {e.name: crossings(problem, base.method, e.method, **truth) for e in others if base.exact and e.exact}
    sections = [_heading(clean.name, problem, guess), _methods_table(entries, problem, metric)]
    sections += [_against(problem, base, other, met.get(other.name), truth) for other in others]
    sections.append(_own_optimum(entries, problem, guess, truth, seed))
    held_out: dict[str, tuple[Any, ...]] | None = None
    if risk == "test":
        folded = {
            e.name: held_out_risk(raw, e.method, steps=grid, folds=folds, noise_variance=noise, seed=seed)
            for e in entries
        }
        sections.append(_test_table(folded, grid))
        held_out = {
            name: (grid, *_mean_and_error(found.held_out.values[0]), found.expected.values[0].mean(axis=-1))
            for name, found in folded.items()
        }
    _draw(entries, met, clean.name, held_out, out)
    return "\n\n".join([*sections, f"figure: {out}"])


def _bind(problem: Regression, methods: Sequence[str], values: dict[str, Any]) -> dict[str, Method]:
    """Return the methods with hyper-parameters: as given, else eta = 0.45/h_1, rho = 1/h_1.

    At these, eta h (1 + rho h) = 0.9 for usam on the top mode. Normalised sam gets rho times the first gradient norm:
    the same perturbation at the start.
    """
    top = float(problem.modes.curvature[0])
    first_norm = float(np.linalg.norm(problem.grad(np.zeros(problem.dim))))
    bound, used = {}, set()
    for name in methods:
        rule = catalogue.lookup(name)
        if isinstance(rule, Family):
            raise ValueError(f"{name} is a family; bias-variance takes single rules")
        scale = first_norm if rule.linearization.frozen else 1.0
        chosen = {"eta": 0.45 / top, "rho": scale / top}
        for key, value in values.items():
            owner, dot, parameter = key.rpartition(".")
            if dot and owner not in methods:
                raise ValueError(f"{key} is for {owner}, which is not among the methods {', '.join(methods)}")
            if (not dot or owner == name) and parameter in rule.hyper:
                used.add(key)
                if np.ndim(value):
                    raise ValueError(f"{key} must be a single number, got {value}")
                if dot or f"{name}.{parameter}" not in values:
                    chosen[parameter] = value
        bound[name] = rule(**{p: chosen[p] for p in rule.hyper if p in chosen})
    unused = sorted(set(values) - used)
    if unused:
        raise ValueError(f"no method among {', '.join(methods)} has a hyper-parameter {', '.join(unused)}")
    return bound


def _exact(method: Method) -> bool:
    """Whether a method has a closed form: no norm in its step."""
    return not method.rule.linearization.frozen


def _last_step(bests: dict[str, xr.Dataset]) -> int:
    """Return a last step that shows every optimum: four times the largest of them."""
    best = [float(found.step[0]) for found in bests.values()]
    finite = [b for b in best if np.isfinite(b)]
    return int(np.clip(4 * max(finite, default=250), 100, _LONGEST)) if len(finite) == len(best) else _LONGEST


def _entry(
    problem: Regression,
    name: str,
    method: Method,
    best: xr.Dataset | None,
    truth: dict[str, Any],
    grid: np.ndarray,
    seed: int,
) -> _Entry:
    """Return a method with its curve: exact with its optimum `best`, or simulated without one."""
    names = ("risk", "bias2", "variance")
    if best is not None:
        curve = risk_curve(problem, method, steps=grid, **truth)
        row = {n: float(best[n][0]) for n in (*names, "real_risk")} | {"limit": float(best.limit_risk[0])}
        found = float(best.step[0]) < float(best.searched[0])
        return _Entry(name, method, True, curve, float(best.step[0]), found, row)
    curve = monte_carlo_risk(problem, method, steps=grid, draws=_DRAWS, seed=seed, **truth)
    at = int(np.argmin(curve.risk.values[0]))
    # once more on draws of its own: the least of many noisy risks is too small
    there = monte_carlo_risk(problem, method, steps=[grid[at]], draws=5 * _DRAWS, seed=seed + 1, **truth)
    row = {n: float(there[n][0, 0]) for n in (*names, "risk_error")} | {"limit": float(curve.risk[0, -1])}
    return _Entry(name, method, False, curve, float(grid[at]), at < grid.size - 1, row)


def _heading(name: str, problem: Regression, guess: EstimatedTruth) -> str:
    modes = problem.modes
    energy = (modes.singular * (modes.coordinates.T @ guess.w_star)) ** 2 / problem.n_samples
    half = int(np.searchsorted(np.cumsum(energy), 0.9 * energy.sum())) + 1
    return (
        f"{name}: {problem.n_samples} samples, {problem.dim} parameters, rank {problem.rank}; "
        "loss |X w - y|^2 / (2 n), start at zero\n"
        f"curvature from {modes.curvature[0]:.4g} down to {modes.curvature[-1]:.4g}; 90 % of the signal on the {half} "
        f"largest of {problem.rank} modes; signal to noise {_ratio(energy.sum(), guess.noise_variance)} a sample\n"
        f"{guess.how}"
    )


def _ratio(signal: float, noise: float) -> str:
    return f"{signal / noise:.3g}" if noise > 0 else "without noise"


def _methods_table(entries: list[_Entry], problem: Regression, metric: str) -> str:
    rows = []
    for e in entries:
        values = ", ".join(f"{n}={float(v):.4g}" for n, v in e.method.values.items())
        never = np.isinf(e.step)
        rows.append(
            (
                e.name + ("" if e.exact else " *"),
                values,
                "never" if never else f"{e.step:.0f}" if e.found else f"> {e.step:.0f}",
                "" if never else f"{e.step * gradients_per_step(e.method):.0f}",
                f"{e.row['risk']:.6g}" + (f" ± {e.row['risk_error']:.2g}" if not e.exact else ""),
                *(f"{e.row[n]:.6g}" for n in ("bias2", "variance", "limit")),
            )
        )
    columns = ("method", "at", "best step", "gradients", "risk there", "bias^2", "variance", "risk in the end")
    notes = [f"best whole step in the {metric} metric, over all steps"]
    if not all(e.found for e in entries):
        notes.append("> the risk still falls where the search over whole steps ends: no optimum was found")
    if not all(e.exact for e in entries):
        notes.append(
            f"* no closed form: best of the steps drawn up to {int(entries[0].curve.step[-1])}, the end being the last "
            f"of them; {_DRAWS} draws of the noise, {5 * _DRAWS} others at the best step"
        )
    return "\n".join([text_table(columns, rows), *notes])


def _against(
    problem: Regression, base: _Entry, other: _Entry, at_steps: Crossings | None, truth: dict[str, Any]
) -> str:
    """Return who wins at equal steps and at equal gradients, and whether theory orders the two."""
    if at_steps is None:
        return _simulated_spans(problem, base, other)
    verdict = ordering(problem, base.method, other.method, metric=truth["metric"])
    lines = [f"{other.name} against {base.name}"]
    if verdict:
        lines.append(f"  ordering theorem: applies; at every step {other.name} has less bias and more variance")
    else:
        held = [n for n, proved in (("bias", verdict.bias), ("variance", verdict.variance)) if proved]
        lines += [f"  ordering theorem: does not apply; fails: {c.name} ({c.detail})" for c in verdict.failing]
        if held:
            lines.append(f"  proved all the same: the order of the {' and the '.join(held)}")
    for found in (at_steps, crossings(problem, base.method, other.method, budget="gradients", **truth)):
        real = "" if found.real is None else f" (crossings at {', '.join(f'{k:.6g}' for k in found.real) or 'no k'})"
        lines.append(f"  smaller risk at equal {found.budget}: {_spans_text(found.spans)}{real}")
    if (base.method.rule.name, other.method.rule.name) == ("gd", "usam"):
        lines.append(_why(problem, base, truth))
    return "\n".join(lines)


def _why(problem: Regression, base: _Entry, truth: dict[str, Any]) -> str:
    """Return whether a little SAM helps at the best step of gd, by the law of first order in rho."""
    eta = float(base.method.values["eta"])
    if eta * problem.modes.curvature[0] >= 1:
        return "  first order in rho: needs eta h < 1 on every mode"
    found = rho_slope(problem, eta=eta, **truth)
    slope = float(found.slope[0])
    verdict = "helps" if slope < 0 else "does not help"
    return f"  first order in rho: a little SAM {verdict} at the best step of gd, dR/drho = {slope:.3g}"


def _spans_text(spans: Sequence[tuple[int, float, str]]) -> str:
    """Return who leads when, the first few of many spans."""
    ends = ["infinity" if np.isinf(last) else str(int(last)) for _, last, _ in spans]
    shown = [f"{first} to {end} {name or 'equal'}" for (first, _, name), end in zip(spans, ends, strict=True)]
    return "; ".join(shown[:_SPANS]) + (f"; and {len(shown) - _SPANS} more" if len(shown) > _SPANS else "")


def _simulated_spans(problem: Regression, base: _Entry, other: _Entry) -> str:
    """Return who wins at equal steps as far as simulation tells: differences beyond 4 standard errors."""
    steps = base.curve.step.values
    error = np.zeros(steps.size)
    for e in (base, other):
        if not e.exact:
            error = np.hypot(error, e.curve.risk_error.values[0])
    gap = other.curve.risk.values[0] - base.curve.risk.values[0]
    sign = np.where(np.abs(gap) > 4 * error, np.sign(gap), 0)[1:]
    spans, first = [], 0
    for stop in [*(np.flatnonzero(np.diff(sign)) + 1), sign.size]:
        leader = {0: "not resolved", 1: base.name, -1: other.name}[int(sign[first])]
        spans.append((int(steps[1 + first]), float(steps[stop]), leader))
        first = stop
    lines = [
        f"{other.name} against {base.name}",
        f"  smaller risk at the {steps.size - 1} steps drawn, beyond 4 standard errors: {_spans_text(spans)}",
    ]
    if other.method.rule.name == "sam" and other.method.values["eta"] * problem.modes.curvature[0] < 2:
        floor = noise_floor(problem, other.method)
        lines.append(
            f"  its final 2-cycle, amplitude {float(floor.amplitude[0]):.4g} along the top mode, adds "
            f"{float(floor.risk_excess[0]):.4g} to the prediction risk of least squares for ever"
        )
    return "\n".join(lines)


def _own_optimum(
    entries: list[_Entry], problem: Regression, guess: EstimatedTruth, truth: dict[str, Any], seed: int
) -> str:
    """Return who wins when each stops at its own best step, and how often the estimate of the truth agrees."""
    ranked = sorted((e for e in entries if e.exact and (e.found or np.isinf(e.step))), key=lambda e: e.row["risk"])
    if len(ranked) < 2:
        return "each at its own best step: nothing to compare, fewer than two optima are known exactly"
    best, least = ranked[0], ranked[0].row["risk"]
    if not least > 0:
        why = (
            "no signal was found, the start is best"
            if best.step == 0
            else "there is no noise, all is learned in the end"
        )
        return f"each at its own best step: no risk is left for any method: {why}"
    if ranked[1].row["risk"] <= least * (1 + 1e-9):
        return f"each at its own best step: {best.name} and {ranked[1].name} are equal, risk {least:.6g}"
    lines = [f"each at its own best step: {best.name} wins with risk {least:.6g}"]
    lines += [f"  {e.name} {100 * (e.row['risk'] / least - 1):+.3g} %" for e in ranked[1:]]
    if ranked[-1].row["risk"] / least - 1 < 1e-3:
        lines.append("  all within 0.1 %: on this spectrum and signal stopping matters, the method hardly")
    gap, real_gap = (ranked[1].row[risk] / best.row[risk] - 1 for risk in ("risk", "real_risk"))
    if real_gap < 0.1 * gap:  # not where k cannot be real: nan
        lines.append(
            f"  decided by rounding to whole steps: at real steps {ranked[1].name} is {100 * real_gap:+.2g} % off"
        )
    share = _bootstrap(problem, guess, ranked[:2], truth, seed)
    lines.append(
        f"  {best.name} before {ranked[1].name} in {100 * share:.0f} % of {_BOOTSTRAP} parametric bootstrap draws: "
        "truth and noise estimated again from targets drawn from the estimate"
    )
    for e in entries:
        if not e.exact:
            gap = e.row["risk"] - least
            clear = abs(gap) > 4 * e.row["risk_error"] and (e.found or gap < 0)
            verdict = f"{100 * gap / least:+.3g} %" if clear else "not resolved"
            lines.append(f"  {e.name}, simulated: {verdict} against {best.name}")
    return "\n".join(lines)


def _bootstrap(
    problem: Regression, guess: EstimatedTruth, pair: list[_Entry], truth: dict[str, Any], seed: int
) -> float:
    """Return how often the first of two methods wins when truth and noise are estimated from drawn targets."""
    rng, wins = np.random.default_rng(seed), 0
    values = problem.fitted(guess.w_star)
    for _ in range(_BOOTSTRAP):
        noise = np.sqrt(guess.noise_variance) * rng.standard_normal(problem.n_samples)
        again = estimate_truth(problem, y=values + noise - noise.mean(), noise_variance=guess.given)
        known = {"w_star": again.w_star, "noise_variance": again.noise_variance, "metric": truth["metric"]}
        first, second = (float(optimal_stopping(problem, e.method, **known).risk[0]) for e in pair)
        wins += first < second
    return wins / _BOOTSTRAP


def _mean_and_error(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard error over folds, each of shape (steps,)."""
    return errors.mean(axis=-1), errors.std(axis=-1, ddof=1) / np.sqrt(errors.shape[-1])


def _test_table(folded: dict[str, xr.Dataset], grid: np.ndarray) -> str:
    """Return measured against expected error on held-out data, each at the best step of either."""
    rows = []
    for name, found in folded.items():
        measured, expected = found.held_out.values[0], found.expected.values[0]
        (mean, error), theory = _mean_and_error(measured), expected.mean(axis=-1)
        best, planned = int(np.argmin(mean)), int(np.argmin(theory))
        lost = _mean_and_error(measured[[planned]] - measured[[best]])
        rows.append(
            (
                name,
                f"{grid[planned]}",
                f"{theory[planned]:.5g}",
                f"{mean[planned]:.5g} ± {error[planned]:.2g}",
                f"{grid[best]}",
                f"{mean[best]:.5g} ± {error[best]:.2g}",
                f"{lost[0][0]:.2g} ± {lost[1][0]:.2g}",
            )
        )
    columns = ("method", "theory stops at", "expects", "measured", "measured best at", "measured", "lost by theory")
    folds = next(iter(folded.values())).fold.size
    return (
        f"held-out squared error, {folds} folds of the real targets (noise included; ± standard error over folds)\n"
        + text_table(columns, rows)
    )


def _draw(
    entries: list[_Entry],
    met: dict[str, Crossings],
    title: str,
    held_out: dict[str, tuple[Any, ...]] | None,
    out: Path,
) -> None:
    from .plot import bias_variance

    marks = [k for found in met.values() for k in (found.integer if found.real is None else found.real)]
    stops = {e.name: (e.step, e.row["risk"]) for e in entries if np.isfinite(e.step)}
    figure, _ = bias_variance(
        {e.name: e.curve for e in entries}, stops=stops, crossings=marks, title=title, held_out=held_out
    )
    figure.savefig(out, dpi=160)
