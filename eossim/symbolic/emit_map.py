"""Write a map as Python source: NumPy functions, and compiled loops that iterate many runs at once.

Both print the same assignments in the same order, so that they round alike. A loop advances a tile of `LANES` runs
whose states lie side by side, of a size known to the compiler: runs become the SIMD lanes. A tile that is not full
repeats its last run.
"""

from __future__ import annotations

from collections.abc import Sequence

from .._map import Map
from .lowering import Op
from .map_program import Group, MapProgram, lower_map
from .scalar_printer import ScalarPrinter, indent, number

#: Runs in a tile.
LANES = 64

_HEADER = '''"""Iteration of `{name}`, written by eossim from the map; do not edit."""

import numpy as np

from eossim._jit import kernel

UPDATE = {update!r}
STATE = {states!r}
PARAMETERS = {parameters!r}
OBSERVABLES = {observables!r}
'''


def map_source(source: Map) -> str:
    """Return the source of the module of a map.

    Its functions: ``step``, ``observe`` and ``jacobian`` evaluate with NumPy at the coordinates and parameters, in
    order. ``orbit``, ``extremes`` and ``lyapunov`` iterate the runs ``first_`` to ``last_`` of states (dim, runs) under
    parameters (parameters, runs).

    Raises:
        ValueError: for an expression without a compiled form.
    """
    try:
        return _module(lower_map(source))
    except ValueError as error:
        raise ValueError(
            f"{error}; a Python function of any kind is a map as "
            f"eossim.dynamics.FunctionMap(step, dim={source.dim}, parameters={source.parameters!r})"
        ) from None


def _module(program: MapProgram) -> str:
    header = _HEADER.format(
        name=program.name,
        update=program.update,
        states=tuple(map(str, program.states)),
        parameters=tuple(map(str, program.parameters)),
        observables=program.observables,
    )
    forms = [header, _numpy_step(program), _numpy(program, "jacobian", program.jacobian), _orbit(program)]
    if program.observables:
        forms += [_numpy(program, "observe", program.observe), _extremes(program)]
    return "\n\n".join([*forms, _lyapunov(program)])


def _numpy(program: MapProgram, name: str, group: Group) -> str:
    """A function of coordinates and parameters, all arrays that broadcast."""
    lines, printer = _numpy_lines(program, group)
    results = ", ".join(map(printer, group.results))
    return _function(name, program, [*lines, f"return ({results},)"])


def _numpy_step(program: MapProgram) -> str:
    lines, printer = _numpy_lines(program, program.step)
    finite = " & ".join(f"np.isfinite({s})" for s in program.states)
    results = [
        f"np.where(finite_, {printer(r)}, {s})" for s, r in zip(program.states, program.step.results, strict=True)
    ]
    return _function("step", program, [*lines, f"finite_ = {finite}", f"return ({', '.join(results)},)"])


def _numpy_lines(program: MapProgram, group: Group) -> tuple[list[str], ScalarPrinter]:
    dtype = f"{program.states[0]}.dtype.type"
    printer = _printer(program, f"{dtype}(1.0)", "numpy")
    run, where = program.needed(group)
    ops = [*run, *where, *group.ops]
    return [*_constants(program, dtype, ops, group), *_assignments(ops, printer)], printer


def _function(name: str, program: MapProgram, lines: Sequence[str]) -> str:
    arguments = ", ".join(map(str, (*program.states, *program.parameters)))
    return f"def {name}({arguments}):\n{indent(lines)}\n"


def _orbit(program: MapProgram) -> str:
    """States after `stops_[p]` steps, in `kept_[p]`."""
    loop = _Loop(program, [program.step])
    dim = len(program.states)
    body = [
        "done_ = 0",
        "for p_ in range(stops_.size):",
        indent(["for _ in range(done_, stops_[p_]):", indent([loop.lanes(loop.step())])]),
        indent(["done_ = stops_[p_]", f"for i_ in range({dim}):"]),
        indent(["for r_ in range(count_):", indent(["kept_[p_, i_, tile_ + r_] = state_[i_, r_]"])], 2),
    ]
    return loop.kernel("orbit", "stops_, kept_", body)


def _extremes(program: MapProgram) -> str:
    """The largest value of each observable after 1..`steps_` steps, in `peak_`; the last states, in `x_`."""
    loop = _Loop(program, [program.step, program.observe])
    width = len(program.observables)
    watch = []
    for k, value in enumerate(program.observe.results):
        watch += [f"seen_ = {loop.printer(value)}", "seen_ = seen_ if seen_ - seen_ == zero_ else infinity_"]
        watch += [f"high_ = most_[{k}, r_]", f"most_[{k}, r_] = seen_ if seen_ > high_ else high_"]
    _, where = program.needed(program.observe)
    observed = [*_assignments([*where, *program.observe.ops], loop.printer), *watch]
    body = [
        f"for k_ in range({width}):",
        indent([f"for r_ in range({LANES}):", indent(["most_[k_, r_] = -infinity_"])]),
        "for _ in range(steps_):",
        indent([loop.lanes([*loop.step(), *observed])]),
        f"for k_ in range({width}):",
        indent(["for r_ in range(count_):", indent(["peak_[k_, tile_ + r_] = most_[k_, r_]"])]),
        f"for i_ in range({len(program.states)}):",
        indent(["for r_ in range(count_):", indent(["x_[i_, tile_ + r_] = state_[i_, r_]"])]),
    ]
    setup = ["infinity_ = x_.dtype.type(np.inf)", f"most_ = np.empty(({width}, {LANES}), x_.dtype)"]
    return loop.kernel("extremes", "steps_, peak_", body, setup)


def _lyapunov(program: MapProgram) -> str:
    """Growth of orthonormal tangents over `steps_` steps after `burn_in_`; the last states, in `x_`.

    The product of the lengths is `growth_` × 2^`exponent_`.
    """
    dim = len(program.states)
    loop = _Loop(program, [program.jacobian, program.step])
    anew = [
        f"for k_ in range({dim}):",
        indent([f"for r_ in range({LANES}):", indent(["mantissa_[k_, r_] = 1.0", "power_[k_, r_] = 0"])]),
    ]
    out = ["x_[i_, tile_ + r_] = state_[i_, r_]", "growth_[i_, tile_ + r_] = mantissa_[i_, r_]"]
    out.append("exponent_[i_, tile_ + r_] = power_[i_, r_]")
    body = [
        "tangent_[:] = 0.0",
        *(f"tangent_[{i * dim + i}, :] = 1.0" for i in range(dim)),
        "for t_ in range(burn_in_ + steps_):",
        indent(["if t_ == 0 or t_ == burn_in_:", indent(anew), loop.lanes([*_growth(loop), *loop.step()])]),
        f"for i_ in range({dim}):",
        indent(["for r_ in range(count_):", indent(out)]),
    ]
    setup = [
        f"tangent_ = np.empty(({dim * dim}, {LANES}))",
        f"mantissa_ = np.empty(({dim}, {LANES}))",
        "bits_ = mantissa_.view(np.int64)",
        f"power_ = np.empty(({dim}, {LANES}), np.int64)",
    ]
    return loop.kernel("lyapunov", "burn_in_, steps_, growth_, exponent_", body, setup)


def _growth(loop: _Loop) -> list[str]:
    """Multiply the tangents by the Jacobian, make them orthonormal one after the other, and count their lengths."""
    program = loop.program
    dim = len(program.states)
    _, where = program.needed(program.jacobian)
    lines = _assignments([*where, *program.jacobian.ops], loop.printer)
    lines += [f"j{i // dim}{i % dim}_ = {loop.printer(e)}" for i, e in enumerate(program.jacobian.results)]
    if dim == 1:
        return [*lines, "n_ = np.abs(j00_)", *_accumulate(0)]
    columns = range(dim)
    for j in columns:
        lines += [
            f"w{i}{j}_ = " + " + ".join(f"j{i}{k}_ * tangent_[{k * dim + j}, r_]" for k in columns) for i in columns
        ]
    for j in columns:
        for k in range(j):
            lines.append("along_ = " + " + ".join(f"w{i}{k}_ * w{i}{j}_" for i in columns))
            lines += [f"w{i}{j}_ = w{i}{j}_ - along_ * w{i}{k}_" for i in columns]
        # Scaled by the largest entry: squares of large or small numbers leave the range.
        lines.append(f"largest_ = np.abs(w0{j}_)")
        for i in columns[1:]:
            lines.append(f"largest_ = np.abs(w{i}{j}_) if np.abs(w{i}{j}_) > largest_ else largest_")
        lines.append("scale_ = largest_ if largest_ > 0.0 else 1.0")
        lines += [f"w{i}{j}_ = w{i}{j}_ / scale_" for i in columns]
        lines.append("n_ = np.sqrt(" + " + ".join(f"w{i}{j}_ * w{i}{j}_" for i in columns) + ")")
        lines.append("inverse_ = 1.0 / n_ if n_ > 0.0 else 0.0")
        lines += [f"w{i}{j}_ = w{i}{j}_ * inverse_" for i in columns]
        lines += [f"tangent_[{i * dim + j}, r_] = w{i}{j}_" for i in columns]
        lines += ["n_ = largest_ * n_", *_accumulate(j)]
    return lines


def _accumulate(k: int) -> list[str]:
    """Multiply a length `n_` into product number `k`.

    The mantissa is brought back to [1, 2) through its bits, so that the loop needs no logarithm. A product below the
    smallest normal number is zero for good.
    """
    return [
        f"mantissa_[{k}, r_] = mantissa_[{k}, r_] * n_",
        f"b_ = bits_[{k}, r_]",
        "f_ = (b_ >> 52) & 2047",
        "normal_ = f_ > 0 and f_ < 2047",
        f"power_[{k}, r_] += f_ - 1023 if normal_ else 0",
        f"bits_[{k}, r_] = (b_ & 4503599627370495) | 4607182418800017408 if normal_ else (0 if f_ == 0 else b_)",
    ]


class _Loop:
    """A loop over tiles of runs: what is loaded before the first step, and what one step does to every lane."""

    def __init__(self, program: MapProgram, groups: list[Group]) -> None:
        self.program, self.groups = program, groups
        self.printer = _printer(program, "one_", "numba")
        self.run, self.where = program.needed(*groups)
        ops = [*self.where, *(op for g in groups for op in g.ops)]
        read = {s for op in ops for s in op.value.free_symbols}
        read |= {s for g in groups for e in g.results for s in e.free_symbols}
        held = [*program.parameters, *(op.target for op in self.run)]
        #: Run values that the steps read: a row of `value_` each.
        self.values = [s for s in held if s in read]
        self.all_ops = [*self.run, *ops]

    def step(self) -> list[str]:
        """One step of a lane; a state that is not finite stays as it is."""
        program, printer = self.program, self.printer
        names = list(map(str, program.states))
        _, where = program.needed(program.step)
        lines = _assignments([*where, *program.step.ops], printer)
        lines += [f"{s}_next_ = {printer(r)}" for s, r in zip(names, program.step.results, strict=True)]
        lines.append("finite_ = " + " + ".join(f"({s} - {s})" for s in names) + " == zero_")
        lines += [f"{s} = {s}_next_ if finite_ else {s}" for s in names]
        return [*lines, *(f"state_[{i}, r_] = {s}" for i, s in enumerate(names))]

    def lanes(self, lines: list[str]) -> str:
        """Do `lines` for every lane of the tile."""
        load = [f"{s} = state_[{i}, r_]" for i, s in enumerate(self.program.states)]
        load += [f"{s} = value_[{k}, r_]" for k, s in enumerate(self.values)]
        return f"for r_ in range({LANES}):\n{indent([*load, *lines])}"

    def kernel(self, name: str, arguments: str, body: list[str], setup: Sequence[str] = ()) -> str:
        """Return the compiled function: `body` runs once a tile."""
        program = self.program
        needed = {s for op in self.run for s in op.value.free_symbols} | set(self.values)
        fill = [f"state_[{i}, r_] = x_[{i}, lane_]" for i in range(len(program.states))]
        fill += [f"{s} = a_[{k}, lane_]" for k, s in enumerate(program.parameters) if s in needed]
        fill += _assignments(self.run, self.printer)
        fill += [f"value_[{k}, r_] = {s}" for k, s in enumerate(self.values)]
        inside = "\n".join([*fill, *body])
        lines = [
            "zero_ = x_.dtype.type(0.0)",
            *(["one_ = x_.dtype.type(1.0)"] if "one_" in inside else []),
            *_constants(program, "x_.dtype.type", self.all_ops, *self.groups),
            f"state_ = np.empty(({len(program.states)}, {LANES}), x_.dtype)",
            f"value_ = np.empty(({max(1, len(self.values))}, {LANES}), x_.dtype)",
            *setup,
            f"for tile_ in range(first_, last_, {LANES}):",
            indent(
                [
                    f"count_ = min({LANES}, last_ - tile_)",
                    f"for r_ in range({LANES}):",
                    indent(["lane_ = tile_ + min(r_, count_ - 1)", *fill]),
                    *body,
                ]
            ),
        ]
        return f"@kernel\ndef {name}(x_, a_, first_, last_, {arguments}):\n{indent(lines)}\n"


def _printer(program: MapProgram, one: str, target: str) -> ScalarPrinter:
    return ScalarPrinter(f"map {program.name}", program.run_symbols, one, target)


def _constants(program: MapProgram, dtype: str, ops: Sequence[Op], *groups: Group) -> list[str]:
    """The constants that assignments and results read, in the dtype of the arrays."""
    read = {s for op in ops for s in op.value.free_symbols} | {
        s for g in groups for e in g.results for s in e.free_symbols
    }
    return [f"{c} = {dtype}({number(v)})" for c, v in program.constants.items() if c in read]


def _assignments(ops: Sequence[Op], printer: ScalarPrinter) -> list[str]:
    return [f"{op.target} = {printer(op.value)}" for op in ops]
