"""Compiled code: a digest of what it does, the names it uses, and the code that a file holds."""

from __future__ import annotations

import dis
import functools
import hashlib
import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any


def code_digest(code: CodeType) -> str:
    """Return a digest of what code does: comments, docstrings, layout and line numbers do not count."""
    return hashlib.sha256(repr(_code_parts(code)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _code_parts(code: CodeType) -> tuple[Any, ...]:
    loaded = {step.arg for step in dis.get_instructions(code) if step.opcode in dis.hasconst}
    constants = [_constant(value) if k in loaded else "" for k, value in enumerate(code.co_consts)]  # no docstrings
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
    return code.co_code, constants, names, counts, code.co_exceptiontable


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _code_parts(value)
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _inner(code: CodeType) -> Iterator[CodeType]:
    """Yield code and all code inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _inner(constant)


def used_names(code: CodeType) -> list[str]:
    """Return the names of globals and attributes in code, that of inner functions included."""
    return list(dict.fromkeys(name for part in _inner(code) for name in part.co_names))


def imports_of(code: CodeType) -> Iterator[str]:
    """Yield the modules that code imports, and what it takes from them, which may be modules as well."""
    for part in _inner(code):
        module = ""
        for step in dis.get_instructions(part):
            if step.opname == "IMPORT_NAME":
                module = step.argval
                yield module
            elif step.opname == "IMPORT_FROM":
                yield f"{module}.{step.argval}"


def codes_in(path: Path) -> set[str]:
    """Return digests of all code in a file; none if it is no Python file."""
    if path.suffix != ".py" or not path.is_file():
        return set()
    return _compiled(path, path.stat().st_mtime_ns, path.read_bytes())


@functools.lru_cache(maxsize=256)
def _compiled(path: Path, _: int, content: bytes) -> set[str]:
    try:
        return {code_digest(part) for part in _inner(compile(content, path, "exec", dont_inherit=True))}
    except (SyntaxError, ValueError):
        return set()


def loaded_from(names: Mapping[str, Any], path: Path) -> Iterator[CodeType]:
    """Yield the code of functions and methods that were loaded from a file."""
    for value in list(names.values()):
        members = vars(value).values() if isinstance(value, type) and value.__module__ == names.get("__name__") else ()
        for member in (value, *members):
            code = getattr(
                inspect.unwrap(getattr(member, "__func__", member)) if callable(member) else None, "__code__", None
            )
            if isinstance(code, CodeType) and Path(code.co_filename).name == path.name:
                yield code
