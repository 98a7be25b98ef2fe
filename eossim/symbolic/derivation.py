"""A derivation: a model, steps that are each asserted, and the claims that follow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import sympy as sp

from .._check import unknown
from .claim import Claim
from .latex import latex, plain


@dataclass(frozen=True)
class Step:
    """One step: what is done, and the identity ``left == right`` that it rests on (prose has none)."""

    text: str
    left: sp.Expr | None = None
    right: sp.Expr | None = None

    def holds(self) -> bool:
        """Whether the two sides are proved equal."""
        return self.left is None or is_zero(self.left - self.right)

    @property
    def latex(self) -> str:
        """The identity in LaTeX, or nothing."""
        if self.left is None:
            return ""
        return f"{latex(self.left)} = {latex(self.right)}"


@dataclass
class Derivation:
    """A result derived step by step.

    Args:
        name: Identifier for ``eossim derive NAME``.
        title: What is derived.
        model: The loss and the method it is derived for.
        reference: Where the result comes from.

    Example:
        >>> d = Derivation("gd", "The edge of gradient descent", "L = h w^2 / 2", "arXiv:2103.00065")
        >>> d.equal("The multiplier is -1 at the edge", 1 - eta * (2 / eta), -1)
    """

    name: str
    title: str
    model: str
    reference: str = "derived"
    steps: list[Step] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Add prose."""
        self.steps.append(Step(text))

    def equal(self, text: str, left: Any, right: Any) -> None:
        """Add a step and assert that its two sides are equal.

        Raises:
            AssertionError: if sympy cannot reduce the difference to zero.
        """
        step = Step(text, sp.sympify(left), sp.sympify(right))
        assert step.holds(), f"{self.name}: {text}: {step.left} != {step.right}"
        self.steps.append(step)

    def claim(self, **fields: Any) -> Claim:
        """Add a claim (see `Claim`) and return it."""
        claim = Claim(**{"reference": self.reference, **fields})
        self.claims.append(claim)
        return claim

    def text(self) -> str:
        """The derivation for a terminal; every identity is proved again and marked."""
        lines = [self.title, "=" * len(self.title), f"Model: {self.model}", f"Source: {self.reference}", ""]
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number:3d}. {step.text}")
            if step.left is not None and step.right is not None:
                verdict = "proved" if step.holds() else "NOT PROVED"
                lines.append(f"       {plain(step.left)}  =  {plain(step.right)}    [{verdict}]")
        lines += ["", "Claims:"] if self.claims else []
        lines += [f"  {c.id}: {c.statement}{_on(c)}" for c in self.claims]
        return "\n".join(lines)

    def markdown(self) -> str:
        """The derivation in Markdown with LaTeX formulas (what a notebook shows)."""
        lines = [f"## {self.title}", "", f"Model: {self.model}. Source: {self.reference}.", ""]
        for number, step in enumerate(self.steps, 1):
            lines.append(f"{number}. {step.text}" + (f": $${step.latex}$$" if step.latex else ""))
        lines += ["", *(f"* **{c.id}**: {c.statement}{_on(c)}" for c in self.claims)]
        return "\n".join(lines)

    def latex(self) -> str:
        """The derivation as the body of a LaTeX section."""
        lines = [
            rf"\section*{{{self.title}}}",
            f"Model: {_escape(self.model)}. Source: {_escape(self.reference)}.",
            r"\begin{enumerate}",
        ]
        for step in self.steps:
            lines.append(rf"  \item {_escape(step.text)}" + (rf" \[ {step.latex} \]" if step.latex else ""))
        return "\n".join([*lines, r"\end{enumerate}"])

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def to_json(self) -> dict[str, Any]:
        """Return the derivation as plain data."""
        return {
            "name": self.name,
            "title": self.title,
            "model": self.model,
            "reference": self.reference,
            "steps": [
                {"text": s.text} | ({} if s.left is None else {"left": sp.srepr(s.left), "right": sp.srepr(s.right)})
                for s in self.steps
            ],
            "claims": [c.to_json() for c in self.claims],
        }

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Derivation:
        """Return the derivation written by `to_json`; nothing is asserted again until asked."""
        steps = [
            Step(s["text"], *(sp.sympify(s[k]) if k in s else None for k in ("left", "right"))) for s in row["steps"]
        ]
        claims = [Claim.from_json(c) for c in row["claims"]]
        return cls(row["name"], row["title"], row["model"], row["reference"], steps, claims)


def _escape(text: str) -> str:
    """Return prose that LaTeX takes literally."""
    return re.sub(r"([_^&%#$])", r"\\\1", text)


def is_zero(expression: sp.Expr) -> bool:
    """Whether an expression is proved to vanish, by the cheapest method that shows it."""
    expression = expression.doit()  # a step may show what is inserted where, as an unevaluated Subs
    for simplify in (sp.expand, lambda e: sp.factor(sp.together(e)), sp.radsimp, sp.simplify):
        if simplify(expression) == 0:
            return True
    return False


def _on(claim: Claim) -> str:
    """Return the domain of a claim in parentheses, if it has one."""
    return f" ({claim.domain_text})" if claim.domain_text else ""


def recorded() -> dict[str, dict[str, Any]]:
    """Return the recorded derivations as plain data, by name."""
    text = resources.files("eossim.formulas").joinpath("derivations.json").read_text(encoding="utf-8")
    return {row["name"]: row for row in json.loads(text)}


def load(names: Iterable[str] | None = None) -> list[Derivation]:
    """Return recorded derivations: all, or those with these names.

    Raises:
        ValueError: for an unknown name, with the nearest one.
    """
    rows = recorded()
    for name in names or ():
        if name not in rows:
            raise unknown("derivation", name, tuple(rows))
    return [Derivation.from_json(rows[name]) for name in (names or rows)]
