"""A claim: a statement with its formula, its domain, its source, and how it is to be measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import sympy as sp

from ..domain import Interval
from .vocabulary import parameter

KINDS = ("edge", "equality", "inequality", "measurement", "experiment")


@dataclass(frozen=True)
class Claim:
    """What a derivation asserts about the world.

    Attributes:
        id: Dotted identifier, such as ``"sam.edge"``.
        statement: One sentence.
        kind: ``"edge"``: `left` is the edge of `rule`, None where that is a numerical root. ``"equality"``: `left`
            equals `right` on the domain. ``"inequality"``: `left` is at most `right` on the domain.
            ``"measurement"``: `left` is what `measured_by` reads off a simulation of `rule`. ``"experiment"``: what
            `measured_by` predicts and measures on random problems and on data sets, without a single formula.
        left: Expression in the symbols of the domain; None for an experiment.
        right: The other side, for equalities and inequalities.
        rule: Rule name, for edges and measurements.
        structure: Integer of a family member (delay, inner steps), 0 for a plain rule.
        measured_by: Name of the measurement or experiment.
        domain: Interval of every symbol.
        where: Expressions that must be positive besides.
        tight: Whether the claim says exactly where the behaviour changes.
        tolerance: Largest relative error of a measurement.
        reference: Source.
    """

    id: str
    statement: str
    kind: str
    left: sp.Expr | None
    domain: Mapping[str, Interval]
    right: sp.Expr | None = None
    rule: str = ""
    structure: int = 0
    measured_by: str = ""
    where: tuple[sp.Expr, ...] = ()
    tight: bool = True
    tolerance: float = 1e-9
    reference: str = "derived"
    symbols: Mapping[str, sp.Symbol] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"claim {self.id}: kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        object.__setattr__(self, "symbols", {n: parameter(n, i) for n, i in self.domain.items()})
        stray = {str(s) for e in self._expressions for s in e.free_symbols} - set(self.domain)
        if stray:
            raise ValueError(f"claim {self.id}: no interval for {sorted(stray)}")

    @cached_property
    def _expressions(self) -> tuple[sp.Expr, ...]:
        return tuple(e for e in (self.left, self.right, *self.where) if e is not None)

    @property
    def domain_text(self) -> str:
        """The domain as a reader writes it."""
        from .edge import condition_text

        return ", ".join([*(i.describe(n) for n, i in self.domain.items()), *map(condition_text, self.where)])

    def to_json(self) -> dict[str, Any]:
        """Return the claim as plain data."""
        plain = {k: getattr(self, k) for k in _PLAIN}
        return plain | {
            "left": None if self.left is None else sp.srepr(self.left),
            "right": None if self.right is None else sp.srepr(self.right),
            "where": [sp.srepr(e) for e in self.where],
            "domain": {n: i.to_json() for n, i in self.domain.items()},
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Claim:
        """Return the claim written by `to_json`."""
        return cls(
            **{k: row[k] for k in _PLAIN},
            left=None if row["left"] is None else sp.sympify(row["left"]),
            right=None if row["right"] is None else sp.sympify(row["right"]),
            where=tuple(map(sp.sympify, row["where"])),
            domain={n: Interval.from_json(ends) for n, ends in row["domain"].items()},
        )


_PLAIN = ("id", "statement", "kind", "rule", "structure", "measured_by", "tight", "tolerance", "reference")
