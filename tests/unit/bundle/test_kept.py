"""Pictures that clients sent, kept as files for a while."""

from __future__ import annotations

import base64
import os
import time
from pathlib import Path

import pytest

from modelwright.bundle.kept import KeptPictures
from modelwright.bundle.pictures import blank, data_url, reference
from modelwright.errors import StorageFailure
from modelwright.schema.columns import Column, Kind, TableSchema

SCHEMA = TableSchema(columns=(Column(name="title", kind=Kind.TEXT), Column(name="photo", kind=Kind.IMAGE)))
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
)


def test_a_row_of_the_log_gets_its_picture_back(tmp_path: Path) -> None:
    """By column or in order; a title that looks like a name, and names nobody kept, stay as they are."""
    kept = KeptPictures(tmp_path / "images")
    kept.keep(PNG)
    kept.keep(PNG)
    assert len(list((tmp_path / "images").iterdir())) == 1
    name, whole = reference(PNG), data_url(PNG)
    assert str(blank()) == name
    assert kept.restored({"title": name, "photo": name}, SCHEMA) == {"title": name, "photo": whole}
    assert kept.restored(["mug", name], SCHEMA) == ["mug", whole]
    other = reference(PNG + b"x")
    assert kept.restored({"photo": other}, SCHEMA) == {"photo": other}
    assert kept.restored({"photo": None}, SCHEMA) == {"photo": None} and kept.restored("x", SCHEMA) == "x"
    assert KeptPictures(tmp_path / "nowhere").restored({"photo": name}, SCHEMA) == {"photo": name}


def test_a_file_that_was_changed_is_not_the_picture(tmp_path: Path) -> None:
    """What is there has to be what its name says."""
    kept = KeptPictures(tmp_path)
    kept.keep(PNG)
    next(tmp_path.iterdir()).write_bytes(PNG + b"more")
    assert kept.find(reference(PNG)) is None


def test_only_pictures_are_kept(tmp_path: Path) -> None:
    """Bytes that are none, and names with a way out of the folder, touch nothing."""
    kept = KeptPictures(tmp_path / "images")
    kept.keep(b"#!/bin/sh")
    assert not (tmp_path / "images").exists()
    assert kept.find("image:sha256=../../../etc/passwd;bytes=1;type=image/png") is None


def test_what_does_not_come_again_goes(tmp_path: Path) -> None:
    """Time counts from the last time a picture came."""
    kept = KeptPictures(tmp_path)
    kept.keep(PNG)
    path = next(tmp_path.iterdir())
    old = time.time() - 100_000
    os.utime(path, (old, old))
    kept.keep(PNG)
    assert kept.expire(86_400) == 0
    os.utime(path, (old, old))
    assert kept.expire(86_400) == 1 and kept.find(reference(PNG)) is None


def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """The caller decides what that is worth."""
    (tmp_path / "images").write_text("a file in the way")
    with pytest.raises(StorageFailure, match="keeping a picture"):
        KeptPictures(tmp_path / "images").keep(PNG)
