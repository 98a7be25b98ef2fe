"""Data, network and start of the phase diagram of networks."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from eossim.early_training.digits import relu_network, standardized_samples, torch_start


def test_samples_are_standardized_one_by_one():
    X, targets = standardized_samples("digits", 512)
    pixels, labels = load_digits(return_X_y=True)
    chosen = np.random.RandomState(0).permutation(1797)[:512]
    expected = (pixels[chosen] - pixels[chosen].mean(1, keepdims=True)) / pixels[chosen].std(1, keepdims=True)
    np.testing.assert_allclose(X, expected, rtol=1e-6)
    np.testing.assert_array_equal(targets.argmax(axis=1), labels[chosen])
    np.testing.assert_array_equal(targets.sum(axis=1), 1)
    assert X.dtype == targets.dtype == np.float32


def test_own_data_may_have_other_sizes_and_constant_samples(tmp_path):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 5)), np.arange(20) % 3
    X[4] = 7.0
    np.savez(tmp_path / "own.npz", X=X, y=y)
    found, targets = standardized_samples(tmp_path / "own.npz", 20)
    chosen = np.random.RandomState(0).permutation(20)
    constant = chosen == 4
    assert targets.shape == (20, 3)
    np.testing.assert_array_equal(found[constant], 0)
    np.testing.assert_allclose(found[~constant].std(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("labels", [[1, 2, 1, 2], [0, 2, 0, 2], [0.5, 1, 0, 1], [0, 0, 0, 0], [-1, 0, 1, 0]])
def test_labels_that_are_none_are_refused(tmp_path, labels):
    np.savez(tmp_path / "own.npz", X=np.eye(4), y=np.array(labels, float))
    with pytest.raises(ValueError, match="labels 0, 1"):
        standardized_samples(tmp_path / "own.npz", 4)


def test_regression_data_and_too_many_samples_are_refused():
    with pytest.raises(ValueError, match="labels"):
        standardized_samples("diabetes", 100)
    with pytest.raises(ValueError, match="at most the 1797"):
        standardized_samples("digits", 1798)
    with pytest.raises(ValueError, match="samples"):
        standardized_samples("digits", 0)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_loss_and_start_are_those_of_torch(depth):
    torch = pytest.importorskip("torch")
    X, targets = standardized_samples("digits", 128)
    problem = relu_network(depth, 9, X, targets)
    w = torch_start(problem, 3)
    generator, h = torch.Generator().manual_seed(3), torch.tensor(X)
    sizes = [64, *[9] * (depth - 1), 10]
    for k, block in enumerate(problem.unflatten(w)):
        deviation = np.sqrt((2 if k < depth - 1 else 1) / sizes[k])
        W = torch.randn(sizes[k], sizes[k + 1], generator=generator) * deviation
        np.testing.assert_allclose(block, W.numpy(), rtol=3e-6, atol=3e-6)
        h = (torch.relu(h) if k else h) @ W
    assert float(problem.loss(w)) == pytest.approx(float(0.5 * ((h - torch.tensor(targets)) ** 2).mean()), rel=1e-5)
