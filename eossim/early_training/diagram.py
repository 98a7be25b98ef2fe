"""The phase diagram of early training: critical constants of every depth, width and seed, and their table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import data as datasets
from .._check import choice, in_interval, positive_int
from .._tables import text_table
from ..data import Data
from ..sweeps import sweep
from ..sweeps.grid import make_grid
from ..theory.uv import mean_c_loss, mean_c_max, mean_c_sharp
from .bisection import TOLERANCE
from .digits import standardized_samples
from .uv import STARTS, UVStarts
from .uv_cell import UV_TOLERANCE, uv_cell

if TYPE_CHECKING:
    import xarray as xr

MODELS = ("mlp", "uv")
CONSTANTS = ("c_loss", "c_sharp", "c_barrier", "c_max")
#: Exact means over Gaussian starts of the uv model with y = 0, and of what.
_MEANS = {
    "uv_c_loss": (mean_c_loss, "mean c_loss of one step, uv model"),
    "uv_c_sharp": (mean_c_sharp, "mean c_sharp of one step, uv model"),
    "uv_c_max": (mean_c_max, "mean c_max of many steps, uv model"),
}
#: Bound on the loss; and over the width, twice what peaks of the uv model stay below for y = 0, λ = 2 and 2 < ηλ < 4.
_BOUND, _BOUND_OF_WIDTH = 1e5, 4.0
#: Relative rise of the sharpness of a network that counts: its eigenvalue is found to 1e-4.
_NETWORK_RISE = 0.002
#: What each model takes unless given. Thresholds of the uv model are those of many steps.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "mlp": {"width": (32, 64, 128), "seeds": 3, "steps": 10, "executor": "local"},
    "uv": {"width": (4, 16, 64, 256, 1024, 4096), "seeds": 500, "steps": 200, "executor": "serial"},
}


def phase_diagram(
    model: str = "uv",
    *,
    depth: int | Sequence[int] | None = None,
    width: int | Sequence[int] | None = None,
    seeds: int | Sequence[int] | None = None,
    data: str | os.PathLike[str] | Data | None = None,
    samples: int | None = None,
    y: float = 0.0,
    start: str = "gaussian",
    steps: int | None = None,
    bound: float | None = None,
    c_max: float = 128.0,
    step: float = 0.1,
    refine: bool = True,
    barrier: bool = True,
    executor: str | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    store: str | Path | None = None,
    fail_fast: bool = False,
    progress: bool = False,
) -> xr.Dataset:
    """Return where loss and sharpness first rise in the first steps of gradient descent, and where it diverges.

    For each network all c = η λ_max(0) of the grid 1, 2^step, 2^(2 step), ... run, upward until the first divergence;
    constants between neighbours of the grid are bisected. Source: arXiv:2302.12250.

    Args:
        model: "uv", the solvable model f = v·u/√w, or "mlp", ReLU networks without biases on a data set, full batch,
            loss ½ mean over samples and classes of (f - y)².
        depth: Weight layers ("mlp"); 2 by default.
        width: Hidden units. Changes in the uv model are like 1/width: from about 1e10 on rounding decides c_sharp.
        seeds: Number of starts of each network, or their seeds.
        data: Data set ("mlp"), "digits" by default; see `eossim.data.load`.
        samples: Samples drawn from it ("mlp"), 512 by default, or all if there are fewer.
        y: Target ("uv").
        start: "gaussian", or "zero-output" with v = 0 ("uv").
        steps: Steps that are looked at, T; 10 for "mlp", 200 for "uv".
        bound: Largest loss of a run that has not diverged. By default 1e5, or with "uv" 4 times the largest width where
            that is more: peaks below c_max grow like the width (`theory.uv.peak_bound`).
        c_max: End of the grid.
        step: Step of the grid in log2 c.
        refine: Bisect c_loss, c_sharp and c_max, to 2⁻¹⁰ in log2 c (networks: see `network_cell`) or 2⁻²⁰ ("uv").
        barrier: Whether c_barrier is asked for.
        executor: Where cells run, see `eossim.sweep`: "serial" for "uv", whose kernels use all cores, else "local".
        jobs: As in `eossim.sweep`.
        scheduler: As there.
        store: As there.
        fail_fast: As there.
        progress: As there.

    Returns:
        A dataset with dimensions depth ("mlp"), width and seed: ``c_loss``, ``c_sharp``, ``c_barrier``, ``c_max`` (NaN
        where not reached before the first divergence), their values on the grid ``c_loss_grid`` ..., ``reached_end``
        (no c of the grid diverged, so c_max lies beyond), ``sharpness0`` and ``loss0``; with dimension c besides
        ``label`` (see `classify_early`), ``loss_peak``, ``sharpness_peak`` and ``sharpness_ratio``, empty and NaN
        beyond the first divergence. ``uv_c_loss``, ``uv_c_sharp``, ``uv_c_max`` (width) are exact means of the uv model
        over Gaussian starts with y = 0, the first two of a single step. Runs of many steps differ from those in starts
        with s >= 1/8, 12 % of them at width 4, 0.5 % at 12, where loss or sharpness may also never rise before
        divergence: then c_loss or c_sharp is NaN, and a mean over seeds is one over fewer. ``failed`` and ``error``
        tell of cells that raised.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument is out of range or does not belong to the model.
    """
    defaults = _DEFAULTS[choice("model", model, MODELS)]
    widths = _sizes("width", defaults["width"] if width is None else width)
    common: dict[str, Any] = {
        "steps": positive_int("steps", defaults["steps"] if steps is None else steps),
        "bound": float(in_interval("bound", _bound(model, widths) if bound is None else bound, 0.0, open_low=True)),
        "c_max": float(in_interval("c_max", c_max, 1.0, np.inf, open_high=True)),
        "step": float(in_interval("step", step, 0.0, np.inf, open_low=True, open_high=True)),
        "refine": refine,
        "barrier": barrier,
    }
    runs: dict[str, Any] = {
        "executor": executor or ("local" if scheduler else defaults["executor"]),
        "jobs": jobs,
        "scheduler": scheduler,
        "store": store,
        "fail_fast": fail_fast,
        "progress": progress,
    }
    starts = defaults["seeds"] if seeds is None else seeds
    if model == "uv":
        _only(model, depth=depth, data=data, samples=samples)
        listed = tuple(row[0] for row in make_grid({}, starts).axes[0].rows)
        own: dict[str, Any] = {"y": float(y), "start": choice("start", start, STARTS)}
        found = sweep(partial(_uv_width, seeds=listed, **own, **common), {"width": widths}, **runs)
    else:
        _only(model, y=y or None, start=None if start == "gaussian" else start)
        loaded = datasets.load("digits" if data is None else data)
        own = {
            "data": loaded,  # the data themselves: a store knows them again
            "samples": min(512, len(loaded.X)) if samples is None else positive_int("samples", samples),
            "sharpness_rise": _NETWORK_RISE,
        }
        standardized_samples(loaded, own["samples"])  # what is wrong with them is wrong with every cell
        depths = _sizes("depth", 2 if depth is None else depth)
        found = sweep(partial(_network, **own, **common), {"depth": depths, "width": widths}, seeds=starts, **runs)
    if model == "mlp" or (y == 0 and start == "gaussian"):
        found = found.assign(
            {name: ("width", mean(found.width.values), {"long_name": what}) for name, (mean, what) in _MEANS.items()}
        )
    located = UV_TOLERANCE if model == "uv" else TOLERANCE
    settings = {"model": model, "sharpness_rise": 0.0, "tolerance": located if refine else step} | own | common
    if model == "mlp":
        settings["data"] = loaded.name
    return found.assign_attrs({k: int(v) if isinstance(v, bool) else v for k, v in settings.items()})


def grid(c_max: float, step: float) -> np.ndarray:
    """Return c = 1, 2^step, 2^(2 step), ... up to `c_max`."""
    return 2.0 ** (step * np.arange(int(np.log2(c_max) / step + 1e-9) + 1))


def _bound(model: str, widths: Sequence[int]) -> float:
    """Return the bound on the loss that passes every run that does not diverge."""
    return max([_BOUND, *(_BOUND_OF_WIDTH * w for w in widths if model == "uv")])


def _uv_width(
    width: int, *, seeds: Sequence[int], y: float, start: str, c_max: float, step: float, **options: Any
) -> xr.Dataset:
    found = uv_cell(UVStarts.drawn(width, seeds, y=y, start=start), grid(c_max, step), **options)
    return found.assign_coords(seed=list(seeds))


def _network(depth: int, width: int, seed: int, *, c_max: float, step: float, **options: Any) -> xr.Dataset:
    from .network_cell import network_cell

    return network_cell(depth, width, seed, c=grid(c_max, step), **options)


def _sizes(name: str, given: int | Sequence[int]) -> list[int]:
    return [positive_int(name, size) for size in (given if np.iterable(given) else [given])]


def _only(model: str, **given: Any) -> None:
    """Raise if an argument of another model was given."""
    for name, value in given.items():
        if value is not None:
            raise ValueError(f"{name} is no argument of the model {model!r}, got {name}={value!r}")


def table(found: xr.Dataset) -> str:
    """Return the critical constants as text: geometric means over the seeds that reach them, and their range.

    A count follows where some seeds do not reach a constant before they diverge, – where none does. With ≥ and † some
    seeds have not diverged at the end of the grid, which counts as their c_max; with ≤ and ‡ some have reached a
    constant at its start.

    Args:
        found: Result of `phase_diagram`.
    """
    networks = "depth" in found.dims
    shown = found.transpose(*(("depth",) if networks else ()), "width", "seed", ...)
    at_one = np.flatnonzero(np.isclose(shown.c.values, 1.0))
    columns = [*(("depth",) if networks else ()), "width", *(("depth/width",) if networks else ()), "seeds", "λ_max"]
    columns += [*CONSTANTS, *((f"S_{found.attrs['steps']}/S_0 at c = 1",) if at_one.size else ())]
    rows, began, ended = [], False, False
    start, end = float(shown.c[0]), float(shown.c[-1])
    for d, w in np.ndindex(shown.sizes.get("depth", 1), shown.sizes["width"]):
        cell = (shown.isel(depth=d) if networks else shown).isel(width=w)
        depth, width = int(cell.depth) if networks else 2, int(cell.width)
        if "failed" in cell:
            cell = cell.isel(seed=np.flatnonzero(~np.broadcast_to(cell.failed, cell.sizes["seed"])))
        beyond = cell.reached_end.values.astype(bool)
        ended |= bool(beyond.any())
        head = [f"{depth}", f"{width}", f"{depth / width:.4g}"] if networks else [f"{width}"]
        row = [*head, f"{cell.sizes['seed']}", _spread(cell.sharpness0.values).split(" ")[0]]
        for name in CONSTANTS:
            values = cell[name].values
            if name == "c_max":
                row.append(_spread(np.where(beyond, end, values), beyond))
            else:
                row.append(_spread(values, below=values <= start))
                began |= bool(np.any(values <= start))
        if at_one.size:
            row.append(_spread(cell.sharpness_ratio.values[:, at_one[0]]).split(" ")[0])
        rows.append(row)
    notes = [f"geometric means over seeds [least, largest]; T = {found.attrs['steps']} steps, diverged above a loss of "
             f"{found.attrs['bound']:g}"]  # fmt: skip
    if began:
        notes.append(f"‡ some runs are beyond it at the start of the grid already, c = {start:.4g}")
    if ended:
        notes.append(f"† some runs have not diverged at the end of the grid, c = {end:.4g}")
    return "\n".join([text_table(columns, rows), *notes])


def _spread(values: np.ndarray, beyond: np.ndarray | None = None, below: np.ndarray | None = None) -> str:
    """Return geometric mean and range of a constant as text, and how many seeds reach it if not all do.

    Args:
        values: One for each seed, NaN where it is not reached.
        beyond: Which seeds have a value that is only a lower bound.
        below: Which have one that is only an upper bound.
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "–"
    mean = f"{np.exp(np.log(finite).mean()):.3g}"
    lower, upper = (np.zeros(values.shape, bool) if flags is None else flags for flags in (beyond, below))
    text = f"≥{mean}†" if lower.any() else f"≤{mean}‡" if upper.any() else mean
    if finite.size > 1 and not lower.all():
        least, largest = ("≤" if upper[np.nanargmin(values)] else ""), ("≥" if lower[np.nanargmax(values)] else "")
        text += f" [{least}{finite.min():.3g}, {largest}{finite.max():.3g}]"
    return text + (f" ({finite.size} of {values.size})" if finite.size < values.size else "")
