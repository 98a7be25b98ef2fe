"""A line that shows where a training stands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

#: What is shown of the measured, in this order, and as what.
_SHOWN = {"loss": "loss", "sharpness": "sharpness", "edge": "edge", "ratio": "ratio"}
_EVERY = 0.2


class Progress:
    """A tqdm bar over the steps of all runs with the latest measurements; nothing if it is not wanted.

    Args:
        wanted: Whether there is a bar.
        total: Steps of all runs.
        done: Steps that were done before.

    Attributes:
        wanted: As given.
    """

    def __init__(self, wanted: bool, total: int, done: int) -> None:
        self.wanted = wanted
        self._bar: Any = None
        self._shown = 0.0
        if wanted:
            from tqdm import tqdm

            self._bar = tqdm(total=total, initial=done, unit="step", mininterval=_EVERY)

    def show(self, done: int, row: Mapping[str, float], measuring: float) -> None:
        """Show that `done` steps are done, the latest measurements, and the share of time that measuring takes."""
        if self._bar is None or time.perf_counter() - self._shown < _EVERY:
            return
        self._shown = time.perf_counter()
        words = [f"{text} {row[name]:.4g}" for name, text in _SHOWN.items() if name in row]
        self._bar.set_postfix_str(", ".join([*words, f"measuring {measuring:.0%}"]), refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self, done: int) -> None:
        """Show the end."""
        if self._bar is not None:
            self._bar.update(done - self._bar.n)
            self._bar.close()
