"""Blocks of matrix products as SIMD instructions: the innermost loops of a network, for compiled code only.

LLVM does not find register blocking in loops, so the blocks are written in its intermediate form: sums stay in
registers over the whole inner loop. A vector has 64 bytes whatever the machine (LLVM splits it where registers are
smaller); every sum runs in an order that depends on the shapes alone, so that results do not depend on threads.

Arrays are flat and C-contiguous; ``at_*`` are offsets and ``*_step`` distances in elements. Whoever changes this file
deletes the caches in ``__pycache__``: Numba compiles a function anew when its own file changes, not one that it calls.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import extending
from numba.core import cgutils, types

#: Bytes of a vector.
VECTOR = 64
#: Whether registers are that long. There are 32 of them then, and 16 halves otherwise.
LONG_REGISTERS = "avx512f" in binding.get_host_cpu_features()
intrinsic: Any = extending.intrinsic  # its type does not know that the typing context is no argument
_INDEX = ir.IntType(64)


def _fmuladd(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, with one rounding where the machine can."""
    element = a.type.element if isinstance(a.type, ir.VectorType) else a.type
    name = {"double": "f64", "float": "f32"}[str(element)]
    if a.type is not element:
        name = f"v{a.type.count}{name}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, (a.type,) * 3), f"llvm.fmuladd.{name}"
    )
    return builder.call(function, (a, b, c))


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c of three floats of one type, with one rounding where the machine can."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _fmuladd(builder, *arguments)

    return (a(a, a, a), generate) if a == b == c else None


@intrinsic
def bits(typingctx: Any, x: Any) -> Any:
    """Return the bits of a float as an integer of the same size."""
    integer = types.int64 if x == types.float64 else types.int32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(integer))

    return integer(x), generate


@intrinsic
def from_bits(typingctx: Any, i: Any) -> Any:
    """Return the float with the bits of an integer."""
    real = types.float64 if i == types.int64 else types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(real))

    return real(i), generate


class _Writer:
    """Addresses, loads and stores of vectors and their sums."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder = builder
        self.args = arguments
        array = next(t for t in signature.args if isinstance(t, types.Array))
        self.element = context.get_value_type(array.dtype)
        self.size = array.dtype.bitwidth // 8
        self.lanes = VECTOR // self.size
        self.vector = ir.VectorType(self.element, self.lanes)
        self._context, self._types = context, signature.args

    def data(self, k: int) -> Any:
        """Return the pointer to the elements of the array that is argument `k`."""
        return self._context.make_array(self._types[k])(self._context, self.builder, self.args[k]).data

    def index(self, value: int) -> Any:
        return ir.Constant(_INDEX, value)

    def along(self, *terms: Any) -> Any:
        """Return a sum of indices, each an index or a pair of factors."""
        total = self.index(0)
        for term in terms:
            value = self.builder.mul(*term) if isinstance(term, tuple) else term
            total = self.builder.add(total, value)
        return total

    def _pointer(self, data: Any, at: Any, kind: Any) -> Any:
        return self.builder.bitcast(self.builder.gep(data, [at]), kind.as_pointer())

    def load(self, data: Any, at: Any, kind: Any = None) -> Any:
        return self.builder.load(self._pointer(data, at, kind or self.vector), align=self.size)

    def store(self, value: Any, data: Any, at: Any) -> None:
        self.builder.store(value, self._pointer(data, at, value.type), align=self.size)

    def spread(self, data: Any, at: Any) -> Any:
        """Return a vector of copies of one element."""
        scalar = self.builder.load(self.builder.gep(data, [at]))
        single = self.builder.insert_element(ir.Constant(self.vector, ir.Undefined), scalar, self.index(0))
        return self.shuffle(single, single, [0] * self.lanes)

    def shuffle(self, a: Any, b: Any, order: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order)
        return self.builder.shuffle_vector(a, b, mask)

    def sums(self, count: int) -> list[Any]:
        """Return places for sums, zero at first; LLVM keeps them in registers."""
        places = [cgutils.alloca_once(self.builder, self.vector) for _ in range(count)]
        for place in places:
            self.builder.store(ir.Constant(self.vector, [0.0] * self.lanes), place)
        return places

    def add(self, place: Any, a: Any, b: Any) -> None:
        self.builder.store(_fmuladd(self.builder, a, b, self.builder.load(place)), place)

    def totals(self, vectors: list[Any]) -> Any:
        """Return the vector of the totals of 2ᵏ vectors: neighbours are added, again and again."""
        while len(vectors) > 1:
            vectors = [self._fold(a, b) for a, b in zip(vectors[::2], vectors[1::2], strict=True)]
        return vectors[0]

    def _fold(self, a: Any, b: Any) -> Any:
        even = list(range(0, 2 * a.type.count, 2))
        return self.builder.fadd(self.shuffle(a, b, even), self.shuffle(a, b, [i + 1 for i in even]))

    def halve(self, vector: Any, count: int) -> Any:
        """Return `count` totals of neighbours."""
        while vector.type.count > count:
            even = list(range(0, vector.type.count, 2))
            odd = [i + 1 for i in even]
            vector = self.builder.fadd(self.shuffle(vector, vector, even), self.shuffle(vector, vector, odd))
        return vector


def _literals(*values: Any) -> bool:
    return all(isinstance(v, types.IntegerLiteral) for v in values)


@intrinsic(prefer_literal=True)
def block_product(
    typingctx: Any,
    rows: Any,
    groups: Any,
    out: Any,
    at_out: Any,
    width: Any,
    A: Any,
    B: Any,
    depth: Any,
    A2: Any,
    B2: Any,
    depth2: Any,
    at_a: Any,
    row_step: Any,
    depth_step: Any,
    at_b: Any,
) -> Any:
    """Write the block out[r, s] = Σₖ A[r, k] B[k, s] + Σₖ A2[r, k] B2[k, s] of `rows` rows and `groups` vectors.

    `out`, `B` and `B2` have rows of `width`; A and A2 have one layout, B and B2 too. `rows`, `groups`: constants.
    """
    if not _literals(rows, groups):
        return None
    n_rows, n_groups = rows.literal_value, groups.literal_value
    index, array = types.intp, out
    signature = types.void(rows, groups, array, index, index, A, B, index, A2, B2, index, index, index, index, index)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        write = _Writer(context, builder, sig, arguments)
        at_out, width = arguments[3], arguments[4]
        at_a, row_step, depth_step, at_b = arguments[11:]
        places = write.sums(n_rows * n_groups)
        shifts = [write.index(g * write.lanes) for g in range(n_groups)]
        row_shifts = [write.along((write.index(r), row_step)) for r in range(n_rows)]
        for first in (5, 8):
            a, b, depth = write.data(first), write.data(first + 1), arguments[first + 2]
            with cgutils.for_range(builder, depth, intp=_INDEX) as loop:
                start_b = write.along(at_b, (loop.index, width))
                start_a = write.along(at_a, (loop.index, depth_step))
                columns = [write.load(b, write.along(start_b, shift)) for shift in shifts]
                for r in range(n_rows):
                    factor = write.spread(a, write.along(start_a, row_shifts[r]))
                    for g in range(n_groups):
                        write.add(places[r * n_groups + g], factor, columns[g])
        data = write.data(2)
        for r in range(n_rows):
            for g in range(n_groups):
                at = write.along(at_out, (write.index(r), width), shifts[g])
                write.store(builder.load(places[r * n_groups + g]), data, at)
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def block_outer(
    typingctx: Any,
    rows: Any,
    columns: Any,
    out: Any,
    at_out: Any,
    out_step: Any,
    A: Any,
    B: Any,
    A2: Any,
    B2: Any,
    at_a: Any,
    at_b: Any,
    width: Any,
    both: Any,
) -> Any:
    """Write the block out[r, c] = Σₛ A[r, s] B[c, s], plus Σₛ A2[r, s] B2[c, s] if `both` is 1.

    All four have rows of `width`, a whole number of vectors. `rows` and `columns`: constants, `columns` a power of two
    up to the elements of a vector.
    """
    if not _literals(rows, columns):
        return None
    n_rows, n_columns = rows.literal_value, columns.literal_value
    index = types.intp
    signature = types.void(rows, columns, out, index, index, A, B, A2, B2, index, index, index, index)

    def generate(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        write = _Writer(context, builder, sig, arguments)
        at_out, out_step = arguments[3], arguments[4]
        at_a, at_b, width, both = arguments[9:]
        places = write.sums(n_rows * n_columns)
        groups = builder.sdiv(width, write.index(write.lanes))
        a_rows = [write.along(at_a, (write.index(r), width)) for r in range(n_rows)]
        b_rows = [write.along(at_b, (write.index(c), width)) for c in range(n_columns)]
        for first, count in ((5, groups), (7, builder.mul(groups, both))):
            a, b = write.data(first), write.data(first + 1)
            with cgutils.for_range(builder, count, intp=_INDEX) as loop:
                shift = builder.mul(loop.index, write.index(write.lanes))
                lefts = [write.load(a, write.along(at, shift)) for at in a_rows]
                for c in range(n_columns):
                    right = write.load(b, write.along(b_rows[c], shift))
                    for r in range(n_rows):
                        write.add(places[r * n_columns + c], lefts[r], right)
        data = write.data(2)
        for r in range(n_rows):
            vectors = [builder.load(place) for place in places[r * n_columns : (r + 1) * n_columns]]
            total = write.halve(write.totals(vectors), n_columns)
            write.store(total, data, write.along(at_out, (write.index(r), out_step)))
        return context.get_dummy_value()

    return signature, generate
