"""Norms by name, and input that is refused with what to do instead."""

import numpy as np
import pytest

from eossim.norms import (
    L1,
    L2,
    BlockMax,
    BlockSum,
    L2Product,
    Linf,
    Lp,
    Mahalanobis,
    MaxProduct,
    Nuclear,
    Spectral,
    SumProduct,
    as_norm,
    from_name,
)


@pytest.mark.parametrize(
    ("name", "options", "shown"),
    [
        ("l1", {}, "l1"),
        ("l2", {}, "l2"),
        ("linf", {"shape": (2, 2), "blocks": 2}, "linf"),
        ("frobenius", {}, "frobenius"),
        ("lp:3", {}, "lp[3]"),
        ("lp", {"p": 1.5}, "lp[1.5]"),
        ("lp:inf", {}, "lp[inf]"),
        ("block_sum", {"blocks": 2}, "block_sum[2 blocks]"),
        ("block_max", {"blocks": [[0, 2], [1], [3]]}, "block_max[3 blocks]"),
        ("spectral", {"shape": (2, 2)}, "spectral[2x2]"),
        ("spectral", {"shape": [(1, 2), (2,)]}, "spectral[1x2, 2x1]"),
        ("nuclear", {"shape": (4, 1)}, "nuclear[4x1]"),
        ("mahalanobis", {"P": [1, 2, 3, 4]}, "mahalanobis"),
    ],
)
def test_names(name, options, shown):
    norm = from_name(name, 4, **options)
    assert norm.name == repr(norm) == shown
    norm.check_dim(4)


def test_blocks_of_equal_length_follow_one_another():
    blocks = from_name("block_sum", 6, blocks=3).blocks
    np.testing.assert_array_equal(blocks, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        (("l3", 4), {}, ValueError, 'unknown norm "l3"; did you mean'),
        (("linf:3", 4), {}, ValueError, 'unknown norm "linf:3"'),
        ((3, 4), {}, ValueError, "unknown norm"),
        (("lp", 4), {}, ValueError, r'needs its exponent: give p=3, or the name "lp:3"'),
        (("lp:x", 4), {}, ValueError, 'the exponent of the norm "lp:x" must be a number'),
        (("lp:0.5", 4), {}, ValueError, "1 <= p <= inf required, got p = 0.5"),
        (("spectral", 12), {}, ValueError, r"12 coordinates are: give shape=\(m, n\) .* such as shape=\(3, 4\)"),
        (("nuclear", 7), {}, ValueError, r"such as shape=\(1, 7\)"),
        (("nuclear", 4), {"shape": (2, 3)}, ValueError, r"nuclear\[2x3\] is for 6 coordinates, the problem has 4"),
        (("block_max", 4), {}, ValueError, "give their length, such as blocks=1"),
        (("block_max", 4), {"blocks": 3}, ValueError, "blocks=3 does not divide the 4 coordinates: give lists"),
        (("mahalanobis", 4), {}, ValueError, r"needs P: give P of shape \(4,\) or \(4, 4\)"),
        (("lp:3", 4), {"p": 4}, ValueError, 'the norm "lp:3" has its exponent in its name, got p=4 besides'),
        (("l2", 0), {}, ValueError, "dim must be an integer >= 1"),
    ],
)
def test_names_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        from_name(*arguments, **options)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Lp(0.9), ValueError, "1 <= p <= inf required"),
        (lambda: Lp(np.nan), ValueError, "1 <= p <= inf required, got p = nan"),
        (lambda: Lp([2.0, 3.0]), ValueError, "p must be a single number"),
        (lambda: Lp("2"), TypeError, "p must hold real numbers"),
        (
            lambda: Mahalanobis([1.0, 0.0]),
            ValueError,
            "P must be positive definite, got the diagonal entry 0.0 at coord",
        ),
        (lambda: Mahalanobis([[1.0, 2], [2, 1]]), ValueError, "positive definite beyond rounding.* add a multiple of"),
        (lambda: Mahalanobis([[1.0, 1], [1, 1]]), ValueError, "positive definite beyond rounding"),
        (lambda: Mahalanobis([[1.0, 0.5], [0, 1]]), ValueError, r"P must be symmetric, got P\[0, 1\] = 0.5"),
        (lambda: Mahalanobis(np.ones((2, 3))), ValueError, "P must be square"),
        (lambda: Mahalanobis([1.0, np.inf]), ValueError, "P must be finite"),
        (lambda: BlockSum([[0, 1], [1, 2]]), ValueError, r"coordinate 1 is in blocks\[0\] and blocks\[1\]"),
        (lambda: BlockSum([[0, 1, 0], [2]]), ValueError, r"coordinate 0 is in blocks\[0\] twice"),
        (lambda: BlockMax([[0, 1], [3]]), ValueError, "every coordinate up to 3, .* but 2 is in none of them: add it"),
        (lambda: BlockMax([[0], []]), ValueError, r"blocks\[1\] must not be empty"),
        (lambda: BlockMax([[0, -1]]), ValueError, r"blocks\[0\] must hold coordinates from 0 on, got -1"),
        (lambda: BlockMax([[0.0, 1.0]]), TypeError, r"blocks\[0\] must hold integers"),
        (lambda: BlockMax([0, 1]), TypeError, r"blocks\[0\] must be a list of coordinates"),
        (lambda: BlockMax([]), ValueError, r"blocks must be lists of coordinates, such as .*, got none"),
        (lambda: BlockMax(4), TypeError, "blocks must be lists of coordinates"),
        (lambda: Spectral((2, 3, 3, 3)), ValueError, r"give a convolution as \(out, rest\) = \(2, 27\)"),
        (lambda: Spectral([(2, 0)]), ValueError, r"shapes\[0\]\[1\] must be an integer >= 1, got 0"),
        (lambda: Spectral((2.0, 3)), TypeError, r"shapes\[0\] must be an integer"),
        (lambda: Spectral([]), ValueError, "shapes must be a shape"),
        (lambda: Spectral("8x8"), TypeError, r"shapes must be a shape \(m, n\) or a list of shapes, got '8x8'"),
        (lambda: Spectral((2, 2), radii=[1.0, 2.0]), ValueError, "radii must be 1 numbers, one per part"),
        (lambda: Spectral((2, 2), radii=[0.0]), ValueError, "0 < radii < inf required"),
        (lambda: Spectral((2, 2), polar="qr"), ValueError, "polar must be one of 'svd', 'newton_schulz'"),
        (lambda: Nuclear([(2, 2), (2, 2)]), TypeError, r"shape\[0\] must be an integer"),
        (lambda: Nuclear(4), TypeError, r"shape must be \(m, n\), or \(n,\) for a vector, got 4"),
        (lambda: MaxProduct([Linf(), Spectral((2, 2))]), ValueError, r"any length: give it as \(linf, dim\)"),
        (lambda: MaxProduct([(Linf(), 2)], radii=[1, -1]), ValueError, r"0 < radii < inf required, got radii\[1\]"),
        (lambda: SumProduct([(Spectral((2, 2)), 5)]), ValueError, r"is for 4 coordinates, got \(spectral\[2x2\], 5\)"),
        (lambda: L2Product([]), ValueError, "parts must be a list of norms, .* got none"),
        (lambda: L2Product(Linf()), TypeError, "parts must be a list of norms"),
        (lambda: L2Product(["linf"]), TypeError, r"parts\[0\] must be a norm such as"),
        (lambda: L2Product([(L2(), 2.0)]), TypeError, r"the length of parts\[0\] must be an integer"),
        (lambda: Spectral((2, 2)).norm(np.ones(5)), ValueError, r"d must have shape \(\.\.\., 4\) .* got \(5,\)"),
        (lambda: L1().lmo(3.0), ValueError, r"g must have shape \(\.\.\., dim\)"),
        (lambda: L1().dual([1j]), TypeError, "g must hold real numbers"),
        (lambda: L1().dual(np.empty((2, 0))), ValueError, "g must have shape"),
    ],
)
def test_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_arrays_serve_as_lists():
    grid = np.arange(6).reshape(2, 3)
    assert BlockMax(grid) == from_name("block_max", 6, blocks=grid) == BlockMax([[0, 1, 2], [3, 4, 5]])
    assert BlockSum([np.array([0, 2]), np.array([1])]) == BlockSum([[0, 2], [1]])
    assert Spectral(np.array([[2, 3], [3, 2]])) == Spectral([(2, 3), (3, 2)])
    assert Spectral(np.array([2, 3])) == Spectral((2, 3))
    with pytest.raises(TypeError, match="must hold integers"):
        BlockMax(grid / 1)


EQUAL = [
    L2,
    L1,
    lambda: Lp(3),
    lambda: Mahalanobis([1.0, 2.0]),
    lambda: Mahalanobis([[2.0, 1.0], [1.0, 2.0]]),
    lambda: BlockMax([[0], [1]]),
    lambda: Spectral((2, 3), radii=[2.0]),
    lambda: MaxProduct([(Linf(), 2), Nuclear((2, 2))]),
]


def test_norms_are_equal_if_they_are_the_same():
    for make in EQUAL:
        assert make() == make()
        assert hash(make()) == hash(make())
    different = [make() for make in EQUAL]
    different += [Lp(4), Mahalanobis([1.0, 3.0]), BlockSum([[0], [1]]), BlockMax([[1], [0]]), Spectral((2, 3))]
    different += [Spectral((2, 3), polar="newton_schulz"), MaxProduct([(L1(), 2), Nuclear((2, 2))]), Nuclear((2, 3))]
    assert len(set(different)) == len(different)
    assert L2() != "l2"


@pytest.mark.parametrize("name", ["l1", "l2", "linf", "frobenius", "lp:3", "lp:inf"])
def test_a_name_can_say_all(name):
    assert as_norm(name) == as_norm(name, 4) == from_name(name, 4)
    assert as_norm(as_norm(name)) == as_norm(name)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            ("spectral",),
            ValueError,
            'the norm "spectral" needs more than its name: make it with eossim.norms.from_name',
        ),
        (("lp",), ValueError, "needs more than its name"),
        (("spectral", 4), ValueError, "needs the shape"),
        (("l3",), ValueError, 'unknown norm "l3"'),
        ((3,), TypeError, "norm must be a norm such as"),
        ((Linf, 3), TypeError, "got the class Linf"),
        ((Spectral((2, 2)), 3), ValueError, "is for 4 coordinates"),
    ],
)
def test_what_is_no_norm(arguments, error, message):
    with pytest.raises(error, match=message):
        as_norm(*arguments)


def test_attributes():
    norm = Spectral([(3, 2), (4,)], radii=[1, 2])
    assert norm.shapes == ((3, 2), (4, 1))
    assert (norm.dim, norm.polar) == (10, "svd")
    np.testing.assert_array_equal(norm.radii, [1.0, 2.0])
    product = MaxProduct([(Linf(), 3), norm])
    assert product.sizes == (3, 10)
    assert product.parts[1] is norm
    assert product.dim == 13
    assert Mahalanobis([1.0, 2.0]).P.shape == (2,)
    assert Nuclear((3, 2)).shape == (3, 2)
    P = np.array([1.0, 2.0])
    held = Mahalanobis(P)
    P[0] = 9.0
    assert held.P[0] == 1.0
    assert Spectral([(2, 2)] * 9).name == "spectral[2x2, 2x2, ... 9 in all]"
