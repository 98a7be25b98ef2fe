"""Compare two ways to do one thing on a machine that is also doing something else.

Absolute times drift with the load. Two alternatives that take turns, A, B, A, B, see the same drift, so the ratio of
neighbours is what is reported, as a median. Processor time excludes what other processes took; elapsed time includes
threads and waiting.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Timing:
    """Seconds of one call."""

    cpu: float
    wall: float


@dataclass(frozen=True)
class Row:
    """One line of the report.

    Attributes:
        case: What was measured.
        value: The median.
        unit: Of `value`.
        target: What it should be at least, or at most.
        at_most: Whether `target` is an upper bound.
        detail: How it came about.
    """

    case: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {**asdict(self), "met": self.met}


def timed(call: Callable[[], Any]) -> Timing:
    """Return how long one call took."""
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return Timing(time.process_time() - cpu, time.perf_counter() - wall)


def alternate(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[Timing]]:
    """Time every call once a round, in turn, after one round that does not count (compilation, caches)."""
    for call in calls.values():
        call()
    found: dict[str, list[Timing]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            found[name].append(timed(call))
    return found


def ratio(slow: list[Timing], fast: list[Timing], clock: str) -> float:
    """Return the median over rounds of slow / fast, by ``"cpu"`` or ``"wall"``."""
    return statistics.median(getattr(s, clock) / getattr(f, clock) for s, f in zip(slow, fast, strict=True))


def median(timings: list[Timing], clock: str) -> float:
    """Return the median seconds."""
    return statistics.median(getattr(t, clock) for t in timings)


def markdown(rows: Iterable[Row]) -> str:
    """Return the report as a Markdown table."""
    lines = ["| case | measured | target | met | detail |", "|---|---|---|---|---|"]
    for row in rows:
        target = "" if row.target is None else f"{'≤' if row.at_most else '≥'} {row.target:g} {row.unit}"
        met = {None: "", True: "yes", False: "**no**"}[row.met]
        lines.append(f"| {row.case} | {row.value:.3g} {row.unit} | {target} | {met} | {row.detail} |")
    return "\n".join(lines)
