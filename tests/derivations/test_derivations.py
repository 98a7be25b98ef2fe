"""Every derivation, step by step and claim by claim, against the rules, exact arithmetic and reference values."""

import json

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from derivations import SCRIPTS, derive_all
from derivations.common import edge_claim
from eossim import rules
from eossim._rule import Family
from eossim.domain import Interval
from eossim.symbolic import eta, h
from eossim.symbolic.claim import KINDS, Claim
from eossim.symbolic.derivation import Derivation, load
from eossim.symbolic.emit_formula import compile_mpmath
from eossim.verification.experiments import EXPERIMENTS

DERIVATIONS = load()  # as recorded: what a JSON round trip leaves
CLAIMS = {c.id: c for d in DERIVATIONS for c in d.claims}
EDGES = [i for i, c in CLAIMS.items() if c.kind == "edge"]
STATEMENTS = [i for i, c in CLAIMS.items() if c.kind in ("equality", "inequality")]
MEASUREMENTS = {
    "two_cycle": {"sam", "sam_heavy_ball", "normalised", "clipped_gd"},
    "transverse_multiplier": {"sam"},
    "radial_multiplier": {"sam"},
    "divergence_boundary": {"sam", "usam"},
    "valley_drift": {"sam"},
    "sharpening_level": {"sam"},
}


def member(claim: Claim):
    """Return the rule that a claim is about."""
    rule = rules.CATALOGUE[claim.rule]
    return rule.member(claim.structure) if isinstance(rule, Family) else rule


def exact(claim: Claim, point: dict, digits: int = 160) -> list[mpmath.mpf]:
    """Return left side, right side (0 without one) and side conditions of a claim at a point."""
    right = sp.Integer(0) if claim.right is None else claim.right
    with mpmath.workdps(digits):
        function = compile_mpmath(list(claim.symbols.values()), [claim.left, right, *claim.where])
        return [mpmath.mpf(x) for x in function(*(mpmath.mpf(point[n]) for n in claim.symbols))]


def value(claim_id: str, **point: str | float) -> float:
    """Return the left side of a claim; decimals given as text are exact."""
    return float(exact(CLAIMS[claim_id], point)[0])


def inside(claim: Claim, point: dict) -> bool:
    """Return whether the side conditions hold, by a margin."""
    terms = [
        [float(t.subs({claim.symbols[n]: v for n, v in point.items()})) for t in sp.Add.make_args(c)]
        for c in claim.where
    ]
    return all(sum(t) > 0.01 * max(map(abs, t)) for t in terms)


def numbers(interval: Interval) -> st.SearchStrategy[float]:
    """Return numbers of an interval; six orders of magnitude on a half line."""
    if np.isfinite(interval.high):
        width = interval.high - interval.low
        return st.floats(
            interval.low + 1e-4 * width * interval.open_low, interval.high - 1e-4 * width * interval.open_high
        )
    positive = st.floats(-3, 3).map(lambda e: 10.0**e)
    return positive if interval.open_low else st.one_of(st.just(0.0), positive)


def test_recorded_derivations_are_those_of_the_scripts():
    fresh = derive_all()
    assert json.loads(json.dumps([d.to_json() for d in fresh])) == [d.to_json() for d in DERIVATIONS]
    assert len({d.name for d in fresh}) == len(fresh)
    assert len(CLAIMS) == sum(len(d.claims) for d in fresh)
    assert len(set(SCRIPTS)) == len(SCRIPTS)


@pytest.mark.parametrize("d", DERIVATIONS, ids=lambda d: d.name)
def test_every_step_holds_after_the_round_trip(d):
    assert [s.text for s in d.steps if not s.holds()] == []
    assert sum(s.left is not None for s in d.steps) >= 2
    again = Derivation.from_json(json.loads(json.dumps(d.to_json())))
    assert [(c.left, c.right, c.where, c.domain) for c in again.claims] == [
        (c.left, c.right, c.where, c.domain) for c in d.claims
    ]


@pytest.mark.parametrize("d", DERIVATIONS, ids=lambda d: d.name)
def test_a_disturbed_step_is_refused(d):
    step = next(s for s in reversed(d.steps) if s.left is not None)
    with pytest.raises(AssertionError, match="disturbed"):
        Derivation("d", "t", "m").equal("disturbed", step.left, step.right + eta * h / 7)


def test_every_rule_has_its_edge_claim():
    for name, rule in rules.CATALOGUE.items():
        found = [c for c in CLAIMS.values() if c.kind == "edge" and c.rule == name]
        if isinstance(rule, Family):
            assert found, name
            assert {c.id for c in found} == {f"{name}.edge.{c.structure}" for c in found}
        else:
            assert [c.id for c in found] == [f"{name}.edge"]
            assert found[0].reference == rule.reference
            assert found[0].tight == rule.edge.tight


def test_claims_are_well_formed():
    for claim in CLAIMS.values():
        assert claim.kind in KINDS
        assert (claim.right is not None) == (claim.kind in ("equality", "inequality")), claim.id
        assert (claim.measured_by != "") == (claim.kind in ("measurement", "experiment")), claim.id
        if claim.kind == "measurement":
            assert claim.rule in MEASUREMENTS[claim.measured_by]
        used = {s for e in (claim.left, claim.right, *claim.where) if e is not None for s in e.free_symbols}
        assert used <= set(claim.symbols.values()), claim.id  # not only the names: the assumptions too
    assert {c.measured_by for c in CLAIMS.values() if c.kind == "measurement"} == set(MEASUREMENTS)
    assert {c.measured_by for c in CLAIMS.values() if c.kind == "experiment"} == set(EXPERIMENTS)


@pytest.mark.parametrize("claim_id", EDGES)
def test_the_textbook_form_is_the_derived_edge(claim_id):
    claim, edge = CLAIMS[claim_id], member(CLAIMS[claim_id]).edge
    derived, rng = edge.mpmath(40), np.random.default_rng(11)
    for _ in range(12):
        point = {n: i.sample(rng) for n, i in claim.domain.items()}
        if not inside(claim, point):
            continue
        left, right = exact(claim, point)[0], derived(**{n: point[n] for n in edge.needs})
        with mpmath.workdps(60):
            assert left == right or abs(left / right - 1) < mpmath.mpf("1e-38"), point


def test_numerical_and_closed_roots_agree_for_a_cycle_of_three():
    edge = rules.cyclic_steps.member(3).edge
    assert edge(eta_1=0.1, eta_2=0.2, eta_3=0.3) == pytest.approx(12.4524384973, rel=1e-10)
    assert edge(eta_1=0.1, eta_2=0.1, eta_3=0.1) == pytest.approx(20, rel=1e-12)


def test_a_wrong_textbook_form_is_told_from_the_edge():
    claim = edge_claim(Derivation("d", "t", "m"), rules.gd, 3 / eta)
    assert exact(claim, {"eta": 0.1})[0] != rules.gd.edge.mpmath(40)(eta=0.1)


@pytest.mark.parametrize("claim_id", STATEMENTS)
@settings(max_examples=15)
@given(data=st.data())
def test_equalities_and_inequalities_hold(claim_id, data):
    claim = CLAIMS[claim_id]
    point = data.draw(st.fixed_dictionaries({n: numbers(i) for n, i in claim.domain.items()}))
    assume(inside(claim, point))
    left, right, *_ = exact(claim, point)
    with mpmath.workdps(160):
        slack = mpmath.mpf("1e-60") * max(abs(left), abs(right))
        assert abs(left - right) <= slack if claim.kind == "equality" else left <= right + slack


# --- reference values ---

E1 = {"eta": "0.1"}
EB = {"eta": "0.1", "beta": "0.9"}
SAM = {"eta": "0.1", "rho": "0.1", "grad_norm": 1}
USAM = {"eta": "0.1", "rho": "0.1"}
REFERENCE = [
    ("gd", E1, 20),
    ("gd_weight_decay", E1 | {"weight_decay": 3}, 17),
    ("preconditioned_gd", E1, 20),
    ("per_parameter_lr", {}, 2),
    ("clipped_gd", E1 | {"clip": 1, "grad_norm": 2}, 40),
    ("normalised", E1 | {"grad_norm": 0.5}, 10),
    ("extragradient", E1, 10),
    ("alternating_steps", {"eta_1": "0.1", "eta_2": "0.2"}, 15),
    ("alternating_steps", {"eta_1": "0.1", "eta_2": "0.9"}, "2.61583187659489943"),
    ("lookahead.5", E1 | {"alpha": 0.5}, "22.4573093961552"),
    ("lookahead.2", E1 | {"alpha": 0.5}, 20),
    ("runge_kutta_2", E1, 20),
    ("runge_kutta_4", E1, "27.8529356340528"),
    ("implicit_gd", E1, "inf"),
    ("heavy_ball", EB, 38),
    ("heavy_ball_dampened", EB | {"tau": "0.4"}, "63.33333333333333333"),
    ("ema_momentum", EB, 380),
    ("nesterov", EB, "13.5714285714285714"),
    ("ema_nesterov", {"eta": "0.1", "beta": 0.5}, 30),
    ("qhm", EB | {"nu": "0.7"}, 59.375),
    ("parallel_ema.2", E1 | {"beta_1": 0, "beta_2": "0.9", "weight_1": 0.5, "weight_2": 0.5}, 38),
    ("cascaded_ema", E1 | {"beta_1": "0.4", "beta_2": "0.7"}, "25.7142857142857143"),
    ("optimistic_gd", E1, "6.66666666666666667"),
    ("delayed_gd.1", E1, 10),
    ("delayed_gd.0", E1, 20),
    ("heavy_ball_l2", {"eta": "0.1", "beta": 0.5, "weight_decay": 4}, 26),
    ("nesterov_l2", EB | {"weight_decay": 3}, "10.5714285714285714"),
    ("heavy_ball_decoupled", EB | {"weight_decay": 3}, 32.3),
    ("rmsprop_momentum", {"eta": "0.01", "mu": "0.9"}, 380),
    ("adam_frozen", {"eta": 1, "beta1": "0.9"}, 38),
    ("adam_frozen", {"eta": 1, "beta1": "0.95"}, 78),
    ("adamw_frozen", {"eta": "0.05", "beta1": "0.9", "weight_decay": 2}, 722),
    ("nadam_frozen", {"eta": "0.01", "beta1": 0.5}, 300),
    ("sam", SAM, 10),
    ("usam", USAM, 10),
    ("sam_heavy_ball", SAM | {"beta": "0.9"}, "15.1246117974981"),
    ("sam_ema", SAM | {"beta": "0.9"}, "56.8465843842649"),
    ("sam_nesterov", SAM | {"beta": "0.9"}, "7.67731382092775"),
    ("sam_decoupled_decay", SAM | {"weight_decay": 3}, "8.96424004376894"),
    ("usam_heavy_ball", USAM | {"beta": "0.9"}, "15.1246117974981"),
    ("usam_ema", USAM | {"beta": "0.9"}, "56.8465843842649"),
    ("usam_nesterov", USAM | {"beta": "0.9"}, "7.67731382092775"),
    # SAM at rho = 0.05 over 24 orders of magnitude of the gradient norm
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1.3"}, "13.2488094968133745"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e-12"}, "1.99999900000025e-5"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e-6"}, "0.0199900024999998438"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e-3"}, "0.622534584034738768"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": 1}, "12.360679774997897"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e3"}, "19.9800399002791626"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e9"}, "19.99999998"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "1e12"}, "19.99999999998"),
    ("sam", {"eta": "0.1", "rho": "0.05", "grad_norm": "0.9"}, 12),
    ("usam", {"eta": "0.1", "rho": "0.05"}, "12.360679774997897"),
]


@pytest.mark.parametrize(("name", "point", "reference"), REFERENCE)
def test_reference_values_of_edges(name, point, reference):
    rule, _, structure = name.partition(".")
    claim = CLAIMS[f"{rule}.edge.{structure}" if structure else f"{rule}.edge"]
    assert float(exact(claim, point)[0]) == pytest.approx(float(reference), rel=1e-12)
    edge = member(claim).edge
    values = {n: float(v) for n, v in point.items() if n in edge.needs}
    assert edge(**values) == pytest.approx(float(reference), rel=1e-12)


H2 = np.array([[2.0, 1.0], [1.0, 2.0]])
H3 = np.array([[2.0, 0.5, 0.3], [0.5, 1.5, -0.4], [0.3, -0.4, 1.0]])


@pytest.mark.parametrize(
    ("hessian", "scale", "reference"),
    [
        (H3, np.array([0.5, 0.25, 0.2]), 1.05223041737364),  # per_parameter_lr, etas
        (H2, 1 / np.array([1.0, 2.0]), 2.36602540378444),  # rmsprop_frozen, P = diag(1, 2)
        (H2 + 0.5 * np.eye(2), 1 / np.array([1.0, 2.0]), 2.81872930440884),  # adam_l2, weight decay 0.5
    ],
)
def test_reference_values_of_preconditioned_curvature(hessian, scale, reference):
    root = np.sqrt(scale)
    assert np.linalg.eigvalsh(root[:, None] * hessian * root)[-1] == pytest.approx(reference, rel=1e-12)
    step = np.eye(len(scale)) - scale[:, None] * hessian * 2 / reference  # the edge of gradient descent in this metric
    assert np.max(np.abs(np.linalg.eigvals(step))) == pytest.approx(1, rel=1e-12)


def test_critical_step_size_of_rmsprop():
    assert value("rmsprop_frozen.edge", eta=0.845299461620749) == pytest.approx(2.36602540378444, rel=1e-12)


def test_sam_elasticity_and_negative_threshold():
    left = CLAIMS["sam.stable_form"].right
    symbols = CLAIMS["sam.stable_form"].symbols
    norm = symbols["grad_norm"]
    point = {symbols["eta"]: sp.Rational(1, 10), symbols["rho"]: sp.Rational(1, 20), norm: sp.Rational(13, 10)}
    assert float((norm * sp.diff(left, norm) / left).subs(point)) == pytest.approx(0.252369721728175712, rel=1e-12)
    assert float((left + norm / symbols["rho"]).subs(point)) == pytest.approx(39.248809496813375, rel=1e-12)
    assert float((left * symbols["eta"] / 2).subs(point)) == pytest.approx(0.662440474840668726, rel=1e-12)
    other = 13.2488094968133745 + 26  # the other root of the quadratic is the negative of the threshold
    assert other == pytest.approx(39.248809496813375, rel=1e-12)


def test_the_other_root_of_usam():
    edge = value("usam.edge", eta="0.1", rho="0.05")
    assert -(edge + 20) == pytest.approx(-32.360679774997897, rel=1e-12)


@pytest.mark.parametrize(
    ("eta_", "rho_", "curvature", "expected"),
    [
        ("0.3", "0.05", 4, (0.075, 0.3, 0.01125, 0.125, 0.5, 0.03125)),
        ("0.1", "0.05", 10, (0.05, 0.5, 0.0125, 0.1, 1, 0.05)),
    ],
)
def test_the_two_cycle_of_sam(eta_, rho_, curvature, expected):
    amplitude = value("sam.two_cycle", eta=eta_, rho=rho_, h=curvature)
    perturbed = amplitude + float(rho_)
    found = (amplitude, curvature * amplitude, curvature * amplitude**2 / 2, perturbed, curvature * perturbed,
             curvature * perturbed**2 / 2)  # fmt: skip
    assert found == pytest.approx(expected, rel=1e-12)
    assert value("sam.edge", eta=eta_, rho=rho_, grad_norm=found[1]) == pytest.approx(curvature, rel=1e-12)


def test_the_critical_gradient_norm():
    amplitude = value("sam.two_cycle", eta="0.1", rho="0.05", h=12)
    assert 12 * amplitude == pytest.approx(0.9, rel=1e-12)


def test_the_path_to_the_two_cycle_in_one_dimension():
    x, a, rho_, path = sp.Integer(1), sp.Rational(2, 5), sp.Rational(1, 20), []
    for _ in range(60):
        x = x - a * (x + rho_ * sp.sign(x))
        path.append(x)
    expected = ["29/50", "41/125", "221/1250", "269/3125", "989/31250", "-79/78125", "15151/781250", "-16336/1953125"]
    assert path[:8] == [sp.Rational(e) for e in expected]
    assert next(t for t, x in enumerate(path, 1) if x < 0) == sp.ceiling(sp.log(21) / -sp.log(1 - a)) == 6
    assert float(path[-1]) == pytest.approx(-0.0124999999999879651, rel=1e-12)
    assert value("sam.two_cycle", eta="0.1", rho="0.05", h=4) == pytest.approx(0.0125, rel=1e-12)
    at_boundary = sp.Rational(3, 10)
    for _ in range(50):
        at_boundary = at_boundary - 2 * (at_boundary + sp.Rational(1, 10) * sp.sign(at_boundary))
    assert abs(at_boundary) == sp.Rational(103, 10)


def test_the_transverse_multiplier():
    assert value("sam.transverse", eta="0.09", rho=1, h=10, q=0.5) == pytest.approx(0.275, rel=1e-12)
    # two curvatures 3 and 1, eta = 0.2: 0.4 along the cycle, 0.6444... across it
    assert value("sam.radial", eta="0.2", rho="0.1", h=3) == pytest.approx(-0.4, rel=1e-12)
    third = mpmath.mpf(1) / 3
    assert value("sam.transverse", eta="0.2", rho="0.1", h=3, q=third) == pytest.approx(0.644444444444444444, rel=1e-12)


def test_the_valley_drift_and_the_sharpening_level():
    assert value("sam.valley_drift", eta="0.2", rho="0.01", u=1) == pytest.approx(-3.125e-5, rel=1e-12)
    level = value("sam.sharpening_level", eta="0.1", rho="0.05", c="0.05", k=1)
    assert level == pytest.approx(16.837722339831621, rel=1e-12)


def test_the_catalan_series():
    u, ratio = 0.01, value("sam.stable_form", eta=2, rho="0.01", grad_norm=1)  # 2 rho / (eta G) = u, E = ratio
    assert ratio == pytest.approx(0.990195135927848300, rel=1e-12)
    assert 1 - u + 2 * u**2 - 5 * u**3 + 14 * u**4 - ratio == pytest.approx(4.07e-9, rel=2e-3)
