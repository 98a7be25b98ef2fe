"""Payloads of all cells into one labelled dataset, its coordinates in the order of the grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .grid import Grid, cell_text
from .payload import Field, unpack_head

#: What stands where there is nothing: integers become floating-point numbers for it.
_MISSING: dict[str, Any] = {"f": np.nan, "c": np.nan, "U": "", "b": False, "m": "NaT", "M": "NaT"}
_LIKE = {kind: "numbers" for kind in "biufc"} | {"U": "text", "m": "time spans", "M": "times"}


class Assembly:
    """Results as they arrive; what cannot stand in one dataset is found at once.

    Args:
        grid: The grid of the sweep.
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.errors: dict[int, str] = {}
        self._bodies: dict[int, tuple[tuple[Field, ...], bytes]] = {}
        self._heads: dict[bytes, tuple[Field, ...]] = {}
        self._first: dict[str, tuple[Field, int]] = {}  # variable -> where it was seen first
        self._sizes: dict[str, tuple[int, bool, int]] = {}  # dimension -> (length, labelled, where seen first)

    def __contains__(self, index: int) -> bool:
        return index in self._bodies

    def add(self, index: int, payload: bytes) -> None:
        """Take the result of a cell.

        Raises:
            ValueError: If it does not go with the results of another cell.
        """
        head, _, body = payload.partition(b"\n")
        if head not in self._heads:
            fields = unpack_head(head)
            self._compare(index, fields)
            self._heads[head] = fields
        self._bodies[index] = self._heads[head], body
        self.errors.pop(index, None)

    def fail(self, index: int, error: str) -> None:
        """Note that a cell failed."""
        self.errors[index] = error

    def _compare(self, index: int, fields: tuple[Field, ...]) -> None:
        labelled = {field.name for field in fields if field.index}
        for field in fields:
            known, other = self._first.setdefault(field.name, (field, index))
            if known.dims != field.dims or known.coordinate != field.coordinate:
                self._differ(field.name, index, other, f"{_dims(field)} and {_dims(known)}")
            if _LIKE[known.dtype.kind] != _LIKE[field.dtype.kind]:
                self._differ(field.name, index, other, f"{_LIKE[field.dtype.kind]} and {_LIKE[known.dtype.kind]}")
            for dim, size in zip(field.dims, field.shape, strict=True):
                length, has_labels, other = self._sizes.setdefault(dim, (size, dim in labelled, index))
                if has_labels != (dim in labelled):
                    self._differ(field.name, index, other, f"{dim!r} with and without coordinate")
                if size != length and not has_labels:
                    self._differ(
                        field.name, index, other, f"lengths {size} and {length} along {dim!r}, which has no coordinate"
                    )

    def _differ(self, name: str, index: int, other: int, what: str) -> None:
        here, there = cell_text(self.grid.cell(index)), cell_text(self.grid.cell(other))
        raise ValueError(
            f"results of two cells do not fit together: {name!r} has {what}, at ({here}) and at ({there}). "
            "Return arrays of one shape, or DataArrays with coordinates to be aligned on"
        )

    def dataset(self, attrs: dict[str, Any]) -> Any:
        """Return the dataset: every variable over the grid, ``failed`` and ``error`` for every cell."""
        import xarray as xr

        dims, shape = self.grid.dims, self.grid.shape
        coords: dict[str, Any] = {}
        for axis in self.grid.axes:
            coords |= {name: (axis.dim, labels) for name, labels in axis.coordinates().items()}
        unions = {name: self._union(name) for name, (field, _) in self._first.items() if field.index}
        coords |= {name: ((name,), labels, self._attrs(name)) for name, labels in unions.items()}
        variables: dict[str, Any] = {}
        for name, (field, _) in self._first.items():
            if field.index:
                continue
            shared = self._shared(name, unions) if field.coordinate else None
            if shared is not None:
                coords[name] = (field.dims, shared, self._attrs(name))
                continue
            stacked = self._stack(name, unions)
            target = coords if field.coordinate else variables
            target[name] = ((*dims, *field.dims), stacked.reshape(*shape, *stacked.shape[1:]), self._attrs(name))
        failed = np.ones(len(self.grid), dtype=bool)
        failed[list(self._bodies)] = False
        error = np.full(len(self.grid), "", dtype=object)  # text of fixed width would take the longest for every cell
        for index, text in self.errors.items():
            error[index] = text
        variables["failed"] = (dims, failed.reshape(shape))
        variables["error"] = (dims, error.reshape(shape))
        return xr.Dataset(variables, coords, attrs)

    def _with(self, name: str) -> Iterator[tuple[int, tuple[Field, ...], Field, bytes]]:
        """Cells that have a variable, in the order of the grid."""
        found = {id(fields): {field.name: field for field in fields} for fields in self._heads.values()}
        for index in sorted(self._bodies):
            fields, body = self._bodies[index]
            field = found[id(fields)].get(name)
            if field is not None:
                yield index, fields, field, body

    def _union(self, name: str) -> np.ndarray:
        """Return all labels of a dimension: sorted if every cell has them sorted, else as they come."""
        parts = list(
            {_contents(found): found for found in (f.read(body) for _, _, f, body in self._with(name))}.values()
        )
        if len(parts) == 1:
            return parts[0].copy()
        for labels in parts:
            if np.unique(labels).size != labels.size:
                raise ValueError(f"cells cannot be aligned on {name!r}: it has a label twice in one cell and differs")
        union = np.concatenate(parts)
        for labels in parts:
            with np.errstate(invalid="ignore"):
                back = labels.astype(union.dtype).astype(labels.dtype)
            if not np.array_equal(back, labels, equal_nan=labels.dtype.kind in "fc"):
                raise ValueError(f"cells cannot be aligned on {name!r}: {union.dtype} does not hold all labels exactly")
        if all(np.all(labels[1:] > labels[:-1]) for labels in parts):
            return np.unique(union)
        _, first = np.unique(union, return_index=True)
        return union[np.sort(first)]

    def _shared(self, name: str, unions: dict[str, np.ndarray]) -> np.ndarray | None:
        """Return a coordinate if it is the same in all cells that have one."""
        distinct = {_contents(found): found for found in (f.read(body) for _, _, f, body in self._with(name))}
        (values,) = distinct.values() if len(distinct) == 1 else (None,)
        if values is None or any(
            len(unions.get(d, values)) != s for d, s in zip(self._first[name][0].dims, values.shape, strict=True)
        ):
            return None
        return np.array(values)

    def _stack(self, name: str, unions: dict[str, np.ndarray]) -> np.ndarray:
        """Return a variable of all cells, shape (cells, ...), aligned on the labels of its dimensions."""
        known, _ = self._first[name]
        dtypes = {field.dtype for fields in self._heads.values() for field in fields if field.name == name}
        dtype = np.result_type(*dtypes)
        sizes = tuple(unions[dim].size if dim in unions else self._sizes[dim][0] for dim in known.dims)
        holes = sum(1 for _ in self._with(name)) < len(self.grid)
        holes |= any(field.shape != sizes for fields in self._heads.values() for field in fields if field.name == name)
        if holes and dtype.kind in "iu":
            dtype = np.dtype(np.float64)
        out = np.full((len(self.grid), *sizes), _MISSING.get(dtype.kind, 0), dtype)
        places: dict[tuple[Any, ...], np.ndarray] = {}
        for index, fields, field, body in self._with(name):
            values = field.read(body)
            if not unions.keys() & set(field.dims):
                out[index] = values
                continue
            positions: list[np.ndarray] = []
            by_name = {other.name: other for other in fields}
            for dim, size in zip(field.dims, sizes, strict=True):
                if dim not in unions:
                    positions.append(np.arange(size))
                    continue
                labels = by_name[dim].read(body)
                key = dim, *_contents(labels)
                if key not in places:
                    places[key] = _positions(labels, unions[dim])
                positions.append(places[key])
            out[index][np.ix_(*positions)] = values
        return out

    def _attrs(self, name: str) -> dict[str, Any]:
        """Return the notes on a variable that no cell contradicts."""
        notes = [field.attrs for fields in self._heads.values() for field in fields if field.name == name]
        return {key: value for key, value in notes[0].items() if all(note.get(key) == value for note in notes)}


def _contents(values: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
    """Return what tells an array from others."""
    return values.dtype.str, values.shape, values.tobytes()


def _positions(labels: np.ndarray, union: np.ndarray) -> np.ndarray:
    labels = labels.astype(union.dtype)
    if labels.shape == union.shape and np.array_equal(labels, union):
        return np.arange(union.size)
    order = np.argsort(union, kind="stable")
    return np.asarray(order[np.searchsorted(union, labels, sorter=order)])


def _dims(field: Field) -> str:
    own = f"dimensions ({', '.join(field.dims)})" if field.dims else "no dimension"
    return f"{own} as a {'coordinate' if field.coordinate else 'variable'}"
