"""What is special about torch modules: modes, layers that look at a batch, frozen and shared parameters."""

import numpy as np
import pytest
import torch
from torch import nn

from eossim.adapters import from_torch

MSE = nn.MSELoss()


def samples(n=6, inputs=4, targets=2, seed=0):
    g = torch.Generator().manual_seed(seed)
    shape = {"generator": g, "dtype": torch.float64}
    return torch.randn(n, inputs, **shape), torch.randn(n, targets, **shape)


def net(*middle):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), *middle, nn.Linear(3, 2)).double()


def state(module):
    tensors = {name: t.detach().clone() for name, t in module.state_dict().items()}
    grads = {name: None if p.grad is None else p.grad.clone() for name, p in module.named_parameters()}
    return tensors, grads, [m.training for m in module.modules()], torch.get_rng_state()


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


@pytest.mark.parametrize(
    "layer", [nn.Tanh, lambda: nn.Dropout(0.5), lambda: nn.BatchNorm1d(3), lambda: nn.GroupNorm(1, 3)]
)
def test_nothing_of_the_module_changes(layer):
    module, (x, y) = net(layer()), samples()
    MSE(module(x), y).backward()
    before = state(module)
    problem = from_torch(module, MSE, x, y)
    w = problem.w + 0.1
    problem.loss(w), problem.grad(w), problem.hvp(w, w), problem.linearize(w)(w)
    problem.batch_forms(w, np.array([0, 2, 3]))
    if not isinstance(module[1], nn.BatchNorm1d):
        problem.sample_gradients(w), problem.sample_hvp(w, w)
    assert all(same(a, b) for a, b in zip(before, state(module), strict=True))


def test_w_follows_the_module():
    module, (x, y) = net(), samples()
    problem = from_torch(module, MSE, x, y)
    with torch.no_grad():
        module[0].bias += 1
    parameters = torch.cat([p.detach().ravel() for p in module.parameters()])
    assert np.array_equal(problem.w, parameters.numpy())
    assert problem.loss(problem.w) == pytest.approx(MSE(module(x), y).item(), rel=1e-14)
    MSE(module(x), y).backward()
    assert problem.grad(problem.w) == pytest.approx(torch.cat([p.grad.ravel() for p in module.parameters()]).numpy())


def test_dropout_is_off():
    module, (x, y) = net(nn.Dropout(0.5)), samples()
    problem = from_torch(module, MSE, x, y)
    assert module.training
    assert problem.loss(problem.w) == pytest.approx(MSE(module.eval()(x), y).item(), rel=1e-14)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_keeps_its_mode(training):
    module, (x, y) = net(nn.BatchNorm1d(3)), samples()
    module(x)  # running statistics of its own
    module.train(training)
    problem = from_torch(module, MSE, x, y)
    running = module[1].running_mean.clone()
    assert problem.loss(problem.w) == pytest.approx(MSE(module(x), y).item(), rel=1e-14)
    module[1].running_mean.copy_(running)
    if training:
        for call in (lambda: problem.sample_gradients(problem.w), lambda: problem.sample_hvp(problem.w, problem.w)):
            with pytest.raises(ValueError, match=r"'1' uses the statistics of the batch; call module.eval\(\)"):
                call()
    else:
        mean = problem.sample_gradients(problem.w).mean(axis=0)
        assert mean == pytest.approx(problem.grad(problem.w), abs=1e-14)


def test_batch_norm_cannot_be_split():
    with pytest.raises(ValueError, match="batch_size=2 would change the loss"):
        from_torch(net(nn.BatchNorm1d(3)), MSE, *samples(), batch_size=2)


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_batch_size_bounds_memory_only(batch_size):
    module, (x, y) = net(nn.Tanh()), samples()
    whole, split = from_torch(module, MSE, x, y), from_torch(module, MSE, x, y, batch_size=batch_size)
    w, v = whole.w, np.random.default_rng(0).standard_normal((2, whole.dim))
    for call in (lambda p: p.loss(w), lambda p: p.grad(w), lambda p: p.hvp(w, v), lambda p: p.linearize(w)(v[0])):
        assert call(split) == pytest.approx(call(whole), abs=1e-14)


def test_frozen_parameters_are_constants():
    module, (x, y) = net(nn.Tanh()), samples()
    module[0].requires_grad_(False)
    problem = from_torch(module, MSE, x, y)
    assert problem.names == ("2.weight", "2.bias")
    assert problem.layers == ((2, 3), (2,))
    hidden = torch.tanh(module[0](x))
    small = from_torch(module[2], MSE, hidden, y)
    assert problem.hvp(problem.w, np.eye(8)) == pytest.approx(small.hvp(small.w, np.eye(8)), abs=1e-14)


def test_shared_parameters_count_once():
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Tanh(), nn.Linear(2, 2, bias=False)).double()
    module[2].weight = module[0].weight
    x, y = samples(inputs=2)
    problem = from_torch(module, MSE, x, y)
    assert problem.dim == 4
    MSE(module(x), y).backward()
    assert problem.grad(problem.w) == pytest.approx(module[0].weight.grad.numpy().ravel(), abs=1e-15)


def test_attention_has_second_derivatives():
    torch.manual_seed(0)
    module = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.1, batch_first=True).double()
    x, y = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    problem = from_torch(module, MSE, x, y)
    w, v = problem.w, np.random.default_rng(0).standard_normal(problem.dim)
    slope = (problem.grad(w + 1e-5 * v) - problem.grad(w - 1e-5 * v)) / 2e-5
    assert problem.hvp(w, v) == pytest.approx(slope, abs=1e-8)
    assert problem.sample_hvp(w, v).mean(axis=0) == pytest.approx(problem.hvp(w, v), abs=1e-13)


def test_a_linear_loss_has_no_curvature():
    problem = from_torch(nn.Linear(3, 1).double(), lambda out, y: (out * y).mean(), *samples(inputs=3, targets=1))
    assert not problem.hvp(problem.w, np.eye(4)).any()
    assert not problem.linearize(problem.w)(np.ones(4)).any()


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", torch.bfloat16)])
def test_the_mode_of_the_caller_does_not_matter(around):
    problem = from_torch(net(nn.Tanh()), MSE, *samples())
    w = problem.w
    expected = problem.hvp(w, w)
    with around():
        assert np.array_equal(problem.hvp(w, w), expected)


def test_float32_stays_float32():
    module, (x, y) = net(nn.Tanh()).float(), samples()
    problem = from_torch(module, MSE, x.numpy(), y.numpy())  # arrays in float64
    assert problem.dtype == np.float32
    w = problem.w
    for result in (w, problem.grad(w), problem.hvp(w, w), problem.sample_gradients(w), problem.sample_hvp(w, w)):
        assert result.dtype == np.float32
    exact = from_torch(net(nn.Tanh()), MSE, x, y)
    assert problem.grad(w) == pytest.approx(exact.grad(w), abs=1e-6)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (nn.MSELoss(reduction="sum"), "loss_fn must be the mean over samples"),
        (lambda out, y: ((out - y) ** 2).mean() ** 2, "loss_fn must be the mean over samples"),
        (lambda out, y: MSE(out.detach(), y), "does not depend on the parameters"),
        (lambda out, y: MSE(out, y) * torch.rand(()), "the loss is random"),
    ],
)
def test_losses_that_will_not_do(loss, message):
    with pytest.raises(ValueError, match=message):
        from_torch(net(), loss, *samples())


def test_class_weights_are_no_mean_over_samples():
    loss = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0], dtype=torch.float64))
    with pytest.raises(ValueError, match="without class weights"):
        from_torch(net(), loss, samples()[0], torch.tensor([0, 1, 1, 0, 0, 1]))


@pytest.mark.parametrize("loss", [nn.MSELoss(reduction="none"), lambda out, y: 1.0])
def test_a_loss_that_is_no_number(loss):
    with pytest.raises(TypeError, match="loss_fn must return a single number"):
        from_torch(net(), loss, *samples())


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Tanh(), "no parameter that requires a gradient"),
        (nn.Linear(4, 2).half(), "float32 or float64, got torch.float16"),
        (nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2).double()), "one dtype and one device"),
    ],
)
def test_modules_that_will_not_do(module, message):
    with pytest.raises(ValueError, match=message):
        from_torch(module, MSE, *samples())


def test_no_module_at_all():
    with pytest.raises(TypeError, match=r"module must be a torch.nn.Module"):
        from_torch(lambda x: x, MSE, *samples())


def test_data_that_will_not_do():
    x, y = samples()
    bad = x.clone()
    bad[1, 2] = torch.nan
    for inputs, targets, message in (
        (x[:3], y, "as many, got 3 and 6"),
        (bad, y, "inputs must be finite"),
        (x[:0], y[:0], "inputs must have a first axis"),
        (x, torch.tensor(1.0), "targets must have a first axis"),
    ):
        with pytest.raises(ValueError, match=message):
            from_torch(net(), MSE, inputs, targets)
    with pytest.raises(TypeError, match="inputs must be a tensor or an array of numbers"):
        from_torch(net(), MSE, ["a"], y)
    with pytest.raises(ValueError, match="batch_size must be an integer >= 1"):
        from_torch(net(), MSE, x, y, batch_size=0)


def test_data_too_large_for_the_type_of_the_parameters():
    x, y = samples()
    large = x.clone()
    large[1, 2] = 1e300
    assert from_torch(net(), MSE, large, y).n_samples == 6
    with pytest.raises(ValueError, match=r"inputs must be finite in the type of the parameters, torch.float32"):
        from_torch(net().float(), MSE, large, y)
    with pytest.raises(ValueError, match=r"targets must be finite in the type of the parameters, torch.float32"):
        from_torch(net().float(), MSE, x, large)


CE = nn.functional.cross_entropy


@pytest.mark.parametrize("where", [0, 34, slice(None)])  # the first, one that is no evenly spread sample, all
@pytest.mark.parametrize(
    ("loss", "ignored"),
    [
        (nn.CrossEntropyLoss(), -100),
        (nn.CrossEntropyLoss(ignore_index=1), 1),
        (lambda out, y: CE(out, y), -100),
        (lambda out, y: CE(out, y, ignore_index=1), 1),
    ],
)
def test_ignored_targets(loss, ignored, where):
    y = torch.zeros(100, dtype=torch.long)
    inputs = samples(100)[0]
    assert from_torch(net(), loss, inputs, y).n_samples == 100
    y[where] = ignored
    with pytest.raises(ValueError, match="loss_fn must be the mean over samples"):
        from_torch(net(), loss, inputs, y)


def test_ignored_targets_where_batch_norm_mixes_samples():
    y = torch.tensor([0, 1, 1, -100, 0, 1])
    with pytest.raises(ValueError, match="ignore_index=-100"):
        from_torch(net(nn.BatchNorm1d(3)), nn.CrossEntropyLoss(), samples()[0], y)


def test_the_weight_of_a_rare_class():
    y = torch.zeros(100, dtype=torch.long)
    y[34] = 1  # no evenly spread sample
    with pytest.raises(ValueError, match="without class weights"):
        from_torch(net(), nn.CrossEntropyLoss(weight=torch.tensor([1.0, 9.0]).double()), samples(100)[0], y)


def test_a_sum_where_it_is_zero():
    module, (x, _) = net(nn.Tanh()), samples()
    y = module(x).detach()
    assert from_torch(module, MSE, x, y).loss(from_torch(module, MSE, x, y).w) == 0
    for loss in (nn.MSELoss(reduction="sum"), lambda out, y: MSE(out, y) ** 2):
        with pytest.raises(ValueError, match="loss_fn must be the mean over samples"):
            from_torch(module, loss, x, y)
    module = nn.Linear(4, 2).double()
    nn.init.zeros_(module.weight), nn.init.zeros_(module.bias)
    with pytest.raises(ValueError, match="loss_fn must be the mean over samples"):
        from_torch(module, nn.MSELoss(reduction="sum"), x, torch.zeros_like(y))


def test_a_module_that_has_diverged():
    module = net(nn.Tanh())
    with torch.no_grad():
        module[0].bias.fill_(torch.nan)
    problem = from_torch(module, MSE, *samples())
    assert np.isnan(problem.loss(problem.w))
