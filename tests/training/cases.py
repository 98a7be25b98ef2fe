"""A small network, and methods of every kind."""

import numpy as np

from eossim import adaptive_descent, minibatch, noisy_gd, norms, rules, sgd, steepest_descent
from eossim.networks import MLP
from eossim.training import adam, rmsprop

rng = np.random.default_rng(5)
X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))


def network(**options):
    return MLP((3, 6, 5, 2), "tanh", "mse", X, Y, **options)


METHODS = {
    "gd": rules.gd(eta=0.1),
    "heavy_ball": rules.heavy_ball(eta=0.05, beta=0.8),
    "sam": rules.sam(eta=0.1, rho=0.05),
    "delayed_gd": rules.delayed_gd(eta=0.05, delay=2),
    "reshuffle": sgd(eta=0.05, batch_size=3, sampling="reshuffle"),
    "without_replacement": sgd(eta=0.05, batch_size=3, beta=0.5),
    "iid": sgd(eta=0.05, batch_size=3, sampling="iid"),
    "independent": minibatch(rules.sam(eta=0.05, rho=0.05), batch_size=4, ascent="independent"),
    "isotropic": noisy_gd(eta=0.05, batch_size=4),
    "diagonal": noisy_gd(eta=0.05, batch_size=4, noise="diagonal", beta=0.5),
    "gaussian": noisy_gd(eta=0.05, batch_size=4, noise="gaussian", sampling="iid"),
    "adam": adam(eta=0.01),
    "rmsprop": rmsprop(eta=0.01),
    "linf": steepest_descent(norms.Linf(), eta=0.01),
    "polyak": adaptive_descent("polyak"),
}


class Counter:
    """A tracker that remembers: how often it measured, a random walk, and the steps that it saw."""

    seconds = products = 0

    def __init__(self, name, problem, method, seed):
        self.name, self.method, self.seen = name, method, []
        self.long_names = {"sharpness": "a random walk"}
        self.calls, self.walk = 0, np.random.default_rng([seed, 2]).standard_normal(3)

    def measure(self, t, w, state):
        self.calls += 1
        self.walk = np.cos(self.walk * (1 + self.calls)) + w[:3]
        self.seen.append(t)
        assert state["t"] == t
        assert state["w"] is w
        if self.name == "edge":
            return {"edge": 2 / self.method.values["eta"].item()}
        return {"sharpness": self.walk.sum(), "sharpness_calls": self.calls}

    def state(self):
        return {"calls": self.calls, "walk": self.walk}

    def restore(self, state):
        self.calls, self.walk = state["calls"], state["walk"]


def track_with(monkeypatch, made):
    """Let `train` track with counters, which are added to `made`."""
    import sys
    from types import SimpleNamespace

    def make(names, *arguments):
        made.extend(new := [Counter(name, *arguments) for name in names])
        return new

    stub = SimpleNamespace(make_trackers=make, compared_with=lambda method: "sharpness")
    monkeypatch.setitem(sys.modules, "eossim.training.trackers", stub)
