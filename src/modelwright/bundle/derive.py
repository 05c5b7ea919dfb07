"""The project's own ``derive(row, now) -> row``: the only place where serving runs a project's code.

Training and serving run the same source; the bundle holds it with its hash, and a reader checks the
hash before it runs.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np

from modelwright.bundle.encode import ColumnArrays
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.schema.columns import Kind, TableSchema

_FUNCTION = "derive"
_ALLOWED = frozenset(sys.stdlib_module_names) | {"numpy"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Row = dict[str, Any]


class DeriveInvalid(ModelwrightError):
    """The project's ``derive`` cannot be used at all."""

    code = ExitCode.PROJECT


class DeriveFault(ModelwrightError):
    """``derive`` failed on one row."""

    code = ExitCode.DATA


class Derive:
    """A project's row function, compiled from its source.

    Constructing it runs the source: only do so with a source that was checked.
    """

    def __init__(self, source: str) -> None:
        namespace: dict[str, Any] = {"__name__": "modelwright_project_derive"}
        try:
            # The project's own code, hashed and checked: running it is this class's purpose.
            exec(compile(source, "derive.py", "exec", dont_inherit=True), namespace)  # noqa: S102
        # Whatever a project's module raises while it is loaded is the same mistake to its author.
        except Exception as error:
            raise DeriveInvalid(
                f"The project's derive function cannot be loaded: {type(error).__name__}: {error}.",
                "Correct features.py; it may use the standard library and numpy.",
            ) from error
        function = namespace.get(_FUNCTION)
        if not callable(function):
            raise DeriveInvalid(
                "features.py has no function derive(row, now).",
                "Define it, or leave the file without it.",
            )
        self.source = source
        self._function: Callable[[Row, datetime], Any] = function

    def __call__(self, row: Row, now: datetime) -> Row:
        """The derived row.

        Args:
            row: Values by column name: ``float``, ``int``, ``bool``, ``str``, aware ``datetime``, or
                ``None`` where missing.
            now: The moment of the request (in training, the moment of the training).

        Raises:
            DeriveFault: The function failed, or gave something else than a row.
        """
        try:
            derived = self._function(dict(row), now)
        # A project's function may raise anything; one row's failure must not end the others.
        except Exception as error:
            raise DeriveFault(f"derive failed on this row: {type(error).__name__}: {error}") from error
        if not isinstance(derived, dict):
            raise DeriveFault(f"derive gave a value of type {type(derived).__name__} instead of a row")
        return derived

    def rows(self, columns: ColumnArrays, schema: TableSchema, now: datetime) -> list[Row]:
        """Derive every row of a training table; the same function as in serving.

        Raises:
            DeriveFault: Naming the first row that fails.
        """
        derived = []
        for position, row in enumerate(python_rows(columns, schema)):
            try:
                derived.append(self(row, now))
            except DeriveFault as fault:
                raise DeriveFault(
                    f"Row {position}: {fault.reason}.", "Correct derive in features.py."
                ) from fault.__cause__
        return derived


def python_rows(columns: ColumnArrays, schema: TableSchema) -> Iterator[Row]:
    """Column arrays as rows of plain Python values, as ``derive`` takes them."""
    names = schema.names
    parts = [_python_values(columns[column.name], column.kind) for column in schema]
    if not parts:
        return
    for values in zip(*parts, strict=True):
        yield dict(zip(names, values, strict=True))


def _python_values(values: np.ndarray, kind: Kind) -> list[Any]:
    if kind is Kind.DATETIME:
        return [
            None if value is None else value.replace(tzinfo=UTC)
            for value in values.astype("datetime64[us]").tolist()
        ]
    if kind in {Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN}:
        convert = {Kind.NUMERIC: float, Kind.INTEGER: int, Kind.BOOLEAN: bool}[kind]
        return [None if value != value else convert(value) for value in values.tolist()]  # noqa: PLR0124
    return [value or None for value in values.tolist()]


def serving_source(source: str) -> str | None:
    """The part of ``features.py`` that ``derive`` needs: itself, its helpers, constants and imports.

    The rest (``build`` and what only it imports) stays behind, so that serving does not need it.

    Returns:
        The source for the bundle; ``None`` if there is no ``derive``.

    Raises:
        DeriveInvalid: The file has a syntax error, or ``derive`` needs a package that serving does
            not have.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        raise DeriveInvalid(f"features.py cannot be read: {error}.", "Correct the file.") from error
    binders: dict[str, list[ast.stmt]] = {}
    for statement in module.body:
        for name in _bound_names(statement):
            binders.setdefault(name, []).append(statement)
    if _FUNCTION not in binders:
        return None
    needed: set[ast.stmt] = {node for node in module.body if _is_future_import(node)}
    waiting = [_FUNCTION]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for statement in binders.get(name, ()):
            needed.add(statement)
            waiting.extend(_used_names(statement))
    _check_imports(needed)
    lines = source.splitlines(keepends=True)
    return "\n".join(_lines_of(node, lines) for node in module.body if node in needed)


def _bound_names(statement: ast.stmt) -> set[str]:
    """Names a top-level statement gives a meaning to."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).split(".")[0] for alias in statement.names}
    return {
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {
        name
        for node in ast.iter_child_nodes(statement)
        if isinstance(node, ast.stmt)
        for name in _bound_names(node)
    }


def _used_names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _is_future_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _check_imports(statements: set[ast.stmt]) -> None:
    for statement in sorted(statements, key=lambda node: node.lineno):
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = ["." if node.level else str(node.module)]
            else:
                continue
            for name in names:
                if name.split(".")[0] not in _ALLOWED:
                    raise DeriveInvalid(
                        f"features.py line {node.lineno}: derive uses '{name}', which serving does not have.",
                        "derive may use the standard library and numpy; heavier work belongs in build.",
                    )


def _lines_of(node: ast.stmt, lines: list[str]) -> str:
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return "".join(lines[first - 1 : node.end_lineno])
