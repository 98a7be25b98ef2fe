import numpy as np
import pytest
from matplotlib.figure import Figure

from eossim.measure import sharpness_report
from eossim.plot import (
    edges_against_batch_size,
    gni_fresh_and_reshuffled,
    second_moment_portrait,
    sharpness_counterexample,
)
from eossim.plot.second_moment_portrait import four_points
from eossim.plot.sharpness_counterexample import four_curvatures, six_axes
from eossim.plot.stochastic_edges import NOTIONS, STEPS
from eossim.problems import LeastSquares, QuadraticSum
from eossim.theory.mean_square import MeanSquare

SIZES = [1, 2, 3, 4]


def labels_of(owner):
    return [text.get_text() for text in owner.get_texts()]


@pytest.fixture(scope="module")
def edges():
    return edges_against_batch_size(four_points(), SIZES, w=np.zeros(2), title="four points")


def test_edges_are_those_of_theory(edges):
    figure, numbers = edges
    assert isinstance(figure, Figure)
    # V4 of the notes: 6/5, 36/19, and 2/λ_max = 8/3 for the full batch.
    np.testing.assert_allclose(numbers["critical_step"][[0, 1, 3]], [6 / 5, 36 / 19, 8 / 3], rtol=1e-12)
    np.testing.assert_allclose(numbers["two_over_critical_step"], 2 / numbers["critical_step"], rtol=1e-15)
    for k, b in enumerate(SIZES):
        found = MeanSquare(four_points(), b).bounds()
        assert [numbers[name][k] for name in STEPS] == [found[name].step for name in STEPS]
    assert np.all(numbers["wu_ma_e"] <= numbers["critical_step"] * (1 + 1e-12))
    for name in ("rank_one", "top_eigenvector", "trace", "mean"):
        assert np.all(numbers[name] >= numbers["critical_step"] * (1 - 1e-9)), name


def test_sharpness_is_that_of_the_measures(edges):
    _, numbers = edges
    report = sharpness_report(four_points(), np.zeros(2), SIZES)
    for k, row in enumerate(report):
        for name in NOTIONS:
            if name != "two_over_critical_step":
                assert numbers[name][k] == float(getattr(row, name))
    # V5 and V6 of the notes.
    np.testing.assert_allclose(numbers["batch_sharpness"][[0, 2, 3]], [1, 31 / 40, 3 / 4], rtol=1e-12)
    np.testing.assert_allclose(numbers["ratio_of_means"][2:], [13 / 17, 3 / 4], rtol=1e-12)
    assert np.all(numbers["batch_sharpness_error"] == 0)


def test_edges_are_drawn_as_computed(edges):
    figure, numbers = edges
    assert figure.get_suptitle() == "four points"
    for axis, curves in zip(figure.axes, (STEPS, NOTIONS), strict=True):
        assert axis.get_xscale() == axis.get_yscale() == "log"
        assert axis.get_xlabel() == "batch size b"
        assert labels_of(axis.get_legend()) == [label for label, _ in curves.values()]
        for line, name in zip(axis.lines, curves, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), SIZES)
            np.testing.assert_array_equal(line.get_ydata(), numbers[name])
    assert [a.get_ylabel() for a in figure.axes] == ["step size η", "curvature"]
    assert figure.axes[1].get_title() == "what is read at w"


def test_default_point_is_near_the_minimizer_and_not_on_it():
    # Where samples agree, all gradients vanish at the minimizer; the default point is off it.
    figure, numbers = edges_against_batch_size(four_curvatures(), [2, 4])
    assert figure.axes[1].get_title() == "what is read near the minimizer"
    np.testing.assert_allclose(numbers["batch_sharpness"], 3, rtol=1e-12)
    assert numbers["critical_step"][0] == pytest.approx(36 / 61, rel=1e-12)
    again = edges_against_batch_size(four_points(), [1, 3])[1]
    other = edges_against_batch_size(four_points(), [1, 3], seed=1)[1]
    np.testing.assert_array_equal(again["critical_step"], other["critical_step"])
    assert again["ratio_of_means"][0] != other["ratio_of_means"][0]


def test_batches_with_replacement_can_exceed_the_samples():
    _, numbers = edges_against_batch_size(four_points(), [1, 8], replacement=True)
    np.testing.assert_allclose(numbers["p"], [1, 1 / 8], rtol=1e-15)


@pytest.mark.parametrize(
    ("problem", "sizes", "message"),
    [
        (four_points(), [2, 1], "increase"),
        (four_points(), [], "increase"),
        (four_points(), [1, 5], "batch_size"),
        (QuadraticSum(np.zeros((3, 2, 2))), [1], "no curvature"),
    ],
)
def test_edges_refuse(problem, sizes, message):
    with pytest.raises(ValueError, match=message):
        edges_against_batch_size(problem, sizes)


RUNS = 4000
STARTS = ((1.0, -0.5), (0.2, 0.3))


@pytest.fixture(scope="module")
def portrait():
    return second_moment_portrait(
        factors=(0.5 / 1.2, 1.05), starts=STARTS, steps=(12, 6), looks=((1, 3), (1, 2)), runs=RUNS
    )


def enumerated(eta, start, steps):
    """S about the minimizer for b = 1 from the definition: mean over all samples of one step at a time."""
    problem = four_points()
    X, y = np.array([[1, 0], [0, 1], [1, 1], [1, -1.0]]), np.array([1, 2, 0, 1.0])
    m, S, path = np.array(start), np.outer(start, start), []
    residual = X @ problem.minimizer - y
    for _ in range(steps + 1):
        path.append(S)
        maps = [(np.eye(2) - eta * np.outer(x, x), -eta * r * x) for x, r in zip(X, residual, strict=True)]
        S = np.mean([A @ S @ A.T + A @ np.outer(m, v) + np.outer(v, A @ m) + np.outer(v, v) for A, v in maps], axis=0)
        m = np.mean([A @ m + v for A, v in maps], axis=0)
    return np.array(path)


def test_portrait_follows_the_recursion(portrait):
    _, numbers = portrait
    for factor, steps in ((0.5 / 1.2, 12), (1.05, 6)):
        for k, start in enumerate(STARTS):
            rows = (numbers["eta_over_critical"] == factor) & (numbers["start"] == k)
            S = enumerated(factor * 1.2, start, steps)
            np.testing.assert_array_equal(numbers["step"][rows], np.arange(steps + 1))
            for name, expected in (("S11", S[:, 0, 0]), ("S12", S[:, 0, 1]), ("S22", S[:, 1, 1])):
                np.testing.assert_allclose(numbers[name][rows], expected, rtol=1e-11, atol=1e-13)
            loss = 0.375 * np.trace(S, axis1=1, axis2=2)
            np.testing.assert_allclose(numbers["excess_loss"][rows], loss, rtol=1e-11)


def test_portrait_is_simulated_where_asked(portrait):
    _, numbers = portrait
    seen = np.isfinite(numbers["simulated_S11"])
    assert set(numbers["step"][seen]) == {1.0, 2.0, 3.0}
    assert seen.sum() == 8
    for name in ("S11", "S22", "excess_loss"):
        np.testing.assert_allclose(numbers[f"simulated_{name}"][seen], numbers[name][seen], rtol=0.2)


def test_portrait_marks_the_stationary_law(portrait):
    figure, _ = portrait
    star = next(line for line in figure.axes[0].lines if line.get_marker() == "*")
    np.testing.assert_allclose(np.ravel(star.get_data()), [202 / 693, 370 / 693], rtol=1e-10)
    assert not [line for line in figure.axes[1].lines if line.get_marker() == "*"]
    assert figure.axes[0].get_title().endswith("converges")
    assert figure.axes[1].get_title() == "η = 1.05 η*: ρ(Q) = 1.095, grows"
    level = next(line for line in figure.axes[2].lines if line.get_linestyle() == "--")
    assert level.get_ydata()[0] == pytest.approx(13 / 42, rel=1e-10)


def test_portrait_refuses():
    with pytest.raises(ValueError, match="above 1"):
        second_moment_portrait(factors=(0.5, 0.9))
    with pytest.raises(ValueError, match="dim 2"):
        second_moment_portrait(four_curvatures())


def test_counterexample_contradicts_batch_sharpness_both_ways():
    figure, numbers = sharpness_counterexample(runs=500)
    stable = numbers["unstable"] == 0
    assert numbers["spectral_radius"][stable][0] == pytest.approx(0.946858666667, rel=1e-11)
    for rows, rho in ((stable, 1 - 2 * 2.12 * 2.2 / 3 + 2.12**2 * 2.04 / 3), (~stable, 1 - 6 * 0.52 + 12.5 * 0.52**2)):
        # In both the trace of S is an eigenvector from the left: E‖w‖² changes by ρ(Q) at every step.
        np.testing.assert_allclose(numbers["mean_square"][rows], rho ** numbers["step"][rows], rtol=1e-10)
    gauge = numbers["eta_batch_sharpness"]
    assert gauge[0] == pytest.approx(2.12 * 0.973759461733, rel=1e-11)
    assert np.nanmin(gauge[stable]) > 2
    np.testing.assert_allclose(gauge[~stable], 3 * 0.52, rtol=1e-12)
    early = np.isfinite(numbers["simulated"]) & (numbers["step"] <= 10) & stable
    assert early.sum() == 3
    gap = np.abs(numbers["simulated"] - numbers["mean_square"])[early]
    assert np.all(gap <= 5 * numbers["simulated_error"][early] + 1e-12)
    for axis, word in zip(figure.axes[:2], ("stable", "unstable"), strict=True):
        assert axis.get_title().endswith(f": {word}")
    for axis in figure.axes[2:]:
        assert [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"] == [2]


def test_six_axes_have_the_edge_of_the_notes():
    assert MeanSquare(six_axes(), 1).critical_step == pytest.approx(2 * 2.2 / 2.04, rel=1e-12)


def test_gni_is_two_over_eta_for_fresh_batches_only():
    pair = LeastSquares([[1.0], [1.0]], [1.0, -1.0])
    factors = (0.2, 0.6)
    figure, numbers = gni_fresh_and_reshuffled({"two points": (pair, 1)}, factors=factors, points=100, runs=4)
    curve, shuffled = np.isnan(numbers["error"]), numbers["reshuffled"] == 1
    np.testing.assert_allclose(numbers["eta"], 2 * numbers["eta_over_critical"], rtol=1e-12)
    np.testing.assert_allclose(numbers["eta_gni_half"][curve & ~shuffled], 1, rtol=1e-10)
    eta = numbers["eta"]
    closed = (2 - eta + eta**2) / (2 * eta)  # exact for two points
    np.testing.assert_allclose(numbers["eta_gni_half"][curve & shuffled], closed[curve & shuffled], rtol=1e-10)
    expected = np.where(shuffled, closed, 1.0)
    np.testing.assert_allclose(numbers["eta_gni_half"][~curve], expected[~curve], rtol=0.25)
    assert (~curve).sum() == 2 * len(factors)
    (axis,) = figure.axes
    assert axis.get_title() == "two points"
    assert axis.get_ylabel() == "η GNI/2"
    assert [line.get_ydata()[0] for line in axis.lines if line.get_linestyle() == "--"] == [1]


def test_gni_of_many_samples_is_simulated_where_orders_are_too_many():
    rng = np.random.default_rng(0)
    problem = LeastSquares(rng.standard_normal((40, 3)), rng.standard_normal(40))
    _, numbers = gni_fresh_and_reshuffled({"noise": (problem, 4)}, factors=(0.5,), points=50, runs=2)
    shuffled = numbers["reshuffled"] == 1
    assert shuffled.sum() == 1
    assert np.isfinite(numbers["error"][shuffled]).all()


def test_gni_refuses():
    with pytest.raises(ValueError, match="factors"):
        gni_fresh_and_reshuffled({"four": (four_points(), 1)}, factors=(0.5, 1.5))
    with pytest.raises(ValueError, match="come to rest"):
        gni_fresh_and_reshuffled({"six": (six_axes(), 1)})
    with pytest.raises(ValueError, match="runs"):
        gni_fresh_and_reshuffled({"four": (four_points(), 1)}, runs=1)
