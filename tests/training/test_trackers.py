"""What is measured along a training: values from theory notes and dense matrices, costs, names, and no disturbance."""

import itertools
import math

import numpy as np
import pytest

import eossim
from eossim import Record, adaptive_descent, normalized_steepest_descent, norms, rules, sgd, steepest_descent, train
from eossim.measure import gradient_moments
from eossim.networks import MLP
from eossim.problems import Function, LeastSquares, MatrixFactorization
from eossim.training import adam, rmsprop
from eossim.training.oracle import Oracle
from eossim.training.stepper import make_stepper
from eossim.training.track import batches as batches_room
from eossim.training.trackers import NAMES, compared_with, make_tracker, make_trackers
from tests.networks.test_notes import MOMENTS, RANDOM_LABELS, random_labels
from tests.training.cases import METHODS, network

GD = rules.gd(eta=0.1)


def states(problem, method, w, steps, seed=0):
    """The states of a run, the start included."""
    stepper = make_stepper(Oracle(problem), method)
    found = [stepper.start(np.asarray(w), [seed, 1])]
    for _ in range(steps):
        found.append(stepper.step(found[-1]))
    return found


def look(names, problem, method, w, state=None, seed=0):
    """All columns at one point."""
    state = states(problem, method, w, 0)[0] if state is None else state
    row = {}
    for tracker in make_trackers(names, problem, method, seed):
        row |= tracker.measure(state["t"], state["w"], state)
    return row


def hessian(problem, w):
    H = problem.hvp(w, np.eye(problem.dim))
    return (H + H.T) / 2


def sine_network():
    """Data, network and start of sam.md, section 10."""
    x = np.linspace(-1, 1, 20)
    net = MLP((1, 10, 10, 1), "tanh", "mse", x[:, None], np.sin(3 * x) + 0.5 * np.cos(7 * x))
    scale = np.repeat([2, 1, math.sqrt(0.3), 0.1, math.sqrt(0.3), 0.1], [10, 10, 100, 10, 10, 1])
    return net, scale * (2 * (0.6180339887498949 * np.arange(1, 142) % 1) - 1)


@pytest.mark.parametrize(
    ("method", "t", "lam", "norm"),
    [
        (rules.gd(eta=0.2), 0, 4.900733619796707, 1.531099288824043),
        (rules.gd(eta=0.2), 1, 4.13661287000612, 0.3042240788901877),
        (rules.gd(eta=0.2), 100, 5.373579594486669, None),
        (rules.sam(eta=0.2, rho=0.02), 1, 4.086064849624673, 0.26948026406729764),
    ],
)
def test_the_early_values_of_the_note_on_sam(method, t, lam, norm):
    net, start = sine_network()
    trackers = make_trackers(["sharpness", "dual_norm", "edge"], net, method)
    run = states(net, method, start, t)
    for state in run[:t:5]:
        trackers[0].measure(state["t"], state["w"], state)  # warm
    row = {}
    for tracker in trackers:
        row |= tracker.measure(t, run[t]["w"], run[t])
    assert row["sharpness"] == pytest.approx(lam, rel=1e-6)
    assert row["sharpness_residual"] < 1e-2
    if norm is not None:
        assert row["dual_norm"] == pytest.approx(norm, rel=1e-8)
    if method.rule.name == "sam":
        assert row["edge"] == pytest.approx(4 / 0.2 / (1 + math.sqrt(1 + 8 * 0.02 / (0.2 * norm))), rel=1e-12)
    else:
        assert row["edge"] == 10


def true_labels():
    """Recipe of norms.md, section 9."""
    from eossim.experiments.digits import true_labels

    return true_labels()


@pytest.mark.parametrize(
    ("name", "dual", "sharpness"),
    [("linf", 87.6, 8625), ("spectral", 10.8, 88.4), ("block_sum", 1.27, 2.71), ("l2", 2.11, 5.48)],
)
def test_the_first_values_of_the_note_on_norms(name, dual, sharpness):
    net, w = true_labels()
    column = f"generalized_sharpness[{name}]"
    row = look([column], net, GD, w)
    # those of the note are the best of a search, too: S is at least as large
    assert 0.998 * sharpness <= row[column] <= (1.002 if name in ("l2", "block_sum") else 1.06) * sharpness
    assert 0 <= row[f"{column}_gap"] < 1e-3 * sharpness
    assert 0 < row[f"{column}_hvps"] < 200
    from eossim.training.track.norms import norm_named

    method = steepest_descent(norm_named(name, net), eta=0.01)
    own = look(["dual_norm", "edge"], net, method, w)
    assert own == {"dual_norm": pytest.approx(dual, rel=5e-3), "edge": 200}
    if name != "l2":
        again = look(["generalized_sharpness"], net, method, w)
        assert again["generalized_sharpness"] == row[column]


def test_the_first_values_of_the_note_on_stochastic_networks():
    problem, w, _ = random_labels(0)
    method = sgd(eta=0.05, batch_size=8, sampling="reshuffle")
    row = look(["sharpness", "batch_sharpness", "ratio_of_means", "gni"], problem, method, w)
    assert row["sharpness"] == pytest.approx(RANDOM_LABELS[0][3][2], rel=1e-6)
    assert row["batch_sharpness"] == pytest.approx(16.75, abs=4 * math.hypot(row["batch_sharpness_error"], 0.30))
    _, ratio, _, gni = MOMENTS[8]
    assert row["ratio_of_means"] == pytest.approx(ratio, abs=4 * row["ratio_of_means_error"])
    assert row["gni"] == pytest.approx(gni, abs=4 * row["gni_error"])
    assert 0 < row["batch_sharpness_error"] < 0.5
    assert 0 < row["gni_error"] < 0.5


def test_several_eigenvalues_and_alignment():
    net, w = sine_network()
    run = states(net, rules.gd(eta=0.4), w, 400)
    trackers = make_trackers(["sharpness[3]", "alignment"], net, GD)
    for state in run[::20]:
        lam, U = np.linalg.eigh(hessian(net, state["w"]))
        row = {}
        for tracker in trackers:
            row |= tracker.measure(state["t"], state["w"], state)
        found = [row["sharpness"], row["sharpness_2"], row["sharpness_3"]]
        assert found == pytest.approx(lam[:-4:-1], abs=1e-6 * lam[-1])
        near = U[:, -4:][:, lam[-4:] >= 0.9 * lam[-1]]
        g = net.grad(state["w"])
        assert row["alignment"] == pytest.approx(np.linalg.norm(near.T @ g) / np.linalg.norm(g), abs=1e-3)
    assert trackers[1].products == 0  # shared with the first
    assert trackers[0].products > 21 * 10
    assert trackers[0].seconds > 0


EDGES = [
    (rules.heavy_ball(eta=0.05, beta=0.8), lambda g: 2 * 1.8 / 0.05),
    (rules.nesterov(eta=0.05, beta=0.8), lambda g: 2 * 1.8 / (0.05 * 2.6)),
    (rules.usam(eta=0.1, rho=0.05), lambda g: (math.sqrt(1 + 8 * 0.05 / 0.1) - 1) / 0.1),
    (rules.sam(eta=0.1, rho=0.05), lambda g: g / 0.1 * (math.sqrt(1 + 8 * 0.05 / (0.1 * g)) - 1)),
    (rules.sam_heavy_ball(eta=0.1, beta=0.5, rho=0.05), lambda g: 60 / (1 + math.sqrt(1 + 12 * 0.05 / (0.1 * g)))),
    (eossim.minibatch(rules.sam(eta=0.1, rho=0.05), batch_size=4), lambda g: 40 / (1 + math.sqrt(1 + 4 / g))),
    (sgd(eta=0.1, batch_size=3), lambda g: 20),
    (rules.cyclic_steps(etas=[0.1, 0.1]), lambda g: 20),
    (adam(eta=0.01, beta1=0.9), lambda g: 2 * 1.9 / (0.1 * 0.01)),
    (rmsprop(eta=0.01), lambda g: 200),
    (normalized_steepest_descent(norms.L2(), eta=0.1), lambda g: 2 * g / 0.1),
    (adaptive_descent("normalized", eta=0.1), lambda g: 2 * g / 0.1),
]


@pytest.mark.parametrize(("method", "formula"), EDGES, ids=lambda m: repr(m) if not callable(m) else "")
def test_the_edge_of_the_method(method, formula):
    net = network()
    w = net.initial(1)
    G = float(np.linalg.norm(net.grad(w)))
    assert look(["edge"], net, method, w)["edge"] == pytest.approx(formula(G), rel=1e-9)


def test_the_edge_of_normalised_steps_in_another_norm():
    net = network()
    w = net.initial(1)
    method = normalized_steepest_descent(norms.Linf(), eta=0.1)
    row = look(["edge", "dual_norm"], net, method, w)
    assert row["dual_norm"] == pytest.approx(np.abs(net.grad(w)).sum(), rel=1e-12)
    assert row["edge"] == pytest.approx(20 * row["dual_norm"], rel=1e-12)
    assert compared_with(method) == "generalized_sharpness"
    assert compared_with(GD) == compared_with(sgd(eta=0.1, batch_size=2)) == "sharpness"
    assert compared_with(adam(eta=0.1)) == "preconditioned_sharpness"


def test_the_edge_of_sam_at_the_values_of_a_method_that_has_more():
    net = network()
    w = net.initial(1)
    row = look(["sam_edge"], net, rules.sam_heavy_ball(eta=0.1, beta=0.5, rho=0.05), w)
    G = np.linalg.norm(net.grad(w))
    assert row["sam_edge"] == pytest.approx(eossim.edge("sam", eta=0.1, rho=0.05, grad_norm=G), rel=1e-12)


@pytest.mark.parametrize("method", [adam(eta=0.01), rmsprop(eta=0.01)])
def test_preconditioned_sharpness(method):
    net = network()
    trackers = make_trackers(["preconditioned_sharpness"], net, method)
    for state in states(net, method, net.initial(1), 6):
        g = net.grad(state["w"])
        row = trackers[0].measure(state["t"], state["w"], state)
        P = method.preconditioner(state, g)
        expected = eossim.preconditioned_sharpness(hessian(net, state["w"]), P=P)
        assert row["preconditioned_sharpness"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["gd", "heavy_ball", "reshuffle", "adam", "linf", "polyak"])
def test_directional_smoothness_is_that_of_the_step_that_follows(name):
    net, method = network(), METHODS[name]
    tracker = make_tracker("directional_smoothness", net, method)
    run = states(net, method, net.initial(1), 6)
    norm = method.norm if name == "linf" else norms.L2()
    for state, following in itertools.pairwise(run[2:]):
        found = tracker.measure(state["t"], state["w"], state)["directional_smoothness"]
        step = following["w"] - state["w"]
        left = net.loss(following["w"]) - net.loss(state["w"]) - net.grad(state["w"]) @ step
        assert found == pytest.approx(left / (0.5 * norm.norm(step) ** 2), rel=1e-6)
    assert tracker.products > 0


def test_directional_smoothness_in_single_precision():
    w = network().initial(1)
    row = look(["directional_smoothness"], network(dtype=np.float32), GD, w.astype(np.float32))
    expected = look(["directional_smoothness"], network(), GD, w.astype(np.float32).astype(float))
    assert row["directional_smoothness"] == pytest.approx(expected["directional_smoothness"], rel=1e-3)


@pytest.mark.parametrize("problem", ["network", "least squares"])
@pytest.mark.parametrize("batch_size", [1, 19])
def test_few_batches_are_all_looked_at(problem, batch_size):
    rng = np.random.default_rng(0)
    least = LeastSquares(rng.standard_normal((20, 4)), rng.standard_normal(20))
    problem = network() if problem == "network" else least
    w = rng.standard_normal(problem.dim)
    names = ["batch_sharpness", "ratio_of_means", "gni"]
    row = look(names, problem, sgd(eta=0.1, batch_size=batch_size), w)
    moments = gradient_moments(problem, w, batch_size)
    assert row["ratio_of_means"] == pytest.approx(moments.ratio_of_means, rel=1e-9)
    assert row["gni"] == pytest.approx(moments.gradient_noise_interaction, rel=1e-9)
    assert row["batch_sharpness"] == pytest.approx(
        eossim.measure.batch_sharpness(problem, w, batch_size, batches="all").value, rel=1e-9
    )
    assert row["batch_sharpness_error"] == row["ratio_of_means_error"] == row["gni_error"] == 0


@pytest.mark.parametrize("sampling", ["without_replacement", "iid"])
def test_samples_of_the_interaction_are_unbiased(monkeypatch, sampling):
    monkeypatch.setattr(batches_room, "_SAMPLES", 12)
    net = network()
    w = net.initial(1)
    how = "with" if sampling == "iid" else "without"
    exact = gradient_moments(net, w, 4, sampling=how).gradient_noise_interaction
    tracker = make_tracker("gni", net, sgd(eta=0.1, batch_size=4, sampling=sampling))
    rows = [tracker.measure(t, w, {}) for t in range(200)]
    values, errors = (np.array([row[c] for row in rows]) for c in ("gni", "gni_error"))
    assert values.mean() == pytest.approx(exact, abs=4 * values.std() / 200**0.5)
    assert values.std() == pytest.approx(np.sqrt((errors**2).mean()), rel=0.2)


def test_the_largest_eigenvalue_of_batches():
    net = network()
    w = net.initial(1)
    row = look(["lambda_max_batch[20]", "sharpness", "batch_sharpness[20]"], net, GD, w)
    assert row["lambda_max_batch[20]"] == pytest.approx(row["sharpness"], rel=2e-6)
    g = net.grad(w)
    assert row["batch_sharpness[20]"] == pytest.approx(g @ net.hvp(w, g) / (g @ g), rel=1e-9)
    rng = np.random.default_rng([0, 2, 0])
    drawn = [rng.choice(20, 5, replace=False) for _ in range(16)]
    H = [net.linearize(w, batch=batch).hvp(np.eye(net.dim)) for batch in drawn]
    expected = np.mean([np.linalg.eigvalsh(h)[-1] for h in H])
    found = look(["lambda_max_batch"], net, sgd(eta=0.1, batch_size=5), w)
    assert found["lambda_max_batch"] == pytest.approx(expected, rel=2e-6)
    assert found["lambda_max_batch_error"] > 0


def test_many_samples_are_never_gradients_of_all_at_once(monkeypatch):
    rng = np.random.default_rng(0)
    net = MLP((4, 8, 1), "tanh", "mse", rng.standard_normal((5000, 4)), rng.standard_normal(5000))
    whole = net.sample_gradients
    asked = []

    def guarded(w, *, batch=None):
        asked.append(5000 if batch is None else len(batch))
        return whole(w, batch=batch)

    monkeypatch.setattr(net, "sample_gradients", guarded)
    monkeypatch.setattr(batches_room, "_NUMBERS", 10 * net.dim)
    row = look(
        list(f"{n}[4]" for n in ("batch_sharpness", "ratio_of_means", "gni", "lambda_max_batch")),
        net,
        GD,
        net.initial(0),
    )
    assert np.isfinite(list(row.values())).all()
    assert max(asked) <= 10


@pytest.mark.parametrize("name", ["sharpness", "sharpness[2]", "generalized_sharpness[linf]", "batch_sharpness", "gni"])
def test_a_tracker_goes_on_from_its_state(name):
    net, method = network(), METHODS["reshuffle"]
    run = states(net, method, net.initial(1), 40)
    whole = make_tracker(name, net, method, seed=3)
    rows = [whole.measure(state["t"], state["w"], state) for state in run[::4]]
    first = make_tracker(name, net, method, seed=3)
    for state in run[:20:4]:
        first.measure(state["t"], state["w"], state)
    stored = {k: np.array(v) for k, v in first.state().items()}
    second = make_tracker(name, net, method, seed=3)
    second.restore({k: v.item() if v.shape == () else v for k, v in stored.items()})
    assert [second.measure(state["t"], state["w"], state) for state in run[20::4]] == rows[5:]
    assert second.products == whole.products
    assert second.seconds > first.seconds


EVERYTHING = ("sharpness[2]", "alignment", "edge", "dual_norm", "directional_smoothness", "generalized_sharpness[linf]")


@pytest.mark.parametrize("name", ["reshuffle", "independent", "isotropic", "gaussian"])
def test_measuring_does_not_change_the_training(name):
    net, method = network(), METHODS[name]
    track = (*EVERYTHING, "batch_sharpness", "ratio_of_means", "gni", "lambda_max_batch")
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tracked = train(net, method, steps=12, record=Record(what=("w",), track=track), seed=4)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    plain = train(net, method, steps=12, record=Record(what=("w",)), seed=4)
    assert (tracked.w.values == plain.w.values).all()
    fewer = train(net, method, steps=12, record=Record(at=[3, 8], track=("batch_sharpness", "gni")), seed=4)
    for column in ("batch_sharpness", "gni"):  # nor does it depend on where else one measures
        assert (fewer[column].values == tracked[column].sel(step=[3, 8]).values).all()
        assert tracked[column].attrs["long_name"].endswith("b = 3" if name == "reshuffle" else "b = 4")


def test_sharpness_over_edge_of_a_trained_network():
    net, w = sine_network()
    at = [t for first in range(14_000, 20_000, 600) for t in (first, first + 1)]
    run = train(net, rules.gd(eta=0.4), w, 20_000, record=Record(at=at, track=("sharpness", "edge"))).isel(run=0)
    assert np.median(run.ratio) == pytest.approx(1, abs=0.01)
    assert (run.ratio == run.sharpness / run.edge).all()


def test_a_diverged_run_is_nan():
    net = network()
    w = np.full(net.dim, 1e200)
    names = [*EVERYTHING, "batch_sharpness[3]", "gni[3]", "lambda_max_batch[3]"]
    trackers = make_trackers(names, net, GD)
    start = states(net, GD, net.initial(0), 0)[0]
    for w in (net.initial(0), np.full(net.dim, np.nan), np.full(net.dim, 1e200), net.initial(0)):
        for tracker in trackers:
            row = tracker.measure(start["t"], w, {**start, "w": w})
            assert row.keys() == tracker.long_names.keys()
            if np.isnan(w).any():
                assert np.isnan(list(row.values())).all()
    assert np.isfinite(trackers[0].measure(1, w, start)["sharpness"])  # and it recovers


def test_names_of_the_columns_are_in_words():
    net = network()
    for name in NAMES:
        method = {"preconditioned_sharpness": adam(eta=0.1), "sam_edge": rules.sam(eta=0.1, rho=0.1)}.get(
            name, sgd(eta=0.1, batch_size=3)
        )
        if name == "generalized_sharpness":
            method = steepest_descent(norms.Linf(), eta=0.1)
        tracker = make_tracker(name, net, method)
        assert next(iter(tracker.long_names)) == name
        assert all(tracker.long_names.values())


@pytest.mark.parametrize(
    ("name", "method", "message"),
    [
        ("sharpnes", GD, r'unknown tracker "sharpnes"; did you mean "sharpness"\?'),
        ("batch_sharpnes[8]", GD, r'did you mean "batch_sharpness"\?'),
        ("sharpness[0]", GD, r'the number in "sharpness\[0\]" must be a whole one from 1 to'),
        ("sharpness[two]", GD, "must be a whole one"),
        ("sharpness[²]", GD, "must be a whole one"),
        ("sharpness[2", GD, r'written as "sharpness" or "sharpness\[...\]"'),
        ("sharpness[]", GD, r'written as "sharpness" or "sharpness\[...\]"'),
        ("edge[2]", GD, '"edge" takes nothing in brackets'),
        ("batch_sharpness", GD, r'has no batch size: give one, such as "batch_sharpness\[8\]"'),
        ("batch_sharpness[21]", GD, "from 1 to 20"),
        ("sam_edge", GD, "is for SAM"),
        ("sam_edge", rules.usam(eta=0.1, rho=0.1), "is for SAM"),
        ("preconditioned_sharpness", GD, "is for adam and rmsprop"),
        ("generalized_sharpness", GD, r'name a norm, such as "generalized_sharpness\[linf\]"'),
        ("generalized_sharpness[linff]", GD, 'did you mean "linf"'),
        ("generalized_sharpness[lp]", GD, "needs its exponent"),
    ],
)
def test_names_that_do_not_work(name, method, message):
    with pytest.raises(ValueError, match=message):
        make_tracker(name, network(), method)


def test_what_a_problem_must_have():
    plain = Function(dim=3, loss=lambda w: (w**2).sum(-1), grad=lambda w: 2 * w)
    with pytest.raises(TypeError, match=r"needs a problem with hvp\(w, v\)"):
        make_tracker("sharpness", plain, GD)
    curved = Function(dim=3, loss=lambda w: (w**2).sum(-1), grad=lambda w: 2 * w, hvp=lambda w, v: 2 * v)
    with pytest.raises(TypeError, match="need a problem with n_samples"):
        make_tracker("batch_sharpness[2]", curved, GD)
    with pytest.raises(ValueError, match="has no attribute layers"):
        make_tracker("generalized_sharpness[spectral]", curved, GD)
    with pytest.raises(TypeError, match="names of trackers must be strings"):
        make_tracker(3, curved, GD)
    with pytest.raises(ValueError, match=r'"sharpness" and "sharpness\[2\]" both measure sharpness'):
        make_trackers(["sharpness", "sharpness[2]"], curved, GD)
    assert look(["sharpness", "alignment"], curved, GD, np.ones(3)) == {
        "sharpness": pytest.approx(2),
        "sharpness_residual": pytest.approx(0, abs=1e-12),
        "sharpness_hvps": 3,
        "alignment": pytest.approx(1),
    }


def test_other_problems():
    factors = MatrixFactorization([[1.0]], 1)  # ½(ab - 1)²
    w = np.array([2.0, 1.0])
    row = look(["sharpness[2]", "generalized_sharpness[spectral]", "generalized_sharpness[block_max]"], factors, GD, w)
    H = np.array([[1.0, 3.0], [3.0, 4.0]])  # b² , 2ab - 1; 2ab - 1, a²
    assert [row["sharpness"], row["sharpness_2"]] == pytest.approx(np.linalg.eigvalsh(H)[::-1])
    assert row["generalized_sharpness[spectral]"] == pytest.approx(H.sum())
    assert row["generalized_sharpness[block_max]"] == pytest.approx(H.sum())


@pytest.mark.parametrize("name", ["sharpness", "generalized_sharpness[linf]"])
def test_every_so_often_a_search_starts_afresh(name):
    net = network()
    tracker = make_tracker(name, net, GD)
    state = states(net, GD, net.initial(1), 0)[0]
    spent = [tracker.measure(t, state["w"].copy(), state)[f"{name}_hvps"] for t in range(51)]
    afresh, warm = [spent[t] for t in (0, 25, 50)], [spent[t] for t in range(51) if t % 25]
    assert min(afresh) > max(warm)


def test_a_run_that_diverges_through_very_large_curvature():
    X = np.random.default_rng(0).standard_normal((10, 3))
    net = MLP((3, 7, 1), "identity", "mse", X, X.sum(1))
    track = ("sharpness", "alignment", "lambda_max_batch[5]")
    run = train(net, rules.gd(eta=1.0), net.initial(0) * 2, 14, record=Record(what=("w",), track=track)).isel(run=0)
    assert run.stopped.item() == "diverged"
    seen = run.isel(step=np.isfinite(run.sharpness.values))
    assert seen.sharpness.values.max() > 1e154
    for w, sharpness in zip(seen.w.values, seen.sharpness.values, strict=True):
        H = hessian(net, w)
        size = np.abs(H).max()
        assert sharpness / size == pytest.approx(np.linalg.eigvalsh(H / size)[-1], rel=1e-6)
    assert ((seen.alignment > 0) & (seen.alignment <= 1 + 1e-12)).all()
    assert (seen["lambda_max_batch[5]"] > 0.1 * seen.sharpness).all()


@pytest.mark.parametrize("power", [-400, 400, 530])
def test_trackers_at_any_scale_of_the_loss(power):
    H = np.diag(np.linspace(1, 2, 40)) + 0.5
    scale, w = 2.0**power, np.random.default_rng(0).standard_normal(40)

    def scaled(s):
        return Function(40, lambda w: s * 0.5 * (w @ H * w).sum(-1), lambda w: s * (w @ H), lambda w, v: s * (v @ H))

    names = ["sharpness[2]", "alignment"]
    plain, found = look(names, scaled(1), GD, w), look(names, scaled(scale), GD, w)
    assert found["alignment"] == plain["alignment"]
    for name in ("sharpness", "sharpness_2", "sharpness_residual"):
        assert found[name] == plain[name] * scale
    method, problem = adam(eta=0.01), scaled(scale)
    state = states(problem, method, w, 0)[0]
    with np.errstate(over="ignore"):
        P = method.preconditioner(state, problem.grad(w))
    found = look(["preconditioned_sharpness"], problem, method, w, state)["preconditioned_sharpness"]
    if power == 530:  # squares of the gradient overflow
        assert np.isinf(P).all()
        assert np.isnan(found)
    else:
        root = np.sqrt(scale / P)
        assert found == pytest.approx(np.linalg.eigvalsh(root[:, None] * H * root)[-1], rel=1e-6)
