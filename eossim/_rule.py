"""A method written once, as mathematics.

`Rule` declares a method: its hyper-parameters, its state and its update. What follows from it (linearisation, edge,
LaTeX, NumPy step, compiled kernel) is derived when first asked for, so that naming or binding a rule loads no computer
algebra.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ._check import positive_int
from .domain import NON_NEGATIVE, Interval, known, standard

if TYPE_CHECKING:
    from types import ModuleType

    import sympy as sp

    from .engine.method import Method
    from .symbolic.edge import Edge
    from .symbolic.linearize import Linearization
    from .symbolic.program import Program


class Rule:
    """An optimisation method, independent of problem and target.

    Args:
        name: Short identifier, such as ``"sam"``.
        hyper: Hyper-parameters, as symbols or names. A shared name (``eta``, ``rho``, ``beta``, ...) brings its
            interval; any other is positive unless `domain` says otherwise or the symbol carries other assumptions.
        update: The state after one step: a mapping from state symbol to expression, in which every right-hand side
            reads the values *before* the step. Or a function that returns this mapping, called when the mathematics is
            first needed.
        reference: Where the method or its edge comes from (arXiv number, or "derived").
        summary: One line for tables.
        domain: Intervals of hyper-parameters with names of your own.

    Expressions may use ``grad`` (at any point, also nested), ``norm``, ``precond``, ``upcoming``, sums, products,
    powers, square roots and sympy's ``Min``, ``Max``, ``Abs`` and ``sign``. A state variable that rests at the
    minimiser with ``w``, such as a delayed iterate, starts at w0; any other is a buffer and starts at zero. A norm is
    frozen for the edge: that of ``grad(w)`` is named ``grad_norm``, that of a state ``m`` is ``m_norm``, others
    ``norm_1``, ...

    Raises:
        ValueError: if the update uses an undeclared symbol, leaves a declared hyper-parameter unused, or lacks ``w``.

    Example:
        >>> from eossim.symbolic import eta, rho, w, grad, norm
        >>> g = grad(w)
        >>> sam = Rule("sam", hyper=(eta, rho), update={w: w - eta * grad(w + rho * g / norm(g))})
        >>> sam.edge(eta=0.1, rho=0.05, grad_norm=1.3)
        13.248809496813374
    """

    def __init__(
        self,
        name: str,
        hyper: Sequence[Any],
        update: Mapping[sp.Symbol, sp.Expr] | Callable[[], Mapping[sp.Symbol, sp.Expr]],
        *,
        reference: str = "",
        summary: str = "",
        domain: Mapping[str, Interval] | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise ValueError(f"name must be a Python identifier, got {name!r}")
        self.name = name
        self.reference = reference
        self.summary = summary
        if isinstance(hyper, str) or len({str(p) for p in hyper}) < len(tuple(hyper)):
            raise ValueError(f"hyper must be a sequence of distinct symbols or names, got {hyper!r}")
        given = dict(domain or {})
        self.domain: dict[str, Interval] = {str(p): given.get(str(p), _interval_of(p)) for p in hyper}
        #: Name of the generated module of a shipped rule; other rules are compiled into the user's cache.
        self.kernel_module: str | None = None
        self._update = update
        if not callable(update):
            _ = self.update  # a wrong rule fails where it is written

    @property
    def hyper(self) -> tuple[str, ...]:
        """Names of the hyper-parameters, in order."""
        return tuple(self.domain)

    @cached_property
    def update(self) -> dict[sp.Symbol, sp.Expr]:
        """The next state, by state symbol; ``w`` first."""
        from .symbolic.declare import validated

        update = self._update() if callable(self._update) else self._update
        return validated(self.name, self.domain, update)

    @cached_property
    def linearization(self) -> Linearization:
        """The step on one mode of a quadratic: companion matrix and characteristic polynomial."""
        from .symbolic.linearize import linearize

        return linearize(self)

    @cached_property
    def edge(self) -> Edge:
        """The first loss of stability when curvature grows from zero."""
        from .symbolic.crossing import first_crossing

        return first_crossing(self, "h")

    @cached_property
    def program(self) -> Program:
        """The straight-line program behind the NumPy step and the compiled kernels."""
        from .symbolic.program import lower

        return lower(self)

    @cached_property
    def kernel(self) -> ModuleType:
        """The module with the NumPy step and the fused kernels (generated source, compiled on first use)."""
        from .engine.compile import kernel_module

        return kernel_module(self)

    @property
    def latex(self) -> str:
        """The update in LaTeX."""
        from .symbolic.latex import update_latex

        return update_latex(self)

    def series(self, parameter: str, order: int = 4) -> sp.Expr:
        """Return the edge expanded in `parameter` about zero, up to and excluding power `order`."""
        return self.edge.series(parameter, order)

    def __call__(self, **values: Any) -> Method:
        """Bind hyper-parameters; an array binds a batch of runs.

        Args:
            **values: One number or 1-D array per hyper-parameter. ``etas=(a, b)`` is short for ``eta_1=a, eta_2=b``.
                A preconditioned rule also takes ``P`` (diagonal or matrix), or ``nu_hat`` and ``eps``.

        Raises:
            ValueError: for a missing or unknown name, a value outside its interval, or lengths that do not match.
        """
        from .engine.method import bind

        return bind(self, values)

    def spell(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return `values` with vectors spelled out: ``etas=(a, b)`` as ``eta_1=a, eta_2=b``.

        Raises:
            ValueError: if a vector has another length than the rule.
        """
        spelled: dict[str, Any] = {}
        for name, value in values.items():
            stem = name[:-1]
            if name in self.domain or f"{stem}_1" not in self.domain:
                spelled[name] = value
                continue
            expected = sum(p.rpartition("_")[0] == stem for p in self.domain)
            if np.ndim(value) == 0 or len(value) != expected:
                raise ValueError(f"{name} needs {expected} entries for {self.name}, got {value!r}")
            spelled |= {f"{stem}_{i}": entry for i, entry in enumerate(value, 1)}
        return spelled

    def __repr__(self) -> str:
        return f"Rule({self.name}; {', '.join(self.hyper)})"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


class Family:
    """Rules of one kind that differ in an integer: a delay, a number of inner steps, the length of a cycle.

    Args:
        name: Identifier of the family.
        structure: Name of the integer.
        build: From the integer to the rule.
        vectors: Vector hyper-parameters whose common length is the integer, when it is not given itself.
        edge: Closed form of the edge for a symbolic integer, as a function of symbols; without it each member's edge is
            derived on its own.
        smallest: Smallest allowed integer.
        reference: Where it comes from.
        summary: One line for tables.
        formula: The edge in words, for tables, where `edge` is not given.
        latex: The same in LaTeX.
    """

    def __init__(
        self,
        name: str,
        structure: str,
        build: Callable[[int], Rule],
        *,
        vectors: tuple[str, ...] = (),
        edge: Callable[..., sp.Expr] | None = None,
        smallest: int = 1,
        reference: str = "",
        summary: str = "",
        formula: str = "",
        latex: str = "",
    ) -> None:
        self.name, self.structure, self.build, self.vectors = name, structure, build, vectors
        self.formula, self.formula_latex = formula, latex
        self.closed_form, self.smallest = edge, smallest
        self.reference, self.summary = reference, summary
        self._members: dict[int, Rule] = {}

    def member(self, size: int) -> Rule:
        """Return the rule of one integer."""
        size = positive_int(self.structure, size, minimum=self.smallest)
        if size not in self._members:
            self._members[size] = self.build(size)
        return self._members[size]

    def resolve(self, values: Mapping[str, Any]) -> tuple[Rule, dict[str, Any]]:
        """Return the member that `values` ask for, and the values without the integer."""
        rest = dict(values)
        if self.structure in rest:
            return self.member(rest.pop(self.structure)), rest
        lengths = {name: np.shape(rest[name])[0] for name in self.vectors if np.ndim(rest.get(name, 0))}
        if not lengths:
            raise ValueError(f"{self.name} needs {' and '.join(self.vectors) or self.structure}")
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{self.name} needs vectors of one length, got {lengths}")
        return self.member(next(iter(lengths.values()))), rest

    def __call__(self, **values: Any) -> Method:
        """Bind the integer (or vectors that imply it) and the hyper-parameters."""
        member, rest = self.resolve(values)
        return member(**rest)

    def __repr__(self) -> str:
        return f"Family({self.name}; {self.structure})"


def rule(reference: str = "", *, domain: Mapping[str, Interval] | None = None) -> Any:
    """Turn a function into a `Rule`: positional parameters are the state, keyword-only parameters the hyper-parameters.

    The function returns the next state (a tuple when there is more than one variable); its docstring is the summary.

    Example:
        >>> @rule("arXiv:2103.00065")
        ... def heavy_ball(w, m, *, eta, beta):
        ...     "Polyak's heavy ball"
        ...     m_new = beta * m + grad(w)
        ...     return w - eta * m_new, m_new
    """

    def declare(function: Callable[..., Any]) -> Rule:
        parameters = inspect.signature(function).parameters.values()
        if not any(p.name == "w" and p.kind is not inspect.Parameter.KEYWORD_ONLY for p in parameters):
            raise ValueError(
                f"rule {function.__name__}: state variables are positional, w first, hyper-parameters keyword-only: "
                f"write def {function.__name__}(w, *, eta), got {inspect.signature(function)}"
            )
        return step_rule(
            function.__name__,
            [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY],
            [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY],
            function,
            reference=reference,
            domain=domain,
        )

    if callable(reference):  # written without parentheses
        function, reference = reference, ""
        return declare(function)
    return declare


def step_rule(
    name: str,
    states: Sequence[str],
    hyper: Sequence[str],
    step: Callable[..., Any],
    *,
    reference: str = "",
    domain: Mapping[str, Interval] | None = None,
) -> Rule:
    """Return the rule of a step function, ``step(*states, **hyper)`` being the next state: `rule`, with names given."""
    intervals = {p: (domain or {}).get(p, standard(p)) for p in hyper}

    def update() -> dict[sp.Symbol, sp.Expr]:
        from .symbolic.vocabulary import parameter, state

        symbols = [state(s) for s in states]
        values = step(*symbols, **{p: parameter(p, intervals[p]) for p in hyper})
        following = values if isinstance(values, tuple) else (values,)
        if len(following) != len(symbols) or None in following:
            raise ValueError(f"rule {name} must return the next {', '.join(states)}, got {values!r}")
        return dict(zip(symbols, following, strict=True))

    summary = (inspect.getdoc(step) or "").partition("\n")[0].strip()
    return Rule(name, hyper, update, reference=reference, summary=summary, domain=intervals)


def numbered(stem: str, n: int) -> list[str]:
    """Return ``stem_1`` to ``stem_n``: the entries of a vector hyper-parameter, or a row of states."""
    return [f"{stem}_{i}" for i in range(1, n + 1)]


def _interval_of(parameter: Any) -> Interval:
    """Return the interval of a declared hyper-parameter: the shared one, or what the symbol's assumptions say."""
    name = str(parameter)
    if isinstance(parameter, str) or known(name) or parameter.is_positive:
        return standard(name)
    return NON_NEGATIVE if parameter.is_nonnegative else Interval()
