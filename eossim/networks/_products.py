"""Products of a layer's weights with the activations of a chunk of samples, inside compiled code.

Activations stand as [feature, sample], `width` samples a row, a whole number of SIMD vectors.
"""

from __future__ import annotations

from .._jit import kernel
from ._simd import LONG_REGISTERS, block_outer, block_product

#: Rows and vectors of a block of products, and rows and columns of one of outer products: its sums fill half of the
#: registers. An element's sum runs in the same order in all of them.
_ROWS, _GROUPS = (4, 4) if LONG_REGISTERS else (4, 1)
_OUTER_ROWS, _OUTER_COLUMNS = (4, 4) if LONG_REGISTERS else (1, 4)


@kernel
def product(out, at_out, rows, width, lanes, A, B, depth, A2, B2, depth2, at_a, row_step, depth_step, at_b):  # type: ignore[no-untyped-def]
    """Write out[r, s] = Σₖ A[r, k] B[k, s] + Σₖ A2[r, k] B2[k, s]; steps as in `block_product`."""
    body_rows = rows - rows % _ROWS
    body = width - width % (_GROUPS * lanes)
    for s in range(0, body, _GROUPS * lanes):
        for r in range(0, body_rows, _ROWS):
            block_product(
                _ROWS, _GROUPS, out, at_out + r * width + s, width, A, B, depth, A2, B2, depth2,
                at_a + r * row_step, row_step, depth_step, at_b + s,
            )  # fmt: skip
        for r in range(body_rows, rows):
            block_product(
                1, _GROUPS, out, at_out + r * width + s, width, A, B, depth, A2, B2, depth2,
                at_a + r * row_step, row_step, depth_step, at_b + s,
            )  # fmt: skip
    for s in range(body, width, lanes):
        for r in range(0, body_rows, _ROWS):
            block_product(
                _ROWS, 1, out, at_out + r * width + s, width, A, B, depth, A2, B2, depth2,
                at_a + r * row_step, row_step, depth_step, at_b + s,
            )  # fmt: skip
        for r in range(body_rows, rows):
            block_product(
                1, 1, out, at_out + r * width + s, width, A, B, depth, A2, B2, depth2,
                at_a + r * row_step, row_step, depth_step, at_b + s,
            )  # fmt: skip


@kernel
def outer(out, at_out, rows, columns, A, at_a, B, at_b, A2, B2, width, both):  # type: ignore[no-untyped-def]
    """Write out[r, c] = Σₛ A[r, s] B[c, s] (+ A2[r, s] B2[c, s] if `both` is 1), rows of `columns`."""
    body_rows = rows - rows % _OUTER_ROWS
    body = columns - columns % _OUTER_COLUMNS
    for c in range(0, body, _OUTER_COLUMNS):  # outside: these rows of B stay in the first cache while those of A pass
        for r in range(0, body_rows, _OUTER_ROWS):
            block_outer(
                _OUTER_ROWS, _OUTER_COLUMNS, out, at_out + r * columns + c, columns, A, B, A2, B2,
                at_a + r * width, at_b + c * width, width, both,
            )  # fmt: skip
        for r in range(body_rows, rows):
            block_outer(
                1, _OUTER_COLUMNS, out, at_out + r * columns + c, columns, A, B, A2, B2,
                at_a + r * width, at_b + c * width, width, both,
            )  # fmt: skip
    for c in range(body, columns):
        for r in range(0, body_rows, _OUTER_ROWS):
            block_outer(
                _OUTER_ROWS, 1, out, at_out + r * columns + c, columns, A, B, A2, B2,
                at_a + r * width, at_b + c * width, width, both,
            )  # fmt: skip
        for r in range(body_rows, rows):
            block_outer(
                1, 1, out, at_out + r * columns + c, columns, A, B, A2, B2,
                at_a + r * width, at_b + c * width, width, both,
            )  # fmt: skip
