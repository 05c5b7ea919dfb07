"""Writing a bundle: whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from modelwright.bundle import format as layout
from modelwright.bundle.background import Backgrounds, Stored
from modelwright.bundle.encode import Encoder
from modelwright.bundle.format import BundleSchema, Manifest, ModelEntry
from modelwright.bundle.integrity import NO_SEAL, content_hash, seal_of, sha256
from modelwright.errors import ExitCode, ModelwrightError, StorageFailure
from modelwright.files import sync_folder

_PARTIAL = ".partial"


class BundleExists(ModelwrightError):
    """There is something at the bundle's place already."""

    code = ExitCode.BUNDLE


class ModelContents(msgspec.Struct, frozen=True, kw_only=True):
    """One model to be written.

    Attributes:
        entry: What the manifest says of it; its ``file`` is chosen by the writer.
        graph: The ONNX graph.
        encoder: How columns become the graph's inputs.
    """

    entry: ModelEntry
    graph: bytes
    encoder: Encoder


class BundleContents(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a bundle is made of.

    Attributes:
        project, version, dataset_md5, git_commit, run_id, libraries: As in the manifest.
        models: The models, the first one first.
        schema: What clients send and what the models see.
        reference: The training data's profile (``schema.profile.Profile``) as JSON.
        derive_source: Source of the project's row function (``bundle.derive.serving_source``).
        example: A request that works and its answer, ``{"request": ..., "response": ...}``, or JSON bytes.
        created: RFC 3339 time; the present by default.
        background: Each model's reference rows (``bundle.background``); empty for none.
    """

    project: str
    version: int
    dataset_md5: str
    models: tuple[ModelContents, ...]
    schema: BundleSchema
    reference: bytes
    derive_source: str | None = None
    example: Any = None
    git_commit: str = ""
    run_id: str = ""
    created: str = ""
    libraries: dict[str, str] = {}
    background: dict[str, dict[str, Stored]] = {}


def write_bundle(folder: Path, contents: BundleContents) -> Manifest:
    """Write ``contents`` to ``folder``, which appears complete or not at all, also if the power fails.

    Raises:
        BundleExists: ``folder`` is there and not empty.
        StorageFailure: The disk is full, or the place cannot be written.
    """
    folder = Path(folder)
    entries, files = _lay_out(contents)
    manifest, sealed = _manifest(contents, entries, {name: sha256(data) for name, data in files.items()})
    partial = folder.parent / f".{folder.name}.{secrets.token_hex(4)}{_PARTIAL}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists() and any(folder.iterdir()):
            raise BundleExists(
                f"There is something at {folder} already.", "Remove it, or choose another place."
            )
        _remove_leftovers(folder)
        _write_files(partial, {**files, layout.MANIFEST: sealed})
        partial.rename(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise StorageFailure.from_os_error(error, "writing the bundle") from error
    return manifest


def _lay_out(contents: BundleContents) -> tuple[tuple[ModelEntry, ...], dict[str, bytes]]:
    """The models' entries with their file names, and every file's bytes but the manifest's."""
    files = {
        layout.SCHEMA: msgspec.json.encode(contents.schema),
        layout.ENCODING: msgspec.json.encode(
            {"models": {model.entry.name: model.encoder for model in contents.models}}
        ),
        layout.REFERENCE: contents.reference,
    }
    if contents.derive_source is not None:
        files[layout.DERIVE] = contents.derive_source.encode()
    if contents.example is not None:
        example = contents.example
        files[layout.EXAMPLE] = example if isinstance(example, bytes) else msgspec.json.encode(example)
    background = {name: rows for name, rows in contents.background.items() if rows}
    if background:
        files[layout.BACKGROUND] = msgspec.json.encode(Backgrounds.of(background))
    entries = []
    for model, name in zip(contents.models, _graph_names(contents.models), strict=True):
        files[name] = model.graph
        files |= model.encoder.graphs
        entries.append(msgspec.structs.replace(model.entry, file=name))
    return tuple(entries), files


def _graph_names(models: Iterable[ModelContents]) -> list[str]:
    """A plain, distinct file name for each model: "model.onnx" where there is one."""
    names = [model.entry.name for model in models]
    if len(names) == 1:
        return ["model.onnx"]
    chosen: list[str] = []
    for name in names:
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-") or "model"
        candidate, number = f"{stem}.onnx", 2
        while candidate in chosen:
            candidate, number = f"{stem}-{number}.onnx", number + 1
        chosen.append(candidate)
    return chosen


def _manifest(
    contents: BundleContents, entries: tuple[ModelEntry, ...], hashes: dict[str, str]
) -> tuple[Manifest, bytes]:
    """The manifest and its sealed bytes."""
    task = entries[0].task
    files = dict(sorted(hashes.items()))
    manifest = Manifest(
        format=layout.FORMAT,
        project=contents.project,
        version=contents.version,
        task=task,
        models=entries,
        dataset_md5=contents.dataset_md5,
        git_commit=contents.git_commit,
        run_id=contents.run_id,
        created=contents.created or datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        libraries=dict(sorted(contents.libraries.items())),
        files=files,
        content_hash=content_hash(
            number=layout.FORMAT,
            task=task,
            models=entries,
            dataset_md5=contents.dataset_md5,
            files=files,
        ),
        seal=NO_SEAL,
    )
    blank = _manifest_bytes(manifest)
    seal = seal_of(blank, NO_SEAL)
    manifest = msgspec.structs.replace(manifest, seal=seal)
    return manifest, _manifest_bytes(manifest)


def _manifest_bytes(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _write_files(partial: Path, files: dict[str, bytes]) -> None:
    partial.mkdir()
    for name, data in files.items():
        with (partial / name).open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(partial)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a killed writer of the same bundle left; one writer at a time holds the project."""
    for leftover in folder.parent.iterdir():
        if leftover.name.startswith(f".{folder.name}.") and leftover.name.endswith(_PARTIAL):
            shutil.rmtree(leftover, ignore_errors=True)
