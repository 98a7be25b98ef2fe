"""What ``eossim experiment`` does: run an experiment on networks by name, print its table, draw it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from ._check import figure_path, unknown
from ._tables import text_table

#: Experiments by name, with the function of `eossim.plot` that draws them.
DRAWN_BY = {
    "gd_family": "network_gd_family",
    "sam_table": "network_sam",
    "norm_edges": "network_norms",
    "taylor_swap": "network_models",
    "stochastic_edge": "network_stochastic",
    "catapult": "network_catapult",
    "noise_controls": "network_noise",
    "regimes": "network_regimes",
}


def listed() -> str:
    """Return all experiments with what they show, as a table."""
    rows = [[name, _module(name).__doc__.splitlines()[0]] for name in DRAWN_BY]
    return text_table(["experiment", "what it shows"], rows)


def report(name: str, *, quick: bool, out: Path | None) -> str:
    """Run an experiment and return its table; draw it to `out`.

    Raises:
        ValueError: for an unknown experiment, or a figure that cannot be written.
    """
    if name not in DRAWN_BY:
        raise unknown("experiment", name, DRAWN_BY)
    if out is not None:
        figure_path("--out", out)
    result = _module(name).run(quick=quick)
    if out is None:
        return repr(result)
    figure, _ = getattr(import_module(".plot", __package__), DRAWN_BY[name])(result)
    figure.savefig(out, dpi=160)
    return f"{result!r}\n\nfigure: {out}"


def _module(name: str) -> Any:
    return import_module(f".experiments.{name}", __package__)
