"""Reading a bundle: read, check, and only then construct.

Every file is read once and hashed; the bytes that were checked are the bytes that are used. Nothing
of the project's is executed and no ONNX session is made before the last check has passed. The
checks find damage and mistakes; they are no defence against somebody who can write the whole folder.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from modelwright.bundle import format as layout
from modelwright.bundle.answers import Answer, Answerer
from modelwright.bundle.background import Backgrounds, arrays
from modelwright.bundle.derive import Derive
from modelwright.bundle.encode import ColumnArrays, Encoder
from modelwright.bundle.format import BundleSchema, Manifest, ModelEntry
from modelwright.bundle.integrity import NO_SEAL, content_hash, seal_of, sha256
from modelwright.bundle.pictures import blank
from modelwright.bundle.rows import RowReader
from modelwright.bundle.session import GraphRunner
from modelwright.errors import ExitCode, ModelwrightError
from modelwright.schema.columns import Column, Kind

References = tuple[np.ndarray, np.ndarray]
"""Encoded rows: numbers float32 [rows, k] and strings [rows, m]."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}")
_MANIFEST_LIMIT = 64 * 1024 * 1024
_BATCH = 256
_COMPILED = "__pycache__"
_REQUIRED = (layout.SCHEMA, layout.ENCODING, layout.REFERENCE)
_RESTORE = "Restore it from where it was made, or train and register a new version."
_TOO_LARGE = "needs more memory than there is."
_SMALLER = "Give the process more memory, or train a smaller model (for a forest: limit max_depth)."


class BundleInvalid(ModelwrightError):
    """A bundle is missing, damaged, incomplete or of another format."""

    code = ExitCode.BUNDLE


class RowsRefused(ModelwrightError):
    """Rows do not fit the bundle's schema."""

    code = ExitCode.DATA


class _FormatOnly(msgspec.Struct):
    format: int


class _Encoding(msgspec.Struct):
    models: dict[str, Encoder]


class LoadedModel:
    """One model, ready to answer.

    Attributes:
        entry: What the manifest says of it.
        encoder: Column arrays to the graph's inputs (``transform_dense``).
        answers: Output arrays to ``Answer``\\ s.
    """

    def __init__(self, entry: ModelEntry, encoder: Encoder, graph: bytes, *, threads: int) -> None:
        self.entry = entry
        self.encoder = encoder
        self.runner = GraphRunner(graph, threads=threads)
        self.answers = Answerer(entry)
        self.run = self.runner.run

    def answer(self, columns: ColumnArrays) -> list[Answer]:
        """One answer a row of ``columns``."""
        return self.answers(self.run(*self.encoder.transform_dense(columns)))


class Bundle:
    """An opened bundle.

    Attributes:
        manifest: What it says of itself.
        schema: What a client sends, and what the models see.
        models: Its models, the first one first.
        rows: The reader of clients' rows.
        example: A request that works and its answer; ``None`` if the bundle has none.
    """

    def __init__(self, path: Path, manifest: Manifest, files: dict[str, bytes], *, threads: int) -> None:
        self.path = path
        self.manifest = manifest
        self.schema = _decode(files, layout.SCHEMA, BundleSchema)
        encoders = _decode(files, layout.ENCODING, _Encoding).models
        self.example: Any = _decode(files, layout.EXAMPLE, Any) if layout.EXAMPLE in files else None
        self.reference: bytes = files[layout.REFERENCE]
        source = files.get(layout.DERIVE)
        derive = None if source is None else Derive(_text(source))
        self.rows = RowReader(self.schema, derive)
        self.models = [_load_model(entry, encoders, files, threads=threads) for entry in manifest.models]
        self._background = files.get(layout.BACKGROUND)
        self._references: dict[str, References] = {}

    def answer(self, columns: ColumnArrays) -> dict[str, list[Answer]]:
        """Every model's answers for the rows of ``columns``, by model name."""
        return {model.entry.name: model.answer(columns) for model in self.models}

    def background(self, model: str) -> ColumnArrays | None:
        """The reference rows of ``model``; ``None`` in a bundle that was written without."""
        if self._background is None:
            return None
        found = _decode({layout.BACKGROUND: self._background}, layout.BACKGROUND, Backgrounds)
        told = found.models.get(model) or found.pictured.get(model)
        return arrays(told) if told else None

    def references(self, model: LoadedModel) -> References | None:
        """The reference rows of ``model``, encoded once: with an encoder of sentences that takes seconds."""
        name = model.entry.name
        if name not in self._references:
            rows = self.background(name)
            if rows is None:
                return None
            self._references[name] = model.encoder.transform_dense(
                {each: rows[each] for each in model.encoder.names}
            )
        return self._references[name]

    def predict_rows(self, rows: Sequence[Any]) -> list[dict[str, Answer]]:
        """Read and answer rows as clients send them; one answer a model for each row.

        Raises:
            RowsRefused: A row does not fit the schema; every error is a line of its details.
        """
        reading = self.rows.read(rows)
        if reading.errors:
            raise RowsRefused(
                f"{len(reading.refused)} of {len(rows)} rows cannot be answered.",
                "Correct them and send them again.",
                details=[
                    f"row {error.row}: {' '.join(map(str, error.loc[1:]))}: {error.msg}"
                    for error in reading.errors
                ],
            )
        return [
            answers for part in _slices(len(rows)) for answers in self._answer_part(reading.columns, part)
        ]

    def _answer_part(self, columns: ColumnArrays, part: slice) -> Iterator[dict[str, Answer]]:
        answered = self.answer({name: values[part] for name, values in columns.items()})
        names = list(answered)
        for answers in zip(*answered.values(), strict=True):
            yield dict(zip(names, answers, strict=True))

    def warm_up(self, runs: int = 3) -> None:
        """Answer a made-up row, alone and in a batch, so that the first request pays for nothing.

        Raises:
            BundleInvalid: A model cannot answer at all, or not in the memory there is.
            MissingExtra: Its rows need a library that is not installed.
        """
        try:
            for _ in range(runs):
                columns = {column.name: _plausible(column) for column in self.schema.features}
                self.answer(columns)
                self.answer({name: np.repeat(values, 8) for name, values in columns.items()})
        except ModelwrightError:
            raise
        except MemoryError as error:
            raise BundleInvalid(f"The bundle at {self.path} {_TOO_LARGE}", _SMALLER) from error
        # ONNX Runtime raises classes of its own making; whichever it is, this bundle cannot serve.
        except Exception as error:
            raise BundleInvalid(
                f"The bundle at {self.path} verifies but cannot answer: {error}.", _RESTORE
            ) from error


@dataclass(frozen=True)
class Description:
    """A bundle's words without its models: enough to read rows and to compare them with training.

    Attributes:
        manifest: What it says of itself.
        schema: What a client sends, and what the models see.
        rows: The reader of rows as the prediction log keeps them.
        reference: Its profile of the training data, as bytes of JSON.
    """

    manifest: Manifest
    schema: BundleSchema
    rows: RowReader
    reference: bytes


def describe(path: Path | str) -> Description:
    """Check a bundle and read what it says; no graph is loaded.

    Raises:
        BundleInvalid: As ``verify``.
    """
    manifest, files = _read_checked(Path(path))
    schema = _decode(files, layout.SCHEMA, BundleSchema)
    source = files.get(layout.DERIVE)
    rows = RowReader(schema, None if source is None else Derive(_text(source)), logged=True)
    return Description(manifest, schema, rows, files[layout.REFERENCE])


def verify(path: Path | str) -> Manifest:
    """Check a bundle from its first byte to its last; nothing is executed or constructed.

    Raises:
        BundleInvalid: Naming the file that is damaged, missing, unlisted or not a plain file, or the
            format that this version cannot read.
    """
    return _read_checked(Path(path))[0]


def open_bundle(path: Path | str, *, threads: int = 1) -> Bundle:
    """Check a bundle and make it ready to answer.

    Args:
        path: The bundle's folder.
        threads: Threads ONNX Runtime may use for one request.

    Raises:
        BundleInvalid: As ``verify``, or a graph that ONNX Runtime cannot load.
    """
    place = Path(path)
    manifest, files = _read_checked(place)
    return Bundle(place, manifest, files, threads=threads)


def _read_checked(folder: Path) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and every other file's checked bytes."""
    names = _list_files(folder)
    if layout.MANIFEST not in names:
        raise BundleInvalid(f"{folder} is not a bundle: it has no {layout.MANIFEST}.", _point_to(folder))
    manifest = _read_manifest(_read_file(folder, layout.MANIFEST, limit=_MANIFEST_LIMIT))
    _check_names(manifest, names)
    files: dict[str, bytes] = {}
    for name, expected in manifest.files.items():
        data = _read_file(folder, name)
        if sha256(data) != expected:
            raise BundleInvalid(
                f"The bundle's file '{name}' was changed or damaged: its checksum differs.", _RESTORE
            )
        files[name] = data
    return manifest, files


def _list_files(folder: Path) -> set[str]:
    """Names of the folder's files; refuses anything else in it."""
    try:
        with os.scandir(folder) as entries:
            # Installers compile derive.py where it lies; what they leave is never read.
            listed = (entry for entry in entries if entry.name != _COMPILED)
            found = sorted(listed, key=lambda entry: entry.name)
    except NotADirectoryError as error:
        raise BundleInvalid(f"{folder} is a file; a bundle is a folder.", _point_to(folder.parent)) from error
    except FileNotFoundError as error:
        raise BundleInvalid(f"There is no bundle at {folder}.", "Check the path.") from error
    except OSError as error:
        raise BundleInvalid(
            f"The bundle at {folder} cannot be read: {error.strerror}.", "Check the path."
        ) from error
    if not any(entry.name == layout.MANIFEST for entry in found):
        return set()
    for entry in found:
        if not entry.is_file(follow_symlinks=False):
            kind = "a link" if entry.is_symlink() else "not a plain file"
            raise BundleInvalid(
                f"The bundle holds '{entry.name}', which is {kind}.", "A bundle holds plain files only."
            )
    return {entry.name for entry in found}


def _point_to(folder: Path) -> str:
    """Where a bundle might be instead."""
    try:
        near = sorted(path.parent.name for path in folder.glob(f"*/{layout.MANIFEST}"))
    except OSError:
        near = []
    if near:
        return f"Did you mean one of these in it: {', '.join(near[:10])}?"
    return "Give the folder that training wrote (in the project: .modelwright/bundles/v<number>)."


def _read_file(folder: Path, name: str, *, limit: int | None = None) -> bytes:
    """A plain file's bytes; a link put there since the folder was listed is not followed."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as file:
            data = file.read() if limit is None else file.read(limit + 1)
    except OSError as error:
        raise BundleInvalid(
            f"The bundle's file '{name}' cannot be read: {error.strerror}.", _RESTORE
        ) from error
    if limit is not None and len(data) > limit:
        raise BundleInvalid(f"The bundle's file '{name}' is too large to be one.", _RESTORE)
    return data


def _read_manifest(data: bytes) -> Manifest:
    """The manifest, its format known, its seal right, and consistent in itself."""
    try:
        number = msgspec.json.decode(data, type=_FormatOnly).format
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(
            f"The bundle's file '{layout.MANIFEST}' is damaged: {error}.", _RESTORE
        ) from error
    if number > layout.FORMAT:
        raise BundleInvalid(
            f"The bundle is of format {number}; this version of modelwright reads up to {layout.FORMAT}.",
            "Upgrade it: pip install --upgrade modelwright",
        )
    if number < 1:
        raise BundleInvalid(f"The bundle's file '{layout.MANIFEST}' names format {number}.", _RESTORE)
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(
            f"The bundle's file '{layout.MANIFEST}' is damaged: {error}.", _RESTORE
        ) from error
    problem = _inconsistency(manifest, data)
    if problem:
        raise BundleInvalid(
            f"The bundle's file '{layout.MANIFEST}' was changed or damaged: {problem}.", _RESTORE
        )
    return manifest


def _inconsistency(manifest: Manifest, data: bytes) -> str:
    """What does not fit in the manifest; empty if all does."""
    if manifest.seal == NO_SEAL or seal_of(data, manifest.seal) != manifest.seal:
        return "its seal differs"
    expected = content_hash(
        number=manifest.format,
        task=manifest.task,
        models=manifest.models,
        dataset_md5=manifest.dataset_md5,
        files=manifest.files,
    )
    if expected != manifest.content_hash:
        return "its content hash differs"
    names = [entry.name for entry in manifest.models]
    if not names or len(set(names)) < len(names):
        return "its models have no distinct names"
    return "its task is not its first model's" if manifest.models[0].task is not manifest.task else ""


def _check_names(manifest: Manifest, present: set[str]) -> None:
    """Listed names are plain file names; the folder holds exactly what is listed."""
    for name in manifest.files:
        if not _NAME.fullmatch(name) or name == layout.MANIFEST:
            raise BundleInvalid(
                f"The bundle lists a file by the name {name!r}, which no bundle has.", _RESTORE
            )
    needed = {*_REQUIRED, *(entry.file for entry in manifest.models)}
    for name in sorted(needed - set(manifest.files)):
        raise BundleInvalid(f"The bundle does not list the file '{name}', which it needs.", _RESTORE)
    for name in sorted(set(manifest.files) - present):
        raise BundleInvalid(f"The bundle's file '{name}' is missing.", _RESTORE)
    for name in sorted(present - set(manifest.files) - {layout.MANIFEST}):
        raise BundleInvalid(
            f"The bundle holds '{name}', which its manifest does not list.",
            "Remove the file, or restore the bundle.",
        )


def _decode(files: dict[str, bytes], name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(files[name], type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleInvalid(f"The bundle's file '{name}' cannot be understood: {error}.", _RESTORE) from error


def _text(source: bytes) -> str:
    try:
        return source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleInvalid(f"The bundle's file '{layout.DERIVE}' is not UTF-8 text.", _RESTORE) from error


def _load_model(
    entry: ModelEntry, encoders: dict[str, Encoder], files: dict[str, bytes], *, threads: int
) -> LoadedModel:
    encoder = encoders.get(entry.name)
    if encoder is None:
        raise BundleInvalid(
            f"The bundle's file '{layout.ENCODING}' says nothing of model '{entry.name}'.", _RESTORE
        )
    for name in encoder.graph_files:
        if name not in files:
            raise BundleInvalid(f"The bundle does not list the file '{name}', which it needs.", _RESTORE)
    _equip(encoder, files)
    try:
        return LoadedModel(entry, encoder, files[entry.file], threads=threads)
    except ModelwrightError:
        raise
    except MemoryError as error:
        raise BundleInvalid(f"The bundle's model '{entry.name}' {_TOO_LARGE}", _SMALLER) from error
    # ONNX Runtime raises classes of its own making for a graph that it cannot load.
    except Exception as error:
        raise BundleInvalid(
            f"The bundle's file '{entry.file}' cannot be loaded by ONNX Runtime: {error}.", _RESTORE
        ) from error


def _equip(encoder: Encoder, files: dict[str, bytes]) -> None:
    try:
        encoder.equip_from(files)
    except ModelwrightError:
        raise
    # The same as for a model's graph.
    except Exception as error:
        names = ", ".join(encoder.graph_files)
        raise BundleInvalid(
            f"The bundle's encoder ({names}) cannot be loaded by ONNX Runtime: {error}.", _RESTORE
        ) from error


def _slices(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BATCH):
        yield slice(start, min(start + _BATCH, rows))


def _plausible(column: Column) -> np.ndarray:
    """One value of the column's array type, its example where it has one."""
    if column.kind in {Kind.NUMERIC, Kind.INTEGER, Kind.BOOLEAN}:
        value = column.observed_min if column.observed_min is not None else 0.0
        return np.array([value], dtype=np.float64)
    if column.kind is Kind.DATETIME:
        return np.array([int((column.observed_min or 0.0) * 1e6)], dtype=np.int64).view("datetime64[us]")
    values = np.empty(1, dtype=object)
    if column.kind is Kind.IMAGE:
        values[0] = blank()
        return values
    values[0] = column.categories[0] if column.categories else str(column.example or "a")
    return values
