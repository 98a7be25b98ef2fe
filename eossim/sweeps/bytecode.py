"""Compiled code: a digest of what it does, and the names it uses."""

from __future__ import annotations

import dis
import hashlib
from types import CodeType
from typing import Any


def code_digest(code: CodeType) -> str:
    """Return a digest of what code does: comments, docstrings, layout and line numbers do not count."""
    return hashlib.sha256(repr(_code_parts(code)).encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _code_parts(code: CodeType) -> tuple[Any, ...]:
    loaded = {step.arg for step in dis.get_instructions(code) if step.opcode in dis.hasconst}
    constants = []
    for k, constant in enumerate(code.co_consts):
        if k not in loaded:  # docstrings
            constants.append("")
        elif isinstance(constant, CodeType):
            constants.append(repr(_code_parts(constant)))
        elif isinstance(constant, frozenset):
            constants.append(repr(sorted(map(repr, constant))))
        else:
            constants.append(repr(constant))
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return code.co_code, constants, names, code.co_argcount, code.co_kwonlyargcount, code.co_exceptiontable


def used_names(code: CodeType) -> tuple[list[str], list[str], list[tuple[str, int]]]:
    """Return the globals, attributes and modules that code names, nested functions included."""
    names, attributes, imports = [], [], []
    before: list[Any] = []
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.append(step.argval)
        elif step.opname in ("LOAD_ATTR", "LOAD_METHOD"):
            attributes.append(step.argval)
        elif step.opname == "IMPORT_NAME":
            imports.append((step.argval, before[-2]))  # the level lies below the names on the stack
        before.append(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            for own, inner in zip((names, attributes, imports), used_names(constant), strict=True):
                own.extend(inner)  # type: ignore[arg-type]
    return list(dict.fromkeys(names)), list(dict.fromkeys(attributes)), list(dict.fromkeys(imports))
