"""The data of the three tasks: what ships with the package, and MNIST, CIFAR-10 and texts from local files."""

from __future__ import annotations

import gzip
import io
import pickle
import zipfile
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return the 1797 images of scikit-learn, shape (n, 1, 8, 8), between 0 and 1, and their classes."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return X.reshape(-1, 1, 8, 8) / 16, y


def mnist(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training images of MNIST, shape (n, 1, 28, 28), between 0 and 1, and their classes.

    Args:
        path: A folder with ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, or these with ``.gz``; or an
            ``.npz`` file with arrays ``x_train`` and ``y_train``.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or holds something else.
    """
    if path.suffix == ".npz":
        images, labels = _npz(path, "x_train", "y_train")
    else:
        images, labels = (_idx(_present(path, name)) for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"))
    return _classified(path, images[:, None] if images.ndim == 3 else images, labels, (1, 28, 28))


def cifar10(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the training images of CIFAR-10, shape (n, 3, 32, 32), between 0 and 1, and their classes.

    Args:
        path: A folder with ``data_batch_1`` to ``data_batch_5`` of the Python version, or one such file. They are
            unpickled without running any code from them.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is damaged or holds something else.
    """
    names = [path] if path.is_file() else [path / f"data_batch_{i}" for i in range(1, 6)]
    batches = [_unpickled(name) for name in names]
    images = np.concatenate([_shaped(name, batch, b"data", 2) for name, batch in zip(names, batches, strict=True)])
    labels = np.concatenate([_shaped(name, batch, b"labels", 1) for name, batch in zip(names, batches, strict=True)])
    if images.shape[1] != 3072:
        raise ValueError(f"{path}: images must have 3072 numbers, got {images.shape[1]}")
    return _classified(path, images.reshape(-1, 3, 32, 32), labels, (3, 32, 32))


def text(path: Path | None, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sequences of characters and what follows each, both of shape (n, length), as ASCII codes.

    Args:
        path: A text such as tiny_shakespeare; by default one that ships with the package. Characters outside ASCII
            become question marks.
        length: Characters in a sequence.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is no text in UTF-8 or too short.
    """
    if path is None:
        raw = (files(__package__) / "text.txt").read_bytes()
    elif path.is_file():
        raw = path.read_bytes()
    else:
        raise FileNotFoundError(f"no text file {path}")
    try:
        codes = np.frombuffer(raw.decode("utf-8").encode("ascii", "replace"), dtype=np.uint8).astype(np.int64)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text in UTF-8: {error}") from None
    n = (len(codes) - 1) // length
    if n < 1:
        raise ValueError(f"{path} must hold more than {length} characters, got {len(codes)}")
    return codes[: n * length].reshape(n, length), codes[1 : n * length + 1].reshape(n, length)


def _present(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(f"no file {name} or {name}.gz in {folder}")


def _idx(path: Path) -> np.ndarray:
    """Read the format of MNIST: two zero bytes, the type (8: bytes), the number of axes, their lengths, the numbers."""
    try:
        raw = path.read_bytes() if path.suffix != ".gz" else gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}") from None
    axes = raw[3] if len(raw) > 4 else 0
    if raw[:3] != b"\0\0\x08" or len(raw) < 4 + 4 * axes:
        raise ValueError(f"{path} is not an idx file of bytes, or it is damaged")
    shape = tuple(int(k) for k in np.frombuffer(raw, dtype=">u4", count=axes, offset=4))
    numbers = np.frombuffer(raw, dtype=np.uint8, offset=4 + 4 * axes)
    if numbers.size != np.prod(shape, dtype=np.int64):
        raise ValueError(f"{path} is damaged: {numbers.size} numbers for the shape {shape}")
    return numbers.reshape(shape)


def _npz(path: Path, *names: str) -> list[np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"no data file {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise ValueError(f"it has no array {', '.join(missing)}")
            return [archive[name] for name in names]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged or holds something else: {error}") from None


class _ArraysOnly(pickle.Unpickler):
    """Unpickles dictionaries, lists, bytes and NumPy arrays, and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "numpy" and name in ("ndarray", "dtype", "_reconstruct"):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        if (module, name) == ("_codecs", "encode"):  # how bytes of Python 3 are written for Python 2
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")


def _unpickled(path: Path) -> dict[bytes, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        found = _ArraysOnly(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises anything
        raise ValueError(f"{path} is not a batch of CIFAR-10 for Python, or it is damaged: {error}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{path} is not a batch of CIFAR-10 for Python")
    return found


def _shaped(path: Path, batch: dict[bytes, Any], key: bytes, ndim: int) -> np.ndarray:
    array = np.asarray(batch.get(key, 0))
    if array.ndim != ndim or array.dtype.kind not in "iu":
        raise ValueError(f"{path} is not a batch of CIFAR-10 for Python: its {key.decode()} are missing or damaged")
    return array


def _classified(
    path: Path, images: np.ndarray, labels: np.ndarray, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return images scaled as in the paper's code, by 1/256, with their classes."""
    if images.shape[1:] != shape or labels.shape != (len(images),) or not len(images):
        raise ValueError(
            f"{path}: expected images of shape {shape} and as many labels, got {images.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9:
        raise ValueError(f"{path}: labels must be whole numbers from 0 to 9, got {labels.min()} to {labels.max()}")
    return images / 256, labels.astype(np.int64)
