"""Hashes of a bundle: of its files, of what determines its answers, and of its manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from modelwright.bundle.format import ModelEntry
from modelwright.schema.metrics import Task

NO_SEAL = "0" * 64


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256 (FIPS 180-4) of ``data``."""
    return hashlib.sha256(data).hexdigest()


def content_hash(
    *, number: int, task: Task, models: Sequence[ModelEntry], dataset_md5: str, files: Mapping[str, str]
) -> str:
    """The hash of what determines a bundle's answers; ``number`` is the format's."""
    parts = {
        "format": number,
        "task": task,
        "models": list(models),
        "dataset_md5": dataset_md5,
        "files": dict(files),
    }
    return sha256(msgspec.json.encode(parts, order="deterministic"))


def seal_of(manifest: bytes, seal: str) -> str:
    """The seal that a manifest's bytes should carry, given the one they do carry."""
    return sha256(manifest.replace(seal.encode(), NO_SEAL.encode()) if seal else manifest)
