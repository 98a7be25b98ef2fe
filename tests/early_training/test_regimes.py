from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from eossim.early_training.regimes import detect_regimes


def literal(L, S, threshold):
    """The definition, line by line."""
    T1, eps, K = 10, 0.02, 1e5
    finite = all(loss <= K for loss in L)
    t3 = next((t for t in range(T1 + 1, len(S)) if S[t] >= threshold), None)
    end = len(S) if t3 is None else t3
    tm = min(range(T1, end), key=lambda t: S[t])
    t2 = next((t for t in range(tm + 1, end) if S[t] > (1 + eps) * S[tm]), None)
    return t2, t3, finite and 0.97 <= np.median(S[-(len(S) // 4) :]) / threshold <= 1.06


@given(
    st.lists(st.floats(0.9, 1.1), min_size=16, max_size=60),
    st.lists(st.floats(-0.1, 0.12), min_size=60, max_size=60),
    st.floats(0.5, 2),
)
def test_by_definition(factors, drift, threshold):
    S = np.array(factors) * np.exp(np.cumsum(drift[: len(factors)]))
    found = detect_regimes(np.ones(S.size), S, threshold)
    assert (found.rise, found.edge, found.confirmed) == literal(np.ones(S.size), S, threshold)
    assert found.diverged_at is None
    spans = list(found.spans.values())
    assert spans[0][0] == 0
    assert spans[-1][1] == S.size
    assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_all_four():
    S = np.concatenate([np.full(11, 3.0), np.full(20, 0.5), np.linspace(0.5, 1, 30), np.ones(100)])
    found = detect_regimes(np.ones(S.size), S, 1.0)
    rise = 31 + int(np.argmax(np.linspace(0.5, 1, 30) > 0.51))
    assert found.spans == {"T1": (0, 11), "T2": (11, rise), "T3": (rise, 60), "T4": (60, 161)}
    assert str(found) == "T1, T2, T3, T4"
    assert found.confirmed


def test_a_start_above_the_threshold_is_not_the_edge():
    S = np.concatenate([np.full(11, 3.0), np.full(50, 0.5)])
    assert detect_regimes(np.ones(S.size), S, 1.0).edge is None


@pytest.mark.parametrize("last", [np.nan, np.inf, 1e5 + 1])
def test_divergence_at_the_last_step_counts(last):
    L, S = np.append(np.ones(40), last), np.append(np.full(40, 1.0), np.nan)
    found = detect_regimes(L, S, 1.0)
    assert found.diverged_at == 40
    assert not found.confirmed
    assert str(found) == "T1, T4, diverged"
    assert detect_regimes(np.append(np.ones(40), 1e5), np.ones(41), 1.0).diverged_at is None


@pytest.mark.parametrize("at", [0, 5, 10, 11])
def test_an_early_divergence_ends_the_spans(at):
    L = np.where(np.arange(30) < at, 1.0, np.nan)
    found = detect_regimes(L, np.ones(30), 2.0)
    assert (found.length, found.diverged_at) == (at, at)
    assert found.spans == ({"T1": (0, at)} if at else {})
    assert str(found) == ("T1, diverged" if at else "diverged")


def test_bad_input():
    with pytest.raises(ValueError, match="one value per step"):
        detect_regimes(np.ones(20), np.ones(19), 1.0)
    with pytest.raises(ValueError, match="beyond early=10, got 11 steps"):
        detect_regimes(np.ones(11), np.ones(11), 1.0)
    with pytest.raises(ValueError, match="finite where the loss is"):
        detect_regimes(np.ones(20), np.append(np.ones(19), np.nan), 1.0)


def test_a_labelled_series_has_to_hold_every_step():
    S = xr.DataArray(np.linspace(1, 2, 40), dims="step", coords={"step": np.arange(40)})
    assert detect_regimes(S, S, 1.5) == detect_regimes(S.values, S.values, 1.5)
    with pytest.raises(ValueError, match=r"loss must have every step 0, 1, 2, \.\.\., got 0, 2, 4, 6, .*every=1"):
        detect_regimes(S[::2], S[::2], 1.5)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, np.nan, np.inf])
def test_a_threshold_is_positive(threshold):
    with pytest.raises(ValueError, match="threshold"):
        detect_regimes(np.ones(40), np.ones(40), threshold)
