import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eossim.early_training import critical_constants, refine

#: Printed trajectories of the official notebook of arXiv:2302.12250, width 256: log2 c, losses, sharpness. Where the
#: printed series break off or the run diverges, the rest is not printed.
PRINTED = {
    1.6: (
        ".3816 .3474 .1531 .0931 .0897 .0877 .086 .0842 .0829 .0817 .0805",
        "67.7721 55.4286 33.424 29.9379 28.1899 28.0482 26.4863 26.8079 26.4314 26.6743 24.1727",
    ),
    1.7: (
        ".3816 .399 .1662 .0904 .087 .0852 .0835 .0818 .0806 .0794 .0784",
        "67.7721 56.7572 29.1798 26.7267 25.0456 23.721 24.069 24.4508 22.0743 23.3058 21.5536",
    ),
    2.2: (".3816 .7734 .2046 .0951 .0805", "67.7721 67.0843 15.7554 11.3254 10.828"),
    2.3: (".3816 .8745 .2065 .0964 .0805", "67.7721 70.0498 14.5163 10.0874 9.2793"),
    3.8: (".3816 4.3784 3.2002 2.2554 .4062 .0647", "67.7721 173.3925 202.1386 175.089 34.6313 5.1703"),
    3.9: (".3816 4.9068 5.084 35.5103 462017920", "67.7721"),
}


def padded(text, last=None):
    numbers = [float(x) for x in text.split()]
    return numbers + [numbers[-1] if last is None else last] * (11 - len(numbers))


def test_printed_trajectories():
    c = 2.0 ** np.array([*PRINTED])
    L = [padded(loss) for loss, _ in PRINTED.values()]
    S = [padded(sharpness) for _, sharpness in PRINTED.values()]
    S[-1] = padded(PRINTED[3.9][1], np.nan)
    found = critical_constants(c, L, S)
    np.testing.assert_allclose(
        [found.c_loss, found.c_sharp, found.c_max], [2**1.7, 2**2.3, 2**3.8], rtol=1e-14, strict=True
    )
    assert not found.reached_end
    assert np.isnan(found.c_barrier)


def literal(c, L, S, barrier):
    """Go upward in c until one diverges."""
    out = dict.fromkeys(("loss", "sharp", "barrier", "max"), np.nan)
    last = np.nan
    for x, losses, sharps, segment in zip(c, L, S, barrier, strict=True):
        if not all(loss <= 1e5 for loss in losses):
            out["max"] = last
            break
        last = x
        for name, up in (("loss", losses), ("sharp", sharps), ("barrier", [losses[0], *segment])):
            if np.isnan(out[name]) and max(up[1:]) > up[0]:
                out[name] = x
    if np.isnan(out["barrier"]):
        out["barrier"] = out["max"]
    return [out["loss"], out["sharp"], out["barrier"], out["max"]]


@given(st.integers(1, 8), st.data())
def test_upward_until_the_first_divergence(n, data):
    draw = st.lists(st.sampled_from([0.5, 1.0, 1.5, np.nan, 2e5, np.inf]), min_size=3, max_size=3)
    calm = st.lists(st.sampled_from([0.5, 1.0, 1.5]), min_size=3, max_size=3)
    c = np.cumsum(data.draw(st.lists(st.floats(0.01, 1), min_size=n, max_size=n)))
    L = np.array([[1.0, *data.draw(st.one_of(calm, draw))] for _ in range(n)])
    S = np.array([[1.0, *data.draw(calm)] for _ in range(n)])
    barrier = np.array([data.draw(calm) for _ in range(n)])
    found = critical_constants(c, L, S, barrier_loss=barrier)
    got = [found.c_loss, found.c_sharp, found.c_barrier, found.c_max]
    np.testing.assert_array_equal(got, literal(c, L, S, barrier))
    assert found.reached_end == bool(np.all(L <= 1e5))
    beyond = ~np.logical_and.accumulate(np.all(L <= 1e5, axis=1))
    S[beyond] = np.nan
    again = critical_constants(c, np.stack([L, L]), np.stack([S, S]), barrier_loss=np.stack([barrier] * 2))
    for k in range(2):
        np.testing.assert_array_equal([again.c_loss[k], again.c_sharp[k], again.c_barrier[k], again.c_max[k]], got)


def test_larger_c_may_look_finite_again():
    L = [[1, 0.9], [1, 0.8], [1, 1e9], [1, 1.2]]
    found = critical_constants([1, 2, 3, 4], L, np.ones((4, 2)))
    assert found.c_max == 2
    assert np.isnan(found.c_loss)


def test_tolerances_and_steps():
    L, S = [[1, 1.01, 1.2], [1, 1.1, 1.2]], [[1, 1.01, 1.2], [1, 1.1, 1.2]]
    found = critical_constants([1, 2], L, S, steps=1, loss_rise=0.05, sharpness_rise=0.005)
    assert (found.c_loss, found.c_sharp) == (2, 1)
    assert critical_constants([1, 2], L, S, loss_rise=0.05).c_loss == 1
    assert critical_constants([1, 2], L, S, bound=1.15).reached_end == False  # noqa: E712


@pytest.mark.parametrize(
    ("c", "rows", "message"),
    [
        ([1, 1], 2, r"c must increase strictly, got c\[0\] = 1 and c\[1\] = 1"),
        ([2, 1], 2, "c must increase strictly"),
        ([0, 1], 2, "0 < c < inf required"),
        ([1, np.inf], 2, "0 < c < inf required"),
        ([[1, 2]], 2, r"c must be a grid of shape \(c,\)"),
        ([1, 2], 3, r"one row per c, shape \(..., 2, steps\), got \(3, 4\)"),
    ],
)
def test_bad_grid(c, rows, message):
    with pytest.raises(ValueError, match=message):
        critical_constants(c, np.ones((rows, 4)), np.ones((rows, 4)))


def test_bad_series():
    with pytest.raises(ValueError, match="sharpness must be finite where the run has not diverged"):
        critical_constants([1, 2], np.ones((2, 2)), [[1, 1], [1, np.nan]])
    with pytest.raises(ValueError, match=r"barrier_loss must have shape \(2,\) \+ \(points,\)"):
        critical_constants([1, 2], np.ones((2, 2)), np.ones((2, 2)), barrier_loss=np.ones(2))


def stairs(c_loss, c_sharp, c_max, asked=None):
    """A model whose loss and sharpness rise and whose run diverges from given c on."""

    def run(c):
        if asked is not None:
            asked.append(c)
        L = np.where(c > c_max, np.nan, np.where(c >= c_loss, 1.1, 0.9))
        S = np.where(c > c_max, np.nan, np.where(c >= c_sharp, 1.1, 0.9))
        return np.stack([np.ones_like(c), L], -1), np.stack([np.ones_like(c), S], -1)

    return run


@given(st.lists(st.floats(0.02, 5.9), min_size=3, max_size=3, unique=True), st.sampled_from([2**-10, 1e-6]))
def test_bisection_finds_what_the_grid_encloses(exponents, tolerance):
    true = 2.0 ** np.sort(exponents)
    grid, asked = 2.0 ** np.arange(0, 6.05, 0.1), []
    run = stairs(*true, asked)
    coarse = critical_constants(grid, *run(grid))
    fine = refine(run, grid, coarse, tolerance=tolerance)
    assert all(c.size <= 3 for c in asked[1:])
    assert len(asked) - 1 == int(np.ceil(np.log2(0.1 / tolerance) - 1e-6))
    for name, target, side in (("c_loss", true[0], 1), ("c_sharp", true[1], 1), ("c_max", true[2], -1)):
        found = float(getattr(fine, name))
        if np.isnan(found):
            assert name != "c_max"
            assert np.log2(true[2] / target) < 2 * tolerance
            assert np.isnan(getattr(coarse, name))
            continue
        assert 0 <= side * np.log2(found / target) <= tolerance * 1.01 + 1e-12
        assert not side * np.log2(float(getattr(coarse, name)) / found) < -1e-12
    assert np.isnan(fine.c_barrier)


def test_a_constant_between_the_last_two_of_the_grid():
    grid = 2.0 ** np.arange(0, 4, 0.1)
    run = stairs(4.1, 4.15, 4.2)
    coarse = critical_constants(grid, *run(grid))
    assert np.isnan(coarse.c_loss)
    fine = refine(run, grid, coarse, tolerance=1e-8)
    np.testing.assert_allclose([fine.c_loss, fine.c_sharp, fine.c_max], [4.1, 4.15, 4.2], rtol=1e-7)
    run = stairs(100.0, 100.0, 4.2)
    fine = refine(run, grid, critical_constants(grid, *run(grid)))
    assert np.isnan(fine.c_loss)
    assert np.isnan(fine.c_sharp)


def test_nothing_to_bisect():
    grid = 2.0 ** np.arange(0, 3, 0.1)
    run = stairs(0.5, 100.0, 200.0)
    coarse = critical_constants(grid, *run(grid))
    fine = refine(run, grid, coarse)
    assert fine.c_loss == 1
    assert np.isnan(fine.c_sharp)
    assert np.isnan(fine.c_max)
    assert fine.reached_end


def test_a_barrier_at_the_last_c_before_divergence_stays():
    grid = 2.0 ** np.arange(0, 4, 0.1)
    run = stairs(100.0, 100.0, 4.2)
    L, S = run(grid)
    segment = np.where(grid > 0.95 * 4.2, 1.5, 0.5)[:, None]
    last = grid[grid <= 4.2][-1]
    with_barrier = critical_constants(grid, L, S, barrier_loss=segment)
    assert (with_barrier.c_barrier, with_barrier.no_barrier) == (last, False)
    assert refine(run, grid, with_barrier).c_barrier == last
    without = critical_constants(grid, L, S, barrier_loss=np.full((grid.size, 1), 0.5))
    assert (without.c_barrier, without.no_barrier) == (last, True)
    fine = refine(run, grid, without)
    assert fine.c_barrier == fine.c_max > last
    assert not critical_constants(grid, L, S).no_barrier


def test_a_trial_that_diverges_is_beyond_what_it_looked_for():
    """Between two calm neighbours of the grid a model may diverge: bisection takes that for having crossed."""

    def run(c):
        L = np.where((c > 2.1) & (c < 2.9), np.nan, np.where(c >= 3, 1.1, 0.9))
        return np.stack([np.ones_like(c), L], -1), np.ones((c.size, 2))

    grid = np.array([2.0, 3.0])
    found = refine(run, grid, critical_constants(grid, *run(grid)))
    assert found.c_loss == pytest.approx(2.1, rel=1e-3)
