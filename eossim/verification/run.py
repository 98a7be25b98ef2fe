"""Verify claims: gather them, test each in every way that fits, in parallel, and report."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import joblib
import numpy as np
from tqdm import tqdm

from .. import data as datasets
from .._check import positive_int, unknown
from .._rule import Family, Rule
from ..norms import Norm
from ..symbolic.claim import Claim
from ..symbolic.derivation import Derivation, recorded
from ..symbolic.latex import plain
from . import checks
from .experiments import experiment, places
from .measurements import measurement
from .norms import norm_checks, norm_claim
from .real_data import on_data
from .report import Check, Report, Verdict
from .search import search
from .subject import Subject

REAL_DATA = ("digits", "diabetes")


def verify(
    claims: str | Rule | Family | Norm | Claim | Sequence[str | Rule | Family | Norm | Claim] | None = None,
    *,
    data: str | Sequence[str] = REAL_DATA,
    thorough: bool = False,
    seed: int = 0,
    progress: bool = False,
    jobs: int | None = None,
) -> Report:
    """Test claims against proof, 50-digit arithmetic, bisection, counterexample search and simulation on real Hessians.

    Args:
        claims: Nothing for every recorded claim; a claim's name or a pattern (``"sam*"``); a `Rule` of your own, whose
            derived edge becomes the claim; a `Norm` of your own, held against the axioms and, with descent in it,
            against its edge; a `Claim`; or several of these.
        data: Data sets whose Hessians are used (see `eossim.data.load`).
        thorough: Ten times the cases.
        seed: Seed of every random case; the same seed gives the same cases.
        progress: Show a progress bar.
        jobs: Processes; one per core by default.

    Returns:
        A `Report`: prediction and measurement together for every claim. It prints as a table.

    Raises:
        ValueError: for an unknown claim or data set, with the nearest name.
    """
    seed = positive_int("seed", seed, minimum=0)
    jobs = joblib.cpu_count() if jobs is None else positive_int("jobs", jobs)
    names = (data,) if isinstance(data, str) else tuple(data)
    for name in names:
        datasets.load(name)  # an unknown or damaged data set fails before the work starts
    tasks = _select(claims)
    effort = 10 if thorough else 1
    began = time.perf_counter()
    workers = min(jobs, max(1, len(tasks) // 4))
    stream = joblib.Parallel(n_jobs=workers, return_as="generator")(
        joblib.delayed(_verdict)(claim, origin, names, effort, seed) for claim, origin in tasks
    )
    bar = tqdm(stream, total=len(tasks), desc="verify", unit="claim", disable=not progress)
    return Report(tuple(bar), seed, thorough, round(time.perf_counter() - began, 3))


def _select(claims: Any) -> list[tuple[Any, Any]]:
    """Return (claim, derivation) pairs; recorded ones as plain data, which is cheap to send to a process."""
    rows = [(claim, row) for row in recorded().values() for claim in row["claims"]]
    if claims is None:
        return rows
    if isinstance(claims, str | Rule | Family | Norm | Claim):
        claims = [claims]
    if not isinstance(claims, Iterable):
        raise TypeError(f"claims must be names, rules, norms or claims, got {claims!r}")
    chosen: list[tuple[Any, Any]] = []
    for item in claims:
        if isinstance(item, Claim):
            chosen.append((item, None))
        elif isinstance(item, Rule):
            chosen.append((edge_claim(item), item))
        elif isinstance(item, Norm):
            chosen.append((norm_claim(item), item))
        else:
            name = item.name if isinstance(item, Family) else str(item)
            found = [pair for pair in rows if _names(pair[0], name)]
            if not found:
                raise unknown("claim", name, [claim["id"] for claim, _ in rows])
            chosen += [pair for pair in found if pair not in chosen]
    return chosen


def _names(claim: dict[str, Any], name: str) -> bool:
    """Whether `name` is a claim, a pattern of claims, or a rule whose edge the claim is about."""
    return fnmatch.fnmatch(claim["id"], name) or (claim["kind"] == "edge" and claim["rule"] == name)


def edge_claim(rule: Rule) -> Claim:
    """Return the claim that a rule's derived edge is its edge."""
    edge = rule.edge
    if edge.expression == 0:
        raise ValueError(f"{rule.name} is unstable at every curvature: it has no edge to verify")
    return Claim(
        id=f"{rule.name}.edge",
        statement=f"{rule.name} first loses stability at h = {edge.text}",
        kind="edge",
        left=edge.expression,
        domain=edge.domain,
        rule=rule.name,
        where=edge.conditions,
        tight=edge.tight,
        reference=rule.reference or "derived",
    )


def _verdict(claim: Any, origin: Any, data: tuple[str, ...], effort: int, seed: int) -> Verdict:
    """Test one claim; `origin` is its derivation as plain data, or the user's rule or norm."""
    claim = claim if isinstance(claim, Claim) else Claim.from_json(claim)
    rng = np.random.default_rng([seed, *claim.id.encode()])
    if isinstance(origin, Norm):
        tests = norm_checks(origin, data, rng, effort)
    else:
        tests = _tests(claim, origin, data, rng, effort, seed)
    missing = "" if claim.kind == "experiment" else "numerical root"
    formula = missing if claim.left is None else plain(claim.left)
    found = tuple(_attempt(name, test) for name, test in tests.items())
    return Verdict(claim.id, claim.statement, formula, claim.domain_text, claim.reference, found)


def _tests(
    claim: Claim, origin: Any, data: tuple[str, ...], rng: np.random.Generator, effort: int, seed: int
) -> dict[str, Callable[[], Check]]:
    """Return every way that fits a claim of testing it, by name."""
    derivation = Derivation.from_json(origin) if isinstance(origin, dict) else None
    subject = Subject(claim, origin) if isinstance(origin, Rule) else Subject.of(claim)
    tests: dict[str, Callable[[], Check]] = {}
    if derivation or claim.kind in ("edge", "equality"):
        tests["proof"] = lambda: checks.proof(subject, derivation)
    if claim.kind == "experiment":
        for name in places(claim.measured_by, data):
            tests[name] = partial(experiment, name, claim.measured_by, rng, (6 if name == "synthetic" else 2) * effort)
    elif claim.kind == "measurement":
        tests["measurement"] = lambda: measurement(subject, rng, 12 * effort)
    else:
        tests["50 digits"] = lambda: checks.fifty_digits(subject, rng, 200 * effort)
        tests["search"] = lambda: search(subject, 60 * effort, seed)
    if claim.kind == "edge":
        tests["bisection"] = lambda: checks.bisection(subject, rng, 32 * effort)
        for name in data:
            tests[name] = partial(on_data, subject, name, rng, 3 * effort)
    return tests


def _attempt(name: str, test: Callable[[], Check]) -> Check:
    """Run one check; what it cannot digest is a failure of that check, not of the verification."""
    try:
        return test()
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        return Check(name, False, 0, detail=f"could not be run: {type(error).__name__}: {error}")
