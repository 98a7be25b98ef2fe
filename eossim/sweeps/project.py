"""The source files of the user's project that a module imports, directly or through others."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from .origin import is_installed

_LIBRARIES = {"eossim", "builtins", *sys.stdlib_module_names}


def project_files(modules: Iterable[str]) -> dict[str, Path]:
    """Return the files of modules and of all that they import, by module; libraries and eossim are left out.

    Every import statement counts, wherever it stands and whether or not it is reached.
    """
    files: dict[str, Path] = {}
    seen, todo = set(), list(modules)
    while todo:
        name = todo.pop()
        if name in seen or not in_project(name):
            continue
        seen.add(name)
        todo.append(name.rpartition(".")[0])
        path, inside = _locate(name)
        if path is None or not path.is_file() or is_installed(path):
            continue
        files[name] = path
        module = getattr(sys.modules.get(name), "__package__", None)
        todo += _imports(path, module if module is not None else name if inside else name.rpartition(".")[0])
    return files


def in_project(module: str) -> bool:
    """Whether a module is the user's own: not eossim, not installed."""
    top = module.partition(".")[0]
    if top == "__main__":
        return True
    if not top or top in _LIBRARIES:
        return False
    path, inside = _locate(top)
    return not any(is_installed(Path(place)) for place in ([path] if path else inside))


def shown(module: str, path: Path) -> str:
    """Return a file in the words of imports, ``package/part.py``: the same in a script and an import of it."""
    if module == "__main__":
        module = getattr(getattr(sys.modules["__main__"], "__spec__", None), "name", None) or path.stem
        module = module.removesuffix(".__main__") + "/__main__" if path.stem == "__main__" else module
    inside = "/__init__" if path.stem == "__init__" else ""
    return module.replace(".", "/") + inside + path.suffix


def file_digest(path: Path) -> str:
    """Return a digest of a file: of its syntax, so that comments, docstrings and layout do not count."""
    content = path.read_bytes()
    tree = _parsed(path)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                del node.body[0]
    return hashlib.sha256(ast.dump(tree).encode("utf-8", "backslashreplace") if tree else content).hexdigest()[:12]


def constants(path: Path) -> dict[str, Any]:
    """Return the literal values of a file: ``NAME = 3`` at its top, where nothing else there gives NAME a value."""
    tree = _parsed(path)
    found: dict[str, Any] = {}
    if tree is None:
        return found
    names = [node.id for node in _top(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)]
    names += [name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names]
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name) and names.count(target.id) == 1:
                    with contextlib.suppress(ValueError, TypeError):  # not literal
                        found[target.id] = ast.literal_eval(node.value)
    return found


def _top(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands outside functions and classes."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from _top(child)


def _locate(name: str) -> tuple[Path | None, list[str]]:
    """Return the file of a module, and the folders of a package, without importing it."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return Path(file) if file else None, list(getattr(module, "__path__", ()))
    parent = name.rpartition(".")[0]
    try:
        spec = PathFinder.find_spec(name, _locate(parent)[1]) if parent else importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        return None, []
    return Path(spec.origin) if spec.has_location and spec.origin else None, list(spec.submodule_search_locations or ())


def _imports(path: Path, package: str) -> Iterator[str]:
    """Yield the names of all modules that a file may import; some are names in modules."""
    tree = _parsed(path)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)  # the module itself is the part before
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    dots = "." * (len(argument.value) - len(argument.value.lstrip(".")))
                    yield importlib.util.resolve_name(argument.value, package) if dots and package else argument.value


def _parsed(path: Path) -> ast.Module | None:
    """Return the syntax of a Python file; None of compiled modules, and of what is not read."""
    try:
        return ast.parse(path.read_bytes()) if path.suffix == ".py" else None
    except (SyntaxError, ValueError):
        return None
