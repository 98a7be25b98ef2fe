"""Check values of third-party code and of the theory notes, each from its own recipe."""

import math

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_digits

from eossim.measure.factors import population_factors
from eossim.networks import MLP, one_hot

# seed: labels[:8], first weights, first batch, loss, ‖g‖², λ_max, Rayleigh quotient of g, loss after ten steps
RANDOM_LABELS = {
    0: (
        [8, 8, 4, 4, 3, 8, 1, 9],
        [0.0705491314, -0.0487666283, 0.0462821650],
        [655, 529, 265, 648, 842, 133, 783, 903],
        (1.5310840299, 13.6012054357, 16.9108251726, 14.9930116707, 1.0298319869),
    ),
    2: (
        [5, 9, 4, 3, 7, 8, 8, 1],
        [-0.0237718765, 0.0502218638, 0.0334269205],
        [804, 934, 435, 401, 761, 37, 134, 519],
        (1.3580352827, 8.9827568103, 14.7876802619, 13.6317100405, 1.0107325216),
    ),
}
# b: E‖g_B‖², RM, IAS, GNI at the start, seed 0
MOMENTS = {
    1: (123.714959, 56.637040, 6.020587, 54.762548),
    2: (68.604263, 33.510557, 6.910875, 34.858342),
    8: (27.271241, 17.663788, 9.939943, 19.930188),
    32: (16.937986, 15.167551, 13.007116, 16.198149),
    128: (14.354672, 14.981225, 14.463883, 15.265139),
}


def random_labels(seed):
    """Digits with random labels (stochastic_networks, section 1): problem, start, labels."""
    data = load_digits().data / 16
    data = data - data.mean(axis=0)
    data = data / data.std()
    rng = np.random.default_rng(seed)
    X = data[rng.choice(1797, 1024, replace=False)]
    labels = rng.integers(0, 10, 1024)
    problem = MLP((64, 96, 96, 10), "relu", "mse", X, one_hot(labels, 10), half=False, gain=0.5 * math.sqrt(2))
    return problem, problem.initial(rng), labels


def lambda_max(problem, w):
    product = problem.linearize(w).hvp
    operator = LinearOperator((problem.dim, problem.dim), matvec=lambda v: product(v.ravel()), dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(problem.dim)
    return eigsh(operator, 1, which="LA", v0=start, return_eigenvectors=False)[0]


@pytest.mark.parametrize("seed", RANDOM_LABELS)
def test_digits_with_random_labels(seed):
    problem, w, labels = random_labels(seed)
    first_labels, first_weights, first_batch, expected = RANDOM_LABELS[seed]
    assert problem.dim == 16522
    assert labels[:8].tolist() == first_labels
    assert w[:3] == pytest.approx(first_weights, abs=1e-10)
    order = np.random.default_rng([seed, 1]).permutation(1024)
    assert order[:8].tolist() == first_batch
    loss, g = problem.loss_and_grad(w)
    square = g @ g
    found = [loss, square, lambda_max(problem, w), g @ problem.hvp(w, g) / square]
    for batch in order[:80].reshape(10, 8):
        w = w - 0.05 * problem.grad(w, batch=batch)
    assert [*found, problem.loss(w)] == pytest.approx(expected, abs=1e-10, rel=1e-10)


def test_moments_of_batch_gradients():
    problem, w, _ = random_labels(0)
    gradients = problem.sample_gradients(w)
    own = (gradients * problem.sample_hvp(w, gradients)).sum(axis=1)
    assert (own / (gradients**2).sum(axis=1)).mean() == pytest.approx(48.925355, abs=1e-6)  # batch sharpness at b = 1
    g = gradients.mean(axis=0)
    delta = gradients - g
    curved, curved_g = problem.linearize(w).hvp(delta), problem.hvp(w, g)
    full = (delta * curved).sum(axis=1).mean()
    mixed = (delta * (problem.sample_hvp(w, g) - curved_g)).sum(axis=1).mean()
    third = (delta * (problem.sample_hvp(w, delta) - curved)).sum(axis=1).mean()
    for b, expected in MOMENTS.items():
        factors = population_factors(1024, b, "without")
        square = g @ g + factors.p * (delta**2).sum(axis=1).mean()
        total = g @ curved_g + factors.p * full
        mine = g @ curved_g + factors.p * (2 * mixed + full) + factors.kappa_3 * third
        found = [square, mine / square, total / square, total / (g @ g)]
        assert found == pytest.approx(expected, abs=1e-6)


def mulberry32(seed):
    a, mask = seed, 0xFFFFFFFF
    while True:
        a = (a + 0x6D2B79F5) & mask
        t = ((a ^ (a >> 15)) * (a | 1)) & mask
        t = ((t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask) ^ t
        yield ((t ^ (t >> 14)) & mask) / 2**32


def demo_network():
    """The browser demo's network (phase_diagram, section 11), whose weights are drawn as [output][input]."""
    x = -1 + 2 * np.arange(20) / 19
    problem = MLP((1, 30, 20, 1), "tanh", "mse", x[:, None], np.cos(6 * np.arccos(x)))
    uniform, blocks = mulberry32(0), []
    for shape in problem.layers:
        if len(shape) == 1:
            blocks.append(np.zeros(shape))
            continue
        n_in, n_out = shape
        pairs = [(next(uniform), next(uniform)) for _ in range(n_in * n_out)]
        normal = [math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v) for u, v in pairs]
        blocks.append(np.reshape(normal, (n_out, n_in)).T / math.sqrt(n_in))
    return problem, problem.flatten(blocks)


DEMO = {
    0.2: ([0.3071248, 0.2876923, 0.2846414, 0.2838887, 0.2834479], [6.9021456, 6.7677503, 6.7735345, 6.7633829]),
    0.4169: ([0.3071248, 0.3557025, 0.4914662, 0.7069087, 0.5819707], [6.9021456, 6.7399318, 6.7427210, 5.8456595]),
    0.5495: ([0.3071248, 0.4405539, 1.1185803, 0.8953986], [6.9021456, 6.7820545, 7.0980799, 5.5653268]),
}


@pytest.mark.parametrize("eta", DEMO)
def test_the_demo_network(eta):
    problem, w = demo_network()
    assert problem.dim == 701
    W = problem.unflatten(w)[::2]
    assert W[0][0, :3] == pytest.approx([1.62643231, 1.05099584, -1.1843874], abs=1e-8)
    assert W[1][:2, 0] == pytest.approx([0.01173918, 0.04054533], abs=1e-8)
    assert [m.sum() for m in W] == pytest.approx([-0.354597841, -1.233906164, 0.539099754], abs=1e-9)
    assert problem.loss(w) == pytest.approx(0.3071247935241, abs=1e-13)
    hessian = problem.hvp(w, np.eye(701))
    assert np.trace(hessian) == pytest.approx(7.9314763295, abs=1e-10)
    assert np.linalg.eigvalsh(hessian)[-1] == pytest.approx(6.9021456172, abs=1e-10)
    losses, sharpness = DEMO[eta]
    found = []
    for t in range(len(losses)):
        loss, g = problem.loss_and_grad(w)
        found.append(loss)
        if t < len(sharpness):
            assert lambda_max(problem, w) == pytest.approx(sharpness[t], abs=1e-7)  # printed 6.77353444 up
        w = w - eta * g
    assert found == pytest.approx(losses, abs=6e-8)


def test_the_network_of_the_sam_notes():
    x = np.linspace(-1, 1, 20)
    problem = MLP((1, 10, 10, 1), "tanh", "mse", x[:, None], np.sin(3 * x) + 0.5 * np.cos(7 * x))
    scale = np.repeat([2, 1, math.sqrt(0.3), 0.1, math.sqrt(0.3), 0.1], [10, 10, 100, 10, 10, 1])
    w = scale * (2 * np.modf(0.6180339887498949 * np.arange(1, 142))[0] - 1)
    loss, g = problem.loss_and_grad(w)
    assert loss == pytest.approx(0.4461906985541226, abs=1e-12)
    assert np.linalg.norm(g) == pytest.approx(1.531099288824043, abs=1e-12)
    assert lambda_max(problem, w) == pytest.approx(4.900733619796707, abs=1e-11)
    w = w - 0.2 * g
    assert problem.loss(w) == pytest.approx(0.1828067483151777, abs=1e-8)
    for _ in range(99):
        w = w - 0.2 * problem.grad(w)
    assert problem.loss(w) == pytest.approx(0.08429636863659432, abs=1e-8)
    assert lambda_max(problem, w) == pytest.approx(5.373579594486669, abs=1e-8)
