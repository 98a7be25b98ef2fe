"""What a verification found: per check, per claim, and as a whole."""

from __future__ import annotations

import html
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .._tables import html_table, text_table


@dataclass(frozen=True)
class Check:
    """One way of testing a claim.

    Attributes:
        name: ``proof``, ``50 digits``, ``bisection``, ``search``, ``measurement``, or the name of a data set.
        passed: Whether the claim survived.
        cases: How many cases were tried.
        error: Worst relative error, nan where there is none to speak of.
        detail: What went wrong, or how it was measured.
        predicted: The predicted number of one case, for the table.
        measured: The measured number of the same case.
    """

    name: str
    passed: bool
    cases: int
    error: float = math.nan
    detail: str = ""
    predicted: float = math.nan
    measured: float = math.nan


def judged(
    name: str,
    failures: Sequence[str],
    cases: int,
    detail: str,
    error: float = math.nan,
    shown: tuple[Any, Any] = (math.nan, math.nan),
) -> Check:
    """Return the check that passed if there are no failures; else it says the first of them.

    Args:
        name: Of the check.
        failures: What went wrong.
        cases: How many cases were tried.
        detail: How it was measured, for a check that passed.
        error: Worst relative error.
        shown: A predicted and a measured number.
    """
    return Check(name, not failures, cases, error, failures[0] if failures else detail, *map(float, shown))


@dataclass(frozen=True)
class Verdict:
    """A claim with its checks."""

    claim: str
    statement: str
    formula: str
    domain: str
    reference: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(c.passed for c in self.checks)

    @property
    def cases(self) -> int:
        """Cases over all checks."""
        return sum(c.cases for c in self.checks)

    @property
    def error(self) -> float:
        """Worst relative error over all checks."""
        return max((c.error for c in self.checks if not math.isnan(c.error)), default=math.nan)

    @property
    def shown(self) -> Check:
        """The check whose prediction and measurement the table shows."""
        return next((c for c in self.checks if not math.isnan(c.measured)), self.checks[0])

    @property
    def failures(self) -> list[str]:
        """What went wrong."""
        return [f"{c.name}: {c.detail}" for c in self.checks if not c.passed]


@dataclass(frozen=True)
class Report:
    """All verdicts of one verification; prints as a table."""

    verdicts: tuple[Verdict, ...]
    seed: int
    thorough: bool
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every claim passed."""
        return all(v.passed for v in self.verdicts)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def __getitem__(self, claim: str) -> Verdict:
        for verdict in self.verdicts:
            if verdict.claim == claim:
                return verdict
        raise KeyError(claim)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: claim, predicted, measured, worst error, cases, checks, verdict."""
        return [
            (
                v.claim,
                _number(v.shown.predicted),
                _number(v.shown.measured),
                "" if math.isnan(v.error) else f"{v.error:.1e}",
                str(v.cases),
                " ".join(c.name if c.passed else c.name.upper() for c in v.checks),
                "confirmed" if v.passed else "FAILED",
            )
            for v in self.verdicts
        ]

    @property
    def summary(self) -> str:
        """One line on the whole."""
        good = sum(v.passed for v in self.verdicts)
        cases = sum(v.cases for v in self.verdicts)
        return (
            f"{good} of {len(self.verdicts)} claims confirmed in {cases} cases, seed {self.seed}, {self.seconds:.1f} s"
        )

    def __repr__(self) -> str:
        failures = [f"{v.claim}: {text}" for v in self.verdicts for text in v.failures]
        return "\n".join([text_table(COLUMNS, self.rows), "", *failures, self.summary])

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(self.summary)}</p>{html_table(COLUMNS, self.rows)}"

    def to_json(self) -> str:
        """Return everything as JSON; numbers that are not finite are null."""
        document = {
            "seed": self.seed,
            "thorough": self.thorough,
            "seconds": self.seconds,
            "passed": self.passed,
            "claims": [asdict(v) | {"passed": v.passed} for v in self.verdicts],
        }
        return json.dumps(_finite(document), indent=1, ensure_ascii=False)

    def save(self, path: str | Path) -> None:
        """Write the report, as JSON or as a self-contained HTML page by the ending of `path`.

        Raises:
            ValueError: if the path cannot be written or ends otherwise.
        """
        path = check_path(path)
        if path.suffix == ".json":
            text = self.to_json()
        else:
            from .page import html_page

            text = html_page(self)
        path.write_text(text, encoding="utf-8")


def check_path(path: str | Path) -> Path:
    """Return the path of a report, or raise ValueError if it cannot be written or has another ending."""
    path = Path(path)
    if path.suffix not in (".json", ".html"):
        raise ValueError(f"a report must end in .json or .html, got {str(path)!r}")
    folder = path.resolve().parent
    if not folder.is_dir():
        raise ValueError(f"cannot write the report to {str(path)!r}: no folder {str(folder)!r}")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise ValueError(f"cannot write the report to {str(path)!r}: not writable")
    return path


COLUMNS = ("claim", "predicted", "measured", "worst error", "cases", "checks", "verdict")


def _number(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.10g}"


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
