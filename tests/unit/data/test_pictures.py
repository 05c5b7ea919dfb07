"""Image columns of training data: files found, named, and told of where they are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelwright.bundle.pictures import Picture, data_url
from modelwright.data.pictures import (
    PicturesAbsent,
    absent_images,
    as_sent,
    image_folders,
    with_pictures,
)
from modelwright.schema.columns import Column, Kind, TableSchema

SCHEMA = TableSchema(
    columns=(Column(name="title", kind=Kind.TEXT), Column(name="photo", kind=Kind.IMAGE, nullable=True))
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of three pictures, one twice, and two files that are none."""
    images = tmp_path / "my images"
    images.mkdir()
    for name, colour in (("a.png", "red"), ("b b.png", "blue"), ("ü.png", "green")):
        Image.new("RGB", (8, 8), colour).save(images / name)
    (images / "twin.png").write_bytes((images / "a.png").read_bytes())
    (images / "text.jpg").write_text("no picture")
    (images / "cut.png").write_bytes((images / "a.png").read_bytes()[:40])
    return tmp_path


def columns(*paths: str) -> dict[str, np.ndarray]:
    """Column arrays of rows with these images."""
    return {
        "title": np.array(["t"] * len(paths), dtype=object),
        "photo": np.array(paths, dtype=object),
    }


def test_paths_become_pictures(folder: Path) -> None:
    """Cells are pictures named by their content: equal files are equal, missing cells stay so."""
    found = with_pictures(
        columns("my images/a.png", "my images/b b.png", "", "my images/twin.png", "my images/ü.png"),
        SCHEMA,
        [folder],
    )
    cells = found.columns["photo"].tolist()
    assert [isinstance(cell, Picture) for cell in cells] == [True, True, False, True, True]
    assert cells[0] == cells[3] != cells[1] and cells[2] == ""
    assert found.warnings == () and list(found.pictures) == ["photo"]
    assert found.columns["title"].tolist() == ["t"] * 5


def test_what_cannot_be_read_counts_as_missing_and_is_told(folder: Path) -> None:
    """Absent and damaged files and files of another kind do not stop a training."""
    good = ["my images/a.png", "my images/b b.png", "my images/ü.png", "my images/twin.png"]
    bad = ["my images/gone.png", "my images/text.jpg", "my images/cut.png"]
    found = with_pictures(columns(*good, *bad), SCHEMA, [folder])
    assert [bool(cell) for cell in found.columns["photo"]] == [True] * 4 + [False] * 3
    (warning,) = found.warnings
    assert warning.startswith("3 of the 7 images of column 'photo' cannot be read")
    assert "gone.png': No such file" in warning and "damaged" in warning and "JPEG, PNG" in warning


def test_most_files_missing_is_an_error(folder: Path) -> None:
    """A wrong folder is told with where the files were looked for."""
    with pytest.raises(PicturesAbsent) as told:
        with_pictures(columns("a.png", "b.png", "my images/a.png"), SCHEMA, [folder])
    assert "2 of the 3 images of column 'photo'" in told.value.reason
    assert str(folder) in told.value.instruction and told.value.details


def test_columns_that_only_look_like_images_are_known(folder: Path) -> None:
    """Web addresses and files of another machine are no images here."""
    assert absent_images(
        columns("https://example.org/a.jpg", "x\0.png", "y" * 5000 + ".png"), SCHEMA, [folder]
    )
    assert absent_images(columns("gone.png", "my images/a.png"), SCHEMA, [folder]) == ()


def test_paths_start_beside_the_data_as_the_project_names_it(tmp_path: Path) -> None:
    """A table outside the project is copied into it, its pictures are not."""
    (tmp_path / "project").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "table.csv").write_text("a\n1\n")
    copied = tmp_path / "project" / "data" / "table.csv"
    assert image_folders("../there/table.csv", copied, tmp_path / "project") == (
        tmp_path / "there",
        tmp_path / "project" / "data",
        tmp_path / "project",
    )
    assert image_folders("s3://bucket/table.csv", copied, tmp_path / "project")[0] == copied.parent


def test_examples_are_as_clients_send_them(folder: Path) -> None:
    """A picture in an example is a data URL; one too large to look at is left out."""
    small = Picture.stored(folder / "my images" / "a.png")
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "large.png")
    large = Picture.stored(folder / "large.png")
    assert as_sent([small, "", large]) == [data_url((folder / "my images/a.png").read_bytes()), None, None]
