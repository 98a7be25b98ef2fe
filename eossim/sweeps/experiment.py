"""Experiments of eossim by name, as functions of their parameters."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._check import unknown


@dataclass(frozen=True)
class Experiment:
    """``eossim.experiments.<name>.run``, which goes to worker processes by its name.

    Attributes:
        name: Of the experiment.
    """

    name: str

    @property
    def label(self) -> str:
        """Name in messages."""
        return f"experiment {self.name}"

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self._run)

    @property
    def _run(self) -> Any:
        return importlib.import_module(f"eossim.experiments.{self.name}").run

    def __call__(self, **cell: Any) -> Any:
        """Run it."""
        return self._run(**cell)


def experiment(name: str) -> Experiment:
    """Return an experiment.

    Raises:
        ValueError: If there is none of this name; the message offers the nearest.
    """
    folder = Path(__file__).parent.parent / "experiments"
    names = [
        module.name
        for module in pkgutil.iter_modules([str(folder)])
        if "\ndef run(" in (folder / f"{module.name}.py").read_text(encoding="utf-8")
    ]
    if name not in names:
        raise unknown("experiment", name, names)
    return Experiment(name)
