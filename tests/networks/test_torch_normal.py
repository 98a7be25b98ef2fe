"""The normal numbers of torch, drawn without it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.networks.torch_normal import TorchNormal

SHAPES = st.lists(
    st.sampled_from([(1,), (3,), (15,), (16,), (17,), (31,), (48,), (5, 3), (3, 7), (64, 10), (33, 33)]), max_size=6
)


@given(seed=st.integers(0, 2**32 - 1), shapes=SHAPES, dtype=st.sampled_from([np.float32, np.float64]))
def test_every_draw_is_that_of_torch(seed, shapes, dtype):
    torch = pytest.importorskip("torch")
    theirs, ours = torch.Generator().manual_seed(seed), TorchNormal(seed)
    tolerance = 2e-6 if dtype == np.float32 else 1e-13
    for shape in shapes:
        expected = torch.randn(*shape, generator=theirs, dtype=getattr(torch, np.dtype(dtype).name)).numpy()
        found = ours.randn(*shape, dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_few_and_many_numbers_take_turns_like_in_torch():
    """A sine that a small draw leaves over waits while large draws go by, and both types share it."""
    torch = pytest.importorskip("torch")
    theirs, ours = torch.Generator().manual_seed(5), TorchNormal(5)
    for size, name in (
        (3, "float32"),
        (100, "float32"),
        (1, "float64"),
        (20, "float64"),
        (2, "float32"),
        (5, "float32"),
    ):
        expected = torch.randn(size, generator=theirs, dtype=getattr(torch, name)).numpy()
        np.testing.assert_allclose(ours.randn(size, dtype=name), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("seed", "error"), [(-1, ValueError), (2**32, ValueError), (1.0, TypeError)])
def test_seeds_out_of_range_are_refused(seed, error):
    with pytest.raises(error, match="seed"):
        TorchNormal(seed)
