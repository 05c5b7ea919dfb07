"""What the prediction log keeps of rows with images."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from modelwright.bundle.pictures import blank, data_url, is_reference, reference
from modelwright.schema.columns import Column, Kind, TableSchema
from modelwright.serve.rowlog import RowLog

SCHEMA = TableSchema(
    columns=(
        Column(name="title", kind=Kind.TEXT),
        Column(name="photo", kind=Kind.IMAGE, nullable=True),
        Column(name="seen.from", kind=Kind.IMAGE, nullable=True),
    )
)
IMAGE = b"\xff\xd8\xff" + bytes(5000)
PLAIN = base64.b64encode(IMAGE).decode()


def logged(row: object) -> object:
    """A row as the log of ``SCHEMA`` keeps it."""
    keep = RowLog.fitting(SCHEMA)
    assert keep is not None
    return keep(row)


def test_an_image_leaves_its_name_only() -> None:
    """Base64 and data URLs of one image leave one short name, whichever way the row was sent."""
    name = reference(IMAGE)
    assert is_reference(name) and len(name) < 130 and "bytes=5003;type=image/jpeg" in name
    assert logged({"title": "a", "photo": PLAIN}) == {"title": "a", "photo": name}
    assert logged({"title": "a", "photo": data_url(IMAGE)}) == {"title": "a", "photo": name}
    assert logged(["a", PLAIN, None]) == ["a", name, None]
    assert logged({"seen": {"from": PLAIN, "by": "ann"}}) == {"seen": {"from": name, "by": "ann"}}


def test_the_row_itself_is_not_changed() -> None:
    """The model still gets what was sent."""
    row = {"photo": PLAIN}
    logged(row)
    assert row == {"photo": PLAIN}


def test_what_is_no_image_is_kept_short() -> None:
    """A refused value is logged as it was, up to a length; gaps and other types as they are."""
    assert logged({"photo": "images/shoe.jpg"}) == {"photo": "images/shoe.jpg"}
    kept = logged({"photo": "päckchen " * 10_000})
    assert isinstance(kept, dict) and len(kept["photo"]) < 300 and "90,000 characters" in kept["photo"]
    assert logged({"photo": 7, "title": "x" * 1000}) == {"photo": 7, "title": "x" * 1000}
    assert logged({"photo": ""}) == {"photo": ""} and logged("no row") == "no row"


def test_rows_without_image_columns_are_kept_as_they_are() -> None:
    """Nothing is looked at where there is nothing to replace."""
    assert RowLog.fitting(TableSchema(columns=SCHEMA.columns[:1])) is None


def test_the_name_in_the_log_is_the_picture_in_training() -> None:
    """So whoever has a picture finds what was answered for it, and a retraining knows what it learned."""
    assert str(blank()) == logged({"photo": data_url(base64.b64decode(_bytes_of_blank()))})["photo"]  # type: ignore[index]


def _bytes_of_blank() -> str:
    from modelwright.bundle import pictures

    return pictures._PIXEL


def test_images_are_kept_where_the_project_asks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The file appears beside the name; a disk that refuses costs the picture and not the answer."""
    keep = RowLog.fitting(SCHEMA, str(tmp_path / "images"))
    assert keep is not None
    assert keep({"photo": PLAIN}) == logged({"photo": PLAIN})
    (file,) = (tmp_path / "images").iterdir()
    assert file.read_bytes() == IMAGE and file.suffix == ".jpg"
    (tmp_path / "full").write_text("in the way")
    refused = RowLog.fitting(SCHEMA, str(tmp_path / "full"))
    assert refused is not None and refused({"photo": PLAIN}) == logged({"photo": PLAIN})
    assert "is not kept" in caplog.text
