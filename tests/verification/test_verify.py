"""Verification must confirm what is true and catch what is not."""

import json
import re

import numpy as np
import pytest
import sympy as sp

import eossim
from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import beta, eta, grad, m, norm, rho, w
from eossim.symbolic.claim import Claim
from eossim.verification.run import edge_claim


def _quick(claims, **kwargs):
    return eossim.verify(claims, data="diabetes", jobs=1, **kwargs)


def _wrong(rule, factor):
    """The edge claim of a rule, off by a factor."""
    right = edge_claim(rule)
    return Claim(
        id=f"{rule.name}.wrong",
        statement="deliberately wrong",
        kind="edge",
        left=right.left * factor,
        domain=right.domain,
        rule=rule.name,
        where=right.where,
    )


def test_a_true_claim_is_confirmed_by_every_check():
    report = _quick("gd")
    assert report.passed
    (verdict,) = report
    assert [c.name for c in verdict.checks] == ["proof", "50 digits", "search", "bisection", "diabetes"]
    assert all(c.cases > 0 for c in verdict.checks)
    assert report["gd.edge"].shown.predicted == pytest.approx(report["gd.edge"].shown.measured)


@pytest.mark.parametrize("factor", [sp.Rational(21, 20), sp.Rational(19, 20)])
@pytest.mark.parametrize("name", ["gd", "heavy_ball", "sam", "extragradient"])
def test_a_wrong_formula_fails_every_check(name, factor):
    report = _quick([_wrong(rules.CATALOGUE[name], factor)])
    assert not report.passed
    (verdict,) = report
    assert {c.name for c in verdict.checks if not c.passed} == {"proof", "50 digits", "bisection", "search", "diabetes"}
    assert "counterexample" in repr(report)
    assert "FAILED" in repr(report)


@pytest.mark.parametrize(
    ("name", "condition"), [("heavy_ball", beta > sp.Rational(99, 100)), ("sam", rho < sp.Rational(1, 1000))]
)
def test_a_formula_wrong_in_a_corner_is_caught_by_bisection_and_search(name, condition):
    right = edge_claim(rules.CATALOGUE[name])
    left = sp.Piecewise((right.left * sp.Rational(9, 10), condition), (right.left, True))
    claim = Claim(id="corner", statement="", kind="edge", left=left, domain=right.domain, rule=name)
    (verdict,) = _quick([claim])
    assert {"bisection", "search"} <= {c.name for c in verdict.checks if not c.passed}


def test_momentum_with_sam_is_tested_against_the_claim_itself():
    right = edge_claim(rules.sam_heavy_ball)
    wrong = Claim(
        id="tenfold",
        statement="",
        kind="edge",
        left=right.left.subs(rho, 10 * rho),
        domain=right.domain,
        rule="sam_heavy_ball",
    )
    (verdict,) = _quick([wrong])
    assert not next(c for c in verdict.checks if c.name == "diabetes").passed


def test_inequalities_of_wide_numbers_are_not_confirmed():
    domain = {"eta": Interval(0.0)}
    for left, right in ((eta, sp.Integer(1001)), (sp.Float("9e-6"), eta)):
        assert not _quick(
            [Claim(id="x", statement="", kind="inequality", left=left, right=right, domain=domain)]
        ).passed


def test_a_check_that_cannot_run_is_a_failure_not_a_crash():
    hollow = Claim(id="x", statement="", kind="edge", left=sp.sqrt(-eta), domain={"eta": Interval(0.0)}, rule="gd")
    report = _quick([hollow])
    assert not report.passed
    assert "could not be run" in repr(report)


def test_a_formula_wrong_in_part_of_its_domain_is_found_and_shrunk():
    # cascaded EMAs: 2/Q(-1) alone forgets the complex pair
    right = edge_claim(rules.cascaded_ema)
    period_two = max(right.left.args, key=lambda branch: branch.subs({"eta": 1, "beta_1": 0.01, "beta_2": 0.01}) == 0)
    claim = Claim(
        id="cascaded.wrong", statement="", kind="edge", left=period_two, domain=right.domain, rule="cascaded_ema"
    )
    (verdict,) = _quick([claim])
    search = next(c for c in verdict.checks if c.name == "search")
    assert not search.passed
    assert "beta_1=" in search.detail


def test_a_rule_whose_edge_was_tampered_with_is_caught():
    mine = eossim.Rule("mine", (eta, beta), {w: w - eta * (grad(w) + beta * m), m: beta * m + grad(w)})
    assert _quick(mine).passed
    other = eossim.Rule("other", (eta, beta), {w: w - eta * (grad(w) + m), m: beta * m + grad(w)})
    mine.__dict__["linearization"] = other.linearization  # the symbolic side now describes another method
    mine.__dict__.pop("edge")
    report = _quick(mine)
    failed = {c.name for c in report["mine.edge"].checks if not c.passed}
    assert {"bisection", "search", "diabetes"} <= failed  # the literal step disagrees with the symbols


@pytest.mark.parametrize(
    "mine",
    [
        eossim.Rule("ascend", (eta, rho), {w: w - eta * grad(w + rho * grad(w + rho * grad(w)))}),
        eossim.Rule("stale", (eta,), {w: w - eta * m, m: grad(w)}),
        eossim.Rule("sam_twice", (eta, rho), {w: w - eta * grad(w + 2 * rho * grad(w) / norm(grad(w)))}),
        eossim.Rule("mixed", (eta, beta), {w: w - eta * ((1 - beta) * grad(w) + m), m: beta * m + grad(w)}),
    ],
    ids=lambda r: r.name,
)
def test_rules_of_a_user_are_verified_like_shipped_ones(mine):
    report = _quick(mine)
    assert report.passed, repr(report)


def test_a_numerical_edge_is_verified_too():
    triple = eossim.Rule("triple", (eta, rho), {w: w - eta * grad(w - rho * grad(w - eta * grad(w)))})
    for rule in (rules.cyclic_steps.member(3), triple):
        assert rule.edge.expression is None
        report = _quick(rule)
        assert report.passed, repr(report)


def test_inequalities_and_equalities():
    domain = {"eta": Interval(0.0), "rho": Interval(0.0, open_low=False)}
    usam = rules.usam.edge.expression
    below = Claim(id="below", statement="", kind="inequality", left=usam, right=2 / eta, domain=domain)
    assert _quick([below]).passed
    above = Claim(id="above", statement="", kind="inequality", left=2 / eta, right=usam, domain=domain)
    assert not _quick([above]).passed
    same = Claim(id="same", statement="", kind="equality", left=eta * usam, right=sp.expand(eta * usam), domain=domain)
    assert _quick([same]).passed
    differs = Claim(id="differs", statement="", kind="equality", left=usam, right=usam + rho, domain=domain)
    assert not _quick([differs]).passed


def test_a_wrong_measurement_fails():
    h = sp.Symbol("h", positive=True)
    domain = {"eta": Interval(0.1, 0.2), "rho": Interval(0.01, 0.1), "h": Interval(1.0, 5.0)}
    amplitude = eta * rho * h / (2 - eta * h)
    for factor, passes in [(1, True), (h, False)]:  # the gradient norm on the cycle is a common slip for its amplitude
        claim = Claim(
            id="cycle",
            statement="",
            kind="measurement",
            left=factor * amplitude,
            domain=domain,
            rule="sam",
            measured_by="two_cycle",
        )
        assert _quick([claim]).passed is passes
    unknown = Claim(
        id="x", statement="", kind="measurement", left=amplitude, domain=domain, rule="sam", measured_by="two_cycl"
    )
    report = _quick([unknown])
    assert not report.passed
    assert 'did you mean "two_cycle"' in repr(report)


def test_the_seed_decides_the_cases():
    first, again, other = (_quick("heavy_ball", seed=s)["heavy_ball.edge"] for s in (1, 1, 2))
    assert first == again
    assert first.shown.predicted != other.shown.predicted


def test_patterns_and_unknown_claims():
    assert {v.claim for v in _quick("gd*.edge")} >= {"gd.edge", "gd_weight_decay.edge"}
    with pytest.raises(ValueError, match="did you mean"):
        _quick("gd.egde")
    with pytest.raises(ValueError, match="unknown data set"):
        eossim.verify("gd", data="digit")
    with pytest.raises(ValueError, match="seed"):
        eossim.verify("gd", seed=-1)


def test_reports_are_written(tmp_path):
    report = _quick("gd")
    report.save(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text())
    assert document["passed"] is True
    assert document["claims"][0]["claim"] == "gd.edge"
    report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "<svg" in page
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?https?:""", page)  # nothing is fetched from elsewhere
    for path in (tmp_path / "report.pdf", tmp_path / "missing" / "report.json"):
        with pytest.raises(ValueError, match="report"):
            report.save(path)


def test_real_data_from_a_file(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", X=rng.standard_normal((30, 4)), y=rng.standard_normal(30))
    assert eossim.verify("gd", data=str(tmp_path / "mine.npz"), jobs=1).passed
