"""Sums over the rows of matrices inside compiled code, in an order that no machine changes.

Rows are padded with zeros to a multiple of `WIDTH`, and a scalar product is `WIDTH` interleaved sums that are added
pairwise at the end: the first half to the second, again and again. Without reassociation (see `_jit`), compiled loops
leave a plain sum scalar; the instructions here say in LLVM's own words how eight coordinates go at once. Every
processor rounds them alike, whatever the width of its vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from .._jit import kernel

WIDTH = 8
#: Vectors of a row that `descend` reads once.
_IN_REGISTERS = 4
_ALIGNMENT = 64  # bytes of a cache line, which no vector of 8 float64 then crosses
_INT, _WORD = ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(ir.DoubleType(), WIDTH)
_instruction: Any = intrinsic  # whose calls do not look like the functions it decorates


def padded(rows: np.ndarray) -> np.ndarray:
    """Return a copy of rows, shape (n, dim), with zeros up to the next multiple of `WIDTH` coordinates."""
    n, dim = rows.shape
    copy = aligned_zeros(n, padded_length(dim))
    copy[:, :dim] = rows
    return copy


@kernel
def padded_length(dim: int) -> int:
    """Return `dim` rounded up to a multiple of the width."""
    return (dim + WIDTH - 1) // WIDTH * WIDTH


@kernel
def aligned_zeros(n: int, length: int) -> np.ndarray:
    """Return zeros, shape (n, length), that begin at a cache line."""
    room = np.zeros(n * length + _ALIGNMENT // 8)
    skipped = (_ALIGNMENT - room.ctypes.data % _ALIGNMENT) % _ALIGNMENT // 8
    return room[skipped : skipped + n * length].reshape(n, length)


@_instruction
def dot(_: Any, a: Any, i: Any, b: Any, j: Any) -> Any:
    """Return ``a[i]·b[j]`` of two C-ordered arrays with padded rows of one length (no check)."""
    signature = types.float64(_checked(a), types.int64, _checked(b), types.int64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        left, vectors = _row(context, builder, signature.args[0], values[0], values[1])
        right, _ = _row(context, builder, signature.args[2], values[2], values[3])
        return _pairwise(builder, _lanes(builder, left, right, vectors))

    return signature, generate


@_instruction
def add(_: Any, a: Any, i: Any, factor: Any, b: Any, j: Any) -> Any:
    """Do ``a[i] += factor * b[j]`` with two C-ordered arrays with padded rows of one length (no check)."""
    signature = types.void(_checked(a), types.int64, types.float64, _checked(b), types.int64)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        target, vectors = _row(context, builder, signature.args[0], values[0], values[1])
        source, _ = _row(context, builder, signature.args[3], values[3], values[4])
        _add(builder, target, _spread(builder, values[2]), source, vectors)
        return context.get_dummy_value()

    return signature, generate


@_instruction
def descend(_: Any, w: Any, r: Any, factor: Any, scale: Any, x: Any, i: Any, y: Any) -> Any:
    """Do ``add(w, r, factor * (scale * (dot(x, i, w, r) - y)), x, i)``, short rows in registers: a third faster."""
    number = types.float64
    signature = types.void(_checked(w), types.int64, number, number, _checked(x), types.int64, number)

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        point, vectors = _row(context, builder, signature.args[0], values[0], values[1])
        sample, _ = _row(context, builder, signature.args[4], values[4], values[5])

        def step(lanes: Any) -> Any:
            residual = builder.fsub(_pairwise(builder, lanes), values[6])
            return _spread(builder, builder.fmul(values[2], builder.fmul(values[3], residual)))

        longer, end = builder.append_basic_block("longer"), builder.append_basic_block("end")
        choice = builder.switch(vectors, longer)
        for count in range(1, _IN_REGISTERS + 1):
            block = builder.append_basic_block(f"vectors_{count}")
            choice.add_case(ir.Constant(_WORD, count), block)
            builder.position_at_end(block)
            places = [ir.Constant(_WORD, k) for k in range(count)]
            pairs = [(_load(builder, sample, k), _load(builder, point, k)) for k in places]
            lanes = ir.Constant(_VECTOR, [0.0] * WIDTH)
            for a, b in pairs:
                lanes = builder.fadd(lanes, builder.fmul(a, b))
            coefficient = step(lanes)
            for k, (a, b) in zip(places, pairs, strict=True):
                moved = builder.fadd(b, builder.fmul(coefficient, a))
                builder.store(moved, builder.gep(point, [k]), align=8)
            builder.branch(end)
        builder.position_at_end(longer)
        _add(builder, point, step(_lanes(builder, sample, point, vectors)), sample, vectors)
        builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


def _checked(kind: Any) -> Any:
    """Return a type if it is one of arrays with rows in one piece."""
    if isinstance(kind, types.Array) and kind.ndim == 2 and kind.layout == "C" and kind.dtype == types.float64:
        return kind
    raise TypingError(f"rows are those of C-ordered 2-D arrays of float64, not of {kind}")


def _row(context: Any, builder: Any, kind: Any, value: Any, index: Any) -> tuple[Any, Any]:
    """Return a pointer to the vectors of a row, and their number."""
    array = context.make_array(kind)(context, builder, value)
    start = builder.add(
        builder.ptrtoint(array.data, _WORD), builder.mul(index, builder.extract_value(array.strides, 0))
    )
    length = builder.extract_value(array.shape, 1)
    return builder.inttoptr(start, _VECTOR.as_pointer()), builder.sdiv(length, ir.Constant(_WORD, WIDTH))


def _load(builder: Any, pointer: Any, index: Any) -> Any:
    return builder.load(builder.gep(pointer, [index]), align=8)


def _spread(builder: Any, number: Any) -> Any:
    """Return a vector with one number everywhere."""
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT, WIDTH), [0] * WIDTH))


def _lanes(builder: Any, left: Any, right: Any, vectors: Any) -> Any:
    """Return the interleaved sums of a scalar product, from the first vector to the last."""
    total = cgutils.alloca_once_value(builder, ir.Constant(_VECTOR, [0.0] * WIDTH))
    with cgutils.for_range(builder, vectors) as loop:
        product = builder.fmul(_load(builder, left, loop.index), _load(builder, right, loop.index))
        builder.store(builder.fadd(builder.load(total), product), total)
    return builder.load(total)


def _add(builder: Any, target: Any, factor: Any, source: Any, vectors: Any) -> None:
    with cgutils.for_range(builder, vectors) as loop:
        product = builder.fmul(factor, _load(builder, source, loop.index))
        moved = builder.fadd(_load(builder, target, loop.index), product)
        builder.store(moved, builder.gep(target, [loop.index]), align=8)


def _pairwise(builder: Any, vector: Any) -> Any:
    """Return the sum of a vector: its first half to its second, and so on."""
    width = WIDTH
    while width > 1:
        width //= 2
        undefined, lanes = ir.Constant(vector.type, ir.Undefined), ir.VectorType(_INT, width)
        low = builder.shuffle_vector(vector, undefined, ir.Constant(lanes, list(range(width))))
        high = builder.shuffle_vector(vector, undefined, ir.Constant(lanes, list(range(width, 2 * width))))
        vector = builder.fadd(low, high)
    return builder.extract_element(vector, ir.Constant(_INT, 0))
