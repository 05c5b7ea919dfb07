"""The code that a packaged bundle answers with: the reading half of ``bundle``, copied under another name.

A package that depended on Modelwright would bring a web server, a database layer and the command line to
answer a row, and could meet another release of it. The copy needs NumPy, msgspec and ONNX Runtime only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.resources import files

ROOT = "modelwright"
READER = "modelwright.bundle.read"
_IMPORT = re.compile(r"^(\s*(?:from|import) )modelwright\b", re.MULTILINE)
_NOTE = "# Copied from Modelwright {release}, Apache License 2.0; see LICENSE.\n"


def sources(package: str, release: str) -> dict[str, str]:
    """Files of the copy, by path below ``core/``.

    Args:
        package: The package they become part of: ``titanic_model``.
        release: This release, noted in each.
    """
    found = {}
    for name in sorted(_closure(READER)):
        text = _IMPORT.sub(rf"\1{package}.core", _source(name))
        found[_path(name)] = _NOTE.format(release=release) + text
    said = f'"""What the bundle answers with."""\n\n__version__ = "{release}"\n'
    found["__init__.py"] = _NOTE.format(release=release) + said
    return found


def _closure(start: str) -> set[str]:
    """Every module of this package that ``start`` may import, itself and their packages included."""
    seen: set[str] = set()
    pending = [start]
    while pending:
        name = pending.pop()
        if name in seen or name == ROOT:
            continue
        seen.add(name)
        pending.append(name.rpartition(".")[0])
        pending.extend(_imported(_source(name)))
    return seen


def _imported(source: str) -> Iterator[str]:
    for node in _nodes(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith(f"{ROOT}."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == ROOT:
            module = node.module or ""
            yield module
            inner = (f"{module}.{alias.name}" for alias in node.names)
            yield from (name for name in inner if _is_module(name))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes that are run; what only a type checker reads is left out."""
    for child in ast.iter_child_nodes(node):
        test = child.test if isinstance(child, ast.If) else None
        if isinstance(test, ast.Name) and test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _nodes(child)


def _parts(name: str) -> list[str]:
    return name.split(".")[1:]


def _is_module(name: str) -> bool:
    place = files(ROOT).joinpath(*_parts(name))
    return place.is_dir() or files(ROOT).joinpath(*_parts(name)[:-1], f"{_parts(name)[-1]}.py").is_file()


def _path(name: str) -> str:
    inner = "/".join(_parts(name))
    return f"{inner}/__init__.py" if files(ROOT).joinpath(*_parts(name)).is_dir() else f"{inner}.py"


def _source(name: str) -> str:
    return files(ROOT).joinpath(*_path(name).split("/")).read_text(encoding="utf-8")
