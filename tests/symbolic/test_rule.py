import pytest
import sympy as sp

import eossim
from eossim import rules
from eossim.domain import Interval
from eossim.symbolic import beta, eta, grad, m, norm, rho, w


def test_two_spellings_declare_the_same_rule():
    @eossim.rule("arXiv:2309.12488")
    def sam(w, *, eta, rho):
        g = grad(w)
        return w - eta * grad(w + rho * g / norm(g))

    g = grad(w)
    spelled = eossim.Rule("sam", hyper=(eta, rho), update={w: w - eta * grad(w + rho * g / norm(g))})
    assert sam.update == spelled.update == rules.sam.update
    assert sam.edge.expression == rules.sam.edge.expression


def test_symbols_are_matched_by_name():
    plain = sp.Symbol("eta")
    assert eossim.Rule("mine", [plain], {w: w - plain * grad(w)}).edge.expression == rules.gd.edge.expression


def test_own_hyper_parameters_take_their_interval_from_assumptions_or_domain():
    kappa = sp.Symbol("kappa", nonnegative=True)
    made = eossim.Rule("mine", [eta, kappa], {w: w - eta * (1 + kappa) * grad(w)})
    assert made.domain["kappa"].describe("kappa") == "kappa >= 0"
    bounded = eossim.Rule("mine", ["eta", "kappa"], made.update, domain={"kappa": Interval(0.0, 2.0)})
    with pytest.raises(ValueError, match="kappa"):
        bounded.edge(eta=0.1, kappa=3)


@pytest.mark.parametrize(
    ("hyper", "update", "message"),
    [
        ((eta,), {w: w - eta * rho * grad(w)}, "undeclared symbol.*rho"),
        ((eta, rho), {w: w - eta * grad(w)}, "rho.*never appear"),
        ((eta,), {m: m - eta * grad(m)}, "what becomes of w"),
        ((eta, "w"), {w: w - eta * grad(w)}, "both as state"),
    ],
)
def test_wrong_declarations_fail_where_they_are_written(hyper, update, message):
    with pytest.raises(ValueError, match=message):
        eossim.Rule("mine", hyper, update)


def test_name_must_be_an_identifier():
    with pytest.raises(ValueError, match="identifier"):
        eossim.Rule("my rule", (eta,), {w: w - eta * grad(w)})


def test_nonlinear_rules_have_no_edge_but_a_program():
    signed = eossim.Rule("signed", (eta,), {w: w - eta * sp.sign(grad(w))})
    with pytest.raises(ValueError, match="not linear"):
        _ = signed.edge
    assert not signed.program.rotation_equivariant


def test_plain_and_preconditioned_gradients_do_not_mix():
    from eossim.symbolic import precond

    mixed = eossim.Rule("mixed", (eta,), {w: w - eta * grad(w) - eta * precond(grad(w))})
    with pytest.raises(ValueError, match="eigenbasis"):
        _ = mixed.linearization


def test_series_in_the_radius_has_catalan_coefficients():
    G = sp.Symbol("grad_norm", positive=True)
    u = 2 * rho / (eta * G)
    catalan = 2 / eta * (1 - u + 2 * u**2 - 5 * u**3)
    assert sp.expand(rules.sam.series("rho", 4) - catalan) == 0
    with pytest.raises(ValueError, match="did you mean"):
        rules.sam.series("rh")


def test_latex_speaks_the_fields_language():
    assert r"\nabla L" in rules.sam.latex
    assert r"\left\Vert" in rules.sam.latex
    assert rules.sam._repr_latex_().startswith("$")
    assert "G" in rules.sam.edge.latex


def test_family_members():
    family = rules.delayed_gd
    assert family.member(2) is family.member(2)
    with pytest.raises(ValueError, match="delay"):
        family.member(-1)
    with pytest.raises(ValueError, match="one length"):
        rules.parallel_ema(eta=0.1, betas=[0.1, 0.2], weights=[1.0])
    with pytest.raises(ValueError, match="needs etas"):
        rules.cyclic_steps()


def test_update_of_a_two_state_rule_reads_old_values():
    made = eossim.Rule("swap", (eta, beta), {w: w - eta * m, m: beta * m + grad(w)})
    assert made.linearization.matrix == sp.Matrix([[1, -eta], [sp.Symbol("h", positive=True), beta]])


def test_the_decorator_works_bare_and_says_what_is_wrong():
    @eossim.rule
    def bare(w, *, eta):
        return w - eta * grad(w)

    assert bare.edge(eta=0.1) == pytest.approx(20)

    @eossim.rule()
    def short(w, m, *, eta):
        return w - eta * grad(w)

    with pytest.raises(ValueError, match="must return the next w, m"):
        _ = short.edge
    with pytest.raises(ValueError, match="distinct"):
        eossim.Rule("mine", "eta", {w: w - eta * grad(w)})
