"""What is kept: which steps, which quantities, their values, and that a saved run is the same run."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import eossim
from eossim import LeastSquares, Quadratic, Record, rules, simulate
from eossim.engine.record import QUANTITIES

EVERYTHING = Record(what=QUANTITIES)


@given(steps=st.integers(1, 30_000))
def test_default_points_see_both_sides_of_an_oscillation(steps):
    points = Record().points(steps)
    assert points[0] == 0
    assert points[-1] == steps
    assert np.all(np.diff(points) > 0)
    assert points.size <= max(2001, 1001)
    assert abs(int(np.sum(points % 2)) - points.size / 2) <= points.size / 4
    # next to every point lies its neighbour, one way or the other
    step_to_neighbour = np.minimum(np.diff(points, prepend=-9), np.diff(points, append=10**9))
    assert np.all(step_to_neighbour == 1)


@given(steps=st.integers(1, 500), every=st.integers(0, 20).map(lambda k: 2 * k + 1))
def test_stride(steps, every):
    points = Record(every=every).points(steps)
    assert points.tolist() == sorted({*range(0, steps + 1, every), steps})


@pytest.mark.parametrize("every", [2, 10, 1000])
def test_even_strides_warn_where_they_are_written(every):
    with pytest.warns(UserWarning, match=f"every={every} is even.*period-2") as caught:
        Record(every=every)
    assert caught[0].filename == __file__


def test_odd_strides_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Record(every=3)


def test_steps_asked_for():
    run = simulate(Quadratic([1.0]), rules.gd(eta=0.5), [8.0], 10, record=Record(at=[1, 3, 10], what="w"))
    assert run.step.values.tolist() == [1, 3, 10]
    np.testing.assert_array_equal(run.w[0, :, 0], [4.0, 1.0, 8 / 1024])
    assert Record(at=range(0, 5, 2)).points(4).tolist() == [0, 2, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"at": [3, 1]}, "at must increase"),
        ({"at": [1, 1]}, "at must increase"),
        ({"at": [-1, 1]}, "at must increase from 0"),
        ({"at": []}, "non-empty"),
        ({"at": [0.5]}, "step numbers"),
        ({"at": 5}, "non-empty list"),
        ({"every": 0}, "every"),
        ({"every": 3, "at": [1]}, "not both"),
        ({"what": "los"}, 'unknown quantity "los"; did you mean "loss"'),
        ({"what": ("loss", "gradnorm")}, 'did you mean "grad_norm"'),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Record(**options)


def test_steps_beyond_the_run():
    with pytest.raises(ValueError, match="step 11 of a run of 10"):
        simulate(Quadratic([1.0]), rules.gd(eta=0.5), steps=10, record=Record(at=[0, 11]))


def test_nothing_but_divergence():
    run = simulate(Quadratic([1.0, 2.0]), rules.gd(eta=[0.1, 0.2]), steps=5, record=Record(what=()))
    assert list(run.data_vars) == ["diverged_at"]


# --- values -----------------------------------------------------------------------------------------------------------


def expected(problem, rule, values, w, curvature):
    """Every quantity of one run by its definition, from the iterates [step, coordinate]."""
    g = problem.grad(w)
    norm = np.linalg.norm(g, axis=1)
    top = problem.eigenvectors[:, -1]
    along = g @ top
    edge = rule.edge
    state = {"grad_norm": norm} if "grad_norm" in edge.needs else {}
    return {
        "loss": problem.loss(w),
        "grad_norm": norm,
        "sharpness": np.full(norm.shape, curvature),
        "edge": np.broadcast_to(
            edge.numpy(**{n: v for n, v in values.items() if n in edge.needs}, **state), norm.shape
        ),
        "alignment": np.abs(along) / norm,
        "multiplier": np.append(np.nan, along[1:] / along[:-1]),
    }


@pytest.mark.parametrize("kind", ["diagonal", "dense", "least squares"])
@pytest.mark.parametrize("engine", ["diagonal", "dense", "reference"])
@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (rules.sam, {"eta": 0.4, "rho": 0.1}),
        (rules.heavy_ball, {"eta": 0.4, "beta": 0.5}),
        (rules.gd_weight_decay, {"eta": 0.4, "weight_decay": 0.1}),
    ],
)
def test_values_follow_from_the_iterates(kind, engine, rule, values):
    rng = np.random.default_rng(0)
    problem = {
        "diagonal": lambda: Quadratic([1.0, 3.0, 0.5], minimizer=[1.0, -2.0, 0.5]),
        "dense": lambda: Quadratic.from_spectrum([0.5, 1.0, 3.0], minimizer=[1.0, -2.0, 0.5]),
        "least squares": lambda: LeastSquares(rng.standard_normal((8, 3)), rng.standard_normal(8)),
    }[kind]()
    run = simulate(problem, rule(**values), steps=12, seed=5, record=EVERYTHING, engine=engine)
    for name, value in expected(problem, rule, values, run.w.values[0], problem.eigenvalues[-1]).items():
        np.testing.assert_allclose(run[name].values[0], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_preconditioned_sharpness_and_edge_are_comparable():
    problem, P = Quadratic([1.0, 4.0]), np.array([1.0, 8.0])
    run = simulate(problem, rules.adam_frozen(eta=0.1, beta1=0.9, P=P), [1.0, 1.0], 4, record=EVERYTHING)
    np.testing.assert_allclose(run.sharpness, 1.0)
    np.testing.assert_allclose(run.edge, 38 / 0.1 / 0.1 * 0.1 / 1.0, rtol=1e-12)
    np.testing.assert_allclose(run.loss[0], problem.loss(run.w.values[0]), rtol=1e-12)


@pytest.mark.parametrize("keep", [Record(at=[0, 5, 6, 20], what=QUANTITIES), Record(every=7, what=QUANTITIES)])
def test_sparse_recording_keeps_the_same_values(keep):
    problem = Quadratic.from_spectrum([0.5, 1.0, 3.0])
    method = rules.sam(eta=[0.1, 0.4], rho=0.1)
    dense = simulate(problem, method, steps=20, record=EVERYTHING)
    sparse = simulate(problem, method, steps=20, record=keep)
    for name in QUANTITIES:
        np.testing.assert_allclose(sparse[name], dense[name].sel(step=sparse.step), rtol=1e-13, err_msg=name)


def test_alignment_covers_a_repeated_top_eigenvalue():
    run = simulate(Quadratic([3.0, 3.0, 1.0]), rules.gd(eta=0.1), [1.0, 1.0, 0.0], 1, record=Record(what="alignment"))
    np.testing.assert_allclose(run.alignment, 1.0)


def test_loss_of_least_squares_counts_from_its_offset():
    problem = LeastSquares([[1.0], [1.0]], [0.0, 2.0])
    run = simulate(problem, rules.gd(eta=0.5), [1.0], 3)
    np.testing.assert_allclose(run.loss, 0.5)


def test_recorded_edges_of_user_rules_and_families():
    from eossim.symbolic import eta, grad, w

    mine = eossim.Rule("half_gd", hyper=(eta,), update={w: w - eta / 2 * grad(w)})
    keep = Record(what="edge", at=[0])
    assert float(simulate(Quadratic([1.0]), mine(eta=0.1), steps=1, record=keep).edge[0, 0]) == pytest.approx(40)
    method = rules.delayed_gd(eta=0.1, delay=1)
    assert float(simulate(Quadratic([1.0]), method, steps=1, record=keep).edge[0, 0]) == pytest.approx(10)


# --- the Dataset ------------------------------------------------------------------------------------------------------


def test_a_saved_run_is_the_same_run(tmp_path):
    method = rules.sam(eta=[0.1, 1e4], rho=0.1)
    run = simulate(Quadratic([1.0, 3.0]), method, steps=200, record=EVERYTHING, seed=7)
    run.to_netcdf(tmp_path / "run.nc")
    loaded = xr.load_dataset(tmp_path / "run.nc")
    xr.testing.assert_identical(run, loaded)
    for name in ("rule", "problem", "engine", "dtype", "seed", "steps", "started", "seconds", "versions"):
        assert name in loaded.attrs
    assert loaded.attrs["rule"] == "sam"
    assert loaded.attrs["seed"] == 7
    assert loaded.sizes == {"run": 2, "step": 201, "coord": 2}
    np.testing.assert_array_equal(loaded.eta, [0.1, 1e4])
    assert all("long_name" in loaded[name].attrs for name in loaded.data_vars)
