"""Every exact oracle against random search, on Hessians of every kind, and the bounds that hold around it."""

import numpy as np
import pytest

from eossim.curvature.bounds import upper_bound
from eossim.curvature.exact import exact_sharpness
from eossim.curvature.operator import Operator

from .cases import KINDS, NORMS, hessian, searched


@pytest.mark.parametrize(("norm", "dim", "solved"), NORMS, ids=lambda x: getattr(x, "name", ""))
def test_no_point_is_better_and_no_bound_is_lower(norm, dim, solved):
    rng = np.random.default_rng(dim)
    kinds = KINDS * 5
    hessians = [hessian(kind, dim, rng) for kind in kinds]
    seen = searched(norm, hessians, rng)
    gaps = []
    for kind, H, lower in zip(kinds, hessians, seen, strict=True):
        operator = Operator.of_matrix(H)
        scale = max(np.abs(H).max(), 1.0)
        bound, name = upper_bound(norm, operator)
        assert lower <= bound + 1e-11 * scale, (kind, name)
        found = exact_sharpness(norm, operator)
        if found is None:
            assert solved != "all"
            assert kind not in solved
            continue
        assert norm.norm(found.witness) == pytest.approx(1, rel=1e-12), kind
        assert found.value == pytest.approx(found.witness @ H @ found.witness, abs=1e-12 * scale), kind
        assert found.value >= lower - 1e-11 * scale, (kind, found.how)
        assert found.value <= bound + 1e-11 * scale, (kind, name)
        gaps.append((found.value - lower) / scale)
    assert np.mean(gaps) < 0.05  # the search is worth something
