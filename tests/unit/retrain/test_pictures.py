"""Images of rows that clients sent, taken up by a retraining."""

from __future__ import annotations

import base64
from pathlib import Path

import pyarrow as pa

from modelwright.bundle.pictures import Picture, blank, data_url, reference
from modelwright.retrain.pictures import FOLDER, has_nothing, image_names, moved, stored, without_names
from modelwright.schema.columns import Column, Kind, TableSchema

SCHEMA = TableSchema(
    columns=(Column(name="title", kind=Kind.TEXT), Column(name="photo", kind=Kind.IMAGE, nullable=True))
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4//8/AAX+Av4N70a4AAAAAElFTkSuQmCC"
)


def test_sent_images_become_files_named_by_content(tmp_path: Path) -> None:
    """One file for one image however it was sent, and the very bytes."""
    paths = stored([data_url(PNG), None, base64.b64encode(PNG).decode(), ""], tmp_path)
    assert paths[1] is paths[3] is None and paths[0] == paths[2]
    assert paths[0] is not None and paths[0].startswith(f"{FOLDER}/") and paths[0].endswith(".png")
    assert (tmp_path / paths[0]).read_bytes() == PNG
    assert len(list((tmp_path / FOLDER).iterdir())) == 1
    assert Picture.stored(tmp_path / paths[0]) == blank()


def test_a_name_in_the_log_is_a_missing_image() -> None:
    """What was logged without its image teaches the rest of the row, or nothing."""
    images = image_names(SCHEMA)
    assert images == ("photo",)
    row = without_names({"title": "mug", "photo": reference(PNG)}, images)
    assert row == {"title": "mug", "photo": None} and not has_nothing(row, SCHEMA)
    assert has_nothing(without_names({"photo": reference(PNG)}, images), SCHEMA)
    assert without_names({"title": reference(PNG)}, images) == {"title": reference(PNG)}


def test_paths_of_the_base_data_are_found_from_the_new_place(tmp_path: Path) -> None:
    """A table outside the project is continued inside of it; its images stay where they are."""
    there, here = tmp_path / "there", tmp_path / "project" / "data"
    (there / "images").mkdir(parents=True)
    here.mkdir(parents=True)
    (there / "images" / "a.png").write_bytes(PNG)
    (here / "b.png").write_bytes(PNG)
    base = pa.table({"photo": ["images/a.png", None, "b.png", "gone.png"], "n": [1, 2, 3, 4]})
    found = moved(base, ("photo",), [there, here], here).column("photo").to_pylist()
    assert found[1:] == [None, "b.png", "gone.png"]
    assert (here / found[0]).samefile(there / "images" / "a.png") and not Path(found[0]).is_absolute()
