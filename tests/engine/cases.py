"""What the tests of the engine share: every rule, random hyper-parameters, comparison bit by bit."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from eossim._rule import Family, Rule
from eossim.engine.blocks import compiled
from eossim.engine.reference import quadratic_gradient, reference
from eossim.rules import CATALOGUE


def members() -> dict[str, Rule]:
    """Every shipped rule by name; a family through members of two sizes."""
    found: dict[str, Rule] = {}
    for name, entry in CATALOGUE.items():
        if isinstance(entry, Family):
            found |= {f"{name}_{size}": entry.member(size) for size in (2, 3)}
        else:
            found[name] = entry
    return found


RULES = members()


def hyper_parameters(rule: Rule, runs: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One value per run: step sizes from stable to overflow, the rest over its interval and closed ends."""
    values = {}
    for name, interval in rule.domain.items():
        if name.startswith("eta"):
            values[name] = 10 ** rng.uniform(-3, 3, runs)
            continue
        drawn = np.array([interval.sample(rng) for _ in range(runs)])
        ends = [
            e for e, is_open in ((interval.low, interval.open_low), (interval.high, interval.open_high)) if not is_open
        ]
        for end in ends:
            drawn[rng.random(runs) < 0.15] = end
        values[name] = drawn
    return values


@dataclass
class Block:
    """Input of one call of a kernel."""

    kernel: Any
    states: list[np.ndarray]
    curvature: np.ndarray
    linear: np.ndarray
    hyper: list[np.ndarray]
    stops: np.ndarray

    def fused(self) -> tuple[list[np.ndarray], np.ndarray]:
        """States at the end and kept iterates, from the compiled kernel."""
        return self._run(compiled(self.kernel, self.curvature, self.linear, self.hyper))

    def oracle(self) -> tuple[list[np.ndarray], np.ndarray]:
        """The same from the NumPy step."""
        gradient = quadratic_gradient(self.curvature, self.linear, centred=self.kernel.CENTRED)
        return self._run(reference(self.kernel, gradient, self.curvature, self.hyper))

    def _run(self, advance: Any) -> tuple[list[np.ndarray], np.ndarray]:
        states = [s.copy() for s in self.states]
        kept = np.empty((self.stops.size, *states[0].shape), states[0].dtype)
        advance(states, self.stops, kept)
        return states, kept


def block(rule: Rule, dim: int, runs: int, dtype: str, seed: int, *, dense: bool = False, steps: int = 120) -> Block:
    """Random input: some coordinates and curvatures zero, some curvatures negative."""
    rng = np.random.default_rng(seed)
    spectrum = rng.choice([0.0, 1.0, 1.0, 1.0], dim) * rng.uniform(-0.5, 3, dim)
    curvature = spectrum.astype(dtype)
    if dense:
        q = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
        curvature = ((q * spectrum) @ q.T).astype(dtype)
    states = [rng.standard_normal((dim, runs)).astype(dtype) for _ in rule.kernel.STATE]
    states[0][rng.random((dim, runs)) < 0.1] = 0
    states[0][:, rng.random(runs) < 0.1] = 0
    linear = rng.standard_normal(dim).astype(dtype) if rule.kernel.CENTRED else np.zeros(dim, dtype)
    hyper = [v.astype(dtype) for v in hyper_parameters(rule, runs, rng).values()]
    stops = np.unique(np.append(rng.integers(0, steps, 5), steps))
    return Block(rule.kernel, states, curvature, linear, hyper, stops)


def assert_same_bits(one: np.ndarray, other: np.ndarray) -> None:
    """Equal values, nan where nan, and equal signs, those of zeros included."""
    np.testing.assert_array_equal(one, other)
    assert one.dtype == other.dtype
    signs = np.signbit(one) == np.signbit(other)
    assert np.all(signs | np.isnan(one))
