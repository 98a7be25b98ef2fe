"""Hypothesis strategies shared by the tests.

Magnitudes stay within [1e-3, 1e3] (or are exactly zero), so that tolerances can be stated relative to the
norms of the inputs.
"""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

dims = st.integers(1, 6)
seeds = st.integers(0, 2**32 - 1)
magnitudes = st.floats(1e-3, 1e3)
numbers = st.one_of(st.just(0.0), magnitudes, magnitudes.map(lambda x: -x))


def vectors(dim: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays of shape (dim,)."""
    return arrays(np.float64, (dim,), elements=numbers)


def batches(dim: int, max_dims: int = 2) -> st.SearchStrategy[np.ndarray]:
    """Arrays of shape (..., dim) with up to `max_dims` leading axes of length 1 to 3."""
    shapes = st.lists(st.integers(1, 3), max_size=max_dims)
    return shapes.flatmap(lambda lead: arrays(np.float64, (*lead, dim), elements=numbers))


@st.composite
def spectra(draw: st.DrawFn, min_dim: int = 1, max_dim: int = 6) -> np.ndarray:
    """Eigenvalues of any sign; zeros and repeated values are frequent."""
    distinct = draw(st.lists(numbers, min_size=1, max_size=max_dim))
    dim = draw(st.integers(min_dim, max_dim))
    return np.array(draw(st.lists(st.sampled_from([0.0, *distinct]), min_size=dim, max_size=dim)))


@st.composite
def orthogonal_matrices(draw: st.DrawFn, dim: int) -> np.ndarray:
    """Orthogonal matrices of shape (dim, dim)."""
    return np.linalg.qr(np.random.default_rng(draw(seeds)).standard_normal((dim, dim)))[0]


@st.composite
def symmetric_matrices(draw: st.DrawFn, max_dim: int = 6) -> np.ndarray:
    """Exactly symmetric matrices with a spectrum from `spectra`."""
    lam = draw(spectra(max_dim=max_dim))
    Q = draw(orthogonal_matrices(lam.size))
    A = (Q * lam) @ Q.T
    return (A + A.T) / 2


@st.composite
def regressions(draw: st.DrawFn, max_samples: int = 8, max_dim: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Inputs X of shape (n, dim) with n below, at or above dim, often rank-deficient, and targets y."""
    n, dim = draw(st.integers(1, max_samples)), draw(st.integers(1, max_dim))
    rng = np.random.default_rng(draw(seeds))
    rank = draw(st.integers(0, min(n, dim)))
    X = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, dim))
    return draw(magnitudes) * X, draw(magnitudes) * rng.standard_normal(n)
