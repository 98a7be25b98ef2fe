"""`check` passes what is a norm and says what is wrong with what is none."""

import time

import numpy as np
import pytest

from eossim.norms import Linf, MaxProduct, Norm, Spectral, SumProduct, check

from .cases import each_norm


class Weighted(Norm):
    """max |w_i d_i|: a norm of a user's own, with nothing but what is needed."""

    dim = 4
    weights = np.array([1.0, 2.0, 4.0, 0.5])

    def norm(self, d):
        return np.abs(self.weights * d).max(axis=-1)

    def lmo(self, g):
        return np.sign(g) / self.weights


class WrongDual(Weighted):
    def dual(self, g):
        return np.abs(g).sum(axis=-1)


class Downhill(Weighted):
    def lmo(self, g):
        return -super().lmo(g)


class NotHomogeneous(Weighted):
    def norm(self, d):
        return super().norm(d) ** 2


class TooLong(Weighted):
    def lmo(self, g):
        return 2 * super().lmo(g)


class Suboptimal(Weighted):
    """A direction of norm 1 that attains the dual that follows from it: only better ones betray it."""

    def lmo(self, g):
        size = self.norm(g)
        return g / np.where(size == 0, 1, size)[..., None]


class OneVectorOnly(Weighted):
    def norm(self, d):
        return float(np.abs(self.weights * d).max())


class Concave(Weighted):
    """The 1/2-"norm": homogeneous and positive, but not subadditive."""

    def norm(self, d):
        return np.sqrt(np.abs(d)).sum(axis=-1) ** 2


class Seminorm(Weighted):
    def norm(self, d):
        return np.abs(d[..., 1:]).max(axis=-1)


class NotZeroAtZero(Weighted):
    def lmo(self, g):
        return np.where(g >= 0, 1, -1) / self.weights


class Raising(Weighted):
    def lmo(self, g):
        raise np.linalg.LinAlgError("SVD did not converge")


class MixesTheBatch(Weighted):
    def norm(self, d):
        return np.full(np.shape(d)[:-1], np.abs(self.weights * d).max())


class Writes(Weighted):
    def lmo(self, g):
        g[...] = super().lmo(g)
        return g


class ByCoordinate(Weighted):
    def norm(self, d):
        return np.abs(self.weights * d)


class NoAnswer(Weighted):
    def lmo(self, g):
        return None


@each_norm
def test_every_norm_passes(norm, dim):
    assert check(norm, dim, seed=1).failures == ()


@pytest.mark.parametrize(
    "norm",
    [
        Weighted(),
        MaxProduct([Weighted(), (Linf(), 2)], radii=[3.0, 1.0]),
        SumProduct([Weighted(), Spectral((2, 3))]),
        Spectral((4, 4), polar="newton_schulz"),
    ],
    ids=repr,
)
def test_own_products_and_approximate_norms_pass(norm):
    found = check(norm)
    assert found.passed, found
    assert repr(found).splitlines()[0] == f"{norm.name} on 200 vectors of length {norm.dim}: passed"


@pytest.mark.parametrize(
    ("norm", "properties"),
    [
        (WrongDual(), {"attained", "maximal"}),
        (Downhill(), {"attained", "maximal"}),
        (NotHomogeneous(), {"homogeneous", "subadditive"}),
        (TooLong(), {"unit"}),
        (Suboptimal(), {"maximal"}),
        (OneVectorOnly(), {"batches"}),
        (Concave(), {"subadditive"}),
        (Seminorm(), {"positive"}),
        (NotZeroAtZero(), {"unit"}),
        (Raising(), {"batches", "unit", "attained", "maximal"}),
        (MixesTheBatch(), {"batches"}),
        (Writes(), {"unchanged"}),
        (ByCoordinate(), {"batches", "positive", "homogeneous", "subadditive", "unit", "maximal"}),
        (NoAnswer(), {"batches", "unchanged", "unit", "attained", "maximal"}),
    ],
    ids=lambda value: repr(value) if isinstance(value, Norm) else "-".join(sorted(value)),
)
def test_broken_norms_are_caught(norm, properties):
    found = check(norm)
    assert not found.passed
    names = [failure.split(":")[0] for failure in found.failures]
    assert properties <= set(names)
    if norm.name in ("suboptimal", "onevectoronly", "mixesthebatch"):
        assert set(names) == properties  # and nothing else is blamed


def test_a_failure_has_a_witness():
    text = dict(failure.split(": ", 1) for failure in check(Concave()).failures)["subadditive"]
    assert "‖x + y‖ = " in text
    assert "> ‖x‖ + ‖y‖ = " in text
    assert "[" in text
    assert "raised LinAlgError: SVD did not converge" in repr(check(Raising()))


def test_what_is_said_of_answers_of_a_wrong_kind():
    shape = "norm of an array of shape (1, 4) has shape (1, 4) instead of (1,)"
    assert dict(failure.split(": ", 1) for failure in check(ByCoordinate()).failures)["positive"].endswith(shape)
    assert "lmo writes into its argument" in repr(check(WritesAlone()))
    assert "give it the attribute dim" in repr(check(AnyLength()))
    assert check(AnyLength(), 4).passed


class WritesAlone(Writes):
    def dual(self, g):
        return np.abs(g / self.weights).sum(axis=-1)


class AnyLength(Weighted):
    dim = None


class NoInteger(Weighted):
    dim = 4.0


def test_same_seed_same_result_and_long_vectors():
    assert repr(check(Concave(), seed=3)) == repr(check(Concave(), seed=3))
    found = check(Linf(), 100_000)
    assert found.passed
    assert found.cases == 10
    assert check(Linf()).dim == 8


def test_it_is_cheap():
    times = []
    for _ in range(5):
        start = time.perf_counter()
        check(Linf(), 64)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("linf",), TypeError, r'norm must be a norm such as .*, got "linf": eossim.norms.from_name makes norms'),
        ((Linf,), TypeError, r"norm must be a norm, got the class Linf: write Linf\(\.\.\.\)"),
        ((3,), TypeError, "norm must be a norm such as eossim.norms.Linf"),
        ((Weighted(), 5), ValueError, "the norm weighted is for 4 coordinates"),
        ((NoInteger(),), TypeError, "dim of the norm nointeger must be an integer >= 1, got 4.0"),
        ((Linf(), 0), ValueError, "dim must be an integer >= 1"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        check(*arguments)
