"""Find the sharpness of a matrix over a ball in standard coordinates: which oracle fits."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ..operator import is_semidefinite
from .ball import Ball, Euclidean, Nuclear, Own, Power, combination, dual, extreme, independent, squared_length
from .cube import cube
from .faces import cross_polytope
from .found import Found, Unsolved
from .matrix import one_matrix
from .power import positive_fixed_point
from .spectrum import Spectrum, leading
from .two_balls import two_balls


def solve(ball: Ball, H: np.ndarray) -> Found:
    """Return the largest dᵀHd over the unit sphere of `ball`, H symmetric of shape (dim, dim).

    In turn: parts that H does not couple are solved apart and combined (`ball.independent`); a negative definite H is
    turned into a positive definite one in the dual norm; a Hessian of rank one, or that plus a multiple of the
    identity, has S = ‖a‖*² + c‖d‖₂²; then comes what fits the ball.

    Raises:
        Unsolved: if nothing does.
    """
    if ball.size == 1 and not isinstance(ball, Own):
        return Found.at(H, np.ones(1), "one coordinate")
    if isinstance(ball, Euclidean):
        pair = leading(H)
        return Found.at(H, pair.vector, pair.how)
    if isinstance(ball, Power):
        groups = _groups(ball, H)
        if len(groups) > 1:
            return _apart(ball, H, groups)
        if ball.p == 1 and is_semidefinite(H):
            return best_part(ball, [solve(part, H[at, at]) for part, at in zip(ball.parts, ball.slices(), strict=True)])
    root = _scales(H)
    scaled = Spectrum(H / np.outer(root, root))
    if scaled.top <= scaled.rounding:
        return _negative(ball, H, scaled, root)
    h = Spectrum(H)
    point = _rank_one(ball, h)
    if point is not None:
        return Found.at(H, point, "closed form: rank one, or that plus the identity")
    if isinstance(ball, Own):
        exact = "" if ball.norm.traits.exact_lmo else ", and from an exact LMO"
        raise Unsolved(f"exact sharpness in the norm {ball.norm.name} is known for Hessians of rank one only{exact}")
    if not isinstance(ball, Power):
        return one_matrix(ball, h)
    return _combined(ball, h)


def _combined(ball: Power, h: Spectrum) -> Found:
    H = h.H
    if ball.p == 1:
        if ball.scalar:
            return cross_polytope(H)
        raise Unsolved("exact sharpness in a sum of norms needs a positive semidefinite Hessian")
    if ball.scalar:
        return cube(H) if ball.p == np.inf else positive_fixed_point(H, ball.p)
    if ball.p == np.inf and ball.euclidean and len(ball.parts) == 2:
        return two_balls(H, ball.parts[0].size)
    raise Unsolved(
        f"exact sharpness in a combination of {len(ball.parts)} norms whose parts the Hessian couples is not known"
        + (" beyond two Euclidean blocks" if ball.p == np.inf else "")
    )


def best_part(ball: Power, found: list[Found]) -> Found:
    """Return the best of the parts of a sum of norms: a convex form is largest at an extreme point of the ball."""
    k = int(np.argmax([part.value for part in found]))
    point = np.zeros(ball.size)
    point[ball.slices()[k]] = found[k].witness
    return Found(found[k].value, point, f"best of {len(found)} parts: {found[k].how}")


def _groups(ball: Power, H: np.ndarray) -> list[np.ndarray]:
    """Return the numbers of the parts in each set of parts that H couples, directly or through others."""
    coupled = H != 0
    if not ball.scalar:
        starts = ball.starts[:-1]
        coupled = np.logical_or.reduceat(np.logical_or.reduceat(coupled, starts, axis=0), starts, axis=1)
    count, label = connected_components(csr_array(coupled), directed=False)
    return [np.flatnonzero(label == k) for k in range(count)]


def _apart(ball: Power, H: np.ndarray, groups: list[np.ndarray]) -> Found:
    slices = ball.slices()
    coordinates = [np.concatenate([np.arange(s.start, s.stop) for s in (slices[i] for i in group)]) for group in groups]
    found = []
    for group, at in zip(groups, coordinates, strict=True):
        found.append(solve(combination(ball.p, [ball.parts[i] for i in group]), H[np.ix_(at, at)]))
    _, t = independent(ball.p, np.array([part.value for part in found]))
    point = np.zeros(ball.size)
    for weight, part, at in zip(t, found, coordinates, strict=True):
        point[at] = weight * part.witness
    hardest = max(range(len(groups)), key=lambda k: len(coordinates[k]))
    return Found.at(H, point, f"{len(groups)} uncoupled parts: {found[hardest].how}")


def _scales(H: np.ndarray) -> np.ndarray:
    """Return √|H_ii|, or the root of the largest |H_ij| where it is 0: the sign of H is then that of H_ij/(r_i r_j).

    Rounding can so hide it between coordinates only that are nearly dependent, not between large and small ones.
    """
    diagonal = np.abs(np.diag(H))
    root = np.sqrt(np.where(diagonal > 0, diagonal, np.abs(H).max(axis=1)))
    return np.where(root > 0, root, 1.0)


def _negative(ball: Ball, H: np.ndarray, scaled: Spectrum, root: np.ndarray) -> Found:
    """Solve a negative semidefinite H, given H_ij/(r_i r_j): 0 if it is singular, else by duality.

    For A = -H positive definite, min {dᵀAd : ‖d‖ = 1} = 1/max {‖d‖² : dᵀAd = 1} = 1/max {gᵀA⁻¹g : ‖g‖* = 1}, with
    d = A⁻¹g up to its length.
    """
    if scaled.top >= -scaled.rounding:
        return Found.at(H, _to_sphere(ball, scaled.leading / root), "zero: negative semidefinite and singular")
    other = dual(ball)
    if other is None:
        raise Unsolved("exact sharpness of a negative definite Hessian needs a norm whose dual is known here")
    values, vectors = scaled.pairs
    inverse = (vectors / -values) @ vectors.T / np.outer(root, root)
    found = solve(other, 0.5 * (inverse + inverse.T))
    return Found.at(H, _to_sphere(ball, inverse @ found.witness), f"dual norm, inverse Hessian: {found.how}")


def _to_sphere(ball: Ball, d: np.ndarray) -> np.ndarray:
    return d / size_of(ball, d)


def size_of(ball: Ball, d: np.ndarray) -> float:
    """Return the norm of d whose unit ball is `ball`."""
    if isinstance(ball, Euclidean):
        return float(np.linalg.norm(d))
    if isinstance(ball, Own):
        return float(ball.norm.norm(d))
    if isinstance(ball, Power):
        sizes = np.abs(d) if ball.scalar else [size_of(*pair) for pair in zip(ball.parts, ball.split(d), strict=True)]
        return float(np.linalg.norm(sizes, ball.p))
    s = np.linalg.svd(d.reshape(ball.rows, ball.columns), compute_uv=False)
    return float(s.sum() if isinstance(ball, Nuclear) else s[0])


def _rank_one(ball: Ball, h: Spectrum) -> np.ndarray | None:
    """Return the maximiser for H = aaᵀ + cI: the extreme point along a, if c = 0 or all of them are equally long."""
    if not _known(ball):
        return None
    values = h.values
    c = float(values[0]) if len(values) > 1 else 0.0
    if len(values) > 1 and values[-2] - c > h.rounding:
        return None
    if abs(c) > h.rounding and (c < 0 or squared_length(ball) is None):
        return None
    return extreme(ball, h.leading)


def _known(ball: Ball) -> bool:
    """Whether extreme points are those of the ball, not what an approximate LMO makes of them."""
    if isinstance(ball, Power) and not ball.euclidean:
        return all(map(_known, ball.parts))
    return not isinstance(ball, Own) or ball.norm.traits.exact_lmo
