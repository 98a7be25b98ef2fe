"""Checkpoints: all there is to know for going on with a run to the same bits, in one file that survives a crash."""

from __future__ import annotations

import hashlib
import io
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .gradients import State
from .oracle import Oracle

_FORMAT = "eossim training checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """Where a training stands.

    Attributes:
        states: State of each run that has begun, as its stepper made it: ``w``, ``t``, buffers, random numbers.
        problem: Fingerprint of the problem (see `fingerprint`).
        method: Description of the method (see `describe`).
        arrays: What was recorded, and what else the training needs to go on.
        notes: The same for what is not an array.
    """

    states: list[State]
    problem: dict[str, Any]
    method: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def w(self) -> np.ndarray:
        """Parameters of each run, shape (runs, dim)."""
        return np.stack([state["w"] for state in self.states])

    @property
    def finished(self) -> bool:
        """Whether all runs came to their end."""
        return bool(self.notes.get("finished", True))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the checkpoint: to a file beside `path` that takes its place once it is safely on disk."""
        target = Path(path)
        arrays = {f"array/{name}": array for name, array in self.arrays.items()}
        for k, state in enumerate(self.states):
            arrays |= {f"state/{k}/{name}": np.asarray(value) for name, value in state.items()}
        head = {"format": _FORMAT, "problem": self.problem, "method": self.method, "notes": self.notes}
        arrays["head"] = np.frombuffer(json.dumps(head | {"states": len(self.states)}).encode(), dtype=np.uint8)
        file = io.BytesIO()
        np.savez(file, checksum=np.frombuffer(_checksum(arrays), dtype=np.uint8), **arrays)  # type: ignore[arg-type]
        beside = target.with_name(f".{target.name}.{os.getpid()}.partial")
        try:
            with open(beside, "wb") as out:
                out.write(file.getbuffer())
                out.flush()
                os.fsync(out.fileno())
            os.replace(beside, target)
        finally:
            beside.unlink(missing_ok=True)
        if hasattr(os, "O_DIRECTORY"):  # the new name must reach the disk as well
            folder = os.open(target.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint that `train` wrote.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, or damaged.
    """
    content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        stored = arrays.pop("checksum").tobytes()
        head = json.loads(arrays["head"].tobytes())
    except Exception as error:  # whatever a reader of archives stumbles over
        raise ValueError(f"{str(path)!r} is no checkpoint or is damaged: {error or type(error).__name__}") from error
    if stored != _checksum(arrays):
        raise ValueError(f"{str(path)!r} is damaged: its contents do not match its checksum")
    if head.get("format") != _FORMAT:
        raise ValueError(f"{str(path)!r} has the format {head.get('format')!r}, not {_FORMAT!r}")
    states: list[State] = [{} for _ in range(head["states"])]
    others = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind == "state":
            k, _, key = rest.partition("/")
            states[int(k)][key] = array.item() if array.shape == () and array.dtype.kind == "i" else array
        elif kind == "array":
            others[rest] = array
    return Checkpoint(states, head["problem"], head["method"], others, head["notes"])


def fingerprint(problem: Any) -> dict[str, Any]:
    """Return what tells a problem from others: type, size, dtype, loss and gradient at a fixed point."""
    oracle, dim = Oracle(problem), int(problem.dim)
    probe = (np.cos(np.arange(dim) * 1.7) / np.sqrt(1 + dim)).astype(oracle.dtype)
    with np.errstate(all="ignore"):
        grad = np.asarray(problem.grad(probe), dtype=np.float64)
        weights = np.sin(np.arange(dim) * 2.3)
        numbers = [float(problem.loss(probe)), float(np.abs(grad).sum()), float(grad @ weights)]
        if oracle.takes_batch:  # the order of samples counts: batches are drawn by number
            numbers.append(float(oracle.batch_grad(probe, np.array([0])).astype(np.float64) @ weights))
    own = {"type": type(problem).__name__, "dim": dim, "dtype": oracle.dtype.name, "shown": _shown(problem)}
    return {**own, "values": numbers}


def same_problem(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two fingerprints agree; their numbers up to rounding, which differs between machines."""
    if any(one[name] != other[name] for name in ("type", "dim", "dtype")):
        return False
    a, b = np.array(one["values"]), np.array(other["values"])
    size = np.abs(a[np.isfinite(a)]).max(initial=0.0)
    return bool(np.allclose(a, b, rtol=1e-5, atol=1e-6 * size, equal_nan=True))


def digest(*arrays: np.ndarray) -> str:
    """Return a hash of the values of arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()


def _shown(problem: Any) -> str:
    return repr(problem)[:200]


def _checksum(arrays: dict[str, np.ndarray]) -> bytes:
    found = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {array.shape};".encode())
        found.update(array.tobytes())
    return found.digest()
