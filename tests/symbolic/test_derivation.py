import json

import pytest

import eossim
from eossim import rules
from eossim._rule import Family
from eossim.domain import POSITIVE
from eossim.symbolic import beta, eta, grad, h, m, w
from eossim.symbolic.claim import Claim
from eossim.symbolic.derivation import Derivation, Step, load


def test_a_wrong_step_fails():
    d = Derivation("d", "title", "model")
    with pytest.raises(AssertionError, match="two is three"):
        d.equal("two is three", 2 / eta, 3 / eta)
    assert not Step("wrong", 2 / eta, 3 / eta).holds()
    assert "NOT PROVED" in Derivation("d", "t", "m", steps=[Step("wrong", 2 / eta, 3 / eta)]).text()


def test_json_round_trip_keeps_everything():
    for d in load():
        again = Derivation.from_json(json.loads(json.dumps(d.to_json())))
        assert again.to_json() == d.to_json()


def test_renderings_show_every_step():
    d = eossim.derive("gd")
    assert d.text().count("[proved]") == sum(s.left is not None for s in d.steps)
    assert d.markdown().startswith("## ")
    assert d.latex().endswith(r"\end{enumerate}")
    assert d._repr_markdown_() == d.markdown()


def test_unknown_derivation_offers_the_nearest():
    with pytest.raises(ValueError, match='did you mean "gd"'):
        eossim.derive("gdd")


@pytest.mark.parametrize("name", rules.CATALOGUE)
def test_automatic_derivation_of_every_rule(name):
    found = rules.CATALOGUE[name]
    d = eossim.derive(found.member(2) if isinstance(found, Family) else found)
    assert all(s.holds() for s in d.steps)


def test_automatic_derivation_of_a_user_rule():
    mine = eossim.Rule("mine", (eta, beta), {w: w - eta * (grad(w) + beta * m), m: beta * m + grad(w)})
    assert "z = -1 is a root" in eossim.derive(mine).text()


def test_claims_check_their_fields():
    with pytest.raises(ValueError, match="kind"):
        Claim(id="x", statement="", kind="wish", left=eta, domain={"eta": POSITIVE})
    with pytest.raises(ValueError, match="no interval"):
        Claim(id="x", statement="", kind="equality", left=eta, right=h, domain={"eta": POSITIVE})
