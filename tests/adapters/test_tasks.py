"""The three tasks: sizes of the paper, files that people have, and quick runs."""

import gzip
import pickle
import re

import numpy as np
import pytest
import torch
import xarray as xr
from typer.testing import CliRunner

from eossim.adapters import from_torch
from eossim.adapters.tasks import data, models
from eossim.adapters.tasks.__main__ import app
from eossim.adapters.tasks.task import NAMES, task
from eossim.adapters.tasks.train import late_ratio, train


def size(module):
    return sum(p.numel() for p in module.parameters())


def test_full_networks_have_the_parameters_of_the_paper():
    with torch.device("meta"):
        assert size(models.mlp(784, 10, width=1000)) == 2_797_010
        assert size(models.cnn((3, 32, 32), 10, channels=(16, 32))) == 25_674
        assert size(models.Transformer()) == 1_626_496


def test_the_transformer_does_not_look_ahead():
    now = task("transformer", samples=2)
    changed = now.inputs.clone()
    changed[:, 9] = 65
    before, after = now.module(now.inputs), now.module(changed)
    assert torch.equal(before[:, :9], after[:, :9])
    assert not torch.equal(before[:, 9:], after[:, 9:])


def test_the_text_is_ours_and_long_enough():
    inputs, targets = data.text(None, 16)
    assert 3000 < inputs.size < 5000
    assert np.array_equal(inputs.ravel()[1:], targets.ravel()[:-1])
    assert inputs.max() < 128


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_is_a_network(name):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    ws = []
    for seed in (0, 0, 1):
        now = task(name, samples=3, seed=seed)
        ws.append(from_torch(now.module, now.loss_fn, now.inputs, now.targets).w)
    assert np.array_equal(ws[0], ws[1])
    assert not np.array_equal(ws[0], ws[2])
    assert torch.equal(before, torch.get_rng_state())


def test_a_step_is_that_of_sam():
    now = task("mlp", samples=20)
    problem = from_torch(now.module, now.loss_fn, now.inputs, now.targets)
    w = problem.w.astype(float)
    g = problem.grad(w).astype(float)
    expected = w - 0.3 * problem.grad(w + 0.05 * g / np.linalg.norm(g))
    train(now, eta=0.3, rho=0.05, steps=1, every=2)
    assert problem.w == pytest.approx(expected, abs=1e-6)


def test_a_run_that_diverges_ends():
    measured = train(task("mlp", samples=10), eta=1e6, rho=0.0, steps=100, every=1)
    assert 0 < measured.sizes["step"] < 100


def test_late_ratio_takes_neighbours_together():
    steps = [0, 1, 10, 11, 20, 21, 30]
    lam, edge = [9.0, 9, 9, 9, 3, 1, 7], [1.0, 1, 1, 1, 1, 3, 1]
    measured = xr.Dataset({"sharpness": ("step", lam), "edge": ("step", edge)}, {"step": steps})
    assert late_ratio(measured, "edge") == (5.0, 3.0, 7.0)  # of 18/2 and 4/4, the second half of three pairs


@pytest.mark.parametrize("name", NAMES)
def test_quick_runs_print_edge_and_sharpness(name, tmp_path):
    out = tmp_path / "run.nc"
    done = CliRunner().invoke(app, [name, "--quick", "--out", str(out)])
    assert done.exit_code == 0, done.output
    sam, gd = (re.split(r"\s{2,}", line) for line in done.output.splitlines()[-2:])
    assert (sam[0], gd[0]) == ("sam", "gd")
    with xr.open_dataset(out, engine="h5netcdf") as seen:
        assert float(sam[1]) == pytest.approx(seen.eta[-1].item())
        late = seen.isel(step=slice(seen.sizes["step"] // 2, None))
        assert float(sam[4]) == pytest.approx(late.sam_edge.median().item(), rel=1e-3)
        assert float(sam[5]) == pytest.approx(late.sharpness.median().item(), rel=1e-3)
    assert float(gd[3]) == float(gd[4])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnn"], "name must be one of 'mlp', 'cnn', 'transformer'"),
        (["mlp", "--data", "nowhere"], "no file train-images-idx3-ubyte"),
        (["mlp", "--samples", "10000"], "samples must be at most 1797"),
        (["mlp", "--steps", "0"], "steps must be an integer >= 2"),
        (["mlp", "--quick", "--eta", "-1"], "eta"),
        (["mlp", "--quick", "--out", "nowhere/x.nc"], "no such folder"),
    ],
)
def test_bad_input_is_one_clear_line(words, message):
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def digits28():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (7, 28, 28), dtype=np.uint8), rng.integers(0, 10, 7).astype(np.uint8)


@pytest.mark.parametrize("form", ["idx", "gz", "npz"])
def test_mnist(tmp_path, digits28, form):
    images, labels = digits28
    names = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
    path = tmp_path
    if form == "npz":
        path = tmp_path / "mnist.npz"
        np.savez(path, x_train=images, y_train=labels)
    for name, array in zip(names, digits28, strict=True):
        if form == "idx":
            (tmp_path / name).write_bytes(idx(array))
        elif form == "gz":
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    x, y = data.mnist(path)
    assert np.array_equal(x, images[:, None] / 256)
    assert np.array_equal(y, labels)
    now = task("mlp", path, samples=5)
    assert size(now.module) == 2_797_010
    assert now.inputs.mean(0).abs().max() < 1e-6


def cut(raw):
    return raw[:-5]


@pytest.mark.parametrize("damage", [cut, lambda raw: b"", lambda raw: b"x" + raw[1:], lambda raw: raw + b"0"])
@pytest.mark.parametrize("zipped", [False, True])
def test_damaged_mnist(tmp_path, digits28, damage, zipped):
    raw = idx(digits28[0])
    damaged = (gzip.compress(raw)[:-5] if damage is cut else gzip.compress(damage(raw))) if zipped else damage(raw)
    (tmp_path / f"train-images-idx3-ubyte{'.gz' * zipped}").write_bytes(damaged)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(digits28[1]))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte.* damaged"):
        data.mnist(tmp_path)


def test_mnist_of_other_contents(tmp_path, digits28):
    images, labels = digits28
    for name, arrays, message in (
        ("a", {"x_train": images}, "no array y_train"),
        ("b", {"x_train": images, "y_train": labels[:3]}, "as many labels"),
        ("c", {"x_train": images, "y_train": labels + 9}, "from 0 to 9"),
        ("d", {"x_train": images[:, :9], "y_train": labels}, "expected images of shape"),
    ):
        np.savez(tmp_path / name, **arrays)
        with pytest.raises(ValueError, match=message):
            data.mnist(tmp_path / f"{name}.npz")
    with pytest.raises(FileNotFoundError, match="no data file"):
        data.mnist(tmp_path / "absent.npz")
    (tmp_path / "e.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="damaged or holds something else"):
        data.mnist(tmp_path / "e.npz")


def test_cifar10(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (5, 2, 3072), dtype=np.uint8)
    for i in range(5):
        batch = {b"data": images[i], b"labels": [i, 9 - i], b"batch_label": b"of tests"}
        (tmp_path / f"data_batch_{i + 1}").write_bytes(pickle.dumps(batch, protocol=2))
    x, y = data.cifar10(tmp_path)
    assert np.array_equal(x.reshape(10, 3072), images.reshape(10, 3072) / 256)
    assert y.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert size(task("cnn", tmp_path, samples=4).module) == 25_674
    assert len(data.cifar10(tmp_path / "data_batch_2")[0]) == 2
    (tmp_path / "data_batch_3").unlink()
    with pytest.raises(FileNotFoundError, match="data_batch_3"):
        data.cifar10(tmp_path)


class Harmful:
    def __reduce__(self):
        return print, ("code from a file ran",)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"text",
        pickle.dumps([1]),
        pickle.dumps({b"labels": [1]}),
        pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": 3}),
        pickle.dumps(Harmful()),
        pickle.dumps({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2, 3]}, protocol=2)[:-50],
    ],
)
def test_damaged_cifar10_runs_no_code(tmp_path, capsys, raw):
    (tmp_path / "data_batch_1").write_bytes(raw)
    with pytest.raises(ValueError, match=r"data_batch_1 is not a batch of CIFAR-10"):
        data.cifar10(tmp_path / "data_batch_1")
    assert not capsys.readouterr().out


def test_texts(tmp_path):
    path = tmp_path / "input.txt"
    path.write_text("First Citizen: naïve " * 20, encoding="utf-8")
    inputs, _ = data.text(path, 64)
    assert bytes(inputs[0, :21].astype(np.uint8)) == b"First Citizen: na?ve "
    assert size(task("transformer", path, samples=2).module) == 1_626_496
    with pytest.raises(FileNotFoundError, match="no text file"):
        data.text(tmp_path / "absent.txt", 64)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        data.text(path, 64)
    path.write_text("short")
    with pytest.raises(ValueError, match="more than 64 characters, got 5"):
        data.text(path, 64)
