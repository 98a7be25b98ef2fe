import numpy as np
import pytest
from matplotlib.figure import Figure

from eossim.measure import generalized_sharpness
from eossim.norms import L1, L2, Linf, Spectral
from eossim.plot import descent_in_norms, estimator_quality, progressive_sharpening, sharpness_by_norm
from eossim.plot.norm_balls import PANELS
from eossim.problems import MatrixFactorization, Quadratic

H2 = np.array([[2.0, 1.0], [1.0, 2.0]])


def test_runs_shrink_below_the_edge_and_grow_above_it():
    figure, numbers = descent_in_norms()
    assert isinstance(figure, Figure)
    assert [axis.get_title() for axis in figure.axes] == list(PANELS)
    shown = {axis.get_title(): axis.texts[0].get_text() for axis in figure.axes}
    assert "S = 6, edge η = 0.333" in shown["ℓ$_∞$ descent"]  # N2 of the notes: 3, 6, 2
    assert "S = 2, edge η = 1" in shown["ℓ$_1$: greedy coordinate descent"]
    loss = Quadratic(H2).loss
    for title, (_, normalised) in PANELS.items():
        if normalised:
            continue
        for label, grows in (("η = 0.9 · 2/S", False), ("η = 1.1 · 2/S", True)):
            values = loss(np.stack([numbers[f"{title} {label} {axis}"] for axis in "xy"], axis=-1))
            assert (values[-1] > values[0]) == grows, (title, label)


def test_sign_descent_ends_on_a_two_cycle():
    _, numbers = descent_in_norms()
    title = next(t for t, (_, normalised) in PANELS.items() if normalised)
    w = np.stack([numbers[f"{title} η = 0.4 {axis}"] for axis in "xy"], axis=-1)
    np.testing.assert_allclose(w[-1], w[-3], atol=1e-12)
    assert not np.allclose(w[-1], w[-2])


def test_only_positive_definite_planes_are_drawn():
    for wrong in ([[1.0, 2.0], [2.0, 1.0]], np.eye(3)):
        with pytest.raises(ValueError, match="positive definite of shape"):
            descent_in_norms(wrong)


def test_bars_reach_from_the_value_to_the_bound():
    H = np.diag([3.0, 1.0, 2.0, 0.5]) + 0.3
    norms = (L2(), L1(), Linf(), Spectral((2, 2)))
    found = [generalized_sharpness(H, norm) for norm in norms]
    top = float(np.linalg.eigvalsh(H)[-1])
    figure, numbers = sharpness_by_norm({"one": (norms, found, top), "two": (norms[:2], found[:2], top)})
    assert numbers["one S"][2] == pytest.approx(np.abs(H).sum())
    assert numbers["one S"][1] == pytest.approx(3.3)
    assert np.all(numbers["one upper bound"] >= numbers["one S"])
    assert [len(axis.get_yticklabels()) for axis in figure.axes] == [4, 2]


def test_sharpness_and_smoothness_are_those_of_the_run():
    problem = MatrixFactorization([[1.0]], 1)
    figure, numbers = progressive_sharpening(
        problem, {"l2": (L2(), 0.2), "linf": (Linf(), 0.1)}, [1.2, 0.3], 60, every=3
    )
    a, b = 1.2, 0.3
    gradient = (a * b - 1) * np.array([b, a])
    hessian = np.array([[b * b, 2 * a * b - 1], [2 * a * b - 1, a * a]])
    assert numbers["l2 S"][0] == pytest.approx(np.linalg.eigvalsh(hessian)[-1])
    assert numbers["linf 2/eta"][0] == 20
    step = np.array([a, b]) - 0.2 * gradient
    loss = 0.5 * (a * b - 1) ** 2, 0.5 * (step.prod() - 1) ** 2
    expected = (loss[1] - loss[0] + 0.2 * gradient @ gradient) / (0.5 * 0.04 * gradient @ gradient)
    assert numbers["l2 D"][0] == pytest.approx(expected, rel=1e-9)
    assert np.isfinite(numbers["linf S"][::3]).all()
    assert np.isnan(numbers["linf S"][1])
    assert len(figure.axes) == 4


def test_estimates_are_below_the_exact_value():
    figure, numbers = estimator_quality(6)
    assert len(figure.axes) == 4
    for name, ratios in numbers.items():
        assert np.all(ratios <= 1 + 1e-12), name
        if "ours" in name:
            assert np.all(ratios >= 0.999), name
    for ensemble in ("Wishart", "indefinite"):
        one, five = numbers[f"{ensemble}: Frank–Wolfe, 1 start"], numbers[f"{ensemble}: Frank–Wolfe, 5 starts"]
        assert np.all(five >= one)
        assert one.mean() < 0.999
