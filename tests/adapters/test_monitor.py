"""Diagnostics beside a training loop: right, and without a trace in it."""

import numpy as np
import pytest
import torch
from torch import nn

import eossim
from eossim.adapters import TorchMonitor, from_torch
from eossim.measure import batch_sharpness

MSE = nn.MSELoss()


def network(*middle):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 4), nn.Tanh(), *middle, nn.Linear(4, 2)).double()


def samples(n=8):
    g = torch.Generator().manual_seed(2)
    return torch.randn(n, 5, generator=g).double(), torch.randn(n, 2, generator=g).double()


def train(module, steps, monitor=None):
    """SGD with momentum, random batches, dropout and a step size that falls: all that a monitor could disturb."""
    (x, y), losses = samples(), []
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    for _ in range(steps):
        pick = torch.randperm(len(x))[:4]
        optimizer.zero_grad()
        loss = MSE(module(x[pick]), y[pick])
        loss.backward()
        if monitor is not None:
            monitor.step()
        optimizer.step()
        losses.append(loss.item())
    return losses, torch.get_rng_state(), module.state_dict(), [p.grad for p in module.parameters()]


@pytest.mark.parametrize("middle", [[], [nn.Dropout(0.3)], [nn.BatchNorm1d(4), nn.Dropout(0.3)]])
def test_training_is_the_same_bit_for_bit(middle):
    import copy

    module = network(*copy.deepcopy(middle))
    plain = train(module, 12)
    module = network(*copy.deepcopy(middle))
    monitor = TorchMonitor(module, MSE, *samples(), eta=0.1, rho=0.05, batch_size=3, every=4)
    watched = train(module, 12, monitor)
    assert watched[0] == plain[0]
    assert torch.equal(watched[1], plain[1])
    assert all(torch.equal(watched[2][name], t) for name, t in plain[2].items())
    assert all(torch.equal(a, b) for a, b in zip(watched[3], plain[3], strict=True))
    assert module.training
    assert monitor.dataset().step.to_numpy().tolist() == [0, 1, 4, 5, 8, 9]


def test_values_are_those_of_the_definitions():
    module = network()
    x, y = samples()
    monitor = TorchMonitor(module, MSE, x, y, eta=0.1, rho=0.05, batch_size=3, every=1)
    problem = from_torch(module, MSE, x, y)
    expected = []
    for _ in range(5):
        monitor.step()
        w = problem.w
        top = np.linalg.eigvalsh(problem.hvp(w, np.eye(problem.dim)))[-1]
        grad = np.linalg.norm(problem.grad(w))
        edges = eossim.edge("gd", eta=0.1), eossim.edge("sam", eta=0.1, rho=0.05, grad_norm=grad)
        expected.append((problem.loss(w), grad, top, *edges, batch_sharpness(problem, w, 3).value))
        with torch.no_grad():
            for p in module.parameters():
                p += 0.3
    seen = monitor.dataset()
    names = ("loss", "grad_norm", "sharpness", "gd_edge", "sam_edge", "batch_sharpness")
    for name, column in zip(names, np.array(expected).T, strict=True):
        assert seen[name].to_numpy() == pytest.approx(column, rel=1e-6), name
    assert (seen.sharpness_residual < 1e-3 * seen.sharpness).all()
    assert (seen.hvps > 0).all()
    assert (seen.batch_sharpness_error == 0).all()  # all 56 batches
    assert seen.attrs["batch_size"] == 3


def test_batch_sharpness_has_an_error_when_batches_are_drawn():
    module, (x, y) = network(), samples(40)
    monitor = TorchMonitor(module, MSE, x, y, eta=0.1, batch_size=4)
    monitor.step()
    seen, problem = monitor.dataset(), from_torch(module, MSE, x, y)
    error = seen.batch_sharpness_error.item()
    assert error > 0
    exact = batch_sharpness(problem, problem.w, 4, batches=20_000)
    assert abs(seen.batch_sharpness.item() - exact.value) < 4 * (error + exact.error)


def test_what_was_not_asked_for_is_nan():
    monitor = TorchMonitor(network(), MSE, *samples(), eta=0.1)
    monitor.step()
    seen = monitor.dataset()
    for name in ("sam_edge", "batch_sharpness", "batch_sharpness_error"):
        assert np.isnan(seen[name].item())


def test_a_new_step_size_counts_from_then_on():
    monitor = TorchMonitor(network(), MSE, *samples(), eta=0.1, every=1)
    monitor.step()
    monitor.eta = 0.05
    monitor.step()
    assert monitor.dataset().gd_edge.to_numpy() == pytest.approx([20, 40])


def test_divergence_is_a_result():
    module = network()
    monitor = TorchMonitor(module, MSE, *samples(), eta=0.1, rho=0.1, batch_size=2, every=1)
    with torch.no_grad():
        module[0].weight.fill_(torch.nan)
    monitor.step()
    seen = monitor.dataset()
    assert np.isnan(seen.loss.item())
    assert np.isnan(seen.sharpness.item())


def test_nothing_measured_is_an_empty_dataset():
    assert TorchMonitor(network(), MSE, *samples(), eta=0.1).dataset().sizes == {"step": 0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"eta": 0}, "eta"),
        ({"rho": -1}, "rho"),
        ({"batch_size": 9}, "batch_size"),
        ({"every": 0}, "every"),
    ],
)
def test_settings_out_of_range(wrong, message):
    with pytest.raises(ValueError, match=message):
        TorchMonitor(network(), MSE, *samples(), **{"eta": 0.1, **wrong})


@pytest.mark.parametrize("scale", [1e40, 1e76, 1e150, 1e300, 1e-80, 1e-300])
def test_no_size_of_the_parameters_stops_the_training(scale, recwarn):
    torch.manual_seed(1)
    module = nn.Sequential(nn.Linear(5, 4, bias=False), nn.Linear(4, 2, bias=False)).double()
    x, y = samples()
    monitor = TorchMonitor(module, MSE, x, torch.zeros_like(y), eta=0.1, rho=0.05, batch_size=3, every=1)
    with torch.no_grad():
        for p in module.parameters():
            p *= scale
    monitor.step()
    row = monitor.dataset().isel(step=0)
    assert not recwarn
    if scale == 1e40:  # the Hessian is of degree 2 in the parameters: rescale them by a power of two
        problem, power = monitor.problem, 2.0**-120
        H = problem.hvp(problem.w * power, np.eye(problem.dim))
        assert row.sharpness * power**2 == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-6)
    else:
        assert np.isnan(row.sharpness) or row.sharpness < 1e-150


@pytest.mark.parametrize("eta", [0.0, np.nan])
def test_a_step_size_without_edges_does_not_stop_the_training(eta):
    monitor = TorchMonitor(network(), MSE, *samples(), eta=0.1, rho=0.05, every=1)
    monitor.eta = eta
    monitor.step()
    row = monitor.dataset().isel(step=0)
    assert np.isnan(row.gd_edge)
    assert np.isnan(row.sam_edge)
    assert row.sharpness > 0
