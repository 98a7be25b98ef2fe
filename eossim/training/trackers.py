"""Trackers by their names: what `train` measures along a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .._check import unknown
from ..engine.sampling import Minibatch
from ..norms.names import NAMES as NORMS
from .moments import Moments
from .track.base import Tracker
from .track.batches import Batches, BatchLambdaMax, BatchSharpness, GradientNoiseInteraction
from .track.edges import DualNorm, Edge, compared_with, norm_of, sam_edge
from .track.norms import DirectionalSmoothness, GeneralizedSharpness, norm_named
from .track.point import Points
from .track.spectrum import Alignment, Sharpness, Spectrum, preconditioned

__all__ = ["NAMES", "Tracker", "compared_with", "make_tracker", "make_trackers"]

#: What can be tracked, with what goes into the brackets.
NAMES = {
    "sharpness": "[k]: the k largest eigenvalues of the Hessian, by default one",
    "alignment": "norm fraction of the gradient in the top eigenspaces",
    "edge": "edge of the method, at the state",
    "sam_edge": "edge of SAM at the step size, the radius and the gradient norm",
    "preconditioned_sharpness": "largest eigenvalue of the Hessian in the metric of Adam or RMSProp",
    "generalized_sharpness": "[norm]: largest curvature of unit directions, by default in the norm of the method",
    "directional_smoothness": "curvature that the step which leaves the point meets",
    "dual_norm": "dual norm of the gradient, in the norm of the method",
    "batch_sharpness": "[b]: curvature of batches along their own gradients, by default of those of the method",
    "ratio_of_means": "[b]: E[g_B' H_B g_B]/E|g_B|^2",
    "gni": "[b]: gradient-noise interaction",
    "lambda_max_batch": "[b]: mean largest eigenvalue of the Hessians of batches",
}
_OF_BATCHES = ("batch_sharpness", "ratio_of_means", "gni", "lambda_max_batch")
_OF_CURVATURE = ("sharpness", "alignment", "preconditioned_sharpness", "generalized_sharpness", *_OF_BATCHES)
_FORM = re.compile(r"([^\[\]]*)(?:\[([^\[\]]+)\])?")


def make_tracker(name: str, problem: Any, method: Any, seed: int = 0) -> Tracker:
    """Return the tracker of one quantity (see `make_trackers`)."""
    return make_trackers([name], problem, method, seed)[0]


def make_trackers(names: Sequence[str], problem: Any, method: Any, seed: int = 0) -> list[Tracker]:
    """Return trackers of quantities, which share gradients, Hessians and eigenvectors at a point.

    Args:
        names: Names of `NAMES`, such as ``"sharpness"``, ``"sharpness[3]"``, ``"generalized_sharpness[linf]"`` or
            ``"batch_sharpness[8]"``.
        problem: The problem.
        method: The method, bound to the values of one run.
        seed: Seed of the run; measuring draws from ``default_rng([seed, 2, t])`` at step t.

    Raises:
        TypeError: If a name is no string, or the problem lacks what a tracker needs.
        ValueError: If a name is not known, what stands in its brackets is not allowed, the method does not have the
            quantity, or two names are of the same columns.
    """
    points = Points(problem, seed)
    spectrum = Spectrum(points, 1)
    trackers: list[Tracker] = []
    taken: dict[str, str] = {}
    for name in names:
        tracker = _make(name, points, spectrum, method)
        for column in tracker.long_names:
            if column in taken:
                raise ValueError(f'"{taken[column]}" and "{name}" both measure {column}: track one of them')
            taken[column] = name
        trackers.append(tracker)
    return trackers


def _make(name: str, points: Points, spectrum: Spectrum, method: Any) -> Tracker:
    kind, argument = _parsed(name)
    problem = points.problem
    if kind in _OF_CURVATURE and not (hasattr(problem, "hvp") or hasattr(problem, "sample_hvp")):
        raise TypeError(f'"{name}" needs a problem with hvp(w, v), got {problem!r}')
    if kind in _OF_BATCHES:
        return _of_batches(name, kind, argument, points, method)
    if kind == "sharpness":
        count = 1 if argument is None else _whole(name, argument, problem.dim)
        spectrum.count = max(spectrum.count, count)
        return Sharpness(name, points, spectrum, kind, count)
    if kind == "generalized_sharpness":
        return GeneralizedSharpness(name, points, _norm(name, argument, problem, method))
    if kind == "preconditioned_sharpness":
        if not isinstance(method, Moments):
            raise ValueError(f'"{name}" is for adam and rmsprop, {method!r} has no preconditioner: track "sharpness"')
        own = Spectrum(points, 1, preconditioned(method))
        return Sharpness(name, points, own, kind, 1, f"the Hessian in the metric of {method.name}")
    makers = {
        "alignment": lambda: Alignment(name, points, spectrum),
        "edge": lambda: Edge(name, points, method),
        "sam_edge": lambda: sam_edge(name, points, method),
        "dual_norm": lambda: DualNorm(name, points, norm_of(method)),
        "directional_smoothness": lambda: DirectionalSmoothness(name, points, method, norm_of(method)),
    }
    tracker: Tracker = makers[kind]()
    return tracker


def _parsed(name: str) -> tuple[str, str | None]:
    """Return what is tracked and what stands in the brackets."""
    if not isinstance(name, str):
        raise TypeError(f"names of trackers must be strings, got {name!r}")
    match = _FORM.fullmatch(name)
    kind = match[1] if match else name.partition("[")[0]
    if kind not in NAMES:
        raise unknown("tracker", kind, NAMES)
    if match is None:
        raise ValueError(f'a tracker is written as "{kind}" or "{kind}[...]", got "{name}"')
    if match[2] is not None and not NAMES[kind].startswith("["):
        raise ValueError(f'"{kind}" takes nothing in brackets, got "{name}"')
    return kind, match[2]


def _whole(name: str, text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= most:
        raise ValueError(f'the number in "{name}" must be a whole one from 1 to {most}, got "{text}"')
    return int(text)


def _norm(name: str, argument: str | None, problem: Any, method: Any) -> Any:
    if argument is not None:
        return norm_named(argument, problem)
    if compared_with(method) != "generalized_sharpness":
        raise ValueError(
            f'{method!r} is Euclidean, where it is "sharpness": name a norm, such as "{name}[linf]" '
            f"({', '.join(NORMS)})"
        )
    return norm_of(method)


def _of_batches(name: str, kind: str, argument: str | None, points: Points, method: Any) -> Tracker:
    samples = int(getattr(points.problem, "n_samples", 0))
    own = method.batch_size if isinstance(method, Minibatch) else None
    replacement = isinstance(method, Minibatch) and method.sampling == "iid"
    if argument is None and own is None:
        raise ValueError(f'{method!r} has no batch size: give one, such as "{kind}[8]"')
    size = own if argument is None else _whole(name, argument, samples or 1 << 62)
    assert size is not None
    batches = Batches(points, size, replacement)
    if kind == "lambda_max_batch":
        return BatchLambdaMax(name, batches)
    if kind == "gni":
        return GradientNoiseInteraction(name, batches)
    return BatchSharpness(name, batches, ratio_first=kind == "batch_sharpness")
