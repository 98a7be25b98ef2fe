"""What a cell returned, as bytes: the same bits whether they come from a worker, a store or this process.

A payload is one line of JSON that names the arrays, their dimensions and types, and then the numbers. There are no
pickles in it: a store that comes from someone else cannot run code.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._check import _short
from .grid import RESERVED

#: Name of a result that has none.
VALUE = "value"
_KINDS = "biufcUmM"


@dataclass(frozen=True)
class Array:
    """One variable or coordinate of a cell.

    Attributes:
        dims: Its own dimensions.
        values: The array.
        coordinate: Whether it is a coordinate.
        attrs: Notes on it that are text or numbers, such as units.
    """

    dims: tuple[str, ...]
    values: np.ndarray
    coordinate: bool = False
    attrs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Field:
    """Where an array lies in a payload.

    Attributes:
        name: Of the variable.
        coordinate: Whether it is a coordinate.
        dims: Its own dimensions.
        dtype: Type of its elements.
        shape: Its lengths.
        attrs: Notes on it.
        offset: First byte behind the line of JSON.
    """

    name: str
    coordinate: bool
    dims: tuple[str, ...]
    dtype: np.dtype
    shape: tuple[int, ...]
    attrs: Mapping[str, Any]
    offset: int

    @property
    def index(self) -> bool:
        """Whether it labels a dimension."""
        return self.dims == (self.name,)

    def read(self, body: bytes) -> np.ndarray:
        """Return the array."""
        count = math.prod(self.shape)
        if self.dtype.itemsize == 0:
            return np.zeros(self.shape, self.dtype)
        return np.frombuffer(body, self.dtype, count, self.offset).reshape(self.shape)


def pack(value: Any, cell: Mapping[str, Any], dims: Sequence[str]) -> bytes:
    """Return a result as a payload.

    Args:
        value: Number, text, array, DataArray, mapping of names to these, Dataset, or `eossim.experiments.Result`; None
            stands for a missing value.
        cell: Keywords of the cell. A variable of the same name is left out if it repeats the value.
        dims: Dimensions of the grid.

    Raises:
        TypeError: If the value is something else.
        ValueError: If one of its names is taken by the grid.
    """
    arrays = _arrays(value)
    taken = {*cell, *dims}
    own = {dim for array in arrays.values() for dim in array.dims}
    head, body = [], []
    for name, array in arrays.items():
        for dim in array.dims:
            if dim in taken or dim in RESERVED:
                raise ValueError(f"the result has the dimension {dim!r}, which belongs to the grid: rename it")
        if name in cell and _repeats(array.values, cell[name]):
            continue
        if name in own and not (array.coordinate and array.dims == (name,)):
            raise ValueError(f"the result has {name!r} both as a variable and as a dimension: rename one")
        if name in taken or name in RESERVED:
            raise ValueError(f"the result has the variable {name!r}, which belongs to the grid: rename it")
        values = _native(name, array.values)
        head.append([name, int(array.coordinate), array.dims, values.dtype.str, values.shape, _notes(array.attrs)])
        body.append(values.tobytes())
    return json.dumps(head, separators=(",", ":")).encode() + b"\n" + b"".join(body)


def unpack_head(head: bytes) -> tuple[Field, ...]:
    """Return the fields that the line of JSON of a payload names."""
    fields, offset = [], 0
    for name, coordinate, dims, dtype, shape, attrs in json.loads(head):
        kind = np.dtype(dtype)
        fields.append(Field(name, bool(coordinate), tuple(dims), kind, tuple(shape), attrs, offset))
        offset += kind.itemsize * math.prod(shape)
    return tuple(fields)


def _arrays(value: Any) -> dict[str, Array]:
    xarray: Any = sys.modules.get("xarray")  # nothing comes from a library that is not loaded
    if xarray is not None and isinstance(value, xarray.Dataset):
        return _labelled(value)
    if xarray is not None and isinstance(value, xarray.DataArray):
        return _labelled(value.to_dataset(name=VALUE if value.name is None else value.name))
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, pandas.DataFrame | pandas.Series):
        return _arrays(value.to_xarray())
    if isinstance(value, Mapping):
        return _mapping(value, xarray)
    if value is None or np.isscalar(value) or isinstance(value, np.ndarray | list | tuple):
        return _mapping({VALUE: value}, None)
    from ..experiments.result import Result

    if isinstance(value, Result):
        return _table(value.rows)
    if hasattr(value, "__array__"):
        return _mapping({VALUE: value}, None)
    raise TypeError(
        "a cell must return a number, text, an array, a mapping of names to these, a Dataset or a Result; "
        f"got {_short(value)} of type {type(value).__name__}"
    )


def _mapping(value: Mapping[Any, Any], xarray: Any) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    for name, item in value.items():
        if not isinstance(name, str):
            raise TypeError(f"names of results must be strings, got {_short(name)}")
        if item is None:
            continue
        if hasattr(item, "to_xarray"):  # of pandas: its labels
            item = item.to_xarray()
            xarray = sys.modules["xarray"]
        if xarray is not None and isinstance(item, xarray.Dataset):
            raise TypeError(f"{name!r} is a table: return it by itself, or its columns")
        if xarray is not None and isinstance(item, xarray.DataArray):
            for key, array in _labelled(item.to_dataset(name=name)).items():
                known = arrays.setdefault(key, array)
                if known is not array and not _same(known, array):
                    raise ValueError(f"results have the coordinate {key!r} with different values")
            continue
        values = _unmasked(name, item)
        if name in arrays:
            raise ValueError(f"the result has the name {name!r} twice")
        arrays[name] = Array(tuple(f"{name}_{k}" for k in range(values.ndim)), values)
    return arrays


def _unmasked(name: str, item: Any) -> np.ndarray:
    """Return an array; what is masked becomes NaN or NaT."""
    parts = item if isinstance(item, list | tuple) else (item,)
    if not any(isinstance(part, np.ma.MaskedArray) for part in parts):
        return np.asarray(item)
    masked = np.ma.asarray(item) if isinstance(item, np.ma.MaskedArray) else np.ma.stack(parts)
    if not np.ma.is_masked(masked):
        return np.asarray(masked)
    if masked.dtype.kind not in "fcmM":
        raise TypeError(
            f"{name!r} is masked in part, and {masked.dtype} has no NaN: make it floating-point, or fill it"
        )
    values = np.array(np.ma.getdata(masked))
    values[np.ma.getmaskarray(masked)] = np.nan if masked.dtype.kind in "fc" else "NaT"
    return values


def _labelled(dataset: Any) -> dict[str, Array]:
    return {
        _name(key): Array(
            tuple(_name(dim) for dim in variable.dims), variable.values, key in dataset.coords, variable.attrs
        )
        for key, variable in dataset.variables.items()
    }


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise TypeError(f"names of variables and dimensions must be strings, got {_short(name)}")
    return name


def _same(first: Array, second: Array) -> bool:
    a, b = first.values, second.values
    return first.dims == second.dims and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _table(rows: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Return rows as columns along ``row``; a range becomes two columns, ``..._low`` and ``..._high``."""
    arrays = {"row": Array(("row",), np.arange(len(rows)), True)}
    for key in rows[0] if rows else ():
        column = [row[key] for row in rows]
        present = [value for value in column if value is not None]
        if present and all(isinstance(value, tuple) and len(value) == 2 for value in present):
            for k, end in enumerate(("low", "high")):
                arrays[f"{key}_{end}"] = _column([None if value is None else value[k] for value in column])
        else:
            arrays[key] = _column(column)
    return arrays


def _column(values: list[Any]) -> Array:
    present = [value for value in values if value is not None]
    if any(isinstance(value, str) or not np.isscalar(value) for value in present):
        return Array(("row",), np.array(["" if value is None else str(value) for value in values]))
    if len(present) < len(values):
        return Array(("row",), np.array([np.nan if value is None else value for value in values], dtype=np.float64))
    return Array(("row",), np.array(values))


def _native(name: str, values: np.ndarray) -> np.ndarray:
    """Return an array of numbers, booleans, times or text."""
    if values.dtype.kind in "OT" and all(isinstance(item, str) for item in values.ravel().tolist()):
        values = values.astype(str)
    if values.dtype.kind not in _KINDS:
        raise TypeError(f"results must hold numbers, booleans, times or text; {name!r} is of dtype {values.dtype}")
    return values


def _repeats(values: np.ndarray, label: Any) -> bool:
    if isinstance(label, tuple) or values.dtype.kind not in _KINDS:
        return False
    return bool(np.all(values == label)) and values.size > 0


def _notes(attrs: Mapping[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (attrs or {}).items() if type(value) in (str, int, float, bool)}
