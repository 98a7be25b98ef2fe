"""What commands share: the application, options that several take, errors in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from .._check import existing_folder

app = typer.Typer(
    help="A laboratory for the edge of stability: derive, simulate and verify where methods lose stability.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

#: Exit status when work was done but cells failed, and when what was asked for is wrong.
FAILED, WRONG = 1, 2

Values = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE...", help="Hyper-parameters such as eta=0.1; commas make a vector (etas=0.1,0.2)."
    ),
]

Shape = Annotated[str | None, typer.Option(help="Parameters as a matrix, such as 8x8; the most square one by default.")]
Blocks = Annotated[int | None, typer.Option(help="Parameters in a block; a row of that matrix by default.")]

Jobs = Annotated[int | None, typer.Option(help="Processes; one per core by default.")]
Executor = Annotated[
    str | None, typer.Option(help="Where cells run: local, serial, dask or a joblib backend; local by default.")
]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Dask cluster to run on, such as tcp://node:8786.")
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first cell that fails; otherwise its error is recorded.")
]
Save = Annotated[Path | None, typer.Option(help="Save the labelled results to this netCDF file.")]


def plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Print what is wrong with the input, or which library is missing, and exit with 2; with 1 if the work failed."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort):  # these are RuntimeErrors
            raise
        except (ValueError, TypeError, OSError, ImportError, SyntaxError, RuntimeError) as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(FAILED if isinstance(error, RuntimeError) else WRONG) from None

    return run


def printed(text: str, failed: int) -> None:
    """Print what a sweep found, and exit with 1 if cells failed."""
    typer.echo(text)
    if failed:
        raise typer.Exit(FAILED)


def netcdf_path(name: str, path: Path | None) -> None:
    """Raise ValueError unless `path`, if given, is a netCDF file to be written to a folder that exists."""
    if path is None:
        return
    if path.suffix != ".nc":
        raise ValueError(f"{name} must be a .nc file, got {str(path)!r}")
    existing_folder(path)


def parse(pairs: list[str] | None, **options: float | None) -> dict[str, Any]:
    """Return ``NAME=VALUE`` arguments as numbers and lists of numbers, with options of the same names if given."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        try:
            numbers = [float(part) if "." in part or "e" in part.lower() else int(part) for part in text.split(",")]
        except ValueError:
            numbers = []
        if not equals or not numbers:
            raise ValueError(f"expected NAME=NUMBER or NAME=NUMBER,NUMBER,..., got {pair!r}")
        values[name] = numbers[0] if len(numbers) == 1 else numbers
    for name, number in options.items():
        if number is not None:
            if name in values:
                raise ValueError(f"--{name} and {name}=... are both given, {number:g} and {values[name]}")
            values[name] = number
    return values
