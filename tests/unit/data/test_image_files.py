"""Images that a table points to have a content hash of their own."""

from __future__ import annotations

import os
from pathlib import Path

from modelwright.data.image_files import images_md5


def test_a_file_drawn_anew_under_its_path_is_seen(tmp_path: Path) -> None:
    """One other byte gives another hash, without the table being read again; the same bytes the same."""
    place = {"project_dir": tmp_path / "p", "working": tmp_path / "p" / ".modelwright"}
    folder = tmp_path / "p" / "images ü"
    folder.mkdir(parents=True)
    files = [folder / "a b.png", folder / "c.png", tmp_path / "elsewhere.png"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 9)
    assert images_md5("t", **place) == ""
    first = images_md5("t", **place, files=[*files, files[0]])
    assert first.endswith(".dir") and images_md5("t", **place) == first
    assert images_md5("another", **place) == "", "images belong to their table"

    files[0].write_bytes(b"x" * 9)
    second = images_md5("t", **place)
    assert second != first and images_md5("t", **place) == second
    files[0].write_bytes(bytes(9))
    assert images_md5("t", **place) == first
    files[2].unlink()
    assert images_md5("t", **place) not in {first, second}


def test_what_was_remembered_is_read_again_only_where_it_changed(tmp_path: Path) -> None:
    """An unchanged file is not opened; a damaged note costs nothing but the note."""
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    place = {"project_dir": tmp_path, "working": tmp_path / "w"}
    first = images_md5("t", **place, files=[file])
    state = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert images_md5("t", **place) == first, "same size, time and inode: taken as it was"
    (tmp_path / "w" / "images.json").write_text("{")
    assert images_md5("t", **place) == ""
    assert images_md5("t", **place, files=[file]) != first


def test_few_tables_are_remembered(tmp_path: Path) -> None:
    """A project that is retrained every hour keeps the images of its newest tables only."""
    file = tmp_path / "a.png"
    file.write_bytes(b"one")
    place = {"project_dir": tmp_path, "working": tmp_path / "w"}
    for table in range(30):
        assert images_md5(f"t{table}", **place, files=[file])
    assert images_md5("t0", **place) == "" and images_md5("t29", **place) != ""
