import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim._check import choice, finite_array, in_interval, positive_int, real_array, symmetric, unknown
from tests.strategies import symmetric_matrices


def raises(kind: type[Exception], text: str):
    return pytest.raises(kind, match=re.escape(text))


class TestFiniteArray:
    def test_integers_become_float64_and_floats_keep_their_type(self):
        assert finite_array("a", [1, 2]).dtype == np.float64
        assert finite_array("a", np.ones(2, np.float32)).dtype == np.float32
        assert finite_array("a", np.ones(2, np.float32), dtype=np.float64).dtype == np.float64

    def test_valid_input_is_not_copied(self):
        a = np.ones(3)
        assert finite_array("a", a) is a

    @given(st.integers(0, 3), st.integers(0, 4), st.sampled_from([np.nan, np.inf, -np.inf]))
    def test_names_the_first_bad_index(self, i, j, bad):
        a = np.zeros((4, 5))
        a[i, j] = a[-1, -1] = bad
        with raises(ValueError, f"weights must be finite, got weights[{i}, {j}] = {bad}"):
            finite_array("weights", a)

    def test_scalar_has_no_index(self):
        assert finite_array("a", 2.0, ndim=0) == 2
        with raises(ValueError, "got a = nan"):
            finite_array("a", np.nan)

    @pytest.mark.parametrize("value", [1j, [1j], "text", ["a"], [None], [True], {"a": 1}, np.array([object()])])
    def test_wrong_element_type(self, value):
        with raises(TypeError, "a must hold real numbers"):
            finite_array("a", value)

    def test_ragged(self):
        with raises(ValueError, "a must be a rectangular array"):
            finite_array("a", [[1, 2], [3]])

    @pytest.mark.parametrize("value", [[], np.empty((0, 3)), np.empty((3, 0))])
    def test_empty(self, value):
        with raises(ValueError, "a must not be empty"):
            finite_array("a", value)

    def test_number_of_dimensions(self):
        with raises(ValueError, "a must be 2-D, got shape (1,)"):
            finite_array("a", [1], ndim=2)
        with raises(ValueError, "a must be 1-D or 2-D, got shape ()"):
            finite_array("a", 1, ndim=(1, 2))

    def test_shape(self):
        assert finite_array("a", np.ones((2, 3)), shape=(None, 3)).shape == (2, 3)
        with raises(ValueError, "a must have shape (any, 3), got (2, 4)"):
            finite_array("a", np.ones((2, 4)), shape=(None, 3))
        with raises(ValueError, "a must have shape (3,), got (1, 3)"):
            finite_array("a", np.ones((1, 3)), shape=(3,))

    def test_conversion_neither_truncates_nor_overflows_silently(self):
        with raises(TypeError, "a must be of dtype int64, got float64"):
            finite_array("a", [1.5], dtype=np.int64)
        with raises(ValueError, "a must be finite, got a[0] = inf"):
            finite_array("a", [1e300], dtype=np.float32)


def test_real_array_lets_nan_and_infinity_pass():
    np.testing.assert_array_equal(real_array("a", [np.nan, np.inf]), [np.nan, np.inf])


class TestPositiveInt:
    @pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3), np.array(3)])
    def test_integers(self, value):
        result = positive_int("steps", value)
        assert type(result) is int
        assert result == 3

    @pytest.mark.parametrize("value", [True, np.True_, 3.5, 3.0, np.float64(3), "3", None, [3]])
    def test_wrong_type(self, value):
        with raises(TypeError, "steps must be an integer >= 1, got "):
            positive_int("steps", value)

    def test_minimum(self):
        assert positive_int("seed", 0, minimum=0) == 0
        with raises(ValueError, "steps must be an integer >= 1, got 0"):
            positive_int("steps", 0)
        with raises(ValueError, "seed must be an integer >= 0, got -1"):
            positive_int("seed", -1, minimum=0)


class TestNames:
    def test_choice(self):
        assert choice("dtype", "float32", ["float32", "float64"]) == "float32"
        with raises(ValueError, "got 'Float'; did you mean \"float64\"?"):
            choice("dtype", "Float", ["float64", "int"])
        with raises(ValueError, "dtype must be one of 'a', 'b'; got 'xyz'"):
            choice("dtype", "xyz", ["a", "b"])
        with raises(TypeError, "dtype must be one of 'a'; got 3"):
            choice("dtype", 3, ["a"])

    def test_unknown_returns_the_error(self):
        error = unknown("rule", "sma", ["gd", "sam"])
        assert isinstance(error, ValueError)
        assert str(error) == 'unknown rule "sma"; did you mean "sam"? known: gd, sam'

    def test_unknown_without_a_near_match(self):
        assert str(unknown("rule", "xyz", iter(["gd"]))) == 'unknown rule "xyz"; known: gd'
        assert str(unknown("rule", 3, [])) == 'unknown rule "3"; known: none'

    def test_letter_case_does_not_hide_a_match(self):
        assert 'did you mean "SAM"?' in str(unknown("rule", "sam", ["GD", "SAM"]))

    def test_long_values_are_shortened(self):
        assert len(str(unknown("rule", "x" * 10_000, ["gd"]))) < 120
        with pytest.raises(TypeError) as caught:
            choice("rule", list(range(10_000)), ["gd"])
        assert len(str(caught.value)) < 120


class TestInInterval:
    def test_ends(self):
        assert in_interval("beta", 0, 0, 1, open_high=True) == 0
        with raises(ValueError, "0 <= beta < 1 required, got beta = 1"):
            in_interval("beta", 1, 0, 1, open_high=True)
        with raises(ValueError, "0 < beta <= 1 required, got beta = 0"):
            in_interval("beta", 0, 0, 1, open_low=True)

    def test_first_offending_element(self):
        with raises(ValueError, "0 <= p <= 1 required, got p[0, 1] = 2.0"):
            in_interval("p", [[0, 2], [0.5, -1]], 0, 1)

    def test_nan_never_passes_and_infinity_only_as_a_closed_end(self):
        with raises(ValueError, "got x = nan"):
            in_interval("x", np.nan)
        assert in_interval("x", np.inf, 0) == np.inf
        with raises(ValueError, "0 <= x < inf required"):
            in_interval("x", np.inf, 0, open_high=True)

    def test_bad_arrays(self):
        with raises(ValueError, "x must not be empty"):
            in_interval("x", [], 0, 1)
        with raises(TypeError, "x must hold real numbers"):
            in_interval("x", "0.5", 0, 1)

    @given(st.lists(st.floats(-2, 2), min_size=1), st.booleans(), st.booleans())
    def test_agrees_with_python(self, values, open_low, open_high):
        inside = all((x > -1 if open_low else x >= -1) and (x < 1 if open_high else x <= 1) for x in values)
        try:
            result = in_interval("x", values, -1, 1, open_low=open_low, open_high=open_high)
        except ValueError:
            assert not inside
        else:
            assert inside
            np.testing.assert_array_equal(result, values)


class TestSymmetric:
    @given(symmetric_matrices())
    def test_exactly_symmetric_input_is_returned_unchanged(self, A):
        np.testing.assert_array_equal(symmetric("H", A), A)

    @given(symmetric_matrices(), st.integers(0, 2**32 - 1))
    def test_rounding_is_removed(self, A, seed):
        noise = np.random.default_rng(seed).uniform(-1, 1, A.shape) * 1e-12 * np.abs(A).max()
        result = symmetric("H", A + noise)
        np.testing.assert_array_equal(result, result.T)
        np.testing.assert_allclose(result, A, atol=1.1e-12 * np.abs(A).max())

    def test_names_the_pair_that_differs_most(self):
        A = np.eye(3)
        A[2, 0], A[0, 1] = 5, 1
        with raises(ValueError, "H must be symmetric, got H[0, 2] = 0.0 and H[2, 0] = 5.0"):
            symmetric("H", A)

    def test_huge_entries_of_opposite_sign(self):
        with raises(ValueError, "H must be symmetric"):
            symmetric("H", [[0, 1.5e308], [-1.5e308, 0]])

    def test_not_square(self):
        with raises(ValueError, "H must be square, got shape (2, 3)"):
            symmetric("H", np.ones((2, 3)))
