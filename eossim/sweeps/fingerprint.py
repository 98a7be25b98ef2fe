"""What a function is, so that a store can tell whether its cells still belong to it.

Counted are the code of the function and of all code of the same project that it reaches, default and closure values,
bound constants, global values, and the versions of eossim and Python. Code is compared as compiled: comments and layout
do not count. Installed libraries do not count, except eossim.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from .._check import _short
from .bytecode import code_digest, used_names
from .experiment import Experiment
from .origin import home, in_project, is_installed, versions

#: Text of a value that is shown as it is; longer ones are shown by a digest.
_SHOWN = 60


def identity(function: Callable[..., Any]) -> dict[str, str]:
    """Return what tells a function from others, part by part, each as a short text.

    Raises:
        TypeError: If it depends on something whose contents cannot be read, such as an open file.
    """
    walk = _Walk(function)
    walk.callable("function", function)
    return {**versions(function), **walk.parts}


def project_modules(function: Callable[..., Any]) -> set[str]:
    """Return the modules, not installed ones, whose code the function reaches."""
    walk = _Walk(function)
    with contextlib.suppress(TypeError):  # what has been seen until then
        walk.callable("function", function)
    return walk.modules


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
        elif part.startswith("code of"):
            lines.append(f"{part}: changed")
        else:
            lines.append(f"{part}: {here}, the store has {there}")
    return lines


class _Walk:
    """Collect the parts of a function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.parts: dict[str, str] = {}
        self.modules: set[str] = set()
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._root = home(function)

    def note(self, part: str, text: str) -> None:
        while self.parts.get(part, text) != text:  # two closures of one function
            part += "'"
        self.parts[part] = text

    def callable(self, part: str, function: Any) -> None:
        """Note a function under `part` by its name, and all that belongs to it."""
        if isinstance(function, functools.partial):
            self.callable(part, function.func)
            for k, value in enumerate(function.args):
                self.value(f"constant {k}", value)
            for name, value in sorted(function.keywords.items()):
                self.value(f"constant {name}", value)
            return
        if isinstance(function, Experiment):
            self.note(part, function.label)
            return
        self.value(part, function)

    def value(self, part: str, value: Any) -> None:
        """Note a value: in full if it is short, else by its digest."""
        digest = self.digest(value, part)
        if value is None or isinstance(value, bool | int | float | str | bytes | tuple | list | dict | np.generic):
            text = repr(value)
            if len(text) <= _SHOWN:
                self.note(part, text)
                return
        self.note(part, self._qualified(value) if _is_code(value) else f"{type(value).__name__} {digest[:12]}")

    def digest(self, value: Any, part: str) -> str:
        sha = hashlib.sha256()
        if id(value) in self._open:  # it contains itself
            return "…"
        self._open.add(id(value))
        try:
            for chunk in self._chunks(value, part):
                sha.update(f"{len(chunk)}:".encode() + chunk)
        finally:
            self._open.discard(id(value))
        return sha.hexdigest()

    def _chunks(self, value: Any, part: str) -> Iterator[bytes]:
        """Yield the contents of a value as bytes."""
        inner = functools.partial(self.digest, part=part)
        kind = type(value)
        if value is None or kind in (bool, int, float, complex, str, bytes) or isinstance(value, np.generic | np.dtype):
            yield f"{kind.__name__} {value!r}".encode("utf-8", "surrogatepass")
        elif kind is np.ndarray and not value.dtype.hasobject:
            yield f"{value.dtype.str} {value.shape}".encode()
            yield np.ascontiguousarray(value).tobytes()
        elif kind in (tuple, list):
            yield kind.__name__.encode()
            yield from (inner(item).encode() for item in value)
        elif kind is dict:
            yield b"dict"
            yield from (inner(pair).encode() for pair in value.items())
        elif kind in (set, frozenset):
            yield b"set"
            yield from sorted(inner(item).encode() for item in value)
        elif isinstance(value, functools.partial):
            yield b"partial"
            yield inner((value.func, value.args, dict(sorted(value.keywords.items())))).encode()
        elif isinstance(value, MethodType):
            yield inner((value.__func__, value.__self__)).encode()
        elif _is_code(value):
            self._code(value)
            yield self._qualified(value).encode()
        elif isinstance(value, ModuleType):
            yield value.__name__.encode()
        else:
            yield from self._object(value, part)

    def _object(self, value: Any, part: str) -> Iterator[bytes]:
        """Yield the class and the state of an object."""
        original = getattr(value, "py_func", None) or getattr(value, "__wrapped__", None)
        if isinstance(original, FunctionType):  # compiled or cached: the function inside
            yield self.digest(original, part).encode()
            return
        self._code(type(value))
        yield self._qualified(type(value)).encode()
        xarray: Any = sys.modules.get("xarray")
        if xarray is not None and isinstance(value, xarray.Dataset | xarray.DataArray):
            yield self.digest(value.to_dict(), part).encode()
            return
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise TypeError(
                f"{part} holds {_short(value)} of type {type(value).__name__}, whose contents cannot be read: a store "
                f"cannot tell whether it changes ({error}). Make it inside the function, or sweep without a store"
            ) from error
        if isinstance(reduced, str):
            yield reduced.encode()
            return
        make, arguments, state, *items = (*reduced, None, None, None)[:5]
        if isinstance(state, dict):  # what is computed on first use is no part of what the object is
            state = {
                name: item
                for name, item in state.items()
                if not isinstance(inspect.getattr_static(type(value), name, None), functools.cached_property)
            }
        yield self.digest(
            (make, arguments, state, *(None if part is None else list(part) for part in items)), part
        ).encode()

    def _qualified(self, value: Any) -> str:
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
        module = getattr(value, "__module__", None)
        return str(name) if module in (self._root, None) else f"{module}.{name}"

    def _code(self, value: Any) -> None:
        """Note the code of a function or class of the project, and go on to what it uses."""
        if id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, type):
            self._class(value)
        elif isinstance(value, FunctionType):
            self._function(value)

    def _class(self, value: type) -> None:
        if not in_project(value.__module__):
            return
        self.modules.add(value.__module__)
        for base in value.__bases__:
            self._code(base)
        name = self._qualified(value)
        for key, member in sorted(vars(value).items()):
            if isinstance(member, staticmethod | classmethod):
                member = member.__func__
            elif isinstance(member, property):
                for accessor in (member.fget, member.fset):
                    self._code(accessor)
                continue
            elif isinstance(member, functools.cached_property):
                member = member.func
            if isinstance(member, FunctionType | type):
                self._code(member)
            elif not key.startswith("__") and _is_plain(member):
                self.value(f"{name}.{key}", member)

    def _function(self, function: FunctionType) -> None:
        where = function.__globals__.get("__name__", "")  # a wrapper has the names of what it wraps
        inside = function.__code__.co_qualname
        name = inside if where == self._root else f"{where}.{inside}"
        original = getattr(function, "__wrapped__", None)
        if original is not None:
            self._code(original)
        if not in_project(where):  # a library's wrapper around a function of the project
            for cell in function.__closure__ or ():
                if isinstance(_contents(cell), FunctionType):
                    self._code(_contents(cell))
            return
        self.modules.add(where)
        self.note(f"code of {name}", code_digest(function.__code__))
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        for parameter, value in zip(parameters[len(parameters) - len(defaults) :], defaults, strict=True):
            self.value(f"default {name}({parameter})", value)
        for parameter, value in (function.__kwdefaults__ or {}).items():
            self.value(f"default {name}({parameter})", value)
        for variable, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if _contents(cell) is not cell:
                self.value(f"closure value {name}({variable})", _contents(cell))
        self._globals(function)

    def _globals(self, function: FunctionType) -> None:
        names, attributes, imports = used_names(function.__code__)
        for name in names:
            if name not in function.__globals__:
                continue
            value = function.__globals__[name]
            if isinstance(value, ModuleType):
                if in_project(value.__name__):
                    self.modules.add(value.__name__)
                    for attribute in attributes:
                        if attribute in vars(value) and not isinstance(vars(value)[attribute], ModuleType):
                            self.value(f"global {value.__name__}.{attribute}", vars(value)[attribute])
            else:
                self.value(f"global {name}", value)
        for name, level in imports:
            package = function.__globals__.get("__package__")
            self._imported("." * level + name, package if level else None)

    def _imported(self, name: str, package: str | None) -> None:
        """Note a module of the project that is imported inside a function, as a whole file."""
        try:
            spec = importlib.util.find_spec(name, package)
        except (ImportError, ValueError, AttributeError):
            return
        if spec is not None and spec.origin and spec.name.partition(".")[0] != "eossim":
            path = Path(spec.origin)
            if path.suffix == ".py" and path.is_file() and not is_installed(path):
                self.modules.add(spec.name)
                self.note(f"code of {spec.name}", hashlib.sha256(path.read_bytes()).hexdigest()[:12])


def _is_code(value: Any) -> bool:
    return isinstance(value, FunctionType | BuiltinFunctionType | type | np.ufunc)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(
        value, bool | int | float | complex | str | bytes | tuple | list | dict | np.ndarray
    )


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet bound
        return cell
