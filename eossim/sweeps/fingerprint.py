"""What a function is, so that a store can tell whether its cells still belong to it.

Counted are the files of its project that its module imports, directly or through others, without comments, docstrings
and layout; the constants bound to it, defaults and closure values; single values at the top of its module that it uses;
and the versions of eossim and Python. Of functions that are in no file, as in notebooks, the compiled code counts, and
all that it uses. Installed libraries do not count, except eossim.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import hashlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from .._check import _short
from .code import code_digest, codes_in, imports_of, loaded_from, used_names
from .experiment import Experiment
from .origin import home, versions
from .project import constants, file_digest, in_project, project_files, shown

#: Text of a value that is shown as it is; longer ones are shown by a digest.
_SHOWN = 60
_SINGLE = (type(None), bool, int, float, str, bytes)
#: Entries of a class that describe it and do nothing; the flag of classes made by Python code.
_DESCRIPTIONS, _MADE = (types.GetSetDescriptorType, types.MemberDescriptorType), 1 << 9


def identity(function: Callable[..., Any]) -> dict[str, str]:
    """Return what tells a function from others, part by part, each as a short text.

    Raises:
        TypeError: If it depends on something whose contents cannot be read, such as an open file.
    """
    walk = _Walk(function)
    walk.root(function)
    walk.files()
    return {**versions(function), **walk.parts}


def project_modules(function: Callable[..., Any]) -> set[str]:
    """Return the modules, not installed ones, whose code the function may reach."""
    walk = _Walk(function)
    with contextlib.suppress(TypeError):  # what has been seen until then
        walk.root(function)
    return {*walk.modules, *project_files(walk.modules)}


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function: without its module, which differs between a script and an import of it."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, Experiment):
        return function.label
    return str(getattr(function, "__qualname__", type(function).__qualname__))


def differences(mine: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """Return a line for each part in which two identities differ."""
    lines = []
    for part in dict.fromkeys([*mine, *other]):
        here, there = mine.get(part), other.get(part)
        if here == there:
            continue
        if here is None:
            lines.append(f"{part}: gone, the store has {there}")
        elif there is None:
            lines.append(f"{part}: new, {here}")
        elif part.startswith(("file ", "code of ")):
            lines.append(f"{part}: changed")
        else:
            lines.append(f"{part}: {here}, the store has {there}")
    return lines


class _Walk:
    """Collect the parts of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.parts: dict[str, str] = {}
        self.modules: set[str] = set()
        self._home = home(function)
        self._used: set[tuple[CodeType, int]] = set()
        self._open: list[int] = []
        self._known: dict[int, tuple[Any, str]] = {}  # with the value itself, lest its id is given to another

    def root(self, function: Any) -> None:
        """Note the function, constants bound to it, and what belongs to it."""
        bound: list[tuple[str, Any]] = []
        while isinstance(function, functools.partial):
            named = [*enumerate(function.args), *sorted(function.keywords.items())]
            bound += [(f"constant {name}", value) for name, value in named]
            function = function.func
        self._note("function", name_of(function))
        for part, value in bound:
            self._value(part, value)
        if not isinstance(function, Experiment):
            digest = self._digest(function, "the function")
            if not isinstance(function, FunctionType | type):
                self._note("what is called", f"{type(function).__name__} {digest[:12]}")

    def files(self) -> None:
        """Note the files, and where they are not what is loaded, which was changed since, or was loaded before."""
        for module, path in sorted(project_files(self.modules).items()):
            file = shown(module, path)
            self._note(f"file {file}", file_digest(path))
            loaded = vars(sys.modules[module]) if module in sys.modules else {}
            codes = codes_in(path)
            for code in loaded_from(loaded, path) if codes else ():
                if code_digest(code) not in codes:
                    self._note(f"code of {code.co_qualname}, as loaded from {file}", code_digest(code))
            for name, value in constants(path).items():
                current = loaded.get(name, value)
                if _is_plain(current) and repr(current) != repr(value) and (value or isinstance(value, _SINGLE)):
                    self._value(f"global {name}, as loaded from {file}", current)

    def _note(self, part: str, text: str) -> None:
        while self.parts.get(part, text) != text:  # two closures of one function
            part += "'"
        self.parts[part] = text

    def _value(self, part: str, value: Any) -> str:
        """Note a value: in full if it is short and plain, else by its digest, which is returned."""
        digest = self._digest(value, part)
        if _is_plain(value) and len(repr(value)) <= _SHOWN:
            self._note(part, repr(value))
        else:
            name = self._qualified(value) if isinstance(value, FunctionType | type) else type(value).__qualname__
            self._note(part, f"{name} {digest[:12]}")
        return digest

    def _digest(self, value: Any, part: str) -> str:
        if id(value) in self._known:
            return self._known[id(value)][1]
        if id(value) in self._open:
            return f"inside itself {self._open.index(id(value))}"
        sha = hashlib.sha256()
        self._open.append(id(value))
        try:
            for chunk in self._chunks(value, part):
                data = chunk.encode("utf-8", "surrogatepass") if isinstance(chunk, str) else chunk
                sha.update(f"{len(data)}:".encode() + data)
        finally:
            self._open.pop()
        self._known[id(value)] = value, sha.hexdigest()
        return sha.hexdigest()

    def _chunks(self, value: Any, part: str) -> Iterator[str | bytes]:
        """Yield the contents of a value."""
        kind, inner = type(value), functools.partial(self._digest, part=part)
        torch, xarray = sys.modules.get("torch", types), sys.modules.get("xarray", types)
        yield kind.__qualname__
        if kind in (*_SINGLE, complex) or isinstance(value, np.dtype):
            yield repr(value)
        elif kind is np.ndarray and not value.dtype.hasobject:
            yield f"{value.dtype!r} {value.shape}"
            yield np.ascontiguousarray(value).tobytes()
        elif kind in (tuple, list):
            yield from map(inner, value)
        elif kind is dict:
            yield from map(inner, value.items())
        elif kind in (set, frozenset):
            yield from sorted(map(inner, value))
        elif isinstance(value, ModuleType):
            self._module(value)
            yield value.__name__
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, property):
            yield inner((value.fget, value.fset, value.fdel))
        elif isinstance(value, staticmethod | classmethod):
            yield inner(value.__func__)
        elif isinstance(value, functools.cached_property):
            yield inner(value.func)
        elif _is(value, torch, "Tensor") and kind.__qualname__ in ("Tensor", "Parameter"):
            yield f"{value.dtype} {tuple(value.shape)} {value.requires_grad}"
            flat = self._read(lambda: value.detach().cpu().contiguous().view(-1).view(torch.uint8), value, part)
            yield inner(flat.numpy())
        elif _is(value, xarray, "Dataset") or _is(value, xarray, "DataArray"):
            yield inner(self._read(lambda: value.to_dict(data="array"), value, part))
        else:
            yield from self._object(value, part)

    def _object(self, value: Any, part: str) -> Iterator[str]:
        """Yield the class and the state of an object."""
        kind = type(value)
        yield self._digest(kind, part)
        original = getattr(value, "py_func", getattr(value, "__wrapped__", None))
        if isinstance(original, FunctionType) and not in_project(_module_of(kind)):  # compiled or cached by a library
            yield self._qualified(original)
            if in_project(original.__module__):
                yield self._digest((original, getattr(value, "targetoptions", None)), part)
            return
        reduce = copyreg.dispatch_table.get(kind, lambda value: value.__reduce_ex__(4))
        reduced = self._read(lambda: reduce(value), value, part)
        if isinstance(reduced, str):
            yield self._named(value, reduced, part)
            return
        make, arguments, state, *items = (*reduced, None, None, None)[:5]
        if isinstance(state, dict):  # what is computed on first use is no part of what the object is
            computed = functools.cached_property
            state = {k: v for k, v in state.items() if not isinstance(inspect.getattr_static(kind, k, None), computed)}
        yield self._digest((make, arguments, state, *(None if item is None else list(item) for item in items)), part)

    def _read(self, read: Callable[[], Any], value: Any, part: str) -> Any:
        try:
            return read()
        except Exception as error:
            raise TypeError(
                f"{part} holds {_short(value)} of type {type(value).__name__}, whose contents cannot be read: a store "
                f"cannot tell whether it changes ({error}). Make it inside the function, or sweep without a store"
            ) from error

    def _named(self, value: Any, name: str, part: str) -> str:
        """Return the name by which a module holds a value."""
        for place in ("builtins", "numpy", "scipy.special", getattr(value, "__module__", None) or ""):
            module = sys.modules.get(place)
            if module is not None and _found(module, name) is value:
                self._module(module)
                return f"{place}.{name}"

        def nowhere() -> str:
            raise ValueError(f"no module holds it as {name!r}")

        return str(self._read(nowhere, value, part))

    def _qualified(self, value: Any) -> str:
        name = getattr(value, "__qualname__", type(value).__qualname__)
        module = getattr(value, "__module__", None)
        return str(name) if module in (self._home, None) else f"{module}.{name}"

    def _module(self, module: ModuleType) -> None:
        """Let the files of a module count, and those of its parts, which anything may have imported."""
        if in_project(module.__name__):
            self.modules |= {name for name in sys.modules if f"{name}.".startswith(f"{module.__name__}.")}

    def _function(self, function: FunctionType) -> Iterator[str]:
        code, names = function.__code__, function.__globals__
        where = names.get("__name__", "")
        name = code.co_qualname if where in (self._home, "") else f"{where}.{code.co_qualname}"
        yield name
        if where and not in_project(where):
            module = sys.modules.get(function.__module__ or "")
            if module is not None and _found(module, function.__qualname__) is function:
                if in_project(module.__name__):  # wrapped by a library, at the top of a module
                    self.modules.add(module.__name__)
                    yield self._digest(getattr(function, "__wrapped__", None), f"what {name} wraps")
                return
        elif where:
            self.modules.add(where)
        yield code_digest(code)
        module = sys.modules.get(where)
        in_file = module is not None and code_digest(code) in codes_in(Path(getattr(module, "__file__", None) or "."))
        self._note(f"code of {name}", code_digest(code))
        if not where or in_project(where):
            self._globals(code, names, in_file)
        by_position, defaults = code.co_varnames[: code.co_argcount], function.__defaults__ or ()
        named = [*zip(by_position[len(by_position) - len(defaults) :], defaults, strict=True)]
        for parameter, value in [*named, *(function.__kwdefaults__ or {}).items()]:
            yield parameter
            yield self._value(f"default {name}({parameter})", value)
        for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # not yet bound
                contents = cell.cell_contents
                yield self._value(f"closure value {name}({variable})", contents)
        yield self._digest(getattr(function, "__wrapped__", None), f"what {name} wraps")
        for key, value in vars(function).items():
            if isinstance(value, _SINGLE):
                yield self._value(f"{name}.{key}", value)

    def _globals(self, code: CodeType, names: dict[str, Any], in_file: bool) -> None:
        """Note what code uses of its module: single values; all of it, and what it imports, if it is in no file."""
        if (code, id(names)) in self._used:
            return
        self._used.add((code, id(names)))
        where = names.get("__name__")
        for name in used_names(code):
            value = names.get(name, ...)
            if isinstance(value, _SINGLE) or (not in_file and value is not ...):
                self._value(f"global {name}" if where in (self._home, None) else f"global {where}.{name}", value)
            elif isinstance(value, FunctionType) and value.__globals__ is names:
                self._globals(value.__code__, names, in_file)
        if not in_file:
            self.modules.update(imports_of(code))

    def _class(self, value: type) -> Iterator[str]:
        yield self._qualified(value)
        where = _module_of(value)
        module = sys.modules.get(where)
        held = module is not None and _found(module, value.__qualname__) is value
        if not in_project(where) and (where != "builtins" or not value.__flags__ & _MADE):
            return
        self.modules.add(where)
        yield from (self._digest(kind, f"class {value.__qualname__}") for kind in (*value.__bases__, type(value)))
        held = held and bool(codes_in(Path(getattr(module, "__file__", None) or ".")))
        for key, member in sorted(vars(value).items()) if not held else ():
            hidden = key == "_abc_impl" or isinstance(member, _DESCRIPTIONS)
            if isinstance(member, FunctionType) or not (key.startswith("__") or hidden):
                yield key
                yield self._digest(member, f"{value.__qualname__}.{key}")


def _is_plain(value: Any, depth: int = 5) -> bool:
    """Whether a value is a single one, or a tuple, list or dict of such."""
    if type(value) not in (tuple, list, dict):
        return type(value) in _SINGLE
    items = [*value, *value.values()] if type(value) is dict else value
    return depth > 0 and all(_is_plain(item, depth - 1) for item in items)


def _is(value: Any, library: ModuleType, name: str) -> bool:
    """Whether a value is of a class of a library, which may not be loaded."""
    return isinstance(value, getattr(library, name, ()))


def _module_of(kind: type) -> str:
    """Return the module of a class; some compiled ones do not say."""
    return kind.__module__ if isinstance(kind.__module__, str) else ""


def _found(module: ModuleType, name: str) -> Any:
    """Return what a module holds under a name, dots included."""
    value: Any = module
    for part in name.split("."):
        value = getattr(value, part, None)
    return value
