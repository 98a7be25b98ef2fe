"""``python -m eossim.adapters.tasks mlp|cnn|transformer``: train, and print predicted edge and measured sharpness."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .._require import require

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command()
def main(
    name: Annotated[str, typer.Argument(metavar="mlp|cnn|transformer", help="Which network.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Full size on local data: folder or .npz of MNIST, folder of CIFAR-10, a text file."),
    ] = None,
    samples: Annotated[int | None, typer.Option(help="Take the first so many samples.")] = None,
    eta: Annotated[float | None, typer.Option(help="Step size.")] = None,
    rho: Annotated[float | None, typer.Option(help="Radius of SAM.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of training.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights.")] = 0,
    device: Annotated[str, typer.Option(help="Where to compute: cpu, cuda, ...")] = "cpu",
    quick: Annotated[bool, typer.Option("--quick", help="A few steps on a few samples: whether it runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write what was measured under SAM to this .nc file.")] = None,
) -> None:
    """Train by full-batch SAM and by GD at the same step size; compare late sharpness with both edges."""
    try:
        require("torch")
        _run(name, data, samples, eta, rho, steps, seed, device, quick, out)
    except (ImportError, ValueError, TypeError, OSError, RuntimeError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


def _run(
    name: str,
    data: Path | None,
    samples: int | None,
    eta: float | None,
    rho: float | None,
    steps: int | None,
    seed: int,
    device: str,
    quick: bool,
    out: Path | None,
) -> None:
    from tqdm import tqdm

    from ..._check import existing_folder, positive_int
    from .task import task
    from .train import row, train

    if out is not None:
        existing_folder(out)
    few = samples if samples is not None or not quick else 64
    shown = False
    for method in ("sam", "gd"):
        now = task(name, data, samples=few, seed=seed, device=device)  # the same initial weights for both
        step_size = now.eta if eta is None else eta
        radius = now.rho if rho is None else rho
        count = positive_int("steps", (20 if quick else now.steps) if steps is None else steps, 2)
        if not shown:
            size = sum(p.numel() for p in now.module.parameters())
            typer.echo(f"{name}: {size} parameters, {len(now.inputs)} samples, full batch, {count} steps, seed {seed}")
            typer.echo("\n" + row())
            shown = True
        with tqdm(total=count, desc=method, disable=not sys.stderr.isatty(), leave=False) as bar:
            every = max(5, count // 50)
            measured = train(
                now,
                eta=step_size,
                rho=radius if method == "sam" else 0.0,
                steps=count,
                every=every,
                progress=lambda step, bar=bar: bar.update(),  # type: ignore[misc]
            )
        typer.echo(row(method, measured))
        if out is not None and method == "sam":
            measured.to_netcdf(out, engine="h5netcdf")


if __name__ == "__main__":
    app()
