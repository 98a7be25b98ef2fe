"""Write `eossim/formulas/` from the rules and the derivations: nothing in that package is typed by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sympy as sp

import eossim
from eossim._rule import Family, Rule
from eossim.domain import Interval, standard
from eossim.maps import SHIPPED
from eossim.rules import CATALOGUE
from eossim.symbolic.edge import Edge
from eossim.symbolic.emit_formula import function_source
from eossim.symbolic.emit_kernel import kernel_source
from eossim.symbolic.emit_map import map_source
from eossim.symbolic.latex import latex, plain
from eossim.symbolic.vocabulary import parameter

FORMULAS = Path(eossim.__file__).parent / "formulas"

_HEADER = '''"""{title}, written by ``python -m derivations`` from their derivations; do not
edit."""

import numpy as np

'''


def generated() -> dict[str, str]:
    """Return the text of every generated file, by path below `eossim/formulas/`."""
    from . import derive_all

    rules = {name: rule for name, rule in CATALOGUE.items() if isinstance(rule, Rule)}
    sources, rows, conditions = [], [], []
    for name, rule in CATALOGUE.items():
        if isinstance(rule, Rule):
            edge = rule.edge
            sources.append(function_source(name, edge.stable, edge.needs))
            rows.append(_row(name, rule, edge))
            conditions += _conditions(name, edge, sources)
        elif rule.closed_form is not None:
            sources.append(_family_source(rule))
            rows.append(_family_row(rule))
        else:
            rows.append(_numeric_row(rule))
    edges = _HEADER.format(title="Edges of the shipped rules") + "\n\n".join(sources)
    files = {
        "edges.py": edges + "\n\nCONDITIONS = {\n" + "".join(conditions) + "}\n",
        "toy.py": _toy(),
        "catalogue.json": _json(rows),
        "derivations.json": _json([d.to_json() for d in derive_all()]),
    }
    files |= {f"kernels/{name}.py": kernel_source(rule.program) for name, rule in rules.items()}
    return files | {f"maps/{name}.py": map_source(source) for name, source in SHIPPED.items()}


def _toy() -> str:
    """Closed forms of the toy models, a function each."""
    from .toy_formulas import toy_formulas

    sources = [function_source(name, expression, names) for name, (expression, names) in toy_formulas().items()]
    return _HEADER.format(title="Closed forms of the toy models") + "\n\n".join(sources)


def _row(name: str, rule: Rule, edge: Edge) -> dict[str, Any]:
    return {
        "name": name,
        "summary": rule.summary,
        "formula": edge.text,
        "latex": edge.latex,
        "needs": list(edge.needs),
        "intervals": {n: i.to_json() for n, i in edge.domain.items()},
        "domain": edge.domain_text,
        "crossing": list(edge.crossing),
        "tight": edge.tight,
        "reference": rule.reference,
    }


def _conditions(name: str, edge: Edge, sources: list[str]) -> list[str]:
    """Append one margin function per condition and return the lines that register them."""
    entries = []
    for index, (condition, (text, _, names)) in enumerate(zip(edge.conditions, edge.margins, strict=True), 1):
        margin = f"{name}_margin_{index}"
        sources.append(function_source(margin, condition, names))
        entries.append(f"({text!r}, {margin}, {names!r}),")
    return [f"    {name!r}: ({' '.join(entries)}),\n"] if entries else []


def _family_parts(family: Family) -> tuple[dict[str, Interval], sp.Expr]:
    member = family.member(3)
    intervals = {name: member.domain[name] for name in member.hyper}
    intervals[family.structure] = Interval(float(family.smallest), open_low=False)
    symbols = {
        n: sp.Symbol(n, integer=True, positive=True) if n == family.structure else parameter(n) for n in intervals
    }
    return intervals, family.closed_form(**symbols)


def _family_source(family: Family) -> str:
    intervals, expression = _family_parts(family)
    return function_source(family.name, expression, tuple(intervals))


def _family_row(family: Family) -> dict[str, Any]:
    intervals, expression = _family_parts(family)
    return {
        "name": family.name,
        "summary": family.summary,
        "formula": plain(expression),
        "latex": latex(expression),
        "needs": list(intervals),
        "intervals": {n: i.to_json() for n, i in intervals.items()},
        "domain": ", ".join(i.describe(n) for n, i in intervals.items()),
        "crossing": sorted({kind for size in (1, 2, 3, 4) for kind in family.member(size).edge.crossing}),
        "tight": True,
        "reference": family.reference,
    }


def _numeric_row(family: Family) -> dict[str, Any]:
    stems = dict.fromkeys(n.rpartition("_")[0] or n for n in family.member(2).hyper)
    needs = [n if n in family.member(2).hyper else f"{n}s" for n in stems]
    return {
        "name": family.name,
        "summary": family.summary,
        "formula": family.formula,
        "latex": family.formula_latex,
        "needs": needs,
        "intervals": {n: standard(n.removesuffix("s")).to_json() for n in needs},
        "domain": ", ".join(standard(s).describe(n) for s, n in zip(stems, needs, strict=True)),
        "crossing": sorted({kind for size in (2, 3) for kind in family.member(size).edge.crossing}),
        "tight": True,
        "reference": family.reference,
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def stale(files: dict[str, str]) -> list[str]:
    """Return the generated files that differ from the committed ones, or have no source any more."""
    differing = [
        p for p, text in files.items() if not (FORMULAS / p).exists() or (FORMULAS / p).read_text("utf-8") != text
    ]
    kept = {"__init__.py", "kernels/__init__.py", "maps/__init__.py"}
    present = {str(p.relative_to(FORMULAS)) for p in FORMULAS.rglob("*") if p.suffix in (".py", ".json")}
    return sorted([*differing, *(present - set(files) - kept)])


def write() -> list[str]:
    """Write the generated files that changed and remove orphans; return their names."""
    files = generated()
    changed = stale(files)
    for name in changed:
        path = FORMULAS / name
        path.parent.mkdir(exist_ok=True)
        if name in files:
            path.write_text(files[name], encoding="utf-8")
        else:
            path.unlink()
    return changed
