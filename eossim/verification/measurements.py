"""Measurements by name: what a simulation of the literal step shows, to be held against a prediction.

Every measurement takes the subject and values of its domain, one array per name, and returns one number per case.
States are stepped with the emitted NumPy step; cases are its runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .._check import unknown
from ..engine.reference import sequential_norm
from .report import Check
from .subject import Subject, point_text

Values = dict[str, np.ndarray]
Gradient = Callable[[np.ndarray], np.ndarray]


def measurement(subject: Subject, rng: np.random.Generator, cases: int) -> Check:
    """Compare the claimed value with what the simulation shows."""
    name = subject.claim.measured_by
    if name not in MEASUREMENTS:
        raise unknown("measurement", name, tuple(MEASUREMENTS))
    values = subject.draw(rng, cases)
    measured = MEASUREMENTS[name](subject, values)
    predicted = np.array([float(subject.exact({n: v[i] for n, v in values.items()}, 20)[0]) for i in range(cases)])
    with np.errstate(invalid="ignore"):
        errors = np.abs(measured - predicted) / np.abs(predicted)
    errors = np.where(np.isnan(errors), np.inf, errors)
    worst = int(np.argmax(errors))
    where = point_text({n: v[worst] for n, v in values.items()})
    return Check(
        "measurement",
        bool(errors[worst] <= subject.claim.tolerance),
        cases,
        float(errors[worst]),
        f"at {where}: predicted {predicted[worst]:.10g}, measured {measured[worst]:.10g}",
        float(predicted[0]),
        float(measured[0]),
    )


def _step(
    subject: Subject, values: Values, states: list[np.ndarray], gradient: Gradient, steps: int
) -> list[np.ndarray]:
    """Return the state after `steps` literal steps."""
    assert subject.rule is not None
    kernel = subject.rule.kernel
    hyper = {n: values[n] for n in kernel.HYPER}
    with np.errstate(all="ignore"):
        for _ in range(steps):
            states = list(kernel.step(*states, grad=gradient, norm=sequential_norm, **hyper))
    return states


def _start(subject: Subject, w: np.ndarray) -> list[np.ndarray]:
    assert subject.rule is not None
    return [w.copy() if is_iterate else np.zeros_like(w) for is_iterate in subject.rule.kernel.ITERATES]


def _line(values: Values) -> Gradient:
    return lambda x: values["h"] * x


def two_cycle(subject: Subject, values: Values) -> np.ndarray:
    """Return the amplitude on which one dimension settles, nan where two steps do not bring the iterate back."""
    start = np.full((1, len(values["h"])), 0.37)
    late = _step(subject, values, _start(subject, start), _line(values), 20_000)
    after = _step(subject, values, late, _line(values), 1)[0][0]
    return np.where(np.abs(late[0][0] + after) <= 1e-9 * np.abs(after), np.abs(after), np.nan)


def transverse_multiplier(subject: Subject, values: Values) -> np.ndarray:
    """Return the factor per step of a small coordinate of curvature q h beside the 2-cycle along h."""
    amplitude = two_cycle(subject, values)
    small = 1e-8 * amplitude
    gradient: Gradient = lambda x: np.stack([values["h"], values["q"] * values["h"]]) * x  # noqa: E731
    after = _step(subject, values, _start(subject, np.stack([amplitude, small])), gradient, 1)
    return after[0][1] / small


def radial_multiplier(subject: Subject, values: Values) -> np.ndarray:
    """Return the factor per step of a displacement of |w| from the 2-cycle."""
    amplitude = two_cycle(subject, values)
    away = _start(subject, 1.1 * amplitude[None, :])
    return (np.abs(_step(subject, values, away, _line(values), 1)[0][0]) - amplitude) / (0.1 * amplitude)


def divergence_boundary(subject: Subject, values: Values) -> np.ndarray:
    """Return by bisection the curvature beyond which a far start moves farther away."""
    count = len(next(iter(values.values())))
    far = 1e9 * np.max(np.stack([v for n, v in values.items() if n != "eta"] + [np.ones(count)]), axis=0)
    low, high = np.zeros(count), 8 / values["eta"]
    for _ in range(60):
        h = (low + high) / 2
        late = _step(subject, values, _start(subject, far[None, :]), _line({"h": h}), 40)[0][0]
        escapes = ~(np.abs(late) <= far)
        low, high = np.where(escapes, low, h), np.where(escapes, h, high)
    return high


def valley_drift(subject: Subject, values: Values) -> np.ndarray:
    """Return the mean change of u per step on L = (1 + u^2) x^2 / 2, started on the 2-cycle across the valley."""
    curvature = 1 + values["u"] ** 2
    x = values["eta"] * values["rho"] * curvature / (2 - values["eta"] * curvature)
    start = [np.stack([values["u"], x])]

    def gradient(p: np.ndarray) -> np.ndarray:
        u, x = p
        return np.stack([u * x * x, (1 + u * u) * x])

    steps = 40
    return (_step(subject, values, start, gradient, steps)[0][0] - values["u"]) / steps


def sharpening_level(subject: Subject, values: Values) -> np.ndarray:
    """Return the mean late sharpness on L = (F0 + k u) x^2 / 2 - c u, F0 = 5."""
    base = 5.0

    def gradient(p: np.ndarray) -> np.ndarray:
        u, x = p
        return np.stack([values["k"] * x * x / 2 - values["c"], (base + values["k"] * u) * x])

    count = len(values["k"])
    states = _step(subject, values, [np.stack([np.zeros(count), np.full(count, 0.01)])], gradient, 12_000)
    levels = []
    for _ in range(200):
        states = _step(subject, values, states, gradient, 1)
        levels.append(base + values["k"] * states[0][0])
    return np.mean(levels, axis=0)


MEASUREMENTS: dict[str, Callable[[Subject, Values], np.ndarray]] = {
    "two_cycle": two_cycle,
    "transverse_multiplier": transverse_multiplier,
    "radial_multiplier": radial_multiplier,
    "divergence_boundary": divergence_boundary,
    "valley_drift": valley_drift,
    "sharpening_level": sharpening_level,
}
