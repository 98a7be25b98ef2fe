"""Write a program as Python source: a NumPy step, a fused kernel for diagonal curvature, and one for a dense Hessian.

All three print the same assignments in the same order, so that they round alike. Sums over coordinates run from the
first to the last. Runs are the innermost loop: they become the SIMD lanes.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

import sympy as sp

from .lowering import COORDINATE, GRADIENT, NORM, RUN, Op
from .program import Program
from .scalar_printer import ScalarPrinter, indent, number
from .vocabulary import h

HEADER = '''"""Step of `{name}`, written by eossim from the rule; do not edit."""

import numpy as np

from eossim._jit import kernel
from eossim._product import product

UPDATE = {update!r}
STATE = {states!r}
HYPER = {hyper!r}
ITERATES = {iterates!r}
CENTRED = {centred!r}
MODEWISE = {modewise!r}
ROTATION_EQUIVARIANT = {rotation!r}
PRECONDITIONED = {preconditioned!r}
SHIFT = {shift!r}
'''

#: Names that the generated functions use themselves, besides those that end in an underscore.
_RESERVED = {
    *("np", "kernel", "product", "step", "diagonal", "dense", "grad", "norm", "curvature", "hessian", "linear"),
    *("stops", "kept", "dim", "runs", "zero", "done", "total", "p", "i", "r", "h", "range", "len"),
}


def kernel_source(program: Program) -> str:
    """Return the source of the module with every form of the step.

    Raises:
        ValueError: for an expression without a compiled form, or a name that the source needs itself.
    """
    names = {*map(str, program.states), *program.hyper}
    taken = sorted(n for n in names if keyword.iskeyword(n) or n in _RESERVED or n.endswith("_"))
    if taken:
        raise ValueError(f"rule {program.name}: the compiled step cannot use the name(s) {taken}; choose others")
    header = HEADER.format(
        name=program.name,
        update=program.update,
        states=tuple(map(str, program.states)),
        hyper=program.hyper,
        iterates=program.iterates,
        centred=program.centred,
        modewise=program.modewise,
        rotation=program.rotation_equivariant,
        preconditioned=program.preconditioned,
        shift=program.shift,
    )
    forms = [header, _numpy_step(program), _fused(program, dense=False)]
    if not program.modewise:
        forms.append(_fused(program, dense=True))
    return "\n\n".join(forms)


def _numpy_step(program: Program) -> str:
    """One step on arrays [coordinate, run]; `grad` and `norm` are given."""
    printer = _Printer(program, target="numpy")
    lines = [f"{c} = w.dtype.type({number(v)})" for c, v in program.constants.items()]
    for op in program.ops:
        call = {GRADIENT: "grad({})", NORM: "norm({})"}.get(op.kind, "{}")
        lines.append(f"{op.target} = {call.format(printer(op.value))}")
    results = ", ".join(printer(r) for r in program.results)
    lines.append(f"return ({results},)")
    states = ", ".join(map(str, program.states))
    extra = ["grad", "norm", *(["h"] if program.modewise else []), *program.hyper]
    return f"def step({states}, *, {', '.join(extra)}):\n{indent(lines)}\n"


def _fused(program: Program, *, dense: bool) -> str:
    """All steps of a block of runs in one compiled loop; `kept[p]` receives the iterate after `stops[p]` steps."""
    printer = _Printer(program, target="numba")
    names = [str(s) for s in program.states]
    curvature, form = ("hessian", "dense") if dense else ("curvature", "diagonal")
    arguments = [*names, curvature, "linear", *program.hyper, "stops", "kept"]
    runs = [op for op in program.ops if op.kind == RUN]
    static = [op for op in runs if _is_static(op, program)]
    dynamic = [op for op in runs if op not in static]
    norms = [op for op in program.ops if op.kind == NORM]
    gradients = [op for op in program.ops if op.kind == GRADIENT]

    body = ["dim, runs = w.shape", "zero = w.dtype.type(0.0)"]
    body += [f"{c} = w.dtype.type({number(v)})" for c, v in program.constants.items()]
    body += [f"{op.target} = np.empty(runs, w.dtype)" for op in runs + norms]
    if dense:
        body += [f"{g.target}at = np.empty((dim, runs), w.dtype)" for g in gradients if g.value not in program.states]
        body += [f"{g.target} = np.empty((dim, runs), w.dtype)" for g in gradients]
    body += _per_run(static, printer)
    step: list[str] = []
    emitted: set[sp.Symbol] = {op.target for op in static}
    for op in program.ops:
        if op.kind == GRADIENT and dense:
            point = str(op.value)
            if op.value not in program.states:
                point = f"{op.target}at"
                store = f"{point}[i, r] = {printer.local(op.value)}"
                step += _coordinate_loop(program, [op.value], [store], printer, dense)
            step.append(f"product({curvature}, {point}, {op.target})")
        elif op.kind == NORM:
            step += _norm_loop(program, op, printer, dense)
            step.append(f"for r in range(runs):\n    {op.target}[r] = np.sqrt({op.target}[r])")
            emitted.add(op.target)
            ready = [d for d in dynamic if d.target not in emitted and _ready(d, emitted, program)]
            step += _per_run(ready, printer)
            emitted |= {d.target for d in ready}
    stores = [f"{name}_next = {printer(r)}" for name, r in zip(names, program.results, strict=True)]
    stores += [f"{name}[i, r] = {name}_next" for name in names]
    step += _coordinate_loop(program, list(program.results), stores, printer, dense)
    inner = indent(step, 3)
    return (
        f"@kernel\ndef {form}({', '.join(arguments)}):\n{indent(body)}\n"
        f"    done = 0\n    for p in range(stops.size):\n        for _ in range(done, stops[p]):\n{inner}\n"
        f"        done = stops[p]\n        kept[p] = w\n"
    )


def _per_run(ops: list[Op], printer: _Printer) -> list[str]:
    if not ops:
        return []
    return ["for r in range(runs):\n" + indent([f"{op.target}[r] = {printer(op.value)}" for op in ops])]


def _coordinate_loop(
    program: Program, wanted: list[sp.Expr], stores: list[str], printer: _Printer, dense: bool
) -> list[str]:
    """One sweep over coordinates and runs that evaluates what `stores` needs, gradients inline or from memory."""
    outer, inner = _coordinate_lines(program, wanted, printer, dense)
    loop = "for r in range(runs):\n" + indent(inner + stores)
    return ["for i in range(dim):\n" + indent([*outer, loop])]


def _norm_loop(program: Program, op: Op, printer: _Printer, dense: bool) -> list[str]:
    """The sum of squares, first coordinate to last; several coordinates a pass, since each pass reads and writes it."""
    outer, inner = _coordinate_lines(program, [op.value], printer, dense)
    square = f"{printer.local(op.value)} * {printer.local(op.value)}"

    def at(lines: list[str], offset: int) -> list[str]:
        moved = [re.sub(r"\b(h_|b_)(?!\w)", rf"\g<1>at{offset}_", line) for line in lines]
        return [re.sub(r"\[i\b", f"[i + {offset}", line) for line in moved]

    passes = range(_NORM_PASSES)
    together = [line for k in passes for line in [*at(inner, k), f"total += {square}"]]
    wide = f"for r in range(runs):\n    total = {op.target}[r]\n{indent(together)}\n    {op.target}[r] = total"
    narrow = "for r in range(runs):\n" + indent([*inner, f"{op.target}[r] += {square}"])
    return [
        f"{op.target}[:] = zero",
        f"for i in range(0, dim - {_NORM_PASSES - 1}, {_NORM_PASSES}):\n"
        + indent([*(line for k in passes for line in at(outer, k)), wide]),
        f"for i in range(dim - dim % {_NORM_PASSES}, dim):\n" + indent([*outer, narrow]),
    ]


#: Coordinates that one pass over the runs adds to a norm.
_NORM_PASSES = 4


def _coordinate_lines(
    program: Program, wanted: list[sp.Expr], printer: _Printer, dense: bool
) -> tuple[list[str], list[str]]:
    """Return what a sweep computes once a coordinate, and once a coordinate and run, to have `wanted`."""
    needed = _slice(program, wanted, dense)
    symbols = {s for op in needed for s in op.value.free_symbols} | {s for e in wanted for s in e.free_symbols}
    inner = [f"{s}_ = {s}[i, r]" for s in program.states if s in symbols]
    for op in needed:
        if op.kind == GRADIENT:
            at = f"{op.target}[i, r]" if dense else f"h_ * {printer.local(op.value)}"
            inner.append(f"{op.target}v = {at}" + (" - b_" if program.centred else ""))
        elif op.kind == COORDINATE:
            inner.append(f"{printer.local(op.target)} = {printer(op.value)}")
    outer = []
    if not dense and (program.modewise or any(op.kind == GRADIENT for op in needed)):
        outer.append("h_ = curvature[i]")
    if program.centred and any(op.kind == GRADIENT for op in needed):
        outer.append("b_ = linear[i]")
    return outer, inner


def _slice(program: Program, wanted: Iterable[sp.Expr], dense: bool) -> list[Op]:
    """Return the coordinate assignments and gradients that `wanted` needs, in order; stored gradients need nothing."""
    needed = {s for e in wanted for s in e.free_symbols}
    chosen = []
    for op in reversed(program.ops):
        if op.target in needed and op.kind in (COORDINATE, GRADIENT):
            chosen.append(op)
            if not (dense and op.kind == GRADIENT):
                needed |= op.value.free_symbols
    return chosen[::-1]


def _is_static(op: Op, program: Program) -> bool:
    """Whether a run value depends on hyper-parameters alone and can be computed before the first step."""
    by_target = {o.target: o for o in program.ops}
    symbols = [by_target[s] for s in op.value.free_symbols if s in by_target]
    return all(o.kind == RUN and _is_static(o, program) for o in symbols)


def _ready(op: Op, emitted: set[sp.Symbol], program: Program) -> bool:
    targets = {o.target for o in program.ops}
    return all(s in emitted for s in op.value.free_symbols if s in targets)


class _Printer(ScalarPrinter):
    """Symbols as the loops of a kernel, or NumPy, read them."""

    def __init__(self, program: Program, target: str) -> None:
        super().__init__(f"rule {program.name}", program.run_symbols, "w.dtype.type(1.0)", target)
        self.program = program

    def local(self, symbol: sp.Symbol) -> str:
        """Return how a symbol is read inside a loop over runs."""
        if self.target == "numpy":
            return str(symbol)
        if symbol in self.program.constants:
            return str(symbol)
        if symbol in self.program.run_symbols:
            return f"{symbol}[r]"
        if symbol == h or symbol in self.program.states:
            return f"{symbol}_"
        return f"{symbol}v"

    def reciprocal(self, divisor: sp.Expr) -> str:
        """One over a value; zero over a norm of zero, so that a vanishing gradient means a vanishing step."""
        if not any(op.kind == NORM and op.target in divisor.free_symbols for op in self.program.ops):
            return super().reciprocal(divisor)
        value = self.factor(divisor)
        if self.target == "numpy":
            return f"np.where({value} != 0, {self.one} / ({value}), w.dtype.type(0.0))"
        return f"({self.one} / ({value}) if {value} != zero else zero)"
