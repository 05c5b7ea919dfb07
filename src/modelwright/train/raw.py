"""A project's rows as they are modelled: read, put through ``build``, and through ``derive``."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from modelwright.bundle.derive import Derive, DeriveInvalid, serving_source
from modelwright.bundle.lookup import NUMBERS, STRINGS
from modelwright.data.arrays import ColumnArrays, column_arrays, is_filled
from modelwright.data.columnar import canonical
from modelwright.data.infer import Inferred, infer_schema
from modelwright.data.pictures import absent_images, with_pictures
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.project.model import Data, Feature, Online
from modelwright.schema.columns import Kind, TableSchema
from modelwright.train.parts import Part

_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class BuildFailed(ModelwrightError):
    """The project's ``build`` function cannot be used."""

    code = ExitCode.PROJECT


class Rows(Mapping[str, np.ndarray]):
    """Some rows of column arrays, a column picked when it is asked for, so that never all lie twice."""

    def __init__(self, columns: Mapping[str, np.ndarray], rows: np.ndarray) -> None:
        self._columns = columns
        self._rows = rows

    def __getitem__(self, name: str) -> np.ndarray:
        return np.asarray(self._columns[name][self._rows])

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def kept(self) -> ColumnArrays:
        """All of it at once."""
        return {name: self[name] for name in self}


@dataclass(frozen=True)
class Modelled:
    """One part's rows.

    Attributes:
        table: As read and built; rows without a target left out.
        inferred: What its columns are.
        inputs: The columns a client sends.
        features: The columns the model sees: the same, unless there is a ``derive`` or some are looked up.
        columns: The features' arrays; cells of image columns are ``bundle.pictures.Picture`` s.
        places: Where each row stood before those without a target were left out.
        pictures: The image columns of ``inputs``.
        warnings: What was found wrong with images, sentences.
        looked_up: The features that are looked up when a request comes.
    """

    table: pa.Table
    inferred: Inferred
    inputs: TableSchema
    features: TableSchema
    columns: ColumnArrays
    places: np.ndarray
    pictures: ColumnArrays = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    looked_up: tuple[str, ...] = ()


def built(table: pa.Table, features_path: Path | None, model: str = "") -> pa.Table:
    """The table that the project's ``build(raw)`` makes of a table, or the table itself.

    ``build`` gets and gives a pandas DataFrame; an Arrow table is accepted too. Written with a second
    parameter, ``build(raw, model)``, it is told which of the project's models the rows are for.

    Raises:
        BuildFailed: The function raised, or gave something else.
    """
    function = project_function(features_path, "build")
    if function is None:
        return table
    extra = (model,) if len(inspect.signature(function).parameters) > 1 else ()
    return as_table(call_project("build", function, table.to_pandas(), *extra), "build")


def call_project(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of the project gives.

    Raises:
        BuildFailed: It raised.
    """
    try:
        return function(*arguments)
    # The project's own code may raise anything.
    except Exception as error:
        raise BuildFailed(
            f"{name} in features.py failed: {type(error).__name__}: {error}.", "Correct it and try again."
        ) from error


def as_table(made: Any, name: str) -> pa.Table:
    """What a function of the project gave, as a table.

    Raises:
        BuildFailed: It is none, or has no rows.
    """
    import pandas as pd

    if isinstance(made, pd.DataFrame):
        made = pa.Table.from_pandas(made, preserve_index=False)
    if not isinstance(made, pa.Table) or not made.num_rows:
        raise BuildFailed(
            f"{name} in features.py gave {'no rows' if isinstance(made, pa.Table) else type(made).__name__}.",
            "It must return a pandas DataFrame or an Arrow table with rows.",
        )
    return canonical(made)


def project_function(path: Path | None, name: str) -> Callable[..., Any] | None:
    """A function of the project's ``features.py``; ``None`` if it has none of that name.

    Raises:
        BuildFailed: The file cannot be loaded.
    """
    wanted = re.compile(rf"^def {name}\b", re.MULTILINE)
    if path is None or not wanted.search(path.read_text(encoding="utf-8")):
        return None
    spec = importlib.util.spec_from_file_location("modelwright_project_features", path)
    assert spec is not None and spec.loader is not None  # noqa: S101 - a .py file always has both
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    # The project's own code may raise anything.
    except Exception as error:
        raise BuildFailed(
            f"features.py cannot be loaded: {type(error).__name__}: {error}.", "Correct it and try again."
        ) from error
    finally:
        sys.dont_write_bytecode = written
    found = getattr(module, name, None)
    return found if callable(found) else None


def derive_source(path: Path | None) -> str | None:
    """The part of ``features.py`` that serving runs, if there is one."""
    return None if path is None else serving_source(path.read_text(encoding="utf-8"))


def modelled(
    table: pa.Table, part: Part, source: str | None, *, image_folders: Sequence[Path] = ()
) -> Modelled:
    """One part's rows out of the project's table.

    Args:
        table: As read and built.
        part: Which model.
        source: What ``derive_source`` gave.
        image_folders: Where relative paths of image files start.

    Raises:
        PicturesAbsent: Most files of an image column cannot be read.
        ColumnMissing: The project names a column that is not there.
        BuildFailed: It looks features up and derives others, which do not go together.
        DeriveInvalid: ``derive`` does not give a table.
        DeriveFault: It fails on a row.
    """
    places = np.arange(table.num_rows)
    if part.data.target is not None and part.data.target in table.column_names:
        known = np.flatnonzero(is_filled(table.column(part.data.target)))
        if 0 < len(known) < table.num_rows:
            table, places = table.take(known), known
    if part.online is not None:
        return looked_up(table, places, part, part.online, derived=source is not None)
    if source is None:
        inferred, left_out = _without_absent_images(table, part, image_folders)
        schema = inferred.schema
        pictured = with_pictures(column_arrays(table, schema), schema, image_folders)
        warnings = (*left_out, *pictured.warnings)
        return Modelled(
            table, inferred, schema, schema, pictured.columns, places, pictured.pictures, warnings
        )
    inferred = _inferred_inputs(table, part)
    pictured = with_pictures(column_arrays(table, inferred.schema), inferred.schema, image_folders)
    columns = pictured.columns
    derive = Derive(source)
    rows = derive.rows(columns, inferred.schema, _latest_time(columns))
    names = list(dict.fromkeys(name for row in rows for name in row))
    try:
        derived = canonical(pa.table({name: [row.get(name) for row in rows] for name in names}))
    except pa.ArrowException as error:
        raise DeriveInvalid(
            f"derive gives values of different types in one column: {error}.",
            "Let each column hold numbers, or texts, or true and false, or times.",
        ) from error
    declared = {name: Feature(kind=Kind.IMAGE) for name in pictured.pictures if name in names}
    declared |= {name: feature for name, feature in part.features.items() if name in names}
    features = infer_schema(derived, Data(source=""), declared, part.task).schema
    arrays = _with_pictures_again(column_arrays(derived, features), features, pictured.pictures)
    return Modelled(
        table,
        inferred,
        inferred.schema,
        features,
        arrays,
        places,
        pictured.pictures,
        pictured.warnings,
    )


def _without_absent_images(
    table: pa.Table, part: Part, folders: Sequence[Path]
) -> tuple[Inferred, tuple[str, ...]]:
    """The schema without columns that only look like images, none of which is there; and warnings of them.

    A column that the project declares as images stays, and its absent files are an error later.
    """
    inferred = infer_schema(table, part.data, part.features, part.task)
    images = [column for column in inferred.schema if column.kind is Kind.IMAGE]
    guessed = [column for column in images if part.features.get(column.name, Feature()).kind is None]
    absent = absent_images(column_arrays(table, guessed), TableSchema(columns=tuple(guessed)), folders)
    if not absent:
        return inferred, ()
    data = part.data.model_copy(update={"drop": [*part.data.drop, *absent]})
    kept = {name: feature for name, feature in part.features.items() if name not in absent}
    warnings = tuple(
        f"Column {name!r} names image files, none of which is here: it is left out." for name in absent
    )
    return infer_schema(table, data, kept, part.task), warnings


def _with_pictures_again(arrays: ColumnArrays, schema: TableSchema, pictures: ColumnArrays) -> ColumnArrays:
    """What ``derive`` gave through as pictures went through a table of strings; their names find them."""
    known = {cell: cell for values in pictures.values() for cell in values.tolist()}
    for column in schema:
        if column.kind is Kind.IMAGE:
            names = arrays[column.name].tolist()
            arrays[column.name] = np.array([known.get(name, "") for name in names], dtype=object)
    return arrays


def looked_up(table: pa.Table, places: np.ndarray, part: Part, online: Online, *, derived: bool) -> Modelled:
    """One part's rows where a request gives some of the columns only, and a key to find the others by."""
    if derived:
        raise BuildFailed(
            "features.py has derive, and the project looks features up (online): these do not go together.",
            "Let build and online in features.py make the columns that derive makes.",
        )
    key = Feature(kind=Kind.TEXT, nullable=True)
    declared = {name: feature for name, feature in part.features.items() if name in table.column_names}
    if online.key in table.column_names:
        declared[online.key] = declared.get(online.key, key).model_copy(
            update={"kind": Kind.TEXT, "nullable": True}
        )
    inferred = infer_schema(table, part.data, declared, part.task)
    schema = inferred.schema
    inputs = tuple(column for column in schema if column.name in online.sent)
    more = tuple(column.name for column in schema if column.name not in online.sent)
    features = tuple(
        msgspec.structs.replace(column, nullable=True) if column.name in more else column
        for column in schema
        if column.name != online.key
    )
    for column in features:
        if column.name in more and column.kind not in NUMBERS | STRINGS:
            raise BuildFailed(
                f"The column '{column.name}' is to be looked up and holds {column.kind.value} values.",
                "Numbers, true and false, and categories can be; name others under online.sent or drop them.",
            )
    seen = msgspec.structs.replace(schema, columns=features)
    return Modelled(
        table,
        inferred,
        msgspec.structs.replace(schema, columns=inputs, ignored=(*schema.ignored, *more)),
        seen,
        column_arrays(table, seen),
        places,
        looked_up=more,
    )


def _inferred_inputs(table: pa.Table, part: Part) -> Inferred:
    """The schema of what ``derive`` is given: also columns that would be no feature by themselves."""
    present = {name: feature for name, feature in part.features.items() if name in table.column_names}
    first = infer_schema(table, part.data, present, part.task)
    useful = [item.name for item in first.ignored if item.reason in ("identifier", "constant")]
    as_text = {name: Feature(kind=Kind.TEXT) for name in useful}
    return infer_schema(table, part.data, {**as_text, **present}, part.task)


def _latest_time(columns: ColumnArrays) -> datetime:
    """What ``derive`` is told is now: the latest time the data knows, so that training is repeatable."""
    times = [values[~np.isnat(values)].max() for values in columns.values() if _has_times(values)]
    if not times:
        return _NO_TIME
    latest: datetime = max(times).astype("datetime64[us]").item()
    return latest.replace(tzinfo=UTC)


def _has_times(values: np.ndarray) -> bool:
    return values.dtype.kind == "M" and not bool(np.isnat(values).all())
