import numpy as np
import pytest
from matplotlib.figure import Figure

from eossim import rules
from eossim.data import Data
from eossim.plot import COLORS, bias_variance, bias_variance_by_alignment, kernel_filters, who_wins
from eossim.problems import LeastSquares
from eossim.theory import crossings, monte_carlo_risk, optimal_stopping, risk_curve

PROBLEM = LeastSquares(np.diag(np.sqrt([8.0, 4.0, 1.0, 0.2])), np.zeros(4))
KNOWN = {"w_star": np.array([1.0, -2.0, 0.5, 1.0]), "noise_variance": 0.6}
METHODS = {"gd": rules.gd(eta=0.1), "usam": rules.usam(eta=0.1, rho=1.0)}
STEPS = 200


@pytest.fixture(scope="module")
def curves():
    return {n: risk_curve(PROBLEM, m, steps=STEPS, **KNOWN) for n, m in METHODS.items()}


def curves_of(axis):
    return [line for line in axis.lines if len(line.get_xdata()) > 2]


def labels_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_panels_hold_the_curves_of_theory(curves):
    figure, numbers = bias_variance(curves)
    assert isinstance(figure, Figure)
    assert [a.get_ylabel() for a in figure.axes] == [
        f"{part} (squared units of y)" for part in ("bias²", "variance", "risk")
    ]
    assert [a.get_xlabel() for a in figure.axes] == ["step"] * 3
    for axis, part in zip(figure.axes, ("bias2", "variance", "risk"), strict=True):
        assert axis.get_yscale() == "log"
        for line, (name, curve) in zip(curves_of(axis), curves.items(), strict=True):
            expected = curve[part].values[0]
            np.testing.assert_array_equal(line.get_xdata(), curve.step)
            np.testing.assert_array_equal(line.get_ydata(), np.where(expected > 0, expected, np.nan))
            np.testing.assert_array_equal(numbers[f"{name} {part}"], expected)
            assert line.get_color() == COLORS[name]
    assert labels_of(figure) == ["gd", "usam"]


def test_scale_of_the_steps_has_a_place_for_zero(curves):
    assert bias_variance(curves)[0].axes[0].get_xscale() == "symlog"
    later = {n: c.isel(step=slice(1, None)) for n, c in curves.items()}
    assert bias_variance(later)[0].axes[0].get_xscale() == "log"
    few = {n: c.isel(step=slice(0, 20)) for n, c in curves.items()}
    assert bias_variance(few)[0].axes[0].get_xscale() == "linear"


def test_optima_and_crossings_are_marked_where_they_are(curves):
    best = {n: optimal_stopping(PROBLEM, m, **KNOWN) for n, m in METHODS.items()}
    stops = {n: (float(b.step[0]), float(b.risk[0])) for n, b in best.items()}
    found = crossings(PROBLEM, *METHODS.values(), **KNOWN).real
    figure, numbers = bias_variance(curves, stops=stops, crossings=found, title="four modes")
    risk = figure.axes[2]
    marks = [line for line in risk.lines if line.get_marker() == "o"]
    assert [(float(m.get_xdata()[0]), float(m.get_ydata()[0])) for m in marks] == list(stops.values())
    for axis in figure.axes:
        at = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"]
        np.testing.assert_array_equal(at, found)
    assert labels_of(figure)[2:] == ["least risk", "risks cross"]
    assert f"at step {stops['gd'][0]:.0f}" in labels_of(figure)[0]
    assert figure.get_suptitle() == "four modes"
    assert len({v.size for v in numbers.values()}) == 1
    for name, (step, least) in stops.items():
        np.testing.assert_array_equal(numbers["step"][np.isfinite(numbers[f"{name} least risk"])], [step])
        assert np.nanmin(numbers[f"{name} risk"]) == pytest.approx(least, rel=1e-14)


def test_an_optimum_that_never_comes_is_an_arrow_at_the_right_end(curves):
    figure, _ = bias_variance(curves, stops={"gd": (np.inf, 0.3)})
    (arrow,) = (line for line in figure.axes[2].lines if line.get_marker() == ">")
    assert arrow.get_xdata()[0] == STEPS
    assert "never stopped" in labels_of(figure)[0]


def test_simulated_curves_have_bands(curves):
    at = [0, 1, 3, 10, 100]
    sam = monte_carlo_risk(PROBLEM, rules.sam(eta=0.1, rho=0.2), steps=at, draws=400, **KNOWN)
    figure, numbers = bias_variance({**curves, "sam": sam})
    assert [len(a.collections) for a in figure.axes] == [1, 1, 1]
    seen = np.isfinite(numbers["sam risk"])
    np.testing.assert_array_equal(numbers["step"][seen], at)
    np.testing.assert_array_equal(numbers["sam risk_error"][seen], sam.risk_error[0])
    np.testing.assert_array_equal(numbers["gd risk"], curves["gd"].risk[0])


def test_held_out_error_has_a_panel_with_its_expectation(curves):
    at, mean = np.array([1, 10, 100]), np.array([3.0, 2.0, 1.5])
    held_out = {"gd": (at, mean, 0.1 * mean), "usam": (at, 0.9 * mean, 0.1 * mean, 0.95 * mean)}
    figure, numbers = bias_variance(curves, held_out=held_out)
    axis = figure.axes[3]
    assert axis.get_ylabel() == "held-out error (squared units of y)"
    assert len(axis.collections) == 2
    gd, expected_gd, usam, expected_usam = axis.lines
    np.testing.assert_array_equal(gd.get_ydata(), mean)
    np.testing.assert_array_equal(expected_gd.get_ydata(), curves["gd"].risk[0] + 0.6)
    np.testing.assert_array_equal(usam.get_ydata(), 0.9 * mean)
    np.testing.assert_array_equal(expected_usam.get_ydata(), 0.95 * mean)
    assert expected_gd.get_linestyle() == expected_usam.get_linestyle() == "--"
    np.testing.assert_array_equal(numbers["usam expected"][np.isin(numbers["step"], at)], 0.95 * mean)


def test_the_metric_names_the_units():
    curve = risk_curve(PROBLEM, METHODS["gd"], steps=5, metric="parameter", **KNOWN)
    figure, _ = bias_variance({"gd": curve}, held_out={"gd": ([1, 2], [1.0, 1.0], [0.1, 0.1])})
    assert figure.axes[2].get_ylabel() == "risk (squared norm)"
    assert len(figure.axes[3].lines) == 1  # nothing is expected of another metric


def test_methods_have_colours_of_their_own(curves):
    names = ["gd", "usam rho=4", "usam rho=16", "sam", "heavy_ball", "nesterov"]
    figure, _ = bias_variance({n: curves["gd"] for n in names})
    colors = [line.get_color() for line in curves_of(figure.axes[0])]
    assert len(set(colors)) == 6
    assert colors[:2] + colors[3:5] == [COLORS[n] for n in ("gd", "usam", "sam", "momentum")]
    with pytest.raises(ValueError, match="between 1 and 6 methods"):
        bias_variance({str(i): curves["gd"] for i in range(7)})


def test_what_does_not_fit_is_an_error(curves):
    with pytest.raises(ValueError, match="stops must name the curves"):
        bias_variance(curves, stops={"sam": (1, 1.0)})
    batch = risk_curve(PROBLEM, rules.gd(eta=[0.1, 0.2]), steps=5, **KNOWN)
    with pytest.raises(ValueError, match="single run"):
        bias_variance({"gd": batch})


def test_diverging_and_negative_values_leave_the_scale_sane(curves):
    wild = curves["usam"].copy(deep=True)
    wild.risk[0, 100:], wild.bias2[0, 150:] = np.inf, -1e-9
    figure, _ = bias_variance({"gd": curves["gd"], "usam": wild})
    for axis in figure.axes:
        assert np.all(np.isfinite(axis.get_ylim()))
        assert axis.get_ylim()[0] > 0


def test_alignments_show_the_table_of_the_theory():
    figure, numbers = bias_variance_by_alignment()
    table = {
        "on large curvatures": ((61, 0.142948), (16, 0.104274), (4, 0.100145), 0.0975054, (45, 32)),
        "on all alike": ((728, 0.312811), (584, 0.316558), (370, 0.320487), 0.304951, (607, 520)),
        "on small curvatures": ((250, 40.7036), (206, 43.1051), (129, 45.0609), 29.9087, (17, 87)),
    }
    for axis, (word, (*least, oracle, behind)) in zip(figure.axes, table.items(), strict=False):
        marks = [line for line in axis.lines if line.get_marker() == "o"]
        crossed = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == ":"]
        assert tuple(np.ceil(crossed)) == behind
        for name, mark, (step, risk) in zip(("GD", "USAM ρ = 4", "USAM ρ = 16"), marks, least, strict=True):
            column = numbers[f"{word}, {name}, least risk"]
            assert numbers["step"][np.isfinite(column)] == mark.get_xdata()[0] == step
            np.testing.assert_allclose([np.nanmin(column), mark.get_ydata()[0]], risk, rtol=6e-6)
        np.testing.assert_allclose(numbers[f"{word}, oracle"], oracle, rtol=6e-6)
        rows = [t.get_text().split() for t in axis.get_legend().get_texts()]
        assert rows[1][1:] == [f"{least[0][1]:.6g}", str(least[0][0])]
        assert rows[2][-1] == str(behind[0])
    assert figure.axes[0].get_ylabel() == "risk (squared units of y)"
    assert {a.get_xscale() for a in figure.axes} == {a.get_yscale() for a in figure.axes} == {"log"}


def test_equal_risks_begin_where_the_first_order_law_says():
    decays = np.linspace(0, 2, 41)
    figure, numbers = who_wins((1.0, 10.0), decays=decays, rhos=[0.001, 0.002, 1.0], checks=[(1.6, 1.0)], draws=4000)
    assert [a.get_title() for a in figure.axes[:2]] == ["SNR = 1", "SNR = 10"]
    assert figure.axes[0].get_yscale() == "log"
    assert "same winner (2 of 2)" in labels_of(figure)[-1]
    for snr in (1.0, 10.0):
        of = numbers["snr"] == snr
        (begins,) = numbers["decay"][of & (numbers["rho"] == 0)]
        little = of & (numbers["rho"] == 0.001)
        at = np.interp(0, -numbers["log_ratio"][little], numbers["decay"][little])
        assert at == pytest.approx(begins, abs=2e-3)
        check = of & np.isfinite(numbers["monte_carlo"])
        assert abs(numbers["monte_carlo"] - numbers["log_ratio"])[check] < 5 * numbers["monte_carlo_error"][check]


def test_kernel_filters_agree_with_theory_and_simulation():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    data = Data(X, np.sin(X[:, 0]) + 0.1 * rng.standard_normal(60), "waves")
    figure, numbers = kernel_filters(data, noise_variance=0.5, rho=10.0, draws=400, steps=300)
    left, energies, filters = figure.axes
    assert left.get_xscale() == left.get_yscale() == energies.get_yscale() == "log"
    assert filters.get_xlabel() == "curvature μ of an eigenfunction"
    assert len({v.size for v in numbers.values()}) == 1
    for name in ("GD", "USAM ρ = 10"):
        for part in ("bias2", "variance", "risk"):
            at = numbers[f"{name}, {part}, simulated at"]
            seen = np.isfinite(at)
            drawn = np.isfinite(numbers["step"])
            exact = np.interp(at[seen], numbers["step"][drawn], numbers[f"{name}, {part}"][drawn])
            error = numbers[f"{name}, {part}, standard error"][seen]
            assert np.all(np.abs(numbers[f"{name}, {part}, simulated"][seen] - exact) < 5 * error)
    problem = data.kernel_regression("rbf", gamma=0.5)
    h = problem.modes.curvature
    truth = problem.modes.samples @ (h / (h + 0.01) * (problem.modes.samples.T @ problem.y))
    method = rules.gd(eta=0.5 / (h[0] * (1 + 10 * h[0])))
    best = optimal_stopping(problem, method, f_star=truth, noise_variance=0.5)
    mark = next(m for m in left.lines if m.get_marker() == "o" and len(m.get_xdata()) == 1)
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (float(best.step[0]), float(best.risk[0]))
    learned = numbers["GD, learned"]
    freedom = risk_curve(problem, method, f_star=truth, noise_variance=0.5, steps=[int(best.step[0])])
    assert np.nansum(learned) == pytest.approx(float(freedom.degrees_of_freedom[0, 0]), rel=1e-9)
