"""What ``eossim phase-diagram`` does: sweep the phases of early training, print the table, draw the diagram."""

from __future__ import annotations

import hashlib
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._check import choice, existing_folder, figure_path, positive_int
from ._tables import text_table
from .data import load

if TYPE_CHECKING:
    import xarray as xr

#: Step of the grid of the uv model in log2 c; it costs nothing there and is the height of a cell in the figure.
_FINE = 0.02


def whole_numbers(name: str, text: str) -> tuple[int, ...]:
    """Return the numbers in a list such as "2,4,8", in increasing order.

    Raises:
        ValueError: for anything but positive whole numbers, each once, commas between.
    """
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        raise ValueError(f"{name} must be whole numbers separated by commas, got {text!r}") from None
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} must name each number once, got {text!r}")
    return tuple(sorted(positive_int(name, number) for number in numbers))


def report(
    model: str,
    *,
    depth: str | None,
    width: str | None,
    data: str | None,
    samples: int | None,
    y: float | None,
    seeds: int | None,
    steps: int | None,
    c_max: float | None,
    jobs: int | None,
    executor: str | None,
    scheduler: str | None,
    store: Path | None,
    fail_fast: bool,
    save: Path | None,
    out: Path | None,
    progress: bool,
) -> tuple[str, int]:
    """Return the table of critical constants with what was found in it, and how many cells failed; draw the diagram.

    Args:
        model: "mlp", ReLU networks on a data set, or "uv", the solvable model.
        depth: Weight layers, commas between (networks only).
        width: Hidden units, commas between.
        data: Data set (networks only; see `eossim.data.load`); digits by default.
        samples: Samples drawn from it (networks only).
        y: Target ("uv" only).
        seeds: Starts of every network or width.
        steps: Steps that are looked at; 10 by default, 200 for "uv".
        c_max: Largest c = eta times sharpness at the start; 128 by default, 8 for "uv".
        jobs: Processes; one per core by default.
        executor: Where cells run (see `eossim.sweep`).
        scheduler: Address of a Dask cluster.
        store: File that keeps finished cells; for networks, which take minutes, beside `out` by default, one file for
            each choice of data and settings, whatever depths, widths and seeds.
        fail_fast: Whether to stop at the first cell that fails.
        save: NetCDF file for the labelled results, or None.
        out: Figure; ``phase_diagram_<model>.png`` in the working folder by default.
        progress: Whether to show a progress bar.

    Raises:
        ValueError: for input that is not allowed or is for the other model, or a store of another sweep.
        RuntimeError: if every cell failed, or one did and `fail_fast` is set.
    """
    choice("--model", model, ("mlp", "uv"))
    networks = model == "mlp"
    other: dict[str, Any] = {"y": y} if networks else {"depth": depth, "data": data, "samples": samples}
    for name, value in other.items():
        if value is not None:
            raise ValueError(f"--{name} is for --model {'uv' if networks else 'mlp'}, got --{name} {value}")
    source = data or "digits"
    chosen: dict[str, Any] = {"c_max": 8.0, "step": _FINE, "y": y}
    if networks:
        chosen = {"depth": whole_numbers("--depth", depth or "2,4,8"), "data": load(source), "c_max": 128.0}
        chosen["samples"] = None if samples is None else positive_int("--samples", samples)
    chosen["steps"] = None if steps is None else positive_int("--steps", steps)
    if width is not None:
        chosen["width"] = whole_numbers("--width", width)
    if c_max is not None:
        chosen["c_max"] = c_max
    stem = f"phase_diagram_{model}" + (f"_{Path(source).stem}" if networks else "")
    out = out or Path(f"{stem}.png")
    figure_path("--out", out)
    if networks:
        store = store or out.with_name(f"{stem}_{_settings(chosen)}.store")
    if store is not None:
        existing_folder(store)
    if progress and store is not None:
        print(f"finished cells are kept in {store}: a stopped command goes on from there", file=sys.stderr)

    from . import plot
    from .early_training.diagram import phase_diagram, table

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* cells failed")  # said below
        found = phase_diagram(
            model,
            **{name: value for name, value in chosen.items() if value is not None},
            seeds=None if seeds is None else positive_int("--seeds", seeds),
            executor=executor,
            jobs=jobs,
            scheduler=scheduler,
            store=store,
            fail_fast=fail_fast,
            progress=progress,
        )
    failures = _failures(found)
    if found.failed.all():
        raise RuntimeError(failures)
    if save is not None:
        found.to_netcdf(save)
    figure, _ = (plot.phase_diagram if networks else plot.uv_phase_diagram)(found)
    figure.savefig(out, dpi=160)
    sections = [table(found), failures, _in_networks(found) if networks else _in_the_uv_model(found)]
    files = {"figure": out, "saved": save, "store": store}
    sections.append("\n".join(f"{name}: {path}" for name, path in files.items() if path is not None))
    return "\n\n".join(section for section in sections if section), int(found.failed.sum())


def _settings(chosen: dict[str, Any]) -> str:
    """Return a short digest of all that the cells of networks depend on besides their place in the grid."""
    from .sweeps.origin import versions_here

    loaded = chosen["data"]
    others = {name: value for name, value in chosen.items() if name not in ("depth", "width", "data")}
    digest = hashlib.sha256(repr((sorted(others.items()), versions_here(files=True))).encode())
    for array in (loaded.X, loaded.y):
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:8]


def _failures(found: xr.Dataset) -> str:
    """Return how many cells failed, with the error of the first; empty if none did."""
    failed = found.failed.values.ravel()
    if not failed.any():
        return ""
    first = str(found.error.values.ravel()[failed.argmax()]).strip().splitlines()[-1]
    return f"{failed.sum()} of {failed.size} cells failed and are left out; the first: {first}"


def _in_networks(found: xr.Dataset) -> str:
    """Return where sharpness is reduced, and how that depends on depth over width."""
    log_loss = np.log(found.c_loss).mean(dim="seed").stack(network=("depth", "width")).dropna("network")
    lines = ["wide networks lose stability at c = 2; the uv model, infinitely wide, has c_loss 2, c_sharp 2.5, c_max 4"]
    if log_loss.size:
        least, most = (_network(log_loss[at(log_loss.values)]) for at in (np.argmin, np.argmax))
        lines.append(
            "sharpness falls and the loss does not rise between c = 2 and c_loss: the band ends at "
            + (f"{most}" if log_loss.size == 1 else f"{least} and at {most}")
        )
    if log_loss.size > 2:
        from scipy.stats import spearmanr

        order = spearmanr(log_loss.depth / log_loss.width, log_loss).statistic
        lines.append(f"rank correlation of mean c_loss with depth/width: {order:.2f}")
    beyond = int((found.reached_end & ~found.failed).sum())
    if beyond:
        lines.append(f"{beyond} of {found.reached_end.size} networks do not diverge up to c = {float(found.c[-1]):g}")
    return "\n".join(lines)


def _network(log_loss: xr.DataArray) -> str:
    layers = f"{int(log_loss.depth)} layers" if log_loss.depth > 1 else "1 layer"
    return f"{float(np.exp(log_loss)):.3g} ({layers}, width {int(log_loss.width)})"


def _in_the_uv_model(found: xr.Dataset) -> str:
    """Return mean constants beside their exact values; nothing where there are none, with a target."""
    if "uv_c_loss" not in found:
        return ""
    from .early_training.uv_means import uv_means

    count, means = uv_means(found)
    rows = [
        [f"{width}", f"{inside} of {found.sizes['seed']}", *(_beside(*(v[k] for v in each)) for each in means.values())]
        for k, (width, inside) in enumerate(zip(found.width.values, count, strict=True))
    ]
    lines = [
        "mean ± standard error / exact mean, both over the Gaussian starts with s < 1/8, which one step decides",
        text_table(["width", "starts", *means], rows),
    ]
    if any(np.isnan(mean).any() for mean, _, _ in means.values()):
        lines.append(f"–: some of these starts do not reach it up to c = {float(found.c[-1]):g}")
    lines.append("infinitely wide: 2, 2.5, 4; the band of sharpness reduction from 2 to c_loss closes like "
                 "2.5/(width + 1)")  # fmt: skip
    return "\n".join(lines)


def _beside(mean: float, error: float, exact: float) -> str:
    measured = "–" if np.isnan(mean) else f"{mean:.4f}" + (f" ± {error:.2g}" if np.isfinite(error) else "")
    return f"{measured} / {exact:.4f}"
