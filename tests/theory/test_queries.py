"""Queries against the reference values of the catalogue and against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import rules

H2 = np.array([[2.0, 1.0], [1.0, 2.0]])
POSITIVE = st.floats(-3, 3).map(lambda x: 10**x)

REFERENCE = [
    ("gd", {"eta": 0.1}, 20),
    ("gd_weight_decay", {"eta": 0.1, "weight_decay": 3}, 17),
    ("clipped_gd", {"eta": 0.1, "clip": 1, "grad_norm": 2}, 40),
    ("extragradient", {"eta": 0.1}, 10),
    ("alternating_steps", {"etas": (0.1, 0.2)}, 15),
    ("lookahead", {"eta": 0.1, "k": 5, "alpha": 0.5}, 22.4573093961552),
    ("runge_kutta_4", {"eta": 0.1}, 27.8529356340528),
    ("normalised", {"eta": 0.1, "grad_norm": 0.5}, 10),
    ("heavy_ball", {"eta": 0.1, "beta": 0.9}, 38),
    ("heavy_ball_dampened", {"eta": 0.1, "beta": 0.9, "tau": 0.4}, 190 / 3),
    ("ema_momentum", {"eta": 0.1, "beta": 0.9}, 380),
    ("nesterov", {"eta": 0.1, "beta": 0.9}, 13.5714285714286),
    ("ema_nesterov", {"eta": 0.1, "beta": 0.5}, 30),
    ("qhm", {"eta": 0.1, "beta": 0.9, "nu": 0.7}, 59.375),
    ("parallel_ema", {"eta": 0.1, "betas": (0, 0.9), "weights": (0.5, 0.5)}, 38),
    ("cascaded_ema", {"eta": 0.1, "beta_1": 0.4, "beta_2": 0.7}, 25.7142857142857),
    ("optimistic_gd", {"eta": 0.1}, 20 / 3),
    ("delayed_gd", {"eta": 0.1, "delay": 1}, 10),
    ("heavy_ball_l2", {"eta": 0.1, "beta": 0.5, "weight_decay": 4}, 26),
    ("nesterov_l2", {"eta": 0.1, "beta": 0.9, "weight_decay": 3}, 10.5714285714286),
    ("heavy_ball_decoupled", {"eta": 0.1, "beta": 0.9, "weight_decay": 3}, 32.3),
    ("rmsprop_momentum", {"eta": 0.01, "mu": 0.9}, 380),
    ("adam_frozen", {"eta": 1.0, "beta1": 0.9}, 38),
    ("adam_frozen", {"eta": 1.0, "beta1": 0.95}, 78),
    ("adamw_frozen", {"eta": 0.05, "weight_decay": 2, "beta1": 0.9}, 722),
    ("nadam_frozen", {"eta": 0.01, "beta1": 0.5}, 300),
    ("sam", {"eta": 0.1, "rho": 0.1, "grad_norm": 1}, 10),
    ("sam", {"eta": 0.1, "rho": 0.05, "grad_norm": 1.3}, 13.2488094968133745),
    ("usam", {"eta": 0.1, "rho": 0.1}, 10),
    ("sam_heavy_ball", {"eta": 0.1, "beta": 0.9, "rho": 0.1, "grad_norm": 1}, 15.1246117974981),
    ("sam_ema", {"eta": 0.1, "beta": 0.9, "rho": 0.1, "grad_norm": 1}, 56.8465843842649),
    ("sam_nesterov", {"eta": 0.1, "beta": 0.9, "rho": 0.1, "grad_norm": 1}, 7.67731382092775),
    ("sam_decoupled_decay", {"eta": 0.1, "rho": 0.1, "grad_norm": 1, "weight_decay": 3}, 8.96424004376894),
]


@pytest.mark.parametrize(
    ("name", "values", "reference"), REFERENCE, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(REFERENCE)]
)
def test_reference_values(name, values, reference):
    assert eossim.edge(name, **values) == pytest.approx(reference, rel=1e-12)


def test_values_that_the_catalogue_gives_to_eleven_digits():
    assert eossim.edge("cyclic_steps", etas=(0.1, 0.2, 0.3)) == pytest.approx(12.4524384973, abs=5e-11)
    assert eossim.edge("implicit_gd", eta=0.1) == np.inf
    assert eossim.edge("per_parameter_lr") == 2


@pytest.mark.parametrize(
    ("norm", "edge"),
    [  # sam.md R2; the first value is corrected there in the fifteenth digit
        (1e-12, 1.99999900000025e-5),
        (1e-6, 0.0199900024999998438),
        (1e-3, 0.622534584034738768),
        (1, 12.360679774997897),
        (1e3, 19.9800399002791626),
        (1e9, 19.99999998),
        (1e12, 19.99999999998),
    ],
)
def test_sam_edge_over_24_orders_of_magnitude(norm, edge):
    assert eossim.edge("sam", eta=0.1, rho=0.05, grad_norm=norm) == pytest.approx(edge, rel=1e-14)


@pytest.mark.parametrize("name", ["delayed_gd", "lookahead"])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_closed_form_of_a_family_is_the_edge_of_its_members(name, size):
    family = rules.CATALOGUE[name]
    values = {"eta": 0.37} | ({"alpha": 0.6} if name == "lookahead" else {})
    closed = eossim.edge(name, **values, **{family.structure: size})
    assert closed == pytest.approx(family.member(size).edge(**values), rel=1e-10)


def test_arrays_broadcast():
    values = eossim.edge("sam", eta=[[0.1], [0.2]], rho=0.05, grad_norm=[1.0, 2.0, 3.0])
    assert values.shape == (2, 3)
    assert values[1, 2] == eossim.edge("sam", eta=0.2, rho=0.05, grad_norm=3.0)


@given(POSITIVE, st.floats(0.1, 10))
def test_edges_scale_with_the_step_size(eta, c):
    for name, extra in [("gd", {}), ("heavy_ball", {"beta": 0.9}), ("runge_kutta_4", {})]:
        assert eossim.edge(name, eta=c * eta, **extra) == pytest.approx(eossim.edge(name, eta=eta, **extra) / c)
    for name, extra in [("usam", {}), ("sam", {"grad_norm": 0.7})]:
        scaled = eossim.edge(name, eta=c * eta, rho=c * 0.05, **extra)
        assert scaled == pytest.approx(eossim.edge(name, eta=eta, rho=0.05, **extra) / c)


@given(POSITIVE, st.floats(0, 0.95))
def test_specialisations(eta, beta):
    edge = eossim.edge
    assert edge("qhm", eta=eta, beta=beta, nu=0) == pytest.approx(edge("gd", eta=eta))
    assert edge("qhm", eta=eta, beta=beta, nu=1) == pytest.approx(edge("ema_momentum", eta=eta, beta=beta))
    assert edge("qhm", eta=eta, beta=beta, nu=beta) == pytest.approx(edge("ema_nesterov", eta=eta, beta=beta))
    assert edge("adamw_frozen", eta=eta, beta1=beta, weight_decay=0) == pytest.approx(
        edge("adam_frozen", eta=eta, beta1=beta)
    )
    assert edge("sam", eta=eta, rho=0, grad_norm=1) == edge("gd", eta=eta)
    assert edge("alternating_steps", etas=(eta, eta)) == pytest.approx(edge("gd", eta=eta))
    assert edge("lookahead", eta=eta, k=1, alpha=1) == pytest.approx(edge("gd", eta=eta))


@given(POSITIVE, POSITIVE, st.floats(0.05, 1.9))
def test_critical_gradient_norm_inverts_the_edge(eta, rho, k):
    h = k / eta
    norm = eossim.critical_grad_norm("sam", h, eta=eta, rho=rho)
    assert norm == pytest.approx(eta * rho * h**2 / (2 - k), rel=1e-10)
    assert eossim.edge("sam", eta=eta, rho=rho, grad_norm=norm) == pytest.approx(h, rel=1e-9)


@pytest.mark.parametrize(("eta", "rho", "h", "amplitude"), [(0.3, 0.05, 4, 0.075), (0.1, 0.05, 10, 0.05)])
def test_amplitude_of_the_two_cycle(eta, rho, h, amplitude):
    assert eossim.two_cycle_amplitude("sam", h, eta=eta, rho=rho) == pytest.approx(amplitude, rel=1e-12)
    assert eossim.two_cycle_amplitude("normalised", h, eta=eta) == pytest.approx(eta / 2)
    assert eossim.two_cycle_amplitude("clipped_gd", 3 / eta, eta=eta, clip=2.0) == pytest.approx(eta * 2 / 2)
    with_momentum = eossim.two_cycle_amplitude("sam_heavy_ball", h, eta=eta, beta=0.5, rho=rho)
    assert with_momentum == pytest.approx(eta * rho * h / (3 - eta * h))


def test_critical_step_size_inverts_the_edge():
    assert eossim.critical_step_size("usam", 4.0, rho=0.5) == pytest.approx(1 / 6)
    assert eossim.critical_step_size("adamw_frozen", 20.0, beta1=0.9, weight_decay=2) == pytest.approx(3.8 / (2 + 3.8))
    eta = eossim.critical_step_size("sam", 5.0, rho=0.05, grad_norm=0.7)
    assert eossim.edge("sam", eta=eta, rho=0.05, grad_norm=0.7) == pytest.approx(5)
    several = eossim.critical_step_size("gd", np.array([1.0, 4.0]))
    np.testing.assert_allclose(several, [2, 0.5])


def test_preconditioned_queries():
    assert eossim.preconditioned_sharpness(H2, P=[1.0, 2.0]) == pytest.approx(2.36602540378444, rel=1e-13)
    assert eossim.preconditioned_sharpness(H2, nu_hat=[1.0, 4.0], eps=0.0) == pytest.approx(2.36602540378444)
    assert eossim.critical_step_size("rmsprop_frozen", H2, P=[1.0, 2.0]) == pytest.approx(0.845299461620749)
    assert eossim.preconditioned_sharpness(H2 + 0.5 * np.eye(2), P=[1.0, 2.0]) == pytest.approx(2.81872930440884)
    assert eossim.critical_step_size("adam_l2", H2, P=[1.0, 2.0], beta1=0.0, weight_decay=0.5) == pytest.approx(
        2 / 2.81872930440884
    )
    assert eossim.critical_step_size("gd", np.diag([1.0, -1.0])) == 0
    assert eossim.preconditioned_sharpness(H2, P=3 * np.eye(2)) == pytest.approx(1)


def test_critical_step_size_of_semidefinite_and_indefinite_hessians():
    for seed in range(8):  # rank deficient: eigenvalues of -1e-16 are rounding
        factor = np.random.default_rng(seed).standard_normal((3, 6))
        hessian = factor.T @ factor
        assert eossim.critical_step_size("gd", hessian) == pytest.approx(2 / np.linalg.eigvalsh(hessian)[-1])
    digits = eossim.data.load("digits").least_squares()
    expected = eossim.edge("adam_frozen", eta=1.0, beta1=0.9) / digits.eigenvalues[-1]
    found = eossim.critical_step_size("adam_frozen", digits.hessian(), beta1=0.9, nu_hat=np.ones(digits.dim), eps=0.0)
    assert found == pytest.approx(expected)
    saddle = np.diag([1.0, -0.5])
    assert eossim.critical_step_size("gd_weight_decay", saddle, weight_decay=1.0) == pytest.approx(1.0)
    assert eossim.critical_step_size("gd_weight_decay", saddle, weight_decay=0.1) == 0
    assert eossim.critical_step_size("gd", np.zeros((2, 2))) == np.inf


def test_spectral_radius_overflows_to_infinity():
    assert eossim.spectral_radius("heavy_ball", 1e308, eta=1e10, beta=0.5) == np.inf


def test_spectral_radius():
    np.testing.assert_allclose(
        eossim.spectral_radius("heavy_ball", h=[1.0, 38.0], eta=0.1, beta=0.9), [np.sqrt(0.9), 1.0], rtol=1e-7
    )
    assert eossim.spectral_radius("gd", h=-1.0, eta=0.1) == pytest.approx(1.1)
    assert eossim.spectral_radius("sam", h=2.0, eta=0.1, rho=0.5, grad_norm=2.0) == pytest.approx(1 - 0.2 * 1.5)


def test_table_prints_everywhere():
    table = eossim.edges()
    assert len(table) == len(rules.CATALOGUE) >= 40
    assert {e.name for e in table} == set(rules.CATALOGUE)
    assert "sam" in repr(table)
    assert table._repr_html_().count("<tr>") == len(table) + 1
    assert table.markdown().count("\n") == len(table) + 1
    assert table["cascaded_ema"].crossing == ("-1", "complex")
    assert not table["sam"].tight
    with pytest.raises(KeyError):
        table["sma"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eossim.edge("sma", eta=0.1), 'did you mean "sam"'),
        (lambda: eossim.edge("sam", eta=0.1, rho=0.1), "needs grad_norm"),
        (lambda: eossim.edge("sam", eta=0.1, rho=0.1, grad_norm=0), "grad_norm = 0"),
        (lambda: eossim.edge("sam", eta=0.1, rho=0.1, grad_norm=-1), "grad_norm = -1"),
        (lambda: eossim.edge("sam", eta=0.1, rho=-0.1, grad_norm=1), "rho = -0.1"),
        (lambda: eossim.edge("gd", eta=-0.1), "eta = -0.1"),
        (lambda: eossim.edge("gd", eta=np.nan), "eta"),
        (lambda: eossim.edge("gd", eta=[0.1, 0.0]), "eta"),
        (lambda: eossim.edge("heavy_ball", eta=0.1, beta=1.0), "beta = 1"),
        (lambda: eossim.edge("heavy_ball", eta=0.1, beta=-0.1), "beta = -0.1"),
        (lambda: eossim.edge("heavy_ball", eta=0.1, bta=0.9), 'did you mean "beta"'),
        (lambda: eossim.edge("gd_weight_decay", eta=1.0, weight_decay=3.0), r"eta\*weight_decay < 2"),
        (lambda: eossim.edge("alternating_steps", etas=(0.1,)), "etas needs 2"),
        (lambda: eossim.critical_grad_norm("gd", 1.0, eta=0.1), "does not depend"),
        (lambda: eossim.critical_grad_norm("sam", 30.0, eta=0.1, rho=0.1), r"eta\*h < 2"),
        (lambda: eossim.critical_step_size("gd", -1.0), "curvature"),
        (lambda: eossim.critical_step_size("gd", 1.0, eta=0.1), "eta"),
        (lambda: eossim.critical_step_size("gd", H2, P=[1.0, 2.0]), "preconditioned method"),
        (lambda: eossim.critical_grad_norm("clipped_gd", 1.0, eta=0.1, clip=1.0), "no gradient norm"),
        (lambda: eossim.two_cycle_amplitude("clipped_gd", 1.0, eta=0.1, clip=1.0), "no gradient norm"),
        (lambda: eossim.edge("delayed_gd", eta=0.1, delay=2.5), "whole number"),
        (lambda: eossim.critical_step_size("gd", 1.0, P=[1.0]), "go with a Hessian"),
        (lambda: eossim.preconditioned_sharpness(H2, P=[1.0, -1.0]), "positive definite"),
        (lambda: eossim.preconditioned_sharpness(H2, P=[1.0]), "coordinates"),
        (lambda: eossim.preconditioned_sharpness([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (lambda: eossim.spectral_radius("gd", h=np.inf, eta=0.1), "h"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_type_is_named():
    with pytest.raises(TypeError, match="name or a rule"):
        eossim.edge(3, eta=0.1)
